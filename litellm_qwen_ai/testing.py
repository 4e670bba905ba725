"""Pytest fixtures for programs that use `qwen_ai/`: a sandbox instead of the real service.

In `conftest.py`:

    pytest_plugins = ["litellm_qwen_ai.testing"]

and in a test:

    def test_my_program_survives_throttling(qwen_sandbox):
        qwen_sandbox.answer_next("chat", "throttled")
        ...

There is no `pytest11` entry point on purpose: it would load in every pytest run of every environment that has
this package, whether a project tests with it or not.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from litellm_qwen_ai.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["qwen_sandbox", "qwen_sandbox_logged_out"]


def __dir__() -> list[str]:
    """What is public; pytest looks for fixtures here."""
    return sorted(__all__)


@pytest.fixture
def qwen_sandbox_logged_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """A running sandbox that the environment points at, with an empty `QWEN_TOKEN_DIR` of its own.

    No other variable `QWEN_*` is set: a test reaches neither its user's key nor a fleet's logins. Child
    processes inherit the environment. Device codes are approved at once, and a login takes a moment.
    """
    with Sandbox(auto_approve=True, interval=0.1) as sandbox:  # no test should wait for Qwen's five seconds
        for name in [one for one in os.environ if one.startswith("QWEN_")]:
            monkeypatch.delenv(name)  # a user's store holds real logins, which a test would change
        for name, value in sandbox.environment(tmp_path / "qwen_tokens").items():
            if value:
                monkeypatch.setenv(name, value)
        # LiteLLM would fetch its price list from the internet, in child processes too.
        monkeypatch.setenv("LITELLM_LOCAL_MODEL_COST_MAP", "True")
        yield sandbox


@pytest.fixture
def qwen_sandbox(qwen_sandbox_logged_out: Sandbox, tmp_path: Path) -> Sandbox:
    """A running sandbox that the environment points at, with a login in `QWEN_TOKEN_DIR`.

    That is `qwen_sandbox_logged_out` after a login; its access token lives for six hours.
    """
    qwen_sandbox_logged_out.write_credentials(tmp_path / "qwen_tokens")
    return qwen_sandbox_logged_out
