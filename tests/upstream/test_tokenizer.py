"""Proposal 12: a custom provider that counts no tokens loads no tokenizer."""

from __future__ import annotations

from typing import Any

import litellm
import litellm.main
import pytest

from tests.upstream.conftest import MESSAGES, Plain, entered


@pytest.mark.xfail(raises=AssertionError, reason="docs/upstream.md, 12")
def test_a_handler_that_counts_no_tokens_loads_no_tokenizer(custom: Any) -> None:
    custom(Plain())
    loads = entered("_get_encoding", lambda: litellm.completion("plain/any", messages=MESSAGES))
    assert not loads
