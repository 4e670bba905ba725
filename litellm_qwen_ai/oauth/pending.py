"""A device login that one process starts and another one finishes: a script in two steps, a page of a proxy.

What is needed to go on stands in `<file>.pending` beside the credentials file, with mode 0600, and every
process keeps to one pace: the interval of RFC 8628 section 3.5 counts for all of them together. A login that
has ended without tokens stays there as a note of how, without its secrets, until the next one starts.
"""

from __future__ import annotations

import json
import math
import os
import time
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from litellm_qwen_ai.names import DEFAULT_CLIENT_ID, DEFAULT_OAUTH_BASE_URL
from litellm_qwen_ai.oauth.errors import (
    CorruptCredentialsError,
    LoginCancelledError,
    LoginDeniedError,
    LoginError,
    LoginNotStartedError,
    LoginRefusedError,
    LoginTimedOutError,
)
from litellm_qwen_ai.oauth.login import (
    LOCK_TIMEOUT,
    NOT_IN_TIME,
    TIMEOUT,
    ask_for_code,
    ask_for_tokens,
    lock_for_new_login,
    told_last,
)
from litellm_qwen_ai.oauth.protocol import (
    MAX_INTERVAL,
    SLOW_DOWN,
    DeviceCode,
    Inconclusive,
    SlowDown,
    TokenAnswer,
)
from litellm_qwen_ai.oauth.rotation import credentials_of
from litellm_qwen_ai.oauth.transport import httpx_poster
from litellm_qwen_ai.oauth.urls import checked_url
from litellm_qwen_ai.stores.files import disk as files

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from litellm_qwen_ai.oauth.credentials import Credentials
    from litellm_qwen_ai.oauth.protocol import Pending
    from litellm_qwen_ai.oauth.transport import Poster
    from litellm_qwen_ai.stores.files.login import FileStore

WAITING = "waiting"
SUFFIX = ".pending"
_ENDS: dict[str, type[LoginError]] = {
    "denied": LoginDeniedError,
    "expired": LoginTimedOutError,
    "refused": LoginRefusedError,
}
_WORTH_SHOWING = 60.0  # seconds that a code must have left to be shown again instead of a new one
_FORMAT = 1
_SECRETS = ("device_code", "code_verifier")


@dataclass(frozen=True, slots=True)
class PendingLogin:
    """A started login. All moments are in epoch seconds.

    Attributes:
        state: `waiting`; or how it ended: `denied`, `expired` or `refused`.
        user_code: What the user compares or types.
        verification_uri: The page's address.
        verification_uri_complete: The same with the code filled in; to be shown and opened byte for byte.
        started_at: When the code was asked for.
        expires_at: When the code dies.
        interval: Seconds between two polls.
        next_poll_at: No poll is sent before.
        message: How it ended, or what was wrong with the last answer; None if there is nothing to say.
        oauth_base_url: The server that gave the code; it is polled there.
        client_id: The client that asked.
        polled_at: When the last poll was sent; None before the first.
        device_code: The secret that polls; masked, and gone when the login has ended.
        code_verifier: The PKCE verifier that goes with it; the same.
    """

    state: str
    user_code: str
    verification_uri: str
    verification_uri_complete: str | None
    started_at: float
    expires_at: float
    interval: float
    next_poll_at: float
    message: str | None
    oauth_base_url: str
    client_id: str
    polled_at: float | None
    device_code: str = field(repr=False)
    code_verifier: str = field(repr=False)

    @property
    def link(self) -> str:
        """The address to show and to open."""
        return self.verification_uri_complete or self.verification_uri

    def as_dict(self) -> dict[str, Any]:
        """For people and programs: everything but the secrets."""
        return {name: value for name, value in asdict(self).items() if name not in _SECRETS}

    def raise_end(self) -> None:
        """Raise the `LoginError` with which it ended; nothing while it waits."""
        kind = _ENDS.get(self.state)
        if kind is not None:
            raise kind(self.message or "The login has ended without tokens. Start again for a new code.")


