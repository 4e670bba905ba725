"""The two shells, over real HTTP: connecting, ending, failing, being dropped."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import litellm
import pytest

from litellm_qwen_ai.chat.context import AnswerContext
from litellm_qwen_ai.chat.stream import AsyncChatStream, ChatStream


@pytest.fixture
def client() -> Iterator[httpx.Client]:
    with httpx.Client(timeout=60, trust_env=False) as made:
        yield made


@pytest.fixture
async def aclient() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(timeout=60, trust_env=False) as made:
        yield made


CONTEXT = AnswerContext("coder-model", with_login=True, timeout=5)
Opened = tuple[httpx.Response, AnswerContext]


class Opener:
    """Opens the stream; remembers what it opened."""

    def __init__(self, client: Any, url: str) -> None:
        self._client = client
        self._url = url
        self.opened: list[httpx.Response] = []

    def sync(self) -> Opened:
        response: httpx.Response = self._client.send(self._request(), stream=True)
        self.opened.append(response)
        return response, CONTEXT

    async def asynchronous(self) -> Opened:
        response: httpx.Response = await self._client.send(self._request(), stream=True)
        self.opened.append(response)
        return response, CONTEXT

    def _request(self) -> httpx.Request:
        request: httpx.Request = self._client.build_request("POST", self._url, content=b"{}")
        return request


@pytest.fixture
def open_sync(client: httpx.Client, server: Any) -> Opener:
    return Opener(client, server.url)


@pytest.fixture
def open_async(aclient: httpx.AsyncClient, server: Any) -> Opener:
    return Opener(aclient, server.url)


def content(chunks: list[Any]) -> str:
    return "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)


def whole(wire: Any) -> list[bytes]:
    body = wire.delta({"content": "你"}) + wire.delta({"content": "好"}, "stop") + wire.usage() + wire.done
    return [body[i : i + 7] for i in range(0, len(body), 7)]


def test_chunks_come_out_and_the_connection_is_used_again(server: Any, wire: Any, open_sync: Opener) -> None:
    server.sends(*whole(wire), headers={"X-Request-Id": "r1"})
    for _ in range(3):
        stream = ChatStream(open_sync.sync)
        assert dict(stream.headers) == {}
        stream.connect()
        assert stream.headers["x-request-id"] == "r1"
        chunks = list(stream)
        assert content(chunks) == "你好"
        assert chunks[-1].choices[0].finish_reason == "stop"
        assert list(stream) == []
    assert server.connections == 1
    assert all(response.is_closed for response in open_sync.opened)


async def test_async_chunks_come_out_and_the_connection_is_used_again(
    server: Any, wire: Any, open_async: Opener
) -> None:
    server.sends(*whole(wire), headers={"X-Request-Id": "r1"})
    for _ in range(3):
        stream = AsyncChatStream(open_async.asynchronous)
        await stream.connect()
        assert stream.headers["x-request-id"] == "r1"
        chunks = [chunk async for chunk in stream]
        assert content(chunks) == "你好"
        assert chunks[-1].choices[0].finish_reason == "stop"
    assert server.connections == 1


def test_nothing_is_sent_before_the_first_chunk_is_asked_for(
    open_sync: Opener, server: Any, wire: Any
) -> None:
    server.sends(*whole(wire))
    stream = ChatStream(open_sync.sync)
    assert open_sync.opened == []
    next(stream)
    stream.connect()
    assert len(open_sync.opened) == 1


def test_an_async_stream_needs_no_loop_to_be_made() -> None:
    async def never() -> Opened:
        raise AssertionError

    assert dict(AsyncChatStream(never).headers) == {}


class _RefusedError(Exception):
    pass


def test_the_openers_error_comes_out_once_and_it_is_not_asked_again() -> None:
    calls = []

    def opener() -> Opened:
        calls.append(1)
        raise _RefusedError

    stream = ChatStream(opener)
    with pytest.raises(_RefusedError):
        next(stream)
    assert list(stream) == []
    assert len(calls) == 1


async def test_the_async_openers_error_comes_out_of_connect_and_it_is_not_asked_again() -> None:
    calls = []

    async def opener() -> Opened:
        calls.append(1)
        raise _RefusedError

    stream = AsyncChatStream(opener)
    with pytest.raises(_RefusedError):
        await stream.connect()
    assert [chunk async for chunk in stream] == []
    assert len(calls) == 1


def test_an_error_in_the_stream_comes_after_the_chunks_before_it(
    server: Any, wire: Any, open_sync: Opener
) -> None:
    server.sends(wire.delta({"content": "kept"}) + wire.event({"error": {"message": "Throttling"}}))
    stream = ChatStream(open_sync.sync)
    assert content([next(stream)]) == "kept"
    with pytest.raises(litellm.RateLimitError):
        next(stream)
    assert list(stream) == []
    assert open_sync.opened[0].is_closed


def test_a_cut_connection_is_mapped(server: Any, wire: Any, open_sync: Opener) -> None:
    server.sends(wire.delta({"content": "half"}), cut=True)
    stream = ChatStream(open_sync.sync)
    assert content([next(stream)]) == "half"
    with pytest.raises(litellm.APIConnectionError) as caught:
        next(stream)
    assert isinstance(caught.value.__cause__, httpx.RemoteProtocolError)
    assert open_sync.opened[0].is_closed


@pytest.mark.parametrize("read", [0, 1])
def test_a_dropped_stream_gives_its_connection_back_without_the_garbage_collector(
    read: int, server: Any, wire: Any, open_sync: Opener
) -> None:
    server.sends(*whole(wire))
    gc.disable()
    try:
        stream = ChatStream(open_sync.sync)
        stream.connect()
        for _ in range(read):
            next(stream)
        del stream
        assert open_sync.opened[0].is_closed
    finally:
        gc.enable()


async def test_a_dropped_async_stream_gives_its_connection_back(
    server: Any, wire: Any, open_async: Opener
) -> None:
    server.sends(*whole(wire))
    stream = AsyncChatStream(open_async.asynchronous)
    await anext(stream)
    del stream
    for _ in range(20):
        await asyncio.sleep(0)
    assert open_async.opened[0].is_closed


async def test_cancelling_a_reader_closes_the_response(server: Any, wire: Any, open_async: Opener) -> None:
    server.sends(wire.delta({"content": "a"}), hold=threading.Event())
    stream = AsyncChatStream(open_async.asynchronous)
    await anext(stream)
    reader = asyncio.create_task(anext(stream))  # type: ignore[arg-type]  # a coroutine
    await asyncio.sleep(0)
    reader.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reader
    assert open_async.opened[0].is_closed
    assert [chunk async for chunk in stream] == []


class Endless(httpx.AsyncByteStream):
    """An answer whose end never comes, however long it is waited for."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self._content
        await asyncio.Event().wait()


async def test_a_body_that_never_ends_after_done_is_not_waited_for(wire: Any) -> None:
    response = httpx.Response(200, stream=Endless(wire.delta({"content": "a"}, "stop") + wire.done))
    stream = AsyncChatStream(lambda: _of(response), drain_seconds=0)

    async def read() -> list[Any]:
        return [chunk async for chunk in stream]

    chunks = await asyncio.wait_for(read(), 30)
    assert (content(chunks), chunks[-1].choices[0].finish_reason) == ("a", "stop")
    assert response.is_closed


async def _of(response: httpx.Response) -> Opened:
    return response, CONTEXT
