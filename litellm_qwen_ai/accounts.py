"""Who is there: each account's place, session and meter in this process, and how its login stands."""

from __future__ import annotations

import base64
import contextlib
import functools
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from enum import Enum
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from litellm_qwen_ai.oauth.clocks import CLOCKS, Clocks
from litellm_qwen_ai.oauth.errors import LoginExpiredError, QwenAuthError, RefreshError, StoreError
from litellm_qwen_ai.oauth.memory import Held
from litellm_qwen_ai.oauth.pending import WAITING, PendingLogin, pending_login
from litellm_qwen_ai.oauth.rotation import LOGGED_IN_AT
from litellm_qwen_ai.plans import mismatch
from litellm_qwen_ai.quota.meter import KEEPER, Meter
from litellm_qwen_ai.quota.tally import iso
from litellm_qwen_ai.stores.place import checked_name, place_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from litellm_qwen_ai.oauth.credentials import Credentials
    from litellm_qwen_ai.oauth.door import Store, StoredCredentials
    from litellm_qwen_ai.oauth.session import Session
    from litellm_qwen_ai.settings import Settings

MOST_ACCOUNTS = 256  # kept in memory; whoever is used least is made anew when it is asked for
_SAVING = 60.0  # seconds that a new login may take to be written: no token is renewed that early
_AT_ONCE = 8  # accounts that are read at the same time
_T = TypeVar("_T")
_SHOWN = 100  # characters of a text that the server chose


class Account:
    """What this process has of one account: where its login is kept, and what counts its requests."""

    def __init__(self, settings: Settings, name: str | None) -> None:
        place = place_of(settings)
        self.name = checked_name(name)
        self.store: Store = place.login(name)
        self.meter = Meter(place.counters(name), keeper=KEEPER)
        self._settings = settings

    @functools.cached_property
    def session(self) -> Session:
        """Serves the access token."""
        from litellm_qwen_ai.oauth.session import Session  # noqa: PLC0415  # most commands need none

        return Session(
            self.store,
            oauth_base_url=self._settings.oauth_base_url,
            client_id=self._settings.oauth_client_id,
        )

    def look_now(self) -> None:
        """The login has just been changed here: no later call of this process uses the one before."""
        session: Session | None = self.__dict__.get("session")  # who has made none holds nothing
        if session is not None:
            session.look_now()

    @property
    def renewals(self) -> dict[str, int]:
        """How many renewals of the login this process has tried so far, by how they ended."""
        session: Session | None = self.__dict__.get("session")  # who only counts makes none
        if session is None:
            return {"renewed": 0, "failed": 0}
        return {"renewed": session.renewals, "failed": session.failed_renewals}

    @contextlib.contextmanager
    def failures_noted(self) -> Iterator[None]:
        """Note an error of the login for whoever looks after it; it passes on."""
        try:
            yield
        except (LoginExpiredError, RefreshError, StoreError) as error:
            self.meter.failed(error, login_ended=isinstance(error, LoginExpiredError))
            raise


def account_of(settings: Settings, name: str | None = None) -> Account:
    """The process's one `Account` of that name; None is the default account.

    Raises:
        ConfigurationError: The name, the place or the OAuth server's address cannot be used.
    """
    return _made(settings.of_places, name)


_made = functools.lru_cache(maxsize=MOST_ACCOUNTS)(Account)


def known_accounts(settings: Settings, named_elsewhere: Iterable[str] = ()) -> list[str | None]:
    """The default account, then the others that have a login, one that waits, or a name elsewhere.

    Raises:
        StoreError: The place cannot be read.
    """
    names = set()
    for name in (*place_of(settings).accounts(), *named_elsewhere):
        with contextlib.suppress(QwenAuthError):  # no account's file, or a deployment whose calls say it
            names.add(resolved_name(settings, name))
    return [None, *sorted(name for name in names if name is not None)]


def side_by_side(read: Callable[[str | None], _T], accounts: Iterable[str | None]) -> list[_T]:
    """What is read of each account, in their order; a few at once, as a place may take its time for each."""
    with ThreadPoolExecutor(_AT_ONCE, "qwen-ai-accounts") as readers:
        return list(readers.map(read, accounts))


def left_alone(settings: Settings, store: Store) -> str | None:
    """Why what is there and cannot be read is not removed; None in a store of ours, where it is a login.

    QWEN_AUTH_FILE may name any file, and no user's file goes because it could not be read.
    """
    if settings.store is not None:
        return None
    return (
        f"{store.describe()} holds no login that can be read, so it is not removed. If nobody needs it, move "
        "it away by hand."
    )


