"""A refusal or a failure to the litellm exception a built-in provider would raise.

Nothing here raises: each function returns the exception, so that the caller's `raise ... from` reads plainly.

Every exception carries, besides LiteLLM's own fields, `litellm_response_headers` (what Router's back-off and
the proxy read), `qwen_reason` (a value of `refusal.Reason`) and `request_id` (the server's, or "").

Where a quota or a credit is spent and the server names no time, `Retry-After` says `SPENT_SECONDS`: Router
takes its cooldown from there, and its own 5 seconds would send every few calls into the same refusal.

`refusal.py` reads what the server said and why it refused, and has the exception for each reason.
"""

from __future__ import annotations

import asyncio
import json
import math
import re
from typing import TYPE_CHECKING, Any

import httpx
import litellm

from litellm_qwen_ai.chat.context import AnswerContext
from litellm_qwen_ai.chat.hints import hint_for
from litellm_qwen_ai.chat.refusal import Reason, Refusal, read_refusal, reason_of
from litellm_qwen_ai.chat.text import presentable
from litellm_qwen_ai.names import PROVIDER
from litellm_qwen_ai.retry_after import retry_after

if TYPE_CHECKING:
    from collections.abc import Mapping


#: Seconds a spent account rests where the server names no time: long enough to matter to a Router with
#: several accounts, short enough that a new day's quota, or a payment, is noticed within the hour.
SPENT_SECONDS = 3600
_SSL_OBJECT = re.compile(r" ssl:(<[^>]*>|\w+)")  # aiohttp shows the object, which says nothing
_TIMEOUTS = (httpx.TimeoutException, TimeoutError, asyncio.TimeoutError, litellm.exceptions.Timeout)
# The body was decoded, and a cookie is nobody's business but the server's.
_DROPPED_HEADERS = {"content-encoding", "content-length", "transfer-encoding", "set-cookie", "connection"}


class UnsendableError(Exception):
    """Something in a call cannot be sent; the text says what, where, and what to do. See `build_request`."""


def error_from_response(status: int, body: bytes, context: AnswerContext) -> Exception:
    """The litellm exception for an answer that is not 2xx; its headers are in the context."""
    return error_from_refusal(read_refusal(status, body, context), context)


def error_from_refusal(refusal: Refusal, context: AnswerContext) -> Exception:
    """The litellm exception for a refusal that was read already (in-stream errors come this way)."""
    reason = reason_of(refusal)
    shown = f"HTTP {refusal.status}" if refusal.status is not None else "error inside the answer"
    said = f"Qwen refused the call ({shown}{', ' + refusal.code if refusal.code else ''}): {refusal.message}"
    parts = [
        f"{said}." if said[-1].isalnum() else said,
        f"[request id {refusal.request_id}]" if refusal.request_id else "",
        hint_for(reason, refusal, context),
    ]
    return _build(reason, " ".join(filter(None, parts)), refusal, context)


def malformed_answer(what: str, context: AnswerContext) -> Exception:
    """A 200 that is no chat answer: the server's fault, worth a retry."""
    message = f"Qwen sent an answer that cannot be used: {what}"
    return _build(Reason.SERVER_ERROR, message, Refusal(None, what), context)


def cut_stream(context: AnswerContext) -> Exception:
    """The stream ended without a finish reason and without `[DONE]`."""
    said = "The connection was closed before the answer was complete (no finish_reason, no [DONE])"
    return _lost(Reason.CONNECTION_LOST, f"{said}{_where(context)}.", context)


def bad_request(message: str, *, model: str) -> Exception:
    """The caller's own mistake, found before anything was sent."""
    return _build(Reason.BAD_REQUEST, message, Refusal(400, message), AnswerContext(model))


