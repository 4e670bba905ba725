"""The device login (RFC 8628 with PKCE): ask for a code, show it, poll until approved, store the tokens."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import sys
import threading
import time
from typing import TYPE_CHECKING

from litellm_qwen_ai.names import DEFAULT_CLIENT_ID, DEFAULT_OAUTH_BASE_URL, SERVICE_NOTICE
from litellm_qwen_ai.oauth.errors import (
    LockTimeoutError,
    LoginCancelledError,
    LoginError,
    LoginTimedOutError,
)
from litellm_qwen_ai.oauth.prompt import TerminalPrompt, is_terminal
from litellm_qwen_ai.oauth.protocol import (
    MAX_INTERVAL,
    SLOW_DOWN,
    DeviceCode,
    Inconclusive,
    Pending,
    Pkce,
    SlowDown,
    TokenAnswer,
    device_request,
    poll_request,
    read_device_answer,
    read_poll_answer,
)
from litellm_qwen_ai.oauth.rotation import credentials_of
from litellm_qwen_ai.oauth.transport import TransportError, httpx_poster
from litellm_qwen_ai.oauth.urls import checked_url

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from litellm_qwen_ai.oauth.credentials import Credentials
    from litellm_qwen_ai.oauth.prompt import LoginPrompt
    from litellm_qwen_ai.oauth.transport import Poster
    from litellm_qwen_ai.stores.files.login import Store

TIMEOUT = 30.0  # seconds for one answer
LOCK_TIMEOUT = 30.0  # seconds
NOT_IN_TIME = "Nobody approved the login in time. Start again for a new code."
_WORTH_TELLING = 2  # useless answers in a row: a single one is nothing to worry a person with
_TICK = 1.0  # seconds between two looks at the caller's wish to cancel
_log = logging.getLogger(__name__)


def may_prompt() -> bool:
    """True where a person can be asked: main thread, terminal on stdin and stderr, no running event loop."""
    if threading.current_thread() is not threading.main_thread():
        return False
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return is_terminal(sys.stdin) and is_terminal(sys.stderr)
    return False


def device_login(  # noqa: PLR0913  # each is a seam
    store: Store | None = None,
    *,
    prompt: LoginPrompt | None = None,
    open_browser: Callable[[str], object] | None = None,
    cancelled: Callable[[], bool] = lambda: False,
    oauth_base_url: str = DEFAULT_OAUTH_BASE_URL,
    client_id: str = DEFAULT_CLIENT_ID,
    poster: Poster | None = None,
    clock: Callable[[], float] = time.time,
    monotonic: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
    lock_timeout: float = LOCK_TIMEOUT,
) -> Credentials:
    """Log in; blocks until a person has approved or the code has expired. All times are in seconds.

    Ctrl-C passes through as `KeyboardInterrupt` and leaves nothing behind.

    Args:
        store: Where to keep the login. That it can be written is made sure of before anybody is asked.
            None: the caller keeps it.
        prompt: Shows the code; plain text on stderr by default.
        open_browser: Called once with the page's address; None opens none. See `prompt.open_browser`.
        cancelled: Asked about once a second; True ends the login.
        oauth_base_url: The OAuth server: https, or http on loopback.
        client_id: The OAuth client id.
        poster: Sends the requests; httpx by default.
        clock: The time of day, in epoch seconds.
        monotonic: A clock that never jumps.
        sleep: Waits.
        lock_timeout: How long to wait for another process that holds the store's lock.

    Returns:
        The new login, stored if there is a store.

    Raises:
        LoginError: It ended without tokens; the subclass says how.
        StoreError: The store cannot be written.
        ConfigurationError: `oauth_base_url` cannot be used.
    """
    base_url = checked_url(oauth_base_url, "The OAuth server's address")
    post = poster or httpx_poster
    if store is not None:
        with store.lock(lock_timeout), store.prepare(None):
            pass  # what can fail fails now, not after the approval
    code = ask_for_code(base_url, client_id, post)
    poll = _Poll(base_url, client_id, code, post, cancelled=cancelled, monotonic=monotonic, sleep=sleep)
    tokens = poll.run(prompt or TerminalPrompt(), open_browser)
    credentials = credentials_of(tokens, clock())
    if store is not None:
        with lock_for_new_login(store, lock_timeout), store.prepare(None) as draft:
            draft.commit(credentials)
    return credentials


def ask_for_code(base_url: str, client_id: str, post: Poster) -> DeviceCode:
    """Start a login at the server.

    Raises:
        LoginError: The server cannot be reached.
        LoginRefusedError: It gave no code.
    """
    pkce = Pkce.new()
    try:
        answer = post(device_request(base_url, client_id, pkce), TIMEOUT)
    except (TransportError, OSError) as error:
        raise LoginError(
            f"The login could not start: {error}. Check the network and any proxy, then try again."
        ) from None
    return read_device_answer(answer, pkce)


def ask_for_tokens(
    base_url: str, client_id: str, code: DeviceCode, post: Poster
) -> TokenAnswer | Pending | SlowDown | Inconclusive:
    """Poll once.

    Raises:
        LoginError: The login has ended without tokens; the subclass says how.
    """
    try:
        answer = post(poll_request(base_url, client_id, code), TIMEOUT)
    except (TransportError, OSError) as error:
        return Inconclusive(f"{error}.")
    return read_poll_answer(answer, code)


def told_last(outcome: Inconclusive) -> str:
    """What the error of a login that nobody approved in time adds about the server's last answer."""
    return f" The last answer was no help: {outcome.reason} {SERVICE_NOTICE}"


