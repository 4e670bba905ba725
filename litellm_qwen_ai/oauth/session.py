"""The policy: which token now, when to renew it, and who does it.

The slow way to a token: one flight per process -> the lock across processes -> *read again* -> adopt what a
sibling wrote, or: draft, refresh, commit. A refresh token is sent under the lock only, since each is good for
one use. A flight that waits for the lock watches the store, and leaves as soon as a sibling has renewed.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from litellm_qwen_ai.names import DEFAULT_CLIENT_ID, DEFAULT_OAUTH_BASE_URL
from litellm_qwen_ai.oauth.ending import ends_after
from litellm_qwen_ai.oauth.errors import (
    LockTimeoutError,
    LoginExpiredError,
    QwenAuthError,
    ReadOnlyStoreError,
    RefreshError,
    StoreError,
)
from litellm_qwen_ai.oauth.flight import SingleFlight, renew_in_child
from litellm_qwen_ai.oauth.held import Held, Trouble, ended, not_logged_in, not_renewed, still_rejected
from litellm_qwen_ai.oauth.protocol import (
    Inconclusive,
    Refused,
    Rotated,
)
from litellm_qwen_ai.oauth.refresh import Refresher
from litellm_qwen_ai.oauth.rotation import merged
from litellm_qwen_ai.oauth.transport import httpx_poster
from litellm_qwen_ai.oauth.urls import checked_url
from litellm_qwen_ai.stores.files.draft import StoredCredentials

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from litellm_qwen_ai.oauth.credentials import Credentials
    from litellm_qwen_ai.oauth.protocol import TokenAnswer
    from litellm_qwen_ai.oauth.transport import Poster
    from litellm_qwen_ai.stores.files.login import Draft, Store

LOOK_INTERVAL = 1.0  # seconds between two looks at the store
SAVE_INTERVAL = 60.0  # seconds between two tries to save what the store did not take
LOCK_TIMEOUT = 30.0  # seconds
LOCK_POLL = (0.02, 0.2)  # seconds between two tries for the lock: the first, and the most
MAX_PAUSE = 30.0  # seconds between two tries when the server is in trouble
_ROUNDS = 3  # a flight that began before a token was rejected may bring that very token: then once more
_log = logging.getLogger(__name__)


class Session:
    """Serves the access token of one login, and renews it when it is due. Never starts a login.

    One session serves any number of threads and event loops; sessions of other processes on the same store
    share each renewal. All times are in seconds.

    Args:
        store: Where the login is kept.
        oauth_base_url: The OAuth server: https, or http on loopback.
        client_id: The OAuth client id.
        poster: Sends the refresh; httpx by default.
        clock: The time of day, in epoch seconds.
        monotonic: A clock that never jumps.
        sleep: Waits; only ever called in the renewing thread.
        lock_timeout: How long to wait for another process that holds the lock.

    Raises:
        ConfigurationError: `oauth_base_url` cannot be used.
    """

    def __init__(  # noqa: PLR0913  # each is a seam for tests
        self,
        store: Store,
        *,
        oauth_base_url: str = DEFAULT_OAUTH_BASE_URL,
        client_id: str = DEFAULT_CLIENT_ID,
        poster: Poster | None = None,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        lock_timeout: float = LOCK_TIMEOUT,
    ) -> None:
        base_url = checked_url(oauth_base_url, "The OAuth server's address")
        self._refresher = Refresher(base_url, client_id, poster or httpx_poster, monotonic, sleep)
        self._store = store
        self._clock = clock
        self._monotonic = monotonic
        self._sleep = sleep
        self._lock_timeout = lock_timeout
        self._held: Held | None = None
        self._look_again = -math.inf
        self._writes = 0  # counts what this process stored, so that an older reading does not undo it
        self._rejected: str | None = None
        self._spent: str | None = None  # a refresh token still in the store although it is used up
        self._try_to_save = -math.inf
        self._trouble: Trouble | None = None
        self._failures = 0
        self._warned_unsaved = False
        self._looks = SingleFlight(self._look, "qwen-ai-look")
        self._renewals = SingleFlight(self._renew, "qwen-ai-renew")
        self._after_fork()
        renew_in_child(self)

    def _after_fork(self) -> None:
        self._mutex = threading.Lock()  # held for a few assignments, never during I/O

    def __repr__(self) -> str:
        return f"Session({self._store.location!r})"

    def get(self, *, rejected: str | None = None) -> Credentials:
        """The login with an access token that is good now. Blocks while a renewal that is needed runs.

        Args:
            rejected: An access token that the chat server has just refused; it will not be returned.

        Raises:
            NotLoggedInError: There is no login.
            LoginExpiredError: The server refused the refresh token.
            RefreshError: The renewal failed for now and no live token is left.
            StoreError: The store cannot be read, or not be locked in time.
        """
        held = self._held
        if (
            held is not None
            and self._clock() < held.renew_at
            and self._monotonic() < self._look_again
            and held.credentials.access_token != rejected
        ):
            return held.credentials
        self._note_rejected(rejected)
        for _ in range(_ROUNDS):
            credentials = self._without_waiting(self._look())
            if credentials is None:
                flight = self._renewals.board()
                with ends_after(flight):
                    credentials = flight.result()
            if credentials.access_token != rejected:
                return credentials
        raise still_rejected(self._store.login_command)

    async def aget(self, *, rejected: str | None = None) -> Credentials:
        """As `get`, for a coroutine: files and network are touched in another thread only.

        Cancelling the caller does not cancel a renewal under way; every caller shares it.
        """
        held = self._held
        if (
            held is not None
            and self._clock() < held.renew_at
            and self._monotonic() < self._look_again
            and held.credentials.access_token != rejected
        ):
            return held.credentials
        self._note_rejected(rejected)
        for _ in range(_ROUNDS):
            held = self._held
            if held is None or self._monotonic() >= self._look_again:
                held = await asyncio.wrap_future(self._looks.board())
            credentials = self._without_waiting(held)
            if credentials is None:
                flight = self._renewals.board()
                with ends_after(flight):
                    credentials = await asyncio.wrap_future(flight)
            if credentials.access_token != rejected:
                return credentials
        raise still_rejected(self._store.login_command)

    def peek(self) -> Credentials | None:
        """What is stored, as it is; no network, no renewal.

        Raises:
            StoreError: The store cannot be read.
        """
        stored = self._store.load()
        return stored.credentials if stored else None

    def _note_rejected(self, rejected: str | None) -> None:
        """Make sure that a refused token is not served again, and that the store is looked at."""
        if rejected is None:
            return
        with self._mutex:
            held = self._held
            if held is not None and held.credentials.access_token != rejected:
                return  # it has been replaced already
            if self._rejected != rejected:
                self._rejected = rejected
                self._look_again = -math.inf
                self._held = held and held.as_rejected()

    def _without_waiting(self, held: Held) -> Credentials | None:
        """The login, if it can be served now; None if a renewal has to be waited for.

        Raises:
            QwenAuthError: It can neither be served nor renewed.
        """
        now = self._clock()
        if now < held.renew_at:
            return held.credentials
        trouble = self._trouble_with(held)
        if trouble is not None:
            if now < held.dies_at:
                return held.credentials
            raise trouble
        if now < held.wait_at:
            self._renewals.board()
            return held.credentials
        return None

    def _trouble_with(self, held: Held) -> QwenAuthError | None:
        """Why no renewal is to be tried now, if there is a reason."""
        if held.credentials.refresh_token is None:
            return ended(self._store.location, "it came without a refresh token.", self._store.login_command)
        trouble, now = self._trouble, self._monotonic()
        if trouble is not None and trouble.version == held.version and now < trouble.until:
            return trouble.error(now)
        return None

    def _look(self) -> Held:
        """The login in memory; read again if the store has changed since the last look."""
        held, writes = self._held, self._writes
        if held is not None and self._monotonic() < self._look_again:
            return held
        # Set first: while one thread looks, the others go on with what is there.
        self._look_again = self._monotonic() + LOOK_INTERVAL
        try:
            if held is not None and self._store.version() == held.version:
                return held if self._spent is None else self._save_again(held)
            stored = self._store.load()
        except StoreError as error:
            if held is not None and self._clock() < held.dies_at:
                _log.debug("The store cannot be read; the token in memory still serves. %s", error)
                return held
            raise
        if stored is None:
            with self._mutex:
                self._held = None
            raise not_logged_in(self._store.location, self._store.login_command)
        return self._publish(stored, writes)

    def _save_again(self, held: Held) -> Held:
        """Write new tokens that could not be written when they came: they would end with this process."""
        if self._monotonic() < self._try_to_save:
            return held
        self._try_to_save = self._monotonic() + SAVE_INTERVAL
        try:
            with self._store.lock(0), self._store.prepare(None) as draft:
                written = draft.commit(held.credentials, held.version)
        except StoreError:
            return held
        if written is None:
            return held  # somebody logged in meanwhile: the next look finds it
        with self._mutex:
            if self._held is held:
                self._spent, self._warned_unsaved = None, False
                self._writes += 1
                self._held = replace(held, version=written.version)
            return self._held or held

    def _look_now(self) -> Held:
        self._look_again = -math.inf
        return self._look()

    def _publish(self, stored: StoredCredentials, writes: int | None = None) -> Held:
        """Put a login into memory: what was just written, or what was read when `writes` had that value."""
        with self._mutex:
            held = self._held
            if writes is None:
                self._writes += 1
            elif held is not None and writes != self._writes:
                return held
            if writes is not None and held is not None and stored.credentials.refresh_token == self._spent:
                self._held = replace(held, version=stored.version)  # ours is newer and could not be saved
            else:
                self._held = Held.of(stored, self._rejected)
            return self._held

    def _renew(self) -> Credentials:
        """Run by `_renewals`, in its thread: a good token by whatever way."""
        try:
            with contextlib.ExitStack() as stack:
                return self._lock_or_sibling(stack) or self._renew_locked()
        except (RefreshError, LoginExpiredError, StoreError) as error:
            self._remember(error)
            held = self._held
            if held is not None and self._clock() < held.dies_at:
                return held.credentials
            raise

    def _remember(self, error: QwenAuthError) -> None:
        """Pause before the next try, longer each time; a dead login is not tried again until it changes."""
        self._failures += 1
        pause = min(MAX_PAUSE, 2.0 ** min(self._failures - 1, 10))
        if isinstance(error, LoginExpiredError):
            pause = math.inf
        elif isinstance(error, RefreshError) and error.retry_after is not None:
            pause = max(pause, error.retry_after)
        version = self._held.version if self._held else None
        if self._failures == 1 or pause == math.inf:
            _log.warning("%s", error)
        self._trouble = Trouble(type(error), str(error), version, self._monotonic() + pause)

    def _lock_or_sibling(self, stack: contextlib.ExitStack) -> Credentials | None:
        """Take the lock into `stack`, or return the token that whoever held it has written meanwhile."""
        give_up = self._monotonic() + self._lock_timeout
        pause, longest = LOCK_POLL
        while True:
            try:
                stack.enter_context(self._store.lock(0))
            except ReadOnlyStoreError:
                return None  # no file can be written here, so there is none to guard
            except LockTimeoutError:
                if self._monotonic() >= give_up:
                    raise
            else:
                return None
            held = self._look_now()
            if self._clock() < held.wait_at:
                return held.credentials
            self._sleep(pause)
            pause = min(pause * 1.5, longest)

    def _renew_locked(self) -> Credentials:
        held = self._look_now()
        trouble = self._trouble_with(held)
        if self._clock() < held.renew_at:
            return held.credentials
        if trouble is not None:
            raise trouble
        with self._draft(held.credentials) as draft:
            return self._refresh(held, draft)

    def _draft(self, credentials: Credentials) -> AbstractContextManager[Draft | None]:
        """The draft, or None where nothing can be written: then the new token lives in memory."""
        try:
            return self._store.prepare(credentials)
        except ReadOnlyStoreError as error:
            self._warn_unsaved(error)
            return contextlib.nullcontext()

    def _refresh(self, held: Held, draft: Draft | None) -> Credentials:
        token = held.credentials.refresh_token or ""
        outcome = self._refresher.ask(token, patient=self._clock() >= held.dies_at, draft=draft)
        if isinstance(outcome, Refused):
            return self._after_refusal(token, outcome.reason)
        if isinstance(outcome, Inconclusive):
            raise not_renewed(outcome.reason, outcome.retry_after)
        return self._keep(held, outcome, draft)

    def _keep(self, held: Held, answer: TokenAnswer | Rotated, draft: Draft | None) -> Credentials:
        """Write and publish new tokens. The old refresh token is dead by now: nothing may lose them."""
        now = self._clock()
        new = merged(held.credentials, answer, now)
        rotated = new.refresh_token != held.credentials.refresh_token
        self._spent = held.credentials.refresh_token if rotated else None
        stored = StoredCredentials(new, held.version, now)
        if draft is not None:
            try:
                written = draft.commit(new, held.version)
            except StoreError as error:
                self._warn_unsaved(error)
            else:
                self._spent = None
                if written is None:  # somebody logged in or out meanwhile: that counts
                    return self._live(self._look_now())
                stored = replace(written, saved_at=now)
        self._publish(stored)
        if isinstance(answer, Rotated):
            raise not_renewed("the server sent one that cannot be used.")
        if new.access_token == self._rejected:
            raise still_rejected(self._store.login_command)
        self._trouble, self._failures = None, 0
        return new

    def _live(self, held: Held) -> Credentials:
        if self._clock() < held.dies_at:
            return held.credentials
        raise RefreshError(f"The login in {self._store.location} was changed during a refresh. Try again.")

    def _after_refusal(self, token: str, reason: str) -> Credentials:
        """Read again before the login is declared dead: a program without our lock may have renewed it."""
        if self._look_now().credentials.refresh_token != token:
            return self._renew_locked()
        raise ended(self._store.location, reason, self._store.login_command)

    def _warn_unsaved(self, error: StoreError) -> None:
        if not self._warned_unsaved:
            self._warned_unsaved = True
            _log.warning("A renewed Qwen login is kept in memory only and ends with this process. %s", error)
