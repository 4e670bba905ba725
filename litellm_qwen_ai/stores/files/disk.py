"""The file work under `FileStore`: safe reads, drafts, modes. POSIX checks do nothing on Windows."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import logging
import os
import re
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from litellm_qwen_ai.oauth.errors import CorruptCredentialsError, ReadOnlyStoreError, StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator

FILE_MODE = 0o600
FOLDER_MODE = 0o700
MAX_FILE = 1024 * 1024  # bytes; a real one has under 8 kB
RESERVE = 64 * 1024  # bytes made sure of before new tokens are asked for
POSIX = os.name == "posix"
_READ_ONLY = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
_NO_SPACE = frozenset({errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)})
_OTHERS_WRITE = 0o022
_OTHERS_READ = 0o044
_warned: set[str] = set()
_log = logging.getLogger(__name__)


@contextlib.contextmanager
def store_errors(verb: str, path: Path, *, writing: bool = True) -> Iterator[None]:
    """Turn an `OSError` inside into a `StoreError` that says what was tried, where, and what to do.

    Args:
        verb: What was tried, as in "Cannot <verb> <path>".
        path: The file in question.
        writing: Whether a missing right means `ReadOnlyStoreError`.
    """
    try:
        yield
    except OSError as error:
        reason = error.strerror or type(error).__name__
        missing_right = error.errno in _READ_ONLY
        if error.errno in _NO_SPACE:
            advice = "Make room there"
        elif missing_right:
            advice = "Give this user the right to read and write the file and its folder"
        else:
            advice = "Mend that"
        kind = ReadOnlyStoreError if missing_right and writing else StoreError
        raise kind(
            f"Cannot {verb} {path}: {reason}. {advice}, or set QWEN_TOKEN_DIR to another folder."
        ) from error


def identity(status: os.stat_result) -> tuple[int, ...]:
    """What tells one version of a file from another."""
    return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def target_of(path: Path) -> Path:
    """The file behind symbolic links, there or not: it is the one to replace, so that a link stays a link."""
    return Path(os.path.realpath(path))


def read(path: Path) -> tuple[bytes, os.stat_result] | None:
    """A file's bytes and status, if it is one that can be trusted; None when there is none.

    Raises:
        StoreError: It is no regular file, belongs to or can be written by other users, or cannot be read.
        CorruptCredentialsError: It is far too large.
    """
    with store_errors("read", path, writing=False):
        try:
            fd = os.open(path, os.O_RDONLY | _flags("O_NONBLOCK", "O_NOCTTY"))  # a FIFO must not hang us
        except FileNotFoundError:
            return None
        try:
            status = os.fstat(fd)
            _check_trust(path, status)
            data = b"".join(iter(lambda: os.read(fd, MAX_FILE), b"")) if status.st_size <= MAX_FILE else None
        finally:
            os.close(fd)
    if data is None:
        raise CorruptCredentialsError(
            f"{path} is no credentials file: it has {status.st_size} bytes. Put a good copy there."
        )
    return data, status


def _check_trust(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise StoreError(f"{path} is no regular file. Move it away, or set QWEN_AUTH_FILE to another name.")
    if not POSIX:
        return
    user, mode = os.geteuid(), stat.S_IMODE(status.st_mode)
    if user != 0 and status.st_uid not in {0, user}:
        raise StoreError(
            f"{path} belongs to user id {status.st_uid}, not to you ({user}), so it is not trusted. "
            f"Make sure that its content is yours, then run: sudo chown {user} '{path}'"
        )
    if mode & _OTHERS_WRITE:
        raise StoreError(
            f"{path} can be written by other users (mode {mode:04o}), so it is not trusted. "
            f"Make sure that its content is yours, then run: chmod 600 '{path}'"
        )
    if mode & _OTHERS_READ and str(path) not in _warned:
        _warned.add(str(path))
        _log.warning(
            "%s can be read by other users (mode %04o), and with it the login. Run: chmod 600 '%s'",
            path,
            mode,
            path,
        )


def make_folder(folder: Path) -> None:
    """Make the folder and those above it with mode 0700, whatever the umask; what is there stays as it is."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    try:
        folder.mkdir(mode=FOLDER_MODE)
    except FileExistsError:
        return
    if POSIX:
        folder.chmod(FOLDER_MODE)


