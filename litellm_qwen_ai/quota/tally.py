"""What the quota meter keeps, as plain data: requests by second and by hour, last refusal, last failure.

All moments are in epoch seconds. Days are counted from hours, so only time zones of whole hours work.

Qwen names no hour at which a day's quota starts anew (QwenLM/qwen-code issue #1984 asks for it).
`PROVIDER_ZONE` is what other programs take for it, midnight in Beijing (router-for-me/CLIProxyAPI pull
request #1676).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

from pydantic import AfterValidator, BeforeValidator, Field, TypeAdapter

if TYPE_CHECKING:
    from collections.abc import Iterable

#: China has had no summer time since 1991, so no time zone database is needed.
PROVIDER_ZONE = timezone(timedelta(hours=8), "Asia/Shanghai")
THROTTLED, QUOTA_SPENT = "throttled", "quota_spent"
LONGEST_TEXT = 600  # characters of a failure
_MINUTE = 60
_HOUR = 3600
_KEPT_HOURS = 48
LATEST = 253_000_000_000  # epoch seconds: shortly before the year 9999, the last that a date can show
_MOST = 1 << 53  # the largest whole number that every JSON reader keeps
Moment: TypeAlias = Annotated[float, Field(ge=0, lt=LATEST, strict=True)]
Counts: TypeAlias = dict[int, Annotated[int, Field(ge=0, lt=_MOST, strict=True)]]


def _known(reason: str) -> str:
    if reason not in {THROTTLED, QUOTA_SPENT}:
        raise ValueError("no reason")
    return reason


def _cut(text: object) -> object:
    return text[:LONGEST_TEXT] if isinstance(text, str) else text


@dataclass(frozen=True, slots=True)
class Refusal:
    """The server's last refusal for quota or rate.

    Attributes:
        at: When it came.
        until: When the server said that it ends; None if it did not.
        reason: `throttled` or `quota_spent`.
        over: A request has been accepted since.
    """

    at: Moment
    until: Moment | None
    reason: Annotated[str, AfterValidator(_known)]
    over: bool = False

    def ends_at(self) -> float:
        """When it ends: as the server said; else a minute later, or at the end of the provider's day."""
        if self.until is not None:
            return self.until
        return self.at + _MINUTE if self.reason == THROTTLED else _midnight_after(self.at, PROVIDER_ZONE)


@dataclass(frozen=True, slots=True)
class Failure:
    """The last error of an account that whoever looks after it should know of.

    Attributes:
        at: When it happened.
        text: What happened and what to do; no secret is in it.
        login_ended: The server no longer takes the login's refresh token.
    """

    at: Moment
    text: Annotated[str, BeforeValidator(_cut)]
    login_ended: bool = False


@dataclass(frozen=True, slots=True)
class Usage:
    """What one account has used, as far as it was counted here; nothing in it is secret.

    Requests that other programs send with the same account are not known, nor is what the server counts.

    Attributes:
        requests_last_minute: Requests sent in the last 60 seconds.
        requests_today_utc: Requests sent since midnight UTC.
        requests_today: Requests sent since midnight in `day_zone`.
        day_zone: The provider's day, as it is assumed.
        day_ends_at: When that day ends, ISO 8601 in UTC.
        refused_today: Requests of that day that were refused with 429, or with 403 for a spent quota.
        limited: The last such refusal has not ended, as far as is known.
        limited_reason: `throttled` or `quota_spent`; None if not limited.
        limited_since: When that refusal came, ISO 8601 in UTC; None if not limited.
        limited_until: When it ends, the same.
        limited_until_source: `server` if the server named the time, else `assumed`; None if not limited.
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

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


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
        for moment in times:
            second = int(moment)
            self.seconds[second] = self.seconds.get(second, 0) + 1
            hour = second // _HOUR
            self.hours[hour] = self.hours.get(hour, 0) + 1

    def refuse(self, refusal: Refusal) -> None:
        """Count a refusal."""
        hour = int(refusal.at) // _HOUR
        self.refused[hour] = self.refused.get(hour, 0) + 1
        self.refusal = refusal

    def merge(self, other: Tally) -> None:
        """Add what somebody else has counted; of two refusals or failures the later one stands."""
        for mine, theirs in (
            (self.seconds, other.seconds),
            (self.hours, other.hours),
            (self.refused, other.refused),
        ):
            for key, count in theirs.items():
                mine[key] = mine.get(key, 0) + count
        known = [refusal for refusal in (self.refusal, other.refusal) if refusal is not None]
        self.refusal = max(known, key=lambda refusal: (refusal.at, refusal.over), default=None)
        failures = [failure for failure in (self.failure, other.failure) if failure is not None]
        self.failure = max(failures, key=lambda failure: failure.at, default=None)

    def copy(self) -> Tally:
        """One that can be changed by itself."""
        made = Tally()
        made.merge(self)
        return made

    def prune(self, now: float) -> None:
        """Forget what no answer needs any more, and what a clock that was wrong has dated in the future."""
        second, hour = int(now), int(now) // _HOUR
        self.seconds = {
            key: count for key, count in self.seconds.items() if second - _MINUTE < key <= second + _MINUTE
        }
        self.hours, self.refused = (
            {key: count for key, count in counts.items() if hour - _KEPT_HOURS < key <= hour + 1}
            for counts in (self.hours, self.refused)
        )

    def last_minute(self, now: float) -> int:
        """Requests in the 60 seconds before `now`."""
        first = int(now) - _MINUTE
        return sum(count for key, count in self.seconds.items() if key > first)

    def today(self, now: float, zone: timezone = PROVIDER_ZONE) -> int:
        """Requests since midnight in `zone`."""
        return _since(self.hours, now, zone)

    def usage(self, now: float) -> Usage:
        """The counts as they stand at a moment."""
        limits: dict[str, Any] = {}
        refusal = self.refusal
        limited = refusal is not None and not refusal.over and now < refusal.ends_at()
        if refusal is not None and limited:
            limits = {
                "limited_reason": refusal.reason,
                "limited_since": _iso(refusal.at),
                "limited_until": _iso(refusal.ends_at()),
                "limited_until_source": "assumed" if refusal.until is None else "server",
            }
        return Usage(
            requests_last_minute=self.last_minute(now),
            requests_today_utc=self.today(now, timezone.utc),
            requests_today=self.today(now),
            day_zone=str(PROVIDER_ZONE),
            day_ends_at=_iso(_midnight_after(now, PROVIDER_ZONE)),
            refused_today=_since(self.refused, now, PROVIDER_ZONE),
            limited=limited,
            **limits,
        )

    def to_json(self) -> bytes:
        """The form on disk."""
        return _FORM.dump_json(self)

    @classmethod
    def from_json(cls, data: bytes) -> Tally:
        """Read the form on disk.

        Raises:
            ValueError: It is something else.
        """
        return _FORM.validate_json(data)


def _since(counts: dict[int, int], now: float, zone: timezone) -> int:
    first = int(_midnight_after(now, zone)) // _HOUR - 24
    return sum(count for hour, count in counts.items() if first <= hour < first + 24)


def _midnight_after(moment: float, zone: timezone) -> float:
    day = datetime.fromtimestamp(moment, zone).replace(hour=0, minute=0, second=0, microsecond=0)
    return (day + timedelta(days=1)).timestamp()


def _iso(moment: float) -> str:
    return datetime.fromtimestamp(int(moment), timezone.utc).isoformat()


_FORM = TypeAdapter(Tally)
