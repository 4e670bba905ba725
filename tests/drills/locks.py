"""What LiteLLM's own locks in Redis do in the fleet's drills: the one for jobs, and the one for MCP logins.

Each process takes the lock, renews, and gives it back. Their lives are shortened as the limits of ours are:
2 s stand for the 60 of `PodLockManager` and the 10 of the other. No server of LiteLLM's is needed for them.
"""

from __future__ import annotations

import contextlib
import json
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from drills.fleet import GROUP, Process, nursery
from drills.frame import Result, drill
from drills.wire import Wire

from litellm_qwen_ai.sandbox import Sandbox
from tests.valkey import Valkey

PROGRAM = Path(__file__).with_name("locks_side.py")
LIVES = 2.0  # seconds
PEERS = {"pod": "LiteLLM `PodLockManager`", "mcp": "LiteLLM, its MCP logins' lock"}


@dataclass(frozen=True)
class Scene:
    """Two processes that want to renew one login."""

    first: Process
    second: Process
    sandbox: Sandbox
    file: Path
    wire: Wire

    def outcome(self, statuses: list[int | None], at_once: int) -> Result:
        sends = self.sandbox.counts.refresh_requests
        stored = json.loads(self.file.read_text())["refresh_token"]
        fate = "alive" if self.sandbox.accepts_refresh(stored) else "lost"
        failed = sum(status != 200 for status in statuses)
        note = f"{at_once} hold it at once, {sends} sends, the login is {fate}"
        return Result(2, failed, note=note)


@contextlib.contextmanager
def scene(folder: Path, way: str) -> Iterator[Scene]:
    with contextlib.ExitStack() as ends:
        valkey = Valkey(folder / "valkey")
        ends.callback(valkey.stop)
        sandbox = ends.enter_context(Sandbox(reuse_detection=True))
        wire = Wire(valkey.port)
        ends.callback(wire.close)
        file = folder / "login"
        file.write_text(
            json.dumps({"refresh_token": sandbox.issue_tokens()["refresh_token"], "expires_at": 0})
        )
        job = {
            "way": way,
            "port": wire.port,
            "lives": LIVES,
            "file": str(file),
            "oauth": sandbox.oauth_base_url,
        }
        processes = [Process(nursery(PROGRAM), job) for _ in range(2)]
        for process in processes:
            ends.callback(process.close)
        yield Scene(*processes, sandbox, file, wire)


def stopped(folder: Path, way: str) -> Result:
    """The holder is stopped before it sends; the other one renews; then it goes on."""
    with scene(folder, way) as made:
        made.first.tell()
        assert made.first.hear() == "held"
        made.first.signal(signal.SIGSTOP)
        made.second.tell()
        # When the lock's life, time on Redis's clock, is over: the first has not given it back.
        at_once = 1 + (made.second.hear() == "held")
        made.second.tell()
        statuses = [made.second.hear()]
        made.first.signal(signal.SIGCONT)
        made.first.tell()
        return made.outcome([*statuses, made.first.hear()], at_once)


def silent(folder: Path) -> Result:
    """Redis takes connections and never answers."""
    with scene(folder, "mcp") as made:
        made.wire.go_deaf()
        made.first.tell()
        made.second.tell()
        at_once = sum(process.hear() == "held" for process in (made.first, made.second))
        made.first.tell()
        statuses = [made.first.hear()]
        made.second.tell()
        return made.outcome([*statuses, made.second.hear()], at_once)


@drill(GROUP, "the holder is stopped for longer than its lock lives, then goes on", peer=PEERS["pod"])
def pod_lock(folder: Path) -> Result:
    return stopped(folder, "pod")


@drill(GROUP, "the holder is stopped for longer than its lock lives, then goes on", peer=PEERS["mcp"])
def mcp_lock(folder: Path) -> Result:
    return stopped(folder, "mcp")


@drill(GROUP, "the store takes connections and never answers", peer=PEERS["mcp"])
def mcp_lock_unanswered(folder: Path) -> Result:
    return silent(folder)
