"""The settings, the place of the login, the login itself, and whether a renewal could be written."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from litellm_qwen_ai.accounts import state_of
from litellm_qwen_ai.cli.facts import local, span
from litellm_qwen_ai.oauth.errors import LockTimeoutError, QwenAuthError
from litellm_qwen_ai.oauth.pending import WAITING
from litellm_qwen_ai.stores.finding import FAIL, OK, WARN, Finding
from litellm_qwen_ai.stores.place import place_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from litellm_qwen_ai.accounts import LoginState
    from litellm_qwen_ai.oauth.door import Store
    from litellm_qwen_ai.settings import Settings

_LOCK_TIMEOUT = 2.0  # seconds


def look_at(settings: Settings, account: str | None) -> Iterator[Finding]:
    """Everything about one account's login; asks no OAuth server and leaves everything as it is."""
    yield _settings(settings)
    interrupted = False
    for finding in place_of(settings).check(account):
        interrupted |= finding.name == "Renewal"
        yield finding
    state = state_of(settings, account)
    if state.problem is not None and state.stored is None:
        yield Finding("Login", FAIL, str(state.problem))
        return
    yield _login(state, settings)
    started = _started(state)
    if started is not None:
        yield started
    if state.can_renew and not interrupted:
        yield _renewal(state.store)


def _settings(settings: Settings) -> Finding:
    names = sorted(name for name in os.environ if name.startswith("QWEN_") and os.environ[name].strip())
    said = f"set: {', '.join(names)}" if names else "no QWEN_ variable is set"
    key = "; calls use the key, not a login" if settings.api_key is not None else ""
    return Finding("Settings", OK, said + key)


def _login(state: LoginState, settings: Settings) -> Finding:
    command = state.store.login_command
    if state.stored is None or state.expires_at is None:
        if settings.api_key is not None:
            return Finding("Login", OK, "none, and none is needed with QWEN_API_KEY")
        return Finding("Login", FAIL, f"none: there is no {state.store.describe()}", command)
    if state.failure is not None and state.failure.login_ended:
        return Finding("Login", FAIL, state.failure.text, f"{command} --force")
    return _there(state, state.expires_at, state.stored.saved_at, command)


def _there(state: LoginState, expires_at: str, saved_at: float | None, command: str) -> Finding:
    age = f"; written {span(state.now - saved_at)} ago" if saved_at is not None else ""
    when, left = local(expires_at), state.seconds_left
    if left > 0 and state.can_renew:
        return Finding("Login", OK, f"valid until {when}, {span(left)} from now, then renewed{age}")
    if left > 0:
        return Finding(
            "Login",
            WARN,
            f"valid until {when}, {span(left)} from now, and cannot be renewed{age}",
            f"Log in again before then: {command} --force",
        )
    if state.can_renew:
        return Finding("Login", OK, f"expired {when}; the next call renews it{age}")
    return Finding("Login", FAIL, f"expired {when} and cannot be renewed", command)


def _started(state: LoginState) -> Finding | None:
    if state.problem is not None:
        return Finding("Started login", WARN, str(state.problem))
    login = state.pending
    if login is None:
        return None
    if login.state == WAITING:
        left = span(login.expires_at - time.time())
        return Finding("Started login", OK, f"waits for approval, for another {left}")
    return Finding("Started login", WARN, f"ended: {login.message}", state.store.login_command)


def _renewal(store: Store) -> Finding:
    """Everything that a renewal does, but for the request and the write."""
    try:
        store.ping(_LOCK_TIMEOUT)
    except LockTimeoutError as error:
        return Finding("Renewal", WARN, str(error), "Nothing, if a renewal or a login is under way")
    except QwenAuthError as error:
        return Finding("Renewal", FAIL, str(error))
    return Finding("Renewal", OK, "can be written: rights, space and lock are there")
