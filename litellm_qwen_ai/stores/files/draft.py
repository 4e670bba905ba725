"""A write of credentials to a file, made ready before the new tokens are asked for; see `store.py`."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from litellm_qwen_ai.oauth.errors import StoreError
from litellm_qwen_ai.stores.files import disk as files

if TYPE_CHECKING:
    from pathlib import Path

    from typing_extensions import Self

    from litellm_qwen_ai.oauth.credentials import Credentials


@dataclass(frozen=True, slots=True)
class StoredCredentials:
    """Credentials as a store holds them.

    Attributes:
        credentials: The login.
        version: Changes with every write; compare it with `==`, nothing else.
        saved_at: When they were written, in epoch seconds, if the store knows.
    """

    credentials: Credentials
    version: object
    saved_at: float | None = None


class _Home(Protocol):
    path: Path

    def version(self) -> object | None: ...
    def load(self) -> StoredCredentials | None: ...


class FileDraft:
    """Two files beside the target: the *catcher* takes the answer as it arrives, the *draft* the new content.

    Args:
        store: Whose file is written.
        target: The file itself, behind any link.
        replaces: The credentials whose refresh token is about to be spent; None for a new login.

    Raises:
        OSError: They cannot be made, or there is no space.
    """

    def __init__(self, store: _Home, target: Path, replaces: Credentials | None) -> None:
        self._store, self._target, self._replaces = store, target, replaces
        self._draft = files.draft_path(target)
        self._catcher: Path | None = None
        self._fd: int | None = files.open_draft(self._draft, target)
        self._catch_fd: int | None = None
        self._keep = False  # what was caught may be the only copy of the new tokens
        self.caught = 0
        if replaces is not None and replaces.refresh_token is not None:
            self._catcher = files.answer_path(target, replaces.refresh_token)
            try:
                self._catch_fd = files.open_draft(self._catcher, target)
            except BaseException:
                self._leave()
                raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._leave()

    def expect(self) -> None:
        """See `Catcher.expect`."""
        if self.caught and self._catch_fd is not None:
            with contextlib.suppress(OSError):
                files.blank(self._catch_fd, min(self.caught, files.RESERVE))
        self.caught = 0

    def catch(self, piece: bytes) -> None:
        """See `Catcher.catch`. The space was reserved; what fails all the same is `commit`'s to report."""
        self.caught += len(piece)
        if self._catch_fd is not None and self.caught <= files.RESERVE:  # no real answer is that long
            with contextlib.suppress(OSError):
                os.write(self._catch_fd, piece)

    def commit(self, credentials: Credentials, expected: object = None) -> StoredCredentials | None:
        """See `Draft.commit`."""
        if self._fd is None:
            raise ValueError("a draft serves one commit")
        with files.store_errors("write", self._store.path):
            self._keep = True
            if not self._replaceable(expected):
                self._keep = False
                return None
            files.write_draft(self._fd, credentials.to_json())
            os.fsync(self._fd)
            self._close()  # Windows renames no open file
            self._draft.replace(self._target)
            self._keep = False
            status = self._target.stat()
        files.flush_folder(self._target.parent)
        return StoredCredentials(credentials, files.identity(status), status.st_mtime)

    def _replaceable(self, expected: object) -> bool:
        """Whether the store still holds what we set out to replace; a file that was only touched does."""
        if expected is None:
            return True
        try:
            if self._store.version() == expected:
                return True
            stored = self._store.load()
        except StoreError:
            return True  # unreadable is not another login
        if stored is None or self._replaces is None:
            return False
        return stored.credentials.refresh_token == self._replaces.refresh_token

    def _leave(self) -> None:
        self._close()
        for path in (self._draft, None if self._keep else self._catcher):
            if path is not None:
                with contextlib.suppress(OSError):
                    path.unlink(missing_ok=True)

    def _close(self) -> None:
        for fd in (self._fd, self._catch_fd):
            if fd is not None:
                with contextlib.suppress(OSError):  # after fsync a close has nothing left to report
                    os.close(fd)
        self._fd = self._catch_fd = None
