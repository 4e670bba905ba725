"""A sandbox, a login in it, and the four ways to call LiteLLM."""

from __future__ import annotations

import asyncio
import json
import queue
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Future, wait
from pathlib import Path
from typing import Any

import litellm
import pytest
from litellm.integrations.custom_logger import CustomLogger

import litellm_qwen_ai
from litellm_qwen_ai.route import patches
from litellm_qwen_ai.sandbox import Sandbox

Ask = Callable[..., Any]


@pytest.fixture
def login(sandbox: Sandbox, token_dir: Path) -> Path:
    """A credentials file of a login in the sandbox."""
    return sandbox.write_credentials(token_dir)


@pytest.fixture
def own_route(sandbox: Sandbox) -> dict[str, str]:
    """What a call names to reach the sandbox by LiteLLM's own `openai/`, the yardstick."""
    return {"model": "openai/coder-model", "api_key": "sk-sandbox", "api_base": sandbox.api_base}


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
    patches.remove_adaptations()
    yield
    patches.apply_adaptations()


def _sync(**call: Any) -> litellm.ModelResponse:
    return litellm.completion(**call)


def _async(**call: Any) -> litellm.ModelResponse:
    return asyncio.run(closing(litellm.acompletion(**call)))


def _stream(**call: Any) -> litellm.ModelResponse:
    call.setdefault("stream_options", {"include_usage": True})
    chunks = list(litellm.completion(stream=True, **call))
    return litellm.stream_chunk_builder(chunks)


def _astream(**call: Any) -> litellm.ModelResponse:
    call.setdefault("stream_options", {"include_usage": True})

    async def collect() -> list[Any]:
        return [chunk async for chunk in await litellm.acompletion(stream=True, **call)]

    return litellm.stream_chunk_builder(asyncio.run(closing(collect())))


async def closing(work: Any) -> Any:
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


class Form:
    """One of the four forms of a LiteLLM function: sync or async, whole or streamed."""

    def __init__(self, name: str) -> None:
        self.asynchronous = "async" in name
        self.streamed = "stream" in name

    def __call__(self, sync: Callable[..., Any], asynchronous: Callable[..., Any], **call: Any) -> Any:
        """What the right one of the two functions returns; of a stream, the list of what it yields."""
        if self.streamed:
            call["stream"] = True
        if self.asynchronous:
            return asyncio.run(closing(self._awaited(asynchronous, call)))
        answer = sync(**call)
        return list(answer) if self.streamed else answer

    async def _awaited(self, asynchronous: Callable[..., Any], call: dict[str, Any]) -> Any:
        answer = await asynchronous(**call)
        return [item async for item in answer] if self.streamed else answer


@pytest.fixture(params=SURFACES)
def form(request: pytest.FixtureRequest) -> Form:
    """Each of the four forms in turn."""
    return Form(request.param)


@pytest.fixture
async def own_loop() -> AsyncIterator[None]:
    """For async tests: closes LiteLLM's clients of the test's event loop."""
    yield
    await litellm.close_litellm_async_clients()


class Accounts:
    """Logins of several accounts in one sandbox, told apart by their bearers."""

    def __init__(self, sandbox: Sandbox, folder: Path) -> None:
        self._sandbox = sandbox
        self._folder = folder
        self._names: dict[str, str] = {}

    def log_in(self, name: str, **how: Any) -> Path:
        """Write the login of an account; `how` goes to `Sandbox.write_credentials`."""
        path = self._sandbox.write_credentials(self._folder, f"{name}.json", **how)
        self._names[json.loads(path.read_text())["access_token"]] = name
        return path

    def asked(self) -> list[str]:
        """The accounts whose bearers came to the chat endpoint, oldest first; `?` for a renewed one."""
        sent = [request.headers["authorization"] for request in self._sandbox.requests_to("chat")]
        return [self._names.get(bearer.removeprefix("Bearer "), "?") for bearer in sent]


@pytest.fixture
def accounts(sandbox: Sandbox, token_dir: Path) -> Accounts:
    """Alice, Bob and the default account, all logged in."""
    found = Accounts(sandbox, token_dir)
    for name in ("alice", "bob", "oauth_creds"):
        found.log_in(name)
    return found


@pytest.fixture
def make_router() -> Iterator[Callable[..., litellm.Router]]:
    """Builds Routers and takes their callbacks out of LiteLLM's lists again."""
    made: list[litellm.Router] = []

    def build(*deployments: dict[str, Any], **settings: Any) -> litellm.Router:
        made.append(litellm.Router(model_list=list(deployments), **{"num_retries": 0, **settings}))
        return made[-1]

    yield build
    for router in made:
        (router.retire if hasattr(router, "retire") else router.discard)()  # since 1.110, and before


class Recorder(CustomLogger):
    """Keeps every event; sync calls report from LiteLLM's threads."""

    def __init__(self, told: list[Future[Any]]) -> None:
        super().__init__()
        self._told = told
        self.events: queue.Queue[tuple[str, Any]] = queue.Queue()
        self.before: list[str] = []

    def log_pre_api_call(self, **told: Any) -> None:  # type: ignore[override]  # given by name
        self.before.append(repr(told))

    def log_success_event(self, kwargs: Any, *_: Any, **__: Any) -> None:
        self.events.put(("success", kwargs))

    def log_failure_event(self, kwargs: Any, *_: Any, **__: Any) -> None:
        self.events.put(("failure", kwargs))

    async def async_log_success_event(self, kwargs: Any, *_: Any, **__: Any) -> None:
        self.events.put(("success", kwargs))

    async def async_log_failure_event(self, kwargs: Any, *_: Any, **__: Any) -> None:
        self.events.put(("failure", kwargs))

    def next(self) -> tuple[str, Any]:
        """The one event of a call."""
        event = self.events.get(timeout=30)
        wait(self._told, 30)
        assert self.events.empty()
        return event

    async def anext(self) -> tuple[str, Any]:
        """The same in async code."""
        return await asyncio.to_thread(self.next)


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch, told_by_litellm: list[Future[Any]]) -> Iterator[Recorder]:
    """Is told by LiteLLM of every call."""
    recorder = Recorder(told_by_litellm)
    monkeypatch.setattr(litellm, "callbacks", [recorder])
    yield recorder
    for name in ("success", "failure", "_async_success", "_async_failure", "input", "_async_input"):
        callbacks = getattr(litellm, f"{name}_callback", [])
        callbacks[:] = [item for item in callbacks if item is not recorder]
