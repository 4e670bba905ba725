"""Answers that show what arrived."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from litellm_qwen_ai.models import thinks_by_default
from litellm_qwen_ai.sandbox.compose import Choice, Completion, compose
from litellm_qwen_ai.sandbox.words import count_tokens, tokens


def _tool(name: str, description: str = "", **properties: Any) -> dict[str, Any]:
    parameters = {"type": "object", "properties": properties, "required": list(properties)}
    return {
        "type": "function",
        "function": {"name": name, "description": description, "parameters": parameters},
    }


CITY = {"city": {"type": "string"}}
WEATHER = _tool("get_weather", "The weather in a city", **CITY)
TIME = _tool("get_time", "The local time in a city", **CITY)
ADD = _tool("add", "Add two numbers", a={"type": "number"}, b={"type": "number"})


def _compose(prompt: Any = "Hello", **more: Any) -> Completion:
    payload = {"model": "coder-model", "messages": [{"role": "user", "content": prompt}], **more}
    return compose(payload, created=1)


def _answer(prompt: Any = "Hello", **more: Any) -> Choice:
    return _compose(prompt, **more).choices[0]


def _calls(prompt: str, *tools: Any, **more: Any) -> list[tuple[str, Any]]:
    choice = _answer(prompt, tools=list(tools), **more)
    assert choice.finish_reason == ("tool_calls" if choice.tool_calls else "stop")
    return [(call.name, json.loads(call.arguments)) for call in choice.tool_calls]


def test_the_last_prompt_is_repeated() -> None:
    messages = [
        {"role": "user", "content": "First"},
        {"role": "assistant", "content": "Yes"},
        {"role": "user", "content": [{"type": "text", "text": "Second"}]},
    ]
    assert _answer(messages=messages).content == 'You said: "Second".'


@given(st.text())
def test_the_tokens_of_any_text_joined_are_the_text(text: str) -> None:
    assert "".join(tokens(text)) == text
    assert len(tokens(text)) == count_tokens(text)


def test_the_same_request_gets_the_same_text() -> None:
    assert _compose("Tell me", n=2, seed=3).choices == _compose("Tell me", n=2, seed=3).choices


def test_tools_are_called_with_arguments_from_the_prompt() -> None:
    for prompt, expected in [
        ("What is the weather in Paris?", [("get_weather", {"city": "Paris"})]),
        ("weather in paris", [("get_weather", {"city": "paris"})]),
        (
            "The weather in Paris, Tokyo and New York?",
            [("get_weather", {"city": city}) for city in ("Paris", "Tokyo", "New York")],
        ),
        (
            "Get the weather in Paris and the time in Tokyo",
            [("get_weather", {"city": "Paris"}), ("get_time", {"city": "Tokyo"})],
        ),
        ("Please add 12 and 30.5", [("add", {"a": 12, "b": 30.5})]),
        ("Do it without tools", []),
    ]:
        assert _calls(prompt, WEATHER, TIME, ADD) == expected


def test_a_prompt_that_speaks_of_no_tool_calls_the_first() -> None:
    assert _calls("Hello", TIME, WEATHER) == [("get_time", {"city": "Hello"})]


def test_parallel_tool_calls_can_be_forbidden_and_asked_for() -> None:
    prompt = "The weather in Paris and Rome?"
    assert len(_calls(prompt, WEATHER, TIME)) == 2
    assert _calls(prompt, WEATHER, TIME, parallel_tool_calls=False) == [("get_weather", {"city": "Paris"})]
    assert [name for name, _ in _calls("Paris", WEATHER, TIME, parallel_tool_calls=True)] == [
        "get_weather",
        "get_time",
    ]


def test_there_is_an_end_to_the_calls_of_one_answer() -> None:
    cities = ", ".join(f"Town{chr(97 + at)}" for at in range(20))
    assert len(_calls(f"The weather in {cities}", WEATHER)) == 8


def test_tool_choice_is_obeyed() -> None:
    prompt = "What is the weather in Paris?"
    assert _calls(prompt, WEATHER, TIME, tool_choice="none") == []
    named = {"type": "function", "function": {"name": "get_time"}}
    assert _calls(prompt, WEATHER, TIME, tool_choice=named) == [("get_time", {"city": "Paris"})]
    assert _calls("Do it without tools", WEATHER, tool_choice="required") != []


def _after_tools(**more: Any) -> Choice:
    call = {
        "id": "c1",
        "type": "function",
        "function": {"name": "get_weather", "arguments": '{"city": "Paris"}'},
    }
    messages = [
        {"role": "user", "content": "Weather in Paris?"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": "18 degrees"},
    ]
    return _answer(messages=messages, **more)


def test_the_results_of_tools_are_used_in_the_answer() -> None:
    answer = _after_tools(tools=[WEATHER])
    assert answer.tool_calls == ()
    assert answer.content == (
        'get_weather({"city": "Paris"}) answered: 18 degrees. You asked: "Weather in Paris?".'
    )


def test_an_agent_that_requires_calls_gets_the_results_through_its_final_tool() -> None:
    final = _tool("final_answer", "Gives the final answer", answer={"type": "string"})
    answer = _after_tools(tools=[WEATHER, final], tool_choice="required")
    assert [(call.name, json.loads(call.arguments)) for call in answer.tool_calls] == [
        ("final_answer", {"answer": "18 degrees"})
    ]


def test_images_and_videos_are_named() -> None:
    parts = [
        {"type": "text", "text": "Look"},
        {"type": "image_url", "image_url": {"url": "http://127.0.0.1:1/a.png"}},
        {"type": "video", "video": ["http://127.0.0.1:1/1.png", "http://127.0.0.1:1/2.png"]},
    ]
    said = 'You said: "Look". I see an image at http://127.0.0.1:1/a.png. I see a video of 2 frames.'
    assert _answer(parts).content == said


def test_search_says_what_it_searched_for() -> None:
    assert _answer("Qwen news", enable_search=True).content.startswith('I searched the web for "Qwen news".')
    assert "searched" not in _answer("Qwen news", enable_search=False).content


def test_thinking_comes_before_the_answer_and_within_its_budget() -> None:
    assert _answer().reasoning is None
    thought = _answer(enable_thinking=True).reasoning
    assert thought is not None
    assert 'The user wrote: "Hello".' in thought
    short = _answer(enable_thinking=True, thinking_budget=7).reasoning
    assert short is not None
    assert count_tokens(short) == 7
    assert thought.startswith(short)
    assert _answer(enable_thinking=True).content == _answer().content


def test_the_sandbox_knows_which_models_think_unless_told_otherwise() -> None:
    for model in ["qwen3-32b", "qwen3.5-plus", "qwen3.6-plus-2026-04-01", "qwen4-max"]:
        assert _answer(model=model).reasoning, model
        assert _answer(model=model, enable_thinking=False).reasoning is None
        assert thinks_by_default(model), model
    for model in ["qwen-plus", "qwen3-max", "qwen3-coder-plus", "qwen3.5-27b-instruct", "vision-model"]:
        assert _answer(model=model).reasoning is None, model
        assert thinks_by_default(model) is None, model


def test_n_gives_answers_that_differ() -> None:
    contents = [choice.content for choice in _compose(n=3).choices]
    assert len(set(contents)) == 3
    assert contents[1].endswith("(Answer 2 of 3.)")


def test_a_stop_word_ends_the_answer_before_it() -> None:
    for stop in ["4", ["9", "4"]]:
        answer = _answer("Count to 12", stop=stop)
        assert answer.content.endswith("1, 2, 3, ")
        assert answer.finish_reason == "stop"


def test_max_tokens_cuts_the_answer_and_says_so() -> None:
    answer = _answer("Count to 12", max_tokens=9)
    assert count_tokens(answer.content) == 9
    assert answer.finish_reason == "length"
    assert _answer("Count to 12", max_tokens=1000).finish_reason == "stop"


def test_the_seed_is_echoed() -> None:
    completion = _compose(seed=42)
    assert "My seed is 42." in completion.choices[0].content
    assert completion.fingerprint == "sandbox-seed-42"


def test_json_object_has_the_members_that_the_prompt_names() -> None:
    prompt = 'Return JSON with "name" and "age": Bob is 7'
    value = json.loads(_answer(prompt, response_format={"type": "json_object"}).content)
    assert set(value) == {"name", "age"}
    value = json.loads(_answer("JSON please", response_format={"type": "json_object"}).content)
    assert value == {"answer": 'You said: "JSON please".'}


def test_json_schema_is_followed_with_every_member() -> None:
    schema = {"type": "object", "properties": {"who": {"type": "string"}, "age": {"type": "integer"}}}
    wanted = {"type": "json_schema", "json_schema": {"name": "p", "schema": schema}}
    assert json.loads(_answer("Ask Bob, who is 7", response_format=wanted).content) == {
        "who": "Bob",
        "age": 7,
    }


def test_usage_counts_the_text_of_the_request() -> None:
    short, long = _compose("Hello").usage, _compose("Hello there, how are you?").usage
    assert long["prompt_tokens"] - short["prompt_tokens"] == count_tokens(" there, how are you?")
    assert long["completion_tokens"] == count_tokens('You said: "Hello there, how are you?".')
    assert long["total_tokens"] == long["prompt_tokens"] + long["completion_tokens"]
    assert long["prompt_tokens_details"] == {"cached_tokens": 0}
    assert "completion_tokens_details" not in long


def test_usage_counts_tools_images_and_reasoning() -> None:
    plain = _compose().usage
    assert _compose(tools=[WEATHER], tool_choice="none").usage["prompt_tokens"] > plain["prompt_tokens"]
    image = [{"type": "image_url", "image_url": {"url": "http://127.0.0.1/a.png"}}]
    assert _compose(image).usage["prompt_tokens"] == 4 + 256
    thinking = _compose(enable_thinking=True)
    reasoning = thinking.usage["completion_tokens_details"]["reasoning_tokens"]
    assert reasoning == count_tokens(thinking.choices[0].reasoning or "")
    assert thinking.usage["completion_tokens"] == plain["completion_tokens"] + reasoning
