"""Every way out of a stream closes its response, in the synchronous and in the asynchronous form."""

from __future__ import annotations

import contextlib
import functools
import itertools
import json
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import httpx
import litellm
import pytest

from litellm_qwen_ai.chat.context import AnswerContext
from litellm_qwen_ai.chat.stream import IDLE_READS, SILENT_SECONDS, AsyncChatStream, ChatStream


def event(value: Any) -> bytes:
    return b"data: " + json.dumps(value).encode() + b"\n\n"


HALF = event({"choices": [{"index": 0, "delta": {"content": "a"}}]})
WHOLE = HALF + event({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
DONE = b"data: [DONE]\n\n"


class Body(httpx.SyncByteStream, httpx.AsyncByteStream):
    """Pieces; one that is an exception is raised. Counts how often it is closed."""

    def __init__(self, *pieces: bytes | BaseException, then: bytes | None = None) -> None:
        self._pieces: Iterator[bytes | BaseException] = iter(pieces)
        if then is not None:
            self._pieces = itertools.chain(self._pieces, itertools.repeat(then))
        self.reads = 0
        self.closed = 0

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._pieces:
            self.reads += 1
            if isinstance(piece, BaseException):
                raise piece
            yield piece

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self:
            yield piece

    def close(self) -> None:
        self.closed += 1

    async def aclose(self) -> None:
        self.closed += 1

    def opened(self) -> httpx.Response:
        return httpx.Response(200, stream=self, request=httpx.Request("POST", "http://127.0.0.1"))

    def clock(self) -> float:
        return self.reads * 60.0


class Form:
    """A stream read in one of the two forms; each piece of its body takes a minute."""

    def __init__(self, body: Body, *, asynchronous: bool, timeout: float | None = 12.5) -> None:
        context = AnswerContext("coder-model", with_login=True, timeout=timeout)
        self.said = ""
        self.sync: Any = None
        self.asynchronous: Any = None
        if asynchronous:

            async def opener() -> tuple[httpx.Response, AnswerContext]:
                return body.opened(), context

            self.asynchronous = AsyncChatStream(opener, clock=body.clock)
        else:
            self.sync = ChatStream(lambda: (body.opened(), context), clock=body.clock)

    async def next(self) -> Any:
        return next(self.sync, None) if self.sync else await anext(self.asynchronous, None)

    async def text(self) -> str:
        """What is left of the answer; `said` has it too, up to an error."""
        while (chunk := await self.next()) is not None:
            self.said += (chunk.choices[0].delta.content or "") if chunk.choices else ""
        return self.said

    async def connect(self) -> None:
        if self.sync:
            self.sync.connect()
        else:
            await self.asynchronous.connect()

    async def close(self) -> None:
        if self.sync:
            self.sync.close()
        else:
            await self.asynchronous.aclose()


Read = Callable[..., Form]


@pytest.fixture(params=[False, True], ids=["sync", "async"])
def read(request: pytest.FixtureRequest) -> Read:
    return functools.partial(Form, asynchronous=request.param)


@pytest.mark.parametrize(
    ("pieces", "then", "raised"),
    [
        ([WHOLE, DONE], None, None),
        ([WHOLE], None, None),
        ([WHOLE, httpx.ReadError("cut")], None, None),
        ([WHOLE + DONE], b": more\n", None),
        ([WHOLE + DONE, httpx.ReadError("cut")], None, None),
        ([HALF], None, litellm.APIConnectionError),
        ([HALF, httpx.RemoteProtocolError("cut")], None, litellm.APIConnectionError),
        ([HALF, httpx.ReadTimeout("")], None, litellm.Timeout),
        ([HALF], b": ping\n\n", litellm.Timeout),
        ([HALF, event({"error": {"message": "Throttling"}})], b"x", litellm.RateLimitError),
        ([HALF, b"data: not json\n\n"], b"x", litellm.InternalServerError),
        ([HALF, KeyboardInterrupt()], None, KeyboardInterrupt),
    ],
    ids=[
        "done",
        "no done",
        "cut after the finish",
        "never ends",
        "cut after done",
        "ends early",
        "cut",
        "silence",
        "comments only",
        "refused",
        "malformed",
        "interrupted",
    ],
)
async def test_the_response_is_closed_at_whatever_end(
    read: Read, pieces: list[Any], then: bytes | None, raised: type[BaseException] | None
) -> None:
    body = Body(*pieces, then=then)
    stream = read(body)
    with pytest.raises(raised) if raised else contextlib.nullcontext():
        await stream.text()
    assert stream.said == "a"
    assert body.closed == 1
    assert await stream.text() == "a"


@pytest.mark.parametrize("chunks", [0, 1])
async def test_closing_early_closes_the_response_once(read: Read, chunks: int) -> None:
    body = Body(HALF + HALF, then=HALF)
    stream = read(body)
    await stream.connect()
    for _ in range(chunks):
        await stream.next()
    await stream.close()
    await stream.close()
    assert body.closed == 1
    assert await stream.text() == ""


async def test_a_stream_closed_before_it_connects_opens_nothing(read: Read) -> None:
    body = Body(WHOLE, DONE)
    stream = read(body)
    await stream.close()
    await stream.connect()
    assert await stream.text() == ""
    assert (body.reads, body.closed) == (0, 0)


def test_a_stream_closed_while_it_opens_closes_what_it_then_gets() -> None:
    body = Body(WHOLE, DONE)

    def opener() -> tuple[httpx.Response, AnswerContext]:
        stream.close()  # as another thread might
        return body.opened(), AnswerContext("m")

    stream = ChatStream(opener)
    assert list(stream) == []
    assert (body.reads, body.closed) == (0, 1)


async def test_an_async_stream_closed_while_it_opens_closes_what_it_then_gets() -> None:
    body = Body(WHOLE, DONE)

    async def opener() -> tuple[httpx.Response, AnswerContext]:
        await stream.aclose()
        return body.opened(), AnswerContext("m")

    stream = AsyncChatStream(opener)
    assert [chunk async for chunk in stream] == []
    assert (body.reads, body.closed) == (0, 1)


async def test_silence_is_a_timeout_that_names_the_calls_own_limit_and_model(read: Read) -> None:
    stream = read(Body(HALF, httpx.ReadTimeout("The read operation timed out")))
    await stream.next()
    with pytest.raises(litellm.Timeout, match=r"\(timeout 12\.5 s\)") as caught:
        await stream.next()
    assert (caught.value.model, caught.value.llm_provider) == ("coder-model", "qwen_ai")


@pytest.mark.parametrize("drip", [b": ping\n\n", b"x", b"data: "], ids=["comments", "a line", "half events"])
@pytest.mark.parametrize("timeout", [None, 5.0, 3 * SILENT_SECONDS])
async def test_bytes_without_a_chunk_are_a_timeout_in_the_end(
    read: Read, drip: bytes, timeout: float | None
) -> None:
    body = Body(then=drip)
    with pytest.raises(litellm.Timeout):
        await read(body, timeout=timeout).text()
    assert body.clock() == max(SILENT_SECONDS, timeout or 0) + 2 * 60


async def test_a_chunk_ends_the_silence(read: Read) -> None:
    half = (*[b": ping\n\n"] * 9, HALF)
    assert await read(Body(*half, *half, *half, WHOLE, DONE, then=b"\n")).text() == "aaaa"


async def test_what_comes_after_done_without_end_is_not_waited_for(read: Read) -> None:
    body = Body(WHOLE, DONE, then=b"more\n")
    assert await read(body).text() == "a"
    assert body.reads == 2 + IDLE_READS + 1
