"""The device login in one go: ask for a code, show it, poll until approved, keep the login."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import threading
from typing import TYPE_CHECKING

from litellm_qwen_ai.names import DEFAULT_CLIENT_ID, DEFAULT_OAUTH_BASE_URL, LOGIN_COMMAND
from litellm_qwen_ai.oauth.clocks import CLOCKS, Clocks
from litellm_qwen_ai.oauth.door import StoredCredentials
from litellm_qwen_ai.oauth.errors import LoginCancelledError, LoginNotStartedError, StoreError
from litellm_qwen_ai.oauth.kernel import in_notebook
from litellm_qwen_ai.oauth.pending import PendingLogin, pending_login, poll_login, start_login, withdraw
from litellm_qwen_ai.oauth.prompt import TerminalPrompt, is_terminal

if TYPE_CHECKING:
    from collections.abc import Callable

    from litellm_qwen_ai.oauth.credentials import Credentials
    from litellm_qwen_ai.oauth.door import LoginStore
    from litellm_qwen_ai.oauth.prompt import LoginPrompt
    from litellm_qwen_ai.oauth.transport import Poster

_WORTH_TELLING = 2  # useless answers in a row: a single one is nothing to worry a person with
_LEAST_WAIT = 0.01  # seconds: two clocks never agree to the last bit
_TICK = 1.0  # seconds between two looks at the caller's wish to cancel


def may_prompt() -> bool:
    """True where a person can be asked: main thread, terminal on stdin and stderr, no running event loop."""
    if threading.current_thread() is not threading.main_thread():
        return False
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return is_terminal(sys.stdin) and is_terminal(sys.stderr)
    return False


def device_login(  # noqa: PLR0913  # the server is named by two, the rest are seams
    store: LoginStore | None = None,
    *,
    prompt: LoginPrompt | None = None,
    open_browser: Callable[[str], object] | None = None,
    cancelled: Callable[[], bool] = lambda: False,
    oauth_base_url: str = DEFAULT_OAUTH_BASE_URL,
    client_id: str = DEFAULT_CLIENT_ID,
    poster: Poster | None = None,
    clocks: Clocks = CLOCKS,
) -> Credentials:
    """Log in; blocks until a person has approved or the code has expired.

    A login that waits there already, started by whomever, is joined: all who wait for it end together. Ctrl-C
    passes through as `KeyboardInterrupt` and leaves nothing behind of a login that was started here.

    Args:
        store: Where to keep the login. That it can be written is made sure of before anybody is asked.
            None: the caller keeps it.
        prompt: Shows the code; by default plain text on stderr, and in a notebook a link to click.
        open_browser: Called once with the page's address; None opens none. A good one is
            `litellm_qwen_ai.oauth.open_browser`.
        cancelled: Asked about once a second; True ends the login.
        oauth_base_url: The OAuth server: https, or http on loopback; Qwen's by default.
        client_id: The OAuth client id; Qwen's by default.
        poster: Sends the requests; httpx by default.
        clocks: The time.

    Returns:
        The new login, stored if there is a store.

    Raises:
        LoginError: It ended without tokens; the subclass says how.
        StoreError: The store cannot be written.
        ConfigurationError: `oauth_base_url` cannot be used.
    """
    place = _Nowhere() if store is None else store
    shown = prompt or _prompt_here()
    before = None
    with contextlib.suppress(StoreError):  # a new login replaces what cannot be read
        before = place.look()
    waited = pending_login(place, clocks=clocks)
    approved = False
    pending = start_login(
        place, oauth_base_url=oauth_base_url, client_id=client_id, poster=poster, clocks=clocks
    )
    try:
        _check(cancelled)  # perhaps while the server was asked: then nobody is there to be shown a code
        try:  # an interrupt may come while it is shown, too
            shown.show(pending.code(clocks.now(), waited))
            if open_browser is not None:
                open_browser(pending.link)
            try:
                credentials = _until_approved(place, pending, shown, cancelled, poster, clocks)
            except LoginNotStartedError:
                credentials = _finished_elsewhere(place, before)
            approved = True
        finally:
            shown.done(approved=approved)
    finally:
        # A note of how it ended stays, for all who wait with us.
        if not approved and not pending.same_as(waited):
            withdraw(place, pending, clocks)
    return credentials


def _prompt_here() -> LoginPrompt:
    if not in_notebook():
        return TerminalPrompt()
    from litellm_qwen_ai.oauth.notebook import NotebookPrompt  # noqa: PLC0415  # few logins need it

    return NotebookPrompt()


def _until_approved(  # noqa: PLR0913, PLR0917  # what one loop needs
    place: LoginStore,
    pending: PendingLogin,
    prompt: LoginPrompt,
    cancelled: Callable[[], bool],
    poster: Poster | None,
    clocks: Clocks,
) -> Credentials:
    """The poll loop of RFC 8628 section 3.5: it waits before the first poll, and slower when told so."""
    faults = 0  # in a row
    while True:
        _wait(pending, prompt, cancelled, clocks)
        outcome = poll_login(place, poster=poster, clocks=clocks)
        if not isinstance(outcome, PendingLogin):
            return outcome
        if outcome.polled_at != pending.polled_at:  # else nobody has asked since
            faults = faults + 1 if outcome.message else 0
            if outcome.message and faults == _WORTH_TELLING:
                prompt.trouble(outcome.message)
        pending = outcome


def _wait(pending: PendingLogin, prompt: LoginPrompt, cancelled: Callable[[], bool], clocks: Clocks) -> None:
    """Wait until it is time to poll, or to see what another process's poll has brought.

    When the code has died, the poll says so.
    """
    due = min(pending.next_poll_at, pending.expires_at, clocks.now() + pending.interval)
    until = clocks.monotonic() + max(_LEAST_WAIT, due - clocks.now())
    while (left := until - clocks.monotonic()) > 0:
        _check(cancelled)
        prompt.waiting(pending.expires_at - clocks.now())
        clocks.sleep(min(left, _TICK))


def _check(cancelled: Callable[[], bool]) -> None:
    if cancelled():
        raise LoginCancelledError("The login was cancelled; nothing was changed.")


def _finished_elsewhere(place: LoginStore, before: StoredCredentials | None) -> Credentials:
    """The login that another process has brought, which waited for the same approval."""
    stored = place.look()
    if stored is None or (before is not None and stored.version == before.version):
        raise LoginCancelledError("The login was cancelled elsewhere; nothing was changed.")
    return stored.credentials


class _Nowhere:
    """A place for a login that the caller keeps: it holds the note, and no login. See `LoginStore`."""

    login_command = LOGIN_COMMAND

    def __init__(self) -> None:
        self._note: bytes | None = None

    def look(self, known: StoredCredentials | None = None) -> StoredCredentials | None:
        del known
        return None

    def save(self, credentials: Credentials) -> StoredCredentials:
        return StoredCredentials(credentials, object())

    def note(self) -> bytes | None:
        return self._note

    def swap_note(self, old: bytes | None, new: bytes | None) -> bool:
        if self._note != old:
            return False
        self._note = new
        return True

    def ping(self, patience: float | None = None) -> None: ...
