"""A sandbox, a login in it, and the four ways to call LiteLLM."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import litellm
import pytest

import litellm_qwen_ai
from litellm_qwen_ai import host
from litellm_qwen_ai.sandbox import Sandbox

Ask = Callable[..., Any]


@pytest.fixture
def sandbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    with Sandbox(interval=0) as running:
        for name, value in running.environment().items():
            monkeypatch.setenv(name, value)
        yield running


@pytest.fixture
def token_dir(tmp_path: Path) -> Path:
    return tmp_path / "tokens"


@pytest.fixture
def login(sandbox: Sandbox, token_dir: Path) -> Path:
    """A credentials file of a login in the sandbox."""
    return sandbox.write_credentials(token_dir)


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that the handler would have waited before retries."""
    seconds: list[float] = []

    async def asleep(wait: float) -> None:
        seconds.append(wait)

    monkeypatch.setattr(litellm_qwen_ai.handler, "sleep", seconds.append)
    monkeypatch.setattr(litellm_qwen_ai.handler, "asleep", asleep)
    return seconds


@pytest.fixture
def without_adaptations() -> Iterator[None]:
    host.remove_adaptations()
    yield
    host.apply_adaptations()


def _sync(**call: Any) -> litellm.ModelResponse:
    return litellm.completion(**call)


def _async(**call: Any) -> litellm.ModelResponse:
    return asyncio.run(_closing(litellm.acompletion(**call)))


def _stream(**call: Any) -> litellm.ModelResponse:
    call.setdefault("stream_options", {"include_usage": True})
    chunks = list(litellm.completion(stream=True, **call))
    return litellm.stream_chunk_builder(chunks)


def _astream(**call: Any) -> litellm.ModelResponse:
    call.setdefault("stream_options", {"include_usage": True})

    async def collect() -> list[Any]:
        return [chunk async for chunk in await litellm.acompletion(stream=True, **call)]

    return litellm.stream_chunk_builder(asyncio.run(_closing(collect())))


async def _closing(work: Any) -> Any:
    """What `work` returns, with LiteLLM's clients of this loop closed, as a program's end would."""
    try:
        return await work
    finally:
        await litellm.close_litellm_async_clients()


SURFACES = {"sync": _sync, "async": _async, "stream": _stream, "async stream": _astream}


@pytest.fixture(params=SURFACES)
def ask(request: pytest.FixtureRequest) -> Ask:
    """`litellm.completion` in its four forms; streams come back put together."""
    surface = SURFACES[request.param]

    def call(content: Any = "ping", **more: Any) -> Any:
        more.setdefault("model", "qwen_ai/coder-model")
        more.setdefault("messages", [{"role": "user", "content": content}])
        return surface(**more)

    return call
