"""The turn to renew a login in a file: the lock, the next content made ready, and the answer caught on disk.

Whatever can fail (folder, rights, space) fails before the new tokens are asked for, while the old refresh
token is still good. The server's answer is put on disk as it arrives, before anything is done with it, in a
file named after the refresh token that it replaces; only then it is read, written in our form, flushed and
renamed. After a crash in between, whoever takes the lock next finds that answer and finishes the work.

Where nothing can be written, the new tokens live in memory. There is no file to guard either.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Protocol

from litellm_qwen_ai.oauth.door import StoredCredentials
from litellm_qwen_ai.oauth.errors import ReadOnlyStoreError, StoreError
from litellm_qwen_ai.stores.files import disk
from litellm_qwen_ai.stores.files.answer import AnswerFile

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


class FileTurn(AnswerFile):
    """See `door.Turn`. Made under the store's lock.

    What is held, the lock, ends with the turn; `fault` says why nothing can be written, if that is known.
    """

    def __init__(
        self, store: _Home, known: StoredCredentials, held: contextlib.ExitStack, fault: str | None = None
    ) -> None:
        super().__init__()
        self._store, self._known, self._fault = store, known, fault
        self._keep = False  # what was caught may be the only copy of the new tokens
        if fault is None:
            try:
                self._make_files(held)
            except ReadOnlyStoreError as error:
                self._fault = str(error)
        self._held = held.pop_all()

    def _make_files(self, held: contextlib.ExitStack) -> None:
        target = disk.target_of(self._store.path)
        disk.check_replaceable(target)
        disk.remove_leftovers(target)
        with contextlib.ExitStack() as files, disk.store_errors("write", self._store.path):
            path = disk.answer_path(target, self._known.credentials.refresh_token or "")
            self.catch_in(path, disk.open_private(path, target, disk.RESERVE))
            files.callback(lambda: self.close(keep=self._keep))
            self._draft = files.enter_context(disk.Draft(target, disk.RESERVE))
            held.push(files.pop_all())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._held.close()

    def patience(self) -> float | None:
        """See `Turn.patience`: the lock is held until the end."""
        return ANSWER_TIMEOUT

    def put(self, credentials: Credentials) -> StoredCredentials | None:
        """See `Turn.put`."""
        self._store.spend(self._known.credentials, credentials)
        self._keep = True
        if (stored := self._now_stored()) is not self._known:
            self._keep = False
            return stored
        if self._fault is not None:
            raise ReadOnlyStoreError(self._fault)
        with disk.store_errors("write", self._store.path):
            status = self._draft.commit(credentials.to_json())
        self._keep = False
        return StoredCredentials(credentials, disk.identity(status), status.st_mtime)

    def refused(self, reason: str) -> StoredCredentials | None:
        """See `Turn.refused`: a program without our lock, such as Qwen Code, may have renewed the login."""
        del reason  # a file keeps none: each process asks for itself, once
        stored = self._now_stored()
        return None if stored is self._known else stored

    def _now_stored(self) -> StoredCredentials | None:
        """What is stored if that is another login, or none; else the known one, as for a touched file."""
        try:
            stored = self._store.look(self._known)
        except StoreError:
            return self._known  # unreadable is not another login
        known = self._known.credentials
        same = stored is not None and stored.credentials.refresh_token == known.refresh_token
        return self._known if same else stored
