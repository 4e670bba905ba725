"""Isolation for every test: no user's settings, no login of the machine, no traffic but loopback."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

# Before anything imports LiteLLM: it would fetch its price list from the internet.
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"

_FOREIGN = ("QWEN_", "OPENAI_", "DASHSCOPE_", "ANTHROPIC_", "LITELLM_LOG", "LITELLM_MASTER_KEY")
_PROXIES = ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(os.environ):
        if name.startswith(_FOREIGN) or name in _PROXIES:
            monkeypatch.delenv(name)
    monkeypatch.setenv("QWEN_TOKEN_DIR", str(tmp_path / "tokens"))
