"""A device login in steps (RFC 8628 with PKCE): started by one process, polled and finished by any.

What is needed to go on is a note in the place where the login will be kept, and everybody keeps to one pace:
the interval of RFC 8628 section 3.5 counts for all of them together. A login that has ended without tokens
stays there as a note of how, without its secrets, until the next one starts. `login.py` does all steps in one
go; there is no other way to a login.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from pydantic import ConfigDict, TypeAdapter

from litellm_qwen_ai.names import DEFAULT_CLIENT_ID, DEFAULT_OAUTH_BASE_URL, SERVICE_NOTICE
from litellm_qwen_ai.oauth.clocks import CLOCKS, Clocks
from litellm_qwen_ai.oauth.errors import (
    CorruptCredentialsError,
    LoginCancelledError,
    LoginDeniedError,
    LoginError,
    LoginNotStartedError,
    LoginRefusedError,
    LoginTimedOutError,
    StoreError,
)
from litellm_qwen_ai.oauth.network import TransportError
from litellm_qwen_ai.oauth.protocol import (
    MAX_INTERVAL,
    SLOW_DOWN,
    DeviceCode,
    Inconclusive,
    Pending,
    Pkce,
    TokenAnswer,
    device_request,
    poll_request,
    read_device_answer,
    read_poll_answer,
)
from litellm_qwen_ai.oauth.rotation import credentials_of
from litellm_qwen_ai.oauth.transport import httpx_poster
from litellm_qwen_ai.oauth.urls import checked_url

if TYPE_CHECKING:
    from litellm_qwen_ai.oauth.credentials import Credentials
    from litellm_qwen_ai.oauth.door import LoginStore
    from litellm_qwen_ai.oauth.transport import Poster

TIMEOUT = 30.0  # seconds for one answer
WAITING = "waiting"
_ENDS: dict[str, type[LoginError]] = {
    "denied": LoginDeniedError,
    "expired": LoginTimedOutError,
    "refused": LoginRefusedError,
}
_WORTH_SHOWING = 60.0  # seconds that a code must have left to be shown again instead of a new one


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingLogin:
    """A started login. All moments are in epoch seconds; its repr shows no secret.

    Attributes:
        state: `waiting`; or how it ended, without its secrets: `denied`, `expired` or `refused`.
        user_code: What the person compares or types.
        verification_uri: The page's address.
        verification_uri_complete: The same with the code filled in, if the server gave it.
        interval: Seconds between two polls, of all who poll together.
        started_at: When the code was asked for.
        expires_at: When the code dies.
        next_poll_at: No poll is sent before.
        message: How it ended, or what was wrong with the last answer; None if there is nothing to say.
        oauth_base_url: The server that gave the code; it is polled there.
        client_id: The OAuth client id that it was given to.
        polled_at: When the last poll was sent; None before the first.
    """

    state: str = WAITING
    user_code: str
    verification_uri: str
    verification_uri_complete: str | None
    started_at: float
    expires_at: float
    interval: float
    next_poll_at: float
    message: str | None = None
    oauth_base_url: str
    client_id: str
    polled_at: float | None = None
    device_code: str = field(repr=False)
    code_verifier: str = field(repr=False)

    @property
    def link(self) -> str:
        """The address to show and to open."""
        return self.verification_uri_complete or self.verification_uri

    def code(self, now: float, before: PendingLogin | None = None) -> DeviceCode:
        """What to show and to poll with, at `now` (epoch seconds); `before` is what waited before."""
        return DeviceCode(
            user_code=self.user_code,
            verification_uri=self.verification_uri,
            verification_uri_complete=self.verification_uri_complete,
            expires_in=self.expires_at - now,
            interval=self.interval,
            device_code=self.device_code,
            code_verifier=self.code_verifier,
            waited=max(0.0, now - self.started_at) if self.same_as(before) else None,
        )

    def same_as(self, other: PendingLogin | None) -> bool:
        """Whether it is the same login, at another time."""
        return other is not None and other.device_code == self.device_code

    def raise_end(self) -> None:
        """Raise the `LoginError` with which it ended; nothing while it waits."""
        kind = _ENDS.get(self.state)
        if kind is not None:
            raise kind(self.message or "The login has ended without tokens. Start again for a new code.")


@dataclass(frozen=True)
class _Noted:
    """The form of a note."""

    __pydantic_config__ = ConfigDict(
        extra="forbid", strict=True, allow_inf_nan=False, hide_input_in_errors=True
    )

    login: PendingLogin
    format: Literal[2] = 2


_NOTES = TypeAdapter(_Noted)


def start_login(  # noqa: PLR0913  # the server is named by two, the rest are seams
    store: LoginStore,
    *,
    anew: bool = False,
    oauth_base_url: str = DEFAULT_OAUTH_BASE_URL,
    client_id: str = DEFAULT_CLIENT_ID,
    poster: Poster | None = None,
    clocks: Clocks = CLOCKS,
) -> PendingLogin:
    """Ask for a code and note it, or return the login that already waits.

    Args:
        store: Where the login will be kept. That it can be written is made sure of first.
        anew: Ask for a new code although one waits, or what waits cannot be read.
        oauth_base_url: The OAuth server: https, or http on loopback; Qwen's by default.
        client_id: The OAuth client id; Qwen's by default.
        poster: Sends the request; httpx by default.
        clocks: The time.

    Returns:
        What to show the person: its `link` and `user_code`.

    Raises:
        LoginError: The server cannot be reached.
        LoginRefusedError: It gave no code.
        StoreError: The store cannot be written, or what waits there cannot be read.
        ConfigurationError: `oauth_base_url` cannot be used.
    """
    server = checked_url(oauth_base_url, "The OAuth server's address"), client_id
    store.ping()  # what can fail fails now, not after the approval
    fresh: PendingLogin | None = None
    while True:
        # Two that start at once shall show the same code: the first to be noted is the one.
        found = _read(note := _replaceable(store) if anew else _note_in(store))
        if found is not None and not anew and found.state == WAITING:
            left = found.expires_at - clocks.now()
            if left > _WORTH_SHOWING and server == (found.oauth_base_url, found.client_id):
                return found
        if fresh is None:
            fresh = _asked_for(*server, poster or httpx_poster, clocks)
        try:
            if store.swap_note(note, _written(fresh)):
                return fresh
        except (KeyboardInterrupt, SystemExit):  # it may have been noted, and nobody will see the code
            withdraw(store, fresh, clocks)
            raise


def poll_login(
    store: LoginStore, *, poster: Poster | None = None, clocks: Clocks = CLOCKS
) -> PendingLogin | Credentials:
    """Ask the server once whether the login has been approved, if it is time to ask.

    Blocks for one answer at most. Any number of processes may call this as often as they like: only one asks
    at a time, at the server's pace; the others get back what is known.

    Args:
        store: The store that was given to `start_login`.
        poster: Sends the request; httpx by default.
        clocks: The time.

    Returns:
        The login that still waits; or the new credentials, which are stored, and nothing is pending any more.

    Raises:
        LoginNotStartedError: None is under way; perhaps another process has just finished it.
        LoginDeniedError, LoginTimedOutError, LoginRefusedError: It has ended; every later call says so too.
        LoginCancelledError: It was cancelled while the server was asked; what it answered is not kept.
        StoreError: The store cannot be read or written.
    """
    note, found = _under_way(store, clocks.now())
    claim = _claimed(found, clocks.now())
    if claim is None:
        return found
    if not store.swap_note(note, _written(claim)):
        return _under_way(store, clocks.now())[1]  # somebody else asks just now
    try:
        outcome = _ask_for_tokens(claim, poster or httpx_poster, clocks.now())
    except LoginError as error:
        store.swap_note(_written(claim), _written(_ended(claim, error)))
        raise
    if isinstance(outcome, TokenAnswer):
        _check_current(store, claim)
        credentials = credentials_of(outcome, clocks.now())
        store.save(credentials)
        store.swap_note(_note_in(store), None)
        return credentials
    waiting = _paced(claim, outcome, clocks.now())
    if not store.swap_note(_written(claim), _written(waiting)):
        _check_current(store, claim)  # else somebody took us for dead, and asks in our place
    return waiting


def pending_login(store: LoginStore, *, clocks: Clocks = CLOCKS) -> PendingLogin | None:
    """The login that was started last, if it has not been finished; one small read, no network.

    Returns:
        It, waiting or with how it ended; None if there is none.

    Raises:
        StoreError: What is there cannot be read or trusted.
    """
    found = _read(_note_in(store))
    return None if found is None else _at(found, clocks.now())


def cancel_login(store: LoginStore) -> bool:
    """Forget the login that waits, and any note of one that has ended.

    The server is not told, as it knows no way to be: whoever has the code can still approve it, to no effect.

    Returns:
        Whether there was anything.

    Raises:
        StoreError: It cannot be removed.
    """
    while True:
        note = _replaceable(store)
        if note is None:
            return False
        if store.swap_note(note, None):
            return True


def withdraw(store: LoginStore, login: PendingLogin, clocks: Clocks) -> None:
    """Forget `login` if it still waits, on the way out of one that has failed or was interrupted.

    Whatever the place says to that must not take the reason's place: a note that stays dies with its code.
    """
    with contextlib.suppress(StoreError):
        while (found := _read(note := _note_in(store))) and login.same_as(_at(found, clocks.now())):
            if store.swap_note(note, None):
                return


def forget_unreadable(store: LoginStore) -> None:
    """Remove a note that cannot be read, so that a login can start; one that can be read stays.

    Raises:
        StoreError: It cannot be removed.
    """
    try:
        store.note()
    except CorruptCredentialsError:
        cancel_login(store)


def _asked_for(base_url: str, client_id: str, post: Poster, clocks: Clocks) -> PendingLogin:
    pkce = Pkce()
    try:
        answer = post(device_request(base_url, client_id, pkce), TIMEOUT)
    except (TransportError, OSError) as error:
        raise LoginError(f"The login could not start: {error}. Then try again.") from None
    code, now = read_device_answer(answer, pkce), clocks.now()
    return PendingLogin(
        user_code=code.user_code,
        verification_uri=code.verification_uri,
        verification_uri_complete=code.verification_uri_complete,
        started_at=now,
        expires_at=now + code.expires_in,
        interval=code.interval,
        next_poll_at=now + code.interval,
        oauth_base_url=base_url,
        client_id=client_id,
        device_code=code.device_code,
        code_verifier=code.code_verifier,
    )


def _ask_for_tokens(login: PendingLogin, post: Poster, now: float) -> TokenAnswer | Pending | Inconclusive:
    code = login.code(now)
    try:
        answer = post(poll_request(login.oauth_base_url, login.client_id, code), TIMEOUT)
    except (TransportError, OSError) as error:
        return Inconclusive(f"{error}.")
    return read_poll_answer(answer, code)


def _under_way(store: LoginStore, now: float) -> tuple[bytes | None, PendingLogin]:
    """The note of the login that waits, and what it says; if none waits, the `LoginError` says why."""
    note = _note_in(store)
    found = _read(note)
    if found is None:
        raise LoginNotStartedError(
            "No login waits to be completed. If none was completed elsewhere, start one: "
            f"{store.login_command} --start"
        )
    current = _at(found, now)
    if current != found:
        store.swap_note(note, _written(current))
    current.raise_end()
    return note, current


def _claimed(login: PendingLogin, now: float) -> PendingLogin | None:
    """The login with a mark that we ask now, which keeps others from it; None if it is not time to ask."""
    # A clock that was set back must not make us wait for the old time.
    if (login.polled_at or login.started_at) <= now < login.next_poll_at:
        return None
    # If we die while we ask, the others go on after the longest time that an answer may take.
    return replace(login, polled_at=now, next_poll_at=now + TIMEOUT + login.interval)


def _check_current(store: LoginStore, login: PendingLogin) -> None:
    found = _read(_note_in(store))
    if found is None or found.device_code != login.device_code:
        raise LoginCancelledError("The login was cancelled meanwhile; nothing was changed.")


def _at(found: PendingLogin, now: float) -> PendingLogin:
    if found.state != WAITING or now < found.expires_at:
        return found
    last = f" The last answer was no help: {found.message} {SERVICE_NOTICE}" if found.message else ""
    return _ended(
        found, LoginTimedOutError(f"Nobody approved the login in time. Start again for a new code.{last}")
    )


def _ended(login: PendingLogin, error: LoginError) -> PendingLogin:
    state = next((name for name, kind in _ENDS.items() if isinstance(error, kind)), "refused")
    return replace(login, state=state, message=str(error), device_code="", code_verifier="")


def _paced(login: PendingLogin, outcome: Pending | Inconclusive, now: float) -> PendingLogin:
    interval = login.interval
    if isinstance(outcome, Inconclusive):
        pause = max(interval, outcome.retry_after or 0.0)
        return replace(login, next_poll_at=now + pause, message=outcome.reason)
    if outcome.slower:
        interval = min(interval + SLOW_DOWN, MAX_INTERVAL)
    return replace(login, interval=interval, next_poll_at=now + interval, message=None)


def _read(note: bytes | None) -> PendingLogin | None:
    """What a note says. One that tells of no started login is worth nothing: the next start replaces it."""
    try:
        return _NOTES.validate_json(note).login if note else None
    except ValueError:
        return None


def _written(login: PendingLogin) -> _Note:
    return _Note(_NOTES.dump_json(_Noted(login)))


def _note_in(store: LoginStore) -> _Note | None:
    note = store.note()
    return None if note is None else _Note(note)


def _replaceable(store: LoginStore) -> _Note | None:
    """The note, for whoever replaces it; one that cannot be read is empty, as `swap_note` has it."""
    try:
        return _note_in(store)
    except CorruptCredentialsError:
        return _Note()


class _Note(bytes):
    """Its repr is masked, for the sake of tracebacks with locals."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "b'***'"
