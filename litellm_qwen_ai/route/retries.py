"""How one call goes over the wire: one renewal after a refused bearer, and retries.

`call_flow` decides and does no I/O: it yields how to try next and is told what came of it (the shape of
httpx's auth flows). `run` and `arun` are the two shells that try.
"""

from __future__ import annotations

import logging
import random
import time
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import httpx

from litellm_qwen_ai.chat.errors import error_from_response, error_from_transport, is_token_rejection
from litellm_qwen_ai.chat.refusal import Reason
from litellm_qwen_ai.names import LOGGER
from litellm_qwen_ai.retry_after import retry_after

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator

    from litellm_qwen_ai.chat.context import AnswerContext
    from litellm_qwen_ai.route.bearer import Bearer, BearerSource
    from litellm_qwen_ai.route.observer import Observer

_logger = logging.getLogger(LOGGER)

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

#: What a transport raises: it is handed to the flow, which decides what becomes of it.
#: The last two come of making a client: a proxy of an unknown kind, or a package that it needs.
FAILURES = (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError, ImportError)


class Attempt(NamedTuple):
    """How to try next."""

    wait: float = 0.0  # seconds to wait before
    rejected: Bearer | None = None  # what the server has refused


#: The answer to one attempt (its body read, unless it is a stream with status 200), or why none came. A
#: failure is handed over, not raised: an error raised while it is handled would carry its frames, and with
#: them the bearer.
Outcome: TypeAlias = "httpx.Response | Exception"
Flow: TypeAlias = "Generator[Attempt, tuple[Bearer, Outcome], None]"


def call_flow(
    observer: Observer,
    context_of: Callable[[Bearer], AnswerContext],
    *,
    can_renew: bool,
    max_retries: int,
    clock: Callable[[], float] = time.time,
) -> Flow:
    """One call: ends when the last outcome is its answer, a response with status 200.

    Args:
        observer: Is told of each outcome.
        context_of: What the answer to a bearer's request is read with.
        can_renew: Whether a refused bearer can be replaced.
        max_retries: How often a passing failure is tried again.
        clock: Seconds since the epoch, for a `Retry-After` that is a date.

    Raises:
        Exception: The matching `litellm.exceptions` class.
    """
    rejected: Bearer | None = None
    may_adopt = True
    retries = 0
    attempt = Attempt()
    while True:
        bearer, outcome = yield attempt
        if isinstance(outcome, Exception):
            error = error_from_transport(outcome, context_of(bearer))
            wait = _backoff(retries) if isinstance(outcome, httpx.TransportError) else None
        elif outcome.status_code == _OK:
            observer.accepted()
            return
        elif (
            can_renew
            and not bearer.is_same(rejected)
            and (rejected is None or (may_adopt and not bearer.renewed))
            and is_token_rejection(outcome.status_code, outcome.content)
        ):
            # The first refusal may bring a token that somebody else has written: dead too, it is renewed.
            may_adopt, rejected = rejected is None, bearer
            attempt = Attempt(0.0, rejected)
            continue
        else:
            # No name for the body: a traceback with locals would show what it repeats.
            context = context_of(bearer).answered(outcome.headers)
            error = error_from_response(outcome.status_code, outcome.content, context)
            named = retry_after(outcome.headers, clock())
            observer.refused(_reason(error), named)
            wait = _wait_before_retry(outcome.status_code, error, named, retries)
        if wait is None or retries >= max_retries:
            _tell_of_failure(observer, error)
            raise error from None
        retries += 1
        _logger.debug("%s, retry %d of %d in %.1f s", type(error).__name__, retries, max_retries, wait)
        attempt = Attempt(wait, rejected)


def run(
    flow: Flow, source: BearerSource, send: Callable[[Bearer], Outcome], sleep: Callable[[float], None]
) -> tuple[httpx.Response, Bearer]:
    """Drive a flow synchronously; returns the answer and the bearer that it was asked for with."""
    attempt = next(flow)
    while True:
        if attempt.wait:
            sleep(attempt.wait)
        bearer = source.get(attempt.rejected.token if attempt.rejected else None)
        if not bearer.is_same(
            attempt.rejected
        ):  # else a kept key that nobody has changed: its refusal stands
            outcome = send(bearer)
        try:
            attempt = flow.send((bearer, outcome))
        except StopIteration:
            return outcome, bearer  # type: ignore[return-value]  # a flow that ends has its answer


async def arun(
    flow: Flow,
    source: BearerSource,
    send: Callable[[Bearer], Awaitable[Outcome]],
    sleep: Callable[[float], Awaitable[None]],
) -> tuple[httpx.Response, Bearer]:
    """Drive a flow on the running event loop; see `run`."""
    attempt = next(flow)
    while True:
        if attempt.wait:
            await sleep(attempt.wait)
        bearer = await source.aget(attempt.rejected.token if attempt.rejected else None)
        if not bearer.is_same(attempt.rejected):  # as above
            outcome = await send(bearer)
        try:
            attempt = flow.send((bearer, outcome))
        except StopIteration:
            return outcome, bearer  # type: ignore[return-value]  # as above


def count_late(observer: Observer, error: Exception) -> None:
    """Count an error that came inside an answer with status 200, where no header names a time to wait."""
    observer.refused(_reason(error), None)
    _tell_of_failure(observer, error)


def _tell_of_failure(observer: Observer, error: Exception) -> None:
    if _reason(error) not in _OF_THE_REQUEST:
        observer.failed(error)


def _reason(error: Exception) -> str | None:
    """The value of `Reason` that chat/ puts on its exceptions."""
    return getattr(error, "qwen_reason", None)


def _wait_before_retry(status: int, error: Exception, named: float | None, retries: int) -> float | None:
    """Seconds to wait before the next try, or None if trying again is useless."""
    retryable = status in _RETRYABLE_STATUS or status >= _SERVER_ERROR
    if not retryable or _reason(error) == Reason.QUOTA_SPENT.value:
        return None
    if named is None:
        return _backoff(retries)
    return named if named <= LONGEST_WAIT else None


def _backoff(retries: int) -> float:
    # Half to full jitter, so that many workers that failed together do not come back together.
    return min(_FIRST_DELAY * 2.0**retries, _LONGEST_DELAY) * random.uniform(0.5, 1.0)  # noqa: S311  # no secret
