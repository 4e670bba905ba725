"""Every refusal of qwen-protocol section 8, and what LiteLLM's users see of it."""

from __future__ import annotations

import asyncio
import json
import socket
from typing import Any

import httpx
import litellm
import pytest
from hypothesis import given
from hypothesis import strategies as st
from litellm import exceptions

from litellm_qwen_ai.chat.context import AnswerContext
from litellm_qwen_ai.chat.errors import (
    PROVIDER,
    bad_request,
    cut_stream,
    error_from_response,
    error_from_transport,
    is_token_rejection,
)
from litellm_qwen_ai.chat.hints import hint_for
from litellm_qwen_ai.chat.refusal import (
    Reason,
    Refusal,
    is_error_object,
    read_refusal,
    reason_of,
    refusal_from_object,
    refusal_from_text,
)
from litellm_qwen_ai.chat.text import looks_like_html, one_line, presentable
from litellm_qwen_ai.plans import MEND


def body(message: str, code: str = "", request_id: str = "req-1") -> bytes:
    error = {"message": message, "type": code, "param": None, "code": code}
    return json.dumps({"error": error, "request_id": request_id}).encode()


HTML = b"<!DOCTYPE html><html><head><title>504 Gateway Time-out</title></head><body>x</body></html>"
PAYMENT = getattr(exceptions, "PaymentRequiredError", exceptions.BadRequestError)
INVALID = body("invalid access token or token expired", "invalid_api_key")
QUOTA = body("Free allocated quota exceeded.", "insufficient_quota")

ROWS: list[tuple[str, int, bytes, type[Exception], int, Reason]] = [
    ("token 401", 401, INVALID, exceptions.AuthenticationError, 401, Reason.TOKEN_REJECTED),
    ("token 403", 403, INVALID, exceptions.AuthenticationError, 401, Reason.TOKEN_REJECTED),
    ("bare 401", 401, b"", exceptions.AuthenticationError, 401, Reason.TOKEN_REJECTED),
    ("quota 429", 429, QUOTA, exceptions.RateLimitError, 429, Reason.QUOTA_SPENT),
    ("quota 403", 403, QUOTA, exceptions.RateLimitError, 429, Reason.QUOTA_SPENT),
    (
        "throttled by code",
        429,
        body("slow down", "Throttling.RateQuota"),
        exceptions.RateLimitError,
        429,
        Reason.THROTTLED,
    ),
    (
        "throttled by words",
        429,
        body("Requests rate limit exceeded, please try again later."),
        exceptions.RateLimitError,
        429,
        Reason.THROTTLED,
    ),
    (
        "allocated quota is a rate limit",
        429,
        body("Allocated quota exceeded, please increase your quota limit.", "Throttling.AllocationQuota"),
        exceptions.RateLimitError,
        429,
        Reason.THROTTLED,
    ),
    (
        "content policy",
        400,
        body("Input data may contain inappropriate content.", "data_inspection_failed"),
        exceptions.ContentPolicyViolationError,
        400,
        Reason.CONTENT_POLICY,
    ),
    (
        "content policy, camel case",
        400,
        body("Output data may contain inappropriate content.", "DataInspectionFailed"),
        exceptions.ContentPolicyViolationError,
        400,
        Reason.CONTENT_POLICY,
    ),
    (
        "context window",
        400,
        body("Range of input length should be [1, 1000000]", "invalid_parameter_error"),
        exceptions.ContextWindowExceededError,
        400,
        Reason.CONTEXT_WINDOW,
    ),
    (
        "invalid parameter",
        400,
        body("bad request", "invalid_parameter_error"),
        exceptions.BadRequestError,
        400,
        Reason.BAD_REQUEST,
    ),
    (
        "model not supported",
        400,
        body("model `x` is not supported", "model_not_supported"),
        exceptions.BadRequestError,
        400,
        Reason.BAD_REQUEST,
    ),
    ("no credit", 402, body("insufficient credits"), PAYMENT, 402, Reason.PAYMENT_REQUIRED),
    (
        "overdue payment",
        400,
        body("Access denied, please make sure your account is in good standing.", "Arrearage"),
        PAYMENT,
        402,
        Reason.PAYMENT_REQUIRED,
    ),
    (
        "not in plan",
        403,
        body("model x is not included in your plan", "model_access_denied"),
        exceptions.PermissionDeniedError,
        403,
        Reason.NOT_PERMITTED,
    ),
    ("not found", 404, body("no such model"), exceptions.NotFoundError, 404, Reason.NOT_FOUND),
    (
        "coding agents",
        405,
        body("Coding Plan is currently only available for Coding Agents"),
        exceptions.PermissionDeniedError,
        403,
        Reason.CODING_AGENTS_ONLY,
    ),
    ("wrong method", 405, b"", exceptions.BadRequestError, 400, Reason.WRONG_METHOD),
    ("unprocessable", 422, b"{}", exceptions.UnprocessableEntityError, 422, Reason.UNPROCESSABLE),
    ("request timeout", 408, b"", exceptions.Timeout, 408, Reason.TIMED_OUT),
    (
        "server error",
        500,
        body("oops", "internal_error"),
        exceptions.InternalServerError,
        500,
        Reason.SERVER_ERROR,
    ),
    ("bad gateway", 502, HTML, exceptions.BadGatewayError, 502, Reason.BAD_GATEWAY),
    ("unavailable", 503, HTML, exceptions.ServiceUnavailableError, 503, Reason.UNAVAILABLE),
    ("gateway timeout", 504, HTML, exceptions.Timeout, 504, Reason.TIMED_OUT),
    ("odd 5xx", 599, b"", exceptions.InternalServerError, 500, Reason.SERVER_ERROR),
    ("odd 4xx", 418, b"", exceptions.BadRequestError, 400, Reason.BAD_REQUEST),
    ("redirect", 302, b"", exceptions.APIConnectionError, 500, Reason.REDIRECTED),
]


