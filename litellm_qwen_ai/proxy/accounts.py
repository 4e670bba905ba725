"""The accounts of a proxy, as its page shows them."""

from __future__ import annotations

import functools
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from litellm_qwen_ai.accounts import LoginState, usable_name
from litellm_qwen_ai.names import PROVIDER
from litellm_qwen_ai.oauth.clocks import CLOCKS, Clocks
from litellm_qwen_ai.oauth.errors import ConfigurationError
from litellm_qwen_ai.oauth.pending import WAITING
from litellm_qwen_ai.oauth.prompt import trouble_text
from litellm_qwen_ai.quota.tally import iso
from litellm_qwen_ai.stores.place import checked_name

if TYPE_CHECKING:
    from collections.abc import Iterable

    from litellm_qwen_ai.oauth.pending import PendingLogin
    from litellm_qwen_ai.settings import Settings

LONGEST_NAME = 64  # characters


def checked_account(settings: Settings, name: str | None) -> str | None:
    """An account that a request names; None is the default one.

    Raises:
        ConfigurationError: It is no account's name.
    """
    name = checked_name(name.strip() or None if name else None)
    if name is not None and len(name) > LONGEST_NAME:
        raise ConfigurationError(f"An account's name has at most {LONGEST_NAME} characters.")
    return None if name is None else usable_name(settings, name)


def accounts_of(deployments: Iterable[Any]) -> list[str]:
    """The accounts that the deployments of a proxy's `model_list` name."""
    named = [
        (one.get("model_info") or {}).get("qwen_account")
        for one in deployments
        if isinstance(one, dict)
        and str((one.get("litellm_params") or {}).get("model")).startswith(f"{PROVIDER}/")
    ]
    return [str(name) for name in named if name is not None]


def view(settings: Settings, account: str | None, clocks: Clocks = CLOCKS) -> dict[str, Any]:
    """The state of an account in plain values; no secret is in it.

    Raises:
        ConfigurationError: The place of the logins cannot be used.
    """
    state = LoginState(settings, account, clocks=clocks)
    saved_at = state.stored.saved_at if state.stored else None
    return {
        "account": account,
        "file": state.store.describe(),
        "state": state.standing.name.lower(),
        "expires_at": state.expires_at,
        "seconds_left": round(state.seconds_left) if state.stored else None,
        "can_renew": state.can_renew,
        "last_refresh": iso(saved_at) if saved_at is not None else None,
        "last_error": _error(state),
        "usage": asdict(state.usage),
        "login": _login(state.pending, state.now) if state.pending else None,
    }


def _error(state: LoginState) -> dict[str, Any] | None:
    error = state.problem or state.address_problem
    if error is not None:
        return {"at": None, "text": str(error)}
    return {"at": iso(state.failure.at), "text": state.failure.text} if state.failure else None


def _login(pending: PendingLogin, now: float) -> dict[str, Any]:
    waiting = pending.state == WAITING
    link = pending.link if pending.link.startswith(("https://", "http://")) else None
    return {
        "state": pending.state,
        "user_code": pending.user_code,
        "link": link if waiting else None,
        "expires_at": iso(pending.expires_at),
        "seconds_left": max(0, round(pending.expires_at - now)),
        "lifetime": round(pending.expires_at - pending.started_at),
        "message": trouble_text(pending.message) if waiting and pending.message else pending.message,
        "qr": qr_code(link) if waiting and link else None,
    }


@functools.lru_cache(maxsize=32)
def qr_code(link: str) -> str | None:
    """A link as an SVG image in a data URI (ISO/IEC 18004).

    None without the optional package segno, and for a link that fits into none: a server wrote it.
    """
    try:
        import segno  # noqa: PLC0415  # an optional package
    except ImportError:
        return None
    try:
        code = segno.make(link, error="m", micro=False)
    except Exception:  # noqa: BLE001  # whatever it is: the page has the link as well
        return None
    image: str = code.svg_data_uri(border=3, light="#fff", dark="#000")
    return image
