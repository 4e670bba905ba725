"""Who may start a login: a script in a terminal, and nobody else."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from litellm_qwen_ai.sandbox import Sandbox

pty = pytest.importorskip("pty", reason="there are no pseudo terminals here")

ASK = """
import litellm, litellm_qwen_ai
MESSAGES = [{"role": "user", "content": "ping"}]
def ask():
    return litellm.completion("qwen_ai/coder-model", messages=MESSAGES).choices[0].message.content
"""
PLAIN = ASK + "print(ask())"
IN_A_LOOP = (
    ASK
    + """
import asyncio
async def main():
    print(ask())
asyncio.run(main())
"""
)
IN_A_THREAD = (
    ASK
    + """
from concurrent.futures import ThreadPoolExecutor
print(ThreadPoolExecutor(1).submit(ask).result())
"""
)
ASYNC = (
    ASK
    + """
import asyncio
print(asyncio.run(litellm.acompletion("qwen_ai/coder-model", messages=MESSAGES)))
"""
)


def _in_a_terminal(code: str, sandbox: Sandbox, token_dir: Path) -> tuple[int, str, str]:
    """Run a script with a terminal on stdin and stderr; returns its exit code, stdout and terminal."""
    environment = {**os.environ, **sandbox.environment(token_dir), "TERM": "dumb", "CI": "1"}
    ours, its = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-c", code],
        env=environment,
        stdin=its,
        stderr=its,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        os.close(its)
        shown = b""
        while True:
            try:
                piece = os.read(ours, 4096)
            except OSError:  # Linux's way of saying that the other side is closed
                break
            if not piece:
                break
            shown += piece
        os.close(ours)
        out, _ = process.communicate(timeout=60)
    return process.returncode, out, shown.decode()


@pytest.fixture
def sandbox() -> Sandbox:
    """Approves every code, and lets polls come quickly."""
    return Sandbox(auto_approve=True, interval=0.1)


def test_the_first_call_of_a_script_logs_in_and_goes_on(sandbox: Sandbox, token_dir: Path) -> None:
    with sandbox:
        code, out, shown = _in_a_terminal(PLAIN, sandbox, token_dir)
        assert f"{sandbox.url}/authorize?user_code=" in shown
    assert code == 0, shown
    assert "ping" in out
    assert (token_dir / "oauth_creds.json").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("code", [IN_A_LOOP, IN_A_THREAD, ASYNC], ids=["in a loop", "in a thread", "async"])
def test_even_in_a_terminal_nothing_else_starts_a_login(sandbox: Sandbox, token_dir: Path, code: str) -> None:
    with sandbox:
        status, _, shown = _in_a_terminal(code, sandbox, token_dir)
        assert sandbox.requests == []
    assert status != 0
    assert "AuthenticationError" in shown
    assert "litellm-qwen-ai login" in shown


def test_without_a_terminal_a_script_is_told_the_command(sandbox: Sandbox, token_dir: Path) -> None:
    with sandbox:
        environment = {**os.environ, **sandbox.environment(token_dir)}
        done = subprocess.run(
            [sys.executable, "-c", PLAIN],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert sandbox.requests == []
    assert done.returncode != 0
    assert "litellm-qwen-ai login" in done.stderr
