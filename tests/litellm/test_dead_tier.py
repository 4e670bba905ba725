"""The closed free tier: each of its answers is said once, with what works instead, and the login is kept."""

from __future__ import annotations

import io
import sys
import time
from pathlib import Path
from typing import Any

import litellm
import pytest

from litellm_qwen_ai.oauth import FileStore, device_login
from litellm_qwen_ai.oauth.clocks import Clocks
from litellm_qwen_ai.sandbox import Answer, Sandbox

TOLD = ("2026-04-15", "dashscope/", "qwencloud/", "QWEN_API_KEY")
CALL: dict[str, Any] = {
    "model": "qwen_ai/coder-model",
    "messages": [{"role": "user", "content": "ping"}],
    "num_retries": 0,
}


@pytest.fixture
def tier(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    with Sandbox(interval=0, auto_approve=True) as sandbox:
        for name, value in sandbox.environment(tmp_path / "tokens").items():
            monkeypatch.setenv(name, value)
        yield sandbox


@pytest.fixture
def store(tier: Sandbox, tmp_path: Path) -> FileStore:
    return FileStore(tier.write_credentials(tmp_path / "tokens").parent)


def is_there(store: FileStore) -> bool:
    return store.look() is not None


@pytest.mark.parametrize("stream", [False, True])
def test_401_straight_after_a_login(tier: Sandbox, store: FileStore, *, stream: bool) -> None:
    tier.answer_next("chat", "token_expired", times=9)
    with pytest.raises(litellm.AuthenticationError) as caught:
        litellm.completion(**CALL, stream=stream)
    told = str(caught.value)
    assert not [part for part in TOLD if part not in told]
    assert "litellm-qwen-ai login" in told
    assert (tier.counts.chat_requests, tier.counts.refreshes) == (2, 1)
    assert is_there(store)


def test_429_with_the_quota_spent(tier: Sandbox, store: FileStore) -> None:
    tier.answer_next("chat", "quota_spent", times=9)
    with pytest.raises(litellm.RateLimitError) as caught:
        litellm.completion(**CALL)
    told = str(caught.value)
    assert not [part for part in TOLD if part not in told]
    assert "retrying now is useless" in told
    assert (tier.counts.chat_requests, tier.counts.refresh_requests) == (1, 0)
    assert is_there(store)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_504_while_the_login_is_polled(tier: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    passed = [0.0]

    def nap(seconds: float) -> None:
        passed[0] += seconds

    def quick(*args: Any, **more: Any) -> Any:
        clocks = Clocks(lambda: time.time() + passed[0], lambda: passed[0], nap)
        return device_login(*args, **more, clocks=clocks)

    screen = Terminal()
    monkeypatch.setattr("litellm_qwen_ai.verbs.device_login", quick)
    monkeypatch.setattr(sys, "stdin", Terminal())
    monkeypatch.setattr(sys, "stderr", screen)
    tier.answer_next("device", Answer("a short life", patch={"expires_in": 30, "interval": 7}))
    tier.answer_next("token", "html_504", times=9)
    with pytest.raises(litellm.AuthenticationError) as caught:
        litellm.completion(**CALL)
    told = str(caught.value)
    assert "Nobody approved the login in time" in told
    assert "HTTP 504" in told
    assert not [part for part in TOLD if part not in told]
    shown = " ".join(screen.getvalue().split())
    assert shown.count("Still waiting, but the server's last answers were of no help: HTTP 504") == 1
    assert tier.counts.device_codes == 1
    assert tier.counts.polls == 4
