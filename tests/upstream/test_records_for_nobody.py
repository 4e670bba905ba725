"""Proposal 4: no record of a call is made where nobody receives it."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import litellm
import litellm.utils
import pytest
from litellm.litellm_core_utils import litellm_logging

from tests.upstream.conftest import MESSAGES, Plain

PAYLOAD = "get_standard_logging_object_payload"


@pytest.mark.xfail(raises=AssertionError, reason="docs/upstream.md, 4")
def test_a_call_without_callbacks_makes_no_record(custom: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    original = getattr(litellm_logging, PAYLOAD)
    monkeypatch.setattr(litellm_logging, PAYLOAD, lambda *a, **k: made.append(1) or original(*a, **k))
    for name in ("callbacks", "success_callback", "_async_success_callback"):
        monkeypatch.setattr(litellm, name, [])
    custom(Plain())
    with ThreadPoolExecutor() as threads:  # left when all of them have come to rest
        monkeypatch.setattr(sys.modules["litellm.utils"], "executor", threads)
        litellm.completion("plain/any", messages=MESSAGES)
    assert not made
