from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from litellm_qwen_ai.oauth.flight import SingleFlight

if TYPE_CHECKING:
    from pathlib import Path


class Gate:
    """A function that runs until it is let go, and counts its runs."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.opened = threading.Event()
        self.runs = 0

    def __call__(self) -> int:
        self.runs += 1
        self.entered.set()
        assert self.opened.wait(60)
        return self.runs


def test_all_who_board_while_it_runs_share_one_run() -> None:
    gate = Gate()
    flight = SingleFlight(gate, "test")
    futures = [flight.board() for _ in range(50)]
    gate.opened.set()
    assert {future.result(10) for future in futures} == {1}


def test_who_comes_later_gets_a_new_run() -> None:
    gate = Gate()
    gate.opened.set()
    flight = SingleFlight(gate, "test")
    assert [flight.board().result(10), flight.board().result(10)] == [1, 2]


def test_an_error_reaches_everybody_and_ends_the_run() -> None:
    errors = iter([ValueError("first"), ValueError("second")])

    def fail() -> None:
        raise next(errors)

    flight = SingleFlight(fail, "test")
    with pytest.raises(ValueError, match="first"):
        flight.board().result(10)
    with pytest.raises(ValueError, match="second"):
        flight.board().result(10)


async def test_a_cancelled_waiter_does_not_end_the_run() -> None:
    gate = Gate()
    flight = SingleFlight(gate, "test")
    waiting = asyncio.ensure_future(asyncio.wrap_future(flight.board()))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    later = asyncio.wrap_future(flight.board())
    gate.opened.set()
    assert await later == 1


def test_when_no_thread_can_be_started_the_caller_runs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_thread: threading.Thread) -> None:
        raise RuntimeError("can't create new thread at interpreter shutdown")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    assert SingleFlight(threading.get_ident, "test").board().result(0) == threading.get_ident()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child_does_not_wait_for_the_parents_run() -> None:
    gate = Gate()
    flight = SingleFlight(gate, "test")
    flight.board()
    assert gate.entered.wait(60)
    child = os.fork()
    if child == 0:  # pragma: no cover  # another process
        signal.alarm(30)  # a child that hangs must not hang the test
        gate.opened.set()
        os._exit(0 if flight.board().result(10) == 2 else 1)
    gate.opened.set()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert flight.board().result(10) >= 1


def test_the_interpreter_waits_for_a_run_after_its_caller_was_interrupted(tmp_path: Path) -> None:
    done = tmp_path / "done"
    code = (
        "import pathlib, threading\n"
        "from litellm_qwen_ai.oauth.flight import SingleFlight\n"
        f"def run(): threading.main_thread().join(60); pathlib.Path({str(done)!r}).write_text('kept')\n"
        "SingleFlight(run, 'test').board()\n"
        "raise KeyboardInterrupt\n"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert ended.returncode != 0
    assert done.read_text() == "kept"
