"""A real `litellm` proxy on examples/config.yaml and the sandbox, one for each test worker."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from litellm_qwen_ai.sandbox import Sandbox

CONFIG = Path(__file__).parents[2] / "examples" / "config.yaml"
START_DEADLINE = 90.0  # seconds
MASTER_KEY = "sk-made-up-for-the-tests-of-the-proxy"


@dataclass
class Proxy:
    """A running proxy, its upstream and what it has logged."""

    url: str
    sandbox: Sandbox
    token_dir: Path
    key: str = MASTER_KEY
    lines: list[str] = field(default_factory=list)

    @property
    def log(self) -> str:
        return "".join(self.lines)


@pytest.fixture(scope="session")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    token_dir = tmp_path_factory.mktemp("proxy") / "tokens"
    with Sandbox(interval=0) as sandbox:
        port = _free_port()
        running = Proxy(f"http://127.0.0.1:{port}", sandbox, token_dir)
        command = [str(Path(sys.executable).parent / "litellm"), "--config", str(CONFIG)]
        command += ["--host", "127.0.0.1", "--port", str(port)]
        process = subprocess.Popen(
            command,
            env=_environment(sandbox, token_dir),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        ready = threading.Event()
        reader = threading.Thread(target=_read, args=(process, running, ready))
        reader.start()
        try:
            if not ready.wait(START_DEADLINE) or process.poll() is not None:
                raise RuntimeError(f"the proxy did not start:\n{running.log[-4000:]}")
            yield running
        finally:
            process.terminate()
            process.wait(30)
            reader.join(30)


def _read(process: subprocess.Popen[str], proxy: Proxy, ready: threading.Event) -> None:
    assert process.stdout is not None
    with process.stdout:
        for line in process.stdout:
            proxy.lines.append(line)
            if "Uvicorn running on" in line:
                ready.set()
    ready.set()


def _environment(sandbox: Sandbox, token_dir: Path) -> dict[str, str]:
    foreign = ("QWEN_", "LITELLM_", "OPENAI_", "DATABASE_")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    ours = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_MASTER_KEY": MASTER_KEY}
    return {**inherited, **sandbox.environment(token_dir), **ours}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture
def logged_in(proxy: Proxy) -> Proxy:
    """The proxy with a fresh login, made outside of it."""
    proxy.sandbox.write_credentials(proxy.token_dir)
    return proxy


@pytest.fixture
def logged_out(proxy: Proxy) -> Proxy:
    """The proxy without a login; a token that it may hold in memory is worth nothing."""
    (proxy.token_dir / "oauth_creds.json").unlink(missing_ok=True)
    proxy.sandbox.revoke()
    return proxy
