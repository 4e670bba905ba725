"""Streams in, LiteLLM chunks out: the wire's streaming quirks and its in-stream errors."""

from __future__ import annotations

import json
from typing import Any

import httpx
import litellm
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from litellm import exceptions

from litellm_qwen_ai.chat import sse
from litellm_qwen_ai.chat.context import AnswerContext
from litellm_qwen_ai.chat.decoder import StreamDecoder


def decoder(**more: Any) -> StreamDecoder:
    context = AnswerContext("coder-model", with_login=True, **more)
    return StreamDecoder(context, stream_id="s", created=1)


def decode(*pieces: bytes, **more: Any) -> tuple[list[dict[str, Any]], Exception | None]:
    made = decoder(**more)
    chunks = [chunk for piece in [*pieces, None] for chunk in made.feed(piece)]
    return [chunk.model_dump() for chunk in chunks], made.failure


def deltas(chunks: list[dict[str, Any]], name: str = "content", index: int = 0) -> str:
    found = [c["delta"].get(name) for chunk in chunks for c in chunk["choices"] if c["index"] == index]
    return "".join(text for text in found if text)


def finishes(chunks: list[dict[str, Any]]) -> list[tuple[int, str]]:
    return [(c["index"], c["finish_reason"]) for k in chunks for c in k["choices"] if c["finish_reason"]]


def test_a_plain_stream(wire: Any) -> None:
    chunks, failure = decode(
        wire.delta({"role": "assistant", "content": ""}),
        wire.delta({"content": "Hel"}),
        wire.delta({"content": "lo"}),
        wire.delta({}, "stop"),
        wire.usage(),
        wire.done,
    )
    assert failure is None
    assert deltas(chunks) == "Hello"
    assert [chunk["choices"][0]["delta"].get("role") for chunk in chunks[:3]] == ["assistant", None, None]
    assert finishes(chunks) == [(0, "stop")]
    # Usage before the finish chunk, or LiteLLM's wrapper loses it.
    assert chunks[-2]["choices"] == []
    assert chunks[-2]["usage"]["total_tokens"] == 12
    assert chunks[-2]["usage"]["prompt_tokens_details"]["cached_tokens"] == 3
    assert chunks[-2]["usage"]["completion_tokens_details"]["reasoning_tokens"] == 2
    assert chunks[-1]["choices"][0]["finish_reason"] == "stop"
    assert {chunk["id"] for chunk in chunks} == {"chatcmpl-1"}
    assert {chunk["created"] for chunk in chunks} == {1700000000}
    assert {chunk["model"] for chunk in chunks} == {"qwen_ai/coder-model"}


_FIRST = {"role": "assistant"}


@pytest.mark.parametrize(
    ("delta", "first", "later"),
    [
        ({}, None, None),
        ({"content": None, "tool_calls": [], "x": ""}, None, None),
        ({"role": None}, _FIRST, None),
        ({"role": "tool"}, _FIRST, None),
        ({"content": ""}, {**_FIRST, "content": ""}, None),
        ({"content": "a"}, {**_FIRST, "content": "a"}, {"content": "a"}),
        ({"reasoning": "r"}, {**_FIRST, "reasoning_content": "r"}, {"reasoning_content": "r"}),
        (
            {"reasoning": "r", "reasoning_content": "s", "content": ""},
            {**_FIRST, "reasoning_content": "s", "reasoning": "r", "content": ""},
            {"reasoning_content": "s", "reasoning": "r"},
        ),
        ({"x": 1, "role": "assistant"}, {**_FIRST, "x": 1}, {"x": 1}),
        (
            {"function_call": {"name": "f"}},
            {**_FIRST, "function_call": {"name": "f", "arguments": ""}},
            {"function_call": {"name": "f", "arguments": ""}},
        ),
        (
            {"function_call": {"arguments": "{"}, "content": "a"},
            {**_FIRST, "function_call": {"arguments": "{"}, "content": "a"},
            {"function_call": {"arguments": "{"}, "content": "a"},
        ),
    ],
)
@pytest.mark.parametrize("think_tags", [False, True])
def test_a_delta_says_what_the_server_said_and_the_first_its_role(
    wire: Any,
    delta: dict[str, Any],
    first: dict[str, Any] | None,
    later: dict[str, Any] | None,
    think_tags: bool,
) -> None:
    def said(*deltas: dict[str, Any]) -> list[dict[str, Any]]:
        pieces = [wire.delta(one) for one in deltas]
        chunks, failure = decode(*pieces, wire.delta({}, "stop"), wire.done, think_tags=think_tags)
        assert failure is None
        return [without_none(chunk["choices"][0]["delta"]) for chunk in chunks[:-1]]

    if think_tags and {"reasoning", "reasoning_content"} & delta.keys():
        assert said({}, delta)[0]["content"].startswith("<think>")
        return
    assert said(delta) == ([first] if first is not None else [])
    assert said({"content": "a"}, delta)[1:] == ([later] if later is not None else [])


