"""Whole answers: filled in as LiteLLM's own providers do, or refused with a mapped error."""

from __future__ import annotations

import json
from typing import Any

import httpx
import litellm
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from litellm import exceptions

from litellm_qwen_ai.chat.context import AnswerContext
from litellm_qwen_ai.chat.response import parse_response
from litellm_qwen_ai.chat.usage import usage_fields


def answer(message: dict[str, Any], finish: str | None = "stop", **more: Any) -> dict[str, Any]:
    return {
        "id": "chatcmpl-1",
        "created": 1700000000,
        "model": "coder-model",
        "choices": [{"index": 0, "message": {"role": "assistant", **message}, "finish_reason": finish}],
        "usage": {
            "prompt_tokens": 7,
            "completion_tokens": 5,
            "total_tokens": 12,
            "prompt_tokens_details": {"cached_tokens": 3},
            "completion_tokens_details": {"reasoning_tokens": 2},
        },
        **more,
    }


def parse(value: Any, **more: Any) -> litellm.ModelResponse:
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    context = AnswerContext(**{"model": "coder-model", "with_login": True, **more})
    return parse_response(body, context, litellm.ModelResponse())


def test_content_reasoning_and_usage_come_through() -> None:
    made = parse(answer({"content": "42", "reasoning_content": "hm"}))
    assert made.choices[0].message.content == "42"
    assert made.choices[0].message.reasoning_content == "hm"
    assert (made.id, made.created, made.model) == ("chatcmpl-1", 1700000000, "coder-model")
    assert (made.usage.prompt_tokens, made.usage.completion_tokens, made.usage.total_tokens) == (7, 5, 12)
    assert made.usage.prompt_tokens_details.cached_tokens == 3
    assert made.usage.completion_tokens_details.reasoning_tokens == 2


def test_tool_calls_turn_a_stop_into_tool_calls() -> None:
    calls = [
        {"id": "a", "index": 0, "type": "function", "function": {"name": "f", "arguments": '{"x": 1}'}},
        {"id": "", "function": {"name": "g", "arguments": {"y": 2}}},
        {"id": "c", "function": {"name": "h", "arguments": None}},
    ]
    (choice,) = parse(answer({"content": "", "tool_calls": calls})).choices
    assert choice.finish_reason == "tool_calls"
    first, second, third = choice.message.tool_calls
    assert (first.id, first.function.name, first.function.arguments) == ("a", "f", '{"x": 1}')
    assert second.id.startswith("call_")
    assert (second.function.arguments, third.function.arguments) == ('{"y": 2}', "{}")
    assert [call.function.name for call in (second, third)] == ["g", "h"]
    assert [call.type for call in (first, second, third)] == ["function"] * 3
    assert len(second.id) == len("call_") + 32
    assert third.id == "c"


def test_arguments_that_are_no_text_keep_their_characters() -> None:
    call = {"id": "a", "function": {"name": "f", "arguments": {"城市": ["北京"]}}}
    (choice,) = parse(answer({"tool_calls": [call, {"id": "b"}]})).choices
    first, second = choice.message.tool_calls
    assert first.function.arguments == '{"城市": ["北京"]}'
    assert (second.function.name, second.function.arguments) == (None, "{}")


def test_an_empty_list_of_tool_calls_is_none() -> None:
    (choice,) = parse(answer({"content": "a", "tool_calls": []})).choices
    assert choice.finish_reason == "stop"
    assert not choice.message.tool_calls


def test_several_choices_and_logprobs() -> None:
    value = answer({"content": "a"}, "length")
    logprobs = {"content": [{"token": "b", "logprob": -0.5, "bytes": None, "top_logprobs": []}]}
    value["choices"].append(
        {"index": 1, "message": {"content": "b"}, "finish_reason": None, "logprobs": logprobs}
    )
    first, second = parse(value).choices
    assert (first.finish_reason, second.finish_reason) == ("length", "stop")
    assert second.message.role == "assistant"
    assert second.logprobs.content[0].token == "b"


def test_the_servers_headers_are_kept_as_a_built_in_provider_keeps_them() -> None:
    headers = httpx.Headers({"X-Request-Id": "r1", "x-ratelimit-remaining-requests": "9"})
    made = parse(answer({"content": "a"}), headers=headers)
    additional = made._hidden_params["additional_headers"]
    assert additional["llm_provider-x-request-id"] == "r1"
    assert additional["x-ratelimit-remaining-requests"] == "9"
    assert made._response_headers["x-request-id"] == "r1"


