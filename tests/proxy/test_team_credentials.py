"""LiteLLM's credentials that a team or a client's request names: an address of the operator's, or not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from litellm_qwen_ai.sandbox import Sandbox
from tests.litellm_version import KEEPS_COPIES
from tests.proxy.conftest import Proxy, running_proxy

pytestmark = pytest.mark.proxy

ASKED = {"model": "qwen", "messages": [{"role": "user", "content": "ping"}]}
CONFIG = """
model_list:
  - model_name: qwen
    litellm_params: { model: qwen_ai/coder-model }
    model_info: { id: alice, qwen_account: alice }
  - model_name: attached
    litellm_params: { model: qwen_ai/coder-model, litellm_credential_name: second-door }
    model_info: { id: attached, qwen_account: alice }
credential_list:
  - credential_name: second-door
    credential_values: { api_base: "%(second_door)s" }
    credential_info: {}
  - credential_name: others
    credential_values: { api_base: "%(elsewhere)s" }
    credential_info: {}
general_settings:
  custom_auth: who.user_api_key_auth
  allow_client_side_credentials: true
  dangerously_allow_mock_testing_request_params: true
litellm_settings:
  enable_model_config_credential_overrides: true
  custom_provider_map: [{ provider: qwen_ai, custom_handler: litellm_qwen_ai.handler }]
router_settings: { disable_cooldowns: true }
"""
#: Every key is a proxy admin's; `team` is one of a team whose admin has chosen a credential.
WHO = """
from litellm.proxy._types import UserAPIKeyAuth

async def user_api_key_auth(request, api_key):
    chosen = {"qwen": {"qwen_ai": {"litellm_credentials": "second-door"}}}
    team = {"team_id": "t", "team_metadata": {"model_config": chosen}} if api_key == "sk-team" else {}
    return UserAPIKeyAuth(api_key=api_key, user_role="proxy_admin", **team)
"""


FORGED = {
    "user_api_key_team_metadata": {"model_config": {"qwen": {"qwen_ai": {"litellm_credentials": "others"}}}}
}


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[Sandbox]:
    with Sandbox() as other:
        yield other


@pytest.fixture(scope="module")
def credentials_proxy(tmp_path_factory: pytest.TempPathFactory, elsewhere: Sandbox) -> Iterator[Proxy]:
    folder = tmp_path_factory.mktemp("credentials")
    config = folder / "config.yaml"
    with Sandbox(interval=0) as upstream:
        second_door = upstream.api_base.replace("127.0.0.1", "localhost")
        config.write_text(
            CONFIG % {"second_door": second_door, "elsewhere": elsewhere.api_base}, encoding="utf-8"
        )
        (folder / "who.py").write_text(WHO, encoding="utf-8")
        with running_proxy(
            folder / "tokens", config=config, accounts=["alice"], upstream=upstream
        ) as running:
            yield running


def _answer(proxy: Proxy, key: str, asked: dict[str, Any]) -> httpx.Response:
    return proxy.ask("/v1/chat/completions", asked, authorization=f"Bearer {key}")


def _hosts(proxy: Proxy) -> list[str]:
    return [request.headers["host"].partition(":")[0] for request in proxy.sandbox.requests_to("chat")]


@pytest.mark.skipif(KEEPS_COPIES, reason="other calls leave their deployments in this Router")
@pytest.mark.parametrize("more", [{}, {"stream": True}])
def test_an_address_that_an_admin_chose_for_a_team_gets_the_login(
    credentials_proxy: Proxy, more: dict[str, Any]
) -> None:
    before = len(_hosts(credentials_proxy))
    for key, asked in (("sk-any", ASKED), ("sk-team", ASKED), ("sk-any", {**ASKED, "model": "attached"})):
        answer = _answer(credentials_proxy, key, {**asked, **more})
        assert answer.status_code == 200, answer.text
        assert "address of its own" not in answer.text
    assert _hosts(credentials_proxy)[before:] == ["127.0.0.1", "localhost", "localhost"]


@pytest.mark.parametrize("key", ["sk-any", "sk-team"])
@pytest.mark.parametrize(
    "named",
    [
        lambda other: {"litellm_credential_name": "others"},
        lambda other: {
            "fallbacks": [{"model": "qwen", "litellm_credential_name": "others"}],
            "mock_testing_fallbacks": True,
        },
        lambda other: {"api_base": other.api_base},
        lambda other: {"api_base": other.api_base, "litellm_credential_name": "second-door"},
        lambda other: {"api_base": other.api_base, "metadata": FORGED, "litellm_metadata": FORGED},
    ],
)
def test_an_address_that_a_client_chose_by_a_credentials_name_gets_no_login(
    credentials_proxy: Proxy, elsewhere: Sandbox, named: Any, key: str
) -> None:
    answer = _answer(credentials_proxy, key, {**ASKED, **named(elsewhere)})
    assert elsewhere.requests == []
    if answer.status_code == 200:  # the team's address came first
        assert key == "sk-team" or KEEPS_COPIES
        assert KEEPS_COPIES or _hosts(credentials_proxy)[-1] == "localhost"
    else:
        assert "address of its own" in answer.text