def without_none(value: dict[str, Any]) -> dict[str, Any]:
    return {
        name: without_none(one) if isinstance(one, dict) else one
        for name, one in value.items()
        if one is not None
    }


def test_reasoning_alone_in_a_chunk_is_passed_on(wire: Any) -> None:
    chunks, _ = decode(
        wire.delta({"role": "assistant", "content": None, "reasoning_content": "hm"}),
        wire.delta({"content": None, "reasoning_content": "m"}),
        wire.delta({"content": "42", "reasoning_content": None}, "stop"),
        wire.done,
    )
    assert deltas(chunks, "reasoning_content") == "hmm"
    assert deltas(chunks) == "42"


def test_reasoning_has_two_names_and_one_place(wire: Any) -> None:
    both = {"reasoning": "b", "reasoning_content": "b"}
    chunks, failure = decode(
        wire.delta({"reasoning": "a"}), wire.delta({"reasoning": "a"}), wire.delta(both), wire.done
    )
    assert (deltas(chunks, "reasoning_content"), failure) == ("aab", None)


def test_a_function_call_in_pieces_is_passed_on(wire: Any) -> None:
    chunks, failure = decode(
        wire.delta({"function_call": {"name": "f", "arguments": None}}),
        wire.delta({"function_call": {"arguments": "{}"}}),
        wire.delta({}, "function_call"),
        wire.done,
    )
    calls = [k["choices"][0]["delta"]["function_call"] for k in chunks[:2]]
    assert calls == [{"name": "f", "arguments": ""}, {"name": None, "arguments": "{}"}]
    assert (finishes(chunks), failure) == ([(0, "function_call")], None)


def test_fields_that_are_not_known_are_passed_on_where_they_stood(wire: Any) -> None:
    choice = {"index": 0, "delta": {"x_delta": [1]}, "finish_reason": "stop", "stop_reason": 42}
    chunks, failure = decode(
        wire.delta({"content": "a"}, x_chunk=None),
        wire.event({"choices": [choice], "x_chunk": {"y": 0}}),
        wire.delta({}, x_last=False),
        wire.done,
    )
    assert failure is None
    plain, odd, last, finish = chunks
    assert "x_chunk" not in plain
    assert (odd["x_chunk"], odd["choices"][0]["stop_reason"]) == ({"y": 0}, 42)
    assert odd["choices"][0]["delta"]["x_delta"] == [1]
    assert last["x_last"] is False
    assert finish["choices"][0]["finish_reason"] == "stop"


@pytest.mark.parametrize("place", ["chunk", "choice", "delta", "usage", "details"])
@pytest.mark.parametrize(
    "name", ["self", "model_dump", "__class__", "_hidden_params", "provider_specific_fields"]
)
def test_a_field_named_like_something_of_litellms_breaks_no_chunk(wire: Any, place: str, name: str) -> None:
    odd: dict[str, dict[str, Any]] = {place: {name: "odd"}}
    usage = {"prompt_tokens": 1, **odd.get("usage", {}), "prompt_tokens_details": odd.get("details")}
    choice = {"index": 0, "delta": {"content": "a", **odd.get("delta", {})}, **odd.get("choice", {})}
    made = decoder()
    chunks = made.feed(wire.event({"choices": [choice], "usage": usage, **odd.get("chunk", {})}) + wire.done)
    for chunk in chunks:
        assert json.loads(chunk.model_dump_json())
        assert chunk._hidden_params == {}
    assert made.failure is not None or deltas([chunk.model_dump() for chunk in chunks]) == "a"
    assert made.failure is None or isinstance(made.failure, litellm.InternalServerError)


