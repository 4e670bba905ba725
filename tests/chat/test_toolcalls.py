"""Shards of tool calls, as Qwen sends them and as OpenAI clients expect them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from litellm_qwen_ai.chat.toolcalls import ToolCallAssembler


def shard(index: int | None, call_id: str | None, name: str | None, arguments: str | None) -> dict[str, Any]:
    made: dict[str, Any] = {
        "id": call_id,
        "type": "function",
        "function": {"name": name, "arguments": arguments},
    }
    return made if index is None else {**made, "index": index}


def assemble(*shards: dict[str, Any]) -> list[tuple[int, str, str, str]]:
    """What an OpenAI client makes of the shards: (index, id, name, arguments) of each call."""
    assembler = ToolCallAssembler("call_x_")
    calls: dict[int, list[str]] = {}
    for one in shards:
        sent = assembler.add(one)
        if sent is None:
            continue
        function = sent["function"]
        if sent["id"]:
            assert sent["index"] not in calls, "an id comes in a call's first shard only"
            calls[sent["index"]] = [sent["id"], "", ""]
        if function["name"]:
            assert not calls[sent["index"]][1], "a name comes once"
            calls[sent["index"]][1] = function["name"]
        calls[sent["index"]][2] += function["arguments"]
    return [(index, *parts) for index, parts in calls.items()]  # type: ignore[misc]  # three of three


def test_shards_without_id_and_name_continue_their_call() -> None:
    assert assemble(
        shard(0, "a", "f", ""),
        shard(0, "", "", '{"x"'),
        shard(0, None, None, ": 1}"),
        shard(0, "", None, None),
    ) == [(0, "a", "f", '{"x": 1}')]


def test_each_shard_says_that_it_is_of_a_function() -> None:
    assembler = ToolCallAssembler("call_x_")
    sent = [
        assembler.add({"function": {"name": "f", "arguments": "{"}}),
        assembler.add({"function": {"arguments": "}"}}),
    ]
    assert sent == [
        {"index": 0, "id": "call_x_0", "type": "function", "function": {"name": "f", "arguments": "{"}},
        {"index": 0, "id": None, "type": "function", "function": {"name": None, "arguments": "}"}},
    ]


def test_parallel_calls_arrive_interleaved() -> None:
    assert assemble(
        shard(0, "a", "f", '{"x"'), shard(1, "b", "g", "{"), shard(0, "", "", ":1}"), shard(1, "", "", "}")
    ) == [(0, "a", "f", '{"x":1}'), (1, "b", "g", "{}")]


def test_a_reused_index_with_another_id_is_another_call() -> None:
    assert assemble(
        shard(0, "a", "f", '{"x":1}'),
        shard(0, "b", "g", '{"y"'),
        shard(0, "", "", ":2}"),
        shard(0, "c", "h", "{}"),
    ) == [(0, "a", "f", '{"x":1}'), (1, "b", "g", '{"y":2}'), (2, "c", "h", "{}")]


def test_a_replay_of_complete_arguments_is_not_doubled() -> None:
    assert assemble(
        shard(0, "a", "f", '{"x":'),
        shard(0, "", "", "1}"),
        shard(0, "a", "f", '{"x":1}'),
        shard(0, "", "", '{"x":1}'),
    ) == [(0, "a", "f", '{"x":1}')]


def test_a_replay_of_partial_arguments_gives_only_the_rest() -> None:
    assert assemble(shard(0, "a", "f", '{"x": "ab'), shard(0, "a", "f", '{"x": "abc"}')) == [
        (0, "a", "f", '{"x": "abc"}')
    ]


def test_an_id_in_every_shard_is_no_replay() -> None:
    pieces = ['{"a":', '{"a":1}', ',"b":"{', '{"', "}"]
    assert assemble(*(shard(0, "a", "f", piece) for piece in pieces)) == [(0, "a", "f", "".join(pieces))]


def test_calls_without_any_id_get_one_and_a_new_name_starts_the_next() -> None:
    assert assemble(shard(0, "", "f", "{}"), shard(0, None, "f", '{"y":1}')) == [
        (0, "call_x_0", "f", "{}"),
        (1, "call_x_1", "f", '{"y":1}'),
    ]


def test_a_late_name_is_given_once() -> None:
    assert assemble(shard(0, "a", "", "{"), shard(0, "", "f", ""), shard(0, "", "f", "}")) == [
        (0, "a", "f", "{}")
    ]


def test_a_missing_index_means_the_latest_call() -> None:
    assert assemble(shard(None, "a", "f", "{"), shard(None, "", "", "}"), shard(None, "b", "g", "{}")) == [
        (0, "a", "f", "{}"),
        (1, "b", "g", "{}"),
    ]


def test_an_id_under_another_index_takes_the_index_along() -> None:
    assert assemble(
        shard(0, "a", "f", "{"),
        shard(1, "b", "g", "{"),
        shard(1, "a", "", '"x"'),
        shard(1, None, None, ":1}"),
    ) == [(0, "a", "f", '{"x":1}'), (1, "b", "g", "{")]
    assert assemble(
        shard(0, "a", "f", "{"),
        shard(1, "b", "g", "{"),
        shard(None, "a", "", '"x"'),
        shard(1, None, None, "}"),
    ) == [(0, "a", "f", '{"x"'), (1, "b", "g", "{}")]


@pytest.mark.parametrize(
    ("pieces", "whole"),
    [
        (["", '{"x"', '{"x":1}'], '{"x":1}'),
        (['{"x', '{"x'], '{"x{"x'),  # no longer than before: a piece of its own
        (['{"x', '{"y"}'], '{"x{"y"}'),
        (['{"x": ', '{"x": 1}'], '{"x": {"x": 1}'),
        (['{"x":[1, ', '{"x":[1, 2]}'], '{"x":[1, {"x":[1, 2]}'),
        (['"x', '"xy"'], '"x"xy"'),
    ],
)
def test_a_replay_of_arguments_is_told_from_their_next_piece(pieces: list[str], whole: str) -> None:
    assert assemble(*(shard(0, "a", "f", piece) for piece in pieces)) == [(0, "a", "f", whole)]
    assert assemble(
        *(shard(0, "a" if first else "", "f", piece) for first, piece in zip([1, 0, 0], pieces, strict=False))
    ) == [(0, "a", "f", "".join(pieces))]


def test_indices_are_counted_anew_whatever_the_server_counts() -> None:
    assert assemble(shard(5, "a", "f", "{}"), shard(-3, "b", "g", "{}")) == [
        (0, "a", "f", "{}"),
        (1, "b", "g", "{}"),
    ]


@pytest.mark.parametrize(
    "odd", [{}, {"function": None}, {"function": "f"}, {"index": "0", "id": 4}, {"index": True}]
)
def test_an_odd_shard_breaks_nothing(odd: dict[str, Any]) -> None:
    assembler = ToolCallAssembler("p")
    assembler.add(odd)
    assert assembler.add(shard(7, "a", "f", "{}")) is not None


_VALUES = st.recursive(
    st.none() | st.integers() | st.text(alphabet='ab"\\{}[]é', max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(alphabet='a"\\{', max_size=3), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(value=st.dictionaries(st.text(alphabet='x"\\}', max_size=3), _VALUES, max_size=3), data=st.data())
def test_any_arguments_in_any_shards_followed_by_a_replay_come_out_whole(
    value: Any, data: st.DataObject
) -> None:
    text = json.dumps(value)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=5)))
    pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    shards = (
        [shard(0, "a", "f", "")] + [shard(0, "", "", piece) for piece in pieces] + [shard(0, "a", "f", text)]
    )
    assert assemble(*shards) == [(0, "a", "f", text)]