def check_replaceable(target: Path) -> None:
    """Fail if a rename onto `target` would fail or destroy something that is no credentials file.

    Raises:
        StoreError: It is a folder, a FIFO or the like.
        ReadOnlyStoreError: It is immutable.
    """
    with store_errors("write", target):
        try:
            status = target.lstat()
        except FileNotFoundError:
            return
        if not stat.S_ISREG(status.st_mode):
            raise StoreError(
                f"{target} is no regular file. Move it away, or set QWEN_AUTH_FILE to another name."
            )
        try:
            os.close(os.open(target, os.O_WRONLY | _flags("O_NONBLOCK", "O_NOFOLLOW")))
        except PermissionError as error:
            if error.errno != errno.EACCES:  # a file of mode 0400 can be replaced, an immutable one cannot
                raise


def draft_path(target: Path) -> Path:
    """Where the next content of `target` is written before it takes its place."""
    return target.with_name(f"{target.name}.{'0' * 16}.new")


def answer_path(target: Path, refresh_token: str) -> Path:
    """Where the server's answer to a refresh with this token is caught."""
    digest = hashlib.sha256(refresh_token.encode()).hexdigest()[:16]
    return target.with_name(f"{target.name}.{digest}.answer")


def remove_drafts(target: Path) -> None:
    """Remove what crashed writers left; only under the lock, where no draft is alive."""
    ours = re.compile(re.escape(target.name) + r"\.[0-9a-f]{16}\.(new|answer)")
    with store_errors("tidy up beside", target):
        for path in target.parent.iterdir() if target.parent.is_dir() else ():
            if ours.fullmatch(path.name):
                path.unlink(missing_ok=True)


def open_draft(draft: Path, target: Path) -> int:
    """Create a draft (or a catcher) with its mode, owner and space; returns the file descriptor."""
    fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _flags("O_NOFOLLOW"), FILE_MODE)
    try:
        if POSIX:
            os.fchmod(fd, FILE_MODE)  # whatever the umask
            with contextlib.suppress(FileNotFoundError):
                owner = target.stat()
                if os.geteuid() == 0 and owner.st_uid != 0:  # root refreshing for a user: it stays the user's
                    os.fchown(fd, owner.st_uid, owner.st_gid)
        _write_all(fd, b" " * RESERVE)  # JSON may end in spaces: it is whole with its last byte
        os.fsync(fd)
        os.lseek(fd, 0, os.SEEK_SET)
    except BaseException:
        os.close(fd)
        draft.unlink(missing_ok=True)
        raise
    return fd


def write_draft(fd: int, data: bytes) -> None:
    """Put the bytes into an open draft."""
    os.lseek(fd, 0, os.SEEK_SET)
    _write_all(fd, data)
    os.ftruncate(fd, len(data))


def blank(fd: int, size: int) -> None:
    """Overwrite the first `size` bytes with spaces, and stand at the start again."""
    os.lseek(fd, 0, os.SEEK_SET)
    _write_all(fd, b" " * size)
    os.lseek(fd, 0, os.SEEK_SET)


def flush_folder(folder: Path) -> None:
    """Make a rename in the folder last through a power cut, where the system can do that."""
    if not POSIX:
        return
    with contextlib.suppress(OSError):
        fd = os.open(folder, os.O_RDONLY | _flags("O_DIRECTORY"))
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


def _write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def _flags(*names: str) -> int:
    """Flags for `os.open` that not every system has, with those that every open of ours takes."""
    flags = 0
    for name in ("O_CLOEXEC", "O_BINARY", *names):
        flags |= getattr(os, name, 0)
    return flags
