from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from litellm_qwen_ai._version import USER_AGENT
from litellm_qwen_ai.oauth import protocol
from litellm_qwen_ai.oauth.credentials import Credentials
from litellm_qwen_ai.oauth.errors import LoginDeniedError, LoginError, LoginRefusedError, LoginTimedOutError
from litellm_qwen_ai.oauth.protocol import (
    DeviceCode,
    HttpAnswer,
    Inconclusive,
    Pending,
    Pkce,
    Refused,
    TokenAnswer,
)
from litellm_qwen_ai.oauth.rotation import merged_answer
from litellm_qwen_ai.oauth.transport import httpx_poster

PKCE = Pkce("verifier-secret")
CODE = DeviceCode(
    user_code="ABCD",
    verification_uri="https://chat.qwen.ai/authorize",
    verification_uri_complete=None,
    expires_in=900,
    interval=5,
    device_code="device-secret",
    code_verifier="verifier-secret",
)
DEVICE = {
    "device_code": "device-secret",
    "user_code": "AB-CD_12",
    "verification_uri": "https://chat.qwen.ai/authorize",
    "verification_uri_complete": "https://chat.qwen.ai/authorize?user_code=AB-CD_12&client=qwen-code",
    "expires_in": 1800,
}
TOKENS = {
    "access_token": "new-access",
    "refresh_token": "new-refresh",
    "token_type": "Bearer",
    "expires_in": 21600,
    "resource_url": "portal.qwen.ai",
    "scope": "openid",
}
CAPTCHA = b"<!doctype html><title>Verify you are human</title>"


def answer(status: int, body: Any = b"", **headers: str) -> HttpAnswer:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return HttpAnswer(status, {name.replace("_", "-"): value for name, value in headers.items()}, data)


# --- requests ---


def test_the_verifier_is_32_random_bytes_and_the_challenge_its_hash() -> None:
    one, other = Pkce(), Pkce()
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", one.verifier)
    assert one.verifier != other.verifier
    digest = hashlib.sha256(one.verifier.encode()).digest()
    assert one.challenge == base64.urlsafe_b64encode(digest).decode().rstrip("=")


def test_the_challenge_of_rfc_7636_appendix_b() -> None:
    pair = Pkce("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk")
    assert pair.challenge == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


def test_the_device_request() -> None:
    request = protocol.device_request("https://chat.qwen.ai", "client", PKCE)
    assert request.url == "https://chat.qwen.ai/api/v1/oauth2/device/code"
    assert request.form == {
        "client_id": "client",
        "scope": "openid profile email model.completion",
        "code_challenge": PKCE.challenge,
        "code_challenge_method": "S256",
    }
    identity = r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
    assert re.fullmatch(identity, request.headers["x-request-id"])


def test_the_poll_request() -> None:
    request = protocol.poll_request("https://chat.qwen.ai", "client", CODE)
    assert request.url == "https://chat.qwen.ai/api/v1/oauth2/token"
    assert request.form == {
        "grant_type": "urn:ietf:params:oauth:grant-type:device_code",
        "client_id": "client",
        "device_code": "device-secret",
        "code_verifier": "verifier-secret",
    }


def test_the_refresh_request() -> None:
    request = protocol.refresh_request("https://chat.qwen.ai", "client", "old-refresh")
    assert request.form == {
        "grant_type": "refresh_token",
        "refresh_token": "old-refresh",
        "client_id": "client",
    }
    assert request.headers == {
        "accept": "application/json",
        "content-type": "application/x-www-form-urlencoded",
        "user-agent": USER_AGENT,
    }


def test_no_secret_in_the_repr_of_a_request_or_code() -> None:
    shown = repr([protocol.poll_request("https://h", "client", CODE), CODE, PKCE, answer(200, TOKENS)])
    assert "secret" not in shown
    assert "new-" not in shown


# --- device code ---


def test_a_device_code_is_read_and_the_link_kept_byte_for_byte() -> None:
    code = protocol.read_device_answer(answer(200, DEVICE), PKCE)
    assert code.link == DEVICE["verification_uri_complete"]
    assert (code.user_code, code.expires_in, code.interval) == ("AB-CD_12", 1800, 5)
    assert (code.device_code, code.code_verifier) == ("device-secret", "verifier-secret")


