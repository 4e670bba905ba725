"""Who may start a login: a script in a terminal, and nobody else."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from litellm_qwen_ai.sandbox import Sandbox

pty = pytest.importorskip("pty", reason="there are no pseudo terminals here")

# One program for all ways: the import of LiteLLM takes most of the time.
SCRIPT = """
import asyncio
from concurrent.futures import ThreadPoolExecutor
import litellm, litellm_qwen_ai
MESSAGES = [{"role": "user", "content": "ping"}]

def ask():
    return litellm.completion("qwen_ai/coder-model", messages=MESSAGES).choices[0].message.content

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
print(ask())
"""


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


def test_the_first_call_of_a_script_logs_in_and_goes_on_but_no_loop_thread_or_async_call(
    sandbox: Sandbox, token_dir: Path
) -> None:
    with sandbox:
        status, out, shown = _in_a_terminal(SCRIPT, sandbox, token_dir)
        assert f"{sandbox.url}/authorize?user_code=" in shown
        assert len(sandbox.requests_to("device")) == 1
    assert status == 0, shown
    refused = ["in a loop True", "in a thread True", "async True"]
    assert out.splitlines()[:3] == refused, "it is told the command and sent to no page"
    assert "ping" in out.splitlines()[3]
    assert (token_dir / "oauth_creds.json").stat().st_mode & 0o777 == 0o600
