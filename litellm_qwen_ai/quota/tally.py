"""What the quota meter keeps, as plain data: requests by second and by hour, last refusal, last failure.

All moments are in epoch seconds. Days are counted from hours, so only time zones of whole hours work.

Qwen names no hour at which a day's quota starts anew (QwenLM/qwen-code issue #1984 asks for it).
`PROVIDER_ZONE` is what other programs take for it, midnight in Beijing (router-for-me/CLIProxyAPI pull
request #1676).
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

from pydantic import BeforeValidator, Field, TypeAdapter

from litellm_qwen_ai.oauth.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

#: China has had no summer time since 1991, so no time zone database is needed.
PROVIDER_ZONE = timezone(timedelta(hours=8), "Asia/Shanghai")
THROTTLED, QUOTA_SPENT = "throttled", "quota_spent"
LONGEST_TEXT = 600  # characters of a failure
_MINUTE = 60
_HOUR = 3600
_KEPT_HOURS = 48
FORMAT = 1
LATEST = 253_000_000_000  # epoch seconds: shortly before the year 9999, the last that a date can show
_MOST = 1 << 53  # the largest whole number that every JSON reader keeps
Moment: TypeAlias = Annotated[float, Field(ge=0, lt=LATEST, strict=True)]
Counts: TypeAlias = dict[int, Annotated[int, Field(ge=0, lt=_MOST, strict=True)]]


def _cut(text: object) -> object:
    return text[:LONGEST_TEXT] if isinstance(text, str) else text


@dataclass(frozen=True, slots=True)
class Refusal:
    """The server's last refusal for quota or rate."""

    at: Moment
    until: Moment | None  # when the server said that it ends, if it did
    reason: Annotated[str, Field(pattern=f"^({THROTTLED}|{QUOTA_SPENT})$")]
    over: bool = False  # a request has been accepted since

    def ends_at(self) -> float:
        """When it ends: as the server said; else a minute later, or at the end of the provider's day."""
        if self.until is not None:
            return self.until
        return self.at + _MINUTE if self.reason == THROTTLED else _midnight_after(self.at, PROVIDER_ZONE)


@dataclass(frozen=True, slots=True)
class Failure:
    """The last error of an account that whoever looks after it should know of; no secret is in it.

    Attributes:
        at: When it came, in epoch seconds.
        text: What it said.
        login_ended: The server takes the login's refresh token no more.
    """

    at: Moment
    text: Annotated[str, BeforeValidator(_cut)]
    login_ended: bool = False


@dataclass(frozen=True, slots=True)
class Usage:
    """What one account has used, as far as it was counted here; nothing in it is secret.

    Requests that other programs send with the same account are not known, nor is what the server counts.

    Attributes:
        requests_last_minute: In the last 60 s.
        requests_today_utc: Since midnight in UTC.
        requests_today: Since midnight in `day_zone`.
        day_zone: The provider's day, as it is assumed.
        day_ends_at: When that day ends, ISO 8601 in UTC.
        refused_today: Requests of that day that were refused with 429, or with 403 for a spent quota.
        limited: The last such refusal has not ended, as far as is known. What follows is None if it has.
        limited_reason: `throttled` or `quota_spent`.
        limited_since: When that refusal came, ISO 8601 in UTC.
        limited_until: When it ends, the same.
        limited_until_source: `server` if the server named the time, else `assumed`.
    """

    requests_last_minute: int
    requests_today_utc: int
    requests_today: int
    day_zone: str
    day_ends_at: str
    refused_today: int
    limited: bool
    limited_reason: str | None = None
    limited_since: str | None = None
    limited_until: str | None = None
    limited_until_source: str | None = None


@dataclass(frozen=True, slots=True)
class Hour:
    """What was sent in an hour that began at `start`, ISO 8601 in UTC."""

    start: str
    requests: int
    refused: int


