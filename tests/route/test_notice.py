"""What a proxy's log is told at its start."""

from __future__ import annotations

import errno
import logging
import multiprocessing
import os
import re
import socket
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from litellm_qwen_ai.route import notice
from litellm_qwen_ai.sandbox import Sandbox
from tests.valkey import KEY

COMMAND = "litellm-qwen-ai login"
say = notice.say_if_not_logged_in.__wrapped__  # without the memory of what was said


@pytest.fixture(autouse=True)
def _marks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> Iterator[None]:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    caplog.set_level(logging.WARNING, "litellm_qwen_ai")
    yield
    for mark in tmp_path.glob("litellm-qwen-ai-*"):
        notice.atexit.unregister(mark.unlink)


def test_without_a_login_it_names_the_command_and_the_file(
    caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    say()
    (record,) = caplog.records
    assert COMMAND in record.getMessage()
    assert str(tmp_path / "tokens" / "oauth_creds.json") in record.getMessage()


def test_the_second_process_of_the_same_proxy_is_silent(caplog: pytest.LogCaptureFixture) -> None:
    say()
    say()  # the same key, as a worker has it
    assert len(caplog.records) == 1
    (mark,) = Path(tempfile.gettempdir()).glob("litellm-qwen-ai-*")
    assert re.fullmatch(r"litellm-qwen-ai-[0-9a-f]{32}", mark.name)
    assert (mark.stat().st_mode & 0o777, mark.stat().st_size) == (0o600, 0)


def test_another_proxy_says_it_again(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    say()
    monkeypatch.setitem(multiprocessing.current_process()._config, "authkey", b"another")
    say()
    assert len(caplog.records) == 2


def test_with_nowhere_to_leave_a_mark_each_says_it(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    say()
    say()
    assert len(caplog.records) == 2


@pytest.mark.parametrize("file_name", ["oauth_creds.json", "alice.json"])
def test_with_a_login_of_any_account_it_is_silent(
    caplog: pytest.LogCaptureFixture, tmp_path: Path, file_name: str
) -> None:
    with Sandbox() as sandbox:
        sandbox.write_credentials(tmp_path / "tokens", file_name)
    say()
    assert caplog.records == []


def test_a_login_that_could_not_be_renewed_is_told_at_the_start(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with Sandbox() as sandbox:
        sandbox.write_credentials(tmp_path / "tokens")

    def flock(_fd: int, _how: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr("fcntl.flock", flock)
    say()
    (record,) = caplog.records
    assert "cannot be locked" in record.getMessage()


def test_with_a_key_it_is_silent(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QWEN_API_KEY", "sk-made-up")
    say()
    assert caplog.records == []


def test_a_file_that_cannot_be_used_is_said_too(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    folder = tmp_path / "tokens"
    folder.mkdir()
    (folder / "oauth_creds.json").write_text("{")
    say()
    assert "oauth_creds.json" in caplog.text
    assert "Not logged in" not in caplog.text


def test_a_store_that_does_not_answer_is_told_without_holding_the_proxy(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as deaf:  # takes connections and never says a word
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()
        monkeypatch.setenv("QWEN_STORE", f"redis://127.0.0.1:{deaf.getsockname()[1]}")
        monkeypatch.setenv("QWEN_STORE_KEY", KEY)
        say()
        asking = [one for one in threading.enumerate() if one.name == "qwen-store-notice"]
        assert caplog.records == []  # whoever waits for the answer is that thread
        deaf.close()  # the store is gone for good: the thread need not wait any longer
        for thread in asking:
            thread.join(30)
    assert len(asking) == 1
    (record,) = caplog.records
    assert "cannot be used just now" in record.getMessage()
