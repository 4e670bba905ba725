"""How the cost of a call grows: one line each in a plot, with the exponent that fits it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bench.lanes import BASE, OURS
from bench.processes import workers
from bench.run import say
from bench.stats import exponent, steepest

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from bench.processes import Worker
    from bench.upstream import Upstream


_HELD_STREAMS = 500


@dataclass(frozen=True, slots=True)
class Curve:
    """Something that grows.

    Attributes:
        key: Its name in the results file.
        title: Its name in the plot, with the unit.
        sizes: How much of it.
        what: The function in the lane's process.
        size: The function's argument for it.
        arguments: Its other arguments.
        figure: Which of its figures is the cost of a call, in CPU seconds.
        lanes: Which lanes.
        repeats: The least of so many counts: growth is of interest here, noise only adds.
        pace: Of the upstream, in microseconds.
        per_chunk: The figure is for a chunk, the cost of the call that much times the size.
    """

    key: str
    title: str
    sizes: tuple[int, ...]
    what: str
    size: str
    arguments: dict[str, Any] = field(default_factory=dict)
    figure: str = "cpu"
    lanes: tuple[str, ...] = (BASE, OURS)
    repeats: int = 2
    pace: int = 0
    per_chunk: bool = False


CURVES = (
    Curve(
        "conversation",
        "conversation, bytes",
        (1000, 4000, 16_000, 64_000, 256_000, 1_000_000),
        "async_calls",
        "size",
        {"count": 4},
    ),
    Curve("tools", "tools", (1, 2, 8, 32, 64, 128), "async_calls", "with_tools", {"count": 8}),
    Curve(
        "stream",
        "stream, chunks",
        (10, 100, 1000, 10_000),
        "async_streams",
        "chunks",
        {"width": 1},
        pace=400,
        per_chunk=True,
    ),
    Curve(
        "streams", "open streams", (1, 10, 100, 300, 1000), "open_streams", "width", repeats=1, pace=20_000
    ),
    Curve("accounts", "accounts", (1, 3, 10, 30, 100), "accounts", "among", {"count": 60}, lanes=(OURS,)),
)


def run(started: Mapping[str, Worker], server: Upstream, folder: Path) -> dict[str, Any]:
    """Measure every curve.

    Args:
        started: The lanes' processes.
        server: The upstream.
        folder: Where the made-up logins are.

    Returns:
        By curve: title, sizes and, by lane, the cost of a call at each size in CPU seconds, its exponent and
        its steepest step. `bytes_per_stream` beside them: resident memory of an open stream.
    """
    curves: dict[str, Any] = {}
    for curve in CURVES:
        say(f"growth: {curve.title}")
        lanes = {lane: _costs(curve, started[lane], server) for lane in curve.lanes}
        curves[curve.key] = {"title": curve.title, "sizes": list(curve.sizes), "lanes": lanes}
    return {"curves": curves, "bytes_per_stream": _memory(server, folder)}


def _costs(curve: Curve, worker: Worker, server: Upstream) -> dict[str, Any]:
    costs = []
    for size in curve.sizes:
        length = size if curve.size == "chunks" else 20
        server.mode(chunks=length, pace=curve.pace)
        arguments = {**curve.arguments, curve.size: size}
        if curve.what == "async_streams":
            arguments["pace"] = curve.pace / 1e6
        answers = [worker.ask(curve.what, **arguments) for _ in range(curve.repeats)]
        least = min(one[curve.figure] for one in answers)
        costs.append(least * size if curve.per_chunk else least)
    return {
        "cpu": costs,
        "exponent": round(exponent(curve.sizes, costs), 2),
        "steepest": round(steepest(curve.sizes, costs), 2),
    }


def _memory(server: Upstream, folder: Path) -> dict[str, float]:
    """Fresh processes: one that has run for a while has memory to spare, and opens streams in that."""
    server.mode(chunks=20, pace=20_000)
    with workers((BASE, OURS), server.base_url, folder) as fresh:
        return {
            lane: worker.ask("open_streams", width=_HELD_STREAMS)["bytes"] for lane, worker in fresh.items()
        }
