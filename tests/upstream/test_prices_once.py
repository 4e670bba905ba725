"""Proposal 9: what is known of a model is looked up once, not again in each call."""

from __future__ import annotations

from typing import Any

import litellm
import pytest

from tests.upstream.conftest import MESSAGES, Plain, entered


@pytest.mark.xfail(raises=AssertionError, reason="docs/upstream.md, 9")
def test_a_second_call_looks_nothing_up(custom: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(litellm, "model_cost", dict(litellm.model_cost))
    custom(Plain())
    prices = {"litellm_provider": "plain", "mode": "chat", "input_cost_per_token": 1e-6}
    litellm.register_model({"plain/any": prices})
    litellm.completion("plain/any", messages=MESSAGES)  # what is kept is kept now
    looks = entered("get_model_info_helper", lambda: litellm.completion("plain/any", messages=MESSAGES))
    assert not looks
