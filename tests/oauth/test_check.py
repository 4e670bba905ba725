from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from litellm_qwen_ai.names import SERVICE_NOTICE
from litellm_qwen_ai.oauth.check import check_key, check_token
from litellm_qwen_ai.sandbox import Answer, Sandbox


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as running:
        yield running


def test_a_token_that_is_taken(sandbox: Sandbox) -> None:
    token = sandbox.issue_tokens()["access_token"]
    verdict = check_token(sandbox.api_base, token)
    assert (verdict.result, verdict.message) == ("accepted", f"{sandbox.url[7:]} takes the token.")
    assert sandbox.counts.chat_requests == 0
    assert sandbox.requests_to("models")[0].headers["user-agent"].startswith("litellm-qwen-ai/")


@pytest.mark.parametrize(
    ("answer", "result", "told"),
    [
        ("token_expired", "refused", "refuses the token (HTTP 401, invalid access token or token expired)"),
        ("token_expired_403", "refused", "refuses the token (HTTP 403"),
        ("quota_spent", "refused", "quota of this login is spent (HTTP 429, Free allocated quota exceeded)"),
        ("throttled", "unknown", "HTTP 429"),
        ("not_found", "unknown", "HTTP 404"),
        ("model_not_in_plan", "unknown", "HTTP 403"),
        ("html_504", "unknown", "HTTP 504, a web page"),
        ("html_200", "unknown", "HTTP 200, a web page"),
        ("empty_200", "unknown", "HTTP 200"),
        ("redirect", "unknown", "HTTP 302"),
        ("cut", "unknown", "the connection ended early"),
    ],
)
def test_what_an_answer_says_about_the_token(sandbox: Sandbox, answer: str, result: str, told: str) -> None:
    sandbox.answer_next("models", answer)
    verdict = check_token(sandbox.api_base, "any")
    assert verdict.result == result
    assert told in verdict.message
    for part in ("2026-04-15", "dashscope/", "qwencloud/", "QWEN_API_KEY", "The login is kept"):
        assert (part in verdict.message) is (result == "refused")


@pytest.mark.parametrize(
    ("status", "body", "of_token", "of_key"),
    [
        (200, {"data": []}, "accepted", "accepted"),
        (200, {"error": {"code": "c"}}, "unknown", "unknown"),
        (200, {"error": {"message": "m"}}, "unknown", "unknown"),
        (200, b"[]", "unknown", "unknown"),
        (201, {"data": []}, "unknown", "unknown"),
        (401, b"", "refused", "refused"),
        (403, {"error": {"code": "invalid_api_key"}}, "refused", "refused"),
        (403, {"error": {"code": "other"}}, "unknown", "refused"),
        (403, {"error": {"code": "insufficient_quota"}}, "refused", "refused"),
        (429, {"error": {"code": "insufficient_quota"}}, "refused", "unknown"),
        (429, {"error": {"code": "invalid_api_key"}}, "unknown", "unknown"),
        (500, {"error": {"code": "insufficient_quota"}}, "unknown", "unknown"),
    ],
)
def test_a_status_and_a_code_decide(
    sandbox: Sandbox, status: int, body: Any, of_token: str, of_key: str
) -> None:
    for check, result in ((check_token, of_token), (check_key, of_key)):
        sandbox.answer_next("models", Answer("an answer", status, body))
        assert check(sandbox.api_base, "any").result == result


def test_a_verdict_is_told_in_full(sandbox: Sandbox) -> None:
    host, words = sandbox.url[7:], "w" * 199 + "..xx"
    refused = {"error": {"message": words, "code": "c"}}

    def told(check: Any, status: int, body: Any) -> str:
        sandbox.answer_next("models", Answer("an answer", status, body))
        message: str = check(sandbox.api_base, "any").message
        return message

    shown = f"HTTP 401, {'w' * 199}"
    assert told(check_key, 401, refused) == f"{host} refuses the key ({shown})."
    assert told(check_token, 401, refused) == (
        f"{host} refuses the token ({shown}). The login is kept. {SERVICE_NOTICE}"
    )
    assert told(check_token, 403, {"error": {"code": "x_quota"}}) == (
        f"The quota of this login is spent (HTTP 403). The login is kept. {SERVICE_NOTICE}"
    )
    assert told(check_key, 200, {"data": []}) == f"{host} takes the key."
    assert told(check_key, 404, {"error": "no"}) == (
        f"Whether {host} takes the key is not known: it answered the list of models with HTTP 404."
    )
    asked = sandbox.requests_to("models")[-1].headers
    assert (asked["authorization"], asked["accept"]) == ("Bearer any", "application/json")
    assert check_token("http://gateway.example/v1", "any").message == (
        "The token was not tried: The base URL cannot be used: 'http://gateway.example/v1' is plain http to "
        "another machine; only https is allowed there."
    )


def test_an_error_that_repeats_the_token_is_not_shown(sandbox: Sandbox) -> None:
    body = {"error": {"message": "no access for tok-secret", "code": "invalid_api_key"}}
    sandbox.answer_next("models", Answer("a careless server", 401, body))
    verdict = check_token(sandbox.api_base, "tok-secret")
    assert verdict.result == "refused"
    assert "tok-secret" not in verdict.message


def test_an_endless_answer_is_cut(sandbox: Sandbox) -> None:
    sandbox.answer_next("models", Answer("far too much", 500, b"x" * 1_000_000))
    assert check_token(sandbox.api_base, "any").result == "unknown"


@pytest.mark.parametrize("base", ["http://gateway.example/v1", "http://127.0.0.1:9/v1", "nonsense"])
def test_where_no_token_may_go_or_nobody_answers_nothing_is_known(base: str, sandbox: Any) -> None:
    assert check_token(base, "any").result == "unknown"
    assert sandbox.requests == []
