"""A streamed answer: the sync and the async shell around the decoder.

Both take an opener, which sends the request and returns the open response (status 200, body unread), so that
they may be made before anything is sent. Both read to the end of the body after `[DONE]`, since an unread end
costs the connection, and close the response however the iteration ends. They read the body as it comes off
the wire, since a packed one is refused before: httpx's own iterators unpack and count, which takes 10 us.

They are plain iterators rather than generators: a generator that sees `self` forms a cycle, and a stream that
its consumer dropped would keep its connection until the garbage collector came by.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from typing import TYPE_CHECKING, Any

import httpx

from litellm_qwen_ai.chat.decoder import StreamDecoder
from litellm_qwen_ai.chat.errors import error_from_transport

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping

    from litellm.types.utils import ModelResponseStream

__all__ = ["AsyncChatStream", "ChatStream", "StreamDecoder"]

DRAIN_SECONDS = 2.0
"""How long the async stream waits for the end of the body after `[DONE]`. A sync read cannot be interrupted:
there the call's own read timeout is the limit."""
SILENT_SECONDS = 600.0
"""How long bytes may come without a chunk (comments, or a line that never ends) before that is a Timeout,
unless the call's own timeout is longer. Where no bytes come, the call's own timeout alone counts."""

IDLE_READS = 8
"""Pieces that are read after `[DONE]` in the hope of the end; then the connection is given up."""


class _Shell:
    """What both shells share: the decoder, the chunks it has ready and how the stream ended."""

    qwen_ai_stream = True  # how route/patches.py knows a stream of ours among LiteLLM's others

    def __init__(
        self, *, model: str, with_login: bool, timeout: float | None, secrets: Iterable[str], merge: bool
    ) -> None:
        self.headers: Mapping[str, str] = httpx.Headers()
        self.shown: Mapping[str, str] = {}  # headers of our own, for whoever shows the server's
        self.on_failure: Callable[[Exception], None] | None = None  # told of what ends the stream early
        self._model = model
        self._with_login = with_login
        self._timeout = timeout
        self._merge = merge
        self._secrets = secrets  # not copied: the opener may add the bearer that it sent
        self._response: httpx.Response | None = None
        self._decoder: StreamDecoder | None = None
        self._ready: deque[ModelResponseStream] = deque()
        self._over = False
        self._closed = False
        self._failure: Exception | None = None
        self._clock: Callable[[], float] = time.monotonic
        self._silent_since: float | None = None
        self._idle_reads = 0

    def _connected(self, response: httpx.Response) -> StreamDecoder:
        self._response = response
        self.headers = response.headers
        self._decoder = StreamDecoder(
            model=self._model,
            with_login=self._with_login,
            headers=response.headers,
            secrets=self._secrets,
            merge=self._merge,
        )
        return self._decoder

    def _take(self, decoder: StreamDecoder, data: bytes | None) -> None:
        """Decode what was read; None is the end of the body."""
        self._ready.extend(decoder.close() if data is None else decoder.feed(data))
        if decoder.failure is not None or data is None:
            self._over, self._failure = True, decoder.failure
        elif self._ready:
            self._silent_since = None
        else:
            self._on_silence(decoder)

    def _on_silence(self, decoder: StreamDecoder) -> None:
        """Bytes came that made no chunk. A read timeout starts anew with each; these limits do not."""
        if decoder.finished:
            self._idle_reads += 1
            self._over = self._idle_reads > IDLE_READS
            return
        now = self._clock()
        if self._silent_since is None:
            self._silent_since = now
        elif now - self._silent_since > max(SILENT_SECONDS, self._timeout or 0.0):
            raise httpx.ReadTimeout("no chunk came for too long")

    def _lost(self, decoder: StreamDecoder, error: Exception) -> None:
        """Reading failed: that matters only if something of the answer is missing."""
        if decoder.answered:
            self._take(decoder, None)
            return
        self._over = True
        self._failure = error_from_transport(
            error, model=self._model, timeout=self._timeout, secrets=self._secrets
        )
        self._failure.__cause__ = error

    def _ended(self) -> Exception | None:
        """The failure to raise now, once; None for a plain end."""
        failure, self._failure = self._failure, None
        if failure is not None and self.on_failure is not None:
            self.on_failure(failure)
        return failure


