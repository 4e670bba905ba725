"""Where credentials are kept: the `Store` protocol, and `FileStore`, its form on disk.

A write goes through a *draft*, made before the new tokens are asked for. Whatever can fail (folder, rights,
space) fails then, while the old refresh token is still good. The server's answer is put on disk as it
arrives, before anything is done with it, in a file named after the refresh token that it replaces; only then
it is read, written in our form, flushed and renamed. After a crash in between, whoever takes the lock next
finds that answer and finishes the work.

The lock is `flock` on `<file>.lock`, which stays in place. A file system without working locks (some network
mounts) is not served: two machines may then refresh at once.
"""

from __future__ import annotations

import contextlib
import os
import time
from typing import TYPE_CHECKING, Protocol

import filelock

from litellm_qwen_ai.names import DEFAULT_AUTH_FILE, LOGIN_COMMAND
from litellm_qwen_ai.oauth.credentials import Credentials
from litellm_qwen_ai.oauth.errors import (
    ConfigurationError,
    CorruptCredentialsError,
    LockTimeoutError,
    StoreError,
)
from litellm_qwen_ai.oauth.protocol import Catcher
from litellm_qwen_ai.stores.files import disk as files
from litellm_qwen_ai.stores.files.draft import FileDraft, StoredCredentials

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from typing_extensions import Self


class Draft(Catcher, Protocol):
    """A write that has been made ready, which catches the answer that brings its content.

    Leaving its context without `commit` leaves nothing behind.
    """

    @property
    def caught(self) -> int:
        """How many bytes `catch` was given since `expect`."""
        ...

    def commit(self, credentials: Credentials, expected: object = None) -> StoredCredentials | None:
        """Put the credentials in the place of the old ones.

        Args:
            credentials: What to store.
            expected: The version that is to be replaced; None replaces whatever is there.

        Returns:
            What is stored now, or None when the store holds another login than expected: it wins then.

        Raises:
            StoreError: It did not work.
        """
        ...

    def __enter__(self) -> Self: ...
    def __exit__(self, *exc: object) -> None: ...


class Store(Protocol):
    """What a session needs of a place to keep one login. A method that cannot work raises `StoreError`."""

    @property
    def location(self) -> str:
        """The place, for messages."""
        ...

    @property
    def login_command(self) -> str:
        """What a person runs to log in here, for messages."""
        ...

    def version(self) -> object | None:
        """The version of what is stored, as cheaply as possible; None when there is nothing."""
        ...

    def load(self) -> StoredCredentials | None:
        """What is stored; None when there is nothing."""
        ...

    def lock(self, timeout: float) -> AbstractContextManager[None]:
        """Keep every other process and thread out; `LockTimeoutError` after `timeout` seconds."""
        ...

    def prepare(self, replaces: Credentials | None) -> Draft:
        """Make a write ready; only under the lock.

        Args:
            replaces: The credentials that a refresh is about to spend; None for a new login.
        """
        ...

    def delete(self) -> bool:
        """Forget the login; only under the lock. True if there was one."""
        ...


