"""Logins and logouts that cross a refresh, or each other; the commands are the real ones."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from drills.frame import Result, drill
from drills.races import Field, race

from litellm_qwen_ai.oauth import FileStore
from litellm_qwen_ai.oauth.credentials import Credentials
from litellm_qwen_ai.sandbox import Sandbox
from litellm_qwen_ai.sandbox.answers import Answer

GROUP = "Logins and logouts"
SESSIONS = Field(processes=5, callers=20)
MARK = "of the refresh"  # as its scope, so that it is told from the login's
A_MOMENT = 1.0  # seconds, in which a command comes as far as the lock
_DEADLINE = 60.0  # seconds


def command(sandbox: Sandbox, folder: Path, *words: str) -> subprocess.Popen[bytes]:
    """Start `litellm-qwen-ai`."""
    environment = {**os.environ, **sandbox.environment(folder)}
    return subprocess.Popen(
        [str(Path(sys.executable).with_name("litellm-qwen-ai")), *words],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def log_in(sandbox: Sandbox, folder: Path) -> subprocess.Popen[bytes]:
    return command(sandbox, folder, "login", "--force", "--no-browser")


def left(folder: Path) -> set[str]:
    """What lies in the folder beside the file and its locks: there should be nothing."""
    name = FileStore(folder).path.name
    return {path.name for path in folder.iterdir() if path.suffix != ".lock"} - {name}


def on_disk(sandbox: Sandbox, folder: Path) -> Credentials | None:
    """The login on disk, if the server takes both of its tokens."""
    stored = FileStore(folder).look()
    if stored is None:
        return None
    login = stored.credentials
    taken = sandbox.accepts(login.access_token) and sandbox.accepts_refresh(login.refresh_token or "")
    return login if taken else None


def logins_at_once(folder: Path, count: int) -> Result:
    """Those that start while another one waits show its code, and end with it; the last login stays whole."""
    with Sandbox(auto_approve=True, interval=0.1) as sandbox:
        folder.mkdir(exist_ok=True)
        commands = [log_in(sandbox, folder) for _ in range(count)]
        failures = sum(one.wait(_DEADLINE) != 0 for one in commands)
        failures += on_disk(sandbox, folder) is None or bool(left(folder))
        return Result(count, failures, note=f"{sandbox.counts.logins} approvals, the last login is on disk")


def login_during_a_refresh(folder: Path, who: Field) -> Result:
    """The login is at its poll when the refresh starts, and is approved before that is answered."""
    with Sandbox(auto_approve=True, interval=0.1) as sandbox, ThreadPoolExecutor(1) as pool:
        sandbox.write_credentials(folder, lifetime=-5)
        sandbox.hold("token")
        login = log_in(sandbox, folder)
        sandbox.wait_for_held("token", timeout=_DEADLINE)
        sandbox.answer_next("refresh", Answer(patch={"scope": MARK}))
        sandbox.hold("refresh", at="answer")
        running = pool.submit(race, who, folder, sandbox.url)
        sandbox.wait_for_held("refresh", at="answer", timeout=_DEADLINE)
        sandbox.release("token")
        sandbox.release("refresh", at="answer")
        served = [token for token, _ in running.result()["served"]]
        failures = sum(not sandbox.accepts(token) for token in served)
        failures += login.wait(_DEADLINE) != 0
        kept = on_disk(sandbox, folder)
        failures += kept is None or bool(left(folder))
        failures += kept is not None and kept.scope == MARK
        failures += (sandbox.counts.logins, sandbox.counts.refreshes) != (1, 1)
        return Result(who.calls + 1, failures, note="1 refresh, 1 login, which stays")


def logout_during_a_refresh(folder: Path, who: Field, head_start: float) -> Result:
    """The refresh is under way when the logout is asked for: nothing may bring the login back."""
    with Sandbox() as sandbox, ThreadPoolExecutor(1) as pool:
        sandbox.write_credentials(folder, lifetime=-5)
        sandbox.hold("refresh", at="answer")
        running = pool.submit(race, who, folder, sandbox.url)
        sandbox.wait_for_held("refresh", at="answer", timeout=_DEADLINE)
        logout = command(sandbox, folder, "logout", "--yes")
        threading.Event().wait(head_start)
        sandbox.release("refresh", at="answer")
        served = [token for token, _ in running.result()["served"]]
        failures = sum(not sandbox.accepts(one) and not one.startswith("NotLoggedIn") for one in served)
        failures += logout.wait(_DEADLINE) != 0
        failures += FileStore(folder).path.exists() or bool(left(folder))
        failures += sandbox.counts.refreshes != 1
        return Result(who.calls + 1, failures, note="1 refresh; no token is left on disk")


@drill(GROUP, "10 logins at once")
def two_logins(folder: Path) -> Result:
    return logins_at_once(folder, 10)


@drill(GROUP, "login during a refresh, 5 x 20 threads wait")
def login_meanwhile(folder: Path) -> Result:
    return login_during_a_refresh(folder, SESSIONS)


@drill(GROUP, "logout during a refresh, 5 x 20 threads wait")
def logout_meanwhile(folder: Path) -> Result:
    return logout_during_a_refresh(folder, SESSIONS, A_MOMENT)
