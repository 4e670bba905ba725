"""Proposal 8: thinking in an answer of `/v1/messages` has the form that Anthropic gives it."""

from __future__ import annotations

from typing import Any

import litellm
import pytest

from tests.upstream.conftest import MESSAGES, Plain


class Thoughtful(Plain):
    def completion(self, **call: Any) -> Any:  # type: ignore[override]  # by keywords, as LiteLLM calls it
        answer = super().completion(**call)
        answer.choices[0].message.reasoning_content = "hm"  # type: ignore[union-attr]  # no stream
        return answer


@pytest.mark.xfail(raises=AssertionError, reason="docs/upstream.md, 8")
async def test_a_signature_is_text(custom: Any) -> None:
    custom(Thoughtful())
    answer: Any = await litellm.anthropic.messages.acreate(model="plain/any", messages=MESSAGES, max_tokens=9)
    thinking, text = answer["content"]
    assert (thinking["thinking"], text["text"]) == ("hm", "pong")
    assert isinstance(thinking["signature"], str)
