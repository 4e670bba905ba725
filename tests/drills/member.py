"""Processes of a fleet, each with a session on the shared store; run as a program by `fleet.py`.

One interpreter imports what is needed, listens on a socket and forks a process for each connection. A process
does what it is told, one JSON line after another: ask for tokens, or stop or die at some point of its next
renewal.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import httpx  # noqa: F401  # the session imports it at its first refresh

from litellm_qwen_ai.names import LOGGER
from litellm_qwen_ai.oauth.session import Session
from litellm_qwen_ai.oauth.transport import httpx_poster
from litellm_qwen_ai.settings import Settings
from litellm_qwen_ai.stores.redis.limits import Limits
from litellm_qwen_ai.stores.redis.place import RedisPlace

POINTS = ("before the take", "after the take", "after the answer", "before the put")


class Member:
    """One process of one host."""

    def __init__(self, job: dict[str, Any]) -> None:
        settings = Settings(
            job["folder"], store=job["store"], store_key=job["key"], store_prefix=job["prefix"]
        )
        self.store = RedisPlace(settings, limits=Limits(**job["limits"])).login(None)
        self.session = Session(
            self.store, oauth_base_url=job["oauth"], poster=self.post, lock_timeout=job["lock_timeout"]
        )
        self.point, self.signal = "", 0
        take, put = self.store._take, self.store.put_renewal

        def taking(*given: Any) -> Any:
            self.reach("before the take")
            said = take(*given)
            if said[0] == "go":
                self.reach("after the take")
            return said

        def putting(*given: Any) -> Any:
            self.reach("before the put")
            return put(*given)

        self.store._take = taking  # type: ignore[method-assign]  # the points are there
        self.store.put_renewal = putting  # type: ignore[method-assign]  # the same

    def reach(self, point: str) -> None:
        if point == self.point:
            self.point = ""
            signal.raise_signal(self.signal)  # to this very thread: it goes no further

    def post(self, request: Any, timeout: float) -> Any:
        answer = httpx_poster(request, timeout)
        self.reach("after the answer")
        return answer

    def ask(self, threads: int, rejected: str | None, rounds: int, pause: float) -> list[tuple[str, float]]:
        """What each call gets, a token or an error, and the seconds that it took."""
        served: list[tuple[str, float]] = []

        def call() -> None:
            for number in range(rounds):
                if number:
                    time.sleep(pause)  # callers come at a pace, here as elsewhere
                began = time.monotonic()
                try:
                    got = self.session.get(rejected=rejected).access_token
                except Exception as error:  # noqa: BLE001  # what comes is the outcome
                    got = f"{type(error).__name__}: {error}"
                served.append((got, time.monotonic() - began))

        running = [threading.Thread(target=call) for _ in range(threads)]
        for thread in running:
            thread.start()
        for thread in running:
            thread.join()
        return served


def serve(connection: socket.socket) -> None:
    lines = connection.makefile("r")
    member = Member(json.loads(lines.readline()))
    connection.sendall(f"{os.getpid()}\n".encode())
    for line in lines:
        said = json.loads(line)
        answer: Any = True
        if said["do"] == "arm":
            member.point, member.signal = said["point"], said["signal"]
        elif said["do"] == "look":
            answer = member.store.look() is not None
        else:
            answer = member.ask(said["threads"], said["rejected"], said["rounds"], said["pause"])
        connection.sendall(json.dumps(answer).encode() + b"\n")


def main(serve: Callable[[socket.socket], None] = serve) -> None:
    logging.getLogger(LOGGER).addHandler(logging.NullHandler())  # faults are what is drilled
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the children
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(sys.argv[1])
        listening.listen(128)
        print("ready", flush=True)
        while True:
            connection, _ = listening.accept()
            if os.fork() == 0:
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                listening.close()
                try:
                    serve(connection)
                finally:
                    os._exit(0)
            connection.close()


if __name__ == "__main__":
    main()