def test_think_tags_part_reasoning_from_the_answer_in_every_choice(wire: Any) -> None:
    chunks, failure = decode(
        wire.delta({"role": "assistant", "content": ""}),
        wire.delta({"reasoning_content": "a"}),
        wire.delta({"reasoning": "b", "content": "c"}),
        wire.delta({"content": "d"}),
        wire.delta({"reasoning_content": "e"}),
        wire.delta({"content": "f"}, "stop"),
        wire.delta({"reasoning_content": "g", "content": "h"}, "stop", index=1),
        wire.done,
        think_tags=True,
    )
    assert failure is None
    assert deltas(chunks) == "<think>ab</think>cd<think>e</think>f"
    assert deltas(chunks, index=1) == "<think>g</think>h"
    assert deltas(chunks, "reasoning_content") == ""


def test_content_in_the_finish_chunk_and_after_it_is_kept(wire: Any) -> None:
    chunks, failure = decode(wire.delta({"content": "a"}, "stop"), wire.delta({"content": "b"}), wire.done)
    assert (deltas(chunks), finishes(chunks), failure) == ("ab", [(0, "stop")], None)


def test_a_repeated_finish_counts_once_and_the_first_holds(wire: Any) -> None:
    chunks, _ = decode(
        wire.delta({"content": "a"}, "length"), wire.delta({}, "stop"), wire.usage(), wire.done
    )
    assert finishes(chunks) == [(0, "length")]


def test_a_missing_done_after_a_finish_is_fine(wire: Any) -> None:
    chunks, failure = decode(wire.delta({"content": "a"}), wire.delta({}, "stop"), wire.usage())
    assert failure is None
    assert finishes(chunks) == [(0, "stop")]
    assert chunks[-2]["usage"]["prompt_tokens"] == 7


def test_a_missing_finish_before_done_is_a_stop(wire: Any) -> None:
    chunks, failure = decode(wire.delta({"content": "a"}), wire.done)
    assert (finishes(chunks), failure) == ([(0, "stop")], None)


@pytest.mark.parametrize("torn", [b"", b'data: {"choices":[{"del', b"data: [DON"])
def test_neither_finish_nor_done_is_a_cut_connection(wire: Any, torn: bytes) -> None:
    chunks, failure = decode(wire.delta({"content": "half"}), torn)
    assert deltas(chunks) == "half"
    assert isinstance(failure, litellm.APIConnectionError)
    assert finishes(chunks) == []


def test_a_cut_after_the_finish_costs_nothing(wire: Any) -> None:
    chunks, failure = decode(wire.delta({"content": "a"}, "stop"), wire.usage()[:20])
    assert (deltas(chunks), finishes(chunks), failure) == ("a", [(0, "stop")], None)


def test_tool_calls_come_in_shards_and_their_stop_becomes_tool_calls(wire: Any) -> None:
    chunks, failure = decode(
        wire.delta({"role": "assistant", "content": None}),
        wire.shard(0, "call_a", "add", ""),
        wire.shard(0, "", "", '{"x":'),
        wire.shard(0, "call_b", "mul", "{}"),
        wire.shard(0, "call_a", "add", "1}"),
        wire.shard(0, "call_a", "add", '{"x":1}'),
        wire.delta({}, "stop"),
        wire.done,
    )
    assert failure is None
    assert finishes(chunks) == [(0, "tool_calls")]
    calls: dict[int, str] = {}
    ids = {}
    for chunk in chunks:
        for call in (chunk["choices"][0]["delta"].get("tool_calls") or []) if chunk["choices"] else []:
            calls[call["index"]] = calls.get(call["index"], "") + call["function"]["arguments"]
            if call["id"]:
                ids[call["index"]] = (call["id"], call["function"]["name"])
    assert calls == {0: '{"x":1}', 1: "{}"}
    assert ids == {0: ("call_a", "add"), 1: ("call_b", "mul")}


def test_several_choices_keep_apart_and_each_has_its_finish(wire: Any) -> None:
    chunks, _ = decode(
        wire.delta({"content": "a"}, index=0),
        wire.delta({"content": "b"}, index=1),
        wire.delta({}, "stop", index=0),
        wire.delta({"content": "B"}, "length", index=1),
        wire.usage(),
        wire.done,
    )
    assert (deltas(chunks), deltas(chunks, index=1)) == ("a", "bB")
    assert sorted(finishes(chunks)) == [(0, "stop"), (1, "length")]
    # No chunk but the last has a finish in its first choice: LiteLLM's wrapper would stop there.
    assert all(not c["choices"][0]["finish_reason"] for c in chunks[:-1] if c["choices"])


