from __future__ import annotations

import os
import signal
import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

import pytest

from litellm_qwen_ai.oauth import signals
from litellm_qwen_ai.oauth.signals import ends_after

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="the signals are POSIX's")


@pytest.fixture(autouse=True)
def _unhandled() -> Iterator[None]:
    """The state of a program that has set no handlers."""
    numbers = (signal.SIGTERM, signal.SIGHUP)
    before = [signal.signal(number, signal.SIG_DFL) for number in numbers]
    yield
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)


def handlers() -> tuple[Any, Any]:
    return signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGHUP)


DEFAULT = (signal.SIG_DFL, signal.SIG_DFL)


def test_the_signals_are_handled_in_the_block_only() -> None:
    with ends_after(Future()):
        assert handlers()[0] == handlers()[1] != signal.SIG_DFL
    assert handlers() == DEFAULT


def test_a_call_that_is_interrupted_leaves_the_signals_as_they_were() -> None:
    waiting = ends_after(Future())
    waiting.__enter__()
    waiting.__exit__(KeyboardInterrupt, KeyboardInterrupt(), None)
    assert handlers() == DEFAULT


def test_the_last_who_waits_takes_the_handler_away() -> None:
    shared: Future[None] = Future()
    first, second = ends_after(shared), ends_after(shared)
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert signal.SIG_DFL not in handlers()
    second.__exit__(None, None, None)
    assert handlers() == DEFAULT


def test_a_handler_of_the_program_stays() -> None:
    def own(*_: object) -> None: ...

    signal.signal(signal.SIGTERM, own)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with ends_after(Future()):
        assert handlers() == (own, signal.SIG_IGN)
    assert handlers() == (own, signal.SIG_IGN)


def test_a_handler_that_the_program_sets_meanwhile_stays() -> None:
    def own(*_: object) -> None: ...

    with ends_after(Future()):
        signal.signal(signal.SIGTERM, own)
    assert handlers() == (own, signal.SIG_DFL)


def test_other_threads_leave_the_signals_alone() -> None:
    seen: list[Any] = []

    def work() -> None:
        with ends_after(Future()):
            seen.append(handlers())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [DEFAULT]


def test_the_signal_waits_for_the_refresh_and_then_does_its_work(monkeypatch: pytest.MonkeyPatch) -> None:
    flight: Future[None] = Future()
    flight.set_result(None)
    raised: list[tuple[int, Any]] = []
    waited: list[Any] = []
    monkeypatch.setattr(signal, "raise_signal", lambda number: raised.append((number, handlers()[0])))
    monkeypatch.setattr(signals, "wait", lambda futures, seconds: waited.append((futures, seconds)))
    with ends_after(flight):
        os.kill(os.getpid(), signal.SIGTERM)
    assert waited == [([flight], 8.0)]
    assert raised == [(signal.SIGTERM, signal.SIG_DFL)]


def test_a_forked_child_dies_at_once() -> None:
    with ends_after(Future()):  # which ends in no process
        child = os.fork()
        if child == 0:
            os._exit(0 if handlers() == DEFAULT else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
