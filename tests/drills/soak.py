"""`make soak`: mixed traffic for SOAK_SECONDS (600 by default), then a thousand streams at once; one process.

The access token lives 20 seconds, and once a minute the upstream is killed (SIGKILL) and comes back two
seconds later. Then the books are balanced: every call was answered or raised a mapped error, nothing is left
open, the memory is flat, and there was not one refresh too many.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import itertools
import json
import os
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # LiteLLM fetches nothing
# LiteLLM opens at most 500 connections to a host, and lets the other calls wait.
os.environ.setdefault("AIOHTTP_CONNECTOR_LIMIT_PER_HOST", "4000")
os.environ.setdefault("AIOHTTP_CONNECTOR_LIMIT", "4000")

import httpx
import litellm
import openai
from drills.frame import machine

import litellm_qwen_ai  # noqa: F401  # registers the route
from litellm_qwen_ai.oauth.memory import ADVISORY_SHARE

SECONDS = float(os.environ.get("SOAK_SECONDS", "600"))
STREAMS = int(os.environ.get("SOAK_STREAMS", "1000"))
LIFETIME = 20.0  # seconds of an access token
KILL_EVERY = 60.0  # seconds
DOWN = 2.0  # seconds that the upstream is away
WORKERS = 24
THREADS = 2
POOLS = ("ThreadPoolExecutor-", "asyncio_", "litellm-logging_", "AnyIO worker thread")
MOST_POOLED = 180  # LiteLLM's 100, AnyIO's 40, asyncio's 32 at most, and a few of our own
WARM_UP = 0.2  # share of the time after which the memory is looked at
MOST_GROWTH = 0.05  # of the memory after the warm-up, or
MOST_GROWTH_MIB = 16.0  # whichever is more
PAGE = Path(__file__).parents[2] / "docs" / "soak.md"
UPSTREAM = Path(__file__).with_name("upstream.py")
MODEL = "qwen_ai/coder-model"
TOOLS = [
    {"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}
]


class Upstream:
    """The server's process; `kill` is SIGKILL."""

    def __init__(self, folder: Path) -> None:
        self.state = folder / "state.json"
        self.token_dir = folder / "tokens"
        self.kills = 0
        self._port = 0
        self._process: subprocess.Popen[str] | None = None
        self.url = ""

    def start(self) -> None:
        """Start it, on the port that it had before; returns when it serves."""
        command = [sys.executable, str(UPSTREAM), str(self._port), str(self.state), str(LIFETIME)]
        self._process = subprocess.Popen(  # our own program
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().strip()
        if not self.url:
            raise RuntimeError("the upstream did not start")
        self._port = int(self.url.rpartition(":")[2])

    def kill(self) -> None:
        """End it at once, whatever it is doing."""
        assert self._process is not None
        self._process.kill()
        self._process.communicate()
        self.kills += 1

    def wait_for_held(self, count: int) -> None:
        """Return when so many streams wait for their first chunk."""
        assert self._process is not None
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{count}\n")
        self._process.stdin.flush()
        if self._process.stdout.readline() != "held\n":
            raise RuntimeError(f"the upstream has not seen {count} streams at once")

    def steer(self, command: str, **body: Any) -> None:
        """One of the sandbox's own commands."""
        httpx.post(f"{self.url}/sandbox/{command}", json=body, timeout=30).raise_for_status()


@dataclass
class Books:
    """What happened to the calls, and what the process looked like."""

    answered: Counter[str] = field(default_factory=Counter)
    mapped: Counter[str] = field(default_factory=Counter)
    cancelled: int = 0
    faults: list[str] = field(default_factory=list)
    memory: list[tuple[float, float]] = field(default_factory=list)  # seconds, MiB

    async def account(self, name: str, call: Callable[[], Awaitable[None]]) -> None:
        """Make a call and write down how it ended."""
        try:
            await call()
        except asyncio.CancelledError:
            raise
        except Exception as error:  # noqa: BLE001  # anything that is not mapped is a fault
            if isinstance(error, openai.OpenAIError) and getattr(error, "llm_provider", "") == "qwen_ai":
                self.mapped[type(error).__name__] += 1
            else:
                self.faults.append(f"{name}: {type(error).__name__}: {error}"[:300])
        else:
            self.answered[name] += 1

    @property
    def calls(self) -> int:
        """All of them."""
        return self.answered.total() + self.mapped.total() + self.cancelled + len(self.faults)


@dataclass(frozen=True)
class Open:
    """What a process holds."""

    files: int
    threads: int  # besides the workers of pools, which have a fixed most
    pooled: int
    tasks: int

    @classmethod
    def now(cls) -> Open:
        """Counted now, after the garbage is gone."""
        gc.collect()
        pooled = sum(one.name.startswith(POOLS) for one in threading.enumerate())
        return cls(
            files=open_files(),
            threads=threading.active_count() - pooled,
            pooled=pooled,
            tasks=len(asyncio.all_tasks()),
        )


def _ask(**more: Any) -> dict[str, Any]:
    return {
        "model": MODEL,
        "messages": [{"role": "user", "content": "Say a few words"}],
        "timeout": 20,
        **more,
    }


async def _plain() -> None:
    answer = await litellm.acompletion(**_ask())
    assert answer.choices[0].message.content


async def _tools() -> None:
    answer = await litellm.acompletion(**_ask(tools=TOOLS, tool_choice="required"))
    assert answer.choices[0].message.tool_calls


async def _stream() -> None:
    stream = await litellm.acompletion(**_ask(stream=True))
    assert [chunk async for chunk in stream]


async def _left() -> None:
    """A stream that is left after its second chunk."""
    stream = await litellm.acompletion(**_ask(stream=True))
    for _ in range(2):
        await anext(stream)
    await stream.completion_stream.aclose()


def _sync() -> None:
    assert litellm.completion(**_ask()).choices[0].message.content


def _sync_stream() -> None:
    assert list(litellm.completion(**_ask(stream=True)))


class Soak:
    """The traffic of one run."""

    def __init__(self, upstream: Upstream, books: Books) -> None:
        self._upstream = upstream
        self._books = books
        self._random = random.Random(4)  # noqa: S311  # no secret
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="soak")
        self._until = 0.0
        self._over = threading.Event()

    async def run(self, seconds: float) -> None:
        """Mixed traffic for so long."""
        self._until = time.monotonic() + seconds
        killer = asyncio.create_task(asyncio.to_thread(self._kill_now_and_then, time.monotonic()))
        watcher = asyncio.create_task(asyncio.to_thread(self._watch, time.monotonic()))
        await asyncio.gather(
            *(self._work() for _ in range(WORKERS)), *(self._in_threads() for _ in range(THREADS))
        )
        self._over.set()
        await killer
        await watcher
        self._pool.shutdown()

    async def _work(self) -> None:
        calls = {"call": _plain, "tools": _tools, "stream": _stream, "stream left": _left}
        while time.monotonic() < self._until:
            name = self._random.choice([*calls, "cancelled"])
            if name == "cancelled":
                await self._cancel(self._random.choice([_plain, _stream]))
            else:
                await self._books.account(name, calls[name])

    async def _cancel(self, call: Callable[[], Awaitable[None]]) -> None:
        task = asyncio.ensure_future(self._books.account("too late to cancel", call))
        end = asyncio.get_running_loop().call_later(self._random.random() * 0.05, task.cancel)
        try:
            await task
        except asyncio.CancelledError:
            self._books.cancelled += 1
        finally:
            end.cancel()

    async def _in_threads(self) -> None:
        loop = asyncio.get_running_loop()
        while time.monotonic() < self._until:
            call = self._random.choice([_sync, _sync_stream])
            name = "call in a thread" if call is _sync else "stream in a thread"

            async def made(call: Callable[[], None] = call) -> None:
                await loop.run_in_executor(self._pool, call)

            await self._books.account(name, made)

    def _kill_now_and_then(self, begun: float) -> None:
        while (next_kill := begun + KILL_EVERY * (self._upstream.kills + 0.5)) < self._until - 3 * DOWN:
            if self._over.wait(max(0.0, next_kill - time.monotonic())):
                return
            self._upstream.kill()
            self._over.wait(DOWN)
            self._upstream.start()

    def _watch(self, begun: float) -> None:
        while not self._over.wait(1):
            self._books.memory.append((time.monotonic() - begun, memory()))


