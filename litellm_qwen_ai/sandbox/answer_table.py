"""Every answer that is known of Qwen, by endpoint and name: data only.

`Sandbox.answer_next("chat", "quota_spent")`, `POST /sandbox/next` and the model name `sandbox/quota_spent`
ask for them; `GET /sandbox/answers` lists them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from litellm_qwen_ai.sandbox.answers import REQUEST_ID, Answer

if TYPE_CHECKING:
    from collections.abc import Mapping

_GATEWAY_HTML = (
    "<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{title}</h1></center>\r\n"
    "<hr><center>sandbox gateway</center>\r\n</body>\r\n</html>\r\n"
)
_CAPTCHA_HTML = (
    "<!doctype html><html><head><title>Verification</title></head>"
    "<body><div id='captcha'>Slide to verify that you are a person</div></body></html>"
)
_ELSEWHERE = {"location": "https://elsewhere.invalid/login"}
_HUGE = b'{"filler": "' + b"x" * 1_000_000 + b'"}'
_DEEP = b"[" * 100_000
_NOT_UTF8 = b'{"access_token": "\xff\xfe", "choices": "\xff"}'


def _html(title: str) -> str:
    return _GATEWAY_HTML.format(title=title)


def _oauth(error: str, description: str) -> dict[str, str]:
    return {"error": error, "error_description": description}


def _chat(code: str | None, message: str, kind: str = "invalid_request_error") -> dict[str, Any]:
    error = {"message": message, "type": kind, "param": None, "code": code}
    return {"error": error, "request_id": REQUEST_ID}


# Not Qwen's words but any server's on a bad day: the same at each OAuth endpoint.
_BAD_DAY: Mapping[str, Answer] = {
    "throttled": Answer(
        "too many requests; no OAuth error code", 429, {"message": "Too many requests"}, {"retry-after": "7"}
    ),
    "server_error": Answer("server side, try later", 500, {"message": "internal error"}),
    "html_502": Answer("server side, try later", 502, _html("502 Bad Gateway")),
    "html_503": Answer("server side, try later", 503, _html("503 Service Unavailable")),
    "html_504": Answer("server side, try later", 504, _html("504 Gateway Time-out")),
    "captcha_html": Answer("a firewall's captcha page instead of JSON", 200, _CAPTCHA_HTML),
    "empty": Answer("nothing at all with status 200", 200, b""),
    "not_json": Answer("text that is no JSON, announced as JSON", 200, b"service busy"),
    "json_list": Answer("JSON of the wrong shape", 200, b"[]"),
    "invalid_utf8": Answer("bytes that are no UTF-8, announced as JSON", 200, _NOT_UTF8),
    "deeply_nested": Answer("JSON nested beyond what parsers take", 200, _DEEP),
    "huge": Answer("a megabyte of nothing", 200, _HUGE),
    "packed": Answer(
        "an encoding that nobody asked for", 200, b"\x1f\x8b\x08\x00", {"content-encoding": "gzip"}
    ),
    "redirect": Answer("leads to another host; not to be followed", 302, b"", _ELSEWHERE),
    "cut": Answer("the connection breaks without an answer", cut=True),
    "cut_body": Answer(
        "the connection breaks inside the body",
        200,
        b'{"access_token": "',
        {"content-length": "400"},
        cut=True,
    ),
    "error_in_200": Answer(
        "status 200 with an OAuth error", 200, _oauth("temporarily_unavailable", "Please try again later")
    ),
}

# What a hostile server could put into tokens, for a poll and for a refresh.
_ODD_TOKENS: Mapping[str, Answer] = {
    "token_with_line_end": Answer("a second header", patch={"access_token": "a\r\nX-Injected: 1"}),
    "token_with_nul": Answer("a token that no header can hold", patch={"access_token": "a\x00b"}),
    "token_not_ascii": Answer("a token that no header can hold", patch={"access_token": "a\u2028\u00e9"}),
    "token_of_wrong_type": Answer("a token that is no text", patch={"access_token": ["a"]}),
    "private_resource_url": Answer(
        "a base URL that must not get a token", patch={"resource_url": "https://10.0.0.7/v1"}
    ),
    "password_in_resource_url": Answer(
        "a base URL that must not get a token", patch={"resource_url": "https://me:pw@portal.example/v1"}
    ),
    "plain_http_resource_url": Answer(
        "a base URL that must not get a token", patch={"resource_url": "http://portal.example/v1"}
    ),
}

_DEVICE: Mapping[str, Answer] = {
    **_BAD_DAY,
    "invalid_client": Answer(
        "the client id is not known", 401, _oauth("invalid_client", "Client authentication failed")
    ),
    "missing_fields": Answer(
        "a device code without user code or URI", 200, {"device_code": "d", "expires_in": 900}
    ),
    "wrong_types": Answer(
        "members of the wrong type",
        200,
        {"device_code": 7, "user_code": None, "verification_uri": [], "expires_in": "soon"},
    ),
    "long_lifetime": Answer("the longer lifetime that was seen", patch={"expires_in": 1800}),
    "interval_7": Answer("an interval, which Qwen does not send but RFC 8628 has", patch={"interval": 7}),
    "interval_string": Answer("an interval of the wrong type", patch={"interval": "soon"}),
    "negative_lifetime": Answer("an absurd lifetime", patch={"expires_in": -1}),
    "endless_lifetime": Answer("an absurd lifetime", patch={"expires_in": 10**15}),
    "wrong_pages": Answer(
        "a page that no browser should open", patch={"verification_uri_complete": "file:///etc/passwd"}
    ),
    "without_complete_uri": Answer(
        "the optional verification_uri_complete is missing", without=("verification_uri_complete",)
    ),
}

_TOKEN: Mapping[str, Answer] = {
    **_BAD_DAY,
    **_ODD_TOKENS,
    "authorization_pending": Answer("keep polling", 400, _oauth("authorization_pending", "Not approved yet")),
    "slow_down": Answer("five seconds more from now on", 429, _oauth("slow_down", "Polling too fast")),
    "slow_down_400": Answer("five seconds more from now on", 400, _oauth("slow_down", "Polling too fast")),
    "expired_token": Answer(
        "the login took too long", 400, _oauth("expired_token", "The device code has expired")
    ),
    "access_denied": Answer("the user said no", 400, _oauth("access_denied", "The user denied the request")),
    "invalid_grant": Answer("ends the login", 400, _oauth("invalid_grant", "The device code is not valid")),
    "unauthorized": Answer("ends the login", 401, _oauth("invalid_client", "Client authentication failed")),
    "null_access_token": Answer("not yet", 200, {"access_token": None, "token_type": "Bearer"}),
    "empty_access_token": Answer("not yet", 200, {"access_token": "", "token_type": "Bearer"}),
    "null_refresh_token": Answer("a login that cannot be renewed", patch={"refresh_token": None}),
    "with_id_token": Answer("an id_token comes along", patch={"id_token": "eyJhbGciOiJub25lIn0.e30."}),
    "without_resource_url": Answer("no resource_url", without=("resource_url",)),
    "without_scope": Answer("no scope", without=("scope",)),
    "without_lifetime": Answer("no expires_in", without=("expires_in",)),
    "bare_resource_url": Answer("the host only, as Qwen sends it", patch={"resource_url": "portal.qwen.ai"}),
    "string_lifetime": Answer("expires_in as text", patch={"expires_in": "21600"}),
    "negative_lifetime": Answer("an absurd lifetime", patch={"expires_in": -1}),
    "endless_lifetime": Answer("an absurd lifetime", patch={"expires_in": 10**15}),
}

_REFRESH: Mapping[str, Answer] = {
    **_BAD_DAY,
    **_ODD_TOKENS,
    "bad_refresh_token": Answer(
        "log in again: the real words",
        400,
        _oauth("invalid_request", "Invalid refresh token or client_id"),
    ),
    "bad_refresh_token_401": Answer(
        "log in again", 401, _oauth("invalid_request", "Invalid refresh token or client_id")
    ),
    "invalid_grant": Answer(
        "log in again: RFC 6749's word", 400, _oauth("invalid_grant", "Token is revoked")
    ),
    "bad_request_without_error": Answer("status 400 without an OAuth error", 400, {"message": "bad request"}),
    "throttled_without_header": Answer(
        "too many requests, no Retry-After", 429, {"message": "Too many requests"}
    ),
    "null_access_token": Answer("no token after all; transient", 200, {"access_token": None}),
    "without_refresh_token": Answer(
        "keep the old refresh token, which stays alive", without=("refresh_token",)
    ),
    "without_resource_url": Answer("keep the old resource_url", without=("resource_url",)),
    "without_scope": Answer("keep the old scope", without=("scope",)),
    "without_lifetime": Answer("no expires_in", without=("expires_in",)),
    "string_lifetime": Answer("expires_in as text", patch={"expires_in": "21600"}),
    "negative_lifetime": Answer("an absurd lifetime", patch={"expires_in": -1}),
    "endless_lifetime": Answer("an absurd lifetime", patch={"expires_in": 10**15}),
}

_TOKEN_EXPIRED = _chat("invalid_api_key", "invalid access token or token expired")
_QUOTA = _chat("insufficient_quota", "Free allocated quota exceeded.", "insufficient_quota")
_INSPECTION = "Input data may contain inappropriate content."
_THROTTLED = "Requests throttling triggered, please try again later."

CHAT_ERRORS: Mapping[str, Answer] = {
    "token_expired": Answer("one refresh and one retry, then give up", 401, _TOKEN_EXPIRED),
    "token_expired_403": Answer("the same with status 403", 403, _TOKEN_EXPIRED),
    "quota_spent": Answer("the free quota is spent; retrying now is useless", 429, _QUOTA),
    "quota_spent_403": Answer("the same with status 403", 403, _QUOTA),
    "throttled": Answer(
        "rate limit with Retry-After in seconds",
        429,
        _chat("Throttling.RateQuota", _THROTTLED, "rate_limit_error"),
        {"retry-after": "3"},
    ),
    "throttled_ms": Answer(
        "rate limit with retry-after-ms",
        429,
        _chat("Throttling", _THROTTLED, "rate_limit_error"),
        {"retry-after-ms": "1500"},
    ),
    "rate_limit": Answer(
        "rate limit without a time",
        429,
        _chat("limit_requests", "Requests rate limit exceeded, please try again later.", "limit_requests"),
    ),
    "inspection_failed": Answer(
        "content policy, never retry", 400, _chat("data_inspection_failed", _INSPECTION)
    ),
    "inspection_failed_legacy": Answer(
        "content policy in the older spelling", 400, _chat("DataInspectionFailed", _INSPECTION)
    ),
    "too_long": Answer(
        "context window exceeded",
        400,
        _chat("invalid_parameter_error", "Range of input length should be [1, 1000000]"),
    ),
    "bad_parameter": Answer("bad request", 400, _chat("invalid_parameter_error", "bad request")),
    "bad_parameter_legacy": Answer(
        "bad request in the older spelling", 400, _chat("InvalidParameter", "Required body invalid")
    ),
    "model_not_supported": Answer(
        "bad request", 400, _chat("invalid_parameter_error", "model `coder-model` is not supported.")
    ),
    "no_credit": Answer("payment required", 402, _chat("insufficient_credits", "Insufficient credits.")),
    "overdue": Answer(
        "payment required, as Model Studio says it",
        400,
        _chat("Arrearage", "Access denied, please make sure your account is in good standing.", "Arrearage"),
    ),
    "model_not_in_plan": Answer(
        "permission denied",
        403,
        _chat("access_denied", "The model is not included in your plan.", "access_denied"),
    ),
    "not_found": Answer(
        "no such model",
        404,
        _chat("model_not_found", "The model does not exist or you do not have access to it."),
    ),
    "agents_only": Answer(
        "the plan is not for this use",
        405,
        _chat(None, "Coding Plan is currently only available for Coding Agents"),
    ),
    "server_error": Answer(
        "retryable", 500, _chat("internal_error", "An internal error has occurred.", "server_error")
    ),
    "html_502": Answer("retryable, HTML", 502, _html("502 Bad Gateway")),
    "unavailable": Answer(
        "retryable", 503, _chat("service_unavailable", "Service is overloaded.", "server_error")
    ),
    "html_503": Answer("retryable, HTML", 503, _html("503 Service Unavailable")),
    "timeout": Answer("retryable", 504, _chat("RequestTimeOut", "Request timed out, please try again.")),
    "html_504": Answer("retryable, HTML", 504, _html("504 Gateway Time-out")),
    "redirect": Answer("leads to another host; the token must not go there", 302, b"", _ELSEWHERE),
    "cut": Answer("the connection breaks without an answer", cut=True),
    "empty_200": Answer("nothing at all with status 200", 200, b""),
    "html_200": Answer("HTML instead of the answer", 200, _CAPTCHA_HTML),
    "error_in_200": Answer("status 200 with an error object", 200, _QUOTA),
    "not_json_200": Answer("text that is no JSON", 200, b"service busy"),
    "truncated_200": Answer("JSON that ends early", 200, b'{"id":"chatcmpl-1","choices":[{"index":0,"mess'),
    "no_choices_200": Answer(
        "an answer without choices", 200, {"id": "chatcmpl-1", "object": "chat.completion"}
    ),
    "wrong_types_200": Answer("members of the wrong type", 200, {"id": 7, "choices": "none", "usage": []}),
    "json_list_200": Answer("JSON of the wrong shape", 200, b"[]"),
    "invalid_utf8_200": Answer("bytes that are no UTF-8, announced as JSON", 200, _NOT_UTF8),
    "deeply_nested_200": Answer("JSON nested beyond what parsers take", 200, _DEEP),
    "huge_200": Answer("a megabyte of nothing", 200, _HUGE),
    "huge_503": Answer("a megabyte of nothing, as an error", 503, _HUGE),
    "packed_200": Answer(
        "an encoding that nobody asked for", 200, b"\x0b\x02\x80", {"content-encoding": "br"}
    ),
}

# What each does is in faults.py. Without a stream the call gets the nearest thing to it.
_CHAT_FAULTS: Mapping[str, str] = {
    "stream_cut": "the connection breaks in the middle",
    "stream_ends_early": "a clean end without finish_reason and without [DONE]",
    "no_done": "complete, but [DONE] is missing",
    "no_finish": "[DONE] comes without a finish_reason",
    "error_event": "event:error in the middle: throttled (429)",
    "error_event_quota": "event:error in the middle: quota spent (429)",
    "error_event_inspection": "event:error in the middle: content policy (400)",
    "error_first": "event:error before any chunk: throttled (429)",
    "error_finish": "a chunk with finish_reason error_finish whose content is the error text",
    "html_stream": "HTML instead of the stream",
    "json_error_stream": "an error object as JSON instead of the stream",
    "empty_stream": "an event stream without a single event",
    "garbage_chunk": "a data line that is no JSON",
    "list_chunk": "a data line whose JSON is a list",
    "deep_chunk": "a data line nested beyond what parsers take",
    "wrong_types_chunk": "a chunk with members of the wrong type",
    "invalid_utf8_chunk": "a data line that is no UTF-8 and no JSON",
    "huge_line": "a line of 17 MB, longer than any event",
    "crlf": "lines end in CR LF",
    "split_utf8": "writes end inside UTF-8 characters",
    "byte_by_byte": "one byte for each write",
    "one_write": "the whole stream in one write",
    "no_space": "data: without the space",
    "byte_order_mark": "a byte order mark before the first event",
    "data_lines": "the JSON of an event spread over several data lines",
    "many_pings": "a comment before every event",
    "reused_index": "every tool call has index 0, with different ids",
    "replayed_arguments": "complete arguments sent again for a known id",
    "repeated_finish": "the finish chunk twice",
    "stop_after_tools": "finish_reason stop although tools were called",
    "usage_with_finish": "usage in the finish chunk instead of its own",
    "no_usage": "no usage although it was asked for",
    "bare_deltas": "deltas without role and without content",
}

# Whether the real endpoint has such a list is not known.
_MODELS: Mapping[str, Answer] = {
    name: CHAT_ERRORS[name]
    for name in (
        *("token_expired", "token_expired_403", "quota_spent", "throttled", "model_not_in_plan"),
        *("not_found", "server_error", "html_504", "redirect", "cut", "empty_200", "html_200"),
    )
}

ANSWERS: Mapping[str, Mapping[str, Answer]] = {
    "device": _DEVICE,
    "token": _TOKEN,
    "refresh": _REFRESH,
    "chat": {
        **CHAT_ERRORS,
        **{name: Answer(meaning, fault=name) for name, meaning in _CHAT_FAULTS.items()},
    },
    "models": _MODELS,
}
