"""Refusals: two dead tokens in a row, a server that hangs up, one that asks for a moment."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from drills.frame import Result, drill
from drills.networks import variables

from litellm_qwen_ai.sandbox import Answer, Sandbox

GROUP = "Refusals"


@contextmanager
def signed_in(folder: Path, *, lifetime: float | None = None) -> Iterator[Sandbox]:
    """A sandbox with a login, which the environment points at."""
    with Sandbox() as sandbox:
        sandbox.write_credentials(folder / "login", lifetime=lifetime)
        with variables(**sandbox.environment(folder / "login")):
            yield sandbox


def complete(**call: Any) -> Any:
    import litellm  # noqa: PLC0415  # drills that need none of it load this module

    import litellm_qwen_ai  # noqa: F401, PLC0415  # registers the route

    litellm.suppress_debug_info = True
    asked = {"model": "qwen_ai/coder-model", "messages": [{"role": "user", "content": "hi"}], **call}
    return litellm.completion(**asked)


def two_dead_tokens(folder: Path, tries: int) -> Result:
    """A process holds one token, somebody has just written another, and the server refuses both."""
    failures = 0
    for number in range(tries):
        with signed_in(folder / str(number)) as sandbox:
            complete()
            sandbox.write_credentials(folder / str(number) / "login")
            sandbox.expire_access_tokens()
            before = sandbox.counts.refreshes
            try:
                complete(max_retries=0)
            except Exception:  # noqa: BLE001  # counted
                failures += 1
            failures += sandbox.counts.refreshes - before != 1
    return Result(tries, failures, note="1 refresh each")


@contextmanager
def hangs_up() -> Iterator[tuple[str, list[bytes]]]:
    """A server that reads each request and closes the connection: its address, and what it has read."""
    read: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    read.append(connection.recv(65536))

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1", read
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(60)


def sent_as_often_as_asked(retries: list[int]) -> Result:
    failures, seen = 0, []
    for number in retries:
        with hangs_up() as (address, read):
            try:
                complete(api_key="sk-made-up", api_base=address, max_retries=number)
            except Exception:  # noqa: BLE001  # it cannot succeed
                seen.append(len(read))
        failures += seen[-1:] != [1 + number]
    return Result(len(retries), failures, note=f"max_retries {retries}: sent {seen} times")


def given_a_moment(folder: Path, statuses: list[int]) -> Result:
    """No live token, and the OAuth server says to come back in a second."""
    failures = 0
    for status in statuses:
        with signed_in(folder / str(status), lifetime=-5) as sandbox:
            sandbox.answer_next("refresh", Answer(status=status, body=b"", headers={"retry-after": "1"}))
            try:
                complete(max_retries=0)
            except Exception:  # noqa: BLE001  # counted
                failures += 1
            failures += sandbox.counts.refreshes != 1
    return Result(len(statuses), failures, note="waited a second, then renewed")


@drill(GROUP, "a dead token, and a newer one that is dead too")
def dead_twice(folder: Path) -> Result:
    return two_dead_tokens(folder, 20)


@drill(GROUP, "the server hangs up after reading the request")
def hung_up(folder: Path) -> Result:
    del folder
    return sent_as_often_as_asked([0, 1, 2])


@drill(GROUP, "no live token; the OAuth server says 429 or 503, Retry-After: 1")
def a_moment(folder: Path) -> Result:
    return given_a_moment(folder, [429, 503])
