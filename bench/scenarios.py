"""The rows of the table, and the jobs that give their figures."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from bench.lanes import BASE, FLOOR, LANES, OURS, POSTS

MICRO, MILLI = 1e6, 1e3


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table.

    Attributes:
        key: Its name in the results file.
        title: What is measured.
        must: The ratio to the base lane that has to be reached; None where there is none.
        aim: The ratio hoped for.
        unit: Of the figures shown.
        scale: From seconds, bytes or counts to that unit.
        more_is_better: For rates.
        absolute: The targets are figures in `unit`, not ratios.
    """

    key: str
    title: str
    must: float | None
    aim: float | None
    unit: str = "us"
    scale: float = MICRO
    more_is_better: bool = False
    absolute: bool = False

    def reaches(self, value: float, target: float | None) -> bool:
        """Whether a ratio (or a figure in `unit`) reaches a target; no target is always reached."""
        if target is None:
            return True
        shown = round(value, 3)  # what the table cannot show does not decide
        return shown >= target if self.more_is_better else shown <= target


ROWS = (
    Row("sync-call", "call, sync CPU", 0.55, 0.45),
    Row("async-call", "call, async CPU, one at a time", 0.50, 0.40),
    Row("sync-call-heard", "call, sync CPU, with a callback", 1.00, 0.45),
    Row("async-call-heard", "call, async CPU, with a callback", 1.00, 0.50),
    Row("calls-32", "32 concurrent: calls/s", 1.8, 2.2, "/s", 1, more_is_better=True),
    Row("p99-32", "32 concurrent: p99", 0.6, 0.5, "ms", MILLI),
    Row(
        "calls-32-heard",
        "32 concurrent: calls/s, with a callback",
        None,
        None,
        "/s",
        1,
        more_is_better=True,
    ),
    Row("calls-128", "128 concurrent: calls/s", 1.8, 2.2, "/s", 1, more_is_better=True),
    Row("p99-128", "128 concurrent: p99", 0.6, 0.5, "ms", MILLI),
    Row("conversation", "230 kB conversation, CPU", 0.15, 0.11),
    Row("async-stream", "async stream, CPU per chunk", 0.36, 0.30),
    Row("async-stream-heard", "async stream, CPU per chunk, with a callback", None, None),
    Row("sync-stream", "sync stream, CPU per chunk", 0.62, 0.58),
    Row("sync-stream-heard", "sync stream, CPU per chunk, with a callback", None, None),
    Row("first-content-sync", "time to first content, sync, alone", 0.75, 0.60, "ms", MILLI),
    Row("first-content", "time to first content, async, alone", 0.75, 0.50, "ms", MILLI),
    Row("first-content-32", "time to first content, 32 streams", 0.45, 0.30, "ms", MILLI),
    Row("burst-stream", "burst stream, async CPU per token", 0.15, 0.07),
    Row("token", "token look-up, hot", 3.0, 0.3, absolute=True),
    Row("opens", "files opened per call", 0, 0, "", 1, absolute=True),
    Row("oauth-key", "OAuth over static key, CPU", 1.01, 1.005, "x", 1, absolute=True),
    Row("import", "import on top of `import litellm`, CPU", 20, 8, "ms", MILLI, absolute=True),
    Row("first-call", "first call of a fresh process, CPU", None, None, "ms", MILLI),
    Row("first-renewal", "first renewal of a fresh process, CPU", None, None, "ms", MILLI, absolute=True),
    Row("store-look", "fleet's store: one look", None, None, "us", absolute=True),
    Row("store-seen", "fleet's store: until others have a new token", None, None, "ms", MILLI, absolute=True),
    Row("memory", "memory peak, 16 streams of 2,000 chunks", 0.72, 0.66, "MB", 1e-6),
    Row("memory-slow", "the same, so slow that next to nothing merges", None, None, "MB", 1e-6),
    Row("proxy-cpu", "proxy, 16 streams: CPU", 0.62, 0.52, "ms", MILLI),
    Row("proxy-rate", "proxy, 16 streams: streams/s", 1.6, 1.9, "/s", 1, more_is_better=True),
    Row("proxy-first-byte", "proxy, 16 streams: time to first byte", 0.70, 0.60, "ms", MILLI),
    Row("proxy-call", "proxy, calls one at a time, CPU", 1.00, 0.92, "ms", MILLI),
)


#: All that stream, and so all lanes but one.
_EVERY = tuple(lane.name for lane in LANES if lane.name != POSTS)


