"""Proposal 3: a custom provider says itself which of OpenAI's parameters it takes."""

from __future__ import annotations

from typing import Any

import litellm
import pytest

from tests.upstream.conftest import MESSAGES, Plain


class Thinking(Plain):
    def get_supported_openai_params(self, model: str) -> list[str]:
        del model
        return ["temperature", "reasoning_effort"]


@pytest.mark.xfail(raises=litellm.UnsupportedParamsError, reason="docs/upstream.md, 3")
def test_a_parameter_that_the_handler_names_is_passed_on(custom: Any) -> None:
    custom(Thinking())
    answer: Any = litellm.completion("plain/any", messages=MESSAGES, reasoning_effort="low")
    assert answer.choices[0].message.content == "pong"
