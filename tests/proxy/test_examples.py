"""A proxy of several accounts on examples/router.yaml."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from tests.proxy.conftest import running_proxy

if TYPE_CHECKING:
    from tests.proxy.conftest import Proxy

EXAMPLES = Path(__file__).parents[2] / "examples"
CALL = {"model": "coder-model", "messages": [{"role": "user", "content": "ping"}]}


@pytest.fixture(scope="module")
def accounts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    """A proxy of two accounts on router.yaml, both logged in."""
    token_dir = tmp_path_factory.mktemp("accounts") / "tokens"
    config = EXAMPLES / "router.yaml"
    with running_proxy(token_dir, config=config, accounts=["alice", "bob"]) as running:
        yield running


@pytest.mark.proxy
def test_the_accounts_of_router_yaml_share_the_calls_and_one_with_a_dead_login_rests(accounts: Proxy) -> None:
    sandbox = accounts.sandbox
    assert [accounts.ask("/v1/chat/completions", CALL).status_code for _ in range(12)] == [200] * 12
    assert len({request.headers["authorization"] for request in sandbox.requests_to("chat")}) == 2
    assert "Not logged in" not in accounts.log
    sandbox.revoke()
    sandbox.write_credentials(accounts.token_dir, "alice.json", lifetime=-60, refresh_token="revoked")
    sandbox.write_credentials(accounts.token_dir, "bob.json")
    sandbox.clear()
    assert [accounts.ask("/v1/chat/completions", CALL).status_code for _ in range(12)] == [200] * 12
    assert len(sandbox.requests_to("refresh")) <= 1  # none if alice was never chosen


@pytest.mark.proxy
def test_no_client_of_router_yaml_can_choose_an_account(accounts: Proxy) -> None:
    accounts.sandbox.write_credentials(accounts.token_dir, "carol.json")
    accounts.sandbox.clear()
    for more in ({"qwen_account": "carol"}, {"model_info": {"qwen_account": "carol"}}):
        accounts.ask("/v1/chat/completions", {**CALL, **more})
    carols = yaml.safe_load((accounts.token_dir / "carol.json").read_text())["access_token"]
    asked = accounts.sandbox.requests_to("chat")
    assert asked
    assert not [request for request in asked if carols in request.headers["authorization"]]