def context(headers: dict[str, str] | None = None, **more: Any) -> AnswerContext:
    sent = httpx.Headers(headers or {}, encoding="utf-8")
    return AnswerContext(**{"model": "coder-model", "with_login": True, "headers": sent, **more})


def refused(status: int, content: bytes, headers: dict[str, str] | None = None, **more: Any) -> Any:
    return error_from_response(status, content, context(headers, **more))


@pytest.mark.parametrize(
    ("status", "content", "expected", "shown_status", "reason"),
    [r[1:] for r in ROWS],
    ids=[r[0] for r in ROWS],
)
def test_each_refusal_becomes_the_exception_of_a_built_in_provider(
    status: int, content: bytes, expected: type[Exception], shown_status: int, reason: Reason
) -> None:
    error = refused(status, content)
    assert type(error) is expected
    assert error.status_code == shown_status
    assert error.qwen_reason == reason.value
    assert error.llm_provider == PROVIDER == "qwen_ai"
    assert error.model == "coder-model"
    assert f"HTTP {status}" in str(error)


def test_litellm_passes_the_exception_on_unchanged() -> None:
    for _, status, content, *_ in ROWS:
        error = refused(status, content)
        assert any(isinstance(error, known) for known in exceptions.LITELLM_EXCEPTION_TYPES)


def test_the_servers_words_and_request_id_are_kept() -> None:
    error = refused(400, body("temperature must be below 2", "invalid_parameter_error", "abc-123"))
    assert "temperature must be below 2" in str(error)
    assert "abc-123" in str(error)
    assert error.request_id == "abc-123"


def test_the_request_id_is_found_in_the_headers_too() -> None:
    assert refused(500, b"", {"X-DashScope-Request-Id": "from-header"}).request_id == "from-header"


@pytest.mark.parametrize(
    "content",
    [
        b'{"code": "InvalidParameter", "message": "so it is", "request_id": "r"}',
        b'{"error": "so it is"}',
        b'{"detail": "so it is"}',
        b'{"error": {"message": "so it is"}}',
        b'\xef\xbb\xbf {"message": "so it is"}',
        b"so it is",
    ],
)
def test_an_error_body_is_read_in_every_dialect(content: bytes) -> None:
    assert "so it is" in str(refused(400, content))


