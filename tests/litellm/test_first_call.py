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
# One process for the three: the import of LiteLLM takes most of the time.
ELSEWHERE = (
    ASK
    + """
import asyncio, sys
from concurrent.futures import ThreadPoolExecutor

async def in_a_loop():
    ask()

async def awaited():
    await litellm.acompletion("qwen_ai/coder-model", messages=MESSAGES)

ways = {
    "in a loop": lambda: asyncio.run(in_a_loop()),
    "in a thread": lambda: ThreadPoolExecutor(1).submit(ask).result(),
    "async": lambda: asyncio.run(awaited()),
}
for name, way in ways.items():
    try:
        way()
    except litellm.AuthenticationError as error:
        print(name, "litellm-qwen-ai login" in str(error))
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


def test_even_in_a_terminal_no_loop_thread_or_async_call_starts_a_login(
    sandbox: Sandbox, token_dir: Path
) -> None:
    with sandbox:
        status, out, shown = _in_a_terminal(ELSEWHERE, sandbox, token_dir)
        assert sandbox.requests == []
    assert status == 0, shown
    assert out.splitlines() == ["in a loop True", "in a thread True", "async True"]


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