def test_without_a_complete_link_the_plain_one_is_shown() -> None:
    body = {**DEVICE, "verification_uri_complete": None}
    assert protocol.read_device_answer(answer(200, body), PKCE).link == "https://chat.qwen.ai/authorize"


@pytest.mark.parametrize(
    ("given", "used"),
    [(None, 5), (7, 7), ("8", 8), (0, 5), (-3, 5), (0.5, 0.5), (0.001, 0.1), (9999, 60), ("x", 5)],
)
def test_the_interval_is_honoured_within_reason(given: Any, used: float) -> None:
    body = {**DEVICE, "interval": given}
    assert protocol.read_device_answer(answer(200, body), PKCE).interval == used


@pytest.mark.parametrize(
    ("given", "used"), [(None, 900), (600, 600), (-1, 900), (10**40, 3600), ([], 900), (True, 900)]
)
def test_the_code_lives_for_a_sane_time(given: Any, used: float) -> None:
    body = {**DEVICE, "expires_in": given}
    assert protocol.read_device_answer(answer(200, body), PKCE).expires_in == used


@pytest.mark.parametrize(
    ("reply", "told"),
    [
        (answer(401, {"error": "invalid_client", "error_description": "no"}), "HTTP 401, invalid_client: no"),
        (answer(200, {"error": "closed", "error_description": "Ended."}), "HTTP 200, closed: Ended."),
        (answer(200, CAPTCHA), "captcha"),
        (answer(429), "too many requests"),
        (answer(504, b"<html>"), "out of order"),
        (answer(200, b""), "empty body"),
        (answer(200, b"{"), "without a usable answer"),
        (answer(200, []), "without a usable answer"),
        (answer(302, b"", location="https://evil.example"), "a redirect, which is not followed"),
        (answer(200, {**DEVICE, "device_code": ""}), "lacks a device code"),
        (answer(200, {**DEVICE, "user_code": None}), "lacks a device code"),
        (answer(200, {**DEVICE, "user_code": "A\x1b[2J"}), "lacks a device code"),
        (answer(200, {**DEVICE, "verification_uri": 4}), "lacks a device code"),
    ],
)
def test_a_login_that_the_server_does_not_start(reply: HttpAnswer, told: str) -> None:
    with pytest.raises(LoginRefusedError, match=re.escape(told)):
        protocol.read_device_answer(reply, PKCE)


def test_a_server_that_wants_no_logins_brings_the_notice_and_the_ways_that_work() -> None:
    for read, refusal in (
        (lambda: protocol.read_device_answer(answer(200, CAPTCHA), PKCE), "did not start"),
        (lambda: protocol.read_poll_answer(answer(401, b""), CODE), "ended"),
    ):
        with pytest.raises(LoginRefusedError, match=f"{refusal}.*2026-04-15.*QWEN_API_KEY.*dashscope/"):
            read()


@pytest.mark.parametrize(
    "page", ["file:///etc/passwd", "javascript:alert(1)", "http://chat.qwen.ai/a", "https://u:p@h"]
)
def test_a_page_that_no_browser_should_open_is_refused(page: str) -> None:
    with pytest.raises(LoginRefusedError, match="approval page"):
        protocol.read_device_answer(answer(200, {**DEVICE, "verification_uri_complete": page}), PKCE)


# --- poll ---


@pytest.mark.parametrize(
    ("reply", "meaning"),
    [
        (answer(400, {"error": "authorization_pending"}), Pending()),
        (answer(429, {"error": "slow_down"}), Pending(slower=True)),
        (answer(400, {"error": "slow_down"}), Pending(slower=True)),
        (answer(200, {"access_token": None}), Pending()),
        (answer(200, {"access_token": ""}), Pending()),
        (answer(200, {}), Pending()),
    ],
)
def test_a_poll_that_has_to_wait(reply: HttpAnswer, meaning: object) -> None:
    assert protocol.read_poll_answer(reply, CODE) == meaning


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (answer(400, {"error": "expired_token"}), LoginTimedOutError),
        (answer(400, {"error": "access_denied"}), LoginDeniedError),
        (answer(400, {"error": "invalid_grant"}), LoginRefusedError),
        (answer(400, {"error": "invalid_request"}), LoginRefusedError),
        (answer(200, {"error": "access_denied"}), LoginDeniedError),
        (answer(401, {"error": "invalid_client"}), LoginRefusedError),
        (answer(401, b""), LoginRefusedError),
        (answer(401, CAPTCHA), LoginRefusedError),
        (answer(200, {"access_token": "a b"}), LoginRefusedError),
        (answer(200, {"access_token": 42}), LoginRefusedError),
    ],
)
def test_a_poll_that_ends_the_login(reply: HttpAnswer, error: type[LoginError]) -> None:
    with pytest.raises(LoginError) as caught:
        protocol.read_poll_answer(reply, CODE)
    assert type(caught.value) is error