@pytest.mark.parametrize(
    ("said", "message", "code", "request_id"),
    [
        (
            {"code": "InvalidParameter", "message": "words", "request_id": "r"},
            "words",
            "InvalidParameter",
            "r",
        ),
        ({"error": {"message": "words", "type": "t", "code": "c"}}, "words", "c", ""),
        ({"error": {"message": "words", "type": "t", "code": None}}, "words", "t", ""),
        ({"error": {"message": "words", "type": "t", "code": ""}}, "words", "t", ""),
        ({"error": {"message": "words", "code": 1305, "request_id": "in"}}, "words", "1305", "in"),
        ({"error": {"message": "words", "request_id": "in"}, "requestId": "out"}, "words", "", "out"),
        ({"request_id": "one", "requestId": "other", "message": "words"}, "words", "", "one"),
        ({"error": "words", "error_description": "more", "type": "t"}, "words", "t", ""),
        ({"error": {}, "error_description": "words", "message": "more", "code": "c"}, "words", "", ""),
        ({"error": {}, "message": "words", "detail": "more"}, "words", "", ""),
        ({"message": "", "detail": [{"loc": "n", "msg": "zü"}]}, '[{"loc": "n", "msg": "zü"}]', "", ""),
        ({"error": {"message": {"a": 1}}}, '{"a": 1}', "", ""),
        ({"code": True, "type": ["x"]}, "no message was given", "", ""),
    ],
)
def test_a_refusals_words_code_and_request_id_are_found(
    said: dict[str, Any], message: str, code: str, request_id: str
) -> None:
    sent = {"request-id": "last", "X-Acs-Request-Id": "of-acs"}
    refusal = read_refusal(400, json.dumps(said).encode(), context(sent))
    assert refusal == Refusal(400, message, code, request_id or "last", refusal.raw)
    assert read_refusal(400, b"{}", context({"X-Acs-Request-Id": "of-acs"})).request_id == "of-acs"


@pytest.mark.parametrize(
    ("said", "status"),
    [
        ({"status_code": 400, "status": 401}, 400),
        ({"status": "403", "http_status": 500}, 403),
        ({"http_status": 599, "code": 400}, 599),
        ({"code": "429"}, 429),
        ({"status_code": 399, "code": 600}, None),
        ({"code": "0429", "status": "²²²", "http_status": "4x9"}, None),
        ({"status": 200.5, "code": None}, None),
    ],
)
def test_an_error_inside_an_answer_of_200_names_its_status(said: dict[str, Any], status: int | None) -> None:
    for value in (said, {"error": said}):
        text = json.dumps({**value, "message": "words"})
        assert refusal_from_text(text, context()).status == status
        assert refusal_from_text(text, context(), 418).status == 418


@pytest.mark.parametrize(
    ("reason", "statuses", "code", "words"),
    [
        (Reason.QUOTA_SPENT, {403, 429, None}, "insufficient_quota", "Free Allocated quota exceeded!"),
        (Reason.QUOTA_SPENT, {403, 429, None}, "AllocationQuota.FreeTierOnly", ""),
        (Reason.CONTENT_POLICY, {200, 400, 500, None}, "data-inspection failed", ""),
        (Reason.CONTENT_POLICY, {400, None}, "", "It was data_inspection_failed"),
        (Reason.CONTENT_POLICY, {400, None}, "", "Inappropriate content"),
        (Reason.CONTEXT_WINDOW, {400, 413, 500, None}, "context_length_exceeded", ""),
        (Reason.CONTEXT_WINDOW, {400, 413, None}, "", "The range of input length should be [1, 2]"),
        (Reason.CONTEXT_WINDOW, {400, 413, None}, "", "the maximum context length is 2"),
        (Reason.CONTEXT_WINDOW, {400, 413, None}, "", "input length (3) would exceed 2"),
        (Reason.CONTEXT_WINDOW, {400, 413, None}, "", "context_length_exceeded"),
        (Reason.CODING_AGENTS_ONLY, {403, 405, None}, "", "for coding agents"),
        (Reason.TOKEN_REJECTED, {401}, "whatever", "whatever"),
        (Reason.TOKEN_REJECTED, {401, 403, None}, "InvalidApiKey", "Token expired"),
        (Reason.TOKEN_REJECTED, {401, 403, None}, "invalid_access_token", "invalid access token"),
        (Reason.TOKEN_REJECTED, {401, 403, None}, "access_token_expired", "incorrect API key"),
        (Reason.TOKEN_REJECTED, {401, 403, None}, "token_expired", "invalid api-key"),
        (Reason.TOKEN_REJECTED, {401, 403, None}, "unauthorized", "invalid api key"),
        (Reason.THROTTLED, {400, 429, 500, None}, "Throttling.RateQuota", ""),
        (Reason.THROTTLED, {400, 429, 500, None}, "rate_limit_exceeded", ""),
        (Reason.THROTTLED, {429, 500, None}, "limit_requests", ""),
        (Reason.THROTTLED, {429, None}, "", "Rate limit reached"),
        (Reason.THROTTLED, {429, None}, "", "too many requests"),
        (Reason.THROTTLED, {429, None}, "", "HTTP 429."),
        (Reason.BAD_REQUEST, {400, None}, "invalid_parameter_error", ""),
        (Reason.BAD_REQUEST, {400, None}, "InvalidRequestError", ""),
    ],
)
def test_a_reason_is_told_by_a_code_or_by_words_with_the_statuses_that_they_come_with(
    reason: Reason, statuses: set[int | None], code: str, words: str
) -> None:
    for status in statuses:
        assert reason_of(Refusal(status, "", code, raw=words.lower())) is reason
        if code:
            assert reason_of(Refusal(status, "", code)) is reason
        if words:
            assert reason_of(Refusal(status, "", raw=words.lower())) is reason
    for status in {404, 502} - statuses:
        if not code:
            assert reason_of(Refusal(status, "", raw=words.lower())) is not reason