def start_login(  # noqa: PLR0913  # each is a seam
    store: FileStore,
    *,
    anew: bool = False,
    oauth_base_url: str = DEFAULT_OAUTH_BASE_URL,
    client_id: str = DEFAULT_CLIENT_ID,
    poster: Poster | None = None,
    clock: Callable[[], float] = time.time,
    lock_timeout: float = LOCK_TIMEOUT,
) -> PendingLogin:
    """Ask for a code and save it, or return the login that already waits.

    Args:
        store: Where the login will be kept. That it can be written is made sure of first.
        anew: Ask for a new code although one waits.
        oauth_base_url: The OAuth server: https, or http on loopback.
        client_id: The OAuth client id.
        poster: Sends the request; httpx by default.
        clock: The time of day, in epoch seconds.
        lock_timeout: How long to wait for another process that holds the store's lock, in seconds.

    Raises:
        LoginError: The server cannot be reached.
        LoginRefusedError: It gave no code.
        StoreError: The store cannot be written.
        ConfigurationError: `oauth_base_url` cannot be used.
    """
    base_url = checked_url(oauth_base_url, "The OAuth server's address")

    def usable() -> PendingLogin | None:
        found = _read(store)
        if anew or found is None or found.state != WAITING:
            return None
        same_place = (found.oauth_base_url, found.client_id) == (base_url, client_id)
        return found if same_place and found.expires_at - clock() > _WORTH_SHOWING else None

    with store.lock(lock_timeout), store.prepare(None):  # what can fail fails now, not after the approval
        if (found := usable()) is not None:
            return found
    code = ask_for_code(base_url, client_id, poster or httpx_poster)
    now = clock()
    fresh = PendingLogin(
        state=WAITING,
        user_code=code.user_code,
        verification_uri=code.verification_uri,
        verification_uri_complete=code.verification_uri_complete,
        started_at=now,
        expires_at=now + code.expires_in,
        interval=code.interval,
        next_poll_at=now + code.interval,
        message=None,
        oauth_base_url=base_url,
        client_id=client_id,
        polled_at=None,
        device_code=code.device_code,
        code_verifier=code.code_verifier,
    )
    with store.lock(lock_timeout):
        # Two that start at once shall show the same code: the first to be written is the one.
        if (found := usable()) is not None:
            return found
        _write(store, fresh)
    return fresh


def poll_login(
    store: FileStore,
    *,
    poster: Poster | None = None,
    clock: Callable[[], float] = time.time,
    lock_timeout: float = LOCK_TIMEOUT,
) -> PendingLogin | Credentials:
    """Ask the server once whether the login has been approved, if it is time to ask.

    Blocks for one answer at most. Any number of processes may call this as often as they like: only one asks
    at a time, at the server's pace; the others get back what is known.

    Args:
        store: The store that was given to `start_login`.
        poster: Sends the request; httpx by default.
        clock: The time of day, in epoch seconds.
        lock_timeout: How long to wait for another process that holds the store's lock, in seconds.

    Returns:
        The login that still waits; or the new credentials, which are stored, and nothing is pending any more.

    Raises:
        LoginNotStartedError: None is under way; perhaps another process has just finished it.
        LoginDeniedError, LoginTimedOutError, LoginRefusedError: It has ended; every later call says so too.
        LoginCancelledError: It was cancelled while the server was asked; what it answered is not kept.
        StoreError: The store cannot be read or written.
    """
    with store.lock(lock_timeout):
        claimed, is_due = _claim(store, clock())
    if not is_due:
        return claimed
    code = DeviceCode(
        user_code=claimed.user_code,
        verification_uri=claimed.verification_uri,
        verification_uri_complete=claimed.verification_uri_complete,
        expires_in=claimed.expires_at - claimed.started_at,
        interval=claimed.interval,
        device_code=claimed.device_code,
        code_verifier=claimed.code_verifier,
    )
    try:
        outcome = ask_for_tokens(claimed.oauth_base_url, claimed.client_id, code, poster or httpx_poster)
    except LoginError as error:
        with store.lock(lock_timeout):
            if _is_current(store, claimed):
                _write(store, _ended(claimed, error))
        raise
    if isinstance(outcome, TokenAnswer):
        credentials = credentials_of(outcome, clock())
        with lock_for_new_login(store, lock_timeout), store.prepare(None) as draft:
            if not _is_current(store, claimed):
                raise LoginCancelledError("The login was cancelled meanwhile; nothing was changed.")
            draft.commit(credentials)
            _remove(store)
        return credentials
    waiting = _paced(claimed, outcome, clock())
    with store.lock(lock_timeout):
        if not _is_current(store, claimed):
            raise LoginCancelledError("The login was cancelled; nothing was changed.")
        _write(store, waiting)
    return waiting


def pending_login(store: FileStore, *, clock: Callable[[], float] = time.time) -> PendingLogin | None:
    """The login that was started last, if it has not been finished; one small read, no network.

    Args:
        store: The store that was given to `start_login`.
        clock: The time of day, in epoch seconds.

    Raises:
        StoreError: What is there cannot be read or trusted.
    """
    found = _read(store)
    return None if found is None else _at(found, clock())


