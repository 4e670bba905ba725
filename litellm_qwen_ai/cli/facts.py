"""What is there and what `qwen_ai/` would use now, in plain values; and moments and spans in words."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from litellm_qwen_ai.accounts import base_url_of, shown, state_of
from litellm_qwen_ai.oauth.errors import QwenAuthError

if TYPE_CHECKING:
    from litellm_qwen_ai.quota.tally import Usage
    from litellm_qwen_ai.settings import Settings


@dataclass(frozen=True, slots=True)
class Facts:
    """The state in plain values, as `--json` prints it; nothing in it is secret.

    Attributes:
        file: Where the login is kept, there or not.
        mode: How it is kept from others: the file's permissions, like `0600`; None without a login.
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

    @property
    def guard(self) -> str:
        """How the login is kept from others, in words."""
        return f"mode {self.mode}" if self.mode and self.mode.isdigit() else self.mode or "not there"

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def gather(settings: Settings, account: str | None = None) -> Facts:
    """Look at everything; asks no OAuth server.

    Args:
        settings: The environment.
        account: The account's name; None is the default one.

    Raises:
        StoreError: The login cannot be read, and no key makes that unimportant.
        ConfigurationError: The place or the account's name cannot be used.
    """
    state = state_of(settings, account)
    key = settings.api_key is not None
    if state.problem is not None and state.stored is None and not key:
        raise state.problem
    credentials, problem = state.credentials, state.problem
    usable = credentials is not None and (state.seconds_left > 0 or state.can_renew)
    uses = "key" if key else "login" if usable else None
    base = None
    try:
        base = base_url_of(settings, credentials) if uses else None
    except QwenAuthError as error:
        problem = problem or error
    guard = state.store.guard()
    return Facts(
        file=state.store.describe(),
        mode=guard.removeprefix("mode ") if guard else None,
        logged_in=usable,
        account=account,
        user=state.user,
        scope=shown(credentials.scope) if credentials else None,
        token_type=shown(credentials.token_type) if credentials else None,
        resource_url=shown(credentials.resource_url) if credentials else None,
        expires_at=state.expires_at,
        seconds_left=int(state.seconds_left) if credentials else None,
        can_renew=state.can_renew,
        renewal=state.renewal,
        api_key_set=key,
        uses=uses,
        base_url=base,
        problem=str(problem) if problem else None,
        usage=state.usage,
    )


def local(iso: str) -> str:
    """A moment for people: local time without seconds."""
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
