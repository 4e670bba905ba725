"""Connections that break or crawl: what LiteLLM's own routes meet on the same server is the yardstick."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import litellm
import pytest

from litellm_qwen_ai.sandbox import Sandbox

pytestmark = pytest.mark.usefixtures("login", "waits")

MESSAGES = [{"role": "user", "content": "ping"}]


def test_a_server_that_hangs_up_is_asked_as_often_as_by_litellms_own_route(
    ask: Callable[..., Any], sandbox: Sandbox, own_route: dict[str, str]
) -> None:
    asked = []
    for call in ({}, own_route):
        sandbox.clear()
        sandbox.answer_next("chat", "cut", times=9)
        with pytest.raises(litellm.exceptions.openai.APIError):
            ask(max_retries=0, **call)
        asked.append(len(sandbox.requests_to("chat")))
    assert asked == [1, 1]


@pytest.mark.usefixtures("own_loop")
async def test_a_router_asks_it_once_for_each_of_its_tries(sandbox: Sandbox, make_router: Any) -> None:
    sandbox.answer_next("chat", "cut", times=9)
    deployment = {"model_name": "m", "litellm_params": {"model": "qwen_ai/coder-model"}}
    router = make_router(deployment, num_retries=2, retry_after=0)
    with pytest.raises(litellm.APIConnectionError):
        await router.acompletion("m", messages=MESSAGES)
    assert len(sandbox.requests_to("chat")) == 3
