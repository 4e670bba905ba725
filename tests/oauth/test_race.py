from __future__ import annotations

import json
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from litellm_qwen_ai.oauth.credentials import Credentials

if TYPE_CHECKING:
    from litellm_qwen_ai.oauth.store import FileStore

PROCESSES, THREADS = 8, 8


def race(store: FileStore, url: str, rejected: str) -> list[str]:
    """Start all processes, then let them go at once; every token (or error) that a thread got."""
    command = [sys.executable, str(Path(__file__).with_name("racer.py"))]
    runners = [
        subprocess.Popen(
            [*command, str(store.path.parent), url, str(THREADS), rejected],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(PROCESSES)
    ]
    for runner in runners:
        assert runner.stdout is not None
        assert runner.stdout.readline() == "ready\n"
    for runner in runners:
        assert runner.stdin is not None
        runner.stdin.write("go\n")
        runner.stdin.flush()
    return [token for runner in runners for token in json.loads(runner.communicate(timeout=60)[0])]


@pytest.mark.parametrize("case", ["expired", "rejected by the chat server", "a server that stumbles twice"])
def test_processes_that_start_at_once_make_one_refresh(server: Any, store: FileStore, case: str) -> None:
    tokens = server.tokens()
    left = 3600 if case.startswith("rejected") else -5
    login = Credentials(
        access_token=tokens["access_token"],
        refresh_token=tokens["refresh_token"],
        expiry_date=int((time.time() + left) * 1000),
    )
    with store.lock(5):
        store.save(login)
    if case.endswith("twice"):
        server.answer_next(500)
        server.answer_next(503, b"<html>")
    rejected = login.access_token if case.startswith("rejected") else ""
    served = race(store, server.url, rejected)
    assert (len(served), len(set(served))) == (PROCESSES * THREADS, 1), set(served)
    assert served[0] != login.access_token
    assert (server.refreshes, server.reused) == (1, 0)
    stored = store.load()
    assert stored is not None
    assert stored.credentials.access_token == served[0]
    assert stat.S_IMODE(store.path.stat().st_mode) == 0o600
