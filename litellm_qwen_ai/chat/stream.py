"""A streamed answer as an iterator, for synchronous and for asynchronous callers.

Both take an opener, which sends the request and returns the open response (status 200, body unread) and what
it is read with, so that they may be made before anything is sent. Both read to the end of the body after
`[DONE]`, since an unread end costs the connection, and close the response however the iteration ends. They
read the body as it comes off the wire: a packed one is refused before, and httpx's own iterators take 10 us
to unpack and count.

They are plain iterators rather than generators: a generator that sees `self` forms a cycle, and a stream that
its consumer dropped would keep its connection until the garbage collector came by.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Awaitable, Callable
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import httpx

from litellm_qwen_ai.chat.context import AnswerContext
from litellm_qwen_ai.chat.decoder import StreamDecoder
from litellm_qwen_ai.chat.errors import error_from_transport

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping

    from litellm.types.utils import ModelResponseStream

DRAIN_SECONDS = 2.0
"""How long the async stream waits for the end of the body after `[DONE]`. A sync read cannot be interrupted:
there the call's own read timeout is the limit."""
SILENT_SECONDS = 600.0
"""How long bytes may come without a chunk (comments, or a line that never ends) before that is a Timeout,
unless the call's own timeout is longer. Where no bytes come, the call's own timeout alone counts."""

IDLE_READS = 8
"""Pieces that are read after `[DONE]` in the hope of the end; then the connection is given up."""

Opener = TypeVar("Opener")


