"""Failing tests for LiteLLM, one file for each proposal of docs/upstream.md.

None of them uses this package. Each is expected to fail, and fails the run on the day that LiteLLM has mended
what it shows: then what we do instead can go.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

import litellm
import pytest
from litellm import CustomLLM, ModelResponse
from litellm.utils import custom_llm_setup

MESSAGES = [{"role": "user", "content": "ping"}]


class Plain(CustomLLM):
    """A custom provider as anybody may write one: it answers."""

    def completion(self, **call: Any) -> ModelResponse:  # type: ignore[override]  # by keywords, as LiteLLM calls it
        answer: ModelResponse = call["model_response"]
        answer.choices[0].message.content = "pong"
        return answer

    async def acompletion(self, **call: Any) -> ModelResponse:  # type: ignore[override]  # by keywords, as LiteLLM calls it
        return self.completion(**call)


@pytest.fixture
def custom(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Registers a handler as the provider `plain`, as LiteLLM documents it."""

    def register(handler: CustomLLM) -> None:
        entry: Any = {"provider": "plain", "custom_handler": handler}
        monkeypatch.setattr(litellm, "custom_provider_map", [*litellm.custom_provider_map, entry])
        custom_llm_setup()

    yield register
    for known in (litellm.provider_list, litellm._custom_providers):
        if "plain" in known:
            known.remove("plain")


def entered(function: str, action: Callable[[], Any]) -> list[str]:
    """Which modules' functions of that name, with or without `_` in front, this thread entered meanwhile."""
    found: list[str] = []

    def watch(frame: FrameType, event: str, _: Any) -> None:
        if event == "call" and frame.f_code.co_name.lstrip("_") == function.lstrip("_"):
            found.append(str(frame.f_globals.get("__name__")))

    before = sys.getprofile()
    sys.setprofile(watch)
    try:
        action()
    finally:
        sys.setprofile(before)
    return found
