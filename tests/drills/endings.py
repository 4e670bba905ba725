"""Endings: a program is told to end while its refresh is under way."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from drills.frame import Result, drill

from litellm_qwen_ai.oauth import FileStore
from litellm_qwen_ai.sandbox import Sandbox

GROUP = "Endings"
PROGRAM = Path(__file__).with_name("ender.py")
TRIES = 5
AT_ONCE = 2  # most of a try is the start of the program
BAR = 5.0  # seconds from the server's answer to the program's end
_DEADLINE = 60.0  # seconds


@dataclass(frozen=True)
class Way:
    """A way to end.

    Attributes:
        function: The function of `ender.py` that waits.
        sent: The signal; None for a line on its input.
        code: How the program ends, as `subprocess` says it.
    """

    function: str
    sent: signal.Signals | None
    code: int


WAYS = {
    "SIGTERM during a call": Way("in_a_call", signal.SIGTERM, -signal.SIGTERM),
    "SIGTERM during an async call": Way("in_a_task", signal.SIGTERM, -signal.SIGTERM),
    "SIGTERM, two tasks, the first was cancelled": Way("in_two_tasks", signal.SIGTERM, -signal.SIGTERM),
    "SIGTERM to a server with a handler": Way("in_a_thread", signal.SIGTERM, 0),
    "Ctrl-C during a call": Way("in_a_call", signal.SIGINT, -signal.SIGINT),
    "Ctrl-C during an async call": Way("in_a_task", signal.SIGINT, -signal.SIGINT),
    "a cancelled task, then the end": Way("cancelled", None, 0),
}
if hasattr(signal, "SIGHUP"):
    WAYS["SIGHUP during a call"] = Way("in_a_call", signal.SIGHUP, -signal.SIGHUP)


def ended(folder: Path, way: Way) -> tuple[bool, float]:
    """End a program when the server has changed the token and not yet answered.

    Returns:
        Whether the new token is on disk and the program ended as it should, and the seconds that took.
    """
    with Sandbox() as sandbox:
        old = sandbox.write_credentials(folder, lifetime=-5).read_bytes()
        sandbox.hold("refresh", at="answer")
        program = subprocess.Popen(
            [sys.executable, str(PROGRAM), way.function, str(folder), sandbox.url],
            stdin=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        with program:
            sandbox.wait_for_held("refresh", at="answer", timeout=_DEADLINE)
            if way.sent is None:
                _tell(program)
            else:
                program.send_signal(way.sent)
            begun = time.monotonic()
            sandbox.release("refresh", at="answer")
            code = program.wait(_DEADLINE)
            took = time.monotonic() - begun
        store = FileStore(folder)
        stored = store.look()
        kept = (
            stored is not None
            and store.path.read_bytes() != old
            and sandbox.accepts_refresh(stored.credentials.refresh_token or "")
        )
        return kept and code == way.code, took


def _tell(program: subprocess.Popen[bytes]) -> None:
    assert program.stdin is not None
    program.stdin.write(b"\n")
    program.stdin.flush()


def _register(name: str, way: Way) -> None:
    @drill(GROUP, f"{name}; time: from the answer to the program's end", bar=BAR)
    def run(folder: Path) -> Result:
        with ThreadPoolExecutor(AT_ONCE) as pool:
            outcomes = list(pool.map(lambda number: ended(folder / str(number), way), range(TRIES)))
        kept = sum(sound for sound, _ in outcomes)
        return Result(TRIES, TRIES - kept, max(took for _, took in outcomes), f"{kept} new tokens kept")


for _name, _way in WAYS.items():
    _register(_name, _way)
