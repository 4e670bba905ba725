"""The times that a shared login lives by."""

from __future__ import annotations

import time
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """All in seconds. They are the same in every process, so users cannot set them; tests shorten them.

    Attributes:
        send: How long after it was asked for a turn may be used to send the refresh token.
        quiet: How long nobody sends after the store has lost something, and how long somebody who could not
            reach the store leaves the turns of others alone.
        turn: How long a turn is respected.
        doubt: How long after a loss a refusal does not yet mean that the login has ended.
        wait: Between two questions while somebody else renews.
        pushed: Between two looks while the store tells of changes.
        alone: Between two looks while it does not.
        ping: Between two proofs that it still can.
        answer: For one answer of the store.
        connect: For a connection to it.
    """

    send: float = 30.0
    quiet: float = 30.0
    turn: float = 600.0
    doubt: float = 600.0
    wait: float = 2.0
    pushed: float = 60.0
    alone: float = 10.0
    ping: float = 15.0
    answer: float = 6.0
    connect: float = 3.0


LIMITS = Limits()


def elapsed() -> float:
    """Seconds on a clock that also runs while the machine sleeps, where the system has one."""
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()
