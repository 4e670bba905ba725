"""Proposal 10: no cost is worked out for a stream that has not begun."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import litellm
import pytest

from tests.upstream.conftest import MESSAGES, Plain, entered


class Streaming(Plain):
    def streaming(self, **_: Any) -> Iterator[Any]:  # type: ignore[override]  # by keywords, as LiteLLM calls it
        return iter(())


@pytest.mark.xfail(raises=AssertionError, reason="docs/upstream.md, 10")
def test_a_stream_that_has_not_begun_has_no_price(custom: Any) -> None:
    custom(Streaming())
    priced = entered(
        "completion_cost", lambda: litellm.completion("plain/any", messages=MESSAGES, stream=True)
    )
    assert not priced
