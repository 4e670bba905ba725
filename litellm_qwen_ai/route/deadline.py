"""One deadline for a whole exchange, and for a stream one to the first byte of its body.

An HTTP client's timeouts start anew with each byte: a server that drips headers, sends one `103` after
another or never ends a chunk's length keeps a caller for as long as it likes. On an event loop the exchange
is cancelled at its deadline. A thread that reads cannot be: there a watchdog, one thread for the process,
shuts the socket, which ends the read. A new connection tells of itself before its TLS (a trace hook of
httpcore); one that was kept is found by names of httpcore's that are not public (`private_names.py`). Without
them, or with a caller's own transport, the client's timeouts alone hold. Looking a name up cannot be cut.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
import socket
import threading
import time
import weakref
from typing import TYPE_CHECKING, Any

import httpx

from litellm_qwen_ai.oauth.transport import second_handle

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from types import TracebackType

#: In a request's extensions: by whom its exchange is watched.
MARK = "litellm_qwen_ai.watch"
_AGAIN = 0.05  # seconds until a socket that was not found is looked for once more


class _Exchange:
    """What both kinds of deadline share: how much time is left, and what is raised when none is."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._left = seconds
        self._began = 0.0
        self._over = False

    def _start(self) -> None:
        self._began = time.monotonic()

    def _stop(self) -> None:
        self._left = max(0.0, self._left - (time.monotonic() - self._began))

    def _timeout(self) -> httpx.ReadTimeout:
        return httpx.ReadTimeout(f"the answer was not complete after {self._seconds:g} s")


class Deadline(_Exchange):
    """The deadline of an exchange in this thread: a context manager, entered again for what follows.

    Args:
        client: The client that sends. Its requests carry the deadline in their extensions, as `MARK`.
        seconds: How long the exchange may take, all times inside the context added up.

    Raises:
        httpx.ReadTimeout: On leaving the context, if the time was over. (Not for a stream, whose first byte
            is still to come: it raises then.)
    """

    def __init__(self, client: httpx.Client, seconds: float) -> None:
        super().__init__(seconds)
        # Answers hold their deadline: LiteLLM's handler closes a client that nobody else holds, when it goes.
        self._client = weakref.ref(client)
        self._goes_on = False
        self._made: list[socket.socket] = []  # second handles of connections that this exchange has made
        self.until = math.inf

    def __enter__(self) -> None:
        self._start()
        self.until = self._began + self._left
        _watchdog.watch(self)

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        _watchdog.forget(self)
        self._forget_made()
        self._stop()
        goes_on, self._goes_on = self._goes_on, False
        # Without an error too: what seems to be an answer's end may be that of its connection.
        if self._over and (not goes_on if kind is None else issubclass(kind, Exception)):
            raise self._timeout() from None

    def expire(self) -> None:
        """End the exchange, or try again in a moment if it has no socket yet. For the watchdog."""
        self._over = True
        self.until = time.monotonic() + _AGAIN
        with contextlib.suppress(Exception):  # it may end while it is looked for
            for connection in self._made or _connections(self._client(), self):
                # The method of plain sockets: that of a TLS socket also drops its state, which is being read.
                socket.socket.shutdown(connection, socket.SHUT_RDWR)

    def watch(self, event: str, info: dict[str, Any]) -> None:
        """Take a connection that the exchange makes (a trace hook of httpcore)."""
        made = second_handle(event, info)
        if made is not None:
            self._made.append(made)
            if self._over:
                self.expire()
        elif event.startswith("http2."):
            self._forget_made()  # from here on it carries other exchanges too
        elif event == "http11.send_request_headers.started":
            request: Any = info.get("request")
            if getattr(request, "method", b"CONNECT") != b"CONNECT":  # a proxy's, before TLS and HTTP/2
                # It is on its connection, so there is no more to be told: that saves a call 20 us.
                request.extensions.pop("trace", None)

    def _forget_made(self) -> None:
        while self._made:
            self._made.pop().close()

    def to_first_byte(self, response: httpx.Response) -> None:
        """Let the time that is left hold for the first byte of a stream's body, while it is waited for."""
        self._goes_on = True
        response.stream = _Body(response.stream, self)


