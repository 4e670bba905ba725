"""The sandbox on its own, in a process of its own."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import httpx
import pytest

from litellm_qwen_ai.sandbox.serve import serve

PROGRAM = (
    "import sys; from litellm_qwen_ai.sandbox.serve import serve; serve('127.0.0.1', 0, auto_approve={})"
)


class _Served:
    """A running `serve()` and what it has printed to stdout."""

    def __init__(self, *, auto_approve: bool = False) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-X", "dev", "-u", "-c", PROGRAM.format(auto_approve)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        self.environment: dict[str, str] = {}
        self.lines: list[str] = []
        for line in self.process.stdout:
            self.lines.append(line)
            if line.startswith("unset "):
                continue
            name, _, value = line.strip().removeprefix("export ").removeprefix("set ").partition("=")
            self.environment[name] = value
            if name == "QWEN_TOKEN_DIR":
                break
        self.url = self.environment.get("QWEN_OAUTH_BASE_URL", "")

    def end(self, number: int) -> tuple[int, str]:
        self.process.send_signal(number)
        _, error = self.process.communicate(timeout=30)
        return self.process.returncode, error


@pytest.fixture
def served() -> Iterator[_Served]:
    running = _Served()
    yield running
    if running.process.poll() is None:
        running.process.kill()
        running.process.communicate()


def test_it_prints_the_environment_a_token_directory_of_its_own_and_how_to_approve(served: _Served) -> None:
    assert set(served.environment) == {"QWEN_OAUTH_BASE_URL", "QWEN_TOKEN_DIR"}
    assert httpx.get(served.url).status_code == 200
    assert Path(served.environment["QWEN_TOKEN_DIR"]).is_dir()
    _, error = served.end(signal.SIGTERM)
    assert "press Approve" in error


@pytest.mark.skipif(os.name != "posix", reason="these lines are for a POSIX shell")
def test_its_lines_leave_no_variable_of_the_user_s_that_leads_elsewhere(served: _Served) -> None:
    users = {"QWEN_STORE": "redis://real", "QWEN_API_KEY": "sk-real", "QWEN_AUTH_FILE": "team.json"}
    program = f"set -eu\n{''.join(served.lines)}env"
    shell = subprocess.run(
        ["sh", "-c", program], env={**os.environ, **users}, capture_output=True, text=True, check=True
    )
    left = dict(line.split("=", 1) for line in shell.stdout.splitlines() if line.startswith("QWEN_"))
    assert left == served.environment


@pytest.mark.skipif(os.name != "posix", reason="these signals are POSIX")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_cleanly_and_takes_the_directory_along(served: _Served, number: int) -> None:
    status, error = served.end(number)
    assert status == 0
    assert "stopped" in error
    assert "Traceback" not in error
    assert "Warning" not in error
    assert not Path(served.environment["QWEN_TOKEN_DIR"]).exists()


def test_it_prints_a_line_for_each_request_and_no_secret(served: _Served) -> None:
    tokens = httpx.post(f"{served.url}/sandbox/tokens").json()
    headers = {"authorization": f"Bearer {tokens['access_token']}"}
    body = {"model": "coder-model", "messages": [{"role": "user", "content": "Hello"}]}
    httpx.post(f"{served.url}/v1/chat/completions", json=body, headers=headers)
    httpx.post(f"{served.url}/sandbox/next", content=json.dumps({"endpoint": "chat", "name": "throttled"}))
    httpx.post(f"{served.url}/v1/chat/completions", json=body, headers=headers)
    _, error = served.end(signal.SIGTERM)
    assert "POST /v1/chat/completions  400  bad request" in error
    assert "POST /v1/chat/completions  429  Requests throttling triggered" in error
    assert "/sandbox/" not in error.split("In another terminal")[1]
    assert tokens["access_token"] not in error


def test_auto_approve_is_said() -> None:
    running = _Served(auto_approve=True)
    _, error = running.end(signal.SIGTERM)
    assert "approved at once" in error


def test_a_port_in_use_is_a_plain_error() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(click.ClickException, match=f"Cannot listen on 127.0.0.1:{port}.*another --port"):
            serve("127.0.0.1", port, auto_approve=False)
