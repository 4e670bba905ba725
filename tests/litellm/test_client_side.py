"""A login's token goes where the operator sends it, whatever a client asks for."""

from __future__ import annotations

from typing import Any

import litellm
import pytest

from litellm_qwen_ai.sandbox import Sandbox

pytestmark = pytest.mark.usefixtures("login")

MESSAGES = [{"role": "user", "content": "ping"}]
MODEL = "qwen_ai/coder-model"


@pytest.fixture
def elsewhere() -> Any:
    """Another server, which takes any key and must see no login."""
    with Sandbox() as other:
        yield other


def _body(**sent: Any) -> dict[str, Any]:
    """What LiteLLM's proxy adds to a call: the request that its client has sent."""
    return {**sent, "proxy_server_request": {"url": "http://proxy", "method": "POST", "body": {**sent}}}


def test_a_clients_address_gets_no_login(ask: Any, elsewhere: Sandbox, monkeypatch: Any) -> None:
    for key in (None, "sk-of-the-operator"):
        if key is not None:
            monkeypatch.setenv("QWEN_API_KEY", key)
        with pytest.raises(litellm.BadRequestError, match="address of its own"):
            ask(**_body(api_base=elsewhere.api_base))
    assert elsewhere.requests == []


def test_with_a_key_of_its_own_it_is_used(ask: Any, elsewhere: Sandbox) -> None:
    assert ask(**_body(api_base=elsewhere.api_base, api_key="sk-sandbox")).choices[0].message.content
    assert elsewhere.requests_to("chat")[0].headers["authorization"] == "Bearer sk-sandbox"


@pytest.mark.usefixtures("own_loop")
async def test_a_router_sends_the_login_to_its_deployments_address_alone(
    sandbox: Sandbox, elsewhere: Sandbox, make_router: Any
) -> None:
    router = make_router(
        {"model_name": "m", "litellm_params": {"model": MODEL, "api_base": sandbox.api_base}}
    )
    assert await router.acompletion("m", messages=MESSAGES)
    with pytest.raises(litellm.BadRequestError, match="address of its own"):
        await router.acompletion("m", messages=MESSAGES, api_base=elsewhere.api_base)
    assert elsewhere.requests == []


def test_a_client_of_a_proxy_without_a_router_does_not_choose_the_account(ask: Any, accounts: Any) -> None:
    ask(**_body(qwen_account="alice"))
    ask(**_body(model_info={"qwen_account": "bob"}))
    assert accounts.asked() == ["oauth_creds"] * 2


def test_a_programs_own_address_and_account_are_its_own(ask: Any, sandbox: Sandbox, accounts: Any) -> None:
    ask(api_base=sandbox.api_base, qwen_account="alice")
    assert accounts.asked() == ["alice"]


def test_the_deployments_model_and_host_stay(ask: Any, sandbox: Sandbox) -> None:
    ask(extra_body={"model": "another", "seed": 7})
    body = sandbox.requests_to("chat")[-1].json
    assert (body["model"], body["seed"]) == ("coder-model", 7)
    with pytest.raises(litellm.BadRequestError, match="Host cannot be given"):
        ask(extra_headers={"Host": "evil.example"})
    ask(api_key="sk-sandbox", api_base=sandbox.api_base, extra_headers={"Host": "gateway.example"})
    assert sandbox.requests_to("chat")[-1].headers["host"] == "gateway.example"


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_retries": "many"},
        {"extra_body": "x"},
        {"extra_headers": "x-mine: yes"},
        {"headers": ["x-mine", "yes"]},
        {"extra_headers": "x", "model": "coder-model", "custom_llm_provider": "qwen_ai"},
    ],
)
def test_a_keyword_of_a_wrong_kind_is_a_bad_request(ask: Any, wrong: dict[str, Any]) -> None:
    with pytest.raises(litellm.BadRequestError, match=next(iter(wrong))):
        ask(**wrong)


def test_a_model_that_is_no_keyword_is_ours_too() -> None:
    with pytest.raises(litellm.BadRequestError, match="extra_headers must be an object, not a str"):
        litellm.completion("qwen_ai/coder-model", [{"role": "user", "content": "ping"}], extra_headers="x")


def test_litellms_own_route_is_left_to_litellm(own_route: dict[str, str]) -> None:
    with pytest.raises(Exception, match=r"dictionary|'str' object has no attribute"):  # 1.91 says the latter
        litellm.completion(messages=[{"role": "user", "content": "ping"}], extra_headers="x", **own_route)
