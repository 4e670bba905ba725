"""Time, as one object to hand in: tests move it, nothing waits on the real clock."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class Clocks:
    """The clocks that a login lives by.

    Attributes:
        now: The time of day, in epoch seconds.
        monotonic: Seconds on a clock that never jumps.
        sleep: Waits for some seconds; only ever called in a thread that may wait.
    """

    now: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


CLOCKS = Clocks()
"""The real ones."""
