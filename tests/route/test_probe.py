"""What `doctor` has looked at in a process of its own; that process itself in tests/cli/test_doctor.py."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from litellm_qwen_ai.route import probe
from litellm_qwen_ai.sandbox import Sandbox


def test_a_litellm_that_cannot_be_imported_is_told_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "litellm", None)
    seen = probe.look()
    assert seen.keys() == {"litellm", "fault"}
    assert seen["litellm"] is None
    assert seen["fault"].startswith("ModuleNotFoundError: ")


def test_the_call_asks_for_next_to_nothing(sandbox: Sandbox, token_dir: Path) -> None:
    sandbox.write_credentials(token_dir)
    called = probe.call()
    assert called.keys() == {"seconds", "error"}
    assert called["seconds"] > 0
    assert called["error"] is None
    asked = sandbox.requests_to("chat")[0].json
    assert asked["messages"][-1] == {"role": "user", "content": "Say ok."}
    assert asked["max_tokens"] == 8


def test_the_call_uses_the_login_of_the_account_it_is_given(sandbox: Sandbox, token_dir: Path) -> None:
    sandbox.write_credentials(token_dir, "alice.json")
    assert probe.call("alice")["error"] is None
    assert probe.call()["error"].startswith("AuthenticationError: ")