@pytest.mark.parametrize(
    "reply",
    [
        answer(429, b""),
        answer(429, {"error": "too_busy"}),
        answer(500, {"error": "access_denied"}),
        answer(503, {"message": "401"}),
        answer(504, b"<html>504</html>"),
        answer(200, CAPTCHA),
        answer(200, b""),
        answer(200, b"401"),
        answer(400, b"<html>"),
        answer(400, {"error": {"code": "access_denied"}}),
        answer(302, b"", location="/login"),
        answer(404, b"gone"),
    ],
)
def test_a_poll_that_decides_nothing(reply: HttpAnswer) -> None:
    assert isinstance(protocol.read_poll_answer(reply, CODE), Inconclusive)


def test_an_approved_poll_brings_the_tokens() -> None:
    assert protocol.read_poll_answer(answer(200, TOKENS), CODE) == TokenAnswer(
        access_token="new-access",
        refresh_token="new-refresh",
        expires_in=21600,
        token_type="Bearer",
        resource_url="portal.qwen.ai",
        scope="openid",
    )


# --- refresh ---


@pytest.mark.parametrize(
    "reply",
    [
        answer(400, {"error": "invalid_request", "error_description": "Invalid refresh token or client_id"}),
        answer(400, {"error": "invalid_grant"}),
        answer(401, {"error": "invalid_client"}),
    ],
)
def test_a_refresh_token_is_refused_by_status_and_code(reply: HttpAnswer) -> None:
    assert isinstance(protocol.read_refresh_answer(reply, "old"), Refused)


@pytest.mark.parametrize(
    "reply",
    [
        answer(500, {"error": "invalid_grant"}),
        answer(503, b"<html>"),
        answer(429, {"error": "invalid_request"}),
        answer(200, {"error": "invalid_grant"}),
        answer(200, CAPTCHA),
        answer(200, b""),
        answer(200, {}),
        answer(200, {"access_token": None}),
        answer(200, {"access_token": ["x"]}),
        answer(200, {"access_token": "x\r\ny"}),
        answer(200, b"[" * 100_000),
        answer(400, b"<html>401 invalid_grant"),
        answer(400, {"error": {"message": "invalid_grant"}}),
        answer(400, {"error": "temporarily_unavailable"}),
        answer(400, {"error": ""}),
        answer(401, b""),
        answer(403, {"error": "invalid_grant"}),
        answer(307, b"", location="https://evil.example/token"),
    ],
)
def test_a_refresh_that_decides_nothing_keeps_the_login(reply: HttpAnswer) -> None:
    assert isinstance(protocol.read_refresh_answer(reply, "old"), Inconclusive)


@pytest.mark.parametrize(
    ("given", "used"),
    [
        (21600, 21600),
        ("3600", 3600),
        (60.5, 60.5),
        (None, 21600),
        (0, 21600),
        (-1, 21600),
        ("soon", 21600),
        (True, 21600),
        ({}, 21600),
        (0.001, 1),
        (10**300, 30 * 86400),
    ],
)
def test_a_token_lives_for_a_sane_time(given: Any, used: float) -> None:
    tokens = protocol.read_refresh_answer(answer(200, {**TOKENS, "expires_in": given}), "old")
    assert isinstance(tokens, TokenAnswer)
    assert tokens.expires_in == used


@pytest.mark.parametrize("literal", [b"NaN", b"Infinity", b"-Infinity", b"1e999"])
def test_a_lifetime_that_is_no_number_is_survived(literal: bytes) -> None:
    body = b'{"access_token": "a", "expires_in": ' + literal + b"}"
    tokens = protocol.read_refresh_answer(answer(200, body), "old")
    assert isinstance(tokens, TokenAnswer)
    assert tokens.expires_in in {21600, 30 * 86400}