@dataclass(slots=True)
class Tally:
    """Counts that can be added up. Keys are epoch seconds and epoch hours (whole numbers)."""

    format: Literal[1] = 1
    seconds: Counts = field(default_factory=dict)
    hours: Counts = field(default_factory=dict)
    refused: Counts = field(default_factory=dict)
    refusal: Refusal | None = None
    failure: Failure | None = None

    def __bool__(self) -> bool:
        """Whether there is anything to keep."""
        return bool(self.hours or self.refused or self.refusal or self.failure)

    def add(self, times: Iterable[float]) -> None:
        """Count one request at each of these moments."""
        seconds = Counter(map(int, times))
        self.seconds = _sum(self.seconds, seconds)
        self.hours = _sum(self.hours, Counter(second // _HOUR for second in seconds.elements()))

    def refuse(self, refusal: Refusal) -> None:
        """Count a refusal."""
        self.refused = _sum(self.refused, {int(refusal.at) // _HOUR: 1})
        self.refusal = refusal

    def merge(self, other: Tally) -> None:
        """Add what somebody else has counted; of two refusals or failures the later one stands."""
        self.seconds = _sum(self.seconds, other.seconds)
        self.hours = _sum(self.hours, other.hours)
        self.refused = _sum(self.refused, other.refused)
        refusals = filter(None, (self.refusal, other.refusal))
        self.refusal = max(refusals, key=lambda refusal: (refusal.at, refusal.over), default=None)
        failures = filter(None, (self.failure, other.failure))
        self.failure = max(failures, key=lambda failure: failure.at, default=None)

    def copy(self) -> Tally:
        """One that can be changed by itself."""
        return replace(self)  # its counts are replaced, never changed

    def prune(self, now: float) -> None:
        """Forget what no answer needs any more, and what a clock that was wrong has dated in the future."""
        second, hour = int(now), int(now) // _HOUR
        self.seconds = _between(second - _MINUTE, second + _MINUTE, self.seconds)
        self.hours = _between(hour - _KEPT_HOURS, hour + 1, self.hours)
        self.refused = _between(hour - _KEPT_HOURS, hour + 1, self.refused)

    def last_minute(self, now: float) -> int:
        """Requests in the 60 seconds before `now`."""
        first = int(now) - _MINUTE
        return sum(count for key, count in self.seconds.items() if key > first)

    def today(self, now: float, zone: timezone = PROVIDER_ZONE) -> int:
        """Requests since midnight in `zone`."""
        return _since(self.hours, now, zone)

    def last_hours(self, now: float, count: int = 24) -> list[Hour]:
        """The last so many hours of the clock, the one that runs included; the oldest first."""
        last = int(now) // _HOUR
        return [
            Hour(iso(hour * _HOUR), self.hours.get(hour, 0), self.refused.get(hour, 0))
            for hour in range(last - count + 1, last + 1)
        ]

    def usage(self, now: float) -> Usage:
        """The counts as they stand at a moment."""
        limits: dict[str, Any] = {}
        refusal = self.refusal
        limited = refusal is not None and not refusal.over and now < refusal.ends_at()
        if refusal is not None and limited:
            limits = {
                "limited_reason": refusal.reason,
                "limited_since": iso(refusal.at),
                "limited_until": iso(refusal.ends_at()),
                "limited_until_source": "assumed" if refusal.until is None else "server",
            }
        return Usage(
            requests_last_minute=self.last_minute(now),
            requests_today_utc=self.today(now, timezone.utc),
            requests_today=self.today(now),
            day_zone=str(PROVIDER_ZONE),
            day_ends_at=iso(_midnight_after(now, PROVIDER_ZONE)),
            refused_today=_since(self.refused, now, PROVIDER_ZONE),
            limited=limited,
            **limits,
        )

    def to_json(self) -> bytes:
        """The form on disk."""
        return _FORM.dump_json(self)

    @classmethod
    def from_json(cls, data: bytes, where: str) -> Tally:
        """Read the form on disk.

        Raises:
            LaterCountsError: A later version has written it to `where`.
            ValueError: It is something else.
        """
        try:
            return _FORM.validate_json(data)
        except ValueError:
            if isinstance(found := json.loads(data), dict):
                check_format(found.get("format"), where)
            raise


class LaterCountsError(StoreError):
    """A later version of the package keeps the counts, in a form that this one does not know."""


def check_format(number: object, where: str) -> None:
    """Raise `LaterCountsError` if the format of what is kept at `where` is a later version's."""
    if isinstance(number, int) and number > FORMAT:
        raise LaterCountsError(
            f"A later version of litellm-qwen-ai keeps the counts in {where} (format {number}). They are "
            "left alone: until it is updated too, this process counts for itself."
        )


def _sum(mine: dict[int, int], theirs: Mapping[int, int]) -> dict[int, int]:
    return dict(Counter(mine) + Counter(theirs))


def _between(after: int, last: int, counts: dict[int, int]) -> dict[int, int]:
    return {key: count for key, count in counts.items() if after < key <= last}


def _since(counts: dict[int, int], now: float, zone: timezone) -> int:
    first = int(_midnight_after(now, zone)) // _HOUR - 24
    return sum(count for hour, count in counts.items() if first <= hour < first + 24)


def _midnight_after(moment: float, zone: timezone) -> float:
    day = datetime.fromtimestamp(moment, zone).replace(hour=0, minute=0, second=0, microsecond=0)
    return (day + timedelta(days=1)).timestamp()


def iso(moment: float) -> str:
    """A moment in epoch seconds as ISO 8601 in UTC."""
    return datetime.fromtimestamp(int(moment), timezone.utc).isoformat()


_FORM = TypeAdapter(Tally)
