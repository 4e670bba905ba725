"""How one call goes over the wire: which bearer, one renewal after a refusal, retries.

`call_flow` decides and does no I/O: it yields what it needs and is told how it went (the shape of httpx's
auth flows). `run` and `arun` are the two shells that perform the steps.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Awaitable, Callable, Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import httpx

from litellm_qwen_ai.chat.errors import error_from_response, error_from_transport, is_token_rejection
from litellm_qwen_ai.chat.refusal import Reason
from litellm_qwen_ai.retry_after import retry_after

if TYPE_CHECKING:
    from litellm_qwen_ai.chat.context import AnswerContext
    from litellm_qwen_ai.chat.request import ChatRequest
    from litellm_qwen_ai.quota.meter import Meter
    from litellm_qwen_ai.route.bearer import Bearer, BearerSource

_logger = logging.getLogger("litellm_qwen_ai")

#: Seconds: a server that names a longer wait is not retried here, but by whoever called.
LONGEST_WAIT = 60.0
_FIRST_DELAY = 0.5
_LONGEST_DELAY = 8.0
_RETRYABLE_STATUS = frozenset({408, 409, 429})
#: What is wrong with one request, and nothing that whoever looks after the account could mend.
_OF_THE_REQUEST = frozenset(
    reason.value
    for reason in (Reason.BAD_REQUEST, Reason.CONTENT_POLICY, Reason.CONTEXT_WINDOW, Reason.UNPROCESSABLE)
)
_OK = 200
_SERVER_ERROR = 500


@dataclass(frozen=True, slots=True)
class NeedBearer:
    """Asks for a bearer; `rejected` is the access token that the server refused."""

    rejected: str | None


@dataclass(frozen=True, slots=True)
class Send:
    """Asks for the request to be sent; the answer's body is read unless it is a stream with status 200."""

    request: ChatRequest


@dataclass(frozen=True, slots=True)
class Wait:
    """Asks to wait, in seconds."""

    seconds: float


Step: TypeAlias = NeedBearer | Send | Wait
Flow: TypeAlias = Generator[Step, Any, "tuple[httpx.Response, Bearer]"]


def call_flow(
    build: Callable[[Bearer], ChatRequest],
    context_of: Callable[[Bearer], AnswerContext],
    *,
    can_renew: bool,
    max_retries: int,
    clock: Callable[[], float] = time.time,
) -> Flow:
    """One call from bearer to answer; returns the 200 response and the bearer it was sent with.

    Args:
        build: Makes the request for a bearer.
        context_of: What the answer to a bearer's request is read with.
        can_renew: Whether a refused bearer can be replaced.
        max_retries: How often a passing failure is tried again.
        clock: Seconds since the epoch, for a `Retry-After` that is a date.

    Raises:
        Exception: The matching `litellm.exceptions` class.
    """
    rejected: str | None = None
    reconnected = False
    retries = 0
    while True:
        bearer: Bearer = yield NeedBearer(rejected)
        request = build(bearer)
        meter = bearer.meter
        if meter is not None:
            meter.sent()
        try:
            response: httpx.Response = yield Send(request)
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as failure:
            if _is_stale_connection(failure) and not reconnected:
                reconnected = True
                continue
            error = error_from_transport(failure, context_of(bearer))
            wait = _backoff(retries) if isinstance(failure, httpx.TransportError) else None
        else:
            if response.status_code == _OK:
                if meter is not None:
                    meter.accepted()
                return response, bearer
            if can_renew and rejected is None and is_token_rejection(response.status_code, response.content):
                rejected = bearer.token
                continue
            # No name for the body: a traceback with locals would show what it repeats.
            context = context_of(bearer).answered(response.headers)
            error = error_from_response(response.status_code, response.content, context)
            now = clock()
            _count_refusal(meter, response, error, now)
            wait = _wait_before_retry(response, error, retries, now)
        if wait is None or retries >= max_retries:
            _note_failure(meter, error)
            raise error from None
        retries += 1
        _logger.debug("%s, retry %d of %d in %.1f s", type(error).__name__, retries, max_retries, wait)
        yield Wait(wait)