@pytest.mark.parametrize("odd", [None, "", 7, "a b", "line\n", ["x"]])
def test_an_odd_refresh_token_counts_as_missing(odd: Any) -> None:
    tokens = protocol.read_refresh_answer(answer(200, {**TOKENS, "refresh_token": odd}), "old")
    assert isinstance(tokens, TokenAnswer)
    assert tokens.refresh_token is None


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry_after": "17"}, 17),
        ({"retry_after": "1e12"}, 3600),
        ({"retry_after": "Wed, 21 Oct 2026 07:28:30 GMT", "date": "Wed, 21 Oct 2026 07:28:00 GMT"}, 30),
        ({}, None),
    ],
)
def test_retry_after_is_read_within_an_hour(headers: dict[str, str], seconds: float | None) -> None:
    outcome = protocol.read_refresh_answer(answer(429, **headers), "old")
    assert isinstance(outcome, Inconclusive)
    assert outcome.retry_after == seconds


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (answer(400, {"error": "e", "error_description": "Words. ", "x": "y"}), "HTTP 400, e: Words."),
        (answer(400, {"error": "e"}), "HTTP 400, e."),
        (answer(400, {"error": "", "error_description": "words"}), "HTTP 400, words."),
        (answer(400, {"error": "", "error_description": 5}), "HTTP 400."),
        (answer(500, {"error": "old-refresh", "error_description": "w" * 201}), f"HTTP 500, {'w' * 200}."),
        (
            answer(500, {"error": "e", "error_description": "w" * 4096 + "old-refresh"}),
            f"HTTP 500, e: {'w' * 200}.",
        ),
        (answer(300), "HTTP 300, a redirect, which is not followed."),
        (answer(399, b"<a>"), "HTTP 399, a redirect, which is not followed."),
        (answer(429, b"<a>"), "HTTP 429, too many requests. Wait a little and try again."),
        (
            answer(200, b" <a>"),
            "HTTP 200 with a web page instead of JSON (perhaps a firewall's captcha). Try again later.",
        ),
        (
            answer(400, b"<a>"),
            "HTTP 400 with a web page instead of JSON (the service is out of order). Try again later.",
        ),
        (answer(299, b" \n"), "HTTP 299 with an empty body. Try again later."),
        (answer(400, {"error": {"message": "no"}}), "HTTP 400 without a usable answer. Try again later."),
        (answer(400, b"no"), "HTTP 400 without a usable answer. Try again later."),
    ],
)
def test_what_an_answer_says_is_told_in_one_sentence(reply: HttpAnswer, reason: str) -> None:
    outcome = protocol.read_refresh_answer(reply, "old-refresh")
    assert isinstance(outcome, (Refused, Inconclusive))
    assert outcome.reason == reason


def test_each_end_of_a_login_is_told_in_full() -> None:
    notice = protocol.SERVICE_NOTICE
    for body, said in (
        ("access_denied", "The login was refused on the approval page. Start again if that was a mistake."),
        ("expired_token", "The code expired before it was approved. Start again for a new one."),
        ("invalid_grant", f"The server ended the login: HTTP 400, invalid_grant. {notice}"),
    ):
        with pytest.raises(LoginError) as caught:
            protocol.read_poll_answer(answer(400, {"error": body}), CODE)
        assert str(caught.value) == said
    with pytest.raises(LoginRefusedError) as caught:
        protocol.read_poll_answer(answer(200, {"access_token": "a b"}), CODE)
    assert (
        str(caught.value) == "The server approved the login but sent a token that cannot be used. Try again."
    )
    for echo in ("device-secret", "verifier-secret"):
        with pytest.raises(LoginRefusedError) as caught:
            protocol.read_poll_answer(answer(400, {"error": "e", "error_description": echo}), CODE)
        assert str(caught.value) == f"The server ended the login: HTTP 400, e. {notice}"
    with pytest.raises(LoginRefusedError) as caught:
        protocol.read_device_answer(answer(400, {"error": "e", "error_description": "verifier-secret"}), PKCE)
    assert str(caught.value) == f"The server did not start a login: HTTP 400, e. {notice}"
    with pytest.raises(LoginRefusedError) as caught:
        protocol.read_device_answer(answer(200, {**DEVICE, "verification_uri": "ftp://h/?q"}), PKCE)
    assert str(caught.value) == (
        "The server did not start a login: the approval page's address cannot be used: 'ftp://h/' is not of "
        f"the form https://host. {notice}"
    )


