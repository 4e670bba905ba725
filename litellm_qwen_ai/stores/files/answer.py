"""The file in which the answer to a renewal is caught, wherever the login itself is kept."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from litellm_qwen_ai.stores.files import disk

if TYPE_CHECKING:
    from pathlib import Path


class AnswerFile:
    """See `protocol.Catcher`. Without a file it only counts.

    Attributes:
        caught: How many bytes `catch` was given since `expect`.
    """

    def __init__(self) -> None:
        self._path: Path | None = None
        self._fd: int | None = None
        self.caught = 0

    def catch_in(self, path: Path, fd: int) -> None:
        """Catch in this file, which is open for writing, from now on."""
        self._path, self._fd = path, fd

    def expect(self) -> None:
        """See `protocol.Catcher.expect`."""
        if self.caught and self._fd is not None:
            with contextlib.suppress(OSError):
                disk.blank(self._fd, min(self.caught, disk.RESERVE))
        self.caught = 0

    def catch(self, piece: bytes) -> None:
        """See `protocol.Catcher.catch`. The space was reserved; what fails all the same `put` reports."""
        self.caught += len(piece)
        if self._fd is not None and self.caught <= disk.RESERVE:  # no real answer is that long
            with contextlib.suppress(OSError):
                os.write(self._fd, piece)

    def close(self, *, keep: bool = False) -> None:
        """Remove the file; or keep it, for whoever can finish the work."""
        if not keep and disk.POSIX:
            self.drop()  # first: whoever finds it unlocked takes its maker for dead
        if self._fd is not None:
            with contextlib.suppress(OSError):
                os.close(self._fd)
            self._fd = None  # its number may soon be another file's
        if not keep:
            self.drop()

    def drop(self) -> None:
        """Remove what was kept."""
        if self._path is not None:
            with contextlib.suppress(OSError):
                self._path.unlink(missing_ok=True)
