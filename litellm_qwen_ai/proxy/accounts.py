"""The accounts of a proxy, as its page shows them: from the token folder and the proxy's configuration."""

from __future__ import annotations

import functools
import time
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from litellm_qwen_ai.names import PROVIDER
from litellm_qwen_ai.oauth.errors import ConfigurationError, QwenAuthError
from litellm_qwen_ai.oauth.pending import SUFFIX, WAITING, PendingLogin, pending_login
from litellm_qwen_ai.quota.meter import meter_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from litellm_qwen_ai.oauth import FileStore, StoredCredentials
    from litellm_qwen_ai.quota.tally import Failure
    from litellm_qwen_ai.settings import Settings

SIGNED_IN, SIGNED_OUT, ENDED, UNUSABLE = "signed_in", "signed_out", "ended", "unusable"
LONGEST_NAME = 64  # characters


def checked_account(settings: Settings, name: str | None) -> str | None:
    """An account that a request names; None is the default one.

    Raises:
        ConfigurationError: It is no account's name.
    """
    name = name.strip() if name else None
    if not name:
        return None
    if len(name) > LONGEST_NAME:
        raise ConfigurationError(f"An account's name has at most {LONGEST_NAME} characters.")
    return None if settings.store(name).path == settings.store().path else name


def known_accounts(settings: Settings, deployments: Iterable[Any]) -> list[str | None]:
    """The default account, then those that have a file in the token folder or that a deployment names.

    Args:
        settings: What the environment says.
        deployments: The proxy's `model_list`.
    """
    named = {_account_of(deployment) for deployment in deployments}
    for pattern in ("*.json", f"*.json{SUFFIX}"):
        named |= {_account_in(path) for path in settings.token_dir.glob(pattern)}
    usable = {_usable(settings, name) for name in named}
    return [None, *sorted(name for name in usable if name is not None)]


def _usable(settings: Settings, name: str | None) -> str | None:
    try:
        return checked_account(settings, name)
    except QwenAuthError:
        return None  # a file that is no account's, or a deployment whose calls say what is wrong


def _account_in(path: Path) -> str:
    return path.name.removesuffix(SUFFIX).removesuffix(".json")


def _account_of(deployment: Any) -> str | None:
    if not isinstance(deployment, dict):
        return None
    model = (deployment.get("litellm_params") or {}).get("model")
    name = (deployment.get("model_info") or {}).get("qwen_account")
    return str(name) if name is not None and str(model).startswith(f"{PROVIDER}/") else None


def view(settings: Settings, account: str | None, clock: Callable[[], float] = time.time) -> dict[str, Any]:
    """The state of an account in plain values; no secret is in it. Reads three small files.

    Args:
        settings: What the environment says.
        account: The account's name; None is the default one.
        clock: The time of day, in epoch seconds.

    Raises:
        StoreError: The token folder cannot be read.
    """
    store = settings.store(account)
    meter = meter_for(store.path)
    failure = meter.last_failure()
    stored, problem = _stored(store)
    saved_at = stored.saved_at if stored else None
    if failure is not None and saved_at is not None and failure.at < saved_at:
        failure = None  # of the login before this one
    pending = pending_login(store, clock=clock)
    now = clock()
    return {
        "account": account,
        "file": str(store.path),
        "state": UNUSABLE if problem else _state(stored, failure, now),
        "expires_at": _iso(stored.credentials.expiry_date / 1000) if stored else None,
        "seconds_left": round(stored.credentials.seconds_left(now)) if stored else None,
        "can_renew": stored is not None and stored.credentials.refresh_token is not None,
        "last_refresh": _iso(saved_at) if saved_at is not None else None,
        "last_error": _error(problem, failure),
        "usage": meter.usage().as_dict(),
        "login": _login(pending, now) if pending else None,
    }


def _stored(store: FileStore) -> tuple[StoredCredentials | None, str | None]:
    try:
        return store.load(), None
    except QwenAuthError as error:
        return None, str(error)


def _state(stored: StoredCredentials | None, failure: Failure | None, now: float) -> str:
    if stored is None:
        return SIGNED_OUT
    if failure is not None and failure.login_ended:
        return ENDED
    lives = stored.credentials.seconds_left(now) > 0 or stored.credentials.refresh_token is not None
    return SIGNED_IN if lives else ENDED


def _error(problem: str | None, failure: Failure | None) -> dict[str, Any] | None:
    if problem is not None:
        return {"at": None, "text": problem}
    return {"at": _iso(failure.at), "text": failure.text} if failure else None


def _login(pending: PendingLogin, now: float) -> dict[str, Any]:
    waiting = pending.state == WAITING
    link = pending.link if pending.link.startswith(("https://", "http://")) else None
    return {
        "state": pending.state,
        "user_code": pending.user_code,
        "link": link if waiting else None,
        "expires_at": _iso(pending.expires_at),
        "seconds_left": max(0, round(pending.expires_at - now)),
        "lifetime": round(pending.expires_at - pending.started_at),
        "message": pending.message,
        "qr": qr_code(link) if waiting and link else None,
    }


@functools.lru_cache(maxsize=32)
def qr_code(link: str) -> str | None:
    """A link as an SVG image in a data URI (ISO/IEC 18004); None without the optional package segno."""
    try:
        import segno  # noqa: PLC0415  # an optional package
    except ImportError:
        return None
    image: str = segno.make(link, error="m", micro=False).svg_data_uri(border=3, light="#fff", dark="#000")
    return image


def _iso(moment: float) -> str:
    return datetime.fromtimestamp(int(moment), timezone.utc).isoformat()