class ChatStream(_Shell):
    """Iterator over the chunks of one streamed answer.

    Args:
        opener: Sends the request and returns the open response; maps its own errors.
        model: The model as the caller named it.
        with_login: True if the call is made with a login.
        timeout: The limit in force, in seconds, for messages only.
        secrets: Values that must not appear in error messages; may grow until the stream is connected.
        merge: Whether text deltas that were read together become one chunk.

    Attributes:
        headers: Response headers; empty before `connect`.
    """

    def __init__(  # noqa: PLR0913  # all keyword, most optional
        self,
        opener: Callable[[], httpx.Response],
        *,
        model: str,
        with_login: bool,
        timeout: float | None = None,
        secrets: Iterable[str] = (),
        merge: bool = False,
    ) -> None:
        super().__init__(model=model, with_login=with_login, timeout=timeout, secrets=secrets, merge=merge)
        self._opener = opener
        self._body: Iterator[bytes] | None = None

    def connect(self) -> None:
        """Open the response now, not at the first chunk; the opener's errors come out here. Idempotent."""
        if self._body is None and not self._over:
            self._over = True  # a failed opener is not asked again
            response = self._opener()
            if self._closed:
                response.close()
                return
            self._over = False
            self._connected(response)
            self._body = iter(response.stream)  # type: ignore[arg-type]  # a sync client's

    def __iter__(self) -> ChatStream:
        return self

    def __next__(self) -> ModelResponseStream:
        while not self._ready:
            if self._over:
                failure = self._ended()
                if failure is not None:
                    raise failure
                raise StopIteration
            self._advance()
        return self._ready.popleft()

    def close(self) -> None:
        """Stop reading and close the response; safe at any time and more than once."""
        self._closed = self._over = True
        self._ready.clear()
        if self._response is not None:
            self._response.close()

    def __del__(self) -> None:
        # Dropped in mid-stream, or connected and never read.
        response = getattr(self, "_response", None)
        if response is not None and not response.is_closed:
            with contextlib.suppress(Exception):
                response.close()

    def _advance(self) -> None:
        """Read once; close the response when the stream is over or the read was interrupted."""
        self.connect()
        decoder, body, response = self._decoder, self._body, self._response
        if decoder is None or body is None or response is None:
            return  # closed while it was being opened
        try:
            self._take(decoder, next(body, None))
        except Exception as error:  # noqa: BLE001  # whatever a transport raises is mapped
            self._lost(decoder, error)
        except BaseException:
            self.close()
            raise
        if self._over:
            response.close()


class AsyncChatStream(_Shell):
    """Async iterator over the chunks of one streamed answer.

    Needs no event loop before `connect` or the first `__anext__`: LiteLLM makes it in a thread without one.

    Args:
        opener: Sends the request and returns the open response; maps its own errors.
        model: The model as the caller named it.
        with_login: True if the call is made with a login.
        timeout: The limit in force, in seconds, for messages only.
        secrets: Values that must not appear in error messages; may grow until the stream is connected.
        merge: Whether text deltas that were read together become one chunk.
        drain_seconds: How long to wait for the end of the body after `[DONE]`.

    Attributes:
        headers: Response headers; empty before `connect`.
    """

    def __init__(  # noqa: PLR0913  # all keyword, most optional
        self,
        opener: Callable[[], Awaitable[httpx.Response]],
        *,
        model: str,
        with_login: bool,
        timeout: float | None = None,
        secrets: Iterable[str] = (),
        merge: bool = False,
        drain_seconds: float = DRAIN_SECONDS,
    ) -> None:
        super().__init__(model=model, with_login=with_login, timeout=timeout, secrets=secrets, merge=merge)
        self._opener = opener
        self._drain_seconds = drain_seconds
        self._body: AsyncIterator[bytes] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def connect(self) -> None:
        """Open the response now, not at the first chunk; the opener's errors come out here. Idempotent."""
        if self._body is None and not self._over:
            self._over = True  # a failed opener is not asked again
            self._loop = asyncio.get_running_loop()
            response = await self._opener()
            if self._closed:
                await response.aclose()
                return
            self._over = False
            self._connected(response)
            whole: Any = response.stream
            self._body = aiter(whole)

    def __aiter__(self) -> AsyncChatStream:
        return self

    async def __anext__(self) -> ModelResponseStream:
        while not self._ready:
            if self._over:
                failure = self._ended()
                if failure is not None:
                    raise failure
                raise StopAsyncIteration
            await self._advance()
        return self._ready.popleft()

    async def aclose(self) -> None:
        """Stop reading and close the response; safe at any time and more than once."""
        self._closed = self._over = True
        self._ready.clear()
        if self._response is not None:
            await self._response.aclose()

    def __del__(self) -> None:
        # Dropped in mid-stream. Closing needs the loop; a loop that is gone took its connections with it.
        response, loop = getattr(self, "_response", None), getattr(self, "_loop", None)
        if response is None or response.is_closed or loop is None or loop.is_closed():
            return
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(lambda: loop.create_task(response.aclose()))

    async def _advance(self) -> None:
        """Read once; close the response when the stream is over or the read was interrupted."""
        if self._body is None:
            await self.connect()
        decoder, body, response = self._decoder, self._body, self._response
        if decoder is None or body is None or response is None:
            return  # closed while it was being opened
        try:
            self._take(decoder, await self._next_bytes(decoder, body))
        except Exception as error:  # noqa: BLE001  # whatever a transport raises is mapped
            self._lost(decoder, error)
        except BaseException:
            await self.aclose()
            raise
        if self._over:
            await response.aclose()

    async def _next_bytes(self, decoder: StreamDecoder, body: AsyncIterator[bytes]) -> bytes | None:
        if not decoder.finished:
            return await anext(body, None)
        # All that may come is the end of the body: worth a moment, for the connection's sake.
        return await asyncio.wait_for(_next_or_none(body), self._drain_seconds)


async def _next_or_none(body: AsyncIterator[bytes]) -> bytes | None:
    return await anext(body, None)
