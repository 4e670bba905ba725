"""Chat through LiteLLM, in its four forms, against the sandbox."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import litellm
import pydantic
import pytest

from litellm_qwen_ai._version import USER_AGENT
from litellm_qwen_ai.sandbox import Sandbox

PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather of a city",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
        },
    },
}

pytestmark = pytest.mark.usefixtures("login")


def _sent(sandbox: Sandbox) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(sandbox.requests_to("chat")[-1].body)
    return body


def test_the_answer_comes_with_its_usage_and_reason(ask: Any) -> None:
    response = ask("what is the sound of rain")
    assert "what is the sound of rain" in response.choices[0].message.content
    assert response.choices[0].finish_reason == "stop"
    assert response.usage.prompt_tokens > 0
    assert response.usage.total_tokens == response.usage.prompt_tokens + response.usage.completion_tokens


def test_the_request_says_who_we_are_and_follows_the_portals_rules(ask: Any, sandbox: Sandbox) -> None:
    ask(
        messages=[
            {"role": "developer", "content": "be short"},
            {"role": "user", "content": "ping"},
        ]
    )
    request = sandbox.requests_to("chat")[-1]
    headers = {name.lower(): value for name, value in request.headers.items()}
    assert headers["user-agent"] == USER_AGENT
    assert headers["x-dashscope-useragent"] == USER_AGENT
    assert headers["x-dashscope-authtype"] == "qwen-oauth"
    assert headers["x-dashscope-cachecontrol"] == "enable"
    first = _sent(sandbox)["messages"][0]
    assert first["role"] == "system"
    assert first["content"][-1]["cache_control"] == {"type": "ephemeral"}
    assert "be short" in first["content"][0]["text"]


def test_an_image_is_seen(ask: Any) -> None:
    url = "data:image/png;base64," + base64.b64encode(PIXEL).decode()
    response = ask(
        [{"type": "text", "text": "what is this"}, {"type": "image_url", "image_url": {"url": url}}],
        model="qwen_ai/vision-model",
    )
    assert "png" in response.choices[0].message.content.lower()


def test_a_tool_is_called_and_its_result_used(ask: Any) -> None:
    messages: list[Any] = [{"role": "user", "content": "What is the weather in Paris?"}]
    response = ask(messages=messages, tools=[WEATHER])
    (call,) = response.choices[0].message.tool_calls
    assert response.choices[0].finish_reason == "tool_calls"
    assert call.function.name == "get_weather"
    assert json.loads(call.function.arguments)["city"]
    messages += [
        response.choices[0].message.model_dump(),
        {"role": "tool", "tool_call_id": call.id, "content": '{"celsius": 21.5}'},
    ]
    final = ask(messages=messages, tools=[WEATHER])
    assert "21.5" in final.choices[0].message.content
    assert final.choices[0].finish_reason == "stop"


def test_parallel_tool_calls_keep_apart(ask: Any) -> None:
    response = ask("What is the weather in Paris and in Rome?", tools=[WEATHER], parallel_tool_calls=True)
    calls = response.choices[0].message.tool_calls
    assert len(calls) >= 2
    assert len({call.id for call in calls}) == len(calls)
    for call in calls:
        assert json.loads(call.function.arguments)["city"]


def test_a_tools_result_without_an_id_is_that_of_the_one_open_call(ask: Any) -> None:
    call = {"id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": "{}"}}
    messages = [
        {"role": "user", "content": "How is it outside?"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "content": "snow"},
    ]
    assert "get_weather({}) answered: snow." in ask(messages=messages).choices[0].message.content


VIDEO = "data:video/mp4;base64," + base64.b64encode(b"\0\0\0\x18ftypisom\0\0\0\0isommp42").decode()


@pytest.mark.parametrize("video", [{"url": VIDEO}, VIDEO], ids=["object", "string"])
def test_a_video_is_seen(ask: Any, sandbox: Sandbox, video: Any) -> None:
    parts = [{"type": "text", "text": "look"}, {"type": "video_url", "video_url": video, "fps": 2}]
    assert "I see a video of 24 bytes" in ask(parts).choices[0].message.content
    sent = _sent(sandbox)["messages"][-1]["content"][-1]
    assert sent == {"type": "video_url", "video_url": {"url": VIDEO}, "fps": 2}


@pytest.mark.parametrize(
    "part", [{"type": "video", "video": [VIDEO]}, {"type": "input_video", "input_video": {"data": VIDEO}}]
)
def test_other_forms_of_video_do_not_leave_litellm(ask: Any, sandbox: Sandbox, part: dict[str, Any]) -> None:
    with pytest.raises(Exception, match="Invalid user message"):
        ask([{"type": "text", "text": "look"}, part])
    assert not sandbox.requests_to("chat")


def test_an_empty_tools_list_does_not_reach_the_server(ask: Any, sandbox: Sandbox) -> None:
    assert ask(tools=[]).choices[0].message.content
    assert "tools" not in _sent(sandbox)


class Person(pydantic.BaseModel):
    name: str
    age: int


def test_a_pydantic_class_as_response_format_gives_its_json(ask: Any) -> None:
    content = ask("Alice is 7", response_format=Person).choices[0].message.content
    assert isinstance(Person.model_validate_json(content), Person)


def test_json_mode_gives_json(ask: Any) -> None:
    content = ask("answer in json", response_format={"type": "json_object"}).choices[0].message.content
    assert isinstance(json.loads(content), dict)


def test_thinking_is_asked_for_and_comes_back_apart_from_the_answer(ask: Any, sandbox: Sandbox) -> None:
    message = ask("why", reasoning_effort="low").choices[0].message
    assert _sent(sandbox)["enable_thinking"] is True
    assert message.reasoning_content
    assert message.reasoning_content not in message.content


def test_anthropic_style_thinking_sets_the_budget(ask: Any, sandbox: Sandbox) -> None:
    assert ask("why", thinking={"type": "enabled", "budget_tokens": 512}).choices[0].message.reasoning_content
    assert _sent(sandbox)["thinking_budget"] == 512


@pytest.mark.parametrize("model", ["coder-model", "qwen3-32b", "qwen3.5-plus"])
def test_a_model_that_thinks_by_default_takes_a_forced_tool_call(ask: Any, model: str) -> None:
    tool = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}
    message = ask(model=f"qwen_ai/{model}", tools=[tool], tool_choice="required").choices[0].message
    assert message.tool_calls[0].function.name == "look"


def test_another_server_is_told_to_think_where_it_looks_for_it(ask: Any, sandbox: Sandbox) -> None:
    ask("why", api_key="sk-sandbox", api_base=sandbox.api_base, reasoning_effort="none")
    assert _sent(sandbox)["chat_template_kwargs"] == {"enable_thinking": False}


def test_web_search_is_asked_for(ask: Any, sandbox: Sandbox) -> None:
    assert ask("news", web_search_options={}).choices[0].message.content
    assert _sent(sandbox)["enable_search"] is True


def test_litellms_own_keys_stay_here_and_the_rest_goes_out(ask: Any, sandbox: Sandbox) -> None:
    ask(
        temperature=0.5,
        seed=7,
        stop=["###"],
        max_completion_tokens=50,
        extra_body={"repetition_penalty": 1.1},
        extra_headers={"x-mine": "yes"},
        max_retries=0,
        timeout=30,
        metadata={"trace": "t"},
        drop_params=True,
    )
    body = _sent(sandbox)
    assert body["temperature"] == 0.5
    assert body["seed"] == 7
    assert body["stop"] == ["###"]
    assert body["max_tokens"] == 50
    assert body["repetition_penalty"] == 1.1
    foreign = {"max_retries", "timeout", "drop_params", "extra_body", "extra_headers", "qwen_account"}
    assert not foreign & body.keys()
    assert sandbox.requests_to("chat")[-1].headers["x-mine"] == "yes"


def test_several_answers_can_be_asked_for(login: Path) -> None:
    assert login.exists()
    response = litellm.completion("qwen_ai/coder-model", messages=[{"role": "user", "content": "ping"}], n=3)
    assert [choice.index for choice in response.choices] == [0, 1, 2]


def test_logprobs_come_back(login: Path) -> None:
    assert login.exists()
    response = litellm.completion(
        "qwen_ai/coder-model",
        messages=[{"role": "user", "content": "ping"}],
        logprobs=True,
        top_logprobs=2,
    )
    assert response.choices[0].logprobs.content


def test_a_login_costs_nothing(ask: Any) -> None:
    response = ask("ping")
    assert litellm.completion_cost(response, model="qwen_ai/coder-model") == 0


def test_an_unknown_model_passes_through(ask: Any, sandbox: Sandbox) -> None:
    ask("ping", model="qwen_ai/qwen9-plus")
    assert _sent(sandbox)["model"] == "qwen9-plus"


def test_a_stream_gives_usage_only_to_those_who_ask() -> None:
    def usages(**more: Any) -> list[Any]:
        stream = litellm.completion(
            "qwen_ai/coder-model", messages=[{"role": "user", "content": "ping"}], stream=True, **more
        )
        return [chunk.usage for chunk in stream if getattr(chunk, "usage", None)]

    assert usages() == []
    (usage,) = usages(stream_options={"include_usage": True})
    assert usage.prompt_tokens > 0
    assert usage.completion_tokens > 0


def test_callers_messages_are_left_alone(ask: Any) -> None:
    messages = [{"role": "developer", "content": "be short"}, {"role": "user", "content": "ping"}]
    before = json.dumps(messages)
    ask(messages=messages)
    assert json.dumps(messages) == before
