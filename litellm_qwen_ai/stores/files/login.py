"""One login in one JSON file: mode 0600, in a folder of mode 0700 when we make it.

Beside `<file>` stand `<file>.lock`, which stays in place, and while a login waits for approval its note,
`<file>.pending`, with a lock of its own. `turn.py` says how a renewal is written.
"""

from __future__ import annotations

import contextlib
import logging
import stat
import time
from collections import deque
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from litellm_qwen_ai.names import DEFAULT_AUTH_FILE, LOGIN_COMMAND
from litellm_qwen_ai.oauth.credentials import Credentials
from litellm_qwen_ai.oauth.door import StoredCredentials, Taken
from litellm_qwen_ai.oauth.errors import (
    ConfigurationError,
    CorruptCredentialsError,
    LockTimeoutError,
    ReadOnlyStoreError,
    StoreError,
)
from litellm_qwen_ai.stores.files import disk
from litellm_qwen_ai.stores.files.locks import STUCK, locked
from litellm_qwen_ai.stores.files.turn import FileTurn

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator
    from contextlib import AbstractContextManager

    from litellm_qwen_ai.oauth.door import TurnAnswer

LOCK_TIMEOUT = 30.0  # seconds
NOTE_SUFFIX = ".pending"
_log = logging.getLogger(__name__)


