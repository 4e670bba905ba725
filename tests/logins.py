"""A small OAuth server on loopback with real rotation, a clock that only tests move, and login files."""

from __future__ import annotations

import json
import os
import secrets
import threading
from collections import deque
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import pytest

from litellm_qwen_ai.oauth.clocks import Clocks
from litellm_qwen_ai.oauth.credentials import Credentials
from litellm_qwen_ai.oauth.session import Session
from litellm_qwen_ai.stores.files.login import FileStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

NOW = 1_700_000_000.0
HOURS_6 = 21_600.0


@dataclass
class Clock:
    """Time of day and monotonic time; sleeping moves both, at once."""

    now: float = NOW
    mono: float = 1000.0
    naps: list[float] = field(default_factory=list)

    @property
    def clocks(self) -> Clocks:
        return Clocks(self.time, self.monotonic, self.sleep)

    def time(self) -> float:
        return self.now

    def monotonic(self) -> float:
        return self.mono

    def sleep(self, seconds: float) -> None:
        self.naps.append(seconds)
        self.pass_time(seconds)

    def pass_time(self, seconds: float) -> None:
        self.now += seconds
        self.mono += seconds


@dataclass(frozen=True)
class Recorded:
    path: str
    headers: dict[str, str]
    form: dict[str, str]


@dataclass(frozen=True)
class Scripted:
    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


class OAuthServer:
    """Answers from its script first; then as a well-behaved server that rotates refresh tokens."""

    def __init__(self) -> None:
        self.requests: list[Recorded] = []
        self.script: deque[Scripted] = deque()
        self.before_answer: Callable[[], None] = lambda: None
        self.approved = False
        self.expires_in: Any = int(HOURS_6)
        self.refreshes = 0
        self.reused = 0
        self.ends_on_reuse = False  # a spent refresh token ends the login (RFC 9700 section 4.14.2)
        self.secrets: set[str] = set()
        self._valid: str | None = None
        self._spent: set[str] = set()
        self._lock = threading.Lock()
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def answer_next(self, status: int, body: Any = b"", **headers: str) -> None:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.script.append(Scripted(status, data, named))

    def tokens(self, **changes: Any) -> dict[str, Any]:
        """New tokens; the refresh token is the only one that is valid from now on."""
        body = {
            "access_token": "access-" + secrets.token_urlsafe(16),
            "refresh_token": "refresh-" + secrets.token_urlsafe(16),
            "token_type": "Bearer",
            "expires_in": self.expires_in,
            "resource_url": "portal.qwen.ai",
            **changes,
        }
        self._valid = body["refresh_token"]
        self.secrets |= {body["access_token"], body["refresh_token"]}
        return body

    def accepts_refresh(self, token: str) -> bool:
        return token == self._valid

    def refresh_forms(self) -> list[dict[str, str]]:
        return [one.form for one in self.requests if one.form.get("grant_type") == "refresh_token"]

    def answer(self, request: Recorded) -> Scripted:
        self.before_answer()
        with self._lock:
            self.requests.append(request)
            if self.script:
                return self.script.popleft()
            if request.form.get("grant_type") == "refresh_token":
                return self._refresh(request.form["refresh_token"])
            if request.path.endswith("/device/code"):
                return _json(200, self.device_code())
            if self.approved:
                return _json(200, self.tokens())
            return _json(400, {"error": "authorization_pending"})

    def device_code(self, **changes: Any) -> dict[str, Any]:
        return {
            "device_code": "device-code-secret",
            "user_code": "AB-CD_12",
            "verification_uri": "https://chat.qwen.ai/authorize",
            "verification_uri_complete": "https://chat.qwen.ai/authorize?user_code=AB-CD_12&client=qwen-code",
            "expires_in": 900,
            **changes,
        }

    def _refresh(self, token: str) -> Scripted:
        if token != self._valid:
            self.reused += token in self._spent
            if self.ends_on_reuse and token in self._spent:
                self._valid = None
            return _json(
                400,
                {"error": "invalid_request", "error_description": "Invalid refresh token or client_id"},
            )
        self.refreshes += 1
        self._spent.add(token)
        return _json(200, self.tokens())


def _json(status: int, body: dict[str, Any]) -> Scripted:
    return Scripted(status, json.dumps(body).encode(), {"content-type": "application/json"})


def _handler(server: OAuthServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers.get("content-length", 0))
            form = dict(parse_qsl(self.rfile.read(length).decode(), keep_blank_values=True))
            headers = {name.lower(): value for name, value in self.headers.items()}
            answer = server.answer(Recorded(self.path, headers, form))
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

        def log_message(self, *_args: object) -> None:
            pass

    return Handler


@pytest.fixture
def server() -> Iterator[OAuthServer]:
    running = OAuthServer()
    yield running
    running.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(tmp_path: Path) -> FileStore:
    return FileStore(tmp_path / "qwen")


class Logins:
    """Writes login files as another process would, with the age that the clock of the test wants."""

    def __init__(self, store: FileStore, server: OAuthServer, clock: Clock) -> None:
        self._store, self._server, self._clock = store, server, clock

    def write(self, seconds_left: float = HOURS_6, lifetime: float = HOURS_6, **changes: Any) -> Credentials:
        tokens = self._server.tokens()
        fields = {
            "access_token": tokens["access_token"],
            "refresh_token": tokens["refresh_token"],
            "resource_url": "portal.qwen.ai",
            "expiry_date": int((self._clock.now + seconds_left) * 1000),
            **changes,
        }
        credentials = Credentials(**fields)
        self._store.save(credentials)
        born = self._clock.now + seconds_left - lifetime
        os.utime(self._store.path, (born, born))
        return credentials


@pytest.fixture
def logins(store: FileStore, server: OAuthServer, clock: Clock) -> Logins:
    return Logins(store, server, clock)


@pytest.fixture
def new_session(
    store: FileStore, server: OAuthServer, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Session]:
    # On a busy machine a look may take its time; whoever tests that it is not waited for says so.
    monkeypatch.setattr("litellm_qwen_ai.oauth.session.LOOK_PATIENCE", 30.0)

    def make(**changes: Any) -> Session:
        settings: dict[str, Any] = {
            "oauth_base_url": server.url,
            "clocks": clock.clocks,
            **changes,
        }
        return Session(settings.pop("store", store), **settings)

    return make


@pytest.fixture
def session(new_session: Callable[..., Session]) -> Session:
    return new_session()
