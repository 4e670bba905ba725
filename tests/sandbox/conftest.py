"""A sandbox with a clock of its own, and an HTTP client for it."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from litellm_qwen_ai.sandbox import Sandbox
from litellm_qwen_ai.sandbox.authority import CLIENT_ID, DEVICE_GRANT

OAUTH_HEADERS = {"accept": "application/json", "x-request-id": "0b5c1d36-4c52-4f2f-9d0e-6f1f5a1c7e42"}
LOGIN_HEADERS = {
    "x-dashscope-authtype": "qwen-oauth",
    "x-dashscope-cachecontrol": "enable",
    "x-dashscope-useragent": "mine/1.0",
}
VERIFIER = "v" * 43
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
SYSTEM = {
    "role": "system",
    "content": [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}],
}


class Clock:
    """Seconds since the epoch, moved by hand."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


class Client:
    """Speaks to a sandbox as a program would, over real HTTP."""

    def __init__(self, http: httpx.Client) -> None:
        self.http = http

    def device(self, **changes: str | None) -> httpx.Response:
        fields = {
            "client_id": CLIENT_ID,
            "scope": "openid model.completion",
            "code_challenge": CHALLENGE,
            "code_challenge_method": "S256",
            **changes,
        }
        return self._post("/api/v1/oauth2/device/code", fields)

    def poll(self, device_code: str, **changes: str | None) -> httpx.Response:
        fields = {
            "grant_type": DEVICE_GRANT,
            "client_id": CLIENT_ID,
            "device_code": device_code,
            "code_verifier": VERIFIER,
            **changes,
        }
        return self._post("/api/v1/oauth2/token", fields)

    def refresh(self, refresh_token: str, client_id: str = CLIENT_ID) -> httpx.Response:
        fields = {"grant_type": "refresh_token", "refresh_token": refresh_token, "client_id": client_id}
        return self._post("/api/v1/oauth2/token", fields)

    def chat(self, prompt: Any = "ping", *, token: str = "sk-sandbox", **more: Any) -> httpx.Response:
        payload = {"model": "coder-model", "messages": [{"role": "user", "content": prompt}], **more}
        headers = {"authorization": f"Bearer {token}", **({} if token == "sk-sandbox" else LOGIN_HEADERS)}
        return self.http.post("/v1/chat/completions", json=payload, headers=headers)

    def _post(self, path: str, fields: dict[str, str | None]) -> httpx.Response:
        form = {name: value for name, value in fields.items() if value is not None}
        return self.http.post(path, data=form, headers=OAUTH_HEADERS)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sandbox(clock: Clock) -> Iterator[Sandbox]:
    with Sandbox(clock=clock) as running:
        yield running


@pytest.fixture
def client(sandbox: Sandbox) -> Iterator[Client]:
    with httpx.Client(base_url=sandbox.url, timeout=60) as http:
        yield Client(http)
