"""What is measured in some lanes only: the token, its files, memory. Run by a lane's process."""

from __future__ import annotations

import asyncio
import importlib
import os
import statistics
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.lanes import ACCOUNTS, BY_NAME, KEY, OURS
from bench.measure import SHORT, _arest

if TYPE_CHECKING:
    from bench.clients import Client

_opens = 0


def token_look_up(client: Client, count: int) -> dict[str, float]:
    """Seconds of one look-up of a token that is fresh, by the route's own means, in a warm process."""
    client.call(SHORT)
    look_up = _look_up()
    began = time.perf_counter()
    for _ in range(count):
        look_up()
    return {"seconds": (time.perf_counter() - began) / count}


def _look_up() -> Any:
    ours = sys.modules.get("litellm_qwen_ai.accounts")
    if ours is None:
        return (
            importlib.import_module("litellm.llms.github_copilot.authenticator").Authenticator().get_api_key
        )
    settings = importlib.import_module("litellm_qwen_ai.settings").Settings.from_environment()
    return importlib.import_module("litellm_qwen_ai.accounts").account_of(settings).session.get


async def file_opens(client: Client, count: int) -> dict[str, float]:
    """Files opened per call, by Python's audit events (PEP 578): opens, whether they succeed or not."""
    await client.acall(SHORT)

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        global _opens  # noqa: PLW0603  # an audit hook cannot be taken away, so it only counts
        if event == "open" and isinstance(arguments[0], (str, bytes)):
            _opens += 1

    sys.addaudithook(hook)
    before = _opens
    for _ in range(count):
        await client.acall(SHORT)
    return {"opens": (_opens - before) / count}


async def oauth_against_key(client: Client, base_url: str, pairs: int, count: int) -> dict[str, float]:
    """The CPU time of a call with the login over that of one with a key, in one process and in turns.

    The key comes from the environment: as an argument it would send LiteLLM itself along a slower path. The
    model gets a price, so that LiteLLM works out the cost of both: of a login without one it need not.
    """
    prices = importlib.import_module("litellm").model_cost[BY_NAME[OURS].model]
    prices["input_cost_per_token"] = 1e-9
    key = {"QWEN_API_KEY": KEY, "QWEN_API_BASE": base_url}
    ratios = []
    for pair in range(pairs):
        cpu = {}
        for with_key in (pair % 2 == 0, pair % 2 == 1):
            if with_key:
                os.environ.update(key)
            before = time.process_time()
            for _ in range(count):
                await client.acall(SHORT)
            await asyncio.sleep(0)
            for name in key:
                os.environ.pop(name, None)
            cpu[with_key] = time.process_time() - before
        ratios.append(cpu[False] / cpu[True])
    prices["input_cost_per_token"] = 0.0  # as it was, for the other measurements in this process
    return {"ratio": statistics.median(ratios)}


async def memory_peak(client: Client, width: int, chunks: int, pace: float) -> dict[str, float]:
    """The peak of the process's resident memory after `width` streams at once, and before them; bytes."""
    client.prepare(0, chunks, pace)
    before = _memory("VmHWM")
    arrived = []

    async def read() -> None:
        texts = [text async for chunk in await client.astream(SHORT) if (text := client.text(chunk))]
        arrived.append(len(texts))

    await asyncio.gather(*(read() for _ in range(width)))
    return {"bytes": _memory("VmHWM"), "before": before, "arrived": min(arrived)}


async def open_streams(client: Client, width: int) -> dict[str, float]:
    """Bytes of resident memory for each stream that is open, and CPU seconds for its whole life."""
    client.prepare(width, 20, 0.02)
    await _arest()
    before, began = _memory("VmRSS"), time.process_time()
    streams = await asyncio.gather(*(client.astream(SHORT) for _ in range(width)))
    iterators = [aiter(stream) for stream in streams]
    await asyncio.gather(*(anext(one) for one in iterators))
    held = _memory("VmRSS") - before

    async def rest_of(one: Any) -> None:
        async for _ in one:
            pass

    await asyncio.gather(*map(rest_of, iterators))
    await _arest()
    return {"bytes": held / width, "cpu": (time.process_time() - began) / width}


async def accounts(client: Client, count: int, among: int) -> dict[str, float]:
    """CPU seconds of a call, the calls taking turns among so many accounts."""
    names = [f"account{number}" for number in range(min(among, ACCOUNTS))]
    for name in names:
        await client.acall(SHORT, qwen_account=name)
    await _arest()
    before = time.process_time()
    for number in range(count):
        await client.acall(SHORT, qwen_account=names[number % len(names)])
    await _arest()
    return {"cpu": (time.process_time() - before) / count}


def _memory(field: str) -> float:
    """A field of /proc/self/status in bytes. Not `ru_maxrss`, which keeps the parent's peak over an exec."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field):
            return float(line.split()[1]) * 1024
    raise OSError(f"this system's /proc has no {field}")