def test_logprobs_are_passed_on(wire: Any) -> None:
    logprobs = {"content": [{"token": "a", "logprob": -0.1, "bytes": [97], "top_logprobs": []}]}
    chunks, _ = decode(wire.delta({"content": "a"}, logprobs=logprobs), wire.done)
    assert chunks[0]["choices"][0]["logprobs"]["content"][0]["token"] == "a"


def test_keep_alive_comments_and_empty_events_are_no_chunks(wire: Any) -> None:
    made = decoder()
    assert made.feed(b": ping\n\n" + b"data: \n\n" + b"event: heartbeat\n\n") == []
    assert made.failure is None
    assert len(made.feed(wire.delta({"content": "a"}))) == 1


def test_after_done_nothing_counts(wire: Any) -> None:
    chunks, failure = decode(
        wire.delta({"content": "a"}, "stop"),
        wire.done,
        wire.delta({"content": "b"}),
        b"event:error\ndata: x\n\n",
    )
    assert (deltas(chunks), failure) == ("a", None)


def test_usage_of_wrong_types_costs_nothing_but_itself(wire: Any) -> None:
    usage = {
        "prompt_tokens": "many",
        "completion_tokens": -1,
        "total_tokens": None,
        "prompt_tokens_details": [1],
    }
    chunks, failure = decode(wire.delta({"content": "a"}, "stop", usage=usage), wire.done)
    assert failure is None
    assert chunks[-2]["usage"]["total_tokens"] == 0


def test_usage_keeps_what_litellm_can_hold(wire: Any) -> None:
    details = {"cached_tokens": 1, "cache_creation": {"x": 2}, "text_tokens": -1}
    usage = {
        "prompt_tokens": 1,
        "completion_tokens": 2,
        "cost": 0.5,
        "x": [1],
        "prompt_tokens_details": details,
    }
    chunks, failure = decode(wire.delta({"content": "a"}, "stop", usage=usage), wire.done)
    assert failure is None
    kept = chunks[-2]["usage"]
    assert (kept["total_tokens"], kept["cost"], kept["x"]) == (3, 0.5, [1])
    assert kept["prompt_tokens_details"]["cache_creation"] == {"x": 2}
    assert kept["prompt_tokens_details"]["text_tokens"] is None


def test_a_missing_id_and_time_are_made_up_once(wire: Any) -> None:
    event = wire.event({"choices": [{"delta": {"content": "a"}}]})
    chunks, _ = decode(event, event, wire.done)
    assert {(chunk["id"], chunk["created"]) for chunk in chunks} == {("s", 1)}


def test_an_emoji_split_into_escapes_and_a_lone_half() -> None:
    event = b'data: {"choices":[{"delta":{"content":"\\ud83d\\ude42 \\ud83d!"}}]}\n\n'
    chunks, failure = decode(event, b"data: [DONE]\n\n")
    assert deltas(chunks) == "🙂 \ufffd!"
    assert failure is None


THROTTLED = {
    "error": {"message": "Requests rate limit exceeded", "code": "Throttling.RateQuota"},
    "request_id": "r9",
}


