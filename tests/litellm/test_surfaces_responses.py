"""`litellm.responses` and `aresponses`: OpenAI's Responses API over chat."""

from __future__ import annotations

import json
from typing import Any

import litellm
import pytest

from litellm_qwen_ai.sandbox import Sandbox

WEATHER = {
    "type": "function",
    "name": "get_weather",
    "description": "The weather of a city",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}

pytestmark = pytest.mark.usefixtures("login", "waits")


def _respond(form: Any, question: Any, **call: Any) -> Any:
    return form(litellm.responses, litellm.aresponses, model="qwen_ai/coder-model", input=question, **call)


def _kinds(events: list[Any]) -> list[str]:
    return [str(getattr(event.type, "value", event.type)) for event in events]


def _of_kind(events: list[Any], kind: str) -> list[Any]:
    return [event for event, its in zip(events, _kinds(events), strict=True) if its == kind]


def _final(form: Any, answer: Any) -> Any:
    """The whole response, which a stream brings in its last event."""
    if not form.streamed:
        return answer
    assert _kinds(answer)[0] == "response.created"
    assert _kinds(answer)[-1] == "response.completed"
    return answer[-1].response


def _text(response: Any) -> str:
    messages = [item for item in response.output if item.type == "message"]
    return "".join(part.text for message in messages for part in message.content)


def test_an_input_is_answered_with_usage(form: Any) -> None:
    response = _final(form, _respond(form, "rain on a roof"))
    assert _text(response) == 'You said: "rain on a roof".'
    assert response.status == "completed"
    assert response.usage.input_tokens > 0
    assert response.usage.output_tokens > 0


def test_instructions_become_the_system_message(form: Any, sandbox: Sandbox) -> None:
    _respond(form, "ping", instructions="be short", max_output_tokens=50)
    body = sandbox.requests_to("chat")[-1].json
    assert body["messages"][0]["role"] == "system"
    assert "be short" in json.dumps(body["messages"][0])
    assert body["max_tokens"] == 50


def test_a_tool_is_called_and_its_result_used(form: Any) -> None:
    question = [{"role": "user", "content": "What is the weather in Paris?"}]
    response = _final(form, _respond(form, question, tools=[WEATHER]))
    (call,) = [item for item in response.output if item.type == "function_call"]
    assert call.name == "get_weather"
    assert json.loads(call.arguments) == {"city": "Paris"}
    asked = {"type": "function_call", "call_id": call.call_id, "name": call.name, "arguments": call.arguments}
    told = {"type": "function_call_output", "call_id": call.call_id, "output": '{"celsius": 21.5}'}
    final = _final(form, _respond(form, [*question, asked, told], tools=[WEATHER]))
    assert "21.5" in _text(final)


def test_reasoning_is_asked_for_and_comes_apart(form: Any, sandbox: Sandbox) -> None:
    answer = _respond(form, "why", reasoning={"effort": "low"})
    assert sandbox.requests_to("chat")[-1].json["enable_thinking"] is True
    assert _text(_final(form, answer)) == 'You said: "why".'
    if form.streamed:
        assert any("reasoning" in kind for kind in _kinds(answer))
    else:
        assert [item.type for item in answer.output] == ["reasoning", "message"]


@pytest.mark.usefixtures("own_loop")
async def test_a_stream_brings_the_text_piece_by_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QWEN_COALESCE", "0")  # else those that came together are one
    stream = await litellm.aresponses(model="qwen_ai/coder-model", input="rain on a roof", stream=True)
    events = [event async for event in stream]
    pieces = [event.delta for event in _of_kind(events, "response.output_text.delta")]
    assert len(pieces) > 1
    assert 'You said: "rain on a roof".'.endswith("".join(pieces))
    (done,) = _of_kind(events, "response.output_text.done")
    assert done.text == 'You said: "rain on a roof".'


def test_a_refusal_is_raised_before_any_event(form: Any, sandbox: Sandbox) -> None:
    sandbox.answer_next("chat", "quota_spent")
    with pytest.raises(litellm.RateLimitError) as failure:
        _respond(form, "ping")
    assert failure.value.llm_provider == "qwen_ai"


def test_structured_output_is_asked_for(form: Any) -> None:
    schema = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
    wanted = {"format": {"type": "json_schema", "name": "person", "schema": schema}}
    response = _final(form, _respond(form, "Alice", text=wanted))
    assert set(json.loads(_text(response))) == {"name"}
