"""The policy: which token now, when to renew it, and who does it.

The slow way to a token: one run per process -> the turn to renew, of which the place has one -> adopt what a
sibling wrote, or: refresh, and put the new login there. A refresh token is sent during a turn only, since
it is good for one use. Whoever waits for somebody else's turn leaves as soon as a newer login is there.

A token that is alive never waits: not for a renewal, and not for a place that takes its time to be looked at.
"""

from __future__ import annotations

import asyncio
import contextlib
import copy
import logging
import math
import threading
import weakref
from concurrent.futures import Future, wait
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeAlias

from litellm_qwen_ai.names import DEFAULT_CLIENT_ID, DEFAULT_OAUTH_BASE_URL
from litellm_qwen_ai.oauth.clocks import CLOCKS, Clocks
from litellm_qwen_ai.oauth.door import StoredCredentials, Taken
from litellm_qwen_ai.oauth.errors import (
    LockTimeoutError,
    LoginExpiredError,
    QwenAuthError,
    RefreshError,
    StoreError,
    ended,
    not_logged_in,
    not_renewed,
    still_rejected,
)
from litellm_qwen_ai.oauth.flight import SingleFlight, renew_in_child
from litellm_qwen_ai.oauth.memory import Held
from litellm_qwen_ai.oauth.protocol import Inconclusive, Refused, Rotated, refresh_request
from litellm_qwen_ai.oauth.refresh import refresh
from litellm_qwen_ai.oauth.rotation import merged
from litellm_qwen_ai.oauth.signals import ends_after
from litellm_qwen_ai.oauth.transport import httpx_poster
from litellm_qwen_ai.oauth.urls import checked_url

if TYPE_CHECKING:
    from collections.abc import Generator

    from litellm_qwen_ai.oauth.credentials import Credentials
    from litellm_qwen_ai.oauth.door import Store, Turn
    from litellm_qwen_ai.oauth.protocol import TokenAnswer
    from litellm_qwen_ai.oauth.transport import Poster

LOOK_PATIENCE = 0.02  # seconds that a call with a live token gives a look: enough for any file
SAVE_INTERVAL = 60.0  # seconds between two tries to save what the place did not take, at most
LOCK_TIMEOUT = 30.0  # seconds
TURN_POLL = (0.02, 0.2)  # seconds between two tries for the turn: the first, and the most
CALLER_PATIENCE = 90.0  # seconds that a call without a live token waits for a renewal, which goes on after
MAX_PAUSE = 30.0  # seconds between two tries when the server is in trouble
REFUSAL_LOOKS = (0.0, 0.1, 0.3, 0.6)  # seconds before each look whether somebody else has renewed
_ROUNDS = 3  # a run that began before a token was rejected may bring that very token: then once more
_TURNS = 5  # how often others may change the login while we try to renew it
_log = logging.getLogger(__name__)

Steps: TypeAlias = "Generator[tuple[Future[Any], float | None], None, Credentials]"


