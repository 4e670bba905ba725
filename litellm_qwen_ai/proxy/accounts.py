"""The accounts of a proxy, as its page shows them."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from litellm_qwen_ai.accounts import LoginState, resolved_name
from litellm_qwen_ai.models import is_ours
from litellm_qwen_ai.oauth.check import Verdict, check_credentials
from litellm_qwen_ai.oauth.clocks import CLOCKS, Clocks
from litellm_qwen_ai.oauth.errors import ConfigurationError, LoginExpiredError, QwenAuthError
from litellm_qwen_ai.oauth.pending import WAITING
from litellm_qwen_ai.oauth.prompt import qr_code, trouble_text
from litellm_qwen_ai.quota.tally import iso
from litellm_qwen_ai.route.private_names import deployments_of

if TYPE_CHECKING:
    from collections.abc import Collection

    from litellm_qwen_ai.accounts import Account
    from litellm_qwen_ai.oauth.pending import PendingLogin
    from litellm_qwen_ai.settings import Settings

LONGEST_NAME = 64  # characters


def checked_account(settings: Settings, name: str | None) -> str | None:
    """An account that a request names; None, or another name of the default one's login, is the default one.

    Raises:
        ConfigurationError: It is no account's name; an empty one is none either.
    """
    if name is None:
        return None
    if len(name.strip()) > LONGEST_NAME:
        raise ConfigurationError(f"An account's name has at most {LONGEST_NAME} characters.")
    return resolved_name(settings, name.strip())


def accounts_of(server: Any) -> list[str]:
    """The accounts that the deployments of a proxy name, whose module `proxy_server` this is."""
    return [name for name in deployed_accounts(server) if name is not None]


def deployed_accounts(server: Any) -> list[str | None]:
    """The same of every deployment: None for one that names none, and uses the default account."""
    router = getattr(server, "llm_router", None)
    named = [
        (one.get("model_info") or {}).get("qwen_account")
        for one in (deployments_of(router) if router is not None else ())
        if (params := one.get("litellm_params") or {})
        and is_ours(params.get("model"), params.get("custom_llm_provider"))
    ]
    return [None if name is None else str(name) for name in named]


def view(
    settings: Settings,
    account: str | None,
    clocks: Clocks = CLOCKS,
    *,
    named: Collection[str] = (),
    may_change: bool = True,
) -> dict[str, Any]:
    """The state of an account in plain values; no secret is in it.

    Args:
        settings: Where the logins are.
        account: Its name; None is the default one.
        clocks: The time.
        named: The accounts that deployments name.
        may_change: Whoever may not is not shown the code of a login that waits: approving it is a change.

    Raises:
        ConfigurationError: The place of the logins cannot be used.
    """
    state = LoginState(settings, account, clocks=clocks)
    saved_at = state.stored.saved_at if state.stored else None
    return {
        "account": account,
        "file": state.store.describe(),
        "state": state.standing.name.lower(),
        "stays": account is None or account in named,
        "expires_at": state.expires_at,
        "seconds_left": round(state.seconds_left) if state.expires_at else None,
        "plan": state.key_plan,
        "host": state.key_host,
        "can_renew": state.can_renew,
        "last_refresh": iso(saved_at) if saved_at is not None else None,
        "renewed": state.renewed,
        "last_error": _error(state),
        "left_alone": state.left_alone,
        "usage": asdict(state.usage),
        "hours": [asdict(hour) for hour in state.hours],
        "login": _login(state.pending, state.now, may_change=may_change) if state.pending else None,
    }


def check(settings: Settings, account: Account) -> Verdict:
    """Whether the chat server takes an account's token, renewed first if that is due; it costs nothing."""
    try:
        credentials = account.session.get()
        base_url, _ = settings.address(credentials)
    except LoginExpiredError as error:
        account.meter.failed(error, login_ended=True)
        return Verdict("refused", str(error))
    except QwenAuthError as error:
        return Verdict("unknown", str(error))
    return check_credentials(base_url, credentials)


def _error(state: LoginState) -> dict[str, Any] | None:
    error = state.problem or state.address_problem
    if error is not None:
        return {"at": None, "text": str(error)}
    return {"at": iso(state.failure.at), "text": state.failure.text} if state.failure else None


def _login(pending: PendingLogin, now: float, *, may_change: bool) -> dict[str, Any]:
    waiting = pending.state == WAITING
    safe = pending.link if pending.link.startswith(("https://", "http://")) else None
    link = safe if waiting and may_change else None
    return {
        "state": pending.state,
        "user_code": pending.user_code if may_change else None,
        "link": link,
        "expires_at": iso(pending.expires_at),
        "seconds_left": max(0, round(pending.expires_at - now)),
        "lifetime": round(pending.expires_at - pending.started_at),
        "message": trouble_text(pending.message) if waiting and pending.message else pending.message,
        "qr": qr_code(link) if link else None,
    }
