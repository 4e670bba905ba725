"""Every door of the proxy leads to Qwen and back, with what a built-in provider would show."""

from __future__ import annotations

import http.client
import json
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from litellm_qwen_ai.sandbox import Answer

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.proxy.conftest import Proxy

pytestmark = pytest.mark.proxy

MESSAGES = [{"role": "user", "content": "ping"}]
DOORS: dict[str, dict[str, Any]] = {
    "/v1/chat/completions": {"messages": MESSAGES},
    "/v1/completions": {"prompt": "ping"},
    "/v1/responses": {"input": "ping"},
    "/v1/messages": {"messages": MESSAGES, "max_tokens": 100},
}
WEATHER = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
}


@pytest.fixture(params=DOORS)
def door(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def _body(door: str, **more: Any) -> dict[str, Any]:
    return {"model": "coder-model", **DOORS[door], **more}


def _events(response: httpx.Response) -> list[dict[str, Any]]:
    lines = [line.removeprefix("data:").strip() for line in response.text.splitlines() if line[:5] == "data:"]
    return [json.loads(line) for line in lines if line != "[DONE]"]


def test_a_call_is_answered_with_its_usage(logged_in: Proxy, door: str) -> None:
    answer = logged_in.ask(door, _body(door))
    assert answer.status_code == 200
    assert "ping" in _text_of(door, answer.json())
    usage = answer.json()["usage"]
    assert usage.get("prompt_tokens", usage.get("input_tokens")) > 0


def _text_of(door: str, answer: dict[str, Any]) -> str:
    if door == "/v1/chat/completions":
        return str(answer["choices"][0]["message"]["content"])
    if door == "/v1/completions":
        return str(answer["choices"][0]["text"])
    if door == "/v1/responses":
        return str(answer["output"][-1]["content"][0]["text"])
    return str(answer["content"][-1]["text"])


def test_a_stream_has_the_answer_and_ends_as_its_door_ends_streams(logged_in: Proxy, door: str) -> None:
    answer = logged_in.ask(door, _body(door, stream=True))
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/event-stream")
    events = _events(answer)
    parts = {
        "/v1/chat/completions": lambda event: event["choices"][0]["delta"].get("content"),
        "/v1/completions": lambda event: event["choices"][0].get("text"),
        "/v1/responses": lambda event: event.get("delta"),
        "/v1/messages": lambda event: event.get("delta", {}).get("text"),
    }[door]
    assert "ping" in "".join(parts(event) or "" for event in events)
    if door in {"/v1/responses", "/v1/messages"}:
        assert (
            events[-1]["type"]
            == {"/v1/responses": "response.completed", "/v1/messages": "message_stop"}[door]
        )
    else:
        assert answer.text.rstrip().endswith("data: [DONE]")


@pytest.mark.parametrize(("name", "status"), [("throttled", 429), ("html_503", 503), ("too_long", 400)])
def test_a_refused_stream_has_the_status_of_the_refusal(
    logged_in: Proxy, door: str, name: str, status: int
) -> None:
    logged_in.sandbox.answer_next("chat", name)
    answer = logged_in.ask(door, _body(door, stream=True, num_retries=0))
    assert answer.status_code == status
    assert "Qwen" in answer.text


REFUSALS = (
    "echo",  # of the token of the call before
    *("cut", "html_502", "token_expired", "quota_spent", "too_long", "redirect", "empty_200", "error_event"),
    *("not_json_200", "error_finish", "stream_cut", "huge_503", "wrong_types_200", "throttled"),
)


@pytest.mark.parametrize("stream", [False, True], ids=["call", "stream"])
def test_no_error_body_header_or_line_of_the_log_shows_a_secret(
    logged_in: Proxy, door: str, stream: bool
) -> None:
    sandbox = logged_in.sandbox
    sandbox.expire_access_tokens()  # or the proxy might still use that of the last test for a moment
    sandbox.write_credentials(logged_in.token_dir)
    assert logged_in.ask(door, _body(door)).status_code == 200
    for name in REFUSALS:
        answer: str | Answer = name
        if name == "echo":  # a server that repeats what it was sent
            token = sandbox.requests_to("chat")[-1].bearer
            error = {"error": {"message": f"bad {token}"}}
            answer = Answer(status=400, body=error, headers={"x-echo": token or ""})
        sandbox.answer_next("chat", answer)
        told = logged_in.ask(door, _body(door, stream=stream, num_retries=0))
        shown = f"{told.headers} {told.text} {logged_in.log}"
        issued = sandbox.secrets_issued()
        assert issued
        assert not {secret for secret in issued if secret in shown}, name
        sandbox.clear()


SOON = 1.0  # seconds in which a request upstream ends when the client has left
TRIES = 3  # the best counts: the machine may be busy


def test_a_client_that_leaves_a_stream_ends_the_request_upstream(logged_in: Proxy, door: str) -> None:
    body = _body(door, stream=True)

    def leave() -> None:
        with httpx.stream(
            "POST", logged_in.url + door, json=body, headers=logged_in.headers, timeout=30
        ) as answer:
            assert answer.status_code == 200
            # Kept in a name: httpx closes the connection of an iterator that is collected.
            received = answer.iter_bytes()
            next(received)
            logged_in.sandbox.wait_for_held("chat", at="chunk")
            _forget_what_is_done(logged_in)

    with logged_in.sandbox.holding("chat", at="chunk"):
        assert any(_seconds_to_end(logged_in, leave, let_through=3) < SOON for _ in range(TRIES))


@pytest.mark.parametrize("stream", [False, True], ids=["call", "stream"])
def test_a_client_that_leaves_before_the_answer_ends_the_request_upstream(
    logged_in: Proxy, stream: bool
) -> None:
    body = json.dumps(_body("/v1/chat/completions", stream=stream))

    def leave() -> None:
        proxy = httpx.URL(logged_in.url)
        with closing(http.client.HTTPConnection(proxy.host, proxy.port or 80)) as connection:
            headers = {**logged_in.headers, "content-type": "application/json"}
            connection.request("POST", "/v1/chat/completions", body, headers)
            logged_in.sandbox.wait_for_held("chat")
            _forget_what_is_done(logged_in)

    with logged_in.sandbox.holding("chat"):
        assert any(_seconds_to_end(logged_in, leave) < SOON for _ in range(TRIES))


def _seconds_to_end(proxy: Proxy, leave: Callable[[], None], *, let_through: int = 0) -> float:
    """How long after a client has left, its request upstream ends."""
    proxy.sandbox.let_through("chat", let_through, at="chunk")
    leave()
    began = time.monotonic()
    assert proxy.done.get(timeout=30).disconnected
    return time.monotonic() - began


def _forget_what_is_done(proxy: Proxy) -> None:
    while not proxy.done.empty():
        proxy.done.get_nowait()


def test_anthropic_thinking_and_tools_come_through(logged_in: Proxy) -> None:
    answer = logged_in.ask(
        "/v1/messages",
        _body("/v1/messages", thinking={"type": "enabled", "budget_tokens": 1024}, max_tokens=2048),
    ).json()
    assert [block["type"] for block in answer["content"]] == ["thinking", "text"]
    asked = logged_in.sandbox.requests_to("chat")[-1].json
    assert asked["enable_thinking"] is True
    tool = {"name": "weather", "description": "The weather", "input_schema": WEATHER}
    answer = logged_in.ask("/v1/messages", _body("/v1/messages", tools=[tool])).json()
    assert answer["stop_reason"] == "tool_use"
    assert [block["name"] for block in answer["content"] if block["type"] == "tool_use"] == ["weather"]


def test_a_tool_of_the_responses_door_is_called(logged_in: Proxy) -> None:
    tool = {"type": "function", "name": "weather", "description": "The weather", "parameters": WEATHER}
    answer = logged_in.ask("/v1/responses", _body("/v1/responses", tools=[tool])).json()
    assert "weather" in [item.get("name") for item in answer["output"] if item["type"] == "function_call"]


def test_models_lists_the_config_and_what_the_wildcard_stands_for(proxy: Proxy) -> None:
    listed = {entry["id"] for entry in proxy.ask("/v1/models").json()["data"]}
    assert {"coder-model", "vision-model", "qwen_ai/coder-model", "qwen_ai/qwen3-coder-flash"} <= listed


def test_model_info_has_limits_prices_and_capabilities(proxy: Proxy) -> None:
    entries = {
        entry["model_name"]: entry["model_info"] for entry in proxy.ask("/v1/model/info").json()["data"]
    }
    coder = entries["coder-model"]
    assert (coder["max_input_tokens"], coder["input_cost_per_token"]) == (1_000_000, 0.0)
    shown = {name: coder[f"supports_{name}"] for name in ("vision", "function_calling", "reasoning")}
    assert shown == {"vision": True, "function_calling": True, "reasoning": True}
    assert entries["vision-model"]["supports_function_calling"] is False
    assert "reasoning_effort" in coder["supported_openai_params"]


def test_health_asks_each_deployment_once_and_readiness_none(logged_in: Proxy) -> None:
    before = len(logged_in.sandbox.requests_to("chat"))
    assert logged_in.ask("/health/readiness").status_code == 200
    assert len(logged_in.sandbox.requests_to("chat")) == before
    health = logged_in.ask("/health").json()
    assert health["unhealthy_endpoints"] == []
    assert {entry["model"] for entry in health["healthy_endpoints"]} >= {
        "qwen_ai/coder-model",
        "qwen_ai/vision-model",
    }
    assert len(logged_in.sandbox.requests_to("chat")) == before + health["healthy_count"]


@pytest.mark.parametrize("key", [None, "Bearer sk-somebody-elses"], ids=["no key", "another key"])
def test_without_the_master_key_nothing_is_answered(logged_in: Proxy, door: str, key: str | None) -> None:
    before = len(logged_in.sandbox.requests_to("chat"))
    headers = {"authorization": key} if key else {}
    answer = httpx.post(logged_in.url + door, json=_body(door), headers=headers, timeout=30)
    # Without a database LiteLLM says 400 or 500 here instead of 401, for every provider.
    assert answer.status_code >= 400
    assert len(logged_in.sandbox.requests_to("chat")) == before
