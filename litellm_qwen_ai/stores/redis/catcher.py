"""The file on this machine in which a server's answer is caught, while nobody else has it.

Its maker holds a lock on it. One that is not locked has a dead maker: empty, nothing has been answered, and
the turn is given back at once; with an answer, whoever finds it finishes the work. Where a folder has no
working locks there are no such files, and the turn of a dead process ends by its age.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import time
from typing import TYPE_CHECKING, NamedTuple

from litellm_qwen_ai.oauth.errors import StoreError
from litellm_qwen_ai.stores.files import disk

try:
    import fcntl
except ImportError:  # Windows: its locks keep others from reading
    fcntl = None  # type: ignore[assignment]  # tested wherever it is used

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from litellm_qwen_ai.stores.files.answer import AnswerFile

_KEPT = 86_400.0  # seconds for an answer that fits nothing any more
_log = logging.getLogger(__name__)


class Leftover(NamedTuple):
    """What a dead process left: its name, what it caught (perhaps nothing), and when, in epoch seconds."""

    path: Path
    name: str
    answer: bytes
    at: float


class Catchers:
    """The files of one account. No method raises: without files, all else still works.

    Args:
        folder: Where they lie; made when it is needed. None: nowhere.
        account: What their names begin with.
    """

    def __init__(self, folder: Path | None, account: str) -> None:
        self._folder = folder if fcntl is not None else None
        self._account = account
        self._ours = re.compile(
            re.escape(account) + r"\.(?P<mark>[0-9a-f]{16})\.(?P<name>[0-9a-f]+)\.[0-9a-f]+"
        )

    def open_for(self, turn: AnswerFile, mark: str, name: str) -> None:
        """Give a turn a new file, empty and locked: the mark of the token that it spends, and whose it is."""
        if self._folder is None:
            return
        path = self._folder / f"{self._account}.{mark}.{name}.{time.monotonic_ns():x}"
        draft = path.with_name(path.name + ".new")  # nobody may find it before it is locked
        try:
            disk.make_folder(self._folder)
            fd = disk.open_private(draft, self._folder, 0)
            if _lock(fd) and not _unlocked(draft):
                draft.rename(path)
                turn.catch_in(path, fd)
            else:
                os.close(fd)
                drop(draft)
        except (OSError, StoreError) as error:
            _log.debug("Nothing can be caught in %s: %s", self._folder, type(error).__name__)

    def left(self, mark: str) -> Iterator[Leftover]:
        """What dead processes left of renewals that spent this token; what is too old for any goes."""
        for path, named in self._files():
            with contextlib.suppress(OSError, StoreError):
                if named["mark"] == mark:
                    found = disk.read(path) if _unlocked(path) else None
                    if found is not None:
                        yield Leftover(path, named["name"], found[0].strip(), found[1].st_mtime)
                elif time.time() - path.stat().st_mtime > _KEPT:
                    drop(path)

    def drop(self) -> None:
        """Remove them all: the login is gone."""
        for path, _ in self._files():
            drop(path)

    def _files(self) -> Iterator[tuple[Path, re.Match[str]]]:
        with contextlib.suppress(OSError):
            for path in list(self._folder.iterdir()) if self._folder is not None else ():
                if named := self._ours.fullmatch(path.name):
                    yield path, named


def drop(path: Path) -> None:
    """Remove a file; it does not matter if that cannot be done."""
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)


def _lock(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _unlocked(path: Path) -> bool:
    """Whether nobody holds the file's lock; also true where locks exclude nobody."""
    fd = os.open(path, os.O_RDONLY)
    try:
        return _lock(fd)
    finally:
        os.close(fd)
