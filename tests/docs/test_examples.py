"""The example programs run as they are."""

from __future__ import annotations

import gc
import runpy
import sys
from collections.abc import Iterator
from pathlib import Path

import litellm
import pytest

from litellm_qwen_ai.sandbox import Sandbox

EXAMPLES = Path(__file__).parents[2] / "examples"
pytestmark = [
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
#: What each must print, whatever else it does.
SAYS = {
    "chat.py": "Say hello in three languages",
    "stream.py": "Explain a hash table",
    "async_chat.py": "What is 5 squared?",
    "tools.py": "calling get_weather(",
    "vision.py": "64 x 64",
    "openai_sdk.py": "Why is the sky blue?",
}


@pytest.fixture
def sandbox(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Sandbox]:
    with Sandbox() as running:
        for name, value in running.environment(tmp_path / "tokens").items():
            monkeypatch.setenv(name, value)
        running.write_credentials(tmp_path / "tokens")
        yield running


@pytest.fixture
def _connections_left_open() -> Iterator[None]:
    """`asyncio.run` ends with LiteLLM's connections open, as in any program: collect them here."""
    yield
    litellm.in_memory_llm_clients_cache.flush_cache()
    gc.collect()


def test_every_example_is_tested_here() -> None:
    assert {path.name for path in EXAMPLES.glob("*.py")} == set(SAYS)


@pytest.mark.parametrize("name", SAYS)
@pytest.mark.usefixtures("sandbox", "_connections_left_open")
def test_an_example_runs_as_it_is(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", [name])
    runpy.run_path(str(EXAMPLES / name), run_name="__main__")
    assert SAYS[name] in capsys.readouterr().out
