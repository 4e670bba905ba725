"""What is there and what `qwen_ai/` would use now. Reads the environment and one file; no network."""

from __future__ import annotations

import base64
import json
import stat
import time
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from litellm_qwen_ai.names import DEFAULT_API_BASE
from litellm_qwen_ai.oauth import Credentials, QwenAuthError
from litellm_qwen_ai.oauth.due import Due
from litellm_qwen_ai.quota import meter

if TYPE_CHECKING:
    from litellm_qwen_ai.oauth import FileStore, StoredCredentials
    from litellm_qwen_ai.quota.tally import Usage
    from litellm_qwen_ai.settings import Settings

_SHOWN = 100  # characters of a text that the server chose


@dataclass(frozen=True, slots=True)
class Facts:
    """The state in plain values, as `--json` prints it; nothing in it is secret.

    Attributes:
        file: The credentials file's path, there or not.
        mode: Its permissions, like `0600`; None without a file.
        logged_in: There is a login that can be used now or after a renewal.
        account: The account's name; None is the default one.
        user: Who logged in, if the server said so.
        scope: The scopes granted, if the server said so.
        token_type: As in the credentials.
        resource_url: As in the credentials.
        expires_at: When the access token dies, ISO 8601 in UTC.
        seconds_left: Seconds until then; negative afterwards.
        can_renew: There is a refresh token.
        renewal: `not due`, `due` (with the next call, in the background) or `overdue` (before the next call).
        api_key_set: QWEN_API_KEY is set.
        uses: What calls use now: `key`, `login`, or None.
        base_url: Where calls go now; None if they cannot go anywhere.
        problem: What keeps the login from being used, if something does.
        usage: The requests that were counted here: see `tally.Usage`.
    """

    file: str
    mode: str | None
    logged_in: bool
    account: str | None
    user: str | None
    scope: str | None
    token_type: str | None
    resource_url: str | None
    expires_at: str | None
    seconds_left: int | None
    can_renew: bool
    renewal: str | None
    api_key_set: bool
    uses: str | None
    base_url: str | None
    problem: str | None
    usage: Usage

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def gather(settings: Settings, account: str | None = None) -> Facts:
    """Look at everything.

    Args:
        settings: The environment.
        account: The account's name; None is the default one.

    Raises:
        StoreError: The credentials file cannot be used, and no key makes that unimportant.
        ConfigurationError: The file's name or the account's cannot be used.
    """
    store = settings.store(account)
    key = settings.api_key is not None
    problem = None
    stored = None
    try:
        stored = store.load()
    except QwenAuthError as error:
        if not key:
            raise
        problem = str(error)
    credentials = stored.credentials if stored else None
    left = credentials.seconds_left(time.time()) if credentials else None
    usable = credentials is not None and ((left or 0) > 0 or credentials.refresh_token is not None)
    base, base_problem = _base_url(settings, credentials)
    uses = "key" if key else "login" if usable else None
    return Facts(
        file=str(store.path),
        mode=mode_of(store),
        logged_in=usable,
        account=account,
        user=_user(credentials) if credentials else None,
        scope=_shown(credentials.scope) if credentials else None,
        token_type=_shown(credentials.token_type) if credentials else None,
        resource_url=_shown(credentials.resource_url) if credentials else None,
        expires_at=utc(credentials) if credentials else None,
        seconds_left=int(left) if left is not None else None,
        can_renew=credentials is not None and credentials.refresh_token is not None,
        renewal=_renewal(stored) if stored else None,
        api_key_set=key,
        uses=uses,
        base_url=base if uses else None,
        problem=problem or base_problem,
        usage=meter.read(meter.meter_path(store.path)).usage(time.time()),
    )


def mode_of(store: FileStore) -> str | None:
    """The file's permissions, like `0600`."""
    try:
        return f"{stat.S_IMODE(store.path.stat().st_mode):04o}"
    except OSError:
        return None


def utc(credentials: Credentials) -> str:
    """When the access token dies, ISO 8601 in UTC."""
    return datetime.fromtimestamp(credentials.expiry_date // 1000, timezone.utc).isoformat()


def local(iso: str) -> str:
    """The same moment for people: local time without seconds."""
    return datetime.fromisoformat(iso).astimezone().strftime("%Y-%m-%d %H:%M")


def span(seconds: float) -> str:
    """A length of time for people: `5 h 59 min`, `4 min`, `12 s`; days from two days on."""
    if seconds < 60:  # noqa: PLR2004  # a minute
        return f"{max(0, round(seconds))} s"
    minutes = round(seconds / 60)
    hours, minutes = divmod(minutes, 60)
    if hours >= 48:  # noqa: PLR2004  # two days
        return f"{hours // 24} days"
    return " ".join(
        part for part in (f"{hours} h" if hours else "", f"{minutes} min" if minutes else "") if part
    )


def _renewal(stored: StoredCredentials) -> str:
    due, now = Due.of(stored), time.time()
    if now < due.renew_at:
        return "not due"
    return "due" if now < due.wait_at else "overdue"


def _base_url(settings: Settings, credentials: Credentials | None) -> tuple[str | None, str | None]:
    """Where calls go, or why they cannot: the order is that of every call."""
    if settings.api_base is not None:
        return settings.api_base, None
    if settings.api_key is not None or credentials is None:
        return DEFAULT_API_BASE, None
    try:
        return credentials.api_base or DEFAULT_API_BASE, None
    except QwenAuthError as error:
        return None, str(error)


def _user(credentials: Credentials) -> str | None:
    """Who logged in, from the ID token if there is one (OpenID Connect Core section 2).

    Its signature is not checked: it comes from our own file, and nothing but one line of text depends on it.
    """
    parts = (credentials.id_token or "").split(".")
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
        named = [claims.get(name) for name in ("email", "preferred_username", "name", "sub")]
    except (IndexError, ValueError, AttributeError, RecursionError):
        return None
    return next((_shown(name) for name in named if isinstance(name, str) and _shown(name)), None)


def _shown(text: str | None) -> str | None:
    """A text from the file as a terminal can take it."""
    return "".join(char for char in text[:_SHOWN] if char.isprintable()) if text else None