class _Body(httpx.SyncByteStream):
    def __init__(self, stream: Any, deadline: Deadline) -> None:
        self._stream = stream
        self._deadline = deadline

    def __iter__(self) -> Iterator[bytes]:
        pieces = iter(self._stream)
        with self._deadline:
            first = next(pieces, None)
        if first is not None:
            yield first
            yield from pieces

    def close(self) -> None:
        self._stream.close()


class AsyncDeadline(_Exchange):
    """The same on the running event loop, where the task that waits is cancelled. A plain context manager."""

    def __enter__(self) -> None:
        self._start()
        self._task: Any = asyncio.current_task()
        # From Python 3.11 on a task counts who wants it cancelled: somebody besides us may.
        self._cancelled = getattr(self._task, "cancelling", int)()
        self._timer = asyncio.get_running_loop().call_later(self._left, self._expire)

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        self._timer.cancel()
        self._stop()
        cut = self._over and kind is not None and issubclass(kind, asyncio.CancelledError)
        if cut and getattr(self._task, "uncancel", int)() <= self._cancelled:
            raise self._timeout() from None

    def _expire(self) -> None:
        self._over = True
        self._task.cancel()

    def to_first_byte(self, response: httpx.Response) -> None:
        """As `Deadline.to_first_byte`."""
        response.stream = _AsyncBody(response.stream, self)


class _AsyncBody(httpx.AsyncByteStream):
    def __init__(self, stream: Any, deadline: AsyncDeadline) -> None:
        self._stream = stream
        self._deadline: AsyncDeadline | None = deadline
        self._pieces: AsyncIterator[bytes] | None = None

    def __aiter__(self) -> AsyncIterator[bytes]:
        self._pieces = aiter(self._stream)
        return self

    async def __anext__(self) -> bytes:
        pieces: Any = self._pieces
        deadline, self._deadline = self._deadline, None
        if deadline is None:
            return await anext(pieces)
        with deadline:
            return await anext(pieces)

    async def aclose(self) -> None:
        await self._stream.aclose()


class Watchdog:
    """Expires deadlines, in a thread of its own that begins with the first of them.

    Args:
        clock: Monotonic, in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._after_fork()

    def _after_fork(self) -> None:
        self._changed = threading.Condition()
        self._watched: set[Deadline] = set()
        self._wakes_at = math.inf
        self._thread: threading.Thread | None = None

    def watch(self, deadline: Deadline) -> None:
        """Expire a deadline when its time has come."""
        with self._changed:
            self._watched.add(deadline)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="qwen-ai-deadlines", daemon=True)
                self._thread.start()
            elif deadline.until < self._wakes_at:
                self._changed.notify()

    def forget(self, deadline: Deadline) -> None:
        """Its exchange has ended."""
        with self._changed:
            self._watched.discard(deadline)

    def _run(self) -> None:
        while True:
            with self._changed:
                now = self._clock()
                due = [one for one in self._watched if one.until <= now]
                if not due:
                    self._wakes_at = min((one.until for one in self._watched), default=math.inf)
                    self._changed.wait(None if self._wakes_at == math.inf else self._wakes_at - now)
            for deadline in due:
                deadline.expire()


_watchdog = Watchdog()
os.register_at_fork(after_in_child=_watchdog._after_fork)  # noqa: SLF001  # its own


def _connections(client: Any, mark: object) -> list[socket.socket]:
    """The sockets of the exchanges with this mark: one, or none yet."""
    found = []
    for transport in [client._transport, *client._mounts.values()]:  # noqa: SLF001  # see private_names.py
        for waiting in list(getattr(getattr(transport, "_pool", None), "_requests", ())):
            if waiting.request.extensions.get(MARK) is mark:
                connection = waiting.connection
                while connection is not None and not hasattr(connection, "_network_stream"):
                    connection = getattr(connection, "_connection", None)
                # One connection of HTTP/2 carries other exchanges too.
                if connection is not None and not hasattr(connection, "_h2_state"):
                    found.append(connection._network_stream.get_extra_info("socket"))  # noqa: SLF001  # as above
    return found
