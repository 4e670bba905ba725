"""What a server said when it refused: read from an HTTP answer, an SSE event or a chunk's text."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import TYPE_CHECKING, Any

from litellm_qwen_ai.chat.text import html_summary, json_value, looks_like_html, one_line, presentable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from typing_extensions import Self

    from litellm_qwen_ai.chat.context import AnswerContext

_CODE_LIMIT = 80
_REQUEST_ID_HEADERS = ("x-request-id", "x-dashscope-request-id", "request-id", "x-acs-request-id")


class Reason(str, Enum):
    """Why a call failed: `qwen_reason` of the exception, the class of that in LiteLLM, its status."""

    _value_: str
    error: str
    status: int

    def __new__(cls, value: str, error: str, status: int) -> Self:  # noqa: D102  # makes a member of its row
        reason = str.__new__(cls, value)
        reason._value_, reason.error, reason.status = value, error, status
        return reason

    TOKEN_REJECTED = "token_rejected", "AuthenticationError", 401
    QUOTA_SPENT = "quota_spent", "RateLimitError", 429
    THROTTLED = "throttled", "RateLimitError", 429
    CONTENT_POLICY = "content_policy", "ContentPolicyViolationError", 400
    CONTEXT_WINDOW = "context_window", "ContextWindowExceededError", 400
    PAYMENT_REQUIRED = "payment_required", "PaymentRequiredError", 402
    CODING_AGENTS_ONLY = "coding_agents_only", "PermissionDeniedError", 403
    NOT_PERMITTED = "not_permitted", "PermissionDeniedError", 403
    NOT_FOUND = "not_found", "NotFoundError", 404
    WRONG_METHOD = "wrong_method", "BadRequestError", 400
    TIMED_OUT = "timed_out", "Timeout", 408  # or the server's own: a gateway says 504 or 524
    UNPROCESSABLE = "unprocessable", "UnprocessableEntityError", 422
    BAD_REQUEST = "bad_request", "BadRequestError", 400
    REDIRECTED = "redirected", "APIConnectionError", 500
    BAD_GATEWAY = "bad_gateway", "BadGatewayError", 502
    UNAVAILABLE = "unavailable", "ServiceUnavailableError", 503
    SERVER_ERROR = "server_error", "InternalServerError", 500
    CONNECTION_LOST = "connection_lost", "APIConnectionError", 500


@dataclass(frozen=True)
class Refusal:
    """A refusal, normalised at the edge: what may be shown is one line, capped and redacted."""

    status: int | None  # None: the answer was a 200 that turned out to be an error
    message: str  # the server's own words
    code: str = ""  # the server's, or its type of error
    request_id: str = ""
    raw: str = field(default="", repr=False)  # the words before the cap, lower-cased, never shown


def read_refusal(status: int | None, body: bytes, context: AnswerContext) -> Refusal:
    """Read an error body of any shape: JSON in four dialects, HTML, plain text, nothing."""
    if looks_like_html(body):
        words = f"the answer was {html_summary(body)}"
        refusal = Refusal(status, presentable(words, context.secrets))
    elif (value := _json_object(body)) is not None:
        refusal = refusal_from_object(value, context, status)
    else:
        refusal = refusal_from_text(body[:65536].decode("utf-8", "replace"), context, status)
    if refusal.request_id:
        return refusal
    found = (context.headers.get(name) for name in _REQUEST_ID_HEADERS)
    request_id = next(filter(None, found), "")
    return replace(refusal, request_id=presentable(request_id, context.secrets, _CODE_LIMIT))


def refusal_from_object(
    value: Mapping[str, Any], context: AnswerContext, status: int | None = None
) -> Refusal:
    """Read an error object: OpenAI's `{"error": {...}}`, DashScope's flat `{"code", "message"}`, and kin."""
    error = value.get("error")
    inner: Mapping[str, Any] = error if isinstance(error, dict) else value
    words = (
        inner.get("message")
        or (error if isinstance(error, str) else None)
        or value.get("error_description")
        or value.get("message")
        or value.get("detail")
        or ""
    )
    text = words if isinstance(words, str) else _compact(words)
    code = _first_scalar(inner.get("code"), inner.get("type"))
    request_id = _first_scalar(value.get("request_id"), value.get("requestId"), inner.get("request_id"))
    return _worded(_status_in(inner) if status is None else status, text, context, code, request_id)


def refusal_from_text(text: str, context: AnswerContext, status: int | None = None) -> Refusal:
    """Read the error text of a chunk with `finish_reason` `error_finish`: plain words or JSON."""
    value = _json_object(text.encode("utf-8", "replace"))
    return _worded(status, text, context) if value is None else refusal_from_object(value, context, status)


def _worded(
    status: int | None, text: str, context: AnswerContext, code: str = "", request_id: str = ""
) -> Refusal:
    message = presentable(text, context.secrets) or "no message was given"
    code, request_id = (presentable(said, context.secrets, _CODE_LIMIT) for said in (code, request_id))
    return Refusal(status, message, code, request_id, text[:4000].lower())


def is_error_object(value: Mapping[str, Any]) -> bool:
    """Whether a JSON object of a 200 answer is an error: `error` with something in it, or a flat one."""
    if value.get("error"):
        return True
    return not value.get("choices") and bool(value.get("code")) and "message" in value


def reason_of(refusal: Refusal) -> Reason:
    """Decide by status and code; by words only where the server gives nothing better."""
    status = refusal.status
    # `data_inspection_failed` and `DataInspectionFailed` are one code.
    code = re.sub("[_ -]", "", refusal.code).lower()
    for reason, statuses, codes, words in _SIGNS:
        if (statuses is None or status in statuses) and (
            (codes and re.fullmatch(codes, code)) or (words and re.search(words, refusal.raw))
        ):
            return reason
    if status is None:
        return Reason.SERVER_ERROR
    return _BY_STATUS.get(status) or _BY_CLASS.get(status // 100, Reason.SERVER_ERROR)


#: What tells a reason, the first that fits: the statuses it comes with (no status: inside an answer; no set:
#: any), and patterns for the code, without its punctuation, and for the words.
_SIGNS: tuple[tuple[Reason, set[int | None] | None, str, str], ...] = (
    (
        Reason.QUOTA_SPENT,
        {403, 429, None},
        r"insufficientquota|allocationquota\.freetieronly",
        "free allocated quota exceeded",
    ),
    (Reason.CONTENT_POLICY, None, "datainspectionfailed", ""),
    (Reason.CONTENT_POLICY, {400, None}, "", "data_inspection_failed|inappropriate content"),
    (Reason.CONTEXT_WINDOW, None, "contextlengthexceeded", ""),
    (Reason.CONTEXT_WINDOW, {400, 413, None}, "", "range of input length should be|maximum context length"),
    (Reason.CONTEXT_WINDOW, {400, 413, None}, "", "context_length_exceeded|input length .{0,40}exceed"),
    (Reason.PAYMENT_REQUIRED, None, "arrearage", ""),
    (Reason.CODING_AGENTS_ONLY, {403, 405, None}, "", "coding agents"),
    (Reason.TOKEN_REJECTED, {401}, ".*", ""),
    (
        Reason.TOKEN_REJECTED,
        {403, None},
        "invalidapikey|invalidaccesstoken|accesstokenexpired|tokenexpired|unauthorized",
        "invalid access token|token expired|incorrect api key|invalid api[- ]key",
    ),
    (Reason.THROTTLED, None, "(throttling|ratelimit|limitrequests).*", ""),
    (Reason.THROTTLED, {None}, "", r"rate limit|throttl|too many requests|\b429\b"),
    (Reason.BAD_REQUEST, {None}, "invalidparametererror|invalidparameter|invalidrequesterror", ""),
)
_BY_STATUS = {
    402: Reason.PAYMENT_REQUIRED,
    403: Reason.NOT_PERMITTED,
    404: Reason.NOT_FOUND,
    405: Reason.WRONG_METHOD,
    408: Reason.TIMED_OUT,
    422: Reason.UNPROCESSABLE,
    429: Reason.THROTTLED,
    502: Reason.BAD_GATEWAY,
    503: Reason.UNAVAILABLE,
    504: Reason.TIMED_OUT,  # as LiteLLM's own providers map a gateway timeout
    524: Reason.TIMED_OUT,
}
_BY_CLASS = {3: Reason.REDIRECTED, 4: Reason.BAD_REQUEST}  # any other is the server's error


def _first_scalar(*values: object) -> str:
    """The first that is a number or a text that says something, as a text."""
    return next((str(value) for value in values if type(value) is int or (value and type(value) is str)), "")


def _status_in(inner: Mapping[str, Any]) -> int | None:
    """A 200 that holds an error often names the status it would have had."""
    for name in ("status_code", "status", "http_status", "code"):
        value = inner.get(name)
        if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) == 3:  # noqa: PLR2004  # HTTP statuses
            value = int(value)
        if isinstance(value, int) and 400 <= value <= 599:  # noqa: PLR2004  # HTTP statuses
            return value
    return None


def _json_object(body: bytes) -> dict[str, Any] | None:
    head = body[:64].lstrip(b"\xef\xbb\xbf \t\r\n")
    if not head.startswith(b"{"):
        return None
    try:
        value = json_value(body)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _compact(value: object) -> str:
    try:
        return json.dumps(value, ensure_ascii=False)
    except (ValueError, TypeError, RecursionError):
        return one_line(str(type(value)))
