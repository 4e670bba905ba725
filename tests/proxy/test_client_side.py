"""A proxy whose clients may name addresses and keys (LiteLLM's opt-in) keeps its logins to itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from litellm_qwen_ai import FileStore
from litellm_qwen_ai.oauth import keep_key
from litellm_qwen_ai.sandbox import Sandbox
from tests.litellm_version import KEEPS_COPIES
from tests.proxy.conftest import Proxy, running_proxy

pytestmark = pytest.mark.proxy

MESSAGES = [{"role": "user", "content": "ping"}]
KEPT = "sk-kept-0123456789abcdef"
CONFIG = """
model_list:
  - model_name: qwen
    litellm_params: { model: qwen_ai/coder-model }
    model_info: { id: alice, qwen_account: alice }
  - model_name: placed
    litellm_params: { model: qwen_ai/coder-model, api_base: "%(api_base)s" }
    model_info: { id: placed, qwen_account: alice }
  - model_name: keyed
    litellm_params:
      model: qwen_ai/coder-model
      api_base: "%(api_base)s"
      configurable_clientside_auth_params: [api_base, base_url]
    model_info: { id: keyed, qwen_account: keyed }
  - model_name: named
    litellm_params: { model: coder-model, custom_llm_provider: qwen_ai }
    model_info: { id: named, qwen_account: alice }
general_settings:
  allow_client_side_credentials: true
  dangerously_allow_mock_testing_request_params: true
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
    with Sandbox(interval=0, api_keys=(KEPT,)) as upstream:
        config.write_text(CONFIG % {"api_base": upstream.api_base}, encoding="utf-8")
        keep_key(
            FileStore(folder / "tokens", "keyed.json"), KEPT, api_base="https://nobody.invalid", check=False
        )
        with running_proxy(
            folder / "tokens", config=config, accounts=["alice"], upstream=upstream
        ) as running:
            yield running


@pytest.fixture
def elsewhere() -> Iterator[Sandbox]:
    with Sandbox() as other:
        yield other


@pytest.mark.parametrize("path", DOORS)
@pytest.mark.parametrize("model", ["placed", "keyed"])
def test_a_deployments_own_address_gets_its_login_or_kept_key(
    open_proxy: Proxy, elsewhere: Sandbox, model: str, path: str
) -> None:
    notes = {"api_base": elsewhere.api_base, "base_url": elsewhere.api_base}
    for more in ({}, {"stream": True}, {"metadata": {"user_id": "me"}}):
        answer = open_proxy.ask(path, {"model": model, **DOORS[path], **more})
        assert answer.status_code == 200, (more, answer.text)
        assert "address of its own" not in answer.text
    asked = open_proxy.sandbox.requests_to("chat")[-1]
    assert (asked.bearer == KEPT) is (model == "keyed")
    for name in ("metadata", "litellm_metadata"):  # a client's notes lead nowhere
        open_proxy.ask(path, {"model": model, **DOORS[path], name: {**notes, "fallbacks": [notes]}})
        assert elsewhere.requests == []


@pytest.mark.parametrize("path", DOORS)
@pytest.mark.parametrize("model", ["qwen", "placed", "keyed"])
def test_a_clients_address_gets_no_login_at_any_door(
    open_proxy: Proxy, elsewhere: Sandbox, model: str, path: str
) -> None:
    asked: dict[str, Any] = {"model": model, **DOORS[path]}
    assert open_proxy.ask(path, asked).status_code == 200 or KEEPS_COPIES
    for more in (
        {"api_base": elsewhere.api_base},
        {"base_url": elsewhere.api_base},
        {"user_config": _own_router(elsewhere)},
        {"api_base": elsewhere.api_base, "metadata": {"api_base": elsewhere.api_base}},
        {"fallbacks": [{"model": model, "api_base": elsewhere.api_base}], "mock_testing_fallbacks": True},
    ):
        answer = open_proxy.ask(path, {**asked, **more})
        assert elsewhere.requests == [], more
        assert answer.status_code in {400, 500} or KEEPS_COPIES, (more, answer.text)


def _own_router(elsewhere: Sandbox) -> dict[str, Any]:
    params = {"model": "qwen_ai/coder-model", "api_base": elsewhere.api_base}
    return {"model_list": [{"model_name": "qwen", "litellm_params": params}]}


@pytest.mark.skipif(KEEPS_COPIES, reason="other calls leave their deployments in this Router")
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
    assert (healthy["healthy_count"], healthy["unhealthy_count"]) == (4, 0)
