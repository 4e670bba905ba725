"""What ends an exchange that takes too long; against real drips in tests/litellm/test_network.py."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import socket
import threading
from typing import Any

import httpx
import pytest

from litellm_qwen_ai.chat.request import ChatRequest
from litellm_qwen_ai.route import post
from litellm_qwen_ai.route.deadline import AsyncDeadline, Deadline, Watchdog
from tests.networks import HOST, http_proxy, listening


class Expiring:
    """Stands for a deadline whose time has come, or never will."""

    def __init__(self, until: float) -> None:
        self.until = until
        self.expired = threading.Event()

    def expire(self) -> None:
        self.expired.set()
        self.until = float("inf")


def test_the_watchdog_expires_what_is_due_and_nothing_else() -> None:
    dog = Watchdog(lambda: 100.0)
    later: Any = Expiring(200.0)
    due: Any = Expiring(100.0)
    forgotten: Any = Expiring(100.0)
    dog.watch(later)
    dog.watch(forgotten)
    assert forgotten.expired.wait(30), "not expired within 30 s"
    forgotten.expired.clear()
    dog.forget(forgotten)
    dog.watch(due)
    assert due.expired.wait(30), "not expired within 30 s"
    assert not later.expired.is_set()
    assert not forgotten.expired.is_set()


def test_the_watchdog_wakes_by_itself_when_the_next_is_due() -> None:
    times = itertools.chain([100.0], itertools.repeat(200.0))
    dog = Watchdog(lambda: next(times))
    soon: Any = Expiring(100.01)
    dog.watch(soon)
    assert soon.expired.wait(30), "not expired within 30 s"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_process_has_a_watchdog_of_its_own() -> None:
    with httpx.Client(trust_env=False) as client, Deadline(client, 60):
        child = os.fork()
        if child == 0:
            began = threading.active_count()
            deadline = Deadline(client, 60)
            with deadline:
                os._exit(0 if threading.active_count() == began + 1 else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_whatever_came_of_an_exchange_that_was_cut_is_a_time_out() -> None:
    with httpx.Client(trust_env=False) as client:
        for raised in (None, httpx.RemoteProtocolError("peer closed"), ValueError("half an answer")):
            deadline = Deadline(client, 60)
            with pytest.raises(httpx.ReadTimeout, match="60 s"), deadline:  # noqa: PT012  # what is in it is the test
                deadline.expire()
                if raised is not None:
                    raise raised
        with pytest.raises(KeyboardInterrupt), Deadline(client, 60) as _:
            raise KeyboardInterrupt


async def test_a_task_that_somebody_else_cancels_is_cancelled() -> None:
    entered = asyncio.Event()

    async def exchange() -> None:
        with AsyncDeadline(60):
            entered.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(exchange())
    await entered.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_an_exchange_on_a_loop_is_cancelled_at_its_deadline_and_the_task_goes_on() -> None:
    with pytest.raises(httpx.ReadTimeout, match="0 s"), AsyncDeadline(0):
        await asyncio.Event().wait()
    await asyncio.sleep(0)


@pytest.mark.parametrize("behind_a_proxy", [False, True])
def test_a_connection_is_cut_while_its_tls_begins(behind_a_proxy: bool) -> None:
    cut = threading.Event()

    def stall(connection: socket.socket) -> None:
        connection.recv(65536)  # the client's first record
        deadline.expire()
        connection.settimeout(30)
        if not connection.recv(65536):  # a TimeoutError if nobody ends it
            cut.set()

    with contextlib.ExitStack() as stack:
        port = stack.enter_context(listening(stall))
        proxy = stack.enter_context(http_proxy(port, [])) if behind_a_proxy else None
        client = stack.enter_context(httpx.Client(proxy=proxy, timeout=None, trust_env=False))  # noqa: S113  # the deadline's is the only one
        deadline = Deadline(client, 60)
        url = f"https://{HOST if behind_a_proxy else f'127.0.0.1:{port}'}/v1/chat/completions"
        with pytest.raises(httpx.ReadTimeout, match="60 s"), deadline:
            post.send(client, ChatRequest(url, {}, b"{}", {}), None, deadline)
        assert cut.wait(30), "the connection was not ended within 30 s"


def test_a_connection_is_followed_no_further_than_to_its_request() -> None:
    told: list[str] = []

    def answer(connection: socket.socket) -> None:
        while connection.recv(65536):
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")

    class Noted(Deadline):
        def watch(self, event: str, info: dict[str, Any]) -> None:
            told.append(event)
            super().watch(event, info)

    with listening(answer) as port, httpx.Client(trust_env=False) as client:
        request = ChatRequest(f"http://127.0.0.1:{port}/v1/chat/completions", {}, b"{}", {})
        for _ in range(2):
            deadline = Noted(client, 60)
            with deadline:
                post.send(client, request, None, deadline).read()
    connects = ["connection.connect_tcp.started", "connection.connect_tcp.complete"]
    asks = ["http11.send_request_headers.started", "http11.send_request_headers.complete"]
    assert told == [*connects, *asks, *asks]


def test_a_connection_of_http_2_is_left_to_its_other_exchanges() -> None:
    pytest.importorskip("h2", reason="this httpx speaks no HTTP/2")
    left = threading.Event()

    def stall(connection: socket.socket) -> None:
        connection.recv(65536)  # the client's preface
        deadline.expire()
        connection.setblocking(False)
        try:
            while connection.recv(65536):  # what else it sends
                pass
        except BlockingIOError:  # all read, and no end
            left.set()

    with listening(stall) as port, httpx.Client(http1=False, http2=True, trust_env=False) as client:
        deadline = Deadline(client, 60)
        request = ChatRequest(f"http://127.0.0.1:{port}/v1/chat/completions", {}, b"{}", {})
        with pytest.raises(httpx.ReadTimeout, match="60 s"), deadline:
            post.send(client, request, None, deadline)
    assert left.is_set()
