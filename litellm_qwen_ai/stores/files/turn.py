"""The turn to renew a login in a file: the lock, the next content made ready, and the answer caught on disk.

Whatever can fail (folder, rights, space) fails before the new tokens are asked for, while the old refresh
token is still good. The server's answer is put on disk as it arrives, before anything is done with it, in a
file named after the refresh token that it replaces; only then it is read, written in our form, flushed and
renamed. After a crash in between, whoever takes the lock next finds that answer and finishes the work.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Protocol

from litellm_qwen_ai.oauth.door import StoredCredentials
from litellm_qwen_ai.oauth.errors import ReadOnlyStoreError, StoreError
from litellm_qwen_ai.stores.files import disk

if TYPE_CHECKING:
    from pathlib import Path

    from typing_extensions import Self

    from litellm_qwen_ai.oauth.credentials import Credentials


ANSWER_TIMEOUT = 30.0  # seconds


class _Home(Protocol):
    """What a turn needs of the store that gave it."""

    @property
    def path(self) -> Path: ...

    def look(self, known: StoredCredentials | None = None) -> StoredCredentials | None: ...
    def spend(self, spent: Credentials, successor: Credentials) -> None: ...


class FileTurn:
    """See `door.Turn`. Made under the store's lock.

    Args:
        store: Whose login is renewed.
        known: The login, as it is stored.
        held: Ends with the turn: the lock.

    Raises:
        ReadOnlyStoreError: The folder or the file takes no writes.
        StoreError: No space, not a regular file, or any other fault.
    """

    def __init__(self, store: _Home, known: StoredCredentials, held: contextlib.ExitStack) -> None:
        self._store, self._known = store, known
        self._keep = False  # what was caught may be the only copy of the new tokens
        self.caught = 0
        target = disk.target_of(store.path)
        disk.check_replaceable(target)
        disk.remove_leftovers(target)
        with contextlib.ExitStack() as files, disk.store_errors("write", store.path):
            self._catcher = disk.answer_path(target, known.credentials.refresh_token or "")
            self._fd = disk.open_private(self._catcher, target, disk.RESERVE)
            files.callback(self._drop_catcher)
            self._draft = files.enter_context(disk.Draft(target, disk.RESERVE))
            self._files = files.pop_all()
        self._held = held.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        with self._held, self._files:
            pass

    def expect(self) -> None:
        """See `Catcher.expect`."""
        if self.caught:
            with contextlib.suppress(OSError):
                disk.blank(self._fd, min(self.caught, disk.RESERVE))
        self.caught = 0

    def catch(self, piece: bytes) -> None:
        """See `Catcher.catch`. The space was reserved; what fails all the same is `put`'s to report."""
        self.caught += len(piece)
        if self.caught <= disk.RESERVE:  # no real answer is that long
            with contextlib.suppress(OSError):
                os.write(self._fd, piece)

    def patience(self) -> float | None:
        """See `Turn.patience`: the lock is held until the end."""
        return ANSWER_TIMEOUT

    def put(self, credentials: Credentials) -> StoredCredentials | None:
        """See `Turn.put`."""
        self._store.spend(self._known.credentials, credentials)
        self._keep = True
        if (stored := _changed(self._store, self._known)) is not self._known:
            self._keep = False
            return stored
        with disk.store_errors("write", self._store.path):
            status = self._draft.commit(credentials.to_json())
        self._keep = False
        return StoredCredentials(credentials, disk.identity(status), status.st_mtime)

    def refused(self, reason: str) -> StoredCredentials | None:
        """See `Turn.refused`: a program without our lock, such as Qwen Code, may have renewed the login."""
        del reason  # a file keeps none: each process asks for itself, once
        return _newer(self._store, self._known)

    def _drop_catcher(self) -> None:
        os.close(self._fd)
        if not self._keep:
            with contextlib.suppress(OSError):
                self._catcher.unlink(missing_ok=True)


class UnwritableTurn:
    """The turn where nothing can be written: the new tokens live in memory. There is no file to guard either.

    Args:
        store: Whose login is renewed.
        known: The login, as it is stored.
        fault: Why nothing can be written.
        held: Ends with the turn: the lock, if there is one.
    """

    def __init__(
        self, store: _Home, known: StoredCredentials, fault: ReadOnlyStoreError, held: contextlib.ExitStack
    ) -> None:
        self._store, self._known, self._fault = store, known, str(fault)
        self._held = held.pop_all()
        self.caught = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._held.close()

    def expect(self) -> None:
        """There is nowhere to catch it."""
        self.caught = 0

    def catch(self, piece: bytes) -> None:
        """The same."""
        self.caught += len(piece)

    def patience(self) -> float | None:
        """See `Turn.patience`: the lock is held until the end."""
        return ANSWER_TIMEOUT

    def put(self, credentials: Credentials) -> StoredCredentials | None:
        """Tell that it cannot be kept, unless the login has changed meanwhile."""
        self._store.spend(self._known.credentials, credentials)
        if (stored := _changed(self._store, self._known)) is not self._known:
            return stored
        raise ReadOnlyStoreError(self._fault)

    def refused(self, reason: str) -> StoredCredentials | None:
        """See `Turn.refused`."""
        del reason
        return _newer(self._store, self._known)


def _changed(store: _Home, known: StoredCredentials) -> StoredCredentials | None:
    """What is stored if that is another login, or none; else `known`, as for a file that was only touched."""
    try:
        stored = store.look(known)
    except StoreError:
        return known  # unreadable is not another login
    same = stored is not None and stored.credentials.refresh_token == known.credentials.refresh_token
    return known if same else stored


def _newer(store: _Home, known: StoredCredentials) -> StoredCredentials | None:
    """What is stored, if it is another login than the one that was refused."""
    stored = _changed(store, known)
    return None if stored is known else stored
