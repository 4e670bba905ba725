"""A call that is cancelled at any moment leaves nothing open."""

from __future__ import annotations

import asyncio
from typing import Any

import litellm
import pytest

from litellm_qwen_ai.sandbox import Sandbox

CALL: dict[str, Any] = {"model": "qwen_ai/coder-model", "messages": [{"role": "user", "content": "ping"}]}
STEPS = 30  # turns of the event loop; a call here takes fewer


async def _turns(count: int) -> None:
    """Let the event loop turn so many times."""
    loop = asyncio.get_running_loop()
    for _ in range(count):
        turned = loop.create_future()
        loop.call_soon(turned.set_result, None)
        await turned


async def _call(stream: bool) -> None:
    answer = await litellm.acompletion(**CALL, stream=stream)
    if stream:
        [chunk async for chunk in answer]


# LiteLLM makes a call's coroutine in a thread, and drops it there when the call is cancelled meanwhile.
@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.usefixtures("own_loop", "login")
@pytest.mark.parametrize("stream", [False, True], ids=["call", "stream"])
async def test_a_call_cancelled_at_any_turn_leaves_no_task_and_the_next_is_answered(
    sandbox: Sandbox, stream: bool
) -> None:
    await _call(stream)
    before = asyncio.all_tasks()
    ended: list[Any] = []
    for step in range(STEPS):
        task = asyncio.create_task(_call(stream))
        await _turns(step)
        task.cancel()
        ended += await asyncio.gather(task, return_exceptions=True)
    assert any(isinstance(end, asyncio.CancelledError) for end in ended)
    assert all(end is None or isinstance(end, asyncio.CancelledError) for end in ended), ended
    await _turns(20)
    left = [task.get_coro().__qualname__ for task in asyncio.all_tasks() - before]
    assert set(left) <= {"LoggingWorker._worker_loop"}  # LiteLLM's own, one for each loop
    open_now = [one for one in sandbox.requests_to("chat") if one.status is None and not one.disconnected]
    assert len(open_now) <= 1  # the last may be on its way still
    await _call(stream)
    assert not sandbox.requests_to("refresh")
