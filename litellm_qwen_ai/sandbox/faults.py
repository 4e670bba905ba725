"""The damages of `answer_table.py`: what can go wrong with a chat answer on its way."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import TYPE_CHECKING, Any

from litellm_qwen_ai.sandbox.answer_table import CHAT_ERRORS
from litellm_qwen_ai.sandbox.stream import DONE, PING, completion_json, events, stream_chunks
from litellm_qwen_ai.sandbox.wire import EVENT_STREAM_TYPE, Reply, json_reply

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from litellm_qwen_ai.sandbox.compose import Completion

Chunk = dict[str, Any]
_ERROR_TEXT = "Requests throttling triggered, please try again later."
# The error that each of these sends inside a stream, or as JSON with status 200 when there is no stream.
_SENDS_ERROR = {
    "error_event": "throttled",
    "error_first": "throttled",
    "error_event_quota": "quota_spent",
    "error_event_inspection": "inspection_failed",
    "json_error_stream": "quota_spent",
}

# The nearest thing to a stream's damage where there is no stream.
_AS_JSON = {
    "html_stream": "html_200",
    "empty_stream": "empty_200",
    "garbage_chunk": "not_json_200",
    "list_chunk": "json_list_200",
    "deep_chunk": "deeply_nested_200",
    "wrong_types_chunk": "wrong_types_200",
    "invalid_utf8_chunk": "invalid_utf8_200",
    "huge_line": "huge_200",
}


def stream_reply(completion: Completion, *, include_usage: bool, fault: str | None = None) -> Reply:
    """Return a completion as a stream, damaged if asked.

    Args:
        completion: The answer.
        include_usage: The request's `stream_options.include_usage`.
        fault: The name of a damage; None for a sound stream.
    """
    if fault == "html_stream":
        return CHAT_ERRORS["html_200"].reply()
    if fault == "json_error_stream":
        return CHAT_ERRORS[_SENDS_ERROR[fault]].reply()
    chunks = stream_chunks(completion, include_usage=include_usage)
    chunks = _CHUNK_FAULTS.get(fault or "", list)(chunks)
    pieces = _inserted(events(chunks), fault)
    if fault not in _WITHOUT_DONE:
        pieces.append(DONE)
    pieces = _PIECE_FAULTS.get(fault or "", list)(pieces)
    headers = {"content-type": EVENT_STREAM_TYPE, "cache-control": "no-cache"}
    return Reply(200, headers, tuple(pieces), streamed=True, cut=fault == "stream_cut")


def json_with_fault(completion: Completion, fault: str) -> Reply:
    """Return a completion as JSON with the nearest thing to a stream's damage."""
    whole = completion_json(completion)
    if fault in _SENDS_ERROR:
        return CHAT_ERRORS[_SENDS_ERROR[fault]].reply(status=200)
    if fault in _AS_JSON:
        return CHAT_ERRORS[_AS_JSON[fault]].reply()
    if fault in ("stream_cut", "stream_ends_early"):
        body = json.dumps(whole).encode()
        headers = {"content-type": "application/json", "content-length": str(len(body))}
        return Reply(200, headers, (body[: len(body) // 2],), cut=True)
    for choice in whole["choices"]:
        if fault == "error_finish":
            choice.update(finish_reason="error_finish", message={"role": "assistant", "content": _ERROR_TEXT})
        elif fault == "stop_after_tools":
            choice["finish_reason"] = "stop"
    if fault == "no_usage":
        del whole["usage"]
    return json_reply(whole)


# -- damages of the chunks -------------------------------------------------


def _half(chunks: list[Chunk]) -> list[Chunk]:
    return [chunk for chunk in chunks if not _finishes(chunk)][: max(2, len(chunks) // 2)]


def _finishes(chunk: Chunk) -> bool:
    return not chunk["choices"] or any(choice["finish_reason"] for choice in chunk["choices"])


def _no_finish(chunks: list[Chunk]) -> list[Chunk]:
    return [chunk for chunk in chunks if not chunk["choices"] or not _finishes(chunk)]


def _error_finish(chunks: list[Chunk]) -> list[Chunk]:
    last = deepcopy(chunks[0])
    last["choices"][0].update(delta={"content": _ERROR_TEXT}, finish_reason="error_finish")
    return [*_half(chunks), last]


def _reused_index(chunks: list[Chunk]) -> list[Chunk]:
    for call in _calls(chunks):
        call["index"] = 0
    return chunks


def _replayed_arguments(chunks: list[Chunk]) -> list[Chunk]:
    """After the last shard each call comes once more, complete."""
    complete: dict[int, dict[str, Any]] = {}
    for call in _calls(chunks):
        known = complete.setdefault(call["index"], {**deepcopy(call)})
        known["function"]["arguments"] += call["function"]["arguments"]
    if not complete:
        return chunks
    at = next(at for at, chunk in enumerate(chunks) if _finishes(chunk))
    replay = deepcopy(chunks[0])
    replay["choices"][0]["delta"] = {"content": None, "tool_calls": list(complete.values())}
    return [*chunks[:at], replay, *chunks[at:]]


def _calls(chunks: list[Chunk]) -> list[dict[str, Any]]:
    return [
        call
        for chunk in chunks
        for choice in chunk["choices"]
        for call in choice["delta"].get("tool_calls") or []
    ]


def _repeated_finish(chunks: list[Chunk]) -> list[Chunk]:
    found: list[Chunk] = []
    for chunk in chunks:
        found += [chunk, chunk] if chunk["choices"] and _finishes(chunk) else [chunk]
    return found


def _stop_after_tools(chunks: list[Chunk]) -> list[Chunk]:
    for chunk in chunks:
        for choice in chunk["choices"]:
            choice["finish_reason"] = choice["finish_reason"] and "stop"
    return chunks


def _usage_with_finish(chunks: list[Chunk]) -> list[Chunk]:
    usage = next((chunk["usage"] for chunk in chunks if chunk["usage"]), None)
    kept = _no_usage(chunks)
    kept[-1]["usage"] = usage
    return kept


def _no_usage(chunks: list[Chunk]) -> list[Chunk]:
    return [chunk for chunk in chunks if chunk["choices"]]


def _bare_deltas(chunks: list[Chunk]) -> list[Chunk]:
    for chunk in chunks:
        for choice in chunk["choices"]:
            choice["delta"] = {
                name: value for name, value in choice["delta"].items() if value and name != "role"
            }
    return chunks


def _with_tick(chunks: list[Chunk]) -> list[Chunk]:
    """Add a character of three bytes, so that there is one to split."""
    tick = deepcopy(chunks[0])
    tick["choices"][0]["delta"] = {"content": "\N{CHECK MARK}"}
    return [chunks[0], tick, *chunks[1:]]


_CHUNK_FAULTS: Mapping[str, Callable[[list[Chunk]], list[Chunk]]] = {
    "stream_cut": _half,
    "stream_ends_early": _half,
    "empty_stream": lambda _: [],
    "no_finish": _no_finish,
    "error_event": _half,
    "error_event_quota": _half,
    "error_event_inspection": _half,
    "error_first": lambda _: [],
    "error_finish": _error_finish,
    "reused_index": _reused_index,
    "replayed_arguments": _replayed_arguments,
    "repeated_finish": _repeated_finish,
    "stop_after_tools": _stop_after_tools,
    "usage_with_finish": _usage_with_finish,
    "no_usage": _no_usage,
    "bare_deltas": _bare_deltas,
    "split_utf8": _with_tick,
}
_WITHOUT_DONE = frozenset(
    {"stream_cut", "stream_ends_early", "no_done", "empty_stream", "error_event", "error_event_quota"}
    | {"error_event_inspection", "error_first"}
)

# -- damages of the bytes --------------------------------------------------


_BAD_LINES: Mapping[str, Callable[[], bytes]] = {
    "garbage_chunk": lambda: b"data: {not json\n\n",
    "list_chunk": lambda: b"data: [1]\n\n",
    "deep_chunk": lambda: b"data: " + b"[" * 100_000 + b"\n\n",
    "wrong_types_chunk": lambda: b'data: {"choices": [{"index": "x", "delta": {"content": []}}]}\n\n',
    "invalid_utf8_chunk": lambda: b"data: \xff\xfe{\n\n",
    "huge_line": lambda: b"data: " + b"x" * 17_000_000,
}


def _inserted(pieces: list[bytes], fault: str | None) -> list[bytes]:
    """Put in what is no chunk."""
    if fault in _SENDS_ERROR:
        error = CHAT_ERRORS[_SENDS_ERROR[fault]]
        head = f"id:1\nevent:error\n:HTTP_STATUS/{error.status}\ndata:".encode()
        return [*pieces, head + error.reply().body + b"\n\n"]
    if fault is not None and fault in _BAD_LINES:
        half = len(pieces) // 2
        return [*pieces[:half], _BAD_LINES[fault](), *pieces[half:]]
    if fault == "many_pings":
        return [piece for one in pieces for piece in (PING, one)]
    return pieces


def _split_utf8(pieces: list[bytes]) -> list[bytes]:
    """Start a new write after the first byte of every character that has several."""
    found: list[bytes] = []
    for piece in pieces:
        start = 0
        for at, byte in enumerate(piece):
            if byte >= 0xC0:  # noqa: PLR2004  # the first byte of a character of several bytes
                found.append(piece[start : at + 1])
                start = at + 1
        found.append(piece[start:])
    return found


def _data_lines(pieces: list[bytes]) -> list[bytes]:
    found = []
    for piece in pieces:
        if not piece.startswith(b"data: {"):
            found.append(piece)
            continue
        lines = (
            json.dumps(json.loads(piece[len(b"data: ") :]), ensure_ascii=False, indent=1)
            .encode()
            .split(b"\n")
        )
        found.append(b"".join(b"data: " + line + b"\n" for line in lines) + b"\n")
    return found


_PIECE_FAULTS: Mapping[str, Callable[[list[bytes]], list[bytes]]] = {
    "crlf": lambda pieces: [piece.replace(b"\n", b"\r\n") for piece in pieces],
    "split_utf8": _split_utf8,
    "byte_by_byte": lambda pieces: [bytes([byte]) for piece in pieces for byte in piece],
    "one_write": lambda pieces: [b"".join(pieces)],
    "no_space": lambda pieces: [piece.replace(b"data: ", b"data:", 1) for piece in pieces],
    "data_lines": _data_lines,
    "byte_order_mark": lambda pieces: [b"\xef\xbb\xbf" + pieces[0], *pieces[1:]],
}