def cancel_login(store: FileStore, *, lock_timeout: float = LOCK_TIMEOUT) -> bool:
    """Forget the login that waits, and any note of one that has ended.

    The server is not told, as it knows no way to be: whoever has the code can still approve it, to no effect.

    Args:
        store: The store that was given to `start_login`.
        lock_timeout: How long to wait for another process that holds the store's lock, in seconds.

    Returns:
        True if there was anything.

    Raises:
        StoreError: It cannot be removed.
    """
    if not _path(store).exists():
        return False  # without a lock file in a folder that we have never used
    with store.lock(lock_timeout):
        return _remove(store)


def _claim(store: FileStore, now: float) -> tuple[PendingLogin, bool]:
    """The login, and whether the caller shall poll; under the lock. Nobody else does while it is at it."""
    found = _read(store)
    if found is None:
        raise LoginNotStartedError(
            "No login waits to be completed. If none was completed elsewhere, start one: "
            f"{store.login_command} --start"
        )
    current = _at(found, now)
    if current != found:
        _write(store, current)
    current.raise_end()
    # A clock that was set back must not make us wait for the old time.
    if (current.polled_at or current.started_at) <= now < current.next_poll_at:
        return current, False
    # If we die while we ask, the others go on after the longest time that an answer may take.
    claimed = replace(current, polled_at=now, next_poll_at=now + TIMEOUT + current.interval)
    _write(store, claimed)
    return claimed, True


def _at(found: PendingLogin, now: float) -> PendingLogin:
    if found.state != WAITING or now < found.expires_at:
        return found
    return _ended(found, LoginTimedOutError(f"{NOT_IN_TIME}{found.message or ''}"))


def _ended(login: PendingLogin, error: LoginError) -> PendingLogin:
    state = next((name for name, kind in _ENDS.items() if isinstance(error, kind)), "refused")
    return replace(login, state=state, message=str(error), device_code="", code_verifier="")


def _paced(login: PendingLogin, outcome: Pending | SlowDown | Inconclusive, now: float) -> PendingLogin:
    interval, pause, message = login.interval, login.interval, None
    if isinstance(outcome, SlowDown):
        interval = pause = min(interval + SLOW_DOWN, MAX_INTERVAL)
    if isinstance(outcome, Inconclusive):
        pause = max(interval, outcome.retry_after or 0.0)
        message = told_last(outcome)
    return replace(login, interval=interval, next_poll_at=now + pause, message=message)


def _is_current(store: FileStore, login: PendingLogin) -> bool:
    found = _read(store)
    return found is not None and found.device_code == login.device_code


def _path(store: FileStore) -> Path:
    target = files.target_of(store.path)
    return target.with_name(target.name + SUFFIX)


def _read(store: FileStore) -> PendingLogin | None:
    """What is saved. A file that holds no started login is worth nothing: the next start replaces it."""
    try:
        found = files.read(_path(store))
        value = json.loads(found[0]) if found else None
    except (ValueError, RecursionError, CorruptCredentialsError):
        return None
    if not isinstance(value, dict) or value.pop("format", None) != _FORMAT:
        return None
    texts = ("state", "user_code", "verification_uri", "oauth_base_url", "client_id", *_SECRETS)
    optional = ("verification_uri_complete", "message")
    moments = ("started_at", "expires_at", "interval", "next_poll_at")
    usable = (
        value.keys() == {*texts, *optional, *moments, "polled_at"}
        and all(isinstance(value[name], str) for name in texts)
        and all(value[name] is None or isinstance(value[name], str) for name in optional)
        and all(_is_moment(value[name]) for name in moments)
        and (value["polled_at"] is None or _is_moment(value["polled_at"]))
    )
    return PendingLogin(**value) if usable else None


def _is_moment(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _write(store: FileStore, login: PendingLogin) -> None:
    """Put it in the place of what was there, in one step; under the lock."""
    path = _path(store)
    fresh = path.with_name(path.name + ".new")
    with files.store_errors("write", path):
        fresh.unlink(missing_ok=True)  # of a writer that crashed
        fd = files.open_draft(fresh, files.target_of(store.path))
        try:
            files.write_draft(fd, json.dumps({"format": _FORMAT, **asdict(login)}).encode())
        finally:
            os.close(fd)
        fresh.replace(path)


def _remove(store: FileStore) -> bool:
    path = _path(store)
    with files.store_errors("remove", path):
        path.with_name(path.name + ".new").unlink(missing_ok=True)
        try:
            path.unlink()
        except FileNotFoundError:
            return False
    return True
