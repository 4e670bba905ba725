"""Locks between processes: `flock` on a file that stays in place.

A file system whose locks keep nobody out (some network mounts) is found out, as far as one machine can see:
there, nothing is renewed. What keeps out the programs of one machine only cannot be told from a working lock.
"""

from __future__ import annotations

import contextlib
import errno
import os
from typing import TYPE_CHECKING

import filelock

from litellm_qwen_ai.oauth.errors import LockTimeoutError, StoreError
from litellm_qwen_ai.stores.files import disk

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

STUCK = "If none is logging in or refreshing, end the one that is stuck (`fuser` or `lsof` names it)."


@contextlib.contextmanager
def locked(path: Path, timeout: float, *, like: Path) -> Iterator[None]:
    """Hold a lock file; other threads of this process are kept out too.

    Args:
        path: The lock file.
        timeout: Seconds to wait for somebody else.
        like: Whose owner the lock file gets when root makes it.

    Raises:
        LockTimeoutError: It was held elsewhere for that long.
        ReadOnlyStoreError: The lock file cannot be made.
    """
    lock = _new(path)
    with disk.store_errors("lock", path):
        try:
            lock.acquire(timeout=timeout)
        except filelock.Timeout:
            held = f"has held {path} for {timeout:g} s" if timeout else f"holds {path} just now"
            raise LockTimeoutError(f"Another process {held}. {STUCK}") from None
        except NotImplementedError:  # filelock's word for a file system without locks
            raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK)) from None
        except PermissionError:
            if not path.exists() or not os.access(path.parent, os.W_OK):
                raise
            # Not a read-only place: there, without a lock, everybody would refresh at once.
            raise StoreError(
                f"{path} cannot be opened by this user; another user may have made it. "
                f"When no program that uses the login runs, remove it: rm -f '{path}'"
            ) from None
    try:
        with contextlib.suppress(OSError):
            disk.hand_over(path, like)
        _check_that_it_excludes(path)
        yield
    finally:
        lock.release()


def _new(path: Path) -> filelock.BaseFileLock:
    """A new object each time: the locks of two threads must exclude each other, not count up."""
    # A file that merely exists would stay after a crash, and keep everybody out.
    return filelock.FileLock(path, mode=disk.FILE_MODE, fallback_to_soft=False)


_checked: set[Path] = set()


def _check_that_it_excludes(path: Path) -> None:
    """Try to lock once more what is locked, once per file and process: some mounts let everybody in."""
    if path in _checked:
        return
    second = _new(path)
    with disk.store_errors("lock", path):
        try:
            second.acquire(timeout=0)
        except filelock.Timeout:
            _checked.add(path)
            return
        second.release()
    raise StoreError(f"{path} is locked by two at once. {disk.NO_LOCKS}")
