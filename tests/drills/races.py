"""Races: many processes and threads want a token at once."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from drills.frame import Result, drill

from litellm_qwen_ai.oauth import FileStore
from litellm_qwen_ai.sandbox import Sandbox

GROUP = "Races"
BAR = 1.0  # seconds beyond the server's own time
RACER = Path(__file__).with_name("racer.py")
SLOW = 5.0  # seconds
ROUNDS = 5


@dataclass(frozen=True)
class Field:
    """Who races: so many processes, each with so many threads, or tasks of one loop."""

    processes: int = 50
    callers: int = 20
    tasks: bool = False

    @property
    def calls(self) -> int:
        return self.processes * self.callers


THREADS = Field()
TASKS = Field(callers=200, tasks=True)


@dataclass
class Timed:
    """A sandbox that adds up the time of its own that its refreshes took."""

    sandbox: Sandbox
    seconds: float = 0.0
    _begun: dict[int, float] = field(default_factory=dict)


@contextlib.contextmanager
def timed_sandbox(**settings: Any) -> Iterator[Timed]:
    def note(request: Any) -> None:
        if request.endpoint == "refresh":
            timed.seconds += time.time() - request.at

    timed = Timed(Sandbox(on_answer=note, **settings))
    with timed.sandbox:
        yield timed


def race(
    who: Field, folder: Path, url: str, rejected: str | None = None, racer: Path = RACER
) -> dict[str, Any]:
    """Let them all go at once; when they began, and each one's token (or error) and the moment it came."""
    job = {
        "folder": str(folder),
        "url": url,
        "processes": who.processes,
        "callers": who.callers,
        "tasks": who.tasks,
        "rejected": rejected,
    }
    command = [sys.executable, str(racer), json.dumps(job)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    said: dict[str, Any] = json.loads(done.stdout)
    return said


def judged(who: Field, timed: Timed, said: dict[str, Any], store: FileStore) -> Result:
    """Every call must have got the one new token, which is the one on disk and which the server takes."""
    stored = store.look()
    new = stored.credentials.access_token if stored else ""
    counts = timed.sandbox.counts
    failures = sum(token != new for token, _ in said["served"]) + (who.calls - len(said["served"]))
    sound = stored is not None and timed.sandbox.accepts(new)
    sound = sound and timed.sandbox.accepts_refresh(stored.credentials.refresh_token or "")
    if not sound or counts.refreshes != 1:
        failures += 1
    worst = max(at for _, at in said["served"]) - said["begun"]
    note = f"{_times(counts.refreshes, 'refresh')}, {_times(counts.refresh_requests, 'request')}"
    return Result(who.calls, failures, max(0.0, worst - timed.seconds), note)


def on_an_expired_token(who: Field, folder: Path, *, stumbles: int = 0, **settings: Any) -> Result:
    """The token on disk has expired; the server may answer 500 some times first."""
    with timed_sandbox(**settings) as timed:
        timed.sandbox.write_credentials(folder, lifetime=-5)
        if stumbles:
            timed.sandbox.answer_next("refresh", "server_error", times=stumbles)
        said = race(who, folder, timed.sandbox.url)
        return judged(who, timed, said, FileStore(folder))


def on_a_rejected_token(who: Field, folder: Path) -> Result:
    """The token on disk looks alive, and the chat server has just answered 401 to everybody who used it."""
    with timed_sandbox() as timed:
        path = timed.sandbox.write_credentials(folder)
        timed.sandbox.expire_access_tokens()
        old = json.loads(path.read_text())["access_token"]
        said = race(who, folder, timed.sandbox.url, rejected=old)
        return judged(who, timed, said, FileStore(folder))


def on_a_slow_server(who: Field, folder: Path, seconds: float) -> Result:
    """The server holds the refresh for some seconds."""
    with timed_sandbox() as timed:
        timed.sandbox.write_credentials(folder, lifetime=-5)
        timed.sandbox.hold("refresh")

        def let_go() -> None:
            timed.sandbox.wait_for_held("refresh", timeout=60)
            timer = threading.Timer(seconds, timed.sandbox.release, ["refresh"])
            timer.start()
            timer.join()

        helper = threading.Thread(target=let_go)
        helper.start()
        said = race(who, folder, timed.sandbox.url)
        helper.join()
        return judged(who, timed, said, FileStore(folder))


def again(folder: Path, once: Callable[[Path], Result]) -> Result:
    """The same race some times, each in a folder of its own."""
    rounds = [once(folder / str(number)) for number in range(ROUNDS)]
    note = f"{ROUNDS} races, each: {rounds[0].note}"
    worst = max(one.worst or 0.0 for one in rounds)
    return Result(sum(one.tries for one in rounds), sum(one.failures for one in rounds), worst, note)


@drill(GROUP, "50 processes x 20 threads, expired token", bar=BAR)
def expired_threads(folder: Path) -> Result:
    return again(folder, partial(on_an_expired_token, THREADS))


@drill(GROUP, "50 processes x 200 tasks, expired token", bar=BAR)
def expired_tasks(folder: Path) -> Result:
    return again(folder, partial(on_an_expired_token, TASKS))


@drill(GROUP, "50 x 20 threads, looks valid, server answers 401", bar=BAR)
def rejected_threads(folder: Path) -> Result:
    return again(folder, partial(on_a_rejected_token, THREADS))


@drill(GROUP, "50 x 200 tasks, looks valid, server answers 401", bar=BAR)
def rejected_tasks(folder: Path) -> Result:
    return again(folder, partial(on_a_rejected_token, TASKS))


@drill(GROUP, "50 x 20 threads, server takes 5 s", bar=BAR)
def slow_threads(folder: Path) -> Result:
    return on_a_slow_server(THREADS, folder, SLOW)


@drill(GROUP, "50 x 20 threads, server answers 500 twice", bar=BAR)
def stumbling_threads(folder: Path) -> Result:
    return again(folder, partial(on_an_expired_token, THREADS, stumbles=2))


@drill(GROUP, "50 x 20 threads, reuse of a refresh token kills the login", bar=BAR)
def reuse_threads(folder: Path) -> Result:
    return again(folder, partial(on_an_expired_token, THREADS, reuse_detection=True))


def _times(count: int, noun: str) -> str:
    ending = {"refresh": "es"}.get(noun, "s")
    return f"{count} {noun}{'' if count == 1 else ending}"
