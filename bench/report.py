"""The table, on the terminal and in Markdown, and the file of results."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.lanes import BASE, FLOOR, LANES, OURS, POSTS
from bench.scenarios import ROWS, Row
from bench.stats import Spread, medians, ratios

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bench.run import Figures

RESULTS = Path(__file__).with_name("results")
_NAMES = [lane.name for lane in LANES]


def last() -> dict[str, Any]:
    """The last full run's results, as committed."""
    return stored("latest")


def stored(name: str) -> dict[str, Any]:
    """A file of results, by its name."""
    results: dict[str, Any] = json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))
    return results


def machine() -> str:
    """What it ran on; no host name, no paths."""
    versions = ", ".join(
        f"{name} {importlib.metadata.version(name)}" for name in ("litellm", "openai", "aiohttp", "httpx")
    )
    return (
        f"{os.cpu_count()} x {_processor()}, {platform.system()}, "
        f"{platform.python_implementation()} {platform.python_version()}, {versions}"
    )


def rounded(value: Any) -> Any:
    """The same with four digits of every number: more is noise, and makes a file hard to read."""
    if isinstance(value, dict):
        return {name: rounded(one) for name, one in value.items()}
    if isinstance(value, list):
        return [rounded(one) for one in value]
    return float(f"{value:.4g}") if isinstance(value, float) else value


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def summary(figures: Figures) -> dict[str, Any]:
    """The rows as they are stored: medians, and ratios with their spread, by lane."""
    rows: dict[str, Any] = {}
    for row in ROWS:
        rounds = figures.get(row.key)
        if not rounds:
            continue
        stored: dict[str, Any] = {"rounds": rounds, "medians": medians(rounds)}
        if not row.absolute:
            spreads = ratios(rounds, BASE)
            stored["ratios"] = {lane: [one.median, one.low, one.high] for lane, one in spreads.items()}
        rows[row.key] = stored
    return rows


def verdict(row: Row, stored: Mapping[str, Any]) -> str:
    """`aim`, `must` or `missed`, for our lane; empty where it was not measured."""
    value = ours(row, stored)
    if value is None or row.must is None:
        return ""
    if row.aim is not None and row.reaches(value, row.aim):
        return "aim"
    return "must" if row.reaches(value, row.must) else "missed"


def ours(row: Row, stored: Mapping[str, Any]) -> float | None:
    """Our figure, as the targets are written: a ratio, or a figure in the row's unit."""
    if row.absolute:
        value = stored["medians"].get(OURS)
        return None if value is None else float(value) * row.scale
    found = stored["ratios"].get(OURS)
    return None if found is None else float(found[0])


def table(results: Mapping[str, Any]) -> list[list[str]]:
    """The table's cells, its heading first."""
    lanes = [name for name in _NAMES if any(name in row["medians"] for row in results["rows"].values())]
    cells = [["Measure", BASE, *(name for name in lanes if name != BASE), "must", "aim", "reached"]]
    for row in ROWS:
        stored = results["rows"].get(row.key)
        if stored is not None:
            line = [row.title, _figure(row, stored["medians"].get(BASE))]
            line += [_cell(row, stored, name) for name in lanes if name != BASE]
            cells.append([*line, _target(row, row.must), _target(row, row.aim), verdict(row, stored)])
    return cells


def _cell(row: Row, stored: Mapping[str, Any], lane: str) -> str:
    if row.absolute:
        return _figure(row, stored["medians"].get(lane))
    found = stored["ratios"].get(lane)
    if found is None:
        return ""
    spread = Spread(*found)
    # Of a single round there is no spread.
    if lane == OURS and sum(lane in one and BASE in one for one in stored["rounds"]) > 1:
        return f"{spread.median:.2f} ({spread.low:.2f}-{spread.high:.2f})"
    return f"{spread.median:.2f}"


def _figure(row: Row, value: float | None) -> str:
    if value is None:
        return ""
    scaled = value * row.scale
    digits = 0 if scaled >= 100 or scaled == 0 else 1 if scaled >= 10 else 2  # noqa: PLR2004  # three figures
    digits = 3 if row.unit == "x" else digits
    return f"{scaled:,.{digits}f} {row.unit}".strip()


