"""Real `litellm` proxies on examples/config.yaml and the sandbox, one of a kind for a session."""

from __future__ import annotations

import json
import os
import queue
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from litellm_qwen_ai.sandbox import Sandbox
from litellm_qwen_ai.sandbox.wire import RecordedRequest
from tests.waiting import until

CONFIG = Path(__file__).parents[2] / "examples" / "config.yaml"
START_DEADLINE = 400.0  # seconds; it takes 10, and over 180 with two workers at five times the load
MASTER_KEY = "sk-made-up-for-the-tests-of-the-proxy"


@dataclass
class Proxy:
    """A running proxy, its upstream and what it has logged."""

    url: str
    sandbox: Sandbox
    token_dir: Path
    #: Every request that the sandbox has done with, in order; a test may wait here for the next.
    done: queue.SimpleQueue[RecordedRequest]
    key: str = MASTER_KEY
    lines: list[str] = field(default_factory=list)
    #: What it had logged when it became ready.
    log_of_the_start: str = ""

    @property
    def log(self) -> str:
        return "".join(self.lines)

    def ask(self, path: str, body: dict[str, Any] | None = None, **headers: str) -> httpx.Response:
        """One request with the master key: POST if there is a body."""
        method = "GET" if body is None else "POST"
        return httpx.request(method, self.url + path, json=body, headers=self.headers | headers, timeout=120)

    def let_poll(self, account: str = "oauth_creds") -> None:
        """Let the OAuth server be asked at once about a login that waits: no test waits for its interval."""
        path = self.token_dir / f"{account}.json.pending"
        note = json.loads(path.read_text())
        note["login"]["next_poll_at"] = 0.0
        path.write_text(json.dumps(note))

    @property
    def headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.key}"}


@contextmanager
def running_proxy(  # noqa: PLR0913  # one keyword for each thing a test may want different
    token_dir: Path,
    *,
    config: Path = CONFIG,
    workers: int = 1,
    accounts: Sequence[str] = (),
    upstream: Sandbox | None = None,
    more: Mapping[str, str | None] | None = None,
    command: Sequence[str] = (),
) -> Iterator[Proxy]:
    """Run `litellm --config CONFIG`; `accounts` are logged in when it starts.

    Its sandbox is one of its own, if no other's is given; `more` is for its environment, where None removes a
    variable. Of another `command`, the configuration's place and the address are replaced.
    """
    done: queue.SimpleQueue[RecordedRequest] = queue.SimpleQueue()
    with nullcontext(upstream) if upstream else Sandbox(interval=0, on_answer=done.put) as sandbox:
        for account in accounts:
            sandbox.write_credentials(token_dir, f"{account}.json")
        port = _free_port()
        running = Proxy(f"http://127.0.0.1:{port}", sandbox, token_dir, done)
        command = command or [
            "litellm",
            "--config",
            "",
            "--host",
            "",
            "--port",
            "",
            "--num_workers",
            str(workers),
        ]
        environment = {**_environment(sandbox, token_dir), **(more or {})}
        process = subprocess.Popen(
            _placed(command, {"--config": str(config), "--host": "127.0.0.1", "--port": str(port)}),
            env={name: value for name, value in environment.items() if value is not None},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        ready = threading.Event()
        reader = threading.Thread(target=_read, args=(process, running, workers, ready))
        reader.start()
        try:
            if not ready.wait(START_DEADLINE) or process.poll() is not None:
                what = f"did not say that it runs within {START_DEADLINE:g} s (status {process.poll()})"
                raise RuntimeError(f"the proxy {what}:\n{running.log[-4000:]}")
            yield running
        finally:
            process.terminate()
            process.wait(30)
            reader.join(30)


@pytest.fixture(scope="session")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    with running_proxy(tmp_path_factory.mktemp("proxy") / "tokens") as running:
        yield running


ROLES = """
import os

from litellm.proxy._types import UserAPIKeyAuth

async def check(request, api_key):
    role = "proxy_admin" if api_key == os.environ["LITELLM_MASTER_KEY"] else api_key
    return UserAPIKeyAuth(api_key="sk-of-" + api_key, user_role=role)
"""


@pytest.fixture(scope="session")
def operated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    """A proxy with metrics and roles of its own: each key but the master key is the name of its role."""
    folder = tmp_path_factory.mktemp("operated")
    (folder / "roles.py").write_text(ROLES)
    config = _with_metrics(folder, custom_auth="roles.check")
    with running_proxy(folder / "tokens", config=config) as running:
        yield running


@pytest.fixture(scope="session")
def two_workers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    """A proxy of two workers, with metrics, that was started without a login."""
    folder = tmp_path_factory.mktemp("two")
    (folder / "metrics").mkdir()  # by LiteLLM too, but from 1.110 on after it has first used it
    more = {"PROMETHEUS_MULTIPROC_DIR": str(folder / "metrics")}
    with running_proxy(folder / "tokens", config=_with_metrics(folder), workers=2, more=more) as running:
        yield running


def _with_metrics(folder: Path, **general: str) -> Path:
    """The configuration of the examples with `/metrics`, and an account `metered` of a model of that name."""
    config = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))
    config["litellm_settings"]["callbacks"] = ["prometheus"]
    config["general_settings"] |= general
    config["model_list"].append(
        {
            "model_name": "metered",
            "litellm_params": {"model": "qwen_ai/coder-model"},
            "model_info": {"qwen_account": "metered"},
        }
    )
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(config))
    return path


def _read(process: subprocess.Popen[str], proxy: Proxy, workers: int, ready: threading.Event) -> None:
    assert process.stdout is not None
    with process.stdout:
        for line in process.stdout:
            proxy.lines.append(line)
            if ready.is_set():
                continue
            if "Uvicorn running on" in proxy.log and proxy.log.count("startup complete") == workers:
                proxy.log_of_the_start = proxy.log
                ready.set()
    ready.set()


def _environment(sandbox: Sandbox, token_dir: Path) -> dict[str, str]:
    foreign = ("QWEN_", "LITELLM_", "OPENAI_", "DATABASE_")
    kept = "LITELLM_RUST"  # make test-newest runs with it too
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith(foreign) or name == kept
    }
    ours = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_MASTER_KEY": MASTER_KEY}
    ours["LITELLM_WORKER_STARTUP_HOOKS"] = "litellm_qwen_ai.proxy:startup"
    # On a busy machine a starting worker says nothing for more than uvicorn's 5 s, and would be killed.
    ours["TIMEOUT_WORKER_HEALTHCHECK"] = "120"
    return {**inherited, **sandbox.environment(token_dir), **ours}


def _placed(command: Sequence[str], values: Mapping[str, str]) -> list[str]:
    """The command with our values of some options, and the program of this installation."""
    placed = [str(Path(sys.executable).parent / command[0]), *command[1:]]
    for option, value in values.items():
        placed[placed.index(option) + 1] = value
    return placed


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture
def logged_in(proxy: Proxy) -> Proxy:
    """The proxy with a fresh login, made outside of it, which it has seen: the one before may be dead."""
    proxy.sandbox.write_credentials(proxy.token_dir)
    call = {"model": "coder-model", "messages": [{"role": "user", "content": "ping"}]}
    until(lambda: proxy.ask("/v1/chat/completions", call).status_code == 200, "the proxy takes a new login")
    return proxy


@pytest.fixture
def logged_out(proxy: Proxy) -> Proxy:
    """The proxy without a login; a token that it may hold in memory is worth nothing."""
    (proxy.token_dir / "oauth_creds.json").unlink(missing_ok=True)
    proxy.sandbox.revoke()
    return proxy