@pytest.mark.parametrize(
    ("event", "expected", "words"),
    [
        (
            b"event:error\n:HTTP_STATUS/429\ndata:" + json.dumps(THROTTLED).encode() + b"\n\n",
            exceptions.RateLimitError,
            "r9",
        ),
        (b"data: " + json.dumps(THROTTLED).encode() + b"\n\n", exceptions.RateLimitError, "r9"),
        (
            b'data: {"code":"InvalidParameter","message":"bad","request_id":"r"}\n\n',
            exceptions.BadRequestError,
            "bad",
        ),
        (b"event: error\n:HTTP_STATUS/503\ndata: busy\n\n", exceptions.ServiceUnavailableError, "busy"),
        (b"event: error\ndata: boom\n\n", exceptions.InternalServerError, "boom"),
        (
            b'data: {"error":{"message":"Range of input length should be [1, 5]","code":"x"}}\n\n',
            exceptions.ContextWindowExceededError,
            "Range of input",
        ),
        (
            b'data: {"error":{"message":"no","code":"data_inspection_failed"}}\n\n',
            exceptions.ContentPolicyViolationError,
            "no",
        ),
        (
            b'data: {"error":{"message":"Free allocated quota exceeded.","code":"insufficient_quota"}}\n\n',
            exceptions.RateLimitError,
            "retrying now is useless",
        ),
        (
            b'data: {"error":{"message":"invalid access token or token expired"}}\n\n',
            exceptions.AuthenticationError,
            "login",
        ),
        (b'data: {"error":{"message":"x","code":"502"}}\n\n', exceptions.BadGatewayError, "x"),
        (b"data: <html><title>Oops</title></html>\n\n", exceptions.InternalServerError, "Oops"),
        (b"data: not json\n\n", exceptions.InternalServerError, "not JSON"),
        (b"data: [1]\n\n", exceptions.InternalServerError, "no JSON object"),
        (b'data: {"choices": {"a": 1}}\n\n', exceptions.InternalServerError, "no list"),
        (b'data: {"choices": [5]}\n\n', exceptions.InternalServerError, "choice"),
        (b'data: {"choices": [{"delta": [1]}]}\n\n', exceptions.InternalServerError, "delta"),
        (b'data: {"choices": [{"delta": {"content": 5}}]}\n\n', exceptions.InternalServerError, "content"),
        (
            b'data: {"choices": [{"delta": {"tool_calls": 5}}]}\n\n',
            exceptions.InternalServerError,
            "tool calls",
        ),
        (
            b'data: {"choices": [{"delta": {"reasoning": 5}}]}\n\n',
            exceptions.InternalServerError,
            "reasoning",
        ),
        (
            b'data: {"choices": [{"delta": {"function_call": 5}}]}\n\n',
            exceptions.InternalServerError,
            "function call",
        ),
        (
            b'data: {"choices": [{"logprobs": {"content": 5}}]}\n\n',
            exceptions.InternalServerError,
            "wrong type",
        ),
        (b"data: " + b"[" * 100_000 + b"\n\n", exceptions.InternalServerError, "not JSON"),
    ],
)
def test_an_error_inside_the_stream_is_an_exception_and_never_text(
    wire: Any, event: bytes, expected: type[Exception], words: str
) -> None:
    chunks, failure = decode(
        wire.delta({"content": "kept"}) + event + wire.delta({"content": "lost"}) + wire.done
    )
    assert type(failure) is expected
    assert words in str(failure)
    assert deltas(chunks) == "kept"
    assert finishes(chunks) == []
    assert failure.llm_provider == "qwen_ai"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Throttling: TPM rate limit exceeded", exceptions.RateLimitError),
        (json.dumps(THROTTLED), exceptions.RateLimitError),
        ("something broke", exceptions.InternalServerError),
        ("", exceptions.InternalServerError),
    ],
)
def test_the_text_of_an_error_finish_is_no_answer(wire: Any, text: str, expected: type[Exception]) -> None:
    chunks, failure = decode(
        wire.delta({"content": "kept"}), wire.delta({"content": text}, "error_finish"), wire.done
    )
    assert deltas(chunks) == "kept"
    assert type(failure) is expected
    assert not text or "rate limit" in str(failure) or text in str(failure)


@pytest.mark.parametrize(
    ("body", "expected", "words"),
    [
        (json.dumps(THROTTLED, indent=2).encode(), exceptions.RateLimitError, "r9"),
        (b'{"error": "nope"}', exceptions.InternalServerError, "nope"),
        (
            b'{"id":"x","choices":[{"message":{"content":"hi"}}]}',
            exceptions.InternalServerError,
            "instead of a stream",
        ),
        (b"<html>\n<title>Captcha</title></html>", exceptions.InternalServerError, "Captcha"),
        (b"upstream gone", exceptions.InternalServerError, "text instead of a stream"),
        (b"", exceptions.APIConnectionError, "closed"),
        (b"data: [DONE]\n\n", exceptions.InternalServerError, "without any content"),
    ],
)
def test_a_body_that_is_no_stream_says_what_it_was(
    body: bytes, expected: type[Exception], words: str
) -> None:
    chunks, failure = decode(body)
    assert chunks == []
    assert type(failure) is expected
    assert words in str(failure)


def test_an_endless_event_and_endless_choices_are_refused(wire: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "MAX_EVENT_BYTES", 1000)
    _, failure = decode(b"data: " + b"x" * 2000)
    assert isinstance(failure, litellm.InternalServerError)
    # The last line has no end, so that its event is put together when the body is over.
    chunks, failure = decode(
        wire.delta({"content": "kept"}), b"data: " + b"x" * 600 + b"\ndata: " + b"y" * 600
    )
    assert deltas(chunks) == "kept"
    assert isinstance(failure, litellm.InternalServerError)
    assert "event without end" in str(failure)
    many = [wire.delta({"content": "a"}, index=index) for index in range(200)]
    _, failure = decode(*many)
    assert isinstance(failure, litellm.InternalServerError)