class _Poll:
    """The poll loop of RFC 8628 section 3.5: it waits before the first poll, and slower when told so."""

    def __init__(  # noqa: PLR0913  # what one loop needs
        self,
        base_url: str,
        client_id: str,
        code: DeviceCode,
        post: Poster,
        *,
        cancelled: Callable[[], bool],
        monotonic: Callable[[], float],
        sleep: Callable[[float], None],
    ) -> None:
        self._ask = functools.partial(ask_for_tokens, base_url, client_id, code, post)
        self._code = code
        self._cancelled = cancelled
        self._monotonic = monotonic
        self._sleep = sleep
        self._deadline = monotonic() + code.expires_in
        self._last_fault = ""

    def run(self, prompt: LoginPrompt, open_browser: Callable[[str], object] | None) -> TokenAnswer:
        approved = False
        prompt.show(self._code)
        try:
            if open_browser is not None:
                open_browser(self._code.link)
            tokens = self._until_approved(prompt)
            approved = True
        finally:
            prompt.done(approved=approved)
        return tokens

    def _until_approved(self, prompt: LoginPrompt) -> TokenAnswer:
        interval = pause = self._code.interval
        faults = 0  # in a row
        while True:
            self._wait(pause, prompt)
            outcome = self._ask()
            if isinstance(outcome, TokenAnswer):
                return outcome
            if isinstance(outcome, SlowDown):
                interval = min(interval + SLOW_DOWN, MAX_INTERVAL)
            pause = interval
            if not isinstance(outcome, Inconclusive):
                faults, self._last_fault = 0, ""
                continue
            pause = max(interval, outcome.retry_after or 0.0)
            self._last_fault = told_last(outcome)
            faults += 1
            if faults == _WORTH_TELLING:
                prompt.trouble(outcome.reason)

    def _wait(self, seconds: float, prompt: LoginPrompt) -> None:
        until = self._monotonic() + seconds
        while (now := self._monotonic()) < until:
            if self._cancelled():
                raise LoginCancelledError("The login was cancelled; nothing was changed.")
            if now >= self._deadline:
                raise LoginTimedOutError(f"{NOT_IN_TIME}{self._last_fault}")
            prompt.waiting(self._deadline - now)
            self._sleep(min(until - now, self._deadline - now, _TICK))


@contextlib.contextmanager
def lock_for_new_login(store: Store, lock_timeout: float) -> Iterator[None]:
    """The store's lock, if it can be had: a login that a person has just approved is kept without it too."""
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(store.lock(lock_timeout))
        except LockTimeoutError as error:
            # The write is atomic without the lock too, and whoever holds the lock finds the file changed and
            # lets the newer login win.
            _log.warning("%s The new login is written all the same.", error)
        yield
