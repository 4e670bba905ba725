"""The file work under `FileStore`: safe reads, drafts, modes. POSIX checks do nothing on Windows."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import logging
import os
import re
import shutil
import stat
import time
from pathlib import Path
from typing import TYPE_CHECKING

from litellm_qwen_ai.oauth.errors import CorruptCredentialsError, ReadOnlyStoreError, StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from typing_extensions import Self

FILE_MODE = 0o600
FOLDER_MODE = 0o700
MAX_FILE = 1024 * 1024  # bytes; a real one has under 8 kB
RESERVE = 64 * 1024  # bytes made sure of before new tokens are asked for
POSIX = os.name == "posix"
_READ_ONLY = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
NO_SPACE = frozenset({errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)})
_NO_LOCKS = frozenset({errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP})
NO_LOCKS = (
    "Files there cannot be locked, so two programs could renew the login at once, and one would lose it. "
    "Set QWEN_TOKEN_DIR to a folder on a disk whose locks work; several machines share a login by QWEN_STORE "
    "(docs/fleet.md)."
)
_OTHERS_WRITE = 0o022
_OTHERS_READ = 0o044
_warned: set[str] = set()
_log = logging.getLogger(__name__)


@contextlib.contextmanager
def store_errors(verb: str, path: Path, *, writing: bool = True) -> Iterator[None]:
    """Turn an `OSError` inside into a `StoreError`: "Cannot <verb> <path>", why, and what to do.

    When `writing`, a missing right is a `ReadOnlyStoreError`.
    """
    try:
        yield
    except OSError as error:
        reason = error.strerror or type(error).__name__
        if error.errno in _NO_LOCKS:
            raise StoreError(f"Cannot {verb} {path}: {reason}. {NO_LOCKS}") from error
        missing_right = error.errno in _READ_ONLY
        if error.errno in NO_SPACE:
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


def version_of(path: Path) -> tuple[int, ...] | None:
    """The `identity` of a file; None when there is none."""
    with store_errors("look at", path, writing=False):
        try:
            return identity(path.stat())
        except FileNotFoundError:
            return None


def target_of(path: Path) -> Path:
    """The file behind symbolic links, there or not: it is the one to replace, so that a link stays a link."""
    return Path(os.path.realpath(path))


def beside(path: Path, suffix: str) -> Path:
    """A file of ours beside the one behind `path`."""
    target = target_of(path)
    return target.with_name(target.name + suffix)


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
    _warn_of_open_folder(path.parent)
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
    if mode & _OTHERS_READ:
        _warn_once(path, f"read by other users (mode {mode:04o}), and with it the login. Run: chmod 600")


def _warn_of_open_folder(folder: Path) -> None:
    mode = stat.S_IMODE(folder.stat().st_mode)
    if mode & _OTHERS_WRITE and not mode & stat.S_ISVTX:
        who = f"written by other users (mode {mode:04o}), who could replace the login in it"
        _warn_once(folder, f"{who}. Run: chmod 700")


def _warn_once(path: Path, fault: str) -> None:
    if str(path) not in _warned:
        _warned.add(str(path))
        _log.warning("%s can be %s '%s'", path, fault, path)


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
    """Fail if a rename onto `target` would fail (immutable) or destroy a folder, a FIFO or the like."""
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


def entries(folder: Path) -> list[Path]:
    """What is in a folder: nothing, if it is not there; an `OSError`, if it may not be looked into."""
    # Folder.is_dir() of Python 3.14 takes the one for the other.
    try:
        return list(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []


def answer_path(target: Path, refresh_token: str) -> Path:
    """Where the server's answer to a refresh with this token is caught."""
    return target.with_name(f"{target.name}.{mark(refresh_token)}.answer")


def mark(token: str) -> str:
    """What stands for a token where the token itself must not."""
    return hashlib.sha256(token.encode()).hexdigest()[:16]


def leftovers(target: Path) -> list[Path]:
    """What writers have beside the file: of one that is alive, or of one that crashed."""
    ours = re.compile(re.escape(target.name) + r"(\.[0-9a-f]{16})?\.(new|answer)")
    with store_errors("look beside", target, writing=False):
        return [path for path in entries(target.parent) if ours.fullmatch(path.name)]


def remove_leftovers(target: Path) -> None:
    """Remove what crashed writers left; only under the lock, where none of it is alive."""
    with store_errors("tidy up beside", target):
        for path in leftovers(target):
            path.unlink(missing_ok=True)


class Draft:
    """The next content of a file, made ready beside it: mode, owner and space are there before it comes.

    A context manager; leaving it without `commit` leaves nothing behind. One writer at a time: under a lock.
    The target is there or not, behind any link; `reserve` are bytes of space to make sure of.
    """

    def __init__(self, target: Path, reserve: int = 0) -> None:
        self._target = target
        self._path = draft_path(target)
        self._path.unlink(missing_ok=True)  # of a writer that crashed
        self._placed = False
        self._fd = open_private(self._path, target, reserve)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._close()
        if not self._placed:
            with contextlib.suppress(OSError):
                self._path.unlink(missing_ok=True)

    def commit(self, data: bytes, *, lasting: bool = True) -> os.stat_result:
        """Put the bytes in the file's place, in one step; once. Returns the new file's status.

        If `lasting`, it outlives a power cut, which takes some milliseconds.
        """
        _write_all(self._fd, data)
        os.ftruncate(self._fd, len(data))
        if lasting:
            os.fsync(self._fd)
        self._close()  # Windows renames no open file
        self._path.replace(self._target)
        self._placed = True
        status = self._target.stat()
        if lasting:
            flush_folder(self._target.parent)
        return status

    def _close(self) -> None:
        fd, self._fd = self._fd, -1
        if fd >= 0:
            with contextlib.suppress(OSError):  # after fsync a close has nothing left to report
                os.close(fd)


def set_aside(path: Path) -> Path:
    """Copy a file that is about to be replaced; returns the copy's path."""
    copy = path.with_name(f"{path.name}.{time.strftime('%Y%m%d-%H%M%S')}.old")
    with store_errors("copy", path):
        copy.touch(FILE_MODE)  # the mode first, then the content
        shutil.copyfile(path, copy)
    return copy


def replace_file(target: Path, data: bytes, *, lasting: bool = True) -> os.stat_result:
    """Write a private file in one step; only under a lock. See `Draft.commit`."""
    with Draft(target) as draft:
        return draft.commit(data, lasting=lasting)


def draft_path(target: Path) -> Path:
    """Where the next content of `target` is written before it takes its place."""
    return target.with_name(f"{target.name}.new")


def open_private(path: Path, like: Path, reserve: int) -> int:
    """Create a file with our mode, the owner of `like` and its space; returns the file descriptor."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _flags("O_NOFOLLOW"), FILE_MODE)
    try:
        if POSIX:
            os.fchmod(fd, FILE_MODE)  # whatever the umask
            hand_over(path, like)
        if reserve:
            blank(fd, reserve)  # JSON may end in spaces: it is whole with its last byte
            os.fsync(fd)
    except BaseException:
        os.close(fd)
        path.unlink(missing_ok=True)
        raise
    return fd


def hand_over(path: Path, like: Path) -> None:
    """What root makes for a user is the user's: or the user's own programs could not go on with it.

    `path` gets the owner of `like`; if that is not there, the owner of its folder.
    """
    if not POSIX or os.geteuid() != 0:
        return
    try:
        owner = like.stat()
    except FileNotFoundError:
        owner = like.parent.stat()
    if owner.st_uid != 0:
        os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)


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
