"""LiteLLM's rules for what its Rust answers: old versions have none, new ones without them fail a test."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from tests.litellm_version import NUMBERS, VERSION

MODULE = "litellm.rust_bridge.catalog"
SINCE = (1, 104)  # before, no rule for chat is asked with a provider

has_rules = pytest.mark.skipif(NUMBERS < SINCE, reason="this LiteLLM has no rule for chat in Rust")


def rules() -> Any:
    """The module, which LiteLLM loads with itself."""
    if MODULE not in sys.modules:
        pytest.fail(
            f"LiteLLM {VERSION} loads no {MODULE} any more: find where its rule for chat is now, and bring "
            "RUST_RULES in route/private_names.py, tests/rust_rules.py and docs/upstream.md, 7, up to date"
        )
    return sys.modules[MODULE]
