"""Isolation for every test: no user's settings, no login of the machine, no traffic but loopback."""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import hypothesis
import pytest
from xdist.scheduler import LoadScopeScheduling

if TYPE_CHECKING:
    from xdist.remote import Producer

# Before anything imports LiteLLM: it would fetch its price list from the internet.
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"

# No test leaves this machine, and each HTTP client of each program reads all root certificates: 17 ms for
# the 150 of certifi. This is one that has signed nothing.
os.environ["SSL_CERT_FILE"] = str(Path(__file__).with_name("root.pem"))

# No timing decides a test, and a run tries what every run tries: `make fuzz` looks for what is new.
hypothesis.settings.register_profile(
    "steady", deadline=None, derandomize=True, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("steady")

# What starts in the background (`make test &`, nohup) ignores these, and so would the programs that the tests
# start and signal. A handler goes no further than this process.
for _number in (signal.SIGINT, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])):
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, lambda *_: None)

_FOREIGN = ("QWEN_", "OPENAI_", "DASHSCOPE_", "ANTHROPIC_", "LITELLM_LOG", "LITELLM_MASTER_KEY")
_PROXIES = ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(os.environ):
        if name.startswith(_FOREIGN) or name in _PROXIES:
            monkeypatch.delenv(name)
    monkeypatch.setenv("QWEN_TOKEN_DIR", str(tmp_path / "tokens"))


@pytest.fixture(autouse=True)
def _own_clients() -> Iterator[None]:
    """Close LiteLLM's synchronous clients after each test: its cache drops them open once it holds 200."""
    yield
    if (litellm := sys.modules.get("litellm")) is None or not litellm.in_memory_llm_clients_cache.cache_dict:
        return
    cache = litellm.in_memory_llm_clients_cache
    for cached in list(cache.cache_dict.values()):
        for client in (cached, getattr(cached, "client", None)):
            if isinstance(client, (httpx.Client, sys.modules["openai"].OpenAI)):
                client.close()
    cache.flush_cache()


class _OneWorkerForTheProxies(LoadScopeScheduling):
    """A proxy takes seconds to start: the tests that share one run in one process, all others anywhere.

    Not by xdist's groups: pytest 9.2 no longer sees the names that xdist 3.8 gives to them.
    """

    def _split_scope(self, nodeid: str) -> str:
        return "proxy" if nodeid.startswith("tests/proxy/") else nodeid


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> _OneWorkerForTheProxies:
    return _OneWorkerForTheProxies(config, log)


def pytest_collection_finish() -> None:
    """Leave what the imports made, LiteLLM's above all, to no collection: walking it takes 0.3 s."""
    gc.freeze()
