"""One run at a time: callers who come while it is under way share its outcome."""

from __future__ import annotations

import os
import threading
import weakref
from concurrent.futures import Future
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

Result = TypeVar("Result")


class _Renewed(Protocol):
    def _after_fork(self) -> None: ...


_all: weakref.WeakSet[_Renewed] = weakref.WeakSet()


def renew_in_child(thing: _Renewed) -> None:
    """Call `thing._after_fork()` in each forked child: there, the locks of other threads stay locked."""
    _all.add(thing)


class SingleFlight(Generic[Result]):
    """Runs a function in a thread of its own, never twice at once.

    What happens to its callers (Ctrl-C, a cancelled task, a closed loop) does not touch the thread, and the
    interpreter waits for its end. Tokens that a server has already sent are not lost.

    Args:
        function: What to run.
        name: The thread's.
        daemon: The interpreter does not wait for its end: it brings nothing that could be lost.
    """

    def __init__(self, function: Callable[[], Result], name: str, *, daemon: bool = False) -> None:
        self._function = function
        self._name = name
        self._daemon = daemon
        self._after_fork()
        renew_in_child(self)

    def _after_fork(self) -> None:
        self._lock = threading.Lock()
        self._future: Future[Result] | None = None

    @property
    def is_running(self) -> bool:
        """Whether a run is under way."""
        return self._future is not None

    def board(self) -> Future[Result]:
        """The run under way, or a new one. Cancelling the future has no effect."""
        with self._lock:
            if self._future is not None:
                return self._future
            future: Future[Result] = Future()
            future.set_running_or_notify_cancel()
            self._future = future
        thread = threading.Thread(target=self._run, args=(future,), name=self._name, daemon=self._daemon)
        try:
            thread.start()
        except RuntimeError:  # the interpreter is shutting down and starts no more threads
            self._run(future)
        return future

    def _run(self, future: Future[Result]) -> None:
        try:
            result = self._function()
        except BaseException as error:  # noqa: BLE001  # it belongs to those who wait
            self._future = None
            future.set_exception(error)
        else:
            self._future = None
            future.set_result(result)


def _in_child() -> None:
    """The child has none of the parent's threads: a run under way will never end there."""
    for thing in list(_all):
        thing._after_fork()  # noqa: SLF001  # the method is this protocol's


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)
