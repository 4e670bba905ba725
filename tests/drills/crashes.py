"""Crashes: processes killed at any moment of a refresh."""

from __future__ import annotations

import contextlib
import http.client
import os
import random
import signal
import stat
import subprocess
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from drills.frame import Result, drill
from drills.victim import CAUGHT, COUNT, FIRST_SAMPLE, RECEIVED, SENT, marks

from litellm_qwen_ai.oauth import FileStore
from litellm_qwen_ai.oauth.errors import StoreError
from litellm_qwen_ai.sandbox import Sandbox

GROUP = "Crashes"
VICTIM = Path(__file__).with_name("victim.py")
LIVES = 3  # refreshes that a process lives to see at most
MEASURED = 5  # processes that are left alone first
# What a kill may leave. The last is the window that cannot be nothing; `window` holds it to its bar.
GOOD = {"kept", "recovered", "lost on its way", "lost at its arrival"}
WINDOW = 0.001  # seconds between the answer's last byte and its being on disk


def lifetime(running: Victims) -> float:
    """The seconds that a process takes for its refreshes here and now, once the program has started."""
    running.start(1)
    running.wait()
    begun = time.monotonic()
    for _ in range(MEASURED):
        running.start(1 + LIVES)  # the first call finds a token that is good
        running.wait()
    return (time.monotonic() - begun) / MEASURED


@dataclass
class Toll:
    """What came of the kills."""

    found: Counter[str] = field(default_factory=Counter)
    waits: list[float] = field(default_factory=list)


class Victims:
    """Forks processes that refresh, and kills them."""

    def __init__(self, folder: Path, url: str, memory: Path, program: Path = VICTIM) -> None:
        command = [sys.executable, str(program), str(folder), url, str(memory)]
        self._program = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def start(self, rounds: int = -1) -> int:
        assert self._program.stdin is not None
        assert self._program.stdout is not None
        self._program.stdin.write(f"{rounds}\n")
        self._program.stdin.flush()
        return int(self._program.stdout.readline())

    def wait(self) -> None:
        assert self._program.stdout is not None
        assert self._program.stdout.readline() == "gone\n"

    def close(self) -> None:
        assert self._program.stdin is not None
        assert self._program.stdout is not None
        self._program.stdin.close()
        self._program.stdout.close()
        self._program.wait(30)


def kills(folder: Path, rounds: int, seed: int) -> tuple[Toll, list[float]]:
    """Kill `rounds` processes, each at a random moment, and look at what each leaves behind."""
    moments = random.Random(seed)  # noqa: S311  # no secret
    login, memory, toll = folder / "login", folder / "memory", Toll()
    store, shared = FileStore(login), marks(memory)
    with (
        Sandbox(keep_requests=10) as sandbox,
        contextlib.closing(Victims(login, sandbox.url, memory)) as running,
    ):
        sandbox.write_credentials(login)
        longest = lifetime(running)
        for _ in range(rounds):
            shared[SENT] = shared[RECEIVED] = shared[CAUGHT] = 0.0
            child = running.start()
            threading.Event().wait(moments.uniform(0, longest))
            os.kill(child, signal.SIGKILL)
            running.wait()
            settle(sandbox)
            toll.found[after(store, sandbox, shared, toll.waits)] += 1
            if not usable(store, sandbox):
                sandbox.write_credentials(login)
        return toll, samples(shared)


def settle(sandbox: Sandbox) -> None:
    """Let the server take in what the killed process had sent: it may spend the token a moment later.

    Connections are accepted in their order, and their bytes read in the turn after that: hence twice.
    """
    for _ in range(2):
        connection = http.client.HTTPConnection(sandbox.url.removeprefix("http://"), timeout=10)
        with contextlib.closing(connection):
            connection.request("GET", "/sandbox/answers")
            assert connection.getresponse().read()


def after(store: FileStore, sandbox: Sandbox, shared: memoryview, waits: list[float]) -> str:
    """What the kill left, in a word; `waits` gets how long the next caller waits for the lock."""
    if {stat.S_IMODE(path.stat().st_mode) for path in store.path.parent.iterdir()} != {0o600}:
        return "wrong mode"
    before = store.path.read_bytes()
    begun = time.monotonic()
    try:
        store.ping(0)
        waits.append(time.monotonic() - begun)
        stored = store.look()
    except StoreError:
        return "torn"  # or empty, or locked still
    if stored is not None and sandbox.accepts_refresh(stored.credentials.refresh_token or ""):
        return "kept" if store.path.read_bytes() == before else "recovered"
    return lost(shared)


def lost(shared: memoryview) -> str:
    """Where the new token was when its process was killed."""
    if shared[RECEIVED] < shared[SENT]:
        return "lost on its way"  # the server had changed the token, and this process had not got it yet
    if shared[CAUGHT] < shared[RECEIVED]:
        return "lost at its arrival"
    return "lost"


def usable(store: FileStore, sandbox: Sandbox) -> bool:
    with contextlib.suppress(StoreError):
        stored = store.look()
        return stored is not None and sandbox.accepts_refresh(stored.credentials.refresh_token or "")
    return False


def samples(shared: memoryview) -> list[float]:
    """The seconds from each answer's last byte to its being on disk, in order of size."""
    return sorted(shared[FIRST_SAMPLE : FIRST_SAMPLE + int(shared[COUNT])])


def windows(folder: Path, refreshes: int) -> list[float]:
    """The same of a process that is left alone."""
    login, memory = folder / "login", folder / "memory"
    with (
        Sandbox(keep_requests=10) as sandbox,
        contextlib.closing(Victims(login, sandbox.url, memory)) as running,
    ):
        sandbox.write_credentials(login)
        running.start(refreshes)
        running.wait()
        assert sandbox.counts.refreshes == refreshes - 1  # the first call finds a token that is good
    return samples(marks(memory))


def share(times: list[float], part: float) -> float:
    return times[min(len(times) - 1, int(len(times) * part))]


def in_words(times: list[float]) -> str:
    p50, p99, worst = (1e6 * share(times, part) for part in (0.5, 0.99, 1.0))
    return f"p50 {p50:.0f} µs, p99 {p99:.0f} µs, most {worst:.0f} µs"


@drill(GROUP, "SIGKILL at any moment of a refresh; time: the next caller's wait for the lock", bar=0.1)
def killed(folder: Path) -> Result:
    toll, times = kills(folder, 500, seed=4)
    bad = sum(count for what, count in toll.found.items() if what not in GOOD)
    note = ", ".join(f"{count} {what}" for what, count in sorted(toll.found.items()))
    return Result(500, bad, max(toll.waits), f"{note}; {len(times)} refreshes")


@drill(GROUP, "from the answer's last byte in the process to the disk; time: p99", bar=WINDOW)
def window(folder: Path) -> Result:
    times = windows(folder, 501)
    return Result(len(times), 0, share(times, 0.99), in_words(times))
