"""Real LiteLLM proxies, one for each lane, and the load that they are put under.

The load comes from this process, on the upstream's core; the proxies have the other cores, and one of them
works at a time. Their CPU time is read from /proc, threads and children included.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp

from bench.lanes import BASE, BY_NAME, FLOOR, KEY, OURS, environment
from bench.measure import SHORT
from bench.run import Figures, rotated, say
from bench.upstream import cores, pin

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bench.upstream import Upstream

LANES = (BASE, "github_copilot/", OURS, FLOOR)
STREAMS, WIDTH, CHUNKS, PACE = 48, 16, 150, 2000
CALLS = 40
_MASTER = "sk-bench-master"
_START = 120  # seconds that a proxy may take to start
_HANDLERS = {OURS: ("qwen_ai", "litellm_qwen_ai.handler"), FLOOR: ("bench_floor", "bench.floor.handler")}


class Proxy:
    """One running proxy.

    Args:
        lane: The lane that it serves.
        base_url: The upstream.
        folder: Where the made-up logins are and its configuration goes.
        workers: How many processes serve; more than one may use every core.
    """

    def __init__(self, lane: str, base_url: str, folder: Path, workers: int = 1) -> None:
        self.lane = lane
        home = folder / f"proxy-{len(list(folder.glob('proxy-*')))}"
        home.mkdir()
        config = home / "config.yaml"
        config.write_text(json.dumps(_config(lane, base_url)))  # JSON is YAML
        self.port = _free_port()
        self._log = (home / "log").open("w+")
        self._process = subprocess.Popen(
            [
                _program(),
                "--config",
                str(config),
                "--host",
                "127.0.0.1",
                "--port",
                str(self.port),
                "--num_workers",
                str(workers),
            ],
            env={
                **environment(folder),
                "LITELLM_MASTER_KEY": _MASTER,
                "PYTHONPATH": str(_root()),  # the empty handler is a module of ours
                "BENCH_FLOOR": f"{CHUNKS} {PACE / 1e6}",
                "TIMEOUT_WORKER_HEALTHCHECK": "120",  # uvicorn kills a worker that loads for longer than 5 s
            },
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            cwd=home,
        )
        low, high = cores()
        pin(self._process.pid, high if workers == 1 else low | high)

    async def ready(self, session: aiohttp.ClientSession) -> None:
        """Wait until it answers.

        Raises:
            RuntimeError: It ended, or is not ready after two minutes.
        """
        until = time.monotonic() + _START
        while time.monotonic() < until and self._process.poll() is None:
            with contextlib.suppress(aiohttp.ClientError):
                async with session.get(f"http://127.0.0.1:{self.port}/health/readiness") as answer:
                    if answer.status == 200:  # noqa: PLR2004  # OK
                        return
            await asyncio.sleep(0.2)
        self._log.seek(0)
        raise RuntimeError(f"the proxy of {self.lane} does not start:\n{self._log.read()[-3000:]}")

    def cpu(self) -> float:
        """CPU seconds so far, of the process and its children."""
        ticks = sum(_ticks(one) for one in [self._process.pid, *_children(self._process.pid)])
        return ticks / os.sysconf("SC_CLK_TCK")

    async def call(self, session: aiohttp.ClientSession) -> None:
        """One whole answer through it."""
        async with self._post(session, stream=False) as answer:
            await answer.read()
            answer.raise_for_status()

    async def stream(self, session: aiohttp.ClientSession) -> float:
        """One streamed answer through it.

        Returns:
            Seconds from the request to the first byte of the body.
        """
        began = time.perf_counter()
        first = 0.0
        last = b""
        async with self._post(session, stream=True) as answer:
            answer.raise_for_status()
            async for data in answer.content.iter_any():
                first = first or time.perf_counter() - began
                last = (last + data)[-64:]
        if b"[DONE]" not in last:
            raise RuntimeError(f"the proxy of {self.lane} ended a stream early: {last!r}")
        return first

    def close(self) -> None:
        """End it."""
        self._process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(10)
        self._process.kill()
        self._process.wait()
        self._log.close()

    def _post(self, session: aiohttp.ClientSession, *, stream: bool) -> Any:
        return session.post(
            f"http://127.0.0.1:{self.port}/v1/chat/completions",
            json={"model": "bench", "messages": SHORT, "stream": stream},
            headers={"Authorization": f"Bearer {_MASTER}"},
        )


@contextlib.contextmanager
def _proxies(base_url: str, folder: Path) -> Iterator[list[Proxy]]:
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(contextlib.closing(Proxy(lane, base_url, folder))) for lane in LANES]


def run(server: Upstream, folder: Path, rounds: int) -> Figures:
    """Measure the proxies, in turns.

    Args:
        server: The upstream.
        folder: Where the made-up logins are.
        rounds: How often.
    """
    say("proxies")
    pin(0, cores()[0])
    try:
        with _proxies(server.base_url, folder) as started:
            return asyncio.run(_run(started, server, rounds))
    finally:
        pin(0, cores()[1])


async def _run(started: Sequence[Proxy], server: Upstream, rounds: int) -> Figures:
    figures: Figures = {}
    by_lane = {proxy.lane: proxy for proxy in started}
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(300)) as session:
        for proxy in started:
            await proxy.ready(session)
        server.mode(chunks=CHUNKS, pace=PACE)
        for proxy in started:  # first calls are slow
            await asyncio.gather(*(proxy.stream(session) for _ in range(4)))
            await asyncio.gather(*(proxy.call(session) for _ in range(4)))
        for number in range(rounds):
            taken = {lane: await measure(by_lane[lane], session) for lane in rotated(list(by_lane), number)}
            for row in ("proxy-cpu", "proxy-rate", "proxy-first-byte", "proxy-call"):
                figures.setdefault(row, []).append({lane: one[row] for lane, one in taken.items()})
            say(f"proxies: round {number + 1} of {rounds}")
    return figures


async def measure(proxy: Proxy, session: aiohttp.ClientSession) -> dict[str, float]:
    """One proxy's figures, by the key of their row.

    Args:
        proxy: The proxy, ready and warm.
        session: Whoever puts it under load.
    """
    before, began = await _rest(proxy), time.perf_counter()
    left = iter(range(STREAMS))

    async def one_after_another() -> list[float]:
        return [await proxy.stream(session) for _ in left]

    times = await asyncio.gather(*(one_after_another() for _ in range(WIDTH)))
    took = time.perf_counter() - began
    between = await _rest(proxy)
    for _ in range(CALLS):
        await proxy.call(session)
    after = await _rest(proxy)
    first = sorted(itertools.chain.from_iterable(times))
    return {
        "proxy-cpu": (between - before) / STREAMS,
        "proxy-rate": STREAMS / took,
        "proxy-first-byte": first[len(first) // 2],
        "proxy-call": (after - between) / CALLS,
    }


async def _rest(proxy: Proxy) -> float:
    """Wait until the proxy does nothing any more, three seconds at most; its CPU seconds."""
    before = proxy.cpu()
    for _ in range(15):
        await asyncio.sleep(0.2)
        now = proxy.cpu()
        if now - before <= 0.01:  # noqa: PLR2004  # seconds: one tick
            return now
        before = now
    return before


def _config(lane: str, base_url: str) -> dict[str, Any]:
    params = {"model": BY_NAME[lane].model}
    if lane not in {"github_copilot/", OURS, FLOOR}:
        params |= {"api_key": KEY, "api_base": base_url}
    config: dict[str, Any] = {"model_list": [{"model_name": "bench", "litellm_params": params}]}
    if lane in _HANDLERS:
        provider, handler = _HANDLERS[lane]
        entry = {"provider": provider, "custom_handler": handler}
        config["litellm_settings"] = {"custom_provider_map": [entry]}
    return config


def _program() -> str:
    found = shutil.which("litellm", path=str(Path(sys.executable).parent)) or shutil.which("litellm")
    if found is None:
        raise RuntimeError("the command litellm is missing: install the group bench")
    return found


def _root() -> Path:
    return Path(__file__).parents[1]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _ticks(process: int) -> int:
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])  # utime and stime, proc(5)


def _children(process: int) -> list[int]:
    found = []
    for task in Path(f"/proc/{process}/task").iterdir():
        with contextlib.suppress(OSError):
            found += [int(one) for one in (task / "children").read_text().split()]
    return found
