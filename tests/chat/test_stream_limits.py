"""Streams that never end by themselves."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import httpx
import litellm
import pytest

from litellm_qwen_ai.chat.context import AnswerContext
from litellm_qwen_ai.chat.stream import IDLE_READS, SILENT_SECONDS, AsyncChatStream, ChatStream

Collect = Callable[..., Any]


class Body(httpx.SyncByteStream, httpx.AsyncByteStream):
    """Some pieces, then one for ever; each of them takes a minute."""

    def __init__(self, *pieces: bytes, then: bytes) -> None:
        self._pieces = itertools.chain(pieces, itertools.repeat(then))
        self.minutes = 0

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._pieces:
            self.minutes += 1
            yield piece

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self:
            yield piece

    def clock(self) -> float:
        return self.minutes * 60.0


def _opened(stream: Body, timeout: float | None) -> tuple[httpx.Response, AnswerContext]:
    response = httpx.Response(200, stream=stream, request=httpx.Request("POST", "http://127.0.0.1/v1"))
    return response, AnswerContext("m", timeout=timeout)


async def _sync(stream: Body, timeout: float | None = None) -> list[Any]:
    return list(ChatStream(lambda: _opened(stream, timeout), clock=stream.clock))


async def _async(stream: Body, timeout: float | None = None) -> list[Any]:
    async def opener() -> tuple[httpx.Response, AnswerContext]:
        return _opened(stream, timeout)

    return [chunk async for chunk in AsyncChatStream(opener, clock=stream.clock)]


@pytest.fixture(params=[_sync, _async], ids=["sync", "async"])
def collect(request: pytest.FixtureRequest) -> Collect:
    return request.param


@pytest.mark.parametrize("drip", [b": ping\n\n", b"x", b"data: "], ids=["comments", "a line", "half events"])
async def test_bytes_without_a_chunk_are_a_timeout_in_the_end(collect: Collect, drip: bytes) -> None:
    stream = Body(then=drip)
    with pytest.raises(litellm.Timeout):
        await collect(stream)
    assert stream.clock() == SILENT_SECONDS + 2 * 60


async def test_a_longer_timeout_of_the_call_counts_here_too(collect: Collect) -> None:
    stream = Body(then=b": ping\n\n")
    with pytest.raises(litellm.Timeout):
        await collect(stream, timeout=3 * SILENT_SECONDS)
    assert stream.clock() == 3 * SILENT_SECONDS + 2 * 60


async def test_a_chunk_ends_the_silence(collect: Collect, wire: Any) -> None:
    silence = [b": ping\n\n"] * 9
    half = (*silence, wire.delta({"content": "a"}))
    chunks = await collect(Body(*half, *half, *half, wire.delta(finish="stop"), wire.done, then=b"\n"))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == "aaa"


async def test_what_comes_after_done_without_end_is_not_waited_for(collect: Collect, wire: Any) -> None:
    stream = Body(wire.delta({"content": "a"}, finish="stop"), wire.done, then=b"more\n")
    assert await collect(stream)
    assert stream.minutes == 2 + IDLE_READS + 1
