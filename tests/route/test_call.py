"""How a LiteLLM call is read."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import pytest

import litellm_qwen_ai

CALL: dict[str, Any] = {"model": "coder-model", "messages": [], "api_key": "sk-key"}


def _merges(**params: Any) -> bool:
    call = litellm_qwen_ai.handler._read({**CALL, "optional_params": params}, stream=True)
    return call._context(call.source.get()).merge


@pytest.mark.parametrize(
    ("params", "merges"),
    [
        ({}, True),
        ({"n": 1}, True),
        ({"n": 2}, False),
        ({"extra_body": {"n": 2}}, False),
        ({"n": 2, "extra_body": {"n": 1}}, True),
    ],
)
def test_deltas_are_merged_where_one_answer_is_asked_for(params: dict[str, Any], merges: bool) -> None:
    assert _merges(**params) is merges


def test_a_variable_keeps_deltas_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QWEN_COALESCE", "0")
    assert not _merges()


@pytest.mark.parametrize("kind", ["open_stream", "open_astream"])
def test_a_stream_is_in_no_cycle_so_that_it_closes_as_soon_as_it_is_dropped(kind: str) -> None:
    call = litellm_qwen_ai.handler._read(CALL, stream=True)
    gc.disable()
    try:
        stream = getattr(call, kind)()
        gone = weakref.ref(stream)
        del stream
        assert gone() is None
    finally:
        gc.enable()
