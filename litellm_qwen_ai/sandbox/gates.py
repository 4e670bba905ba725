"""Holds requests at a gate until a test lets them go: races are built with these, not with sleeps."""

from __future__ import annotations

import asyncio
import threading
from collections import defaultdict, deque
from typing import Literal

At = Literal["arrival", "answer", "chunk"]
HELD_ENDPOINTS = ("device", "token", "refresh", "chat", "models")
MOMENTS = ("arrival", "answer", "chunk")


class Gate:
    """A gate in front of one endpoint. Open unless held.

    Requests wait in the server's event loop; the methods that steer the gate may be called from any thread.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._held = False
        self._permits = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    def hold(self) -> None:
        """Make every request that comes from now on wait."""
        with self._changed:
            self._held = True

    def release(self) -> None:
        """Let everyone through, those waiting and those to come."""
        with self._changed:
            self._held = False
            self._permits = 0
            self._wake(len(self._waiting))

    def let_through(self, count: int = 1) -> None:
        """Let `count` requests through, waiting ones first, and keep holding the others."""
        with self._changed:
            waiting = min(count, len(self._waiting))
            self._wake(waiting)
            self._permits += count - waiting

    def wait_for(self, count: int, timeout: float) -> bool:
        """Block until `count` requests are waiting.

        Args:
            count: How many requests.
            timeout: Seconds to wait at most.

        Returns:
            Whether that many are waiting.
        """
        with self._changed:
            return self._changed.wait_for(lambda: len(self._waiting) >= count, timeout)

    @property
    def waiting(self) -> int:
        """How many requests are waiting now."""
        with self._changed:
            return len(self._waiting)

    async def enter(self) -> None:
        """Wait until the gate lets this request through. Called in the server's loop."""
        with self._changed:
            if not self._held:
                return
            if self._permits:
                self._permits -= 1
                return
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append(future)
            self._changed.notify_all()
        try:
            await future
        finally:
            with self._changed:
                if future in self._waiting:  # the client went away while it was held
                    self._waiting.remove(future)
                    self._changed.notify_all()

    def _wake(self, count: int) -> None:
        for _ in range(count):
            future = self._waiting.popleft()
            future.get_loop().call_soon_threadsafe(_finish, future)
        self._changed.notify_all()


def _finish(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


class Gates:
    """The gates of all endpoints, one for each moment of a request."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._gates: defaultdict[tuple[str, str], Gate] = defaultdict(Gate)

    def gate(self, endpoint: str, at: At) -> Gate:
        """Return the gate of an endpoint at a moment.

        Raises:
            ValueError: There is no such endpoint or moment; the message lists them.
        """
        if endpoint not in HELD_ENDPOINTS or at not in MOMENTS:
            raise ValueError(
                f"Nothing can be held at {endpoint!r} ({at!r}). Endpoints: {', '.join(HELD_ENDPOINTS)}; "
                f"moments: {', '.join(MOMENTS)}"
            )
        with self._lock:
            return self._gates[endpoint, at]

    async def enter(self, endpoint: str, at: At) -> None:
        """Wait at the gate of an endpoint, if it has one. Called in the server's loop."""
        if endpoint in HELD_ENDPOINTS:
            await self.gate(endpoint, at).enter()
