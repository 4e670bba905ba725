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


def say(text: str) -> None:
    """Progress, on stderr, with the seconds since the start."""
    print(f"{time.monotonic() - _BEGAN:4.0f} s  {text}", file=sys.stderr, flush=True)


def rotated(lanes: Sequence[str], by: int) -> list[str]:
    """The lanes, the first `by` moved to the end."""
    by %= len(lanes)
    return [*lanes[by:], *lanes[:by]]


def run_jobs(
    jobs: Sequence[Job], rounds: range, seconds: float, workers: Mapping[str, Worker], upstream: Upstream
) -> tuple[Figures, list[str]]:
    """Run every job in every lane, round after round.

    Args:
        jobs: What to measure.
        rounds: How often at least, and at most.
        seconds: No further round begins so long after the start: a slow machine gets fewer.
        workers: The lanes' processes.
        upstream: The server.

    Returns:
        For each row the figures of each round by lane, and remarks on what was not as it should be.
    """
    figures: Figures = {}
    remarks: list[str] = []
    for number in range(rounds.stop):
        if number >= rounds.start and time.monotonic() - _BEGAN > seconds:
            remarks.append(f"Only {number} rounds of {rounds.stop}: this machine was slow or busy.")
            break
        for place, job in enumerate(jobs):
            if number >= job.rounds:
                continue
            upstream.mode(chunks=job.chunks, pace=job.pace)
            lanes = rotated([one for one in job.lanes if one in workers], number + place)
            taken = {lane: _ask(job, workers[lane], remarks) for lane in lanes}
            for name, row in job.rows.items():
                figures.setdefault(row, []).append({lane: one[name] for lane, one in taken.items()})
        say(f"round {number + 1} of {rounds.stop}")
    return figures, remarks


def _ask(job: Job, worker: Worker, remarks: list[str]) -> dict[str, float]:
    """A lane's figures; once more if chunks merged that should not, since the machine looked away."""
    answer = worker.ask(job.what, **job.for_lane())
    if not job.alone or answer["arrived"] == job.chunks:
        return answer
    again = worker.ask(job.what, **job.for_lane())
    best = max(answer, again, key=lambda one: one["arrived"])
    if merged := job.chunks - int(best["arrived"]):
        remarks.append(
            f"{', '.join(job.rows.values())}: {worker.lane} merged {merged} of {job.chunks} chunks"
        )
    return best


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
