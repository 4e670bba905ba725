"""`litellm.anthropic.messages`: Anthropic's Messages API over chat."""

from __future__ import annotations

import json
from typing import Any

import litellm
import pytest

from litellm_qwen_ai.sandbox import Sandbox

WEATHER = {
    "name": "get_weather",
    "description": "The weather of a city",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}

pytestmark = pytest.mark.usefixtures("login", "waits")


def _ask(form: Any, content: Any = "ping", **call: Any) -> Any:
    messages = litellm.anthropic.messages
    call.setdefault("messages", [{"role": "user", "content": content}])
    call = {"model": "qwen_ai/coder-model", "max_tokens": 200, **call}
    if form.streamed and not form.asynchronous:
        # In some versions the sync function makes an async iterator of a stream, for every provider.
        answer = messages.create(stream=True, **call)
        if not hasattr(answer, "__iter__"):
            pytest.skip("this LiteLLM has no sync stream of Anthropic messages")
        return _whole(list(answer))
    answer = form(messages.create, messages.acreate, **call)
    return _whole(answer) if form.streamed else dict(answer)


def _whole(events: list[Any]) -> dict[str, Any]:
    """The message that a stream's events make, put together as Anthropic's SDK does."""
    message: dict[str, Any] = {}
    blocks: dict[int, dict[str, Any]] = {}
    ended = False
    text = b"".join(event if isinstance(event, bytes) else event.encode() for event in events).decode()
    for line in text.splitlines():
        if not line.startswith("data:"):
            continue
        event = json.loads(line.removeprefix("data:"))
        assert not ended
        if event["type"] == "message_start":
            message = event["message"]
        elif event["type"] == "content_block_start":
            blocks[event["index"]] = {**event["content_block"]}
        elif event["type"] == "content_block_delta":
            _grow(blocks[event["index"]], event["delta"])
        elif event["type"] == "message_delta":
            message.update(event["delta"], usage=event["usage"])
        ended = event["type"] == "message_stop"
    assert ended
    for block in blocks.values():
        if "partial" in block:
            block["input"] = json.loads(block.pop("partial"))
    return {**message, "content": list(blocks.values())}


def _grow(block: dict[str, Any], delta: dict[str, Any]) -> None:
    names = {"text_delta": "text", "thinking_delta": "thinking", "input_json_delta": "partial"}
    if delta["type"] in names:
        field = names[delta["type"]]
        source = "partial_json" if field == "partial" else field
        block[field] = block.get(field, "") + delta[source]


def _of_kind(message: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [block for block in message["content"] if block["type"] == kind]


def _text(message: dict[str, Any]) -> str:
    return "".join(block["text"] for block in _of_kind(message, "text"))


def test_a_message_is_answered_with_usage(form: Any) -> None:
    message = _ask(form, "rain on a roof")
    assert _text(message) == 'You said: "rain on a roof".'
    assert message["role"] == "assistant"
    assert message["stop_reason"] == "end_turn"
    assert message["usage"]["input_tokens"] > 0
    assert message["usage"]["output_tokens"] > 0


def test_the_system_prompt_and_the_limit_reach_the_server(form: Any, sandbox: Sandbox) -> None:
    message = _ask(form, "count to 99", system="be short", max_tokens=5)
    body = sandbox.requests_to("chat")[-1].json
    assert "be short" in json.dumps(body["messages"][0])
    assert body["max_tokens"] == 5
    assert message["stop_reason"] == "max_tokens"


def test_a_tool_is_called_and_its_result_used(form: Any) -> None:
    question = {"role": "user", "content": "What is the weather in Paris?"}
    message = _ask(form, messages=[question], tools=[WEATHER])
    (call,) = _of_kind(message, "tool_use")
    assert message["stop_reason"] == "tool_use"
    assert (call["name"], call["input"]) == ("get_weather", {"city": "Paris"})
    asked = {"role": "assistant", "content": [call]}
    result = {"type": "tool_result", "tool_use_id": call["id"], "content": '{"celsius": 21.5}'}
    told = {"role": "user", "content": [result]}
    final = _ask(form, messages=[question, asked, told], tools=[WEATHER])
    assert "21.5" in _text(final)


def test_thinking_is_asked_for_and_comes_as_its_own_block(form: Any, sandbox: Sandbox) -> None:
    message = _ask(form, "why", thinking={"type": "enabled", "budget_tokens": 1024})
    body = sandbox.requests_to("chat")[-1].json
    # LiteLLM makes an effort of the budget (docs/litellm.md), we make a budget of the effort.
    assert (body["enable_thinking"], body["thinking_budget"]) == (True, 4096)
    (thought,) = _of_kind(message, "thinking")
    assert thought["thinking"]
    assert _text(message) == 'You said: "why".'


def test_a_refusal_is_raised_before_any_event(form: Any, sandbox: Sandbox) -> None:
    sandbox.answer_next("chat", "quota_spent")
    with pytest.raises(litellm.RateLimitError):
        _ask(form)
