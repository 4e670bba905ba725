"""The counts of an account in a file, `meter/<account>.json`, where those of all processes add up."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from litellm_qwen_ai.oauth.errors import LockTimeoutError, StoreError
from litellm_qwen_ai.quota.tally import LaterCountsError, Tally
from litellm_qwen_ai.stores.files import disk
from litellm_qwen_ai.stores.files.locks import locked

if TYPE_CHECKING:
    from pathlib import Path

LOCK_TIMEOUT = 0.5  # seconds: whoever does not get the lock tries again at the next turn
FOLDER = "meter"


class FileCounters:
    """See `quota.meter.Counters`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known: tuple[object, Tally] = (None, Tally())

    def __repr__(self) -> str:
        return f"FileCounters({str(self._path)!r})"

    def read(self) -> Tally:
        """What all processes have counted; read again if the file has changed."""
        version = disk.version_of(self._path)
        if version != self._known[0]:
            self._known = version, self._load()
        return self._known[1].copy()

    def add(self, new: Tally, now: float) -> bool:
        """Add to the file; False if somebody else writes it just now."""
        folder = self._path.parent
        lock = self._path.with_name(self._path.name + ".lock")
        with disk.store_errors("write", self._path):
            with contextlib.suppress(FileExistsError):
                folder.mkdir(mode=disk.FOLDER_MODE)  # not its parents: without them there is no account
                disk.hand_over(folder, folder.parent)
            try:
                with locked(lock, LOCK_TIMEOUT, like=folder):
                    total = self._load()
                    total.merge(new)
                    total.prune(now)
                    status = disk.replace_file(self._path, total.to_json(), lasting=False)
            except LockTimeoutError:
                return False
        self._known = disk.identity(status), total
        return True

    def _load(self) -> Tally:
        """What the file holds; a file that cannot be read is as good as none: the next write replaces it."""
        try:
            found = disk.read(self._path)
            return Tally.from_json(found[0], str(self._path)) if found else Tally()
        except LaterCountsError:
            raise
        except (StoreError, ValueError, RecursionError):
            return Tally()