def test_no_secret_of_the_call_is_in_an_error(wire: Any) -> None:
    _, failure = decode(
        wire.event({"error": {"message": "token abcdef-SECRET bad"}}), secrets=("abcdef-SECRET",)
    )
    assert "SECRET" not in str(failure)


def test_retry_after_of_the_response_reaches_the_exception(wire: Any) -> None:
    _, failure = decode(wire.event(THROTTLED), headers=httpx.Headers({"Retry-After": "9"}))
    assert failure is not None
    assert failure.litellm_response_headers["retry-after"] == "9"  # type: ignore[attr-defined]  # set by us


_TEXT = st.text(alphabet='aé🙂\n\\"', max_size=4)
_CALL = st.fixed_dictionaries(
    {"index": st.integers(0, 1), "id": st.sampled_from(["a", "b", "", None])},
    optional={
        "function": st.fixed_dictionaries(
            {
                "name": st.sampled_from(["f", "", None]),
                "arguments": st.sampled_from(["{", "}", '"', "{}", None]),
            }
        )
    },
)
_DELTA = st.fixed_dictionaries(
    {},
    optional={
        "content": st.none() | _TEXT,
        "reasoning_content": _TEXT,
        "role": st.just("assistant"),
        "reasoning": _TEXT,
        "odd": st.sampled_from([None, "", 0, [1]]),
        "tool_calls": st.lists(_CALL, max_size=2),
    },
)
_EVENT = st.one_of(
    st.builds(
        lambda delta, finish, index: json.dumps(
            {"id": "i", "choices": [{"index": index, "delta": delta, "finish_reason": finish}]},
            ensure_ascii=False,
        ),
        _DELTA,
        st.sampled_from([None, None, "stop", "length", "error_finish"]),
        st.integers(0, 1),
    ),
    st.just('{"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2}}'),
    st.just('{"error":{"message":"Throttling"}}'),
    st.just("[DONE]"),
)
_STREAM = st.lists(
    st.builds(
        lambda prefix, event, end: prefix + b"data: " + event.encode() + end,
        st.sampled_from([b"", b": ping\n\n", b"event: message\n"]),
        _EVENT,
        st.sampled_from([b"\n\n", b"\r\n\r\n", b"\r\r"]),
    ),
    max_size=6,
).map(b"".join)


@settings(max_examples=150, deadline=None)
@given(stream=_STREAM, data=st.data())
def test_any_split_of_the_bytes_gives_the_same_chunks(stream: bytes, data: st.DataObject) -> None:
    end = data.draw(st.integers(0, len(stream)) | st.just(len(stream)))
    stream = stream[:end]
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    pieces = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    whole, whole_failure = decode(stream)
    split, split_failure = decode(*pieces)
    assert split == whole
    assert repr(split_failure) == repr(whole_failure)


@settings(max_examples=150, deadline=None)
@given(
    pieces=st.lists(
        st.binary(max_size=40) | st.sampled_from([b"data: ", b"\n\n", b'{"choices":[{']), max_size=12
    )
)
def test_garbage_never_raises_anything_but_litellms_exceptions(pieces: list[bytes]) -> None:
    chunks, failure = decode(*pieces)
    assert failure is not None or chunks
    assert failure is None or any(isinstance(failure, known) for known in exceptions.LITELLM_EXCEPTION_TYPES)


_FIELDS = [
    "choices",
    "delta",
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
    "prompt_tokens",
    "prompt_tokens_details",
    "reasoning",
    "function_call",
    "provider_specific_fields",
    "images",
    "odd",
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
@given(value=_ANY, choice=_ANY, delta=_ANY)
def test_json_of_any_shape_never_raises_anything_but_litellms_exceptions(
    value: Any, choice: Any, delta: Any
) -> None:
    for one in (
        value,
        {"choices": [choice]},
        {"choices": [{"delta": delta}]},
        {"choices": [{"delta": {"audio": delta}}]},
    ):
        _, failure = decode(b"data: " + json.dumps(one).encode() + b"\n\ndata: [DONE]\n\n")
        assert failure is None or any(
            isinstance(failure, known) for known in exceptions.LITELLM_EXCEPTION_TYPES
        )