def test_an_answer_says_of_itself_that_it_is_an_error() -> None:
    for value in (
        {"error": {"a": 1}, "choices": [1]},
        {"code": "c", "message": ""},
        {"code": 1, "message": "m"},
    ):
        assert is_error_object(value)
    for value in (
        {"error": {}, "choices": [1]},
        {"code": "", "message": "m"},
        {"code": "c"},
        {"message": "m"},
    ):
        assert not is_error_object(value)
    assert not is_error_object({"choices": [1], "code": "c", "message": "m"})


@pytest.mark.parametrize(("sent", "shown"), [("编号-1".encode(), "编号-1"), (b"caf\xe9", "café")])
def test_a_refusal_that_is_not_ascii_is_shown_as_it_is(sent: bytes, shown: str) -> None:
    headers = httpx.Headers([(b"X-Request-Id", sent), (b"Retry-After", b"3")])
    content = body("账户余额不足", "欠费", "")
    error: Any = error_from_response(402, content, context().answered(headers))
    for words in ("账户余额不足", "欠费", f"[request id {shown}]"):
        assert words in str(error)
    assert error.request_id == shown
    assert error.response.json()["error"] == {"message": "账户余额不足", "code": "欠费"}
    assert error.litellm_response_headers["x-request-id"] == shown
    assert error.litellm_response_headers["retry-after"] == "3"


def test_the_servers_own_word_for_it_is_the_exceptions_code() -> None:
    assert refused(400, body("so it is", "invalid_parameter_error")).code == "invalid_parameter_error"


def test_what_the_caller_did_wrong_is_in_the_message_and_in_the_response() -> None:
    error: Any = bad_request("n must be 1", model="coder-model")
    assert "n must be 1" in str(error)
    assert error.status_code == 400
    assert error.response.json()["error"]["message"] == "n must be 1"


def test_a_page_is_summarised_not_dumped() -> None:
    text = str(refused(504, HTML))
    assert 'an HTML page titled "504 Gateway Time-out"' in text
    assert "<" not in text


@pytest.mark.parametrize(
    ("page", "shown"),
    [
        (b"<html><body>x</body></html>", "the answer was an HTML page."),
        (b"<html><title></title></html>", "the answer was an HTML page."),
        (b"<html><h1>Stop<br>here &amp; now</h1>", 'the answer was an HTML page titled "Stop here & now"'),
        (b"<html><title>caf\xe9</title>", 'the answer was an HTML page titled "caf\ufffd"'),
        (b"<html><title>" + 300 * b"a" + b"</title>", f'the answer was an HTML page titled "{119 * "a"}…"'),
    ],
    ids=["without a title", "an empty title", "a heading with markup", "not UTF-8", "a long title"],
)
def test_a_page_says_its_title_or_that_it_is_one(page: bytes, shown: str) -> None:
    assert str(refused(502, page)).endswith(shown)


def test_a_long_code_or_request_id_is_cut() -> None:
    error = refused(400, body("so it is", 500 * "c", 500 * "r"))
    assert len(error.response.json()["error"]["code"]) == len(error.request_id) == 80


