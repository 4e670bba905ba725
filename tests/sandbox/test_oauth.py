"""The OAuth endpoints over HTTP: RFC 8628, RFC 7636 and RFC 6749, with Qwen's own words."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from litellm_qwen_ai import names
from litellm_qwen_ai.oauth import protocol
from litellm_qwen_ai.sandbox import Sandbox, authority, oauth
from litellm_qwen_ai.sandbox.authority import Authority, OAuthRefusal, Rules

HEADERS = {"accept": "application/json", "x-request-id": "0b5c1d36-4c52-4f2f-9d0e-6f1f5a1c7e42"}
BAD_REFRESH = {"error": "invalid_request", "error_description": "Invalid refresh token or client_id"}


def _error(response: httpx.Response) -> tuple[int, str]:
    return response.status_code, response.json()["error"]


def _http(sandbox: Sandbox) -> httpx.Client:
    return httpx.Client(base_url=sandbox.url, headers=HEADERS, timeout=60)


def test_the_login_and_the_sandbox_speak_of_the_same_server() -> None:
    assert authority.CLIENT_ID == names.DEFAULT_CLIENT_ID
    assert authority.SCOPE == protocol.SCOPE
    assert authority.DEVICE_GRANT == protocol.DEVICE_GRANT
    assert (oauth.DEVICE_PATH, oauth.TOKEN_PATH) == (protocol.DEVICE_PATH, protocol.TOKEN_PATH)


def test_a_device_code_names_the_page_and_no_interval(client: Any, sandbox: Sandbox) -> None:
    said = client.device().json()
    assert said["verification_uri"] == f"{sandbox.url}/authorize"
    assert (
        said["verification_uri_complete"]
        == f"{sandbox.url}/authorize?user_code={said['user_code']}&client=qwen-code"
    )
    assert len(said["user_code"]) == 8
    assert said["expires_in"] == 900
    assert "interval" not in said


def test_a_wrong_device_request_is_refused(client: Any) -> None:
    for changes, expected in [
        ({"client_id": "someone-else"}, (401, "invalid_client")),
        ({"client_id": None}, (401, "invalid_client")),
        ({"code_challenge": None}, (400, "invalid_request")),
        ({"code_challenge": "short"}, (400, "invalid_request")),
        ({"code_challenge_method": "plain"}, (400, "invalid_request")),
        ({"scope": None}, (400, "invalid_request")),
        ({"scope": "openid billing"}, (400, "invalid_scope")),
        ({"scope": "openid profile email"}, (400, "invalid_scope")),
    ]:
        assert _error(client.device(**changes)) == expected, changes


def test_an_oauth_request_without_the_headers_that_qwens_client_sends_is_refused(
    client: Any, sandbox: Sandbox
) -> None:
    form = {"client_id": authority.CLIENT_ID, "scope": authority.SCOPE, "code_challenge_method": "S256"}
    device = {**form, "code_challenge": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"}
    for headers in [{"accept": "*/*"}, {"x-request-id": ""}, {"x-request-id": "12"}]:
        answer = client.http.post(oauth.DEVICE_PATH, data=device, headers={**HEADERS, **headers})
        assert _error(answer) == (400, "invalid_request"), headers
    refresh = {"grant_type": "refresh_token", "refresh_token": sandbox.issue_tokens()["refresh_token"]}
    refused = client.http.post(oauth.TOKEN_PATH, data={**refresh, "client_id": authority.CLIENT_ID})
    assert _error(refused) == (400, "invalid_request")
    assert sandbox.accepts_refresh(refresh["refresh_token"])


@pytest.mark.parametrize(
    "other",
    [
        {"accept": "application/json, text/plain, */*"},
        {"accept": "text/plain;q=0.5, Application/JSON;q=0.9"},
        {"x-request-id": HEADERS["x-request-id"].upper()},
    ],
)
def test_headers_that_say_the_same_in_another_way_are_taken(client: Any, other: dict[str, str]) -> None:
    form = {"client_id": authority.CLIENT_ID, "scope": authority.SCOPE, "code_challenge_method": "S256"}
    device = {**form, "code_challenge": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"}
    assert client.http.post(oauth.DEVICE_PATH, data=device, headers={**HEADERS, **other}).status_code == 200


def test_a_device_request_as_json_is_refused(client: Any) -> None:
    response = client.http.post("/api/v1/oauth2/device/code", json={"client_id": authority.CLIENT_ID})
    assert _error(response) == (400, "invalid_request")


def test_tokens_come_after_the_approval_and_once(client: Any, sandbox: Sandbox, clock: Any) -> None:
    code = client.device().json()
    assert _error(client.poll(code["device_code"])) == (400, "authorization_pending")
    assert sandbox.pending_codes() == [code["user_code"]]
    sandbox.approve(code["user_code"])
    clock.now += 5
    tokens = client.poll(code["device_code"]).json()
    assert tokens["token_type"] == "Bearer"
    assert tokens["expires_in"] == 21_600
    assert tokens["resource_url"] == sandbox.api_base
    assert tokens["scope"] == "openid model.completion"
    assert sandbox.accepts(tokens["access_token"])
    clock.now += 5
    assert _error(client.poll(code["device_code"])) == (400, "invalid_grant")


def test_a_verifier_that_does_not_prove_the_challenge_gets_nothing(client: Any, sandbox: Sandbox) -> None:
    for verifier in ["w" * 43, "v" * 42, "", None, "v" * 42 + "!"]:
        code = client.device().json()
        sandbox.approve()
        assert _error(client.poll(code["device_code"], code_verifier=verifier)) == (400, "invalid_grant")
        assert "access_token" in client.poll(code["device_code"]).json()


def test_a_denied_code_ends_the_login(client: Any, sandbox: Sandbox) -> None:
    code = client.device().json()
    assert sandbox.deny() == code["user_code"]
    assert _error(client.poll(code["device_code"])) == (400, "access_denied")


@pytest.mark.parametrize(("later", "expected"), [(899.9, "authorization_pending"), (900, "expired_token")])
def test_a_device_code_expires_by_the_sandbox_s_clock(
    client: Any, clock: Any, later: float, expected: str
) -> None:
    code = client.device().json()
    clock.now += later
    assert _error(client.poll(code["device_code"])) == (400, expected)


def test_an_approval_after_the_expiry_is_refused(client: Any, sandbox: Sandbox, clock: Any) -> None:
    code = client.device().json()
    clock.now += 900
    with pytest.raises(LookupError, match="expired"):
        sandbox.approve(code["user_code"])
    with pytest.raises(LookupError, match="No device code waits"):
        sandbox.approve()


def test_polling_faster_than_five_seconds_is_told_to_slow_down_by_five_more(client: Any, clock: Any) -> None:
    code = client.device().json()["device_code"]
    expected = [
        (0, "authorization_pending"),
        (4.9, "slow_down"),
        (9.9, "slow_down"),
        (15, "authorization_pending"),
    ]
    for wait, error in expected:
        clock.now += wait
        response = client.poll(code)
        assert (response.json()["error"], response.status_code) == (
            error,
            429 if error == "slow_down" else 400,
        )


def test_an_interval_that_is_given_is_sent_and_enforced(clock: Any) -> None:
    authority_ = Authority(Rules(interval=2), clock=clock)
    form = {"client_id": authority.CLIENT_ID, "scope": authority.SCOPE, "code_challenge": "c" * 43}
    said = authority_.start_device({**form, "code_challenge_method": "S256"}, "http://page")
    assert said["interval"] == 2
    assert authority_.pending()[0].interval == 2


def test_an_interval_of_nothing_is_neither_sent_nor_enforced(clock: Any) -> None:
    with Sandbox(clock=clock, interval=0) as sandbox, _http(sandbox) as http:
        fields = {"client_id": authority.CLIENT_ID, "scope": authority.SCOPE, "code_challenge_method": "S256"}
        challenge = {"code_challenge": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"}  # RFC 7636 appendix B
        code = http.post(oauth.DEVICE_PATH, data={**fields, **challenge}).json()
        assert "interval" not in code
        poll = {"grant_type": authority.DEVICE_GRANT, "client_id": authority.CLIENT_ID}
        verifier = {"code_verifier": "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"}
        form = {**poll, **verifier, "device_code": code["device_code"]}
        assert [_error(http.post(oauth.TOKEN_PATH, data=form))[1] for _ in range(3)] == [
            "authorization_pending"
        ] * 3


def test_auto_approve_needs_no_one(clock: Any) -> None:
    with Sandbox(clock=clock, auto_approve=True) as sandbox, _http(sandbox) as http:
        fields = {"client_id": authority.CLIENT_ID, "scope": authority.SCOPE, "code_challenge_method": "S256"}
        challenge = {"code_challenge": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"}  # RFC 7636 appendix B
        code = http.post(oauth.DEVICE_PATH, data={**fields, **challenge}).json()
        poll = {"grant_type": authority.DEVICE_GRANT, "client_id": authority.CLIENT_ID}
        verifier = {"code_verifier": "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"}
        tokens = http.post(oauth.TOKEN_PATH, data={**poll, **verifier, "device_code": code["device_code"]})
        assert tokens.json()["access_token"]


def test_a_refresh_rotates_and_the_old_refresh_token_dies(client: Any, sandbox: Sandbox) -> None:
    first = sandbox.issue_tokens()
    second = client.refresh(first["refresh_token"]).json()
    assert second["refresh_token"] != first["refresh_token"]
    assert second["resource_url"] == sandbox.api_base
    dead = client.refresh(first["refresh_token"])
    assert (dead.status_code, dead.json()) == (400, BAD_REFRESH)
    assert client.refresh(second["refresh_token"]).status_code == 200


def test_a_refresh_by_another_client_is_refused_in_the_real_words(client: Any, sandbox: Sandbox) -> None:
    refused = client.refresh(sandbox.issue_tokens()["refresh_token"], client_id="someone-else")
    assert (refused.status_code, refused.json()) == (400, BAD_REFRESH)


def test_a_reused_refresh_token_kills_its_login_and_no_other(clock: Any) -> None:
    with Sandbox(clock=clock, reuse_detection=True) as sandbox:
        other, first = sandbox.issue_tokens(), sandbox.issue_tokens()
        rules = sandbox._authority
        form = {"client_id": authority.CLIENT_ID}
        second = rules.refresh({**form, "refresh_token": first["refresh_token"]})
        assert sandbox.accepts(second["access_token"])
        with pytest.raises(OAuthRefusal):
            rules.refresh({**form, "refresh_token": first["refresh_token"]})
        assert not sandbox.accepts(first["access_token"])
        assert not sandbox.accepts(second["access_token"])
        assert not sandbox.accepts_refresh(second["refresh_token"])
        assert sandbox.accepts(other["access_token"])
        assert sandbox.accepts_refresh(other["refresh_token"])


def test_without_reuse_detection_only_the_reused_token_is_dead(client: Any, sandbox: Sandbox) -> None:
    first = sandbox.issue_tokens()
    second = client.refresh(first["refresh_token"]).json()
    client.refresh(first["refresh_token"])
    assert sandbox.accepts_refresh(second["refresh_token"])


def test_another_grant_is_not_supported(client: Any) -> None:
    for grant_type in [None, "password"]:
        form = {"client_id": authority.CLIENT_ID, **({"grant_type": grant_type} if grant_type else {})}
        response = client.http.post(oauth.TOKEN_PATH, data=form)
        assert _error(response) == (400, "unsupported_grant_type")


def test_only_post_is_allowed(client: Any) -> None:
    for path in [oauth.DEVICE_PATH, oauth.TOKEN_PATH, "/v1/chat/completions"]:
        response = client.http.get(path)
        assert (response.status_code, response.headers["allow"]) == (405, "POST")


def test_counts_tell_what_was_asked_and_what_was_granted(client: Any, sandbox: Sandbox) -> None:
    code = client.device().json()
    client.device(client_id="someone-else")
    client.poll(code["device_code"])
    sandbox.approve()
    sandbox.advance(5)
    tokens = client.poll(code["device_code"]).json()
    client.refresh(tokens["refresh_token"])
    client.refresh(tokens["refresh_token"])
    counts = sandbox.counts
    assert (counts.device_codes, counts.polls, counts.logins) == (1, 2, 1)
    assert (counts.refresh_requests, counts.refreshes) == (2, 1)
