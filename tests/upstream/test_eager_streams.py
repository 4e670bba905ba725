"""Proposal 2: a custom provider may refuse an async stream before `acompletion()` returns."""

from __future__ import annotations

from typing import Any

import litellm
import pytest

from tests.upstream.conftest import MESSAGES, Plain


class Refusing(Plain):
    async def astreaming(self, **_: Any) -> Any:  # type: ignore[override]  # by keywords, as LiteLLM calls it
        raise litellm.RateLimitError(message="too many", llm_provider="plain", model="any")


@pytest.mark.xfail(raises=pytest.fail.Exception, reason="docs/upstream.md, 2")
@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
async def test_a_refused_stream_raises_from_acompletion(custom: Any) -> None:
    custom(Refusing())
    with pytest.raises(litellm.RateLimitError):
        await litellm.acompletion("plain/any", messages=MESSAGES, stream=True)
