"""SIGTERM and SIGHUP during a refresh: the process ends as it was asked to, once the answer is on disk.

Both kill a Python program at once unless it handles them, and with it a token that the server has just
issued. Only the main thread may handle signals. So while it waits for a refresh, and only where the program
has no handler of its own, one stands in that waits for the refresh and then lets the signal do its work.
Ctrl-C needs none of this: it raises `KeyboardInterrupt`, and the interpreter waits for the refreshing thread.
"""

from __future__ import annotations

import contextlib
import signal
import threading
from concurrent.futures import wait
from typing import TYPE_CHECKING, Any

from litellm_qwen_ai.oauth.flight import renew_in_child

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Future

GRACE = 8.0  # seconds; container runtimes kill for good after ten
_SIGNALS = tuple(
    getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)
)  # Windows has no SIGHUP


class _Ending:
    """The stand-in handlers, and what the main thread waits for. Used by the main thread alone."""

    def __init__(self) -> None:
        self._awaited: list[Future[Any]] = []
        renew_in_child(self)

    @contextlib.contextmanager
    def after(self, future: Future[Any]) -> Iterator[None]:
        """In this block, an ending signal that nobody handles waits for `future`, at most `GRACE` seconds."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        self._awaited.append(future)
        self._swap(signal.SIG_DFL, self._end)
        try:
            yield
        finally:
            self._awaited.remove(future)
            if not self._awaited:
                self._swap(self._end, signal.SIG_DFL)

    def _end(self, number: int, _frame: object) -> None:
        wait(list(self._awaited), GRACE)
        signal.signal(number, signal.SIG_DFL)
        signal.raise_signal(number)

    @staticmethod
    def _swap(old: Any, new: Any) -> None:
        for number in _SIGNALS:
            if signal.getsignal(number) == old:
                with contextlib.suppress(ValueError):  # the main thread of a second interpreter may not
                    signal.signal(number, new)

    def _after_fork(self) -> None:
        """A child has no refresh to wait for. It is the child's main thread that runs this."""
        self._awaited = []
        self._swap(self._end, signal.SIG_DFL)


ends_after = _Ending().after
