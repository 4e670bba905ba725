"""What a lane's process measures on command. Each function returns figures by name.

CPU time is the whole process's, all threads, and includes what LiteLLM does after a call (its logging runs in
threads and in tasks): the clock stops when the process has come to rest.
"""

from __future__ import annotations

import asyncio
import contextlib
import copy
import importlib
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from bench.clients import Client, Messages

SHORT: Messages = [{"role": "user", "content": "Say hello in three languages."}]
_REST = 0.01  # seconds between two looks at the clock
_AT_REST = 0.0008  # seconds of CPU within that time
_LONGEST_REST = 3.0  # seconds
_TOKEN = 6  # characters in each of the upstream's content chunks
_PIECE = "The quick brown fox jumps over the lazy dog, and then it comes back again. "


def conversation(size: int) -> Messages:
    """A conversation of about `size` bytes, as an agent has it: messages of 1 kB, tools used."""
    said = (_PIECE * 14)[:1000]
    messages: Messages = [{"role": "system", "content": "You are a helpful assistant."}]
    for number in range(max(1, size // 1000)):
        turn = number % 4
        if turn == 0:
            messages.append({"role": "user", "content": said})
        elif turn == 1:
            function = {"name": "read_file", "arguments": '{"path": "src/main.py"}'}
            call = {"id": f"call_{number}", "type": "function", "function": function}
            messages.append({"role": "assistant", "content": said, "tool_calls": [call]})
        elif turn == 2:  # noqa: PLR2004  # the third of four
            messages.append({"role": "tool", "tool_call_id": f"call_{number - 1}", "content": said})
        else:
            messages.append({"role": "assistant", "content": said})
    return [*messages, {"role": "user", "content": "Go on."}]


def tools(count: int) -> list[dict[str, Any]]:
    """So many tools, with four parameters each."""
    properties = {
        name: {"type": "string", "description": _PIECE} for name in ("path", "pattern", "mode", "limit")
    }
    schema = {"type": "object", "properties": properties, "required": ["path"]}
    return [
        {
            "type": "function",
            "function": {"name": f"tool_{number}", "description": _PIECE, "parameters": schema},
        }
        for number in range(count)
    ]


def _rest() -> None:
    until = time.monotonic() + _LONGEST_REST
    quiet = 0
    while quiet < 2 and time.monotonic() < until:  # noqa: PLR2004  # twice in a row
        before = time.process_time()
        time.sleep(_REST)
        quiet = quiet + 1 if time.process_time() - before < _AT_REST else 0


async def _arest() -> None:
    until = time.monotonic() + _LONGEST_REST
    quiet = 0
    while quiet < 2 and time.monotonic() < until:  # noqa: PLR2004  # twice in a row
        before = time.process_time()
        await asyncio.sleep(_REST)
        quiet = quiet + 1 if time.process_time() - before < _AT_REST else 0


def _cpu(action: Callable[[], None]) -> float:
    _rest()
    before = time.process_time()
    action()
    _rest()
    return time.process_time() - before


async def _acpu(action: Callable[[], Awaitable[None]]) -> float:
    await _arest()
    before = time.process_time()
    await action()
    await _arest()
    return time.process_time() - before


@contextlib.contextmanager
def _callback(*, wanted: bool) -> Iterator[None]:
    """Have a callback that does nothing; a program that logs its calls has one that does something."""
    if not wanted:
        yield
        return
    litellm = importlib.import_module("litellm")
    callback = importlib.import_module("litellm.integrations.custom_logger").CustomLogger()
    kinds = ("success", "failure", "input", "_async_success", "_async_failure", "_async_input")
    lists = [litellm.callbacks, *(getattr(litellm, f"{kind}_callback") for kind in kinds)]
    litellm.callbacks.append(callback)
    try:
        yield
    finally:
        for one in lists:
            one[:] = [kept for kept in one if kept is not callback]


def sync_calls(client: Client, count: int, *, heard: bool = False) -> dict[str, float]:
    """CPU seconds of a short synchronous call; `heard` by a callback or not."""

    def calls() -> None:
        for _ in range(count):
            client.call(SHORT)

    with _callback(wanted=heard):
        return {"cpu": _cpu(calls) / count}


async def async_calls(
    client: Client, count: int, size: int = 0, with_tools: int = 0, *, heard: bool = False
) -> dict[str, float]:
    """CPU seconds of an asynchronous call, one at a time; `size` in bytes, 0 for a short one."""
    base = conversation(size) if size else SHORT
    # Objects that no cache has seen, as those of a program that keeps its conversation on disk.
    asked = [copy.deepcopy(base) for _ in range(count)]
    more = {"tools": tools(with_tools)} if with_tools else {}

    async def calls() -> None:
        for messages in asked:
            await client.acall(messages, **more)

    with _callback(wanted=heard):
        return {"cpu": await _acpu(calls) / count}


async def concurrent_calls(
    client: Client, width: int, count: int, *, heard: bool = False
) -> dict[str, float]:
    """Calls per second and the 99th percentile of their latency in seconds, `width` at a time."""
    times: list[float] = []
    left = iter(range(count))

    async def one_after_another() -> None:
        for _ in left:
            began = time.perf_counter()
            await client.acall(SHORT)
            times.append(time.perf_counter() - began)

    with _callback(wanted=heard):
        began = time.perf_counter()
        await asyncio.gather(*(one_after_another() for _ in range(width)))
        took = time.perf_counter() - began
        await _arest()
    times.sort()
    return {"calls_per_second": count / took, "p99": times[int(len(times) * 0.99)]}


def sync_stream(client: Client, chunks: int, pace: float, *, heard: bool = False) -> dict[str, float]:
    """CPU seconds per content chunk sent, and how many arrived as chunks of their own."""
    client.prepare(1, chunks, pace)
    arrived: list[str] = []

    def read() -> None:
        arrived.extend(filter(None, map(client.text, client.stream(SHORT))))

    with _callback(wanted=heard):
        cpu = _cpu(read)
    return {"cpu": cpu / chunks, "arrived": _checked(arrived, chunks)}


async def async_streams(
    client: Client, width: int, chunks: int, pace: float, *, heard: bool = False
) -> dict[str, float]:
    """CPU seconds per content chunk sent, `width` streams at once; the chunks that arrived of one."""
    client.prepare(width, chunks, pace)
    arrived: list[float] = []

    async def read() -> None:
        texts = [text async for chunk in await client.astream(SHORT) if (text := client.text(chunk))]
        arrived.append(_checked(texts, chunks))

    async def read_all() -> None:
        await asyncio.gather(*(read() for _ in range(width)))

    with _callback(wanted=heard):
        cpu = await _acpu(read_all)
    return {"cpu": cpu / chunks / width, "arrived": min(arrived)}


def first_content_sync(client: Client, repeats: int, chunks: int, pace: float) -> dict[str, float]:
    """Seconds from a synchronous call to its first content: the median over streams one after another."""
    times: list[float] = []
    for _ in range(repeats):
        client.prepare(1, chunks, pace)
        began, waiting = time.perf_counter(), True
        for chunk in client.stream(SHORT):
            if waiting and client.text(chunk):
                waiting = False
                times.append(time.perf_counter() - began)
        _rest()
    times.sort()
    return {"seconds": times[len(times) // 2]}


async def first_content(
    client: Client, width: int, repeats: int, chunks: int, pace: float
) -> dict[str, float]:
    """Seconds from the call to its first content: the median over `width` streams begun together."""
    times: list[float] = []

    async def read() -> None:
        began, waiting = time.perf_counter(), True
        async for chunk in await client.astream(SHORT):
            if waiting and client.text(chunk):
                waiting = False
                times.append(time.perf_counter() - began)

    for _ in range(repeats):
        client.prepare(width, chunks, pace)
        await asyncio.gather(*(read() for _ in range(width)))
        await _arest()
    times.sort()
    return {"seconds": times[len(times) // 2]}


def _checked(texts: list[str], chunks: int) -> float:
    got = sum(map(len, texts))
    if got != chunks * _TOKEN:
        raise ValueError(f"{got} characters arrived of {chunks * _TOKEN}")
    return len(texts)
