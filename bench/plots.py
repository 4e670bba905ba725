"""The plots, as SVG without a time or a random id in it: the same figures give the same file."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
from matplotlib.figure import Figure

from bench.lanes import BASE, FLOOR, LANES, OURS, POSTS
from bench.scenarios import ROWS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_COLOURS = {
    BASE: "#555555",
    "dashscope/": "#d9a441",
    "github_copilot/": "#8b5fbf",
    OURS: "#1f6feb",
    FLOOR: "#a9a9a9",
    POSTS: "#2e7d32",
}


def draw(results: Mapping[str, Any], folder: Path) -> list[Path]:
    """Draw every plot that there are results for.

    Args:
        results: As stored.
        folder: Where to put them.

    Returns:
        The files.
    """
    with mpl.rc_context({"svg.hashsalt": "bench", "font.size": 9, "svg.fonttype": "none"}):
        files = [_ratios(results, folder / "ratios.svg")]
        if "growth" in results:
            files.append(_growth(results["growth"], folder / "growth.svg"))
    return files


def _ratios(results: Mapping[str, Any], path: Path) -> Path:
    rows = [row for row in ROWS if not row.absolute and row.key in results["rows"]]
    lanes = [lane.name for lane in LANES if lane.name in _COLOURS]
    figure = Figure(figsize=(9, 0.42 * len(rows) + 1.2), layout="constrained")
    axes = figure.subplots()
    for place, row in enumerate(rows):
        found = results["rows"][row.key]["ratios"]
        for lane in lanes:
            if lane in found:
                median, low, high = found[lane]
                style = {"color": _COLOURS[lane], "marker": "o" if lane == OURS else "|"}
                axes.errorbar(
                    [median],
                    [-place],
                    xerr=[[median - low], [high - median]],
                    markersize=7 if lane == OURS else 11,
                    linewidth=1.2,
                    label=lane if place == 0 else None,
                    **style,
                )
        axes.plot(
            [row.must],
            [-place],
            marker="x",
            linestyle="none",
            color="#b22222",
            label="must" if place == 0 else None,
        )
    axes.set_yticks([-place for place in range(len(rows))], [row.title for row in rows])
    axes.set_xscale("log")
    ticks = [0.05, 0.1, 0.2, 0.5, 1, 2, 4]
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.set_xlabel(f"ratio to {BASE} in the same run (less is better, but for calls/s and streams/s)")
    axes.grid(visible=True, axis="x", alpha=0.3)
    figure.legend(loc="outside upper center", ncols=4, frameon=False)
    return _saved(figure, path)


def _growth(growth: Mapping[str, Any], path: Path) -> Path:
    curves = growth["curves"]
    figure = Figure(figsize=(3.1 * len(curves), 3.2), layout="constrained")
    for axes, curve in zip(figure.subplots(1, len(curves)), curves.values(), strict=True):
        for lane, line in curve["lanes"].items():
            label = f"{lane}: exponent {line['exponent']:.2f}"
            milliseconds = [cost * 1000 for cost in line["cpu"]]
            axes.plot(curve["sizes"], milliseconds, marker=".", color=_COLOURS.get(lane), label=label)
        axes.set_xscale("log")
        axes.set_yscale("log")
        low, high = axes.get_ylim()
        axes.set_ylim(min(low, 0.5), max(high, 100))  # at least so much, or noise looks like growth
        axes.set_title(curve["title"])
        axes.set_ylabel("CPU per call, ms")
        axes.grid(visible=True, alpha=0.3)
        axes.legend(frameon=False, fontsize=7)
    return _saved(figure, path)


def _saved(figure: Figure, path: Path) -> Path:
    """Write a figure, its places to a tenth of a point: matplotlib gives six digits, which nobody sees."""
    drawn = io.StringIO()
    figure.savefig(drawn, format="svg", metadata={"Date": None})
    path.write_text(
        re.sub(r"\d+\.\d{3,}", lambda place: f"{float(place[0]):.1f}", drawn.getvalue()), encoding="utf-8"
    )
    return path
