"""What a user can still do, each thing measured: our lane with it and without, in one run, in turns."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

import aiohttp

from bench import proxies
from bench.lanes import OURS
from bench.processes import Worker
from bench.run import rotated, say
from bench.stats import Spread, medians, ratios

if TYPE_CHECKING:
    from pathlib import Path

    from bench.upstream import Upstream

PLAIN = "as it comes"
#: Each with the environment of the lane's process; `worker.py` reads those that begin with BENCH.
OPTIONS = {
    PLAIN: {},
    "`litellm.disable_streaming_logging = True`": {"BENCH_SET": "disable_streaming_logging"},
    "uvloop": {"BENCH_UVLOOP": "1"},
    "`litellm.disable_aiohttp_transport = True`": {"BENCH_SET": "disable_aiohttp_transport"},
    "`QWEN_COALESCE=0`": {"QWEN_COALESCE": "0"},
}
_CHUNKS = 1000
#: A title, the function, its arguments, its figure, and the upstream's pace in microseconds.
_MEASURES: tuple[tuple[str, str, dict[str, Any], str, int], ...] = (
    ("call, async CPU", "async_calls", {"count": 40}, "cpu", 0),
    ("32 concurrent: calls/s", "concurrent_calls", {"width": 32, "count": 320}, "calls_per_second", 0),
    ("async stream, CPU per chunk", "async_streams", {"width": 1}, "cpu", 1000),
    ("sync stream, CPU per chunk", "sync_stream", {}, "cpu", 1000),
    ("burst stream, CPU per token", "async_streams", {"width": 1}, "cpu", 0),
)


def run(server: Upstream, folder: Path, rounds: int) -> dict[str, Any]:
    """Measure every option, and two proxy workers against one.

    Args:
        server: The upstream.
        folder: Where the made-up logins are.
        rounds: How often.

    Returns:
        By option and measure the ratio to the same without it: median, low, high. And the streams per second
        of a proxy with one worker and with two.
    """
    with contextlib.ExitStack() as stack:
        workers = {
            name: stack.enter_context(
                contextlib.closing(Worker(OURS, server.base_url, folder, environment=more))
            )
            for name, more in OPTIONS.items()
        }
        server.mode(chunks=16, pace=0)
        for worker in workers.values():
            worker.ask("_warm_up")
        figures = _figures(workers, server, rounds)
    found: dict[str, dict[str, list[float]]] = {}
    for title, taken in figures.items():
        for name, spread in ratios(taken, PLAIN).items():
            found.setdefault(name, {})[title] = [spread.median, spread.low, spread.high]
    return {"options": found, "workers": _proxy_workers(server, folder, rounds)}


def _figures(workers: dict[str, Worker], server: Upstream, rounds: int) -> dict[str, list[dict[str, float]]]:
    figures: dict[str, list[dict[str, float]]] = {}
    for number in range(rounds):
        for place, (title, what, arguments, figure, pace) in enumerate(_MEASURES):
            server.mode(chunks=_CHUNKS, pace=pace)
            more = {"chunks": _CHUNKS, "pace": pace / 1e6} if "stream" in what else {}
            figures.setdefault(title, []).append(
                {
                    name: workers[name].ask(what, **arguments, **more)[figure]
                    for name in rotated(list(workers), number + place)
                }
            )
        say(f"options: round {number + 1} of {rounds}")
    return figures


def _proxy_workers(server: Upstream, folder: Path, rounds: int) -> dict[str, float]:
    say("proxy workers")
    with contextlib.ExitStack() as stack:
        both = {
            str(count): stack.enter_context(
                contextlib.closing(proxies.Proxy(OURS, server.base_url, folder, workers=count))
            )
            for count in (1, 2)
        }
        return asyncio.run(_rates(both, server, rounds))


async def _rates(both: dict[str, proxies.Proxy], server: Upstream, rounds: int) -> dict[str, float]:
    taken: list[dict[str, float]] = []
    connector = aiohttp.TCPConnector(limit=0, force_close=True)  # so that both workers get some of them
    async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(300)) as session:
        for proxy in both.values():
            await proxy.ready(session)
        server.mode(chunks=proxies.CHUNKS, pace=proxies.PACE)
        for proxy in both.values():
            await asyncio.gather(*(proxy.stream(session) for _ in range(16)))
        for number in range(rounds):
            taken.append({})
            for count in rotated(list(both), number):
                figures = await proxies.measure(both[count], session)
                taken[-1][count] = figures["proxy-rate"]
    return medians(taken)


def as_markdown(results: dict[str, Any]) -> str:
    """The table for docs/performance.md.

    Args:
        results: As `run` returns them.
    """
    titles = [title for title, *_ in _MEASURES]
    lines = [["", *titles], ["---"] * (len(titles) + 1)]
    for name, found in results["options"].items():
        if name != PLAIN:
            spreads = [Spread(*found[title]) for title in titles]
            lines.append([name, *(f"{one.median:.2f} ({one.low:.2f}-{one.high:.2f})" for one in spreads)])
    one, two = results["workers"]["1"], results["workers"]["2"]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return (
        f"{table}\n\nA proxy with `--num_workers 2` instead of 1, on two cores that it shares with the "
        f"server and the load: {two:.1f} streams/s instead of {one:.1f} ({two / one:.2f}).\n"
    )
