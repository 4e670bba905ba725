"""Waiting for what tells nobody: another program's state, or that of a thread which is not the test's.

Everything that can tell is waited for by its event instead.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

PATIENCE = 60.0  # seconds; only what hangs takes them
_PAUSE = 0.02  # seconds between two looks


def comes_to_hold(holds: Callable[[], object], seconds: float = PATIENCE) -> bool:
    """Whether it holds within so many seconds."""
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() >= end:
            return False
        time.sleep(_PAUSE)
    return True


def until(holds: Callable[[], object], what: str, seconds: float = PATIENCE) -> None:
    """Wait until it holds; `what` names it if it does not."""
    assert comes_to_hold(holds, seconds), f"{what}: not within {seconds:g} s"
