"""What `litellm-qwen-ai doctor` says about the folder and the file of a login. Leaves everything as it is."""

from __future__ import annotations

import contextlib
import os
import stat
from typing import TYPE_CHECKING

from litellm_qwen_ai.oauth.errors import QwenAuthError
from litellm_qwen_ai.stores.files import disk
from litellm_qwen_ai.stores.finding import FAIL, OK, WARN, Finding

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from litellm_qwen_ai.stores.files.login import FileStore

_OTHERS_WRITE, _OTHERS = 0o022, 0o077


def check(store: FileStore) -> Iterator[Finding]:
    """The folder, the file, and what an interrupted renewal has left."""
    folder = disk.target_of(store.path).parent
    yield _folder(folder, store)
    with contextlib.suppress(OSError):  # no file, or a folder that this user may not enter: said elsewhere
        yield _file(store)
    try:
        leftover = disk.leftovers(disk.target_of(store.path))
    except QwenAuthError:
        return  # said already
    if leftover:
        # Left to the next renewal, which knows whether it holds newer tokens.
        text = "a renewal was interrupted; the next call tidies up after it"
        yield Finding("Renewal", WARN, text, "Nothing, if calls work", of_renewal=True)


def _folder(folder: Path, store: FileStore) -> Finding:
    try:
        status = folder.stat()
    except FileNotFoundError:
        return Finding("Folder", OK, f"{folder} is not there yet; a login makes it")
    except OSError as error:
        return Finding("Folder", FAIL, f"{folder}: {error.strerror}", "Give this user the right to enter it")
    mode = stat.S_IMODE(status.st_mode)
    text, fix = f"{folder} (mode {mode:04o})", f"chmod 700 '{folder}'"
    if not disk.POSIX:
        return Finding("Folder", OK, str(folder))
    state, fault = OK, ""
    if mode & _OTHERS_WRITE and not mode & stat.S_ISVTX:
        state, fault = FAIL, " can be written by other users"
    elif os.geteuid() != 0 and status.st_uid not in {0, os.geteuid()}:
        state, fault = WARN, f" belongs to user id {status.st_uid}, not to you ({os.geteuid()})"
        fix = "Set QWEN_TOKEN_DIR to a folder of your own"
    elif mode & _OTHERS and os.path.exists(store.path):  # noqa: PTH110  # Path.exists() may raise up to 3.13
        state, fault = WARN, " can be looked into by other users"
    return Finding("Folder", state, text + fault, fix if fault else None)


def _file(store: FileStore) -> Finding:
    target = disk.target_of(store.path)
    mode = stat.S_IMODE(target.stat().st_mode)
    link = f", a link to {target}" if store.path.is_symlink() else ""
    text = f"{store.path}{link} (mode {mode:04o})"
    if disk.POSIX and mode & _OTHERS_WRITE:
        fix = f"Make sure that its content is yours, then: chmod 600 '{target}'"
        return Finding("File", FAIL, f"{text} can be written by other users", fix)
    if disk.POSIX and mode & _OTHERS:
        return Finding("File", WARN, f"{text} can be read by other users", f"chmod 600 '{target}'")
    return Finding("File", OK, text)
