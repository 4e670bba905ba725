"""What a server said when it refused: read from an HTTP answer, an SSE event or a chunk's text."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import TYPE_CHECKING, Any

from litellm_qwen_ai.chat.text import html_summary, looks_like_html, one_line, presentable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from litellm_qwen_ai.chat.context import AnswerContext

_PARSE_LIMIT = 1 << 20  # bytes: an error body beyond 1 MiB is not worth parsing
_CODE_LIMIT = 80
_REQUEST_ID_HEADERS = ("x-request-id", "x-dashscope-request-id", "request-id", "x-acs-request-id")
_MIN_STATUS, _MAX_STATUS = 400, 599


class Reason(str, Enum):
    """Why a call failed. The value is kept on the exception as `qwen_reason`."""

    TOKEN_REJECTED = "token_rejected"  # noqa: S105  # a reason's name, no token
    QUOTA_SPENT = "quota_spent"
    THROTTLED = "throttled"
    CONTENT_POLICY = "content_policy"
    CONTEXT_WINDOW = "context_window"
    PAYMENT_REQUIRED = "payment_required"
    CODING_AGENTS_ONLY = "coding_agents_only"
    NOT_PERMITTED = "not_permitted"
    NOT_FOUND = "not_found"
    WRONG_METHOD = "wrong_method"
    TIMED_OUT = "timed_out"
    UNPROCESSABLE = "unprocessable"
    BAD_REQUEST = "bad_request"
    REDIRECTED = "redirected"
    BAD_GATEWAY = "bad_gateway"
    UNAVAILABLE = "unavailable"
    SERVER_ERROR = "server_error"
    CONNECTION_LOST = "connection_lost"


@dataclass(frozen=True)
class Refusal:
    """A refusal, normalised at the edge.

    Attributes:
        status: HTTP status, or None when the answer was a 200 that turned out to be an error.
        message: The server's own words: one line, capped, redacted.
        code: The server's error code (or type), as sent; empty if there was none.
        request_id: The server's request id; empty if there was none.
        raw: The server's words before the cap, lower-cased, for recognising them; never shown.
    """

    status: int | None
    message: str
    code: str = ""
    request_id: str = ""
    raw: str = field(default="", repr=False)


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
    words = next(
        (
            text
            for text in (
                inner.get("message"),
                error if isinstance(error, str) else None,
                value.get("error_description"),
                value.get("message"),
                value.get("detail"),
            )
            if text
        ),
        "",
    )
    text = words if isinstance(words, str) else _compact(words)
    code = next((str(item) for item in (inner.get("code"), inner.get("type")) if _is_scalar(item)), "")
    request_id = next(
        (
            str(item)
            for item in (value.get("request_id"), value.get("requestId"), inner.get("request_id"))
            if _is_scalar(item)
        ),
        "",
    )
    return Refusal(
        status=status if status is not None else _status_in(inner),
        message=presentable(text, context.secrets) or "no message was given",
        code=presentable(code, context.secrets, _CODE_LIMIT),
        request_id=presentable(request_id, context.secrets, _CODE_LIMIT),
        raw=text[:4000].lower(),
    )


def refusal_from_text(text: str, context: AnswerContext, status: int | None = None) -> Refusal:
    """Read the error text of a chunk with `finish_reason` `error_finish`: plain words or JSON."""
    value = _json_object(text.encode("utf-8", "replace"))
    if value is not None:
        return refusal_from_object(value, context, status)
    message = presentable(text, context.secrets) or "no message was given"
    return Refusal(status, message, raw=text[:4000].lower())


def is_error_object(value: Mapping[str, Any]) -> bool:
    """Whether a JSON object of a 200 answer is an error: `error` with something in it, or a flat one."""
    if value.get("error"):
        return True
    return not value.get("choices") and bool(value.get("code")) and "message" in value


def reason_of(refusal: Refusal) -> Reason:
    """Decide by status and code; by words only where the server gives nothing better."""
    code = _squash(refusal.code)
    for reason, recognise in _RECOGNISERS:
        if recognise(refusal.status, code, refusal.raw):
            return reason
    if refusal.status is None:
        return Reason.SERVER_ERROR
    return _BY_STATUS.get(refusal.status) or _by_status_class(refusal.status)


def _is_token_refusal(status: int | None, code: str, text: str) -> bool:
    """Whether the bearer itself was refused (401; or 403 and in-stream errors that say so)."""
    if status == 401:  # noqa: PLR2004  # the HTTP status
        return True
    if status not in {403, None}:
        return False
    return code in _TOKEN_CODES or any(words in text for words in _TOKEN_WORDS)


def _is_quota(status: int | None, code: str, text: str) -> bool:
    if status not in {403, 429, None}:
        return False
    return code in _QUOTA_CODES or "free allocated quota exceeded" in text


def _is_throttled(status: int | None, code: str, text: str) -> bool:
    if status == 429 or code.startswith(("throttling", "ratelimit", "limitrequests")):  # noqa: PLR2004  # HTTP statuses
        return True
    return status is None and bool(_THROTTLE_WORDS.search(text))


def _is_content_policy(status: int | None, code: str, text: str) -> bool:
    return code == "datainspectionfailed" or (
        status in {400, None} and ("data_inspection_failed" in text or "inappropriate content" in text)
    )


def _is_context_window(status: int | None, code: str, text: str) -> bool:
    if code == "contextlengthexceeded":
        return True
    return status in {400, 413, None} and bool(_CONTEXT_WORDS.search(text))


def _is_coding_agents(status: int | None, code: str, text: str) -> bool:  # noqa: ARG001  # one shape for all
    return status in {403, 405, None} and "coding agents" in text


def _is_invalid_parameter(status: int | None, code: str, text: str) -> bool:  # noqa: ARG001  # one shape for all
    return status is None and code in {"invalidparametererror", "invalidparameter", "invalidrequesterror"}


_QUOTA_CODES = {"insufficientquota", "allocationquota.freetieronly"}
_TOKEN_CODES = {"invalidapikey", "invalidaccesstoken", "accesstokenexpired", "tokenexpired", "unauthorized"}
_TOKEN_WORDS = (
    "invalid access token",
    "token expired",
    "incorrect api key",
    "invalid api-key",
    "invalid api key",
)
_THROTTLE_WORDS = re.compile(r"rate limit|throttl|too many requests|\b429\b")
_CONTEXT_WORDS = re.compile(
    r"range of input length should be|maximum context length|context_length_exceeded"
    r"|input length .{0,40}exceed"
)
_RECOGNISERS = (
    (Reason.QUOTA_SPENT, _is_quota),
    (Reason.CONTENT_POLICY, _is_content_policy),
    (Reason.CONTEXT_WINDOW, _is_context_window),
    (Reason.CODING_AGENTS_ONLY, _is_coding_agents),
    (Reason.TOKEN_REJECTED, _is_token_refusal),
    (Reason.THROTTLED, _is_throttled),
    (Reason.BAD_REQUEST, _is_invalid_parameter),
)
_BY_STATUS = {
    400: Reason.BAD_REQUEST,
    402: Reason.PAYMENT_REQUIRED,
    403: Reason.NOT_PERMITTED,
    404: Reason.NOT_FOUND,
    405: Reason.WRONG_METHOD,
    408: Reason.TIMED_OUT,
    422: Reason.UNPROCESSABLE,
    500: Reason.SERVER_ERROR,
    502: Reason.BAD_GATEWAY,
    503: Reason.UNAVAILABLE,
    504: Reason.TIMED_OUT,  # as LiteLLM's own providers map a gateway timeout
    524: Reason.TIMED_OUT,
}


def _by_status_class(status: int) -> Reason:
    if 300 <= status < _MIN_STATUS:  # noqa: PLR2004  # the HTTP class of redirects
        return Reason.REDIRECTED
    return Reason.BAD_REQUEST if _MIN_STATUS <= status < 500 else Reason.SERVER_ERROR  # noqa: PLR2004  # HTTP statuses


def _squash(code: str) -> str:
    """`data_inspection_failed` and `DataInspectionFailed` are one code."""
    return code.replace("_", "").replace("-", "").replace(" ", "").lower()


def _is_scalar(value: object) -> bool:
    return isinstance(value, (str, int)) and not isinstance(value, bool) and value != ""


def _status_in(inner: Mapping[str, Any]) -> int | None:
    """A 200 that holds an error often names the status it would have had."""
    for name in ("status_code", "status", "http_status", "code"):
        value = inner.get(name)
        if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) == 3:  # noqa: PLR2004  # HTTP statuses
            value = int(value)
        if isinstance(value, int) and _MIN_STATUS <= value <= _MAX_STATUS:
            return value
    return None


def _json_object(body: bytes) -> dict[str, Any] | None:
    head = body[:64].lstrip(b"\xef\xbb\xbf \t\r\n")
    if len(body) > _PARSE_LIMIT or not head.startswith(b"{"):
        return None
    try:
        value = json.loads(body.decode("utf-8-sig", "replace"))
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _compact(value: object) -> str:
    try:
        return json.dumps(value, ensure_ascii=False)
    except (ValueError, TypeError, RecursionError):
        return one_line(str(type(value)))
