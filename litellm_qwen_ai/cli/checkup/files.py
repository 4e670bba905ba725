"""The folder, the file and the login in it, and whether a renewal could be written."""

from __future__ import annotations

import os
import re
import stat
import time
from typing import TYPE_CHECKING

from litellm_qwen_ai.cli.checkup.finding import FAIL, OK, WARN, Finding
from litellm_qwen_ai.cli.facts import span
from litellm_qwen_ai.oauth import LockTimeoutError, QwenAuthError, pending_login
from litellm_qwen_ai.oauth.pending import WAITING
from litellm_qwen_ai.stores.files.disk import POSIX, target_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from litellm_qwen_ai.oauth import FileStore, StoredCredentials
    from litellm_qwen_ai.settings import Settings

_LOCK_TIMEOUT = 2.0  # seconds
_OTHERS_WRITE, _OTHERS = 0o022, 0o077


def look_at(settings: Settings, store: FileStore) -> Iterator[Finding]:
    """Everything about one account on this machine; sends nothing and leaves everything as it is."""
    yield _settings(settings)
    folder = target_of(store.path).parent
    yield _folder(folder, store)
    try:
        stored = store.load()
    except QwenAuthError as error:
        yield Finding("File", FAIL, str(error))
        return
    if stored is not None:
        yield _file(store)
    yield _login(stored, settings, store)
    started = _started(store)
    if started is not None:
        yield started
    if stored is not None and stored.credentials.refresh_token is not None:
        yield _renewal(store, stored)


def _settings(settings: Settings) -> Finding:
    names = sorted(name for name in os.environ if name.startswith("QWEN_") and os.environ[name].strip())
    said = f"set: {', '.join(names)}" if names else "no QWEN_ variable is set"
    key = "; calls use the key, not a login" if settings.api_key is not None else ""
    return Finding("Settings", OK, said + key)


def _folder(folder: Path, store: FileStore) -> Finding:
    try:
        status = folder.stat()
    except FileNotFoundError:
        return Finding("Folder", OK, f"{folder} is not there yet; a login makes it")
    except OSError as error:
        return Finding("Folder", FAIL, f"{folder}: {error.strerror}", "Give this user the right to enter it")
    mode = stat.S_IMODE(status.st_mode)
    text, fix = f"{folder} (mode {mode:04o})", f"chmod 700 '{folder}'"
    if not POSIX:
        return Finding("Folder", OK, str(folder))
    state, fault = OK, ""
    if mode & _OTHERS_WRITE and not mode & stat.S_ISVTX:
        state, fault = FAIL, " can be written by other users"
    elif os.geteuid() != 0 and status.st_uid not in {0, os.geteuid()}:
        state, fault = WARN, f" belongs to user id {status.st_uid}, not to you ({os.geteuid()})"
        fix = "Set QWEN_TOKEN_DIR to a folder of your own"
    elif mode & _OTHERS and store.path.exists():
        state, fault = WARN, " can be looked into by other users"
    return Finding("Folder", state, text + fault, fix if fault else None)


def _file(store: FileStore) -> Finding:
    target = target_of(store.path)
    status = target.stat()
    mode = stat.S_IMODE(status.st_mode)
    link = f", a link to {target}" if store.path.is_symlink() else ""
    text = f"{store.path}{link} (mode {mode:04o})"
    if POSIX and mode & _OTHERS:
        return Finding("File", WARN, f"{text} can be read by other users", f"chmod 600 '{target}'")
    return Finding("File", OK, text)


def _login(stored: StoredCredentials | None, settings: Settings, store: FileStore) -> Finding:
    if stored is None:
        if settings.api_key is not None:
            return Finding("Login", OK, "none, and none is needed with QWEN_API_KEY")
        return Finding("Login", FAIL, f"none: there is no {store.path}", store.login_command)
    now, credentials = time.time(), stored.credentials
    left = credentials.seconds_left(now)
    age = f"; written {span(now - stored.saved_at)} ago" if stored.saved_at is not None else ""
    when = local_time(credentials.expiry_date)
    if left > 0 and credentials.refresh_token is not None:
        return Finding("Login", OK, f"valid until {when}, {span(left)} from now, then renewed{age}")
    if left > 0:
        return Finding(
            "Login",
            WARN,
            f"valid until {when}, {span(left)} from now, and cannot be renewed{age}",
            f"Log in again before then: {store.login_command} --force",
        )
    if credentials.refresh_token is not None:
        return Finding("Login", OK, f"expired {when}; the next call renews it{age}")
    return Finding("Login", FAIL, f"expired {when} and cannot be renewed", store.login_command)


def local_time(expiry_date: int) -> str:
    """A moment in epoch milliseconds, in local time."""
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(expiry_date / 1000))


def _started(store: FileStore) -> Finding | None:
    try:
        login = pending_login(store)
    except QwenAuthError as error:
        return Finding("Started login", WARN, str(error))
    if login is None:
        return None
    if login.state == WAITING:
        left = span(login.expires_at - time.time())
        return Finding("Started login", OK, f"waits for approval, for another {left}")
    return Finding("Started login", WARN, f"ended: {login.message}", store.login_command)


def _renewal(store: FileStore, stored: StoredCredentials) -> Finding:
    """Everything that a renewal does, but for the request and the rename."""
    target = target_of(store.path)
    draft = re.compile(re.escape(target.name) + r"\.[0-9a-f]+\.new")
    leftover = any(draft.fullmatch(path.name) for path in target.parent.iterdir())
    if leftover:
        # Left to the next renewal, which knows whether it holds newer tokens.
        return Finding(
            "Renewal",
            WARN,
            "a renewal was interrupted; the next call tidies up after it",
            "Nothing, if calls work",
        )
    try:
        with store.lock(_LOCK_TIMEOUT), store.prepare(stored.credentials):
            pass
    except LockTimeoutError as error:
        return Finding("Renewal", WARN, str(error), "Nothing, if a renewal or a login is under way")
    except QwenAuthError as error:
        return Finding("Renewal", FAIL, str(error))
    return Finding("Renewal", OK, "can be written: rights, space and lock are there")