class FileStore:
    """One login in one JSON file: mode 0600, in a folder of mode 0700 when we make it.

    Args:
        directory: The folder. It is made when something is written.
        file_name: The file in it; a bare name.
        login_command: What errors tell a person to run.

    Raises:
        ConfigurationError: `file_name` is not a bare file name.
    """

    def __init__(
        self, directory: Path, file_name: str = DEFAULT_AUTH_FILE, *, login_command: str = LOGIN_COMMAND
    ) -> None:
        fault = _name_fault(file_name)
        if fault:
            raise ConfigurationError(
                f"The credentials file's name {file_name!r} cannot be used: {fault}. QWEN_AUTH_FILE takes a "
                "file name like oauth_creds.json; set the folder with QWEN_TOKEN_DIR."
            )
        self.path = directory / file_name
        self.login_command = login_command

    @property
    def location(self) -> str:
        """The file's path."""
        return str(self.path)

    def __repr__(self) -> str:
        return f"FileStore({self.location!r})"

    def version(self) -> object | None:
        """The file's identity: device, inode, size and times. One `stat`."""
        with files.store_errors("look at", self.path, writing=False):
            try:
                return files.identity(self.path.stat())
            except FileNotFoundError:
                return None

    def load(self) -> StoredCredentials | None:
        """Read the file.

        Raises:
            CorruptCredentialsError: It holds no credentials.
            StoreError: It cannot be read, or must not be trusted because other users can write it.
        """
        found = files.read(self.path)
        if found is None:
            return None
        data, status = found
        try:
            credentials = Credentials.from_json(data)
        except CorruptCredentialsError as error:
            raise CorruptCredentialsError(
                f"{self.path}: {error}. Put a good copy there, or run `{self.login_command} --force`, "
                "which keeps the old file beside the new one."
            ) from None
        return StoredCredentials(credentials, files.identity(status), status.st_mtime)

    @contextlib.contextmanager
    def lock(self, timeout: float) -> Iterator[None]:
        """Hold `<file>.lock`, and finish what a crashed writer left.

        Raises:
            LockTimeoutError: It was held elsewhere for `timeout` seconds.
            ReadOnlyStoreError: The lock file cannot be made, or the crashed write not be finished.
            StoreError: Any other fault of the file system.
        """
        target = files.target_of(self.path)
        path = target.with_name(f"{target.name}.lock")
        # A new object each time: the locks of two threads must exclude each other, not count up.
        lock = filelock.FileLock(path, mode=files.FILE_MODE)
        with files.store_errors("lock", path):
            files.make_folder(target.parent)
            try:
                lock.acquire(timeout=timeout)
            except filelock.Timeout:
                raise LockTimeoutError(
                    f"Another process has held {path} for {timeout:g} s. If none is logging in or "
                    "refreshing, end the one that is stuck (`fuser` or `lsof` names it)."
                ) from None
            except PermissionError:
                if not path.exists() or not os.access(path.parent, os.W_OK):
                    raise
                # Not a read-only place: there, without a lock, everybody would refresh at once.
                raise StoreError(
                    f"{path} cannot be opened by this user; another user may have made it. "
                    f"When no program that uses the login runs, remove it: rm -f '{path}'"
                ) from None
        try:
            self._finish_crashed_write(target)
            yield
        finally:
            lock.release()

    def prepare(self, replaces: Credentials | None) -> FileDraft:
        """Make the draft: a file with the right mode and the space reserved.

        Raises:
            ReadOnlyStoreError: The folder or the file takes no writes.
            StoreError: No space, not a regular file, or any other fault.
        """
        target = files.target_of(self.path)
        files.check_replaceable(target)
        files.remove_drafts(target)
        with files.store_errors("write", self.path):
            return FileDraft(self, target, replaces)

    def save(self, credentials: Credentials, expected: object = None) -> StoredCredentials | None:
        """Write at once; only under the lock. See `Draft.commit`."""
        with self.prepare(None) as draft:
            return draft.commit(credentials, expected)

    def delete(self) -> bool:
        """Remove the file and every draft; the lock file and a symbolic link stay. Only under the lock."""
        target = files.target_of(self.path)
        files.remove_drafts(target)
        with files.store_errors("remove", self.path):
            try:
                target.unlink()
            except FileNotFoundError:
                return False
        files.flush_folder(target.parent)
        return True

    def _finish_crashed_write(self, target: Path) -> None:
        successor = self._successor(target)
        if successor is None:
            return
        with files.store_errors("finish writing", self.path):
            files.draft_path(target).unlink(missing_ok=True)
            with FileDraft(self, target, None) as draft:
                draft.commit(successor)
        files.remove_drafts(target)

    def _successor(self, target: Path) -> Credentials | None:
        """The login that follows the one in the file, if a crashed writer caught the answer with it."""
        with contextlib.suppress(StoreError):  # an unusable file has no successor
            stored = self.load()
            if stored is not None and stored.credentials.refresh_token is not None:
                found = files.read(files.answer_path(target, stored.credentials.refresh_token))
                if found is not None:
                    from litellm_qwen_ai.oauth.rotation import merged_answer  # noqa: PLC0415  # after crashes only

                    return merged_answer(stored.credentials, found[0], found[1].st_mtime, time.time())
        return None


def _name_fault(name: str) -> str | None:
    if not name or name in {".", ".."}:
        return "it names no file"
    if "/" in name or "\\" in name:
        return "it holds a path separator"
    if ".." in name:
        return "it holds '..'"
    if ":" in name or not name.isprintable():
        return "it holds a character that not every system takes"
    return None