@dataclass(frozen=True, slots=True)
class Job:
    """One measurement of every lane in every round.

    Attributes:
        what: The function in the lane's process.
        rows: Which figure of it goes to which row.
        arguments: Of the function.
        chunks, pace: The upstream's streams; pace in microseconds.
        lanes: Which lanes take part.
        rounds: How many, at most.
        alone: Whether every chunk must arrive by itself; if some merged, it is measured once more.
    """

    what: str
    rows: dict[str, str]
    arguments: dict[str, Any] = field(default_factory=dict)
    chunks: int = 16
    pace: int = 0
    lanes: tuple[str, ...] = _EVERY
    rounds: int = 99
    alone: bool = False

    def for_lane(self) -> dict[str, Any]:
        """The function's arguments; a function that streams is told what the upstream does."""
        if not any(word in self.what for word in ("stream", "first_content")):
            return self.arguments
        return {**self.arguments, "chunks": self.chunks, "pace": self.pace / 1e6}


_SYNC = tuple(lane.name for lane in LANES if lane.sync and lane.name != POSTS)
#: Microseconds: slow enough that the slowest lane has read one chunk before the next is sent.
_PACE = 1000
STREAM = 2000
#: For rows that need no more to be judged.
_FEW = (BASE, OURS, FLOOR)

FULL = (
    Job("sync_calls", {"cpu": "sync-call"}, {"count": 120}, lanes=(*_SYNC, POSTS)),
    Job("async_calls", {"cpu": "async-call"}, {"count": 120}, lanes=(*_EVERY, POSTS)),
    Job("sync_calls", {"cpu": "sync-call-heard"}, {"count": 60, "heard": True}, lanes=(*_FEW, POSTS)),
    Job("async_calls", {"cpu": "async-call-heard"}, {"count": 60, "heard": True}, lanes=(*_FEW, POSTS)),
    Job(
        "concurrent_calls",
        {"calls_per_second": "calls-32", "p99": "p99-32"},
        {"width": 32, "count": 320},
        lanes=(*_EVERY, POSTS),
    ),
    Job(
        "concurrent_calls",
        {"calls_per_second": "calls-128", "p99": "p99-128"},
        {"width": 128, "count": 640},
        lanes=(*_EVERY, POSTS),
    ),
    Job(
        "concurrent_calls",
        {"calls_per_second": "calls-32-heard"},
        {"width": 32, "count": 160, "heard": True},
        lanes=(*_FEW, POSTS),
    ),
    Job("async_calls", {"cpu": "conversation"}, {"count": 8, "size": 230_000}),
    Job("first_content_sync", {"seconds": "first-content-sync"}, {"repeats": 20}, 8, 1000, lanes=_FEW),
    Job("first_content", {"seconds": "first-content"}, {"width": 1, "repeats": 20}, 8, 1000),
    Job(
        "first_content",
        {"seconds": "first-content-32"},
        {"width": 32, "repeats": 3},
        chunks=24,
        pace=20_000,
    ),
    Job("async_streams", {"cpu": "burst-stream"}, {"width": 1}, STREAM),
    Job(
        "async_streams",
        {"cpu": "async-stream"},
        {"width": 1},
        chunks=STREAM,
        pace=_PACE,
        rounds=3,
        alone=True,
    ),
    Job(
        "async_streams",
        {"cpu": "async-stream-heard"},
        {"width": 1, "heard": True},
        chunks=STREAM,
        pace=_PACE,
        lanes=_FEW,
        rounds=3,
        alone=True,
    ),
    Job(
        "sync_stream",
        {"cpu": "sync-stream"},
        {},
        chunks=STREAM,
        pace=_PACE,
        lanes=_SYNC,
        rounds=3,
        alone=True,
    ),
    Job(
        "sync_stream",
        {"cpu": "sync-stream-heard"},
        {"heard": True},
        chunks=STREAM,
        pace=_PACE,
        lanes=_FEW,
        rounds=3,
        alone=True,
    ),
)

_QUICK_STREAM = 400
QUICK_LANES = (BASE, OURS, "qwen_ai/ key", FLOOR, POSTS)


def quick() -> tuple[Job, ...]:
    """The same in little time: fewer lanes, shorter streams."""
    jobs = []
    for job in FULL:
        lanes = tuple(lane for lane in job.lanes if lane in QUICK_LANES)
        arguments = dict(job.arguments)
        chunks = job.chunks
        if chunks == STREAM:
            chunks = _QUICK_STREAM
        if "count" in arguments and "width" in arguments:
            arguments["count"] //= 2
        jobs.append(Job(job.what, job.rows, arguments, chunks, job.pace, lanes, job.rounds, job.alone))
    return tuple(jobs)
