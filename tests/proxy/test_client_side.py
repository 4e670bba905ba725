"""A proxy whose clients may name addresses and keys (LiteLLM's opt-in) keeps its logins to itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from litellm_qwen_ai.sandbox import Sandbox
from tests.proxy.conftest import Proxy, running_proxy

pytestmark = pytest.mark.proxy

MESSAGES = [{"role": "user", "content": "ping"}]
CONFIG = """
model_list:
  - model_name: qwen
    litellm_params: { model: qwen_ai/coder-model }
    model_info: { id: alice, qwen_account: alice }
general_settings: { allow_client_side_credentials: true }
litellm_settings:
  custom_provider_map: [{ provider: qwen_ai, custom_handler: litellm_qwen_ai.handler }]
router_settings: { disable_cooldowns: true }
"""
DOORS = {
    "/v1/chat/completions": {"messages": MESSAGES},
    "/v1/completions": {"prompt": "ping"},
    "/v1/responses": {"input": "ping"},
    "/v1/messages": {"messages": MESSAGES, "max_tokens": 50},
}


@pytest.fixture(scope="module")
def open_proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    folder = tmp_path_factory.mktemp("open")
    config = folder / "config.yaml"
    config.write_text(CONFIG, encoding="utf-8")
    with running_proxy(folder / "tokens", config=config, accounts=["alice"]) as running:
        yield running


@pytest.fixture
def elsewhere() -> Iterator[Sandbox]:
    with Sandbox() as other:
        yield other


@pytest.mark.parametrize("path", DOORS)
def test_a_clients_address_gets_no_login_at_any_door(
    open_proxy: Proxy, elsewhere: Sandbox, path: str
) -> None:
    asked: dict[str, Any] = {"model": "qwen", **DOORS[path]}
    assert open_proxy.ask(path, asked).status_code == 200
    for more in (
        {"api_base": elsewhere.api_base},
        {"base_url": elsewhere.api_base},
        {"user_config": _own_router(elsewhere)},
        {"fallbacks": [{"model": "qwen", "api_base": elsewhere.api_base}], "mock_testing_fallbacks": True},
    ):
        answer = open_proxy.ask(path, {**asked, **more})
        assert elsewhere.requests == [], more
        assert answer.status_code in {400, 500}, (more, answer.text)


def _own_router(elsewhere: Sandbox) -> dict[str, Any]:
    params = {"model": "qwen_ai/coder-model", "api_base": elsewhere.api_base}
    return {"model_list": [{"model_name": "qwen", "litellm_params": params}]}


def test_with_a_key_of_its_own_a_client_goes_where_it_wants(open_proxy: Proxy, elsewhere: Sandbox) -> None:
    own = {"api_base": elsewhere.api_base, "api_key": "sk-sandbox"}
    answer = open_proxy.ask("/v1/chat/completions", {"model": "qwen", "messages": MESSAGES, **own})
    assert answer.status_code == 200
    assert elsewhere.requests_to("chat")[0].headers["authorization"] == "Bearer sk-sandbox"


@pytest.mark.parametrize("wrong", [{"extra_headers": "x: y"}, {"extra_headers": ["x"]}, {"headers": "x"}])
def test_headers_that_are_no_object_are_the_clients_fault(open_proxy: Proxy, wrong: dict[str, Any]) -> None:
    for more in ({}, {"stream": True}):
        answer = open_proxy.ask(
            "/v1/chat/completions", {"model": "qwen", "messages": MESSAGES, **wrong, **more}
        )
        assert answer.status_code == 400, answer.text
        assert "headers must be an object" in answer.text


def test_a_health_check_uses_the_deployments_account(open_proxy: Proxy) -> None:
    healthy = open_proxy.ask("/health").json()  # the default account is not logged in
    assert (healthy["healthy_count"], healthy["unhealthy_count"]) == (1, 0)
