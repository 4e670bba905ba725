"""Proposal 7: should chat move to Rust, a custom provider stays with its Python handler."""

from __future__ import annotations

import dataclasses
from typing import Any

import litellm
import pytest

from tests.rust_rules import has_rules, rules
from tests.upstream.conftest import MESSAGES, Plain


@has_rules
@pytest.mark.xfail(raises=litellm.APIConnectionError, reason="docs/upstream.md, 7")
def test_a_custom_provider_is_answered_by_its_handler(custom: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    catalog = rules()
    chat = catalog.Route.CHAT_COMPLETIONS
    today = catalog.RouteRule(chat, catalog.Rollout.PYTHON_ONLY)
    tomorrow = dataclasses.replace(today, rollout=catalog.Rollout.RUST_OPT_IN)
    assert today in catalog.RULES, "the rule has changed: look what becomes of custom providers"
    opted_in = tuple(tomorrow if rule == today else rule for rule in catalog.RULES)
    monkeypatch.setattr(catalog, "RULES", opted_in)
    monkeypatch.setenv("LITELLM_RUST", "1")
    custom(Plain())
    answer: Any = litellm.completion("plain/any", messages=MESSAGES)
    assert answer.choices[0].message.content == "pong"
