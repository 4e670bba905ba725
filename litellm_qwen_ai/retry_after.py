"""How long a server asks to wait: the one reading of `Retry-After`. Imports nothing of ours."""

from __future__ import annotations

import math
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


def retry_after(headers: Mapping[str, str], now: float | None = None) -> float | None:
    """The wait that a server names, in seconds and not bounded; None if it names none that makes sense.

    `retry-after-ms` (milliseconds, as OpenAI's servers send it) goes before `Retry-After` (RFC 9110 section
    10.2.3: seconds, here also a fraction of one, or a date). A date counts from the answer's own `Date`, so
    that the two clocks need not agree, else from `now`, seconds since the epoch (without it such a date is
    None); one that has passed is no wait. The headers' names are in lower case, or found in any case.
    """
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        seconds = _number(headers.get(name)) * unit
        if math.isfinite(seconds) and seconds >= 0:
            return seconds
    seconds = _date(headers.get("retry-after")) - _date(headers.get("date"), now)
    return max(0.0, seconds) if math.isfinite(seconds) else None


def _number(text: str | None) -> float:
    try:
        return float(text or "nan")
    except ValueError:
        return math.nan


def _date(text: str | None, default: float | None = None) -> float:
    try:
        return parsedate_to_datetime(text or "").timestamp()
    except (TypeError, ValueError, OverflowError):
        return math.nan if default is None else default
