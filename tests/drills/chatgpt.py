"""The same for LiteLLM's `chatgpt` authenticator, where it can be driven the same way.

It speaks to a small server on loopback that rotates refresh tokens as the sandbox does. That a token which
looks alive was refused it cannot be told, it has no async form, and no program can approve its login.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import random
import secrets
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from drills.crashes import Victims, lifetime
from drills.frame import Result, drill
from drills.races import GROUP as RACES
from drills.races import THREADS, race

PEER = "LiteLLM `chatgpt`"
PROGRAM = Path(__file__).with_name("chatgpt_side.py")
KILLS = 100


class Server:
    """Refreshes by JSON; each refresh token is good for one.

    Args:
        lifetime: Seconds that access tokens live; negative ones are due at once.
        delay: Seconds that each answer takes.
    """

    def __init__(self, lifetime: float, delay: float = 0.0) -> None:
        self._lifetime, self._delay = lifetime, delay
        self._lock, self._waiting = threading.Lock(), threading.Event()
        self.good: set[str] = set()
        self.refreshes = self.requests = 0
        self.last = ""

    def login(self, lifetime: float) -> dict[str, Any]:
        claims = {"exp": int(time.time() + lifetime), "jti": secrets.token_hex(16)}
        body = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
        self.last = secrets.token_urlsafe(32)
        self.good = {self.last}
        return {
            "access_token": f"e30.{body}.x",
            "id_token": f"e30.{body}.x",
            "refresh_token": self.last,
            "expires_at": claims["exp"],
        }

    def answer(self, asked: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if "refresh_token" not in asked:
            return 403, {"error": "no device login here"}
        with self._lock:
            self.requests += 1
        self._waiting.wait(self._delay)
        with self._lock:
            if asked["refresh_token"] not in self.good:
                return 400, {"error": "invalid_grant"}
            self.refreshes += 1
            return 200, self.login(self._lifetime)


class _Listener(ThreadingHTTPServer):
    request_queue_size = 1024
    daemon_threads = True


@contextlib.contextmanager
def serving(server: Server) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:  # the base class names it
            try:
                asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
            except ValueError:
                return  # a victim was killed in the middle of its request
            status, body = server.answer(asked)
            data = json.dumps(body).encode()
            with contextlib.suppress(OSError):  # a victim is gone by now
                self.send_response(status)
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

        def log_message(self, *_: object) -> None: ...

    listener = _Listener(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.server_address[1]}"
    finally:
        listener.shutdown()
        listener.server_close()
        thread.join()


def write(server: Server, folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / "auth.json"
    path.write_text(json.dumps(server.login(-5)))
    path.chmod(0o600)
    return path


def raced(folder: Path, **settings: Any) -> Result:
    server = Server(3600, **settings)
    with serving(server) as url:
        path = write(server, folder)
        said = race(THREADS, folder, url, racer=PROGRAM)
        failures = sum(not token.startswith("e30.") for token, _ in said["served"])
        worst = max(at for _, at in said["served"]) - said["begun"] - settings.get("delay", 0.0)
        alive = path.exists() and _stored(path) in server.good
        fate = "alive" if alive else "lost"
        note = f"{server.refreshes} refresh, {server.requests} requests, the login is {fate}"
        return Result(THREADS.calls, failures, worst, note)


def _stored(path: Path) -> str | None:
    try:
        token: str | None = json.loads(path.read_text()).get("refresh_token")
    except ValueError:
        return None
    return token


def killed(folder: Path, rounds: int) -> Result:
    """As `crashes.kills`; its access tokens are due at once, so it refreshes at each call."""
    moments, found, server = random.Random(4), Counter[str](), Server(-5)  # noqa: S311  # no secret
    login = folder / "login"
    with (
        serving(server) as url,
        contextlib.closing(Victims(login, url, folder / "memory", PROGRAM)) as running,
    ):
        path = write(server, login)
        longest = lifetime(running)
        for _ in range(rounds):
            child = running.start()
            threading.Event().wait(moments.uniform(0, longest))
            os.kill(child, signal.SIGKILL)
            running.wait()
            token = _stored(path)
            what = "torn or empty" if token is None else "kept" if token in server.good else "lost"
            found[what] += 1
            if what != "kept":
                write(server, login)
    note = ", ".join(f"{count} {what}" for what, count in sorted(found.items()))
    return Result(rounds, rounds - found["kept"], note=f"{note}; {server.refreshes} refreshes")


@drill(RACES, "50 processes x 20 threads, expired token", peer=PEER)
def expired(folder: Path) -> Result:
    return raced(folder)


@drill(RACES, "50 x 20 threads, server takes 5 s", peer=PEER)
def slow(folder: Path) -> Result:
    return raced(folder, delay=5.0)


@drill("Crashes", "SIGKILL at any moment of a refresh", peer=PEER)
def crashes(folder: Path) -> Result:
    return killed(folder, KILLS)
