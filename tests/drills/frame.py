"""The frame of `make drills`: what a drill is, how drills are run, and the table that comes of it.

Drills stand in the modules listed in `__main__.py`. In them, a function does one drill at its full size:

    @drill("Races", "50 processes x 20 threads, expired token", bar=1.0)
    def threads(folder: Path) -> Result:
        return Result(tries=1000, failures=0, worst=0.3, note="1 refresh")

The short form of the same drill is a pytest test beside it.
"""

from __future__ import annotations

import os
import platform
import tempfile
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path

OURS = ""  # whose login a drill drives: this package's
ALL_IN = 300.0  # seconds for everything
_registry: list[Drill] = []


@dataclass(frozen=True)
class Result:
    """What came of a drill.

    Attributes:
        tries: How often the thing in question was tried.
        failures: How many tries did not end as they should.
        worst: The time in question of the slowest try, in seconds; the drill's `note` says which time.
        note: Counts and figures for the reader.
    """

    tries: int
    failures: int
    worst: float | None = None
    note: str = ""


@dataclass(frozen=True)
class Drill:
    """One row of the table.

    Attributes:
        group: The part of the table.
        name: What is done, for the reader.
        run: Does it; gets an empty folder that is removed afterwards.
        bar: Seconds that `worst` must stay under; None where time is not the point.
        peer: The program that is driven for comparison; its failures do not fail the run.
    """

    group: str
    name: str
    run: Callable[[Path], Result]
    bar: float | None = None
    peer: str = OURS


@dataclass(frozen=True)
class Row:
    """A drill and its result; `error` is the traceback of a drill that broke off."""

    drill: Drill
    result: Result
    error: str = ""

    @property
    def slow(self) -> bool:
        """Whether the worst time is over the bar."""
        return self.drill.bar is not None and (self.result.worst or 0.0) >= self.drill.bar

    @property
    def failed(self) -> bool:
        """Whether this fails the run."""
        return self.drill.peer == OURS and bool(self.result.failures or self.error or self.slow)


def drill(
    group: str, name: str, *, bar: float | None = None, peer: str = OURS
) -> Callable[[Callable[[Path], Result]], Callable[[Path], Result]]:
    """Put a function into the table. See `Drill`."""

    def register(function: Callable[[Path], Result]) -> Callable[[Path], Result]:
        _registry.append(Drill(group, name, function, bar, peer))
        return function

    return register


def drills(wanted: list[str]) -> list[Drill]:
    """The drills whose group or name holds one of the words, in order; all of them for no word."""
    words = [word.lower() for word in wanted]
    return [
        one
        for one in _registry
        if not words or any(word in f"{one.group} {one.peer} {one.name}".lower() for word in words)
    ]


def run(chosen: list[Drill], tell: Callable[[str], None]) -> list[Row]:
    """Run drills one after another.

    Args:
        chosen: Which.
        tell: Gets a line of progress after each.
    """
    rows = []
    for one in chosen:
        begun = time.monotonic()
        row = _once(one)
        if row.slow and not row.result.failures:  # the machine may have had something else to do
            first, row = row, _once(one)
            note = f"{row.result.note}; second run, the first took {milliseconds(first.result)}"
            row = replace(row, result=replace(row.result, note=note))
        rows.append(row)
        mark = "FAILED" if row.failed else "ok"
        took = time.monotonic() - begun
        tell(f"{mark:>6} {took:5.1f} s  {one.group}: {one.peer or 'ours'}: {one.name}: {summary(row.result)}")
        if row.error:
            tell(row.error)
    return rows


def _once(one: Drill) -> Row:
    with tempfile.TemporaryDirectory(prefix="drill-", ignore_cleanup_errors=True) as folder:
        try:
            return Row(one, one.run(Path(folder)))
        except Exception:  # noqa: BLE001  # the other drills go on; the row says what happened
            return Row(one, Result(tries=0, failures=1, note="broke off"), traceback.format_exc())


def summary(result: Result) -> str:
    """One result in one line."""
    return f"{result.tries} tries, {result.failures} failures, worst {milliseconds(result)}; {result.note}"


def milliseconds(result: Result) -> str:
    """The worst time, as the table shows it."""
    if result.worst is None:
        return "-"
    worst = result.worst * 1000
    return f"{worst:.2f} ms" if worst < 10 else f"{worst:.0f} ms"  # three digits are enough


def table(rows: list[Row]) -> str:
    """The rows as Markdown, one table for each group."""
    parts = []
    for group in dict.fromkeys(row.drill.group for row in rows):
        members = [row for row in rows if row.drill.group == group]
        peers = any(row.drill.peer for row in members)
        head = ["Drill", "Tries", "Failures", "Worst", "What came of it"]
        lines = [_line(["Whose", *head] if peers else head)]
        lines.append(_line(["---"] * (len(head) + peers)))
        for row in members:
            result = row.result
            cells = [
                row.drill.name,
                f"{result.tries:,}",
                f"{result.failures:,}",
                milliseconds(result) + (f" (bar {row.drill.bar * 1000:g})" if row.drill.bar else ""),
                result.note,
            ]
            lines.append(_line([row.drill.peer or "ours", *cells] if peers else cells))
        parts.append(f"## {group}\n\n" + "\n".join(lines) + "\n")
    return "\n".join(parts)


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def machine() -> str:
    """The kind of machine, without anything that names this one."""
    cores = os.cpu_count() or 1
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 0
    memory = f", {pages / 2**30:.0f} GiB of memory" if pages else ""
    return (
        f"{platform.system()} on {platform.machine()}, {cores} {'core' if cores == 1 else 'cores'}{memory}, "
        f"Python {platform.python_version()}, LiteLLM {version('litellm')}"
    )


def page(rows: list[Row], took: float, head: str) -> str:
    """docs/drills.md."""
    return f"{head}\nMeasured on: {machine()}; {took:.0f} s for everything.\n\n{table(rows)}"