def resolved_name(settings: Settings, name: str) -> str | None:
    """A name as it is, or None for one that leads to the default account's own login.

    Raises:
        ConfigurationError: The name or the place cannot be used.
    """
    place = place_of(settings)
    return None if place.login(checked_name(name)).key == place.login(None).key else name


class Standing(str, Enum):
    """How an account stands: the value is the commands' word for it, the name in lower case the page's.

    `ENDED` can be renewed no more: somebody has to log in again. `UNUSABLE` means that the login cannot be
    read, or that its address cannot be used: `LoginState.trouble` says why.
    """

    SIGNED_IN = "logged in"
    KEY = "key"
    SIGNED_OUT = "not logged in"
    ENDED = "expired"
    UNUSABLE = "unusable"


class LoginState:
    """An account as it stands when this is made: what every command and the proxy's page tell people.

    That takes three small reads, and no network but that of the place. It holds the login's tokens, which
    its repr and `as_dict` do not show, and is therefore neither pickled nor copied.

    Attributes:
        account (str | None): The account's name; None is the default account.
        settings (Settings): What the environment said.
        store (Store): The place that keeps the login.
        stored (StoredCredentials | None): The login, if there is one that can be read.
        problem (QwenAuthError | None): Why it cannot be read; or, if it can, why nobody can tell whether
            another one waits.
        left_alone (str | None): Why a logout does not remove what is there; None if it does.
        base_url (str | None): Where calls go now; None if the login names no address for a token.
        address_problem (QwenAuthError | None): What is wrong with that address.
        pending (PendingLogin | None): The login that was started last and has not been finished.
        failure (Failure | None): The last error of this login that whoever looks after it should know of.
        usage (Usage): The requests that were counted here.
        hours (list[Hour]): The same for each of the last 24 hours, the oldest first.
        now (float): When all this was so, in epoch seconds.
        changed (bool): Whether the function that returned this has just logged in.

    Raises:
        ConfigurationError: The name or the place cannot be used.
    """

    def __init__(self, settings: Settings, account: str | None = None, *, clocks: Clocks = CLOCKS) -> None:
        kept = account_of(settings, account)
        self.account = account
        self.settings = settings
        self.store = kept.store
        self.stored: StoredCredentials | None = None
        self.pending: PendingLogin | None = None
        self.problem: QwenAuthError | None = None
        self.left_alone: str | None = None
        try:
            self.stored = self.store.look()
        except QwenAuthError as error:
            self.problem = error
            self.left_alone = left_alone(settings, self.store)
        try:  # of its own: a login that cannot be read is replaced by the one that waits
            self.pending = pending_login(self.store, clocks=clocks)
        except QwenAuthError as error:
            self.problem = self.problem or error
        self.base_url: str | None = None
        self.address_problem: QwenAuthError | None = None
        try:
            used = self.credentials if settings.api_key is None else None
            self.base_url, _ = settings.address(used)
        except QwenAuthError as error:
            self.address_problem = error
        self.now = clocks.now()
        counted = kept.meter.counted()
        self.failure = counted.failure
        if self.failure and self.stored and self.failure.at < (self.stored.saved_at or 0.0):
            self.failure = None  # of the login before this one
        self.usage = counted.usage(self.now)
        self.hours = counted.last_hours(self.now)
        self.changed = False

    def __repr__(self) -> str:
        return f"LoginState({self.store.describe()!r}, {self.standing.value!r})"

    def __getstate__(self) -> object:
        """Pickled or copied, it would carry the tokens to where nobody looks for them."""
        raise TypeError(
            "A LoginState is not pickled or copied, since it holds the login's tokens or the key. Pass on "
            "as_dict(), or ask litellm_qwen_ai.status() again where it is needed."
        )

    def as_dict(self) -> dict[str, Any]:
        """What `litellm-qwen-ai status --json` prints: plain values, none of them secret."""
        credentials = self.credentials
        return {
            "file": self.store.describe(),
            "mode": self.store.mode(),
            "logged_in": self.logged_in,
            "account": self.account,
            "plan": self.key_plan,
            "user": self.user,
            "scope": shown(credentials.scope) if credentials else None,
            "token_type": shown(credentials.token_type) if credentials else None,
            "resource_url": shown(credentials.resource_url) if credentials else None,
            "expires_at": self.expires_at,
            "seconds_left": int(self.seconds_left) if self.expires_at else None,
            "can_renew": self.can_renew,
            "renewal": self.renewal,
            "api_key_set": self.settings.api_key is not None,
            "uses": self.uses,
            "base_url": self.base_url if self.uses else None,
            "pending_code": self.pending.user_code
            if self.pending and self.pending.state == WAITING
            else None,
            "problem": self.trouble or self.mismatch or None,
            "usage": asdict(self.usage),
        }

    @property
    def credentials(self) -> Credentials | None:
        """The login, if there is one that can be read."""
        return self.stored.credentials if self.stored else None

    @property
    def key_plan(self) -> str | None:
        """The plan that the account's key was kept for, or `custom`; None without a key."""
        return self.credentials.plan if self.credentials and self.credentials.is_key else None

    @property
    def key_host(self) -> str | None:
        """Where the account's key goes; None without one, or if its address cannot be used."""
        return urlsplit(self.base_url).netloc if self.key_plan and self.base_url else None

    @property
    def mismatch(self) -> str:
        """Why the key in use looks like one for another address, in a sentence; empty if it does not."""
        key = self.settings.api_key
        if key is not None:
            return mismatch(key, self.base_url or "")
        kept = self.credentials
        return mismatch(kept.access_token, self.base_url or "", kept.plan) if kept and kept.is_key else ""

    @property
    def unreadable(self) -> bool:
        """Whether nobody can tell if there is a login."""
        return self.problem is not None and self.stored is None

    @property
    def ended(self) -> bool:
        """Whether the server takes the refresh token no more."""
        if self.stored is None or self.key_plan is not None:
            return False
        return self.failure is not None and self.failure.login_ended

    @property
    def seconds_left(self) -> float:
        """Seconds until the access token dies: 0 without one, negative once it is, infinite for a key."""
        return self.stored.credentials.seconds_left(self.now) if self.stored else 0.0

    @property
    def can_renew(self) -> bool:
        """Whether there is a refresh token that the server has not refused."""
        return bool(self.credentials and self.credentials.refresh_token) and not self.ended

    @property
    def logged_in(self) -> bool:
        """Whether there is a key, or a login that is alive or can be renewed."""
        return self.can_renew or (self.seconds_left > 0 and not self.ended)

    @property
    def standing(self) -> Standing:
        """How it stands, in one word."""
        if self.unreadable or self.address_problem is not None:
            return Standing.UNUSABLE
        if self.stored is None:
            return Standing.SIGNED_OUT
        if self.key_plan is not None:
            return Standing.KEY
        return Standing.SIGNED_IN if self.logged_in else Standing.ENDED

    @property
    def trouble(self) -> str | None:
        """What keeps the login from being used, and what to do; None if nothing does."""
        error = self.problem or self.address_problem
        if error is not None:
            return str(error)
        return self.failure.text if self.failure and self.ended else None

    @property
    def uses(self) -> str | None:
        """What calls use now: `key` (QWEN_API_KEY, else the account's), `login`, or None for nothing."""
        if self.settings.api_key is not None or self.key_plan is not None:
            return "key"
        return "login" if self.logged_in else None

    @property
    def renewal(self) -> str | None:
        """Whether a renewal is `not due`, `due` (with the next call, behind it) or `overdue` (before it).

        None without a login, and for a key.
        """
        if self.stored is None or self.key_plan is not None:
            return None
        due = Held.of(self.stored)
        return "not due" if self.now < due.renew_at else "due" if self.now < due.wait_at else "overdue"

    @property
    def expires_at(self) -> str | None:
        """When the access token dies, ISO 8601 in UTC; None without one, and for a key."""
        return iso(self.stored.credentials.dies_at) if self.stored and self.key_plan is None else None

    @property
    def renewed(self) -> bool:
        """Whether the login has been renewed since somebody logged in; True as well if nobody knows."""
        if self.stored is None:
            return False
        began = (self.stored.credentials.model_extra or {}).get(LOGGED_IN_AT)
        saved = self.stored.saved_at
        return not isinstance(began, (int, float)) or saved is None or saved - began / 1000 > _SAVING

    @property
    def user(self) -> str | None:
        """Who logged in, if the server said so."""
        return _user(self.stored.credentials) if self.stored else None


def shown(text: str | None) -> str | None:
    """A text that the server chose, as a terminal can take it."""
    return "".join(char for char in text[:_SHOWN] if char.isprintable()) if text else None


def _user(credentials: Credentials) -> str | None:
    """Who logged in, from the ID token if there is one (OpenID Connect Core section 2).

    Its signature is not checked: it comes from our own place, and nothing but one line of text depends on it.
    """
    parts = (credentials.id_token or "").split(".")
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
        named = [claims.get(name) for name in ("email", "preferred_username", "name", "sub")]
    except (IndexError, ValueError, AttributeError, RecursionError):
        return None
    return next((shown(name) for name in named if isinstance(name, str) and shown(name)), None)