def test_a_long_message_is_cut_and_folded_into_one_line() -> None:
    text = str(refused(400, body("word\n\x1b[31m " * 5000)))
    assert len(text) < 1200
    assert "\n" not in text
    assert "\x1b" not in text
    assert "…" in text


@pytest.mark.parametrize(
    "leak",
    [
        "bad header Authorization: Bearer tok-SECRET-1",
        '{"access_token": "tok-SECRET-1"}',
        "refresh_token=tok-SECRET-1&x=1",
        "key sk-SECRET-1-aaaaaaaaaaaa is wrong",
        "echo SECRET-1 echo",
    ],
)
def test_no_secret_survives_in_message_response_or_repr(leak: str) -> None:
    error = refused(401, body(leak), secrets=("SECRET-1",))
    assert "SECRET" not in str(error) + repr(error) + error.response.text
    assert "***" in str(error)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Authorization: BEARER  abc, x", "Authorization: BEARER ***, x"),
        ("bearer", "bearer"),
        *(
            (f'"{name}" : "abcd-x", ok', f'"{name}" : "***", ok')
            for name in ("access_token", "refresh_token", "id_token", "device_code", "code_verifier")
        ),
        *(
            (f"{name}=abcd;x", f"{name}=***;x")
            for name in ("api_key", "api-key", "APIKEY", "password", "secret")
        ),
        ("password=abc x", "password=abc x"),  # a word of three letters is none
        ("mysecret=abcdef", "mysecret=abcdef"),
        ("sk-12345678 sk-1234567", "*** sk-1234567"),
        ("risk-assessment", "risk-assessment"),
        ("https://me:pw@h/a@b", "https://***@h/a@b"),
        ("x eyJhbGciOiJI.eyJz.abc y", "x *** y"),
        ("eyJhbG.c", "eyJhbG.c"),
        ("a \t\r\n b\u200bc\x1b", "a b c"),
    ],
)
def test_of_a_servers_text_no_secret_and_one_line_is_shown(text: str, shown: str) -> None:
    assert presentable(text) == shown


def test_a_text_is_cut_where_it_is_too_long_and_not_before() -> None:
    assert one_line("a" * 10, 10) == "a" * 10
    assert one_line("a" * 11, 10) == "a" * 9 + "…"
    assert one_line("a" * 8 + " b c", 10) == "a" * 8 + "…"
    assert one_line(" " * 19 + "a", 10) == "a"
    assert one_line(" " * 20 + "a", 10) == ""
    assert len(one_line("a" * 900)) == 800


@pytest.mark.parametrize(
    ("content", "page"),
    [
        *(
            (start + b" x>", True)
            for start in (b"<!DOCTYPE", b"\n<head", b"\xef\xbb\xbf <BODY", b"<h1", b"<title")
        ),
        (b"x " * 300 + b"<HTML>", True),
        (b"x " * 600 + b"<html>", False),
        (b'{"a": "<h1>"}', False),
        (b"", False),
    ],
)
def test_a_page_is_known_by_how_it_begins(content: bytes, page: bool) -> None:
    assert looks_like_html(content) is page


def test_cookies_and_encodings_of_the_server_do_not_travel_with_the_exception() -> None:
    error = refused(500, b"", {"Set-Cookie": "session=1", "Content-Encoding": "gzip", "X-Kept": "yes"})
    assert error.litellm_response_headers["x-kept"] == "yes"
    assert "set-cookie" not in error.litellm_response_headers
    assert "content-encoding" not in error.response.headers


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"Retry-After": "7"}, 7),
        ({"Retry-After": "1.2"}, 2),
        ({"retry-after-ms": "1500"}, 2),
        ({"retry-after-ms": "1500", "retry-after": "30"}, 2),
        ({"Retry-After": "Wed, 21 Oct 2026 07:28:30 GMT", "Date": "Wed, 21 Oct 2026 07:28:00 GMT"}, 30),
        ({"Retry-After": "nan"}, -1),
        ({"Retry-After": "-3"}, -3),
        ({}, -1),
    ],
)
def test_litellm_reads_the_wait_that_the_server_named(headers: dict[str, str], expected: int) -> None:
    error = refused(429, body("slow down", "Throttling"), headers)
    read = litellm.utils._get_retry_after_from_exception_header
    found = read(error.litellm_response_headers)
    assert (found if found is not None else -1) == expected
    assert error.response.headers.get("retry-after") == error.litellm_response_headers.get("retry-after")


