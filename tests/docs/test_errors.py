"""Each text of the error table comes out of a real call, with the exception named beside it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import litellm
import pytest

import litellm_qwen_ai
from litellm_qwen_ai.sandbox import Sandbox
from tests.docs.pages import error_table

TABLE: list[tuple[str, str]] = [(text, kind) for text, kind, _ in error_table().CALLS]


class Bench:
    """A sandbox, its token folder and the environment."""

    def __init__(self, sandbox: Sandbox, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.sandbox, self.folder, self.monkeypatch = sandbox, folder, monkeypatch

    def ask(self, **more: Any) -> Any:
        call = {"model": "qwen_ai/coder-model", "messages": [{"role": "user", "content": "ping"}]}
        return litellm.completion(**{**call, "max_retries": 0, **more})

    def refused(self, name: str, **more: Any) -> None:
        self.sandbox.write_credentials(self.folder)
        self.sandbox.answer_next("chat", name, times=3)
        for _ in self.ask(**more) if more.get("stream") else [self.ask(**more)]:
            pass

    def no_login(self) -> None:
        self.ask()

    def dead_login(self) -> None:
        self.sandbox.write_credentials(self.folder, lifetime=-60)
        self.sandbox.revoke()
        self.ask()

    def no_renewal(self) -> None:
        self.sandbox.write_credentials(self.folder, lifetime=-60)
        self.sandbox.answer_next("refresh", "html_503", times=9)
        self.ask()

    def damaged(self) -> None:
        self.sandbox.write_credentials(self.folder).write_text("{")
        self.ask()

    def writable(self) -> None:
        self.sandbox.write_credentials(self.folder).chmod(0o622)
        self.ask()

    def path(self) -> None:
        self.monkeypatch.setenv("QWEN_AUTH_FILE", "a/b.json")
        self.ask()

    def unreachable(self) -> None:
        self.ask(api_key="sk-any", api_base="http://127.0.0.1:9/v1")

    def wrong_key(self) -> None:
        litellm_qwen_ai.login(key="sk-unknown", api_base=self.sandbox.api_base, check=False)
        self.ask()

    def embedding(self) -> None:
        litellm.embedding("qwen_ai/text-embedding-v4", input=["x"])

    def unknown(self) -> None:
        self.ask(model="qwen_ai_not_imported/coder-model")

    def dropped(self) -> None:
        # As a proxy makes its Router, without `litellm_qwen_ai.proxy:startup`.
        deployment = {"model_name": "m", "litellm_params": {"model": "qwen_ai_not_imported/coder-model"}}
        router = litellm.Router(model_list=[deployment], ignore_invalid_deployments=True)
        router.completion(model="m", messages=[{"role": "user", "content": "ping"}])


CAUSES: dict[str, Callable[[Bench], None]] = {
    "Not logged in to Qwen": Bench.no_login,
    "to log in again; the old one is kept": Bench.dead_login,
    "invalid access token or token expired": lambda bench: bench.refused("token_expired"),
    "The Qwen access token could not be renewed": Bench.no_renewal,
    "not a credentials file": Bench.damaged,
    "can be written by other users": Bench.writable,
    "it holds a path separator": Bench.path,
    "Free allocated quota exceeded": lambda bench: bench.refused("quota_spent"),
    "Requests throttling triggered": lambda bench: bench.refused("throttled"),
    "Range of input length should be": lambda bench: bench.refused("too_long"),
    "Content inspection refused it": lambda bench: bench.refused("inspection_failed"),
    "your account is in good standing": lambda bench: bench.refused("overdue"),
    "only available for Coding Agents": lambda bench: bench.refused("agents_only"),
    "qwen_ai/ offers chat only": Bench.embedding,
    "The connection was closed before the answer was complete": lambda bench: bench.refused(
        "stream_ends_early", stream=True
    ),
    "Cannot reach Qwen or lost the connection": Bench.unreachable,
    "The key of the default account was refused by": Bench.wrong_key,
    "LLM Provider NOT provided": Bench.unknown,
    "There are no healthy deployments for this model": Bench.dropped,
}


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    with Sandbox(interval=0) as sandbox:
        for name, value in sandbox.environment(tmp_path / "tokens").items():
            monkeypatch.setenv(name, value)
        yield Bench(sandbox, tmp_path / "tokens", monkeypatch)


def test_each_row_has_its_cause_here() -> None:
    assert [text for text, _ in TABLE] == list(CAUSES)


@pytest.mark.parametrize(("text", "kind"), TABLE, ids=[text for text, _ in TABLE])
def test_the_text_and_the_exception_are_those_of_the_table(text: str, kind: str, bench: Bench) -> None:
    with pytest.raises(litellm.exceptions.openai.APIError, match=re.escape(text)) as failure:
        CAUSES[text](bench)
    # LiteLLM wraps what comes in the middle of a stream, as the page says below the table.
    error = getattr(failure.value, "original_exception", failure.value)
    assert type(error).__name__ == (kind if hasattr(litellm.exceptions, kind) else "BadRequestError")
