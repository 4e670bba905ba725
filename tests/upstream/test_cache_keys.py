"""Proposal 6: calls that differ in `extra_body` do not share an answer of the cache."""

from __future__ import annotations

from typing import Any

import litellm
import pytest
from litellm.caching.caching import Cache

from tests.upstream.conftest import MESSAGES, Plain


class Echo(Plain):
    def completion(self, **call: Any) -> Any:  # type: ignore[override]  # by keywords, as LiteLLM calls it
        answer = call["model_response"]
        answer.choices[0].message.content = str(call["optional_params"].get("extra_body"))
        return answer


@pytest.mark.xfail(raises=AssertionError, reason="docs/upstream.md, 6")
def test_another_extra_body_is_another_call(custom: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(litellm, "cache", Cache())
    custom(Echo())

    def ask(**extra_body: Any) -> Any:
        made: Any = litellm.completion("plain/any", messages=MESSAGES, caching=True, extra_body=extra_body)
        return made.choices[0].message.content

    assert ask(enable_thinking=True) != ask(enable_thinking=False)
