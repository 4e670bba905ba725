"""Steering the sandbox from another process, over HTTP."""

from __future__ import annotations

import concurrent.futures
from typing import Any

from litellm_qwen_ai.sandbox import ANSWERS, Sandbox


def _command(client: Any, command: str, **said: Any) -> Any:
    return client.http.post(f"/sandbox/{command}", json=said)


def test_the_answers_are_listed_with_their_meaning(client: Any) -> None:
    listed = client.http.get("/sandbox/answers").json()
    assert {endpoint: set(names) for endpoint, names in listed.items()} == {
        endpoint: set(names) for endpoint, names in ANSWERS.items()
    }
    assert "useless" in listed["chat"]["quota_spent"]


def test_the_next_answer_can_be_asked_for(client: Any) -> None:
    said = _command(client, "next", endpoint="chat", name="throttled", times=2)
    assert said.json() == {"queued": {"chat": 2}}
    assert [client.chat().status_code for _ in range(3)] == [429, 429, 200]


def test_codes_are_approved_and_denied(client: Any) -> None:
    first, second = client.device().json(), client.device().json()
    assert client.http.get("/sandbox/state").json()["pending_user_codes"] == [
        first["user_code"],
        second["user_code"],
    ]
    assert _command(client, "approve", user_code=first["user_code"]).json() == {
        "user_code": first["user_code"]
    }
    assert _command(client, "deny").json() == {"user_code": second["user_code"]}
    assert client.poll(first["device_code"]).status_code == 200
    assert client.poll(second["device_code"]).json()["error"] == "access_denied"


def test_tokens_are_issued_expired_and_revoked(client: Any, sandbox: Sandbox) -> None:
    tokens = _command(client, "tokens").json()
    assert sandbox.accepts(tokens["access_token"])
    assert _command(client, "expire").json() == {"expired": 1}
    assert not sandbox.accepts(tokens["access_token"])
    assert _command(client, "revoke").json() == {"done": "revoke"}
    assert not sandbox.accepts_refresh(tokens["refresh_token"])
    short = _command(client, "tokens", lifetime=5).json()
    _command(client, "advance", seconds=5)
    assert not sandbox.accepts(short["access_token"])


def test_requests_are_held_and_released(client: Any, sandbox: Sandbox) -> None:
    _command(client, "hold", endpoint="chat")
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        held = [pool.submit(client.chat) for _ in range(2)]
        sandbox.wait_for_held("chat", 2)
        _command(client, "let_through", endpoint="chat", count=1)
        done, _ = concurrent.futures.wait(held, 10, return_when=concurrent.futures.FIRST_COMPLETED)
        assert len(done) == 1
        _command(client, "release", endpoint="chat")
        assert [one.result(10).status_code for one in held] == [200, 200]


def test_requests_and_counts_are_told_without_secrets(client: Any, sandbox: Sandbox) -> None:
    tokens = sandbox.issue_tokens()
    client.refresh(tokens["refresh_token"])
    client.chat("Hello", token=tokens["access_token"])
    said = client.http.get("/sandbox/requests")
    assert [(one["endpoint"], one["status"]) for one in said.json()] == [("refresh", 200), ("chat", 400)]
    assert '"Hello"' in said.json()[1]["body"]
    for secret in (tokens["access_token"], tokens["refresh_token"]):
        assert secret not in said.text
    assert client.http.get("/sandbox/state").json()["counts"]["refreshes"] == 1
    _command(client, "clear")
    assert client.http.get("/sandbox/requests").json() == []


def test_a_wrong_command_is_refused_with_a_reason(client: Any) -> None:
    for name, body, status, said in [
        ("next", b"{}", 400, "'endpoint'"),
        ("next", b'{"endpoint": "chat", "name": "nonsense"}', 400, "quota_spent"),
        ("next", b'{"endpoint": "chat", "name": "throttled", "times": "x"}', 400, "whole number"),
        ("next", b'{"endpoint": "chat", "name": ["throttled"]}', 400, "must be a text"),
        ("next", b"[]", 400, "JSON object"),
        ("next", b"{", 400, "Expecting"),
        ("approve", b'{"user_code": "nonsense"}', 404, "No such user code"),
        ("approve", b"", 404, "No device code waits"),
        ("hold", b'{"endpoint": "chatter"}', 400, "Nothing can be held"),
        ("next", b'{"endpoint": "chat", "name": "\\ud800"}', 400, "no answer '\\ud800'"),
        ("next", b"[" * 100_000, 400, "recursion"),
        ("advance", b'{"seconds": []}', 400, "number of seconds"),
        ("advance", b'{"seconds": 1e999}', 400, "number of seconds"),
        ("hold", b'{"endpoint": "chat", "at": ["x"]}', 400, "Nothing can be held"),
        ("approve", b'{"user_code": ["x"]}', 400, "must be a text"),
        ("nonsense", b"", 404, "There is GET"),
    ]:
        response = client.http.post(f"/sandbox/{name}", content=body)
        assert response.status_code == status
        assert said in response.json()["error"]["message"]
