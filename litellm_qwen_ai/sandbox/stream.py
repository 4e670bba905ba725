"""A completion as JSON or as a stream, in Qwen's own odd style."""

from __future__ import annotations

import json
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from litellm_qwen_ai.sandbox.words import tokens

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from litellm_qwen_ai.sandbox.compose import Choice, Completion, ToolCall

PING = b": ping\n\n"
DONE = b"data: [DONE]\n\n"
_SHARD = 9  # characters of arguments in each chunk
_PING_EVERY = 16  # chunks


def completion_json(completion: Completion) -> dict[str, Any]:
    """Return the answer to a call without `stream`."""
    return {
        "id": completion.id,
        "object": "chat.completion",
        "created": completion.created,
        "model": completion.model,
        "system_fingerprint": completion.fingerprint,
        "choices": [_choice_json(choice, at, completion) for at, choice in enumerate(completion.choices)],
        "usage": completion.usage,
    }


def stream_chunks(completion: Completion, *, include_usage: bool) -> list[dict[str, Any]]:
    """Return the chunks of a stream; usage comes in one of its own after the finish."""
    each = [list(_choice_chunks(choice, at, completion)) for at, choice in enumerate(completion.choices)]
    mixed = [part for parts in zip_longest(*each) for part in parts if part is not None]
    chunks = [_chunk(completion, [part], None) for part in mixed]
    if include_usage:
        chunks.append(_chunk(completion, [], completion.usage))
    return chunks


def event(chunk: Mapping[str, Any]) -> bytes:
    """Return a chunk as a server-sent event."""
    return b"data: " + json.dumps(chunk, ensure_ascii=False, separators=(",", ":")).encode() + b"\n\n"


def events(chunks: list[dict[str, Any]]) -> list[bytes]:
    """Return chunks as events with keep-alive comments between them, without `[DONE]`."""
    pieces: list[bytes] = []
    for at, chunk in enumerate(chunks):
        pieces += [PING] * (at % _PING_EVERY == 1)
        pieces.append(event(chunk))
    return pieces


def logprobs_of(text: str, top: int) -> dict[str, Any]:
    """Return made-up log probabilities for each token of a text."""
    return {"content": [_token_json(token, top) for token in tokens(text)]}


def _token_json(token: str, top: int) -> dict[str, Any]:
    said = {"token": token, "bytes": list(token.encode()), "logprob": -0.25}
    others = [{**said, "logprob": -0.25 - at} for at in range(top)]
    return {**said, "top_logprobs": others}


def _choice_json(choice: Choice, at: int, completion: Completion) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": choice.content}
    if choice.reasoning is not None:
        message["reasoning_content"] = choice.reasoning
    if choice.tool_calls:
        message["tool_calls"] = [
            {**_function(call.id, call.name, call.arguments), "index": index}
            for index, call in enumerate(choice.tool_calls)
        ]
    top = completion.top_logprobs
    return {
        "index": at,
        "message": message,
        "finish_reason": choice.finish_reason,
        "logprobs": None if top is None else logprobs_of(choice.content, top),
    }


def _chunk(completion: Completion, choices: list[Any], usage: Mapping[str, Any] | None) -> dict[str, Any]:
    return {
        "id": completion.id,
        "object": "chat.completion.chunk",
        "created": completion.created,
        "model": completion.model,
        "system_fingerprint": completion.fingerprint,
        "choices": choices,
        "usage": usage,
    }


def _choice_chunks(choice: Choice, at: int, completion: Completion) -> Iterator[dict[str, Any]]:
    top = completion.top_logprobs

    def part(delta: dict[str, Any], finish_reason: str | None = None) -> dict[str, Any]:
        text = delta.get("content")
        logprobs = logprobs_of(text, top) if text and top is not None else None
        return {"index": at, "delta": delta, "finish_reason": finish_reason, "logprobs": logprobs}

    yield part({"role": "assistant", "content": ""})
    for piece in tokens(choice.reasoning or ""):
        yield part({"content": None, "reasoning_content": piece})
    for piece in tokens(choice.content):
        yield part({"content": piece})
    for index, call in enumerate(choice.tool_calls):
        for shard in _shards(call):
            yield part({"content": None, "tool_calls": [{"index": index, **shard}]})
    yield part({"content": ""}, choice.finish_reason)


def _shards(call: ToolCall) -> Iterator[dict[str, Any]]:
    """Id and name come once; later shards carry them now empty, now null."""
    yield _function(call.id, call.name, "")
    for at in range(0, len(call.arguments), _SHARD):
        nothing = None if at // _SHARD % 2 else ""
        yield _function(nothing, nothing, call.arguments[at : at + _SHARD])


def _function(call_id: str | None, name: str | None, arguments: str) -> dict[str, Any]:
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}
