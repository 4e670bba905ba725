"""The HTTP server (aiohttp), in a thread with an event loop of its own: requests in, replies out."""

from __future__ import annotations

import asyncio
import socket
import threading
from typing import TYPE_CHECKING

from aiohttp import web

from litellm_qwen_ai.sandbox.site import Site, endpoint_of
from litellm_qwen_ai.sandbox.wire import RecordedRequest, Reply

if TYPE_CHECKING:
    from collections.abc import Callable

    from litellm_qwen_ai.sandbox.gates import Gates
    from litellm_qwen_ai.sandbox.ledger import Ledger

_MAX_BODY = 256 * 1024 * 1024  # bytes; a conversation of a million tokens with images must fit
_BACKLOG = 1024  # connections; hundreds of clients may come at once
_START_TIMEOUT = 10.0  # seconds
_LAST_WORDS = 0.05  # seconds that running requests get when the server stops


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket.

    Args:
        host: The address.
        port: The port; 0 takes a free one.

    Raises:
        OSError: The address cannot be listened on; the message names it.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise OSError(error.errno, f"Cannot listen on {host}:{port}: {error.strerror}") from error
    return listener


class Network:
    """Serves a site on a socket, in a thread of its own."""

    def __init__(
        self,
        site: Site,
        *,
        gates: Gates,
        ledger: Ledger,
        now: Callable[[], float],
        on_answer: Callable[[RecordedRequest], None] | None,
    ) -> None:
        self._site = site
        self._gates = gates
        self._ledger = ledger
        self._now = now
        self._on_answer = on_answer
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping: asyncio.Event | None = None
        self._thread: threading.Thread | None = None

    def start(self, listener: socket.socket) -> None:
        """Serve in a new thread; returns when requests are accepted.

        Raises:
            RuntimeError: It did not start in time.
        """
        ready = threading.Event()
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._main(listener, ready)), name="qwen-sandbox", daemon=True
        )
        self._thread.start()
        if not ready.wait(_START_TIMEOUT):
            raise RuntimeError(f"The sandbox did not start within {_START_TIMEOUT:g} seconds")

    def stop(self) -> None:
        """Stop serving, break what is open and end the thread."""
        if self._loop is not None and self._stopping is not None:
            self._loop.call_soon_threadsafe(self._stopping.set)
        if self._thread is not None:
            self._thread.join()

    async def _main(self, listener: socket.socket, ready: threading.Event) -> None:
        self._loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        app = web.Application(client_max_size=_MAX_BODY)
        app.router.add_route("*", "/{path:.*}", self._answer)
        # handler_cancellation: a client that goes away must be seen at once, also while its request is held.
        runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=_LAST_WORDS)
        await runner.setup()
        try:
            await web.SockSite(runner, listener, backlog=_BACKLOG).start()
            ready.set()
            await self._stopping.wait()
        finally:
            await runner.cleanup()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        record = await self._record(request)
        try:
            await self._gates.enter(record.endpoint, "arrival")
            reply = self._site.serve(record)
            await self._gates.enter(record.endpoint, "answer")
            record.status, record.error = reply.status, reply.error
            return await self._send(request, record.endpoint, reply)
        except ConnectionError:
            self._is_gone(record)
            return web.Response()  # nobody gets it: aiohttp would log our error as a fault of the server
        except asyncio.CancelledError:
            self._is_gone(record)
            raise
        finally:
            if self._on_answer is not None and record.endpoint != "control":
                self._on_answer(record)

    def _is_gone(self, record: RecordedRequest) -> None:
        record.disconnected = True
        self._ledger.count("disconnects")

    async def _record(self, request: web.Request) -> RecordedRequest:
        body = await request.read()
        headers = {name.lower(): value for name, value in request.headers.items()}
        record = RecordedRequest(
            endpoint=endpoint_of(request.method, request.path, headers.get("content-type", ""), body),
            method=request.method,
            path=request.path,
            query=dict(request.query.items()),
            headers=headers,
            body=body,
            at=self._now(),
        )
        if record.endpoint != "control":
            self._ledger.record(record)
        return record

    async def _send(self, request: web.Request, endpoint: str, reply: Reply) -> web.StreamResponse:
        if not reply.streamed and not reply.cut:
            return web.Response(body=reply.body, status=reply.status, headers=reply.headers)
        response = web.StreamResponse(status=reply.status, headers=reply.headers)
        if reply.pieces or not reply.cut:
            await response.prepare(request)
        for piece in reply.pieces:
            await self._gates.enter(endpoint, "chunk")
            await response.write(piece)
        if reply.cut and request.transport is not None:
            request.transport.close()  # what was written still goes out; the end of the body does not
        return response