def test_all_that_an_answer_says_of_a_code_and_of_tokens_is_kept() -> None:
    code = protocol.read_device_answer(answer(200, {**DEVICE, "interval": 3}), PKCE)
    assert code == DeviceCode(
        user_code="AB-CD_12",
        verification_uri="https://chat.qwen.ai/authorize",
        verification_uri_complete="https://chat.qwen.ai/authorize?user_code=AB-CD_12&client=qwen-code",
        expires_in=1800,
        interval=3,
        device_code="device-secret",
        code_verifier="verifier-secret",
    )
    reply = answer(200, {**TOKENS, "id_token": "identity"})
    wanted = TokenAnswer("new-access", "new-refresh", 21600, "Bearer", "portal.qwen.ai", "openid", "identity")
    assert protocol.read_refresh_answer(reply, "old") == wanted
    assert protocol.read_poll_answer(reply, CODE) == wanted
    odd = {"scope": "s" * 2049, "token_type": "", "resource_url": "a\nb", "id_token": "a b"}
    assert protocol.read_refresh_answer(answer(200, {**TOKENS, **odd}), "old") == TokenAnswer(
        "new-access", "new-refresh", 21600
    )
    most = protocol.read_refresh_answer(answer(200, {**TOKENS, "scope": "s" * 2048}), "old")
    assert isinstance(most, TokenAnswer)
    assert most.scope == "s" * 2048


@pytest.mark.parametrize("odd", [None, "", "a b", 5])
def test_a_spent_token_whose_successor_came_alone_is_replaced(odd: Any) -> None:
    body = {"access_token": odd, "refresh_token": "next"}
    assert protocol.read_refresh_answer(answer(200, body), "old") == protocol.Rotated("next")
    for status, more, spent in ((500, {}, "old"), (200, {"error": "e"}, "old"), (200, {}, "next")):
        outcome = protocol.read_refresh_answer(answer(status, {**body, **more}), spent)
        assert isinstance(outcome, Inconclusive)


@pytest.mark.parametrize("pack", [gzip.compress, zlib.compress])
def test_an_answer_that_was_packed_unasked_is_read(pack: Any) -> None:
    assert protocol.json_object(pack(b'{"a": 1}')) == {"a": 1}
    assert protocol.json_object(pack(b'{"a": 1}')[:8]) is None
    fits = b'{"a": "' + b"x" * (protocol.MAX_BODY - 9) + b'"}'
    assert protocol.json_object(pack(fits)) is not None
    assert protocol.json_object(pack(fits + b" ")) is not None  # what is beyond is left
    assert protocol.json_object(pack(fits.replace(b"x", b"xx", 1))) is None


def test_only_the_oauth_error_fields_are_shown_and_capped() -> None:
    body = {"error": "invalid_grant", "error_description": "x" * 5000, "trace": "internal"}
    refused = protocol.read_refresh_answer(answer(400, body), "old")
    assert isinstance(refused, Refused)
    assert "internal" not in refused.reason
    assert len(refused.reason) < 300


def test_an_error_that_echoes_the_refresh_token_is_not_shown() -> None:
    body = {"error": "invalid_grant", "error_description": "unknown token old-refresh"}
    refused = protocol.read_refresh_answer(answer(400, body), "old-refresh")
    assert refused == Refused("HTTP 400, invalid_grant.")


def test_control_characters_of_the_server_do_not_reach_a_terminal() -> None:
    body = {"error": "invalid_grant", "error_description": "bad\x1b[31m\r\nthing"}
    refused = protocol.read_refresh_answer(answer(400, body), "old")
    assert refused == Refused("HTTP 400, invalid_grant: bad[31mthing.")


