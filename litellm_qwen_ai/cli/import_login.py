"""`login --import FILE`: takes over a login from another place, such as Qwen Code's folder."""

from __future__ import annotations

import contextlib
import stat
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from litellm_qwen_ai.names import DEFAULT_AUTH_FILE, LOGIN_COMMAND, key_command
from litellm_qwen_ai.oauth import (
    ConfigurationError,
    CorruptCredentialsError,
    Credentials,
    NotLoggedInError,
    StoreError,
    cancel_login,
    keep_key,
)
from litellm_qwen_ai.screen import wrapped
from litellm_qwen_ai.stores.files import disk as files
from litellm_qwen_ai.verbs import live_login

if TYPE_CHECKING:
    from litellm_qwen_ai.cli.outcome import Report


def take_over(source: str, report: Report, *, force: bool, check: bool) -> int:
    """Copy the login or the key in a file, or in a folder's `oauth_creds.json`, which stays as it is.

    A key is kept as `login --key` keeps one: with `check`, only if its server takes it.

    Raises:
        ConfigurationError: There is no such file, or it is the one that is in use already.
        CorruptCredentialsError: It holds no login.
        NotLoggedInError: The login in it has ended.
        LoginError: The key in it is not kept.
        StoreError: It cannot be read, or ours cannot be written.
    """
    store, path = report.store, _found(source)
    if str(files.target_of(path)) == store.key:
        raise ConfigurationError(f"{path} is the file that is in use already; there is nothing to import.")
    credentials = _read(path)
    there = None if force else live_login(report.settings, report.account)
    if there is not None:
        what = "key" if there.key_plan else "login"
        raise ConfigurationError(
            f"There is a {what} in {store.describe()} already. To replace it, add --force; to keep both, "
            "import under a name: --account NAME."
        )
    if credentials.is_key:  # which may be used in as many places as one likes
        plan, base = credentials.plan, credentials.resource_url
        keep_key(store, credentials.access_token, plan=plan, api_base=base, check=check, force=force)
        return report.new_key("Imported", checked=check)
    store.save(credentials)
    with contextlib.suppress(StoreError):  # the login is there; what is wrong with the note, the report says
        cancel_login(store)
    code = report.new_login("Imported")
    click.echo(
        wrapped(
            f"{path} was not changed, but it must not be used any more: each renewal replaces the refresh "
            "token, so whichever renews first locks the other out. Log out there, or remove it.",
            sys.stderr,
        ),
        err=True,
    )
    return code


def _found(source: str) -> Path:
    try:
        path = Path(source).expanduser()
    except RuntimeError:
        raise ConfigurationError(f"{source!r} starts with a home folder that does not exist here.") from None
    try:  # not by is_dir() and exists(): in Python 3.14 they say no of what cannot be looked at
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            path /= DEFAULT_AUTH_FILE
            mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        raise ConfigurationError(
            f"There is no file {path}. Qwen Code of today keeps no login of a Qwen account in ~/.qwen, but "
            f"keys of other services. Log in here: {LOGIN_COMMAND}; or keep a key: {key_command(None)}"
        ) from None
    except OSError as error:  # such as a folder that this user may not enter
        raise ConfigurationError(f"Cannot read {path}: {error.strerror}. Nothing was imported.") from None
    if not stat.S_ISREG(mode):
        raise ConfigurationError(
            f"{path} is a device or a pipe. --import reads a file, or a folder that has one."
        )
    return path


def _login_in(data: bytes, path: Path) -> Credentials:
    try:
        return Credentials.from_json(data)
    except CorruptCredentialsError as error:
        raise CorruptCredentialsError(f"{path}: {error}. Nothing was imported.") from None


def _read(path: Path) -> Credentials:
    with contextlib.suppress(OSError):  # what is no login is said to be none, whoever may write it
        if path.is_file() and path.stat().st_size <= files.MAX_FILE:
            _login_in(path.read_bytes(), path)
    found = files.read(path)
    credentials = _login_in(found[0] if found else b"", path)
    if credentials.refresh_token is None and credentials.seconds_left(time.time()) <= 0:
        raise NotLoggedInError(
            f"The login in {path} has expired and holds no refresh token, so nothing was imported. "
            f"Log in anew: {LOGIN_COMMAND}"
        )
    return credentials
