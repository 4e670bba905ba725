"""Isolation for every test: no user's settings, no login of the machine, no traffic but loopback."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
from collections.abc import Iterator
from concurrent.futures import Future, wait
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import hypothesis
import pytest
from xdist.scheduler import LoadScopeScheduling

from litellm_qwen_ai.sandbox import Sandbox

if TYPE_CHECKING:
    from xdist.remote import Producer

# Before anything imports LiteLLM: it would fetch its price list from the internet.
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"

# What is imported to collect the tests stays: looking for garbage in it takes a quarter of the time.
gc.disable()

# No test leaves this machine, and each HTTP client of each program reads all root certificates: 17 ms for
# the 150 of certifi. This is one that has signed nothing.
os.environ["SSL_CERT_FILE"] = str(Path(__file__).with_name("root.pem"))

# No timing decides a test, and a run tries what every run tries: `make fuzz` looks for what is new.
hypothesis.settings.register_profile(
    "steady", deadline=None, derandomize=True, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("steady")

# pytest-asyncio and LiteLLM ask for the thread's event loop, and Python makes one for whoever asks first: the
# next `asyncio.run` would leave it to the collector, open.
asyncio.set_event_loop(None)

# What starts in the background (`make test &`, nohup) ignores these, and so would the programs that the tests
# start and signal. A handler goes no further than this process.
for _number in (signal.SIGINT, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])):
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, lambda *_: None)

_FOREIGN = ("QWEN_", "OPENAI_", "DASHSCOPE_", "ANTHROPIC_", "LITELLM_LOG", "LITELLM_MASTER_KEY")
_PROXIES = ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")


@pytest.fixture
def token_dir(tmp_path: Path) -> Path:
    return tmp_path / "tokens"


@pytest.fixture
def sandbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """A sandbox to which the environment leads."""
    with Sandbox(interval=0) as running:
        for name, value in running.environment().items():
            monkeypatch.setenv(name, value)
        yield running


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch, token_dir: Path) -> None:
    for name in list(os.environ):
        if name.startswith(_FOREIGN) or name in _PROXIES:
            monkeypatch.delenv(name)
    monkeypatch.setenv("QWEN_TOKEN_DIR", str(token_dir))


@pytest.fixture(autouse=True)
def _clients_end_with_their_test() -> Iterator[None]:
    """Take from LiteLLM's cache what is of no more use: full, it drops synchronous clients open."""
    yield
    for key, cached in _cached_clients():
        if isinstance(cached, sys.modules["openai"].OpenAI):
            cached.close()
        elif isinstance(getattr(cached, "client", None), httpx.Client):
            continue  # for all tests: threads that find none make one each, and drop all but the last
        sys.modules["litellm"].in_memory_llm_clients_cache.cache_dict.pop(key)


def _cached_clients() -> list[tuple[str, object]]:
    litellm = sys.modules.get("litellm")
    return [] if litellm is None else list(litellm.in_memory_llm_clients_cache.cache_dict.items())


@pytest.fixture(autouse=True)
def told_by_litellm(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Future[Any]]]:
    """What a test has LiteLLM's threads tell callbacks; it is told before the next test listens."""
    handed: list[Future[Any]] = []
    if module := sys.modules.get("litellm.litellm_core_utils.thread_pool_executor"):
        submit = module.executor.submit

        def kept(*task: Any, **named: Any) -> Future[Any]:
            handed.append(submit(*task, **named))
            return handed[-1]

        monkeypatch.setattr(module.executor, "submit", kept)
    yield handed
    assert not wait(handed, 60).not_done, "LiteLLM's threads were not through within 60 s of a test's end"


@pytest.fixture(autouse=True)
def _log_worker_forgotten() -> Iterator[None]:
    """LiteLLM's log worker belongs to a loop that is gone after an async call, with what it had not begun."""
    yield
    if module := sys.modules.get("litellm.litellm_core_utils.logging_worker"):
        worker = module.GLOBAL_LOGGING_WORKER
        waiting = [*worker._queue._queue] if worker._queue else []
        dequeued = getattr(worker, "_dequeued_tasks", {})  # not on LiteLLM 1.91
        for task in (*waiting, *dequeued.values()):
            task["coroutine"].close()  # collected instead, it would be a warning in another test
        dequeued.clear()
        worker._worker_task = worker._queue = None
        worker._running_tasks.clear()


#: The files of tests/proxy that use no proxy, page or browser of another file's.
_BY_THEMSELVES = ("api", "client_side", "examples", "fleet", "startup", "states")


class _ProxiesTogether(LoadScopeScheduling):
    """A proxy takes seconds to start: the tests that share one run in one process, all others anywhere.

    Those that run together come first: xdist begins with the largest of what it hands out. Not by xdist's
    groups: pytest 9.2 no longer sees the names that xdist 3.8 gives to them.
    """

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        if not file.startswith("tests/proxy/"):
            return nodeid
        return file if Path(file).stem.removeprefix("test_") in _BY_THEMSELVES else "tests/proxy"


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> _ProxiesTogether:
    return _ProxiesTogether(config, log)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """For `-n auto`: one more than there are cores, since many tests wait for what others do."""
    return (os.cpu_count() or 1) + 1


def pytest_collection_finish() -> None:
    """Leave what the imports made, LiteLLM's above all, to no collection: walking it takes 0.3 s."""
    gc.freeze()
    gc.enable()


def pytest_sessionfinish() -> None:
    """Close LiteLLM's synchronous clients: each, collected at exit, is a warning that nobody can heed."""
    for _, cached in _cached_clients():
        if isinstance(client := getattr(cached, "client", None), httpx.Client):
            client.close()
