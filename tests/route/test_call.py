"""How a LiteLLM call is read."""

from __future__ import annotations

import asyncio
import gc
import time
import weakref
from typing import Any

import pytest

from litellm_qwen_ai.route.call import DEFAULT_MAX_RETRIES, Call, asks_for_one

CALL: dict[str, Any] = {"model": "coder-model", "messages": [], "api_key": "sk-key"}


def _call(**more: Any) -> Call:
    return Call({**CALL, **more}, stream=True, sleep=time.sleep, asleep=asyncio.sleep)


@pytest.mark.parametrize(
    ("params", "one"),
    [
        ({}, True),
        ({"n": 1}, True),
        ({"n": 2}, False),
        ({"extra_body": {"n": 2}}, False),
        ({"n": 2, "extra_body": {"n": 1}}, True),
    ],
)
def test_it_is_known_whether_one_answer_is_asked_for(params: dict[str, Any], one: bool) -> None:
    assert asks_for_one(params) is one


@pytest.mark.parametrize(("given", "retries"), [(None, DEFAULT_MAX_RETRIES), (0, 0), ("3", 3)])
def test_max_retries_is_a_number_or_the_default(given: Any, retries: int) -> None:
    assert _call(optional_params={"max_retries": given}).max_retries == retries


@pytest.mark.parametrize("kind", ["open_stream", "open_astream"])
def test_a_stream_is_in_no_cycle_so_that_it_closes_as_soon_as_it_is_dropped(kind: str) -> None:
    call = _call()
    gc.disable()
    try:
        stream = getattr(call, kind)()
        gone = weakref.ref(stream)
        del stream
        assert gone() is None
    finally:
        gc.enable()
