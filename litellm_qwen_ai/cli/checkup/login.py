"""The settings, the place of the login, the login itself, and whether a renewal could be written."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from litellm_qwen_ai.cli.status import kept_key
from litellm_qwen_ai.oauth.errors import LockTimeoutError, QwenAuthError, foreign_key
from litellm_qwen_ai.oauth.pending import WAITING
from litellm_qwen_ai.plans import MEND
from litellm_qwen_ai.screen import local, span
from litellm_qwen_ai.settings import doubts
from litellm_qwen_ai.stores.finding import FAIL, OK, WARN, Finding
from litellm_qwen_ai.stores.place import place_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from litellm_qwen_ai.accounts import LoginState
    from litellm_qwen_ai.oauth.door import Store

_LOCK_TIMEOUT = 2.0  # seconds


def look_at(state: LoginState) -> Iterator[Finding]:
    """Everything about one account's login; asks no OAuth server and leaves everything as it is."""
    names = sorted(name for name in os.environ if name.startswith("QWEN_") and os.environ[name].strip())
    said = f"set: {', '.join(names)}" if names else "no QWEN_ variable is set"
    key = (
        "; calls use the key in QWEN_API_KEY, not what is kept" if state.settings.api_key is not None else ""
    )
    yield Finding("Settings", OK, said + key)
    for doubt in doubts():
        yield Finding("Settings", WARN, doubt, "Mend it or unset it")
    interrupted = False
    for finding in place_of(state.settings).check(state.account):
        interrupted |= finding.of_renewal
        yield finding
    if state.settings.store_note:
        yield Finding("Which store", OK, state.settings.store_note)
    if state.unreadable:
        yield Finding("Login", FAIL, str(state.problem))
        return
    yield _login(state) if state.key_plan is None else Finding("Key", OK, kept_key(state))
    if state.mismatch:
        yield Finding("Plan", WARN, state.mismatch, MEND)
    yield from _started(state)
    if state.can_renew and not interrupted:
        yield _renewal(state.store)


def _login(state: LoginState) -> Finding:
    command = state.store.login_command
    if state.stored is None:
        if state.settings.api_key is not None:
            return Finding("Login", OK, "none, and none is needed with QWEN_API_KEY")
        told = f"none in {state.store.describe()}. {foreign_key(command)}".removesuffix(". ")
        return Finding("Login", FAIL, told, command)
    if state.ended and state.failure:
        return Finding("Login", FAIL, state.failure.text, f"{command} --force")
    saved_at = state.stored.saved_at
    age = f"; written {span(state.now - saved_at)} ago" if saved_at is not None else ""
    when, left = local(state.expires_at or ""), state.seconds_left
    alive = f"valid until {when}, {span(left)} from now"
    if state.can_renew:
        told = f"{alive}, then renewed" if left > 0 else f"expired {when}; the next call renews it"
        return Finding("Login", OK, told + age)
    if left > 0:
        fix = f"Log in again before then: {command} --force"
        return Finding("Login", WARN, f"{alive}, and cannot be renewed{age}", fix)
    return Finding("Login", FAIL, f"expired {when} and cannot be renewed", command)


def _started(state: LoginState) -> Iterator[Finding]:
    name, login = "Started login", state.pending
    if state.problem is not None:
        yield Finding(name, WARN, str(state.problem))
    elif login is not None and login.state == WAITING:
        left = span(login.expires_at - state.now)
        yield Finding(name, OK, f"waits for approval, for another {left}")
    elif login is not None:
        yield Finding(name, WARN, f"ended: {login.message}", state.store.login_command)


def _renewal(store: Store) -> Finding:
    """Everything that a renewal does, but for the request and the write."""
    try:
        store.ping(_LOCK_TIMEOUT)
    except LockTimeoutError as error:
        return Finding("Renewal", WARN, str(error), "Nothing, if a renewal or a login is under way")
    except QwenAuthError as error:
        return Finding("Renewal", FAIL, str(error))
    return Finding("Renewal", OK, "can be written: rights, space and lock are there")