def run(
    flow: Flow,
    source: BearerSource,
    send: Callable[[ChatRequest], httpx.Response],
    sleep: Callable[[float], None],
) -> Any:
    """Drive a flow synchronously.

    Args:
        flow: What `call_flow` returned.
        source: Where the bearer comes from.
        send: Sends one request and reads the body as `Send` says.
        sleep: Waits, in seconds.
    """
    step = next(flow)
    while True:
        value: Any = None
        failed: Exception | None = None
        try:
            if isinstance(step, NeedBearer):
                value = source.get(step.rejected)
            elif isinstance(step, Send):
                value = send(step.request)
            else:
                value = sleep(step.seconds)  # type: ignore[func-returns-value]  # None is the answer
        except Exception as error:  # noqa: BLE001  # the flow decides what becomes of it
            failed = error
        # Not inside `except`: the next error would carry this one, and with its frames the bearer.
        answer = _advance(flow.send, value) if failed is None else _advance(flow.throw, failed)
        if isinstance(answer, _Done):
            return answer.value
        step = answer


async def arun(
    flow: Flow,
    source: BearerSource,
    send: Callable[[ChatRequest], Awaitable[httpx.Response]],
    sleep: Callable[[float], Awaitable[None]],
) -> Any:
    """Drive a flow on the running event loop; see `run`."""
    step = next(flow)
    while True:
        value: Any = None
        failed: Exception | None = None
        try:
            if isinstance(step, NeedBearer):
                value = await source.aget(step.rejected)
            elif isinstance(step, Send):
                value = await send(step.request)
            else:
                value = await sleep(step.seconds)  # type: ignore[func-returns-value]  # the same
        except Exception as error:  # noqa: BLE001  # the flow decides what becomes of it
            failed = error
        # Not inside `except`: the next error would carry this one, and with its frames the bearer.
        answer = _advance(flow.send, value) if failed is None else _advance(flow.throw, failed)
        if isinstance(answer, _Done):
            return answer.value
        step = answer


@dataclass(frozen=True, slots=True)
class _Done:
    value: Any


def _advance(resume: Callable[[Any], Step], argument: Any) -> Step | _Done:
    try:
        return resume(argument)
    except StopIteration as end:
        return _Done(end.value)


def _is_stale_connection(error: Exception) -> bool:
    # The server closed an idle keep-alive connection just as it was used: nothing was answered.
    return isinstance(error, (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError))


def _count_refusal(meter: Meter | None, response: httpx.Response, error: Exception, now: float) -> None:
    if meter is not None:
        named = retry_after(response.headers, now)
        meter.refused(getattr(error, "qwen_reason", None), named)


def count_late(meter: Meter | None, error: Exception) -> None:
    """Count an error that came inside an answer with status 200, where no header names a time to wait."""
    if meter is not None:
        meter.refused(getattr(error, "qwen_reason", None), None)
        _note_failure(meter, error)


def _note_failure(meter: Meter | None, error: Exception) -> None:
    if meter is not None and getattr(error, "qwen_reason", None) not in _OF_THE_REQUEST:
        meter.failed(error)


def _wait_before_retry(response: httpx.Response, error: Exception, retries: int, now: float) -> float | None:
    """Seconds to wait before the next try, or None if trying again is useless."""
    status = response.status_code
    retryable = status in _RETRYABLE_STATUS or status >= _SERVER_ERROR
    if not retryable or getattr(error, "qwen_reason", None) == Reason.QUOTA_SPENT.value:
        return None
    named = retry_after(response.headers, now)
    if named is None:
        return _backoff(retries)
    return named if named <= LONGEST_WAIT else None


def _backoff(retries: int) -> float:
    # Half to full jitter, so that many workers that failed together do not come back together.
    return min(_FIRST_DELAY * 2.0**retries, _LONGEST_DELAY) * random.uniform(0.5, 1.0)  # noqa: S311  # no secret
