"""Messages as the portal and Model Studio take them."""

from __future__ import annotations

import copy
from typing import Any

import litellm
import pytest
from hypothesis import given
from hypothesis import strategies as st

from litellm_qwen_ai.chat.errors import UnsendableError
from litellm_qwen_ai.chat.messages import MINIMAL_SYSTEM_TEXT, has_image, prepare_messages

EPHEMERAL = {"type": "ephemeral"}


def text(words: str, **more: Any) -> dict[str, Any]:
    return {"type": "text", "text": words, **more}


def prepare(*messages: Any, for_portal: bool = True, **more: Any) -> list[dict[str, Any]]:
    return prepare_messages(messages, for_portal=for_portal, **more)


def test_a_system_message_takes_array_form_with_cache_control() -> None:
    assert prepare({"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}) == [
        {"role": "system", "content": [text("Be brief.", cache_control=EPHEMERAL)]},
        {"role": "user", "content": "Hi"},
    ]


@pytest.mark.parametrize("content", [None, "", [], [text("")]])
def test_the_portal_always_gets_a_system_message(content: Any) -> None:
    expected = [{"role": "system", "content": [text(MINIMAL_SYSTEM_TEXT, cache_control=EPHEMERAL)]}]
    assert prepare({"role": "system", "content": content}) == expected
    assert prepare() == expected


def test_several_system_messages_become_one_in_front_without_losing_text() -> None:
    prepared = prepare(
        {"role": "system", "content": "one"},
        {"role": "user", "content": "q"},
        {"role": "developer", "content": [text("two"), "three"]},
        {"role": "assistant", "content": "a"},
        {"role": "system", "content": "four"},
    )
    assert [message["role"] for message in prepared] == ["system", "user", "assistant"]
    assert prepared[0]["content"] == [
        text("one"),
        text("two"),
        text("three"),
        text("four", cache_control=EPHEMERAL),
    ]


def test_the_callers_own_cache_marks_are_kept_and_none_added() -> None:
    mark = {"type": "ephemeral", "ttl": "1h"}
    prepared = prepare(
        {"role": "system", "content": [text("one", cache_control=mark), text("two")]},
        {"role": "system", "content": "three"},
    )
    assert prepared[0]["content"] == [text("one", cache_control=mark), text("two"), text("three")]


def test_a_cache_mark_on_the_message_moves_to_its_last_part() -> None:
    # Unlike the mark that we add, and not where we would add one.
    mark = {"type": "ephemeral", "ttl": "1h"}
    prepared = prepare(
        {"role": "system", "content": [text("one"), text("two")], "cache_control": mark},
        {"role": "system", "content": "three"},
    )
    content = [text("one"), text("two", cache_control=mark), text("three")]
    assert prepared == [{"role": "system", "content": content}]


def test_with_a_key_system_messages_stay_where_and_as_they_are() -> None:
    messages = [{"role": "user", "content": "q"}, {"role": "system", "content": "s"}]
    assert prepare(*messages, for_portal=False) == messages
    assert prepare({"role": "developer", "content": "d"}, for_portal=False) == [
        {"role": "system", "content": "d"}
    ]


def test_what_litellm_adds_to_assistant_messages_does_not_reach_the_wire() -> None:
    message = {
        "role": "assistant",
        "content": "a",
        "tool_calls": None,
        "function_call": None,
        "provider_specific_fields": {"x": 1},
        "thinking_blocks": [{}],
        "annotations": [],
        "audio": None,
        "images": [],
        "reasoning_items": [],
        "refusal": None,
        "reasoning_content": "hmm",
        "name": "n",
        "partial": True,
    }
    assert prepare(message, for_portal=False) == [
        {"role": "assistant", "content": "a", "name": "n", "partial": True}
    ]


def test_reasoning_of_earlier_turns_is_sent_only_when_asked_for() -> None:
    message = {"role": "assistant", "content": "a", "reasoning_content": "hmm"}
    assert prepare(message, for_portal=False) == [{"role": "assistant", "content": "a"}]
    assert prepare(message, for_portal=False, keep_reasoning=True) == [message]


def test_a_tool_round_trip_with_litellms_own_objects() -> None:
    answer = litellm.Message(
        content=None,
        tool_calls=[{"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}],
    )
    prepared = prepare(
        {"role": "user", "content": "q"},
        answer,
        {"role": "tool", "tool_call_id": "c1", "content": [text("4"), text("2")]},
        for_portal=False,
    )
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}
    assert prepared[1]["tool_calls"] == [call]
    assert prepared[1].get("content") is None
    assert prepared[2] == {"role": "tool", "tool_call_id": "c1", "content": "42"}


def test_tool_calls_lose_what_only_litellm_knows_and_gain_what_a_strict_server_wants() -> None:
    call = {
        "index": 0,
        "id": "c",
        "function": {"name": "f", "arguments": None, "provider_specific_fields": {}},
        "provider_specific_fields": {},
    }
    (prepared,) = prepare({"role": "assistant", "content": None, "tool_calls": [call]}, for_portal=False)
    assert prepared["tool_calls"] == [
        {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    ]


def test_an_assistant_message_without_anything_gets_empty_text() -> None:
    assert prepare({"role": "assistant", "content": None}, for_portal=False) == [
        {"role": "assistant", "content": ""}
    ]


@pytest.mark.parametrize("content", [None, []])
def test_an_empty_tool_result_is_an_empty_string(content: Any) -> None:
    (prepared,) = prepare({"role": "tool", "tool_call_id": "c", "content": content}, for_portal=False)
    assert prepared["content"] == ""


def test_a_tool_result_with_more_than_text_is_passed_on() -> None:
    content = [text("see"), {"type": "image_url", "image_url": {"url": "https://x/y.png"}}]
    message = {"role": "tool", "tool_call_id": "c", "content": content}
    assert prepare(message, for_portal=False) == [message]


def test_images_are_objects_without_litellms_format_hint() -> None:
    uri = "data:image/png;base64,AAAA"
    (prepared,) = prepare(
        {
            "role": "user",
            "content": [
                {"type": "image_url", "image_url": uri},
                {"type": "image_url", "image_url": {"url": uri, "format": "image/png", "detail": "high"}},
                {"type": "video_url", "video_url": {"url": "https://x/y.mp4"}, "fps": 2},
                {"type": "video_url", "video_url": "https://x/y.mp4"},
                {"type": "video", "video": ["https://x/1.jpg"]},
                text("what?"),
            ],
        },
        for_portal=False,
    )
    assert prepared["content"] == [
        {"type": "image_url", "image_url": {"url": uri}},
        {"type": "image_url", "image_url": {"url": uri, "detail": "high"}},
        {"type": "video_url", "video_url": {"url": "https://x/y.mp4"}, "fps": 2},
        {"type": "video_url", "video_url": {"url": "https://x/y.mp4"}},
        {"type": "video", "video": ["https://x/1.jpg"]},
        text("what?"),
    ]
    assert has_image([prepared])
    assert not has_image([{"role": "user", "content": "image_url"}, {"role": "user", "content": [text("t")]}])


def call(name: str) -> dict[str, Any]:
    return {"id": name, "type": "function", "function": {"name": "f", "arguments": "{}"}}


@pytest.mark.parametrize(
    ("conversation", "ids"),
    [
        ([["a"], "a"], ["a"]),
        ([["a"], None], ["a"]),
        ([["a"], ""], ["a"]),
        ([["a", "b"], "a", None], ["a", "b"]),
        ([["a", "b"], "b", None], ["b", "a"]),
        ([["a"], None, ["b"], None], ["a", "b"]),
        ([["a", "b"], None, None], [None, None]),
        ([["a"], None, None], ["a", None]),
        ([["a"], "user", None], [None]),
        ([None], [None]),
    ],
)
@pytest.mark.parametrize("for_portal", [False, True])
def test_a_result_without_an_id_gets_that_of_the_one_open_call(
    conversation: list[Any], ids: list[Any], for_portal: bool
) -> None:
    messages: list[dict[str, Any]] = []
    for one in conversation:
        if isinstance(one, list):
            messages.append(
                {"role": "assistant", "content": None, "tool_calls": [call(name) for name in one]}
            )
        elif one == "user":
            messages.append({"role": "user", "content": "wait"})
        else:
            messages.append(
                {"role": "tool", "content": "done", **({} if one is None else {"tool_call_id": one})}
            )
    before = copy.deepcopy(messages)
    prepared = prepare(*messages, for_portal=for_portal)
    assert [message.get("tool_call_id") for message in prepared if message["role"] == "tool"] == ids
    assert messages == before


def test_a_call_that_is_no_object_waits_for_no_result() -> None:
    said = {"role": "assistant", "content": None, "tool_calls": ["f()", call("a")]}
    assert prepare(said, {"role": "tool", "content": "done"}, for_portal=False)[-1]["tool_call_id"] == "a"


@pytest.mark.parametrize("message", ["hi", None, 3, ["role"], {"content": "x"}, {"role": 1}])
def test_what_is_no_message_is_named_by_its_place(message: Any) -> None:
    with pytest.raises(UnsendableError, match=r"messages\[1\]"):
        prepare({"role": "user", "content": "q"}, message)


_PART = st.one_of(
    st.builds(text, st.text(max_size=5)),
    st.just({"type": "image_url", "image_url": "https://x/y.png"}),
    st.just({"type": "image_url", "image_url": {"url": "u", "format": "png"}}),
)
_MESSAGE = st.fixed_dictionaries(
    {
        "role": st.sampled_from(["system", "developer", "user", "assistant", "tool"]),
        "content": st.none() | st.text(max_size=5) | st.lists(_PART, max_size=3),
    },
    optional={
        "cache_control": st.just(dict(EPHEMERAL)),
        "reasoning_content": st.text(max_size=3),
        "tool_calls": st.just([{"index": 0, "id": "c", "function": {"name": "f", "arguments": None}}]),
    },
)


@given(messages=st.lists(_MESSAGE, max_size=6))
def test_the_callers_messages_are_never_changed_and_the_portals_rule_always_holds(
    messages: list[Any],
) -> None:
    before = copy.deepcopy(messages)
    prepared = prepare_messages(messages, for_portal=True)
    assert messages == before
    assert [m["role"] for m in prepared].count("system") == 1
    first = prepared[0]
    assert first["role"] == "system"
    assert any(part.get("cache_control") for part in first["content"])
    assert all(m["role"] != "developer" for m in prepared)
    sent = "".join(part.get("text", "") for part in first["content"])
    for message in messages:
        if message["role"] in {"system", "developer"} and isinstance(message["content"], str):
            assert message["content"] in sent
