"""Streams in Qwen's own style, sound and damaged, as a client sees them."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from litellm_qwen_ai.sandbox import ANSWERS, Sandbox
from litellm_qwen_ai.sandbox.compose import compose
from litellm_qwen_ai.sandbox.faults import stream_reply
from litellm_qwen_ai.sandbox.wire import Reply

FAULTS = sorted(name for name, answer in ANSWERS["chat"].items() if answer.fault)
CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOLS = [{"type": "function", "function": {"name": "get_weather", "parameters": CITY}}]
BOTH = "The weather in Paris and Rome?"


def _stream(client: Any, prompt: str = "Hello", *, usage: bool = True, **more: Any) -> httpx.Response:
    options = {"stream_options": {"include_usage": True}} if usage else {}
    response: httpx.Response = client.chat(prompt, stream=True, **options, **more)
    return response


def _chunks(response: httpx.Response) -> list[dict[str, Any]]:
    """Read a stream that is sound as far as its framing goes."""
    assert response.headers["content-type"].startswith("text/event-stream")
    lines = [
        line.removeprefix("data:").strip() for line in response.text.split("\n") if line.startswith("data:")
    ]
    return [json.loads(line) for line in lines if line != "[DONE]"]


def _deltas(chunks: list[dict[str, Any]], key: str) -> str:
    return "".join(chunk["choices"][0]["delta"].get(key) or "" for chunk in chunks if chunk["choices"])


def _shards(chunks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        call
        for chunk in chunks
        if chunk["choices"]
        for call in chunk["choices"][0]["delta"].get("tool_calls") or []
    ]


def _finishes(chunks: list[dict[str, Any]]) -> list[str]:
    found = [choice["finish_reason"] for chunk in chunks for choice in chunk["choices"]]
    return [reason for reason in found if reason]


# -- sound -------------------------------------------------------------------


def test_usage_comes_in_its_own_chunk_after_the_finish(client: Any) -> None:
    response = _stream(client)
    chunks = _chunks(response)
    assert _deltas(chunks, "content") == 'You said: "Hello".'
    assert chunks[-2]["choices"][0]["finish_reason"] == "stop"
    assert chunks[-1]["choices"] == []
    assert chunks[-1]["usage"] == client.chat("Hello").json()["usage"]
    assert [chunk["usage"] for chunk in chunks[:-1]] == [None] * (len(chunks) - 1)
    assert response.text.endswith("data: [DONE]\n\n")
    assert len({chunk["id"] for chunk in chunks}) == 1


def test_usage_comes_only_when_it_is_asked_for(client: Any) -> None:
    assert all(chunk["choices"] for chunk in _chunks(_stream(client, usage=False)))


def test_keep_alive_comments_come_in_between(client: Any) -> None:
    assert "\n: ping\n" in _stream(client, "Count to 40").text


def test_tool_calls_come_in_shards_with_id_and_name_once(client: Any) -> None:
    chunks = _chunks(_stream(client, BOTH, tools=TOOLS))
    assert _finishes(chunks) == ["tool_calls"]
    for index, city in enumerate(["Paris", "Rome"]):
        shards = [shard for shard in _shards(chunks) if shard["index"] == index]
        assert shards[0]["id"].startswith("call_")
        assert shards[0]["function"] == {"name": "get_weather", "arguments": ""}
        assert {shard["id"] for shard in shards[1:]} == {"", None}
        assert {shard["function"]["name"] for shard in shards[1:]} == {"", None}
        assert json.loads("".join(shard["function"]["arguments"] for shard in shards)) == {"city": city}


def test_thinking_streams_in_deltas_of_its_own(client: Any) -> None:
    chunks = _chunks(_stream(client, enable_thinking=True))
    assert _deltas(chunks, "reasoning_content").startswith('The user wrote: "Hello".')
    thinking = [
        chunk
        for chunk in chunks
        if chunk["choices"] and chunk["choices"][0]["delta"].get("reasoning_content")
    ]
    assert all(chunk["choices"][0]["delta"]["content"] is None for chunk in thinking)
    assert _deltas(chunks, "content") == 'You said: "Hello".'


def test_several_choices_stream_mixed(client: Any) -> None:
    chunks = _chunks(_stream(client, n=2))
    assert [chunk["choices"][0]["index"] for chunk in chunks[:4]] == [0, 1, 0, 1]
    assert _finishes(chunks) == ["stop", "stop"]


def test_logprobs_come_for_every_token(client: Any) -> None:
    whole = client.chat("Hello", logprobs=True, top_logprobs=2).json()["choices"][0]
    tokens = whole["logprobs"]["content"]
    assert "".join(token["token"] for token in tokens) == whole["message"]["content"]
    assert {len(token["top_logprobs"]) for token in tokens} == {2}
    chunks = _chunks(_stream(client, "Hello", logprobs=True, top_logprobs=2))
    streamed = [chunk["choices"][0]["logprobs"] for chunk in chunks if chunk["choices"]]
    assert [token for part in streamed if part for token in part["content"]] == tokens


def test_without_a_stream_the_answer_is_one_object(client: Any) -> None:
    said = client.chat(BOTH, tools=TOOLS, enable_thinking=True).json()
    message = said["choices"][0]["message"]
    assert said["object"] == "chat.completion"
    assert message["content"] == ""
    assert message["reasoning_content"]
    assert [call["index"] for call in message["tool_calls"]] == [0, 1]
    assert said["choices"][0]["finish_reason"] == "tool_calls"


def test_a_system_message_seen_before_is_reported_as_cached(client: Any) -> None:
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello"}]

    def cached() -> int:
        usage = client.chat(messages=messages).json()["usage"]
        tokens: int = usage["prompt_tokens_details"]["cached_tokens"]
        return tokens

    assert cached() == 0
    assert cached() > 0


# -- damaged -----------------------------------------------------------------


def _damaged(client: Any, sandbox: Sandbox, fault: str, prompt: str = "Hello", **more: Any) -> httpx.Response:
    sandbox.answer_next("chat", fault)
    return _stream(client, prompt, **more)


def test_a_cut_connection_breaks_in_the_middle(client: Any, sandbox: Sandbox) -> None:
    sandbox.answer_next("chat", "stream_cut")
    body = {"model": "coder-model", "messages": [{"role": "user", "content": "Hello"}], "stream": True}
    headers = {"authorization": "Bearer sk-sandbox"}
    received: list[bytes] = []
    with (
        client.http.stream("POST", "/v1/chat/completions", json=body, headers=headers) as response,
        pytest.raises(httpx.RemoteProtocolError),
    ):
        received.extend(response.iter_raw())
    assert b"You" in b"".join(received)
    assert b'finish_reason":"stop' not in b"".join(received)


def test_the_end_of_a_stream_can_be_missing_or_double(client: Any, sandbox: Sandbox) -> None:
    for fault, finishes, done in [
        ("stream_ends_early", [], False),
        ("no_done", ["stop"], False),
        ("no_finish", [], True),
        ("repeated_finish", ["stop", "stop"], True),
    ]:
        response = _damaged(client, sandbox, fault)
        assert _finishes(_chunks(response)) == finishes
        assert ("[DONE]" in response.text) is done


def test_an_error_event_ends_the_stream(client: Any, sandbox: Sandbox) -> None:
    for fault, status, code in [
        ("error_event", 429, "Throttling.RateQuota"),
        ("error_event_quota", 429, "insufficient_quota"),
        ("error_event_inspection", 400, "data_inspection_failed"),
        ("error_first", 429, "Throttling.RateQuota"),
    ]:
        response = _damaged(client, sandbox, fault)
        assert response.status_code == 200
        last = response.text.rstrip("\n").split("\n\n")[-1].split("\n")
        assert "event:error" in last
        assert f":HTTP_STATUS/{status}" in last
        assert json.loads(last[-1].removeprefix("data:"))["error"]["code"] == code
        assert (len(_chunks(response)) == 1) is (fault == "error_first")


def test_an_error_finish_carries_its_text_as_content(client: Any, sandbox: Sandbox) -> None:
    last = _chunks(_damaged(client, sandbox, "error_finish"))[-1]["choices"][0]
    assert last["finish_reason"] == "error_finish"
    assert "throttling" in last["delta"]["content"]


def test_something_else_can_come_instead_of_a_stream(client: Any, sandbox: Sandbox) -> None:
    for fault, content_type in [("html_stream", "text/html"), ("json_error_stream", "application/json")]:
        response = _damaged(client, sandbox, fault)
        assert response.headers["content-type"].startswith(content_type)
        assert "data:" not in response.text


def test_a_stream_can_be_empty(client: Any, sandbox: Sandbox) -> None:
    response = _damaged(client, sandbox, "empty_stream")
    assert (response.status_code, response.content) == (200, b"")


def test_a_garbage_chunk_is_no_json(client: Any, sandbox: Sandbox) -> None:
    assert "data: {not json\n" in _damaged(client, sandbox, "garbage_chunk").text


def test_lines_can_end_in_cr_lf(client: Any, sandbox: Sandbox) -> None:
    content = _damaged(client, sandbox, "crlf").content
    assert content.count(b"\r\n") == content.count(b"\n") > 0


def test_other_framings_hold_the_same_answer(client: Any, sandbox: Sandbox) -> None:
    for fault in ("one_write", "byte_by_byte", "many_pings", "no_space", "split_utf8"):
        content = _deltas(_chunks(_damaged(client, sandbox, fault)), "content")
        assert content.replace("\N{CHECK MARK}", "") == 'You said: "Hello".', fault


@pytest.mark.parametrize(
    ("fault", "sizes"), [("one_write", lambda all_: [all_]), ("byte_by_byte", lambda all_: [1] * all_)]
)
def test_writes_can_be_of_any_size(fault: str, sizes: Any) -> None:
    reply = _reply(fault)
    assert [len(piece) for piece in reply.pieces] == sizes(len(reply.body))


def test_split_utf8_starts_writes_inside_characters() -> None:
    reply = _reply("split_utf8")
    split = [piece for piece in reply.pieces if piece and piece[-1] >= 0xC0]
    assert len(split) >= 2
    assert "Gr\u00fc\u00dfe" in _deltas(
        [json.loads(e[6:]) for e in reply.body.decode().split("\n\n") if e[6:7] == "{"], "content"
    )


def _reply(fault: str) -> Reply:
    payload = {"model": "coder-model", "messages": [{"role": "user", "content": "Grüße"}]}
    return stream_reply(compose(payload, created=1), include_usage=False, fault=fault)


def test_data_can_be_spread_over_lines(client: Any, sandbox: Sandbox) -> None:
    events = _damaged(client, sandbox, "data_lines").text.split("\n\n")
    lines = events[0].split("\n")
    assert len(lines) > 5
    first = json.loads("\n".join(line.removeprefix("data: ") for line in lines))
    assert first["object"] == "chat.completion.chunk"


def test_a_byte_order_mark_comes_once_and_first(client: Any, sandbox: Sandbox) -> None:
    content = _damaged(client, sandbox, "byte_order_mark").content
    assert content.startswith(b"\xef\xbb\xbfdata:")
    assert content.count(b"\xef\xbb\xbf") == 1


def test_an_index_can_be_used_for_two_ids(client: Any, sandbox: Sandbox) -> None:
    shards = _shards(_chunks(_damaged(client, sandbox, "reused_index", BOTH, tools=TOOLS)))
    assert {shard["index"] for shard in shards} == {0}
    assert len({shard["id"] for shard in shards if shard["id"]}) == 2


def test_complete_arguments_can_be_replayed_for_a_known_id(client: Any, sandbox: Sandbox) -> None:
    shards = _shards(_chunks(_damaged(client, sandbox, "replayed_arguments", BOTH, tools=TOOLS)))
    assert [json.loads(shard["function"]["arguments"]) for shard in shards[-2:]] == [
        {"city": "Paris"},
        {"city": "Rome"},
    ]
    known = [shard["id"] for shard in shards[:-2] if shard["id"]]
    assert [shard["id"] for shard in shards[-2:]] == known


def test_the_finish_can_say_stop_after_tool_calls(client: Any, sandbox: Sandbox) -> None:
    chunks = _chunks(_damaged(client, sandbox, "stop_after_tools", BOTH, tools=TOOLS))
    assert _shards(chunks)
    assert _finishes(chunks) == ["stop"]


def test_usage_can_come_with_the_finish_or_not_at_all(client: Any, sandbox: Sandbox) -> None:
    with_finish = _chunks(_damaged(client, sandbox, "usage_with_finish"))[-1]
    assert with_finish["choices"][0]["finish_reason"] == "stop"
    assert with_finish["usage"]["total_tokens"] > 0
    assert not any(chunk["usage"] for chunk in _chunks(_damaged(client, sandbox, "no_usage")))


def test_deltas_can_be_bare(client: Any, sandbox: Sandbox) -> None:
    deltas = [
        chunk["choices"][0]["delta"] for chunk in _chunks(_damaged(client, sandbox, "bare_deltas"))[:-1]
    ]
    assert deltas[0] == {}
    assert not any("role" in delta for delta in deltas)


def test_every_damage_does_something_to_a_stream(client: Any, sandbox: Sandbox) -> None:
    sound = _outcome(client)
    for fault in FAULTS:
        sandbox.answer_next("chat", fault)
        # Where a write ends is invisible here: TCP does not keep it. Those are looked at as pieces below.
        assert (_outcome(client) != sound) or fault in ("one_write", "byte_by_byte"), fault


def test_a_call_without_a_stream_gets_the_nearest_thing(client: Any, sandbox: Sandbox) -> None:
    for fault in FAULTS:
        sandbox.answer_next("chat", fault)
        _is_the_nearest_thing(client, fault)


def _is_the_nearest_thing(client: Any, fault: str) -> None:
    try:
        response = client.chat(BOTH, tools=TOOLS)
    except httpx.RemoteProtocolError:
        assert fault in ("stream_cut", "stream_ends_early")
        return
    assert response.status_code == 200
    broken = {"html_stream", "empty_stream", "garbage_chunk", "deep_chunk", "invalid_utf8_chunk"}
    if fault in broken:
        with pytest.raises((ValueError, RecursionError)):
            response.json()
    elif fault in ("list_chunk", "wrong_types_chunk", "huge_line"):
        assert not isinstance(response.json(), dict) or not isinstance(response.json().get("choices"), list)
    elif fault.startswith(("error_event", "error_first", "json_error")):
        assert response.json()["error"]["message"]
    else:
        choice = response.json()["choices"][0]
        expected = {"error_finish": "error_finish", "stop_after_tools": "stop"}.get(fault, "tool_calls")
        assert choice["finish_reason"] == expected, fault


def _outcome(client: Any) -> str:
    try:
        response = _stream(client, BOTH, tools=TOOLS)
    except httpx.RemoteProtocolError:
        return "cut"
    text: str = response.text
    for chunk_id in {
        json.loads(line[6:]).get("id") for line in text.split("\n") if line.startswith('data: {"id')
    }:
        text = text.replace(chunk_id, "ID")
    for shard in _shards_in(text):
        text = text.replace(shard, "CALL")
    return text


def _shards_in(text: str) -> set[str]:
    return {part[:29] for part in text.split('"') if part.startswith("call_")}