class Session:
    """Serves the access token of one login, and renews it when it is due. Never starts a login.

    One session serves any number of threads and event loops; sessions of other processes on the same place
    share each renewal.

    Args:
        store: Where the login is kept.
        oauth_base_url: The OAuth server: https, or http on loopback; Qwen's by default.
        client_id: The OAuth client id; Qwen's by default.
        poster: Sends the refresh; httpx by default.
        clocks: The time; `sleep` is only ever called in the renewing thread.
        lock_timeout: Seconds to wait for another process that renews; 30 by default.

    Attributes:
        renewals (int): How many renewals this process has made here.
        failed_renewals (int): How many have failed.

    Raises:
        ConfigurationError: `oauth_base_url` cannot be used.
    """

    def __init__(  # noqa: PLR0913  # the server is named by two, the rest are seams
        self,
        store: Store,
        *,
        oauth_base_url: str = DEFAULT_OAUTH_BASE_URL,
        client_id: str = DEFAULT_CLIENT_ID,
        poster: Poster | None = None,
        clocks: Clocks = CLOCKS,
        lock_timeout: float = LOCK_TIMEOUT,
    ) -> None:
        self._server = checked_url(oauth_base_url, "The OAuth server's address"), client_id
        self._poster, self._clocks, self._store = poster or httpx_poster, clocks, store
        self._now, self._monotonic, self._sleep = clocks.now, clocks.monotonic, clocks.sleep
        self._lock_timeout = lock_timeout
        self._held: Held | None = None
        self._look_again = self._looking_since = -math.inf
        self._writes = 0  # counts what this process stored, so that an older reading does not undo it
        self._rejected: str | None = None
        self._brought: str | None = None  # the access token of our own last renewal
        self._try_to_save = -math.inf
        self._failed_saves = 0
        #: Why a renewal failed, of which version, and until when none is tried with the same stored login.
        self._trouble: tuple[QwenAuthError, object, float] | None = None
        self._failures = 0
        self._looks = SingleFlight(self._look, "qwen-ai-look", daemon=True)
        self._renewals = SingleFlight(self._renew, "qwen-ai-renew")
        self._after_fork()
        renew_in_child(self)
        look_soon = weakref.WeakMethod(self.look_soon)

        def changed() -> None:
            if (alive := look_soon()) is not None:  # the place keeps no session alive
                alive()

        store.watch(changed)

    def _after_fork(self) -> None:
        self._mutex = threading.Lock()  # held for a few assignments, never during I/O
        self.renewals = self.failed_renewals = 0  # in this process

    def __repr__(self) -> str:
        return f"Session({self._store.describe()!r})"

    def get(self, *, rejected: str | None = None) -> Credentials:
        """The login with an access token that is good now. Blocks while a renewal that is needed runs.

        Args:
            rejected: An access token that the chat server has just refused; it will not be returned. A kept
                key is, if it has not been changed meanwhile: another address may take it.

        Raises:
            NotLoggedInError: There is no login.
            LoginExpiredError: The server refused the refresh token.
            RefreshError: The renewal failed for now and no live token is left.
            StoreError: The place cannot be read, or nobody's turn ended in time.
        """
        ready = self._ready(rejected)
        if ready is not None:
            return ready
        steps = self._steps(rejected)
        try:
            while True:
                run, patience = next(steps)
                with ends_after(run):
                    wait([run], patience)
        except StopIteration as end:
            found: Credentials = end.value
            return found

    async def aget(self, *, rejected: str | None = None) -> Credentials:
        """As `get`, for a coroutine: the place and the network are touched in another thread only.

        The errors are those of `get`. Cancelling the caller does not cancel a renewal under way, which every
        caller shares.
        """
        ready = self._ready(rejected)
        if ready is not None:
            return ready
        steps = self._steps(rejected)
        try:
            while True:
                run, patience = next(steps)
                with ends_after(run):
                    await _worth_waiting_for(run, patience)
        except StopIteration as end:
            found: Credentials = end.value
            return found

    def has_renewed(self, credentials: Credentials) -> bool:
        """Whether this process itself asked the OAuth server for this token, and did not only adopt it."""
        return credentials.access_token == self._brought

    def peek(self) -> Credentials | None:
        """What is stored, as it is; no network, no renewal.

        Raises:
            StoreError: The place cannot be read.
        """
        stored = self._store.look()
        return stored.credentials if stored else None

    def _ready(self, rejected: str | None) -> Credentials | None:
        """The token in memory, if it is good and was looked after lately: the way of nearly every call."""
        held = self._held
        if (
            held is not None
            and self._now() < held.renew_at
            and self._monotonic() < self._look_again
            and held.credentials.access_token != rejected
        ):
            return held.credentials
        return None

    def _steps(self, rejected: str | None) -> Steps:
        """The slow way: yields each run to wait for, and the seconds it is worth (None: till its end)."""
        self._note_rejected(rejected)
        for _ in range(_ROUNDS):
            held = self._held
            if held is None or self._monotonic() >= self._look_again:
                patience, look = self._patience(held, rejected), self._looks.board()
                yield look, patience
                held = look.result() if held is None or look.done() else held
            credentials = self._without_waiting(held)
            if credentials is None:
                renewal = self._renewals.board()
                yield renewal, CALLER_PATIENCE
                if not renewal.done():
                    raise not_renewed(f"no answer within {CALLER_PATIENCE:g} s; it is still waited for.")
                credentials = renewal.result()
            if credentials.access_token != rejected or credentials.is_key:
                return credentials
        raise still_rejected(self._store.login_command)

    def _patience(self, held: Held | None, rejected: str | None) -> float | None:
        """Seconds that a look is worth: without a live token, or after a refused key, all that it takes."""
        if held is None or self._now() >= held.dies_at or held.credentials.access_token == rejected:
            return None
        if not self._looks.is_running:
            return LOOK_PATIENCE
        return max(0.0, self._looking_since + LOOK_PATIENCE - self._monotonic())

    def _note_rejected(self, rejected: str | None) -> None:
        """Make sure that a refused token is not served again, and that the place is looked at."""
        if rejected is None:
            return
        with self._mutex:
            held = self._held
            if held is not None and held.credentials.access_token != rejected:
                return  # it has been replaced already
            if held is not None and held.credentials.is_key:
                self._look_again = -math.inf
            elif self._rejected != rejected:
                self._rejected = rejected
                self._look_again = -math.inf
                self._held = held and Held.of(held.stored, rejected)

    def _without_waiting(self, held: Held) -> Credentials | None:
        """The login, if it can be served now; None if a renewal has to be waited for."""
        now = self._now()
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
            return self._ended("it came without a refresh token.")
        if self._trouble is None:
            return None
        failed, version, until = self._trouble
        left = until - self._monotonic()
        if version != held.stored.version or left <= 0:
            return None
        error = copy.copy(failed)  # one that is raised again and again collects tracebacks
        if isinstance(error, RefreshError):
            error.retry_after = left
        return error

    def _ended(self, reason: str) -> LoginExpiredError:
        return ended(self._store.describe(), self._store.login_command, reason)

    def look_soon(self) -> None:
        """Somebody else has changed the login: the next call looks at it."""
        self._look_again = -math.inf

    def look_now(self) -> None:
        """This process has changed the login: look at it, so that no call gets the one before. Blocks."""
        self.look_soon()
        for _ in range(2):  # a look that is under way may have read what was there before
            with contextlib.suppress(QwenAuthError):
                self._looks.board().result()

    def _look(self) -> Held:
        """Run by `_looks`, in its thread: the login in memory, read again if it has changed since."""
        held, writes = self._held, self._writes
        if held is not None and self._monotonic() < self._look_again:
            return held
        # Set first: while one thread looks, the others go on with what is there.
        self._looking_since = self._monotonic()
        self._look_again = self._looking_since + self._store.look_interval
        try:
            stored = self._store.look(held.stored if held else None)
        except StoreError as error:
            if held is not None and self._now() < held.dies_at:
                _log.debug("The login cannot be looked at; the token in memory still serves. %s", error)
                return held
            raise
        if stored is None:
            raise self._forgotten(writes)
        if held is None or stored is not held.stored:
            held = self._publish(stored, writes)
        return self._saved(held) if held.stored.unsaved else held

    def _saved(self, held: Held) -> Held:
        """Write a login that the place did not take, or has lost: it would end with this process."""
        if self._monotonic() < self._try_to_save:
            return held
        writes = self._writes
        try:
            written = self._store.put_back(held.stored)
        except StoreError:
            self._save_later()
            return held
        self._failed_saves = 0
        if written is None:
            raise self._forgotten(writes)
        return self._publish(written, writes)

    def _save_later(self) -> None:
        self._try_to_save = self._monotonic() + min(SAVE_INTERVAL, 2.0**self._failed_saves)
        self._failed_saves += 1

    def _forgotten(self, writes: int) -> QwenAuthError:
        """The error of a login that was there and is there no more."""
        with self._mutex:
            if writes == self._writes:
                self._held = None
        return not_logged_in(self._store.describe(), self._store.login_command)

    def _publish(self, stored: StoredCredentials, writes: int | None = None) -> Held:
        """Put a login into memory: what was just written, or what was read when `writes` had that value."""
        with self._mutex:
            held = self._held
            if writes is None:
                self._writes += 1
            elif held is not None and writes != self._writes:
                return held
            self._held = Held.of(stored, self._rejected)
            return self._held

    def _renew(self) -> Credentials:
        """Run by `_renewals`, in its thread: a good token by whatever way."""
        try:
            return self._renewed()
        except (RefreshError, LoginExpiredError, StoreError) as error:
            self._remember(error)
            held = self._held
            if held is not None and self._now() < held.dies_at:
                return held.credentials
            raise

    def _remember(self, error: QwenAuthError) -> None:
        """Pause before the next try, longer each time; a dead login is not tried again until it changes."""
        self._failures += 1
        self.failed_renewals += 1
        pause = min(MAX_PAUSE, 2.0 ** min(self._failures - 1, 10))
        if isinstance(error, LoginExpiredError):
            pause = math.inf
        elif isinstance(error, RefreshError) and error.retry_after is not None:
            pause = max(pause, error.retry_after)
        version = self._held.stored.version if self._held else None
        if self._failures == 1 or pause == math.inf:
            _log.warning("%s", error)
        self._trouble = copy.copy(error), version, self._monotonic() + pause

    def _renewed(self) -> Credentials:
        """A good token: one that somebody else has brought, or one that we ask for when it is our turn."""
        self._look_again = -math.inf
        held = self._look()
        good_until, began = held.renew_at, self._monotonic()
        for _ in range(_TURNS):
            if self._now() < good_until:
                return held.credentials
            writes = self._writes
            turn = self._turn(held, began)
            if turn is None:
                raise self._forgotten(writes)
            if isinstance(turn, Held):
                return turn.credentials
            if isinstance(turn, StoredCredentials):
                held = self._publish(turn, writes)
            else:
                with turn:
                    renewed = self._refresh(held, turn)
                if renewed is not None:
                    return renewed
                held = self._held or held
            good_until = held.wait_at  # somebody else has just brought it
        raise RefreshError(f"The login in {self._store.describe()} was changed during a refresh. Try again.")

    def _turn(self, held: Held, began: float) -> Turn | StoredCredentials | Held | None:
        """The turn, or what makes it needless: a newer login, or one in hand that can do without for now."""
        pause, longest = TURN_POLL
        while True:
            trouble = self._trouble_with(held)
            if trouble is not None:
                raise trouble
            turn = self._store.turn(held.stored)
            if not isinstance(turn, Taken):
                return turn
            if self._now() < held.wait_at:
                return held  # a later call asks again
            waited = self._monotonic() - began
            if waited >= self._lock_timeout:
                raise LockTimeoutError(turn.text(waited))
            self._sleep(pause)
            pause = min(pause * 1.5, longest)

    def _refresh(self, held: Held, turn: Turn) -> Credentials | None:
        """The login after our renewal; None if somebody else has put a newer one there meanwhile."""
        request = refresh_request(*self._server, held.credentials.refresh_token or "")
        patient = self._now() >= held.dies_at
        outcome = refresh(request, turn, self._poster, self._clocks, patient=patient)
        if outcome is None:
            return None
        if isinstance(outcome, Refused):
            self._after_refusal(turn, outcome.reason)
            return None
        if isinstance(outcome, Inconclusive):
            raise not_renewed(outcome.reason, outcome.retry_after)
        return self._keep(held, outcome, turn)

    def _after_refusal(self, turn: Turn, reason: str) -> None:
        """Whoever renewed without asking for a turn is about to write: then the refusal means nothing."""
        for pause in REFUSAL_LOOKS:
            if pause:
                self._sleep(pause)
            newer = turn.refused(reason)
            if newer is not None:
                self._publish(newer)
                return
        if self._store.look() is None:
            raise self._forgotten(self._writes)
        raise self._ended(reason)

    def _keep(self, held: Held, answer: TokenAnswer | Rotated, turn: Turn) -> Credentials | None:
        """Write and publish new tokens. The old refresh token is dead by now: nothing may lose them."""
        now = self._now()
        new = merged(held.credentials, answer, now)
        try:
            stored = turn.put(new)
        except StoreError as error:
            if not held.stored.unsaved:
                _log.warning(
                    "A renewed Qwen login is kept in memory only and ends with this process. %s", error
                )
            self._save_later()
            stored = StoredCredentials(new, held.stored.version, now, unsaved=True)
        if stored is None:
            raise self._forgotten(self._writes)
        if stored.credentials is not new:  # somebody logged in meanwhile: that counts
            self._publish(stored)
            return None
        self._publish(replace(stored, saved_at=now))
        if isinstance(answer, Rotated):
            raise not_renewed("the server sent one that cannot be used.")
        if new.access_token == self._rejected:
            raise still_rejected(self._store.login_command)
        self._trouble, self._failures = None, 0
        self._brought = new.access_token
        self.renewals += 1
        return new


async def _worth_waiting_for(run: Future[Any], patience: float | None) -> None:
    waiting = asyncio.wrap_future(run)
    if patience is None:
        with contextlib.suppress(Exception):  # read from the run itself
            await waiting
        return
    waiting.add_done_callback(lambda done: done.cancelled() or done.exception())  # read from the run itself
    await asyncio.wait([waiting], timeout=patience)