class _Stream(Generic[Opener]):
    """What both streams share: the chunks that are ready, and how the answer ended.

    The opener sends the request and maps its own errors, and may fill `hidden`, which is shown beside the
    stream, as each chunk's `_hidden_params`. `on_failure` is told of what ends the stream early. The clock is
    monotonic, in seconds.
    """

    qwen_ai_stream = True  # how route/patches.py knows a stream of ours among LiteLLM's others

    def __init__(
        self,
        opener: Opener,
        *,
        hidden: Mapping[str, Any] = MappingProxyType({}),
        on_failure: Callable[[Exception], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
        drain_seconds: float = DRAIN_SECONDS,
    ) -> None:
        self.headers: Mapping[str, str] = httpx.Headers()  # the answer's, once it is there
        self.hidden = hidden
        self._on_failure = on_failure
        self._opener: Opener | None = opener
        self._clock = clock
        self._drain_seconds = drain_seconds
        self._response: httpx.Response | None = None
        self._ready: deque[ModelResponseStream] = deque()
        self._over = self._closed = False
        self._failure: Exception | None = None
        self._silent_since: float | None = None
        self._idle_reads = 0

    def _opening(self) -> Opener | None:
        """The opener, once: until it has opened something the stream is over."""
        if self._over:
            return None
        opener, self._opener = self._opener, None
        self._over = opener is not None
        return opener

    def _opened(self, response: httpx.Response, context: AnswerContext) -> Any:
        """Take the response; returns its body."""
        self._response = response
        self.headers = response.headers
        self._context = context.answered(response.headers)
        self._decoder = StreamDecoder(self._context)
        self._over = False
        return response.stream

    def _take(self, data: bytes | None) -> None:
        """Decode what was read; None is the end of the body."""
        for chunk in self._decoder.feed(data):
            chunk._hidden_params.update(self.hidden)  # noqa: SLF001  # where LiteLLM looks for it
            self._ready.append(chunk)
        if self._decoder.failure is not None or data is None:
            self._over, self._failure = True, self._decoder.failure
        elif self._ready:
            self._silent_since = None
        else:
            self._on_silence()

    def _on_silence(self) -> None:
        """Bytes came that made no chunk. A read timeout starts anew with each; these limits do not."""
        if self._decoder.finished:
            self._idle_reads += 1
            self._over = self._idle_reads > IDLE_READS
            return
        now = self._clock()
        if self._silent_since is None:
            self._silent_since = now
        elif now - self._silent_since > max(SILENT_SECONDS, self._context.timeout or 0.0):
            raise httpx.ReadTimeout("no chunk came for too long")

    def _lost(self, error: Exception) -> None:
        """Reading failed: that matters only if something of the answer is missing."""
        if self._decoder.answered:
            self._take(None)
            return
        self._over = True
        self._failure = error_from_transport(error, self._context)
        self._failure.__cause__ = error

    def _ended(self) -> Exception | None:
        """The failure to raise now, once; None for a plain end."""
        failure, self._failure = self._failure, None
        if failure is not None and self._on_failure is not None:
            self._on_failure(failure)
        return failure

    def _stop(self) -> httpx.Response | None:
        """Hand out nothing more; returns the response, which is to be closed."""
        self._closed = self._over = True
        self._ready.clear()
        return self._response


class ChatStream(_Stream[Callable[[], tuple[httpx.Response, AnswerContext]]]):
    """Iterator over the chunks of one streamed answer."""

    def connect(self) -> None:
        """Open the response now, not at the first chunk; the opener's errors come out here. Idempotent."""
        opener = self._opening()
        if opener is None:
            return
        response, context = opener()
        if self._closed:  # meanwhile, by another thread
            response.close()
            return
        self._body: Iterator[bytes] = iter(self._opened(response, context))

    def __iter__(self) -> ChatStream:
        return self

    def __next__(self) -> ModelResponseStream:
        while not self._ready:
            if self._over:
                raise self._ended() or StopIteration
            if self._opener is not None:
                self.connect()
            else:
                self._read()
        return self._ready.popleft()

    def close(self) -> None:
        """Stop reading and close the response; safe at any time and more than once."""
        response = self._stop()
        if response is not None:
            response.close()

    def __del__(self) -> None:
        # Dropped in mid-stream, or connected and never read.
        response = getattr(self, "_response", None)
        if response is not None and not response.is_closed:
            with contextlib.suppress(Exception):
                response.close()

    def _read(self) -> None:
        """Read once; close the response when the stream is over or the read was interrupted."""
        try:
            self._take(next(self._body, None))
        except Exception as error:  # noqa: BLE001  # whatever a transport raises is mapped
            self._lost(error)
        except BaseException:
            self.close()
            raise
        if self._over and self._response is not None:
            self._response.close()


class AsyncChatStream(_Stream[Callable[[], Awaitable[tuple[httpx.Response, AnswerContext]]]]):
    """Async iterator over the chunks of one streamed answer.

    Needs no event loop before `connect` or the first `__anext__`: LiteLLM makes it in a thread without one.
    """

    async def connect(self) -> None:
        """Open the response now, not at the first chunk; the opener's errors come out here. Idempotent."""
        opener = self._opening()
        if opener is None:
            return
        self._loop = asyncio.get_running_loop()
        response, context = await opener()
        if self._closed:  # meanwhile
            await response.aclose()
            return
        self._body: AsyncIterator[bytes] = aiter(self._opened(response, context))

    def __aiter__(self) -> AsyncChatStream:
        return self

    async def __anext__(self) -> ModelResponseStream:
        while not self._ready:
            if self._over:
                raise self._ended() or StopAsyncIteration
            if self._opener is not None:
                await self.connect()
            else:
                await self._read()
        return self._ready.popleft()

    async def aclose(self) -> None:
        """Stop reading and close the response; safe at any time and more than once."""
        response = self._stop()
        if response is not None:
            await response.aclose()

    def __del__(self) -> None:
        # Dropped in mid-stream. Closing needs the loop; a loop that is gone took its connections with it.
        response = getattr(self, "_response", None)
        if response is None or response.is_closed or self._loop.is_closed():
            return
        loop = self._loop
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(lambda: loop.create_task(response.aclose()))

    async def _read(self) -> None:
        """Read once; close the response when the stream is over or the read was interrupted."""
        try:
            if self._decoder.finished:
                # All that may come is the end of the body: worth a moment, for the connection's sake.
                data = await asyncio.wait_for(anext(self._body, None), self._drain_seconds)
            else:
                data = await anext(self._body, None)
            self._take(data)
        except Exception as error:  # noqa: BLE001  # whatever a transport raises is mapped
            self._lost(error)
        except BaseException:
            await self.aclose()
            raise
        if self._over and self._response is not None:
            await self._response.aclose()
