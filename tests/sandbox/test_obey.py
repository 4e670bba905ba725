"""A sandbox that does what a prompt says and no more."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from litellm_qwen_ai.sandbox import Sandbox
from litellm_qwen_ai.sandbox.compose import Choice, compose

CITY = {"city": {"type": "string"}}
PERSON: dict[str, Any] = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
    "required": ["name", "age"],
}


def _tool(name: str, properties: dict[str, Any]) -> dict[str, Any]:
    parameters = {"type": "object", "properties": properties, "required": list(properties)}
    return {"type": "function", "function": {"name": name, "description": "", "parameters": parameters}}


def _answer(prompt: str, **more: Any) -> Choice:
    payload = {"model": "coder-model", "messages": [{"role": "user", "content": prompt}], **more}
    return compose(payload, created=1, obedient=True).choices[0]


def _filled(prompt: str, schema: dict[str, Any]) -> Any:
    wanted = {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}
    return json.loads(_answer(prompt, response_format=wanted).content)


@pytest.mark.parametrize(
    ("prompt", "words"),
    [
        ('Say "good morning".', "good morning"),
        ("Reply with exactly: pong", "pong"),
        ("Please repeat after me: red lorry, yellow lorry.", "red lorry, yellow lorry"),
    ],
)
def test_repeats_the_words_and_nothing_else(prompt: str, words: str) -> None:
    assert _answer(prompt).content == words


def test_calls_a_tool_once_for_a_place_of_two_names() -> None:
    called = _answer("What is the weather in San Francisco, CA?", tools=[_tool("get_weather", CITY)])
    assert [json.loads(call.arguments) for call in called.tool_calls] == [{"city": "San Francisco"}]


def test_calls_no_tool_that_the_prompt_does_not_speak_of() -> None:
    tools = [_tool("get_weather", CITY)]
    assert not _answer("Hello there", tools=tools).tool_calls
    assert _answer("Hello there", tools=tools, tool_choice="required").tool_calls


def test_takes_whole_names_and_leaves_their_numbers_in_them() -> None:
    assert _filled("John Doe is 30 years old", PERSON) == {"name": "John Doe", "age": 30}
    product = {"type": "object", "properties": {"name": {"type": "string"}, "price": {"type": "number"}}}
    assert _filled("iPhone 15 Pro costs $999", product) == {"name": "iPhone 15 Pro", "price": 999}


def test_fills_a_list_with_one_record_for_each_name() -> None:
    schema = {"type": "object", "properties": {"people": {"type": "array", "items": PERSON}}}
    found = _filled("Extract: Alice is 30, Bob is 25, Charlie is 35", schema)
    assert found["people"] == [
        {"name": "Alice", "age": 30},
        {"name": "Bob", "age": 25},
        {"name": "Charlie", "age": 35},
    ]


def test_json_has_the_members_that_the_prompt_quotes() -> None:
    wanted = {"response_format": {"type": "json_object"}}
    found = json.loads(_answer("Tell a joke as JSON with 'setup' and 'punchline' keys.", **wanted).content)
    assert set(found) == {"setup", "punchline"}


def test_a_sandbox_is_obedient_only_if_it_is_told_to() -> None:
    def ask(sandbox: Sandbox) -> str:
        body = {"model": "coder-model", "messages": [{"role": "user", "content": 'Say "pong"'}]}
        answer = httpx.post(
            f"{sandbox.api_base}/chat/completions",
            json=body,
            headers={"Authorization": "Bearer sk-sandbox"},
            trust_env=False,
        )
        content: str = answer.json()["choices"][0]["message"]["content"]
        return content

    with Sandbox(obedient=True) as obedient, Sandbox() as usual:
        assert ask(obedient) == "pong"
        assert ask(usual) == 'You said: "Say "pong"".'