def open_files() -> int:
    """File descriptors of this process."""
    return sum(1 for _ in Path("/proc/self/fd").iterdir()) - 1  # without the one that looks


def memory() -> float:
    """MiB that the process has in memory now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


async def crowd(upstream: Upstream, books: Books, count: int) -> tuple[int, float]:
    """So many streams at once: all wait at the server before the first of them goes on.

    Returns:
        The streams that were open together, and the seconds from the release to the last end.
    """
    await litellm.close_litellm_async_clients()  # each stream opens a connection of its own
    upstream.steer("hold", endpoint="chat", at="chunk")

    async def one() -> None:
        stream = await litellm.acompletion(**_ask(stream=True, timeout=120))
        assert [chunk async for chunk in stream]

    tasks = [asyncio.create_task(books.account("one of a crowd", one)) for _ in range(count)]
    await asyncio.to_thread(upstream.wait_for_held, count)
    together = sum(not task.done() for task in tasks)
    begun = time.monotonic()
    await asyncio.to_thread(upstream.steer, "release", endpoint="chat", at="chunk")
    await asyncio.gather(*tasks)
    return together, time.monotonic() - begun


def growth(samples: list[tuple[float, float]]) -> tuple[float, float]:
    """MiB after the warm-up, and at the end; each the median of a fifth of the samples."""
    fifth = max(1, len(samples) // 5)
    after = int(len(samples) * WARM_UP)
    early = statistics.median(value for _, value in samples[after : after + fifth])
    late = statistics.median(value for _, value in samples[-fifth:])
    return early, late


async def _soak(seconds: float, streams: int, folder: Path) -> tuple[dict[str, str], list[str]]:
    upstream, books = Upstream(folder), Books()
    await asyncio.to_thread(upstream.start)
    os.environ.update(QWEN_OAUTH_BASE_URL=upstream.url, QWEN_TOKEN_DIR=str(upstream.token_dir))
    try:
        await Soak(upstream, Books()).run(5)  # so that pools of threads have their size
        await litellm.close_litellm_async_clients()
        before, known, begun = Open.now(), asyncio.all_tasks(), time.time()
        await Soak(upstream, books).run(seconds)
        together, took = await crowd(upstream, books, streams)
        elapsed = time.time() - begun
        await litellm.close_litellm_async_clients()
        if ending := asyncio.all_tasks() - known:  # what was closed needs a moment to be gone
            await asyncio.wait(ending, timeout=5)
        after = Open.now()
    finally:
        upstream.kill()
    return _report(books, upstream, before=before, after=after, elapsed=elapsed, together=together, took=took)


def _report(  # noqa: PLR0913  # what one run has to tell
    books: Books,
    upstream: Upstream,
    *,
    before: Open,
    after: Open,
    elapsed: float,
    together: int,
    took: float,
) -> tuple[dict[str, str], list[str]]:
    state = json.loads(upstream.state.read_text())
    granted: list[float] = state["granted"]
    gaps = [later - earlier for earlier, later in itertools.pairwise(granted)]
    due = LIFETIME * (1 - ADVISORY_SHARE)
    early, late = growth(books.memory)
    most = max(MOST_GROWTH * early, MOST_GROWTH_MIB)
    rows = {
        "calls": f"{books.calls:,} in {elapsed:.0f} s ({books.calls / elapsed:.0f} a second)",
        "answered": ", ".join(f"{name} {count:,}" for name, count in sorted(books.answered.items())),
        "mapped errors": ", ".join(f"{name} {count:,}" for name, count in sorted(books.mapped.items()))
        or "0",
        "cancelled": f"{books.cancelled:,}",
        "ended in any other way": str(len(books.faults)),
        "upstream killed and restarted": f"{upstream.kills - 1} times",
        "refreshes": f"{len(granted)} granted, {state['refused']} refused; the shortest gap "
        f"{min(gaps, default=0):.1f} s (a token of {LIFETIME:g} s is due after {due:g} s)",
        "streams at once": f"{together:,} connections open together; all ended {took:.1f} s after the first "
        "chunk",
        "open files, threads, tasks": f"{before.files}, {before.threads}, {before.tasks} before; "
        f"{after.files}, {after.threads}, {after.tasks} after; besides, {after.pooled} workers of pools "
        f"(bar: {MOST_POOLED}, LiteLLM's and AnyIO's have up to 100 and 40)",
        "memory": f"{early:.0f} MiB after the warm-up, {late:.0f} MiB at the end (bar: {most:.0f} more)",
    }
    bad = list(books.faults)
    bad += [f"refreshes came {min(gaps, default=0):.1f} s apart"] * bool(gaps and min(gaps) < due - 1)
    bad += [f"{state['refused']} refreshes were refused"] * bool(state["refused"])
    bad += ["no refresh at all"] * (not granted and elapsed > LIFETIME)
    bad += [f"the memory grew by {late - early:.0f} MiB"] * (late - early > most)
    bad += [f"files: {before.files} -> {after.files}"] * (after.files > before.files)
    bad += [f"tasks: {before.tasks} -> {after.tasks}"] * (after.tasks > before.tasks)
    bad += [f"threads: {before.threads} -> {after.threads}"] * (after.threads > before.threads)
    bad += [f"{after.pooled} workers of thread pools"] * (after.pooled > MOST_POOLED)
    bad += ["the crowd was not there at once"] * (together < STREAMS)
    return rows, bad


def main() -> int:
    """Run it, print the figures, write the page if asked; 1 if a bar was missed."""
    parser = argparse.ArgumentParser(prog="soak", description=__doc__)
    parser.add_argument("--write", action="store_true", help="write docs/soak.md")
    said = parser.parse_args()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 16384)), hard))
    litellm.suppress_debug_info = True
    with (
        tempfile.TemporaryDirectory(prefix="soak-") as folder,
        contextlib.closing(asyncio.new_event_loop()) as loop,
    ):
        rows, bad = loop.run_until_complete(_soak(SECONDS, STREAMS, Path(folder)))
    table = "\n".join(["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows.items())])
    print(table)
    for one in bad[:20]:
        print(f"FAILED: {one}")
    if said.write and not bad:
        head = "# Load\n\n<!-- Made by `make soak`; do not edit. -->\n"
        PAGE.write_text(f"{head}\n{__doc__}\n{table}\n\nMeasured on: {machine()}.\n", encoding="utf-8")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
