"""Hears from the store when a login has changed: one connection and one thread for all accounts."""

from __future__ import annotations

import contextlib
import random
import threading
import time
import weakref
from typing import TYPE_CHECKING, Any, Protocol

from litellm_qwen_ai.oauth.errors import StoreError
from litellm_qwen_ai.oauth.flight import renew_in_child

if TYPE_CHECKING:
    from litellm_qwen_ai.stores.redis.limits import Limits
    from litellm_qwen_ai.stores.redis.link import Link

TURN = "turn"
"""Told instead of a version: only the turn has changed."""

_STEP = 1.0  # seconds: how soon the thread notices that it is not needed any more


class _Watched(Protocol):
    """The login of one account."""

    @property
    def name(self) -> str: ...
    @property
    def version(self) -> tuple[int, int]: ...
    def refresh(self) -> bool: ...
    def tell(self) -> None: ...


class Watcher:
    """The thread runs while somebody watches; it looks at each login by itself once in a while.

    Args:
        link: The way to the store.
        channel: Where changes are told.
        limits: How often to look and to make sure that the connection lives.
    """

    def __init__(self, link: Link, channel: str, limits: Limits) -> None:
        self._link, self._channel, self._limits = link, channel, limits
        self._stores: weakref.WeakSet[_Watched] = weakref.WeakSet()
        self._after_fork()
        renew_in_child(self)

    def _after_fork(self) -> None:
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None
        self.is_live = False

    def add(self, store: _Watched) -> None:
        """Tell this store of changes from now on, as long as it lives."""
        with self._lock:
            self._stores.add(store)

    def start(self) -> None:
        """Make sure that the thread runs; called when a login is used, so that a forked child has its own."""
        if self._thread is not None or self._closed.is_set():
            return
        with self._lock:
            if self._thread is None:
                thread = threading.Thread(target=self._run, name="qwen-store-watch", daemon=True)
                try:
                    thread.start()
                except RuntimeError:  # the interpreter is shutting down
                    return
                self._thread = thread

    def close(self) -> None:
        """End the thread and wait for it."""
        self._closed.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        pause = 0.0
        while not self._closed.wait(pause):
            with self._lock:
                if not self._stores:
                    self._thread = None
                    return
            with contextlib.suppress(StoreError):  # the connection was lost, or cannot be had
                self._link.listen(self._channel, self._listen)
            soon = random.uniform(0.0, 1.0)  # noqa: S311  # no secret hangs on it
            pause = soon if self.is_live else min(self._limits.alone, max(2 * pause, 1.0))
            self.is_live = False

    def _listen(self, pubsub: Any) -> None:
        """Until nobody needs it any more, or, by a `StoreError`, until the connection is lost."""
        limits, pause = self._limits, _STEP
        heard = asked = look_at = time.monotonic()
        while self._stores and not self._closed.is_set():
            message = pubsub.get_message(timeout=min(_STEP, limits.ping))
            now = time.monotonic()
            if message is not None:
                heard = now
                if message["type"] == "subscribe":  # also after redis-py has connected anew by itself
                    self._link.reached()
                    self.is_live, look_at = True, now
                elif message["type"] == "message" and not self._told(message["data"]):
                    look_at = min(look_at, now + _STEP)
            if max(heard, asked) + limits.ping <= now:
                pubsub.ping()
                asked = now
            if asked > heard and now - asked > limits.answer:
                raise StoreError("Nothing is heard any more.")
            if self.is_live and now >= look_at:
                behind = [store for store in list(self._stores) if not self._refreshed(store)]
                pause = min(2 * pause, limits.pushed) if behind else _STEP
                look_at = now + (pause if behind else limits.pushed)

    @staticmethod
    def _refreshed(store: _Watched) -> bool:
        """Whether the store holds all that we know of this login."""
        try:
            return store.refresh()
        except StoreError:  # one login's fault, which its callers are told, is not all's
            return False

    def _told(self, data: Any) -> bool:
        """Look at once at a login whose version is told; False if that must be tried again.

        To know that there is another one is not to have it: if the store were lost before the next look, the
        older login would be put back. One that is older than ours tells that the store has lost ours.
        """
        account, _, version = bytes(data).decode("utf-8", "replace").partition(" ")
        done = True
        for store in list(self._stores):
            if store.name != account or version == "{} {}".format(*store.version):
                continue
            if version == TURN:
                store.tell()
            elif not self._refreshed(store):
                store.tell()
                done = False
        return done