def _target(row: Row, target: float | None) -> str:
    if target is None:
        return ""
    return f"{target:g} {row.unit}".strip() if row.absolute else f"{target:.2f}"


def as_text(results: Mapping[str, Any]) -> str:
    """The table for a terminal, with the machine and the upstream below it."""
    cells = table(results)
    widths = [max(len(line[column]) for line in cells) for column in range(len(cells[0]))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in cells
    ]
    return "\n".join([*lines, "", *notes(results)]) + "\n"


def as_markdown(results: Mapping[str, Any]) -> str:
    """The lanes side by side, for docs/performance.md; our lane in bold."""
    lanes = [BASE, OURS, *(name for name in _NAMES if name not in {BASE, OURS})]
    cells = [["Measure", *(f"**{name}**" if name == OURS else name for name in lanes)]]
    for row in ROWS:
        stored = results["rows"].get(row.key)
        if stored is not None:
            line = [_cell(row, stored, name) for name in lanes]
            line[0] = _figure(row, stored["medians"].get(BASE))
            line[1] = f"**{line[1]}**"
            cells.append([row.title, *line])
    return _markdown(cells)


def targets(results: Mapping[str, Any]) -> str:
    """Our lane against its targets, for docs/performance.md."""
    cells = [["Measure", OURS, FLOOR, POSTS, "must", "aim", "reached"]]
    for row in ROWS:
        stored = results["rows"].get(row.key)
        if stored is not None:
            line = [row.title, *(_cell(row, stored, lane) for lane in (OURS, FLOOR, POSTS))]
            cells.append([*line, _target(row, row.must), _target(row, row.aim), verdict(row, stored)])
    return _markdown(cells)


def growth(results: Mapping[str, Any]) -> str:
    """The exponents of the growth curves, for docs/performance.md."""
    found = results.get("growth")
    if not found:
        return "Not measured.\n"
    cells = [
        [
            "CPU of a call against",
            "from",
            "to",
            f"{BASE}: exponent",
            f"{OURS}: exponent",
            "steepest step",
            "first",
            "last",
        ]
    ]
    for curve in found["curves"].values():
        lanes, sizes = curve["lanes"], curve["sizes"]
        exponents = [f"{lanes[name]['exponent']:.2f}" if name in lanes else "" for name in (BASE, OURS)]
        exponents.append(f"{lanes[OURS]['steepest']:.2f}")
        ends = [f"{lanes[OURS]['cpu'][end] * 1000:,.1f} ms" for end in (0, -1)]
        cells.append([curve["title"], f"{sizes[0]:,}", f"{sizes[-1]:,}", *exponents, *ends])
    held = ", ".join(f"{lane} {size / 1000:,.0f} kB" for lane, size in found["bytes_per_stream"].items())
    return f"{_markdown(cells)}\nMemory of each open stream (resident, over 500 of them): {held}.\n"


def _markdown(cells: list[list[str]]) -> str:
    heading, *lines = cells
    rows = [heading, ["---"] * len(heading), *lines]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows) + "\n"


def _spread_of(rounds: int) -> str:
    """What stands in brackets; see `Spread.of`. No row is measured in more rounds than there are."""
    if rounds == 1:
        return "no spread"
    least = "the least and the greatest"
    return f"its quartiles; {least} where a row had fewer than four" if rounds >= 4 else least  # noqa: PLR2004  # as there


def notes(results: Mapping[str, Any]) -> list[str]:
    """What belongs to the table: how to read it, the machine, the upstream, remarks."""
    limit = results["upstream"]
    return [
        (
            f"Of {BASE} the figures, of the others their ratios to it in the same run: the median of "
            f"{results['rounds']} rounds ({_spread_of(results['rounds'])}). "
            f"{FLOOR}: LiteLLM without any provider; one request: by LiteLLM's HTTP client, a fixed text."
        ),
        f"Machine: {results['machine']}",
        (
            f"Upstream ({limit['kind']}, its own core): at least {limit['requests_per_second']:,} requests/s "
            f"and {limit['chunks_per_second']:,} chunks/s"
        ),
        *results["remarks"],
    ]