def error_from_transport(error: BaseException, context: AnswerContext) -> Exception:
    """The `litellm.Timeout` or `litellm.APIConnectionError` for a send or read that failed.

    A litellm.Timeout that LiteLLM's client raised is made anew: it names no model.
    """
    name = type(error).__name__
    way, secrets = context.way(error) if context.way else ("", ())
    if isinstance(error, _TIMEOUTS):
        limit = f" (timeout {context.timeout:g} s)" if context.timeout is not None else ""
        phases = {"ConnectTimeout": "connecting to", "PoolTimeout": "waiting for a free connection to"}
        said = f"Timed out {phases.get(name, 'waiting for')} Qwen{limit}{_where(context)}."
        return _lost(Reason.TIMED_OUT, f"{said} Raise `timeout=` or try again. {way}".rstrip(), context)
    detail = presentable(_SSL_OBJECT.sub("", str(error)), (*context.secrets, *secrets), 300).rstrip(".")
    if secrets and not isinstance(error, httpx.TransportError):
        detail = ""  # no client could be made: a fault of the proxy's address, which may show any piece of it
    message = (
        f"Cannot reach Qwen or lost the connection{_where(context)}: {name}{detail and ': ' + detail}. "
        f"{way or 'Check that the address is right and that this machine, or the proxy it uses, reaches it.'}"
    )
    return _lost(Reason.CONNECTION_LOST, message, context)


def _where(context: AnswerContext) -> str:
    """The host that was called and what named it, in brackets; empty if it is not known."""
    origin = f", from {context.origin}" if context.origin else ""
    return f" (host {context.host}{origin})" if context.host else ""


def is_token_rejection(status: int, body: bytes) -> bool:
    """Whether the server refused the bearer itself, so that one refresh and one retry may help."""
    if status not in {401, 403}:
        return False
    return reason_of(read_refusal(status, body, AnswerContext(""))) is Reason.TOKEN_REJECTED


def _lost(reason: Reason, message: str, context: AnswerContext) -> Exception:
    """For a failure that no answer tells of: a wait named in the headers before it was not meant for it."""
    return _build(reason, message, Refusal(None, message), context.answered({}))


def _build(reason: Reason, message: str, refusal: Refusal, context: AnswerContext) -> Exception:
    kept = _kept_headers(context.headers)
    if reason in {Reason.QUOTA_SPENT, Reason.PAYMENT_REQUIRED}:
        kept.setdefault("retry-after", str(SPENT_SECONDS))
    answer = httpx.Response(
        (refusal.status if reason is Reason.TIMED_OUT else None) or reason.status,
        headers=kept,
        content=json.dumps({"error": {"message": refusal.message, "code": refusal.code}}).encode(),
        request=httpx.Request("POST", "https://chat.qwen.ai"),  # a stand-in: openai's classes demand one
    )
    error = _instantiate(reason.error, message, context.model, answer)
    # exception_type() sets the headers for others and returns early for ours.
    vars(error).update(litellm_response_headers=kept, qwen_reason=reason.value, request_id=refusal.request_id)
    if getattr(error, "code", None) is None and refusal.code:
        vars(error)["code"] = refusal.code  # the server's own word, as openai's exceptions have it
    return error


def _instantiate(name: str, message: str, model: str, answer: httpx.Response) -> Exception:
    exceptions: Any = litellm.exceptions
    fields: dict[str, Any] = {"message": message, "model": model, "llm_provider": PROVIDER}
    if name == "APIConnectionError":
        error = exceptions.APIConnectionError(**fields)
    elif name == "Timeout":
        error = exceptions.Timeout(**fields, headers=dict(answer.headers))
        error.response = answer  # a constructor keyword only in newer versions
    else:
        # PaymentRequiredError came with litellm 1.106; before, its base with its status.
        error = getattr(exceptions, name, exceptions.BadRequestError)(**fields, response=answer)
    error.status_code = answer.status_code
    made: Exception = error
    return made


def _kept_headers(headers: Mapping[str, str]) -> httpx.Headers:
    wanted = {name: value for name, value in headers.items() if name.lower() not in _DROPPED_HEADERS}
    kept = httpx.Headers(wanted, encoding="utf-8")
    seconds = retry_after(kept)
    if seconds is not None:
        # LiteLLM reads whole seconds from Retry-After only, and a date by the clock of this machine.
        kept["retry-after"] = str(math.ceil(seconds))
    return kept
