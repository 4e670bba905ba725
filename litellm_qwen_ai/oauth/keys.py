"""A key that is kept in an account's place instead of a login."""

from __future__ import annotations

import contextlib
import re
from typing import TYPE_CHECKING

from litellm_qwen_ai.oauth.check import check_key
from litellm_qwen_ai.oauth.clocks import CLOCKS, Clocks
from litellm_qwen_ai.oauth.credentials import TOKEN, Credentials
from litellm_qwen_ai.oauth.errors import (
    ConfigurationError,
    CorruptCredentialsError,
    KeyRefusedError,
    KeyUncheckedError,
    StoreError,
)
from litellm_qwen_ai.oauth.pending import cancel_login
from litellm_qwen_ai.oauth.urls import own_base
from litellm_qwen_ai.plans import CUSTOM, MEND, PLANS, mismatch, plan_at, plan_named, wrapping
from litellm_qwen_ai.redaction import Secret

if TYPE_CHECKING:
    from litellm_qwen_ai.oauth.door import Store

_PASTED = re.compile(r"\x1b\[20[01]~")  # a terminal's marks around what is pasted
UNCHECKED = "To keep it unchecked, add --no-check (check=False)."
"""What to do about a key of which the server says nothing."""
_LONGEST = 4096  # characters: far more than any key has, and a header's limit on most servers


def keep_key(  # noqa: PLR0913  # a key and what it is for, two switches, a seam
    store: Store,
    key: str,
    *,
    plan: str | None = None,
    api_base: str | None = None,
    check: bool = True,
    force: bool = False,
    clocks: Clocks = CLOCKS,
) -> Credentials:
    """Keep a key in a place, instead of what is there: a live login is replaced only with `force`.

    Args:
        store: The place.
        key: The key.
        plan: The name of its plan: see `plans.PLANS`. Without one and without `api_base`, that of the key
            which is replaced.
        api_base: Its base URL, where that is not the plan's; any address that its user trusts.
        check: Ask the address first whether it takes the key: `GET /models`, which costs nothing.
        force: Replace a live login too, or what cannot be read.
        clocks: The time.

    Returns:
        What is kept now.

    Raises:
        ConfigurationError: The key, the plan or the address cannot be used, or there is a login.
        KeyRefusedError: The server refuses the key; nothing was changed.
        KeyUncheckedError: Nobody knows whether it takes the key; nothing was changed.
        StoreError: The place cannot be read or written.
    """
    key = Secret(_PASTED.sub("", key).strip())  # so that no traceback with locals shows it
    _check_text(key)
    before = _there(store, clocks.now(), force=force)
    name, base = _for(plan, api_base, before, store.login_command)
    kept = Credentials(access_token=key, plan=name, resource_url=base)
    if check:
        _check(base, key, name)
    store.save(kept)
    with contextlib.suppress(StoreError):  # the key is there; a login that waited is nobody's any more
        cancel_login(store)
    return kept


def _check_text(key: str) -> None:
    if not key:
        raise ConfigurationError("No key was given: it is empty.")
    if around := wrapping(key):
        raise ConfigurationError(f"What was given stands {around}. Give the key alone.")
    if len(key) > _LONGEST or not TOKEN.fullmatch(key):
        raise ConfigurationError(
            "What was given is no key: it is too long, or holds a space or another character that no key "
            "has. Copy it anew."
        )


def _there(store: Store, now: float, *, force: bool) -> Credentials | None:
    """What the key replaces."""
    try:
        stored = store.look()
    except CorruptCredentialsError:
        if not force:
            raise
        return None
    before = stored.credentials if stored else None
    if before is not None and not before.is_key and not force and before.seconds_left(now) > 0:
        raise ConfigurationError(
            f"There is a login in {store.describe()}. To replace it by a key, add --force (force=True); to "
            "keep both, keep the key in an account of another name."
        )
    return before


def _for(plan: str | None, api_base: str | None, before: Credentials | None, command: str) -> tuple[str, str]:
    """What a key is for: the name of its plan, and its base URL."""
    names = ", ".join(one.name for one in PLANS)
    if plan is None and api_base is None:
        if before is None or not before.is_key or before.api_base is None:
            raise ConfigurationError(
                f"What is the key for? Name its plan, `{command} --key --plan NAME` ({names}), or the "
                "address of another server with --api-base (api_base=)."
            )
        return before.plan, before.api_base
    if plan is not None and plan != CUSTOM and plan_named(plan) is None:
        raise ConfigurationError(f"There is no such plan; it is one of {names}. {MEND}")
    base = own_base(api_base) if api_base is not None else None
    known = plan_named(plan) if plan else plan_at(base or "")
    if base is None and known is None:
        raise ConfigurationError(f"{CUSTOM!r} has no address of its own: add --api-base (api_base=).")
    return known.name if known else CUSTOM, base or (known.base_url if known else "")


def _check(base_url: str, key: str, name: str) -> None:
    verdict, plan = check_key(base_url, key), plan_named(name)
    said = f"{verdict.message} The key was not kept."
    if plan is not None:
        said += f" It was given as one of {plan.title} ({name})."
    if verdict.result == "refused":
        wrong = mismatch(key, base_url, name) or "A key works at its own plan's address only."
        raise KeyRefusedError(f"{said} {wrong} {MEND}")
    if verdict.result == "unknown":
        raise KeyUncheckedError(f"{said} {UNCHECKED}")
