"""What LiteLLM's own lock in Redis, `PodLockManager`, does where a fleet's holder is stopped.

It is made for jobs, not for logins; here each process takes it, renews, and gives it back. Its life is
shortened as the limits of ours are: 2 s stand for its 60.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from drills.fleet import GROUP, eventually
from drills.frame import Result, drill

from litellm_qwen_ai.sandbox import Sandbox
from tests.valkey import Valkey

PEER = "LiteLLM `PodLockManager`"
PROGRAM = Path(__file__).with_name("pod_lock_side.py")
LIVES = 2  # seconds
TOKEN = "refresh-token"


@contextlib.contextmanager
def holder(port: int, url: str) -> Iterator[subprocess.Popen[str]]:
    """A process that says when it has the lock, waits for a line, and renews."""
    command = [sys.executable, str(PROGRAM), str(port), url, TOKEN, str(LIVES)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def said(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def go_on(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


@drill(GROUP, "the holder is stopped for longer than its lock lives, then goes on", peer=PEER)
def stopped(folder: Path) -> Result:
    with contextlib.ExitStack() as ends:
        valkey = Valkey(folder / "valkey")
        ends.callback(valkey.stop)
        sandbox = ends.enter_context(Sandbox(reuse_detection=True))
        valkey.client.set(TOKEN, sandbox.issue_tokens()["refresh_token"])
        first, second = (ends.enter_context(holder(valkey.port, sandbox.oauth_base_url)) for _ in range(2))
        assert said(first) == said(second) == "ready"
        go_on(first)
        assert said(first) == "held"
        os.kill(first.pid, signal.SIGSTOP)
        go_on(second)
        time.sleep(LIVES)
        at_once = 1 + (said(second) == "held")  # the first has not given it back
        go_on(second)
        outcomes = [said(second)]
        os.kill(first.pid, signal.SIGCONT)
        go_on(first)
        outcomes.append(said(first))
        stored = valkey.client.get(TOKEN)
        assert isinstance(stored, bytes)
        alive = eventually(lambda: sandbox.accepts_refresh(stored.decode()), 1.0)
        sends = sandbox.counts.refresh_requests
        failed = sum(outcome != "200" for outcome in outcomes)
        note = f"{at_once} hold it at once, {sends} sends, the login is {'alive' if alive else 'lost'}"
        return Result(2, failed, note=note)
