"""Text deltas that are fed together become one chunk; nothing else does, and no byte is lost."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from litellm.types.utils import Delta, ModelResponseStream, StreamingChoices

from litellm_qwen_ai.chat import chunks
from litellm_qwen_ai.chat.context import AnswerContext
from litellm_qwen_ai.chat.decoder import StreamDecoder


def decode(*pieces: bytes, merge: bool = True) -> list[dict[str, Any]]:
    decoder = StreamDecoder(AnswerContext("m", merge=merge), stream_id="s", created=1)
    made = [chunk for piece in [*pieces, None] for chunk in decoder.feed(piece)]
    return [chunk.model_dump() for chunk in made]


def texts(made: list[dict[str, Any]], name: str = "content") -> list[str]:
    found = [choice["delta"].get(name) for chunk in made for choice in chunk["choices"]]
    return [text for text in found if text]


def test_what_is_fed_together_is_one_chunk_and_what_is_not_stays_apart(wire: Any) -> None:
    deltas = [wire.delta({"content": text}) for text in "abcdef"]
    start = wire.delta({"role": "assistant", "content": ""})
    end = wire.delta({}, "stop") + wire.done
    assert texts(decode(start + b"".join(deltas) + end)) == ["abcdef"]
    assert texts(decode(start, b"".join(deltas[:3]), b"".join(deltas[3:]) + end)) == ["abc", "def"]
    assert texts(decode(start, *deltas, end)) == list("abcdef")
    assert texts(decode(start + b"".join(deltas) + end, merge=False)) == list("abcdef")


def test_a_run_is_handed_out_by_the_feed_that_brought_it(wire: Any) -> None:
    decoder = StreamDecoder(AnswerContext("m", merge=True))
    decoder.feed(wire.delta({"role": "assistant", "content": ""}))
    half = wire.delta({"content": "c"})
    made = decoder.feed(wire.delta({"content": "a"}) + wire.delta({"content": "b"}) + half[:20])
    assert texts([chunk.model_dump() for chunk in made]) == ["ab"]


def test_reasoning_and_answer_stay_apart(wire: Any) -> None:
    start = wire.delta({"role": "assistant", "content": ""})
    reasoning = [wire.delta({"reasoning_content": text, "content": None}) for text in "ab"]
    answer = [wire.delta({"content": text, "reasoning_content": ""}) for text in "cd"]
    made = decode(b"".join([start, *reasoning, *answer, *reasoning, wire.delta({}, "stop"), wire.done]))
    parts = [chunk["choices"][0]["delta"] for chunk in made if chunk["choices"]]
    said = [(part.get("reasoning_content"), part.get("content")) for part in parts[1:-1]]
    assert said == [("ab", None), (None, "cd"), ("ab", None)]


@pytest.mark.parametrize(
    "between",
    [
        {"delta": {"content": "x"}, "logprobs": {"content": []}},
        {"delta": {"content": "x", "tool_calls": [{"index": 0, "id": "a", "function": {"name": "f"}}]}},
        {"delta": {"content": "x"}, "finish_reason": "stop"},
        {"delta": {"content": "x", "reasoning_content": "y"}},
        {"delta": {"content": "x", "audio": {"data": ""}}},
        {"delta": {"content": "x", "odd": 0}},
        {"delta": {"content": "x"}, "odd": False},
        {"delta": {"content": "x", "function_call": {"arguments": "{}"}}},
    ],
    ids=[
        "logprobs",
        "tool call",
        "finish",
        "both texts",
        "audio",
        "odd delta",
        "odd choice",
        "function call",
    ],
)
def test_any_other_delta_is_a_chunk_of_its_own(wire: Any, between: dict[str, Any]) -> None:
    start = wire.delta({"role": "assistant", "content": ""})
    a, b = wire.delta({"content": "a"}), wire.delta({"content": "b"})
    other = wire.event({"choices": [{"index": 0, **between}]})
    assert texts(decode(b"".join([start, a, a, other, b, b, wire.delta({}, "stop"), wire.done]))) == [
        "aa",
        "x",
        "bb",
    ]


def test_fields_that_say_nothing_part_no_texts(wire: Any) -> None:
    start = wire.delta({"role": "assistant", "content": ""})
    nothing = {"reasoning": None, "audio": None, "refusal": None, "annotations": [], "tool_calls": []}
    a = wire.delta({"content": "a", **nothing}, service_tier=None)
    end = wire.delta({}, "stop") + wire.done
    assert texts(decode(start + a + a + end)) == ["aa"]
    tier = wire.delta({"content": "b"}, service_tier="default")
    assert texts(decode(start + a + a + tier + a + a + end)) == ["aa", "b", "aa"]


def test_think_tags_do_not_part_texts(wire: Any) -> None:
    start = wire.delta({"role": "assistant", "content": ""})
    a, b, c = {"reasoning": "a"}, {"reasoning_content": "b"}, {"content": "c"}
    stream = StreamDecoder(AnswerContext("m", merge=True, think_tags=True))
    made = stream.feed(start + b"".join(map(wire.delta, [a, b, c, c])))
    assert texts([chunk.model_dump() for chunk in made]) == ["<think>ab</think>cc"]


def test_usage_among_the_deltas_parts_them_and_is_kept(wire: Any) -> None:
    start = wire.delta({"role": "assistant", "content": ""})
    a = wire.delta({"content": "a"})
    counted = wire.delta({"content": "x"}, usage={"prompt_tokens": 1, "completion_tokens": 2})
    made = decode(b"".join([start, a, a, counted, a, a, wire.delta({}, "stop"), wire.done]))
    assert texts(made) == ["aa", "x", "aa"]
    assert [chunk["usage"]["total_tokens"] for chunk in made if chunk.get("usage")] == [3]


def test_once_there_is_a_second_choice_nothing_is_merged(wire: Any) -> None:
    starts = [wire.delta({"role": "assistant", "content": ""}, index=index) for index in (0, 1)]
    deltas = [wire.delta({"content": text}, index=int(text)) for text in "00110"]
    assert texts(decode(b"".join([*starts, *deltas, wire.delta({}, "stop"), wire.done]))) == list("00110")


def test_an_error_comes_after_the_text_before_it(wire: Any) -> None:
    decoder = StreamDecoder(AnswerContext("m", merge=True))
    start = wire.delta({"role": "assistant", "content": ""})
    a = wire.delta({"content": "a"})
    made = decoder.feed(start + a + a + wire.event({"error": {"message": "Throttling"}}))
    assert texts([chunk.model_dump() for chunk in made]) == ["aa"]
    assert decoder.failure is not None


_TEXT = st.text(alphabet="aé🙂\n\ud83d", max_size=3)
_DELTA = st.fixed_dictionaries(
    {},
    optional={
        "content": st.none() | _TEXT,
        "reasoning_content": st.none() | _TEXT,
        "role": st.just("assistant"),
        "tool_calls": st.just([{"index": 0, "id": "a", "function": {"name": "f", "arguments": "{}"}}]),
    },
)
_CHOICE = st.fixed_dictionaries(
    {"delta": st.fixed_dictionaries({"content": _TEXT}) | _DELTA, "index": st.sampled_from([0, 0, 0, 0, 1])},
    optional={
        "finish_reason": st.sampled_from([None, "stop"]),
        "logprobs": st.sampled_from([None, {"content": []}]),
    },
)
_EVENTS = st.lists(st.fixed_dictionaries({"choices": st.lists(_CHOICE, min_size=1, max_size=1)}), max_size=12)


def _unmerged(made: list[dict[str, Any]]) -> list[Any]:
    """Chunks, with the texts in a row that merging may join joined, and the others as they are."""
    parts: list[Any] = []
    for chunk in made:
        choice = chunk["choices"][0] if len(chunk["choices"]) == 1 else None
        kinds = [kind for kind in chunks.KINDS if choice and choice["delta"].get(kind)]
        rest = json.dumps(chunk)
        if len(kinds) == 1 and choice:
            text, choice["delta"][kinds[0]] = choice["delta"][kinds[0]], "TEXT"
            rest = json.dumps(chunk)
            if parts and parts[-1][0] == rest:
                parts[-1][1] += text
                continue
            parts.append([rest, text])
        else:
            parts.append([rest, ""])
    return parts


@settings(max_examples=200, deadline=None)
@given(events=_EVENTS, data=st.data())
def test_merged_or_not_the_concatenation_is_the_same(events: list[Any], data: st.DataObject) -> None:
    stream = b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in events)
    stream += b"data: [DONE]\n\n"
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=5)))
    pieces = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    apart, merged = decode(*pieces, merge=False), decode(*pieces)
    assert len(merged) <= len(apart)
    for kind in chunks.KINDS:
        assert "".join(texts(merged, kind)) == "".join(texts(apart, kind))
    assert _unmerged(merged) == _unmerged(apart)


@pytest.mark.parametrize("kind", chunks.KINDS)
def test_a_copied_chunk_is_what_the_constructors_make(kind: chunks.Kind) -> None:
    made: list[ModelResponseStream] = []

    def plain(choices: list[StreamingChoices]) -> ModelResponseStream:
        chunk = ModelResponseStream(id="id", created=1, model="m", choices=choices, system_fingerprint="f")
        made.append(chunk)
        return chunk

    assert chunks.copies_are_whole()
    assert chunks._copy_is_whole(kind)  # not only remembered
    maker = chunks.TextChunks(plain)
    first, second, third = (maker.make((kind, 2), text) for text in ("a", "b", "c"))
    assert len(made) == 1
    first.choices[0].delta.content = "changed by the consumer"
    second._hidden_params["mine"] = 1
    expected = plain([StreamingChoices(index=2, delta=Delta(**{kind: "c"}))])
    assert third == expected
    assert third.model_dump_json() == expected.model_dump_json()
    assert third._hidden_params == {}


def test_where_copies_differ_chunks_are_made_the_plain_way(
    wire: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = b"".join(wire.delta({"content": text}) for text in "abc") + wire.delta({}, "stop") + wire.done
    expected = decode(stream, merge=False)

    def broken(template: Any, kind: Any, text: str) -> Any:
        del kind, text
        return template

    monkeypatch.setattr(chunks, "_copied", broken)
    chunks.copies_are_whole.cache_clear()
    try:
        assert not chunks.copies_are_whole()
        assert decode(stream, merge=False) == expected
        monkeypatch.setattr(chunks, "_copied", None)
        chunks.copies_are_whole.cache_clear()
        assert not chunks.copies_are_whole()
    finally:
        monkeypatch.undo()
        chunks.copies_are_whole.cache_clear()