@pytest.mark.parametrize("usage", [None, "many", [1], {}, {"prompt_tokens": "x", "completion_tokens": True}])
def test_usage_of_wrong_types_costs_nothing_but_itself(usage: Any) -> None:
    made = parse(answer({"content": "a"}, usage=usage))
    assert (made.choices[0].message.content, made.usage.total_tokens) == ("a", 0)


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ({}, {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}),
        (
            {"prompt_tokens": 1, "completion_tokens": 0, "total_tokens": 3},
            {"prompt_tokens": 1, "completion_tokens": 0, "total_tokens": 3},
        ),
        (
            {"prompt_tokens": 2**53, "completion_tokens": -1, "total_tokens": 2**53 - 1},
            {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 2**53 - 1},
        ),
        (
            {"prompt_tokens": 1, "completion_tokens": True, "total_tokens": 1.0, "cost": 0.5, "x": None},
            {"prompt_tokens": 1, "completion_tokens": 0, "total_tokens": 1, "cost": 0.5},
        ),
        (
            {
                "prompt_tokens": 1,
                "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": -1, "x": "y", "z": None},
                "completion_tokens_details": "many",
            },
            {
                "prompt_tokens": 1,
                "completion_tokens": 0,
                "total_tokens": 1,
                "prompt_tokens_details": {"cached_tokens": 0, "x": "y"},
                "completion_tokens_details": "many",
            },
        ),
        (
            {"prompt_tokens_details": {"cached_tokens": 2, "image_tokens": "x"}},
            {
                "prompt_tokens": 0,
                "completion_tokens": 0,
                "total_tokens": 0,
                "prompt_tokens_details": {"cached_tokens": 2},
            },
        ),
        (
            {"model_dump": 1, "prompt_tokens": 1},
            {"prompt_tokens": 1, "completion_tokens": 0, "total_tokens": 1},
        ),
    ],
)
def test_of_the_counts_is_kept_what_litellm_can_hold(sent: dict[str, Any], kept: dict[str, Any]) -> None:
    assert usage_fields(sent) == kept


def test_a_missing_total_is_the_sum() -> None:
    made = parse(answer({"content": "a"}, usage={"prompt_tokens": 2, "completion_tokens": 3}))
    assert made.usage.total_tokens == 5


def test_a_lone_surrogate_does_not_break_what_comes_after() -> None:
    made = parse(b'{"choices":[{"message":{"content":"\\ud83d\\ude42 \\ud83d"}}]}')
    assert made.choices[0].message.content == "🙂 \ufffd"
    assert made.model_dump_json()


@pytest.mark.parametrize(
    ("body", "expected", "words"),
    [
        (b"", exceptions.InternalServerError, "empty body"),
        (b"<html><head><title>Captcha</title></head></html>", exceptions.InternalServerError, "Captcha"),
        (b" \n", exceptions.InternalServerError, "used: an empty body$"),
        (
            b"<h1>Stop</h1>",
            exceptions.InternalServerError,
            'used: an HTML page titled "Stop" instead of JSON$',
        ),
        (b"hello", exceptions.InternalServerError, "used: a body that is not JSON$"),
        (b'"text"', exceptions.InternalServerError, "used: JSON that is no object$"),
        (
            b'{"choices": {}}',
            exceptions.InternalServerError,
            "used: a JSON object without a list of choices$",
        ),
        (b'{"choices": [{"message": {}}, 5]}', exceptions.InternalServerError, "without a list of choices$"),
        (
            b'{"choices":[{"finish_reason":"error_finish","message":{"content":null}}]}',
            exceptions.InternalServerError,
            "no message was given",
        ),
        (b"[1]", exceptions.InternalServerError, "no object"),
        (b"[" * 100_000, exceptions.InternalServerError, "not JSON"),
        (b"{}", exceptions.InternalServerError, "list of choices"),
        (b'{"choices": []}', exceptions.InternalServerError, "list of choices"),
        (b'{"choices": [{"delta": {}}]}', exceptions.InternalServerError, "list of choices"),
        (b'{"choices": [{"message": {"content": [5]}}]}', exceptions.InternalServerError, "wrong type"),
        (b'{"choices": [{"message": {"tool_calls": [5]}}]}', exceptions.InternalServerError, "wrong type"),
        (
            b'{"error": {"message": "Requests rate limit", "code": "Throttling"}, "request_id": "r9"}',
            exceptions.RateLimitError,
            "r9",
        ),
        (b'{"code": "InvalidParameter", "message": "bad"}', exceptions.BadRequestError, "bad"),
        (
            b'{"choices":[{"finish_reason":"error_finish","message":{"content":"Throttling: rate limit"}}]}',
            exceptions.RateLimitError,
            "rate limit",
        ),
    ],
)
def test_a_200_that_is_no_answer_becomes_a_mapped_error(
    body: bytes, expected: type[Exception], words: str
) -> None:
    with pytest.raises(expected, match=words) as caught:
        parse(body)
    assert type(caught.value) is expected
    assert caught.value.llm_provider == "qwen_ai"  # type: ignore[attr-defined]  # set by us


_FIELDS = [
    "choices",
    "message",
    "content",
    "tool_calls",
    "function",
    "name",
    "arguments",
    "index",
    "id",
    "usage",
    "finish_reason",
    "logprobs",
    "audio",
    "error",
    "created",
    "system_fingerprint",
    "role",
    "code",
]
_ANY = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 2) | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(_FIELDS),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=200, deadline=None)
@given(value=_ANY, choice=_ANY, message=_ANY)
def test_json_of_any_shape_gives_an_answer_or_litellms_exception(
    value: Any, choice: Any, message: Any
) -> None:
    for one in (value, {"choices": [choice]}, {"choices": [{"message": message}]}):
        made = parse_or_error(one)
        assert isinstance(made, (litellm.ModelResponse, *exceptions.LITELLM_EXCEPTION_TYPES))


def parse_or_error(value: Any) -> Any:
    try:
        return parse(value)
    except Exception as error:  # noqa: BLE001  # which one is what the test asks
        return error
