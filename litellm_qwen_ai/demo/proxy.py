"""A LiteLLM proxy in a process of its own, for as long as the demo needs it."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_NEEDED = ("fastapi", "uvicorn", "apscheduler")  # what only LiteLLM's proxy extra brings
_DEADLINE = 180.0  # seconds to become ready: LiteLLM's start takes 10, and 40 on a busy machine
_READINESS = "/health/readiness"  # LiteLLM's own, open to all
_FOREIGN = ("LITELLM_", "DATABASE_URL", "REDIS_", "OPENAI_", "CONFIG_FILE_PATH")
_KEPT = "LITELLM_RUST"  # without it LiteLLM may be one that knows no plugin (docs/litellm.md, Chat in Rust)


class ProxyMissingError(Exception):
    """LiteLLM's proxy is not installed; the text says how to install it."""


class ProxyFailedError(Exception):
    """The proxy did not start; the text holds the end of its log."""


def proxy_config() -> Path:
    """Return the example configuration: a checkout's own, else the copy in the package."""
    here = Path(__file__).parent.parent
    checkout = here.parent / "examples" / "config.yaml"
    return checkout if checkout.is_file() else here / "example_config.yaml"


@contextmanager
def running_proxy(config: Path, *, key: str, say: Callable[[str], None]) -> Iterator[str]:
    """Run `litellm --config CONFIG` with this master key, on a free loopback port; yields its address.

    Raises:
        ProxyMissingError: LiteLLM's proxy is not installed.
        ProxyFailedError: It ended, or was not ready in time.
    """
    command = [_executable(), "--config", str(config), "--host", "127.0.0.1", "--port", str(_free_port())]
    url = f"http://127.0.0.1:{command[-1]}"
    say("$ " + " ".join(["litellm", *command[1:]]))
    say(
        f"Waiting until it answers at {url}{_READINESS} (most take 10 to 40 s; after {_DEADLINE:g} s it is "
        "given up)"
    )
    with tempfile.TemporaryFile() as log:
        process: subprocess.Popen[bytes] | None = None
        try:
            # A signal inside Popen would leave a proxy that nobody knows of.
            with _signals_deferred():
                process = subprocess.Popen(  # noqa: S603  # our own interpreter's litellm, our own arguments
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    env=_environment(key),
                )
            if failure := _failure(process, url + _READINESS):
                log.seek(0)
                tail = log.read().decode("utf-8", "replace")[-1500:]
                raise ProxyFailedError(f"the proxy {failure}. The end of its log:\n{tail}")
            yield url
        finally:
            if process is not None:
                _end(process)


@contextmanager
def _signals_deferred() -> Iterator[None]:
    """Let Ctrl-C and SIGTERM wait for the end of the block (in the main thread, where they arrive)."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    before = {
        number: signal.signal(number, lambda number, _: came.append(number))
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    for one in came:
        signal.raise_signal(one)


def _executable() -> str:
    if not all(importlib.util.find_spec(name) for name in _NEEDED):
        raise ProxyMissingError(
            'LiteLLM\'s proxy is not installed. To install it: pip install "litellm-qwen-ai[proxy]"'
        )
    found = shutil.which("litellm", path=str(Path(sys.executable).parent)) or shutil.which("litellm")
    if found is None:
        raise ProxyMissingError("The command litellm is not found beside this Python, nor on PATH.")
    return found


def _environment(key: str) -> dict[str, str]:
    """The environment without what would make it another proxy: a database, another key or configuration."""
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN) or name == _KEPT
    }
    return {**kept, "LITELLM_MASTER_KEY": key, "LITELLM_LOCAL_MODEL_COST_MAP": "True"}


def _failure(process: subprocess.Popen[bytes], url: str) -> str | None:
    """Wait until the proxy answers at this address; return what went wrong, None if nothing did."""
    until = time.monotonic() + _DEADLINE
    with httpx.Client(timeout=5, trust_env=False) as client:
        while process.poll() is None:
            try:
                if client.get(url).is_success:
                    return None
            except httpx.TransportError:
                pass  # not listening yet
            if time.monotonic() > until:
                return f"did not answer at {url} within {_DEADLINE:g} s"
            time.sleep(0.25)
    return f"ended with status {process.returncode}"


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
