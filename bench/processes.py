"""The lanes' processes, from the parent's side."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import tempfile
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from bench import lanes as definitions
from bench.upstream import cores, pin

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path


class Worker:
    """One lane's process.

    Args:
        lane: Its name.
        base_url: The upstream.
        folder: Where the made-up logins are.
        pinned: Whether it is kept off the upstream's core.
        environment: More variables for it.
    """

    def __init__(
        self,
        lane: str,
        base_url: str,
        folder: Path,
        *,
        pinned: bool = True,
        environment: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.lane = lane
        self._log = tempfile.TemporaryFile("w+", dir=folder)  # noqa: SIM115  # closed in close
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.worker", lane, base_url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            env={**definitions.environment(folder), **environment},
        )
        low, high = cores()
        pin(self._process.pid, high if pinned else low | high)

    def tell(self, what: str, **arguments: Any) -> None:
        """Give a command; `answer` waits for what comes of it."""
        if self._process.stdin is not None:
            self._process.stdin.write(json.dumps({"what": what, **arguments}) + "\n")
            self._process.stdin.flush()

    def answer(self) -> dict[str, float]:
        """The figures of the last command.

        Raises:
            RuntimeError: It failed; the text is the process's traceback or log.
        """
        line = self._process.stdout.readline() if self._process.stdout is not None else ""
        if not line:
            self._log.seek(0)
            raise RuntimeError(f"the lane {self.lane} ended:\n{self._log.read()[-4000:]}")
        figures: dict[str, Any] = json.loads(line)
        if "error" in figures:
            raise RuntimeError(f"the lane {self.lane} failed:\n{figures['error']}")
        return figures

    def ask(self, what: str, **arguments: Any) -> dict[str, float]:
        """Give a command and wait."""
        self.tell(what, **arguments)
        return self.answer()

    def close(self) -> None:
        """End the process."""
        self._process.terminate()
        self._process.communicate()
        self._log.close()


@contextlib.contextmanager
def workers(lanes: Sequence[str], base_url: str, folder: Path) -> Iterator[dict[str, Worker]]:
    """Start the processes of some lanes, warm; end them afterwards.

    Args:
        lanes: Their names.
        base_url: The upstream.
        folder: Where the made-up logins are.
    """
    with contextlib.ExitStack() as stack:
        started = {
            lane: stack.enter_context(contextlib.closing(Worker(lane, base_url, folder))) for lane in lanes
        }
        for worker in started.values():
            worker.tell("_warm_up")
        for worker in started.values():
            worker.answer()
        yield started