class FileStore:
    """A `Store` that is one JSON file, mode 0600 in a folder of mode 0700. Qwen Code reads the same form.

    Args:
        directory: The folder. It is made when something is written.
        file_name: The file in it; a bare name.
        login_command: What errors tell a person to run.
        patience: Seconds to wait for another process that writes; 30 by default.

    Attributes:
        path (Path): The file.

    Raises:
        ConfigurationError: `file_name` is not a bare file name.
    """

    look_interval = 1.0

    def __init__(
        self,
        directory: Path | str,
        file_name: str = DEFAULT_AUTH_FILE,
        *,
        login_command: str = LOGIN_COMMAND,
        patience: float = LOCK_TIMEOUT,
    ) -> None:
        fault = _name_fault(file_name)
        if fault:
            raise ConfigurationError(
                f"The credentials file's name {file_name!r} cannot be used: {fault}. QWEN_AUTH_FILE takes a "
                "file name like oauth_creds.json; set the folder with QWEN_TOKEN_DIR."
            )
        self.path = Path(directory) / file_name
        self.login_command = login_command
        self._patience = patience
        #: Marks of the refresh tokens that were used up here; one file has had few since this process began.
        self._spent: deque[str] = deque(maxlen=64)

    @property
    def key(self) -> Hashable:
        """The path of the file behind any link."""
        return str(disk.target_of(self.path))

    def __repr__(self) -> str:
        return f"FileStore({self.describe()!r})"

    def describe(self) -> str:
        """The file's path."""
        return str(self.path)

    def look(self, known: StoredCredentials | None = None) -> StoredCredentials | None:
        """See `Store.look`: one `stat` if nothing has changed.

        Raises:
            CorruptCredentialsError: The file holds no credentials.
            StoreError: It cannot be read, or must not be trusted because other users can write it.
        """
        if known is not None and disk.version_of(self.path) == known.version:
            return known
        stored = self._load()
        if stored is None or known is None or not self._is_behind(stored, known):
            return stored
        return replace(known, version=stored.version, unsaved=True)

    def turn(self, known: StoredCredentials) -> TurnAnswer:
        """See `Store.turn`. A turn that finds nothing writable keeps the new tokens in memory."""
        with contextlib.ExitStack() as held:
            try:
                held.enter_context(self._locked(0))
            except ReadOnlyStoreError as fault:
                return FileTurn(self, known, held, str(fault))
            except LockTimeoutError:
                stored = self.look(known)
                lock = disk.beside(self.path, ".lock")
                return Taken("Another process", f"has held {lock}", STUCK) if stored is known else stored
            stored = self.look(known)
            return FileTurn(self, known, held) if stored is known else stored

    def put_back(self, known: StoredCredentials) -> StoredCredentials | None:
        """See `Store.put_back`."""
        with self._locked(0):
            stored = self._load()
            if stored is None or not self._is_behind(stored, known):
                return stored
            return self._write(known.credentials)

    def guard(self) -> str | None:
        """The file's permissions, like `mode 0600`."""
        mode = self.mode()
        return mode and f"mode {mode}"

    def mode(self) -> str | None:
        """The file's permissions, like `0600`."""
        try:
            return f"{stat.S_IMODE(self.path.stat().st_mode):04o}"
        except OSError:
            return None

    def save(self, credentials: Credentials) -> StoredCredentials:
        """Write a new login, whatever is there; a file that is no login is kept beside it."""
        with contextlib.ExitStack() as held:
            try:
                held.enter_context(self._locked(self._patience))
            except LockTimeoutError as error:
                # The write is atomic without the lock too, and whoever holds the lock finds the file changed
                # and lets the newer login win.
                _log.warning("%s The new login is written all the same.", error)
            try:
                self._load()
            except CorruptCredentialsError:
                copy = disk.set_aside(self.path)
                _log.warning("The file that was there, which is no login, is kept as %s.", copy)
            return self._write(credentials)

    def delete(self) -> str | None:
        """Remove the file and what writers left beside it; the lock file stays.

        Of a link to another folder only the link is removed: what it leads to is not ours.
        """
        if disk.version_of(self.path) is None:
            return None  # without a lock file in a folder that we have never used
        target = disk.target_of(self.path)
        elsewhere = self.path.is_symlink() and target.parent != disk.target_of(self.path.parent)
        with self._locked(self._patience), disk.store_errors("remove", self.path):
            if elsewhere:
                self.path.unlink()
                return f"the link {self.path}. The login itself is still in {target}"
            disk.remove_leftovers(target)
            target.unlink(missing_ok=True)
            disk.flush_folder(target.parent)
        return str(self.path)

    def note(self) -> bytes | None:
        """See `Store.note`."""
        path = disk.beside(self.path, NOTE_SUFFIX)
        try:
            found = disk.read(path)
            return found[0] if found else None
        except CorruptCredentialsError:
            return b""  # far too large to be a note: as good as one that nobody can read

    def swap_note(self, old: bytes | None, new: bytes | None) -> bool:
        """See `Store.swap_note`."""
        path = disk.beside(self.path, NOTE_SUFFIX)
        if old is None and new is None and disk.version_of(path) is None:
            return True
        # A lock of its own: who waits for a person's approval must not wait for a renewal too.
        with self._lock(f"{NOTE_SUFFIX}.lock", self._patience):
            if self.note() != old:
                return False
            with disk.store_errors("write" if new is not None else "remove", path):
                if new is not None:
                    disk.replace_file(path, new, lasting=False)
                else:
                    path.unlink(missing_ok=True)
        return True

    def ping(self, patience: float | None = None) -> None:
        """Do all that a write does, but for the rename."""
        with self._locked(self._patience if patience is None else patience):
            with contextlib.suppress(CorruptCredentialsError):  # it is kept beside the new login
                self._load()
            target = disk.target_of(self.path)
            disk.check_replaceable(target)
            with disk.store_errors("write", self.path), disk.Draft(target, disk.RESERVE):
                pass

    def watch(self, changed: Callable[[], None]) -> None:
        """A file tells nobody: it is looked at."""

    def spend(self, spent: Credentials, successor: Credentials) -> None:
        """Remember that a refresh token was used up: a file that holds it again has lost a write."""
        if spent.refresh_token and spent.refresh_token != successor.refresh_token:
            self._spent.append(disk.mark(spent.refresh_token))

    def _is_behind(self, stored: StoredCredentials, known: StoredCredentials) -> bool:
        """Whether the file lacks a renewal of ours: it took none, or an older copy was put in its place."""
        old, new = stored.credentials, known.credentials
        if old.refresh_token == new.refresh_token:  # a server that keeps the refresh token
            return known.unsaved and old.expiry_date < new.expiry_date
        return old.refresh_token is not None and disk.mark(old.refresh_token) in self._spent

    def _load(self) -> StoredCredentials | None:
        found = disk.read(self.path)
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
        return StoredCredentials(credentials, disk.identity(status), status.st_mtime)

    def _write(self, credentials: Credentials) -> StoredCredentials:
        target = disk.target_of(self.path)
        disk.check_replaceable(target)
        with disk.store_errors("write", self.path):
            status = disk.replace_file(target, credentials.to_json())
        disk.remove_leftovers(target)  # not before: the answer of a crashed renewal may be the only copy
        return StoredCredentials(credentials, disk.identity(status), status.st_mtime)

    @contextlib.contextmanager
    def _locked(self, timeout: float) -> Iterator[None]:
        """Hold `<file>.lock`, and finish what a crashed writer left."""
        with self._lock(".lock", timeout):
            successor = self._successor(disk.target_of(self.path))
            if successor is not None:
                self._write(successor)
            yield

    def _lock(self, suffix: str, timeout: float) -> AbstractContextManager[None]:
        path = disk.beside(self.path, suffix)
        with disk.store_errors("lock", path):
            disk.make_folder(path.parent)
        return locked(path, timeout, like=disk.target_of(self.path))

    def _successor(self, target: Path) -> Credentials | None:
        """The login that follows the one in the file, if a crashed writer caught the answer with it."""
        with contextlib.suppress(StoreError):  # an unusable file has no successor
            stored = self._load()
            if stored is not None and stored.credentials.refresh_token is not None:
                found = disk.read(disk.answer_path(target, stored.credentials.refresh_token))
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
