"""One run: the lanes' processes side by side, job by job, lanes interleaved and their order rotated."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

from bench.lanes import BASE, OURS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bench.processes import Worker
    from bench.scenarios import Job
    from bench.upstream import Upstream

Figures = dict[str, list[dict[str, float]]]


_BEGAN = time.monotonic()
_LEAST_ROUNDS = 3
_NO_ROUND_AFTER = 260  # seconds since the start: the rest takes three to five minutes


def say(text: str) -> None:
    """Progress, on stderr, with the seconds since the start."""
    print(f"{time.monotonic() - _BEGAN:4.0f} s  {text}", file=sys.stderr, flush=True)


def rotated(lanes: Sequence[str], by: int) -> list[str]:
    """The lanes, the first `by` moved to the end."""
    by %= len(lanes)
    return [*lanes[by:], *lanes[:by]]


def run_jobs(
    jobs: Sequence[Job], rounds: int, workers: Mapping[str, Worker], upstream: Upstream
) -> tuple[Figures, list[str]]:
    """Run every job in every lane, round after round.

    Args:
        jobs: What to measure.
        rounds: How often.
        workers: The lanes' processes.
        upstream: The server.

    Returns:
        For each row the figures of each round by lane, and remarks on figures that were left out.
    """
    figures: Figures = {}
    remarks: list[str] = []
    for number in range(rounds):
        if number >= _LEAST_ROUNDS and time.monotonic() - _BEGAN > _NO_ROUND_AFTER:
            remarks.append(f"Only {number} rounds: this machine was slow or busy.")
            break
        for place, job in enumerate(jobs):
            if number >= job.rounds:
                continue
            upstream.mode(chunks=job.chunks, pace=job.pace)
            taken: dict[str, dict[str, float]] = {}
            for lane in rotated([one for one in job.lanes if one in workers], number + place):
                answer = workers[lane].ask(job.what, **job.for_lane())
                if job.alone and answer["arrived"] != job.chunks:
                    merged = job.chunks - int(answer["arrived"])
                    remarks.append(f"{', '.join(job.rows.values())}: {lane} merged {merged} of {job.chunks}")
                taken[lane] = answer
            for name, row in job.rows.items():
                figures.setdefault(row, []).append({lane: one[name] for lane, one in taken.items()})
        say(f"round {number + 1} of {rounds}")
    return figures, remarks


def run_probes(workers: Mapping[str, Worker], upstream: Upstream, *, pairs: int) -> Figures:
    """What is measured in our lane and, for comparison, in Copilot's.

    Args:
        workers: The lanes' processes.
        upstream: The server.
        pairs: How many pairs of blocks, with login and with key.
    """
    upstream.mode(chunks=16, pace=0)
    figures: Figures = {"token": [{}], "opens": [{}], "oauth-key": [{}]}
    ours: dict[str, Any] = {"base_url": upstream.base_url, "pairs": pairs, "count": 8}
    figures["oauth-key"][0][OURS] = workers[OURS].ask("oauth_against_key", **ours)["ratio"]
    for lane in (OURS, "github_copilot/"):
        if lane in workers:
            figures["token"][0][lane] = workers[lane].ask("token_look_up", count=5000)["seconds"]
            figures["opens"][0][lane] = workers[lane].ask("file_opens", count=20)["opens"]
    figures["opens"][0][BASE] = workers[BASE].ask("file_opens", count=20)["opens"]
    return figures
