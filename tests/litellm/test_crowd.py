"""A crowd of streams at once, in one process; `make soak` has ten times as many, after mixed traffic."""

from __future__ import annotations

import asyncio
from pathlib import Path

import litellm
import pytest

from litellm_qwen_ai.sandbox import Sandbox

STREAMS = 100


def _open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


async def _stream() -> str:
    stream = await litellm.acompletion(
        "qwen_ai/coder-model", messages=[{"role": "user", "content": "ping"}], stream=True
    )
    return "".join([chunk.choices[0].delta.content or "" async for chunk in stream if chunk.choices])


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="open files are counted in /proc")
@pytest.mark.usefixtures("own_loop", "login")
async def test_a_hundred_streams_at_once_are_all_answered_and_leave_nothing_open(sandbox: Sandbox) -> None:
    await _stream()
    await litellm.close_litellm_async_clients()
    files, known = _open_files(), asyncio.all_tasks()
    with sandbox.holding("chat", at="chunk"):
        tasks = [asyncio.create_task(_stream()) for _ in range(STREAMS)]
        await asyncio.to_thread(sandbox.wait_for_held, "chat", STREAMS, at="chunk", timeout=60)
        assert _open_files() >= files + STREAMS
    texts = await asyncio.gather(*tasks)
    assert len(texts) == STREAMS
    assert all("ping" in text for text in texts)
    await litellm.close_litellm_async_clients()
    sandbox.stop()  # with its side of what was open; one file less for the socket that it listened on
    assert _open_files() <= files
    assert {one.get_coro().__qualname__ for one in asyncio.all_tasks() - known} <= {
        "LoggingWorker._worker_loop"  # LiteLLM's own, one for each loop
    }
    assert not sandbox.requests_to("refresh")