def test_a_date_in_an_answer_without_one_of_its_own_is_left_to_litellm() -> None:
    date = "Wed, 21 Oct 2099 07:28:00 GMT"
    assert refused(429, b"", {"Retry-After": date}).litellm_response_headers["retry-after"] == date


def test_a_spent_quota_is_told_apart_from_throttling_and_names_the_ways_that_work() -> None:
    spent, throttled = str(refused(429, QUOTA)), str(refused(429, body("slow down", "Throttling")))
    for words in ("retrying now is useless", "2026-04-15", "api_base", "dashscope/", "qwencloud/"):
        assert words in spent
        assert words not in throttled
    assert "Retry-After" in throttled


def test_with_a_key_the_hints_do_not_speak_of_logins() -> None:
    for content in (INVALID, QUOTA):
        text = str(refused(403, content, with_login=False))
        assert "litellm-qwen-ai login" not in text
        assert "2026-04-15" not in text


def test_a_refused_login_names_the_command_and_the_closed_tier() -> None:
    text = str(refused(401, INVALID))
    assert "litellm-qwen-ai login" in text
    assert "2026-04-15" in text


def test_a_closing_notice_is_recognised_whatever_its_status() -> None:
    text = str(refused(403, body("Qwen OAuth free tier was discontinued on 2026-04-15.", "access_denied")))
    assert "dashscope/" in text
    assert "2026-04-15" in text


@pytest.mark.parametrize(
    ("status", "content", "expected"),
    [
        (401, b"", True),
        (401, INVALID, True),
        (403, INVALID, True),
        (403, body("model not in plan"), False),
        (403, QUOTA, False),
        (401, QUOTA, True),
        (400, INVALID, False),
        (500, INVALID, False),
        (403, b"<html>blocked</html>", False),
    ],
)
def test_only_a_refused_bearer_is_worth_a_refresh(status: int, content: bytes, *, expected: bool) -> None:
    assert is_token_rejection(status, content) is expected


def _connect_error() -> httpx.ConnectError:
    return httpx.ConnectError("[Errno 111] Connection refused")


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (httpx.ReadTimeout("x"), litellm.Timeout),
        (httpx.ConnectTimeout("x"), litellm.Timeout),
        (httpx.PoolTimeout("x"), litellm.Timeout),
        (asyncio.TimeoutError(), litellm.Timeout),
        (TimeoutError(), litellm.Timeout),
        (litellm.Timeout("x", "default-model-name", "litellm-httpx-handler"), litellm.Timeout),
        (_connect_error(), litellm.APIConnectionError),
        (httpx.RemoteProtocolError("peer closed"), litellm.APIConnectionError),
        (httpx.DecodingError("bad gzip"), litellm.APIConnectionError),
        (socket.gaierror("no such host"), litellm.APIConnectionError),
        (RuntimeError("client has been closed"), litellm.APIConnectionError),
    ],
)
def test_a_failed_send_becomes_timeout_or_connection_error(
    error: Exception, expected: type[Exception]
) -> None:
    mapped: Any = error_from_transport(error, context(timeout=12.5))
    assert type(mapped) is expected
    assert (mapped.model, mapped.llm_provider) == ("coder-model", "qwen_ai")
    assert ("12.5 s" in str(mapped)) is (expected is litellm.Timeout)


def test_a_failed_send_names_the_host_and_what_named_it() -> None:
    known = context(host="qwen.example:8443", origin="QWEN_API_BASE")
    for error in [
        error_from_transport(_connect_error(), known),
        error_from_transport(httpx.ConnectTimeout(""), known),
        cut_stream(known),
    ]:
        assert "(host qwen.example:8443, from QWEN_API_BASE)" in str(error)
    assert "host" not in str(error_from_transport(_connect_error(), context()))


def test_a_name_and_password_in_an_address_are_not_shown() -> None:
    error = httpx.ConnectError("[no way] http://u:hunter2secret@host:port, see https://x.test/@me")
    text = str(error_from_transport(error, context()))
    assert "http://***@host:port, see https://x.test/@me" in text


