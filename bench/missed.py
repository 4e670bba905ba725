"""Which targets were missed, each with the profile that says why."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from bench.lanes import BASE, FLOOR, OURS, POSTS
from bench.report import ours, verdict
from bench.scenarios import ROWS, Row
from bench.where import COLUMNS

if TYPE_CHECKING:
    from collections.abc import Mapping

_CALL, _STREAM, _SYNC_STREAM, _BURST = (
    "call, async",
    "stream, async, paced",
    "stream, sync, paced",
    "stream, async, burst",
)
#: The profile behind a row, by its title in where.json.
_PROFILES = {
    "sync-call": "call, sync",
    "async-call": _CALL,
    "calls-32": _CALL,
    "p99-32": _CALL,
    "calls-128": _CALL,
    "p99-128": _CALL,
    "first-content-sync": "call, sync",
    "first-content": _CALL,
    "first-content-32": _CALL,
    "async-stream": _STREAM,
    "sync-stream": _SYNC_STREAM,
    "burst-stream": _BURST,
    "proxy-cpu": _STREAM,
    "proxy-rate": _STREAM,
    "proxy-first-byte": _CALL,
    "proxy-call": _CALL,
}
_SLOWEST = "The slowest call of a hundred waits for LiteLLM's logging of others, on the same loop and lock."
_MORE = {
    "p99-32": _SLOWEST,
    "p99-128": _SLOWEST,
    "conversation": (
        "The target is of LiteLLM 1.106, whose openai/ needed 34 ms. What there is above the empty handler "
        "is JSON and the socket, as in raw aiohttp."
    ),
    "sync-stream": "httpcore waits and reads for each chunk.",
    "memory": (
        "LiteLLM's import is the greatest part of the peak, and its stream wrapper keeps every chunk until "
        "the stream ends, to log one answer."
    ),
    "proxy-call": "The proxy's own work on a request (key, hooks, logging) is the same in every lane.",
}


def as_markdown(results: Mapping[str, Any], places: Mapping[str, Any]) -> str:
    """A list for docs/performance.md.

    Args:
        results: A full run's.
        places: Those of `where`.
    """
    lines = []
    for row in ROWS:
        stored = results["rows"].get(row.key)
        if stored is not None and verdict(row, stored) == "missed":
            ratios = stored.get("ratios", {})
            least = ", ".join(f"{lane} {ratios[lane][0]:.2f}" for lane in (FLOOR, POSTS) if lane in ratios)
            floor = f" ({least})" if least else ""
            said = f"{ours(row, stored):.2f}, must {row.must:.2f}{floor}. {_why(row, places)}"
            lines.append(f"- **{row.title}**: {said.rstrip()}")
    return "\n".join(lines or ["None in the last full run."]) + "\n"


def _why(row: Row, places: Mapping[str, Any]) -> str:
    title = _PROFILES.get(row.key)
    if title is None or title not in places:
        return _MORE.get(row.key, "")
    lanes = places[title]
    mine = lanes[OURS]
    parts = [f"{place} {mine[place] * 1e6:,.0f}" for place in COLUMNS if mine.get(place)]
    totals = ", ".join(f"{lane} {math.fsum(lanes[lane].values()) * 1e6:,.0f}" for lane in (BASE, FLOOR))
    profile = (
        f"Profile ({title}, us): {', '.join(parts)}; in all {math.fsum(mine.values()) * 1e6:,.0f}, {totals}."
    )
    return f"{profile} {_MORE.get(row.key, '')}".rstrip()
