"""Runs the command line: in this process with time that only tests move, or as a program in a terminal."""

from __future__ import annotations

import contextlib
import functools
import os
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from litellm_qwen_ai import verbs
from litellm_qwen_ai.cli import main
from litellm_qwen_ai.cli.checkup import plugin
from litellm_qwen_ai.oauth import FileStore, device_login, network
from litellm_qwen_ai.oauth.clocks import Clocks
from litellm_qwen_ai.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PROGRAM = Path(sys.executable).parent / "litellm-qwen-ai"


@dataclass
class Waiting:
    """What happens while the login waits; each nap ends at once."""

    passed: float = 0.0
    on_nap: Callable[[], None] = field(default=lambda: None)

    def now(self) -> float:
        return time.time() + self.passed

    def monotonic(self) -> float:
        return self.passed

    def sleep(self, seconds: float) -> None:
        self.passed += seconds
        self.on_nap()


@dataclass(frozen=True)
class Outcome:
    code: int
    out: str
    err: str


SEEN = {
    "litellm": "1.106.2",
    "registered": True,
    "past_python": None,
    "adaptations": {
        "eager async streams": True,
        "parameters": True,
        "logs for nobody": True,
        "headers": True,
    },
    "switched_off": False,
}


@pytest.fixture
def litellm_seen(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What `doctor` is told of LiteLLM, instead of by a process that loads it, which takes seconds."""
    monkeypatch.setattr(plugin, "probing", lambda _account, call: contextlib.nullcontext(SEEN))
    monkeypatch.setattr(plugin, "seen_by", plugin.read)
    return SEEN


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(auto_approve=True) as running:
        yield running


@pytest.fixture
def token_dir(tmp_path: Path) -> Path:
    return tmp_path / "qwen"


@pytest.fixture
def store(token_dir: Path) -> FileStore:
    return FileStore(token_dir)


@pytest.fixture
def environ(sandbox: Sandbox, token_dir: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The environment of both ways to run; already set in this process."""
    settings = sandbox.environment(token_dir)
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("TZ", "UTC")
    monkeypatch.setattr(network, "_source", network.Network.from_environment)  # commands load no LiteLLM
    return {**os.environ, **settings}


@pytest.fixture
def waiting() -> Waiting:
    return Waiting()


@pytest.fixture
def run(
    environ: dict[str, str],
    waiting: Waiting,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[..., Outcome]:
    assert environ["QWEN_OAUTH_BASE_URL"].startswith("http://127.0.0.1")
    clocks = Clocks(waiting.now, waiting.monotonic, waiting.sleep)
    quick = functools.partial(device_login, clocks=clocks)
    monkeypatch.setattr(verbs, "device_login", quick)

    def invoke(*arguments: Any) -> Outcome:
        with pytest.raises(SystemExit) as exit_:
            main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        assert isinstance(exit_.value.code, int)
        return Outcome(exit_.value.code, captured.out, captured.err)

    return invoke