def test_what_aiohttp_shows_of_its_own_objects_is_left_out() -> None:
    said = "Cannot connect to host x:443 ssl:<ssl.SSLContext object at 0x7fab> [Name or service not known]"
    text = str(error_from_transport(httpx.ConnectError(said), context()))
    assert "Cannot connect to host x:443 [Name or service not known]. Check" in text


def test_what_a_connection_failed_of_is_cut_short() -> None:
    text = str(error_from_transport(httpx.ConnectError("word " * 1000), context()))
    assert "word word" in text
    assert len(text) < 600


def test_an_error_that_cannot_be_shown_is_told_by_its_kind() -> None:
    assert "<class 'set'>" in refusal_from_object({"message": {1}}, context()).message


def test_a_cut_stream_is_a_connection_error() -> None:
    assert isinstance(cut_stream(context()), litellm.APIConnectionError)


_HEADERS = st.dictionaries(
    st.sampled_from(["retry-after", "retry-after-ms", "x-request-id", "Content-Type"]), st.text(max_size=20)
)


@given(status=st.integers(300, 599), content=st.binary(max_size=400), headers=_HEADERS)
def test_any_answer_becomes_a_litellm_exception(status: int, content: bytes, headers: dict[str, str]) -> None:
    clean = {name: value.encode("utf-8", "replace").decode() for name, value in headers.items()}
    error = refused(status, content, clean)
    assert any(isinstance(error, known) for known in exceptions.LITELLM_EXCEPTION_TYPES)
    assert str(error)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["error", "message", "code", "type", "status", "request_id", "detail", "x"]),
            inner,
        )
    ),
    max_leaves=8,
)


@given(status=st.integers(300, 599), value=_JSON)
def test_any_json_body_becomes_a_litellm_exception(status: int, value: Any) -> None:
    error = refused(status, json.dumps(value).encode())
    assert any(isinstance(error, known) for known in exceptions.LITELLM_EXCEPTION_TYPES)


def hint(reason: Reason, words: str = "", **more: Any) -> str:
    return hint_for(reason, Refusal(400, "", raw=words), context(**more))


def test_each_reason_has_its_hint_for_a_login_and_for_a_key() -> None:
    hints = {
        (reason, with_login): hint(reason, with_login=with_login)
        for reason in Reason
        for with_login in (True, False)
    }
    told = {
        Reason.THROTTLED: "wait as long as Retry-After says",
        Reason.PAYMENT_REQUIRED: "no credit left",
        Reason.CODING_AGENTS_ONLY: "interactive coding agents",
        Reason.CONTEXT_WINDOW: "Shorten the conversation",
        Reason.CONTENT_POLICY: "will be refused again",
        Reason.NOT_FOUND: "Check the model's name",
        Reason.WRONG_METHOD: "OpenAI-compatible endpoint",
        Reason.REDIRECTED: "Redirects are not followed",
    }
    by_bearer = {
        (Reason.TOKEN_REJECTED, True): "The stored login is not accepted. Run `litellm-qwen-ai login`",
        (Reason.TOKEN_REJECTED, False): "Check the API key",
        (Reason.QUOTA_SPENT, True): "The quota of this login is spent",
        (Reason.QUOTA_SPENT, False): "The quota of this API key is spent",
        (Reason.NOT_PERMITTED, True): "This login may not use the model",
        (Reason.NOT_PERMITTED, False): "Check that the plan of this API key includes the model",
    }
    for (reason, with_login), said in hints.items():
        wanted = by_bearer.get((reason, with_login), told.get(reason, ""))
        assert wanted in said
        assert bool(said) is bool(wanted)
        assert MEND not in said  # no key here looks like one for another address


@pytest.mark.parametrize(
    ("words", "closed"),
    [
        ("the oauth service has been closed", True),
        ("the free tier was shut down", True),
        ("oauth is discontinued", True),
        ("oauth is no longer available", True),
        ("the free tier has ended", True),
        ("the model has ended", False),
        ("oauth and the free tier", False),
    ],
)
def test_the_end_of_the_free_tier_is_told_by_words_and_to_logins_alone(words: str, closed: bool) -> None:
    assert ("2026-04-15" in hint(Reason.BAD_REQUEST, words)) is closed
    assert hint(Reason.BAD_REQUEST, words, with_login=False) == ""


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("parameter enable_thinking must be false", "Stream the call, or pass enable_thinking=False."),
        ("tool_choice with thinking mode", "pass enable_thinking=False."),
        ("tool_choice is odd", ""),
        ("thinking is odd", ""),
    ],
)
def test_a_refusal_of_thinking_says_what_to_pass(words: str, said: str) -> None:
    for with_login in (True, False):
        found = hint(Reason.BAD_REQUEST, words, with_login=with_login)
        assert found.endswith(said)
        assert bool(found) is bool(said)


