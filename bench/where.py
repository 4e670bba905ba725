"""Where the time goes: samples of the main thread's stack by CPU time, and the share of the other threads.

A sample belongs to the innermost frame that is no standard library's: what `json` does for LiteLLM is
LiteLLM's. Compiled code (pydantic's core) has no frame and belongs to its caller.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import signal
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

from bench import measure
from bench.lanes import BASE, FLOOR, OURS
from bench.processes import workers
from bench.run import say

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import FrameType

    from bench.clients import Client
    from bench.upstream import Upstream

_INTERVAL = 0.002  # seconds of CPU; systems round it up to a tick
THREADS, LOOP = "other threads", "event loop and the rest"
_PLACES = (
    ("/bench/", LOOP),
    ("site-packages/litellm/", "LiteLLM"),
    ("litellm_qwen_ai/", "qwen_ai/"),
    ("site-packages/openai/", "OpenAI SDK"),
    ("site-packages/httpx/", "HTTP client"),
    ("site-packages/httpcore/", "HTTP client"),
    ("site-packages/aiohttp/", "HTTP client"),
    ("site-packages/anyio/", "HTTP client"),
    ("site-packages/h11/", "HTTP client"),
    ("site-packages/", "other packages"),
)
COLUMNS = ("qwen_ai/", "LiteLLM", "OpenAI SDK", "HTTP client", "other packages", LOOP, THREADS)
#: A title, the function in the lane's process, its arguments, and the upstream's chunks and pace.
_KINDS: tuple[tuple[str, str, dict[str, Any], int, int], ...] = (
    ("call, sync", "sample_calls", {"count": 400, "sync": True}, 16, 0),
    ("call, async", "sample_calls", {"count": 400, "sync": False}, 16, 0),
    ("stream, async, paced", "sample_streams", {"count": 2, "sync": False}, 2000, 1000),
    ("stream, sync, paced", "sample_streams", {"count": 2, "sync": True}, 2000, 1000),
    ("stream, async, burst", "sample_streams", {"count": 10, "sync": False}, 2000, 0),
)


@contextlib.contextmanager
def _sampled(into: dict[str, float]) -> Iterator[None]:
    """Fill `into` with CPU seconds by place."""
    samples: Counter[str] = Counter()

    def take(_: int, frame: FrameType | None) -> None:
        samples[_place(frame)] += 1

    before = signal.signal(signal.SIGPROF, take)
    whole, main = time.process_time(), time.thread_time()
    signal.setitimer(signal.ITIMER_PROF, _INTERVAL, _INTERVAL)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
    main = time.thread_time() - main
    total = max(1, samples.total())
    into.update({place: main * count / total for place, count in samples.items()})
    into[THREADS] = max(0.0, time.process_time() - whole - main)


def _place(frame: FrameType | None) -> str:
    while frame is not None:
        name = frame.f_code.co_filename
        for part, place in _PLACES:
            if part in name:
                return place
        frame = frame.f_back
    return LOOP


async def sample_calls(client: Client, count: int, *, sync: bool) -> dict[str, float]:
    """CPU seconds of a short call, by place."""
    found: dict[str, float] = {}
    with _sampled(found):
        for _ in range(count):
            if sync:
                client.call(measure.SHORT)
            else:
                await client.acall(measure.SHORT)
        await asyncio.sleep(0.1)
    return {place: seconds / count for place, seconds in found.items()}


async def sample_streams(
    client: Client, count: int, chunks: int, pace: float, *, sync: bool
) -> dict[str, float]:
    """CPU seconds of a chunk, by place."""
    client.prepare(count, chunks, pace)
    found: dict[str, float] = {}
    with _sampled(found):
        for _ in range(count):
            if sync:
                for _chunk in client.stream(measure.SHORT):
                    pass
            else:
                async for _chunk in await client.astream(measure.SHORT):
                    pass
        await asyncio.sleep(0.1)
    return {place: seconds / count / chunks for place, seconds in found.items()}


def run(server: Upstream, folder: Path) -> dict[str, Any]:
    """Sample every kind of call.

    Args:
        server: The upstream.
        folder: Where the made-up logins are.

    Returns:
        CPU seconds of a call or of a chunk, by kind, lane and place.
    """
    found: dict[str, Any] = {}
    server.mode(chunks=16, pace=0)
    with workers((BASE, OURS, FLOOR), server.base_url, folder) as started:
        for title, what, arguments, chunks, pace in _KINDS:
            say(f"where: {title}")
            server.mode(chunks=chunks, pace=pace)
            more = {"chunks": chunks, "pace": pace / 1e6} if "stream" in what else {}
            found[title] = {lane: worker.ask(what, **arguments, **more) for lane, worker in started.items()}
    return found


def as_markdown(found: dict[str, Any]) -> str:
    """The table for docs/performance.md, in microseconds.

    Args:
        found: As `run` returns it.
    """
    lines = [["CPU, us", "lane", *COLUMNS, "sum"], ["---"] * (len(COLUMNS) + 3)]
    for title, lanes in found.items():
        for lane, places in lanes.items():
            cells = [f"{places[place] * 1e6:,.0f}" if place in places else "" for place in COLUMNS]
            lines.append([title, lane, *cells, f"{math.fsum(places.values()) * 1e6:,.0f}"])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"