@given(
    status=st.integers(200, 599),
    body=st.binary(max_size=60)
    | st.dictionaries(
        st.sampled_from(["error", "error_description", "access_token", "refresh_token", "expires_in"]),
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.lists(st.none()),
    ),
)
def test_any_answer_is_read_without_a_crash(status: int, body: Any) -> None:
    reply = answer(status, body)
    assert isinstance(protocol.read_refresh_answer(reply, "old"), (TokenAnswer, Refused, Inconclusive))
    try:
        polled = protocol.read_poll_answer(reply, CODE)
    except LoginError:
        pass
    else:
        assert isinstance(polled, (TokenAnswer, Pending, Inconclusive))
    try:
        protocol.read_device_answer(reply, PKCE)
    except LoginRefusedError:
        return
    pytest.fail("no such body holds a device code")


@pytest.mark.parametrize("hidden", ["", "\ufeff", "\u200b", "\x00"])
def test_a_secret_that_the_server_repeats_is_not_shown_however_it_is_hidden(hidden: str) -> None:
    secret = "refresh-0123456789"
    body = {"error": "invalid_grant", "error_description": f"not {secret[:9]}{hidden}{secret[9:]} again"}
    outcome = protocol.read_refresh_answer(answer(400, body), secret)
    assert isinstance(outcome, protocol.Refused)
    assert outcome.reason == "HTTP 400, invalid_grant."


def test_no_text_of_the_server_is_in_the_repr_of_tokens() -> None:
    tokens = protocol.TokenAnswer("a", "r", 1.0, "secret", "secret", "secret", "secret")
    assert repr(tokens) == "TokenAnswer(expires_in=1.0)"


HERE = [
    "http://127.0.0.1:8080/v1",
    "localhost",
    "https://localhost./v1",
    "https://x.localhost",
    "[::1]:80",
    "127.9.9.9",
]


@pytest.mark.parametrize(
    "resource_url", [*HERE, "http://[::ffff:127.0.0.1]:80", "portal.qwen.ai", "https://8.8.8.8"]
)
@pytest.mark.parametrize("server", ["https://chat.qwen.ai", "http://127.0.0.1:9", ""])
def test_only_a_server_on_this_machine_may_send_a_login_here(resource_url: str, server: str) -> None:
    body = json.dumps({"access_token": "a", "refresh_token": "r", "resource_url": resource_url}).encode()
    came = HttpAnswer(200, {}, body, f"{server}/token" if server else "")
    refused = resource_url not in {"portal.qwen.ai", "https://8.8.8.8"} and server == "https://chat.qwen.ai"
    for tokens in (protocol.read_refresh_answer(came, "old"), protocol.read_poll_answer(came, CODE)):
        assert isinstance(tokens, protocol.TokenAnswer)
        assert tokens.resource_url == (None if refused else resource_url)


@pytest.mark.parametrize(
    ("before", "named", "after"),
    [
        ("portal.qwen.ai", "http://127.0.0.1:9/v1", "portal.qwen.ai"),
        ("portal.qwen.ai", "other.qwen.ai", "other.qwen.ai"),
        ("http://127.0.0.1:9/v1", "http://127.0.0.1:9/v1", "http://127.0.0.1:9/v1"),
        (None, "localhost", None),
    ],
)
def test_an_answer_found_after_a_crash_moves_no_login_to_this_machine(
    before: str | None, named: str, after: str | None
) -> None:
    old = Credentials(access_token="a", refresh_token="r", resource_url=before)
    body = json.dumps({"access_token": "b", "refresh_token": "s", "resource_url": named}).encode()
    found = merged_answer(old, body, 100.0, 50.0)
    assert found is not None
    assert (found.refresh_token, found.resource_url) == ("s", after)
    assert found.seconds_left(50.0) == protocol.DEFAULT_TOKEN_LIFETIME


@pytest.mark.parametrize("body", [b'{"refresh_token": "r"}', b'{"error": "slow_down"}', b"<html>"])
def test_an_answer_found_after_a_crash_that_brought_no_tokens_changes_nothing(body: bytes) -> None:
    assert merged_answer(Credentials(access_token="a", refresh_token="r"), body, 100.0, 50.0) is None


def test_the_url_is_what_was_asked(server: Any) -> None:
    server.answer_next(200)
    url = f"{server.url}/token"
    assert httpx_poster(protocol.OAuthRequest(url, {}, {}), 5).url == url