_NOT_REACHED = "Check that the address is right and that this machine, or the proxy it uses, reaches it."


@pytest.mark.parametrize(
    ("failure", "more", "said"),
    [
        (httpx.ReadTimeout("x"), {}, "Timed out waiting for Qwen. Raise `timeout=` or try again."),
        (
            httpx.ConnectTimeout("x"),
            {"timeout": 2.50, "host": "a"},
            "Timed out connecting to Qwen (timeout 2.5 s) (host a). Raise `timeout=` or try again.",
        ),
        (
            httpx.PoolTimeout("x"),
            {"host": "a", "origin": "b", "way": lambda _: ("Through a proxy.", ())},
            (
                "Timed out waiting for a free connection to Qwen (host a, from b). "
                "Raise `timeout=` or try again. Through a proxy."
            ),
        ),
        (TimeoutError("x"), {"origin": "b"}, "Timed out waiting for Qwen. Raise `timeout=` or try again."),
        (
            httpx.ConnectError("No route."),
            {"host": "a"},
            f"Cannot reach Qwen or lost the connection (host a): ConnectError: No route. {_NOT_REACHED}",
        ),
        (OSError(), {}, f"Cannot reach Qwen or lost the connection: OSError. {_NOT_REACHED}"),
        (
            httpx.ConnectError("at secret-1 and secret-2"),
            {"secrets": ("secret-1",), "way": lambda _: ("Mend the proxy.", ("secret-2",))},
            "Cannot reach Qwen or lost the connection: ConnectError: at *** and ***. Mend the proxy.",
        ),
        (
            ValueError("a piece of secret"),
            {"way": lambda _: ("Mend the proxy.", ("secret-2",))},
            "Cannot reach Qwen or lost the connection: ValueError. Mend the proxy.",
        ),
    ],
)
def test_a_failed_send_says_all_that_is_known_of_it_and_no_more(
    failure: Exception, more: dict[str, Any], said: str
) -> None:
    error: Any = error_from_transport(failure, context(**more))
    assert str(error).partition(": ")[2].removeprefix("APIConnectionError: ") == said
    assert error.request_id == ""


@pytest.mark.parametrize(
    ("content", "sent", "said"),
    [
        (b"", {}, "Qwen refused the call (HTTP 500): no message was given."),
        (b"so it is!", {}, "Qwen refused the call (HTTP 500): so it is!"),
        (body("so it is", "c", "r"), {}, "Qwen refused the call (HTTP 500, c): so it is. [request id r]"),
        (b"so it is", {"request-id": "h"}, "Qwen refused the call (HTTP 500): so it is. [request id h]"),
    ],
)
def test_a_refusal_says_all_that_is_known_of_it_and_no_more(
    content: bytes, sent: dict[str, str], said: str
) -> None:
    assert str(refused(500, content, sent)).partition(": ")[2].removeprefix("InternalServerError: ") == said


@pytest.mark.parametrize(("status", "waits"), [(429, "3600"), (402, "3600"), (500, None)])
def test_a_spent_account_rests_an_hour_where_the_server_names_no_time(status: int, waits: str | None) -> None:
    content = body("Free allocated quota exceeded.", "insufficient_quota" if status == 429 else "")
    assert refused(status, content).litellm_response_headers.get("retry-after") == waits
    assert refused(status, content, {"Retry-After": "7"}).litellm_response_headers["retry-after"] == "7"


def test_a_gateways_own_timeout_keeps_its_status() -> None:
    for status in (408, 504, 524):
        error = refused(status, b"")
        assert (error.status_code, error.response.status_code) == (status, status)
    assert error_from_transport(httpx.ReadTimeout("x"), context()).status_code == 408  # type: ignore[attr-defined]  # LiteLLM's
