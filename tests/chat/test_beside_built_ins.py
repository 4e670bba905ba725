"""What LiteLLM's own `openai/` and `dashscope/` hand on from a server, `qwen_ai/` hands on as well."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import litellm
import pytest

import litellm_qwen_ai

Ask = Callable[..., Any]
BUILT_IN = ("openai", "dashscope")


@pytest.fixture
async def ask(server: Any) -> AsyncIterator[Ask]:
    """Calls a route with the server that all of them are compared on; a stream comes as its chunks."""
    litellm_qwen_ai.register()

    async def call(route: str, **more: Any) -> Any:
        messages = [{"role": "user", "content": "hi"}]
        base = server.url.removesuffix("/chat/completions")
        known = {"model": f"{route}/m", "messages": messages, "api_key": "sk-any-key", "api_base": base}
        made = await litellm.acompletion(**known, **more)
        return [chunk async for chunk in made] if more.get("stream") else made

    yield call
    await litellm.close_litellm_async_clients()


def said(value: Any, *path: str) -> set[str]:
    """Each field that is not empty, with the place it stands in; texts, which may be merged, left out."""
    if isinstance(value, dict):
        # These are each route's own: the comparison is about what the server sent.
        kept = {name: field for name, field in value.items() if name not in {"id", "created", "model"}}
        return {one for name, field in kept.items() for one in said(field, *path, name)}
    if path[-1] == "choices":
        return {one for choice in value for one in said(choice, *path)}
    if path[-1] in {"content", "reasoning_content"} or value in (None, "", [], {}):
        return set()
    return {f"{'.'.join(path)}: {json.dumps(value)}"}


def fields_of(chunks: list[Any]) -> set[str]:
    return {one for chunk in chunks for one in said(chunk.model_dump(), "chunk")}


def texts(chunks: list[Any], name: str) -> str:
    return "".join(chunk.choices[0].delta.get(name) or "" for chunk in chunks if chunk.choices)


USAGE = {
    "prompt_tokens": 3,
    "completion_tokens": 4,
    "total_tokens": 7,
    "prompt_tokens_details": {"cached_tokens": 1, "cache_creation": {"ephemeral_5m_input_tokens": 2}},
    "completion_tokens_details": {"reasoning_tokens": 2, "text_tokens": 2},
    "cost": 0.5,
}


def streams(wire: Any) -> dict[str, list[bytes]]:
    delta = wire.delta
    end = [delta({}, "stop"), wire.event({"choices": [], "usage": USAGE}), wire.done]
    start = delta({"role": "assistant", "content": ""})
    choice = {"index": 0, "delta": {"content": "a"}, "stop_reason": 42, "token_ids": [1]}
    return {
        "reasoning as vLLM names it": [
            start,
            delta({"reasoning": "think "}),
            delta({"reasoning": "more"}),
            delta({"content": "a"}),
            *end,
        ],
        "both names at once": [start, delta({"reasoning": "think", "reasoning_content": "think"}), *end],
        "a function call": [
            delta({"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": ""}}),
            delta({"function_call": {"arguments": '{"x":'}}),
            delta({"function_call": {"name": None, "arguments": "1}"}}),
            delta({}, "function_call"),
            *end[1:],
        ],
        "fields of a delta": [
            start,
            delta({"content": "a", "x_flag": False, "refusal": "no", "x": {"y": [1]}}),
            delta({"content": "b", "annotations": [{"type": "url_citation", "url_citation": {"url": "u"}}]}),
            delta({"content": "c", "images": [{"type": "image_url", "image_url": {"url": "data:,"}}]}),
            *end,
        ],
        "fields of a choice": [start, wire.event({"id": "chatcmpl-1", "choices": [choice]}), *end],
        "fields of a chunk": [
            start,
            delta({"content": "a"}, citations=["u"], service_tier="default"),
            delta({"content": "b"}, search_results=[{"title": "t"}]),
            delta({}, "stop", x_last=1),
            *end[1:],
        ],
    }


CASES = [
    "reasoning as vLLM names it",
    "both names at once",
    "a function call",
    "fields of a delta",
    "fields of a choice",
    "fields of a chunk",
]


@pytest.mark.parametrize("case", CASES)
async def test_a_stream_says_no_less_than_a_built_in_routes(
    ask: Ask, server: Any, wire: Any, case: str
) -> None:
    server.sends(*streams(wire)[case])
    asked: dict[str, Any] = {"stream": True, "stream_options": {"include_usage": True}}
    ours = await ask("qwen_ai", **asked)
    for route in BUILT_IN:
        theirs = await ask(route, **asked)
        assert fields_of(theirs) - fields_of(ours) == set()
        for name in ("content", "reasoning_content"):
            assert texts(ours, name) == texts(theirs, name)
        built, ours_built = litellm.stream_chunk_builder(theirs), litellm.stream_chunk_builder(ours)
        for of_both in (lambda made: made.choices[0].message, lambda made: made.usage):
            assert of_both(ours_built).model_dump() == of_both(built).model_dump()


@pytest.mark.parametrize("route", BUILT_IN)
async def test_reasoning_comes_between_think_tags_where_that_is_asked_for(
    ask: Ask, server: Any, wire: Any, route: str
) -> None:
    start = wire.delta({"role": "assistant", "content": ""})
    thoughts = [wire.delta({"reasoning_content": text}) for text in ("I ", "think")]
    answer = [wire.delta({"content": text}) for text in ("so ", "I am")]
    server.sends(start, *thoughts, *answer, wire.delta({}, "stop"), wire.usage(), wire.done)
    asked: dict[str, Any] = {"stream": True, "merge_reasoning_content_in_choices": True}
    ours, theirs = await ask("qwen_ai", **asked), await ask(route, **asked)
    assert texts(ours, "content") == texts(theirs, "content") == "<think>I think</think>so I am"
    assert texts(ours, "reasoning_content") == ""


@pytest.mark.parametrize("route", BUILT_IN)
async def test_a_whole_answer_says_no_less_than_a_built_in_routes(ask: Ask, server: Any, route: str) -> None:
    message = {"role": "assistant", "content": "a", "reasoning": "think", "refusal": "no", "x": [1]}
    choice = {"index": 0, "message": message, "finish_reason": "stop", "stop_reason": 42}
    answer = {"id": "chatcmpl-1", "created": 1, "object": "chat.completion", "model": "m", "x_answer": 1}
    server.sends(json.dumps({**answer, "choices": [choice], "usage": USAGE}).encode())
    ours, theirs = (await ask("qwen_ai")).model_dump(), (await ask(route)).model_dump()
    assert said(theirs, "answer") - said(ours, "answer") == set()
    assert ours["choices"][0]["message"]["reasoning_content"] == "think"
