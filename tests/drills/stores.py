"""Store faults: something is wrong with the file, the folder, the lock or the disk when a token is due.

Expected of each: a new token or a clear error, soon; nothing lost, and a file that is not ours to judge left
as it is. Run by root, the one who asks is the user `nobody`, since root is refused nothing.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import resource
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from drills.frame import Result, drill

from litellm_qwen_ai.oauth import FileStore
from litellm_qwen_ai.sandbox import Sandbox

GROUP = "Store faults"
PROGRAM = Path(__file__).with_name("faulty.py")
NOBODY = 65534
LIMIT = 3.0  # seconds for two calls; the lock is waited for half a second
# What may come of a fault:
RENEWED = "renewed"  # one refresh, and it is on disk
MEMORY = "kept in memory"  # one refresh and one warning: this place takes no write


@dataclass(frozen=True)
class Place:
    """Where the login lies."""

    folder: Path
    user: int | None

    @property
    def file(self) -> Path:
        return self.folder / "oauth_creds.json"

    @property
    def lock(self) -> Path:
        return self.folder / "oauth_creds.json.lock"

    def give(self) -> None:
        """Make everything the user's."""
        if self.user is not None:
            for path in (self.folder, *self.folder.iterdir()):
                os.chown(path, self.user, self.user, follow_symlinks=False)

    def rewrite(self, content: bytes | None = None, **members: Any) -> None:
        if content is None:
            login = {**json.loads(self.file.read_bytes()), **members}
            content = json.dumps({name: value for name, value in login.items() if value != "absent"}).encode()
        self.file.write_bytes(content)


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong.

    Attributes:
        name: What.
        expected: `RENEWED`, `MEMORY` or the name of an error.
        arrange: Makes it so.
        says: What the error's text must hold.
        limit: A resource limit for the one who asks.
        umask: Its umask.
        flock: What the file system does when a file is locked; see the field.
        needs_root: Whether only root can arrange it.
    """

    name: str
    expected: str
    arrange: Callable[[Place], Any]
    says: str = ""
    limit: tuple[int, int] | None = None
    umask: int = 0o022
    flock: int | None = None  # what locking does: 0 keeps nobody out, anything else is the error
    needs_root: bool = False


def _elsewhere(place: Place) -> Path:
    other = place.folder / "elsewhere.json"
    place.file.rename(other)
    return other


def _fifo(place: Place) -> None:
    place.file.unlink()
    os.mkfifo(place.file, 0o600)


def _socket(place: Place) -> None:
    place.file.unlink()
    here = os.open(place.folder, os.O_RDONLY)  # a socket's path has to be short, and the folder's may not be
    try:
        with socket.socket(socket.AF_UNIX) as bound:
            bound.bind(f"/proc/self/fd/{here}/{place.file.name}")
    finally:
        os.close(here)


def _folder_instead(place: Place) -> None:
    place.file.unlink()
    place.file.mkdir()


def _device(place: Place) -> None:
    place.file.unlink()
    place.file.symlink_to("/dev/full")


def _file_instead_of_folder(place: Place) -> None:
    shutil.rmtree(place.folder)
    place.folder.write_text("no folder")


def _lock_folder(place: Place) -> None:
    place.lock.mkdir()


def _immutable(place: Place) -> None:
    subprocess.run(["chattr", "+i", str(place.file)], check=True, capture_output=True)


def _of_another(place: Place) -> None:
    place.file.chmod(0o644)
    os.chown(place.file, 12345, 12345)


def _leftovers(place: Place) -> None:
    for kind in ("new", "answer"):
        (place.folder / f"{place.file.name}.{'0' * 16}.{kind}").write_text("{")


NOT_OURS = "no regular file"
CORRUPT = "CorruptCredentialsError"
STORE = "StoreError"
ABSENT = "NotLoggedInError"
LOG_IN = "Run `litellm-qwen-ai login`"
FAULTS = [
    Fault("empty file", CORRUPT, lambda p: p.rewrite(b""), "it is empty"),
    Fault("torn JSON", CORRUPT, lambda p: p.rewrite(p.file.read_bytes()[:60]), "login --force"),
    Fault("only zeros", CORRUPT, lambda p: p.rewrite(bytes(512)), "login --force"),
    Fault("byte order mark", RENEWED, lambda p: p.rewrite(b"\xef\xbb\xbf" + p.file.read_bytes())),
    Fault("invalid UTF-8", CORRUPT, lambda p: p.rewrite(b'{"a": "\xff\xfe"}'), "not UTF-8"),
    Fault("10 MB", CORRUPT, lambda p: os.truncate(p.file, 10_000_000), "10000000 bytes"),
    Fault("JSON 100,000 deep", CORRUPT, lambda p: p.rewrite(b"[" * 100_000), "too deeply"),
    Fault("a list", CORRUPT, lambda p: p.rewrite(b"[1]"), "JSON object is expected"),
    Fault("wrong types", CORRUPT, lambda p: p.rewrite(access_token=7), "access_token"),
    Fault("no access token", CORRUPT, lambda p: p.rewrite(access_token="absent"), "access_token"),
    Fault(
        "no refresh token", "LoginExpiredError", lambda p: p.rewrite(refresh_token="absent"), "log in again"
    ),
    Fault("no expiry", RENEWED, lambda p: p.rewrite(expiry_date="absent")),
    Fault("expiry NaN", CORRUPT, lambda p: p.rewrite(expiry_date=float("nan")), "is no finite number"),
    Fault("file is a directory", STORE, _folder_instead, NOT_OURS),
    Fault("file is a FIFO", STORE, _fifo, NOT_OURS),
    Fault("file is a socket", STORE, _socket, "Cannot read"),
    Fault("file is a device", STORE, _device, NOT_OURS),
    Fault("file is a link", RENEWED, lambda p: p.file.symlink_to(_elsewhere(p))),
    Fault("file is a hard link", RENEWED, lambda p: os.link(_elsewhere(p), p.file)),
    Fault("link to nothing", ABSENT, lambda p: p.file.symlink_to(_elsewhere(p).with_name("no"))),
    Fault(
        "link to itself",
        STORE,
        lambda p: (p.file.unlink(), p.file.symlink_to(p.file)),
        "Too many levels of symbolic links",
    ),
    Fault("file cannot be read", STORE, lambda p: p.file.chmod(0), "Permission denied"),
    Fault("file is read-only", RENEWED, lambda p: p.file.chmod(0o400)),
    Fault("group can write the file", STORE, lambda p: p.file.chmod(0o660), "chmod 600"),
    Fault("everybody can write the file", STORE, lambda p: p.file.chmod(0o666), "chmod 600"),
    Fault("everybody can read the file", RENEWED, lambda p: p.file.chmod(0o644)),
    Fault("file is another user's", STORE, _of_another, "chown", needs_root=True),
    Fault("file is immutable", MEMORY, _immutable, needs_root=True),
    Fault("file is missing", ABSENT, lambda p: p.file.unlink(), LOG_IN),
    Fault("folder is missing", ABSENT, lambda p: shutil.rmtree(p.folder), LOG_IN),
    Fault("folder is a file", STORE, _file_instead_of_folder, "Not a directory"),
    Fault("folder is read-only", MEMORY, lambda p: p.folder.chmod(0o500)),
    Fault("folder cannot be entered", STORE, lambda p: p.folder.chmod(0o600), "Permission denied"),
    Fault("folder is open to all", RENEWED, lambda p: p.folder.chmod(0o777)),
    Fault("lock file left behind", RENEWED, lambda p: p.lock.touch(0o600)),
    Fault("lock file is read-only", STORE, lambda p: p.lock.touch(0o400), "oauth_creds.json.lock"),
    Fault("lock file is a directory", STORE, _lock_folder, "oauth_creds.json.lock"),
    Fault("lock file is a link", STORE, lambda p: p.lock.symlink_to("x"), "oauth_creds.json.lock"),
    Fault("locks that keep nobody out", STORE, lambda p: None, "locked by two at once", flock=0),
    Fault("no locks at all (ENOLCK)", STORE, lambda p: None, "cannot be locked", flock=errno.ENOLCK),
    Fault("lock held for ever", "LockTimeoutError", lambda p: p.lock.touch(0o600), "held"),
    Fault("disk full", STORE, lambda p: None, "Cannot write", (resource.RLIMIT_FSIZE, 1024)),
    Fault("no file can be opened", STORE, lambda p: None, "Too many open files", (resource.RLIMIT_NOFILE, 3)),
    Fault("umask 000", RENEWED, lambda p: None, umask=0),
    Fault("umask 777", RENEWED, lambda p: None, umask=0o777),
    Fault("drafts of crashed writers", RENEWED, _leftovers),
]


class Asker:
    """The program that asks; it has imported everything before anything is wrong."""

    def __init__(self) -> None:
        self._program = subprocess.Popen(
            [sys.executable, str(PROGRAM)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def ask(self, **job: Any) -> dict[str, Any]:
        assert self._program.stdin is not None
        assert self._program.stdout is not None
        self._program.stdin.write(json.dumps(job) + "\n")
        self._program.stdin.flush()
        said: dict[str, Any] = json.loads(self._program.stdout.readline())
        return said

    def close(self) -> None:
        assert self._program.stdin is not None
        assert self._program.stdout is not None
        self._program.stdin.close()
        self._program.stdout.close()
        self._program.wait(30)


@contextlib.contextmanager
def place_for_all(user: int | None) -> Iterator[Place]:
    """A folder that another user can reach; pytest's and `TemporaryDirectory`'s are closed to them."""
    top = Path(tempfile.mkdtemp(prefix="store-faults-"))
    top.chmod(0o711)
    place = Place(top / "login", user)
    try:
        yield place
    finally:
        if shutil.which("chattr") and user is not None:
            subprocess.run(["chattr", "-R", "-i", str(top)], check=False, capture_output=True)
        with contextlib.suppress(OSError):
            place.folder.chmod(0o700)
        shutil.rmtree(top, ignore_errors=True)


def possible(fault: Fault) -> bool:
    """Whether this user on this file system can arrange it."""
    if fault.needs_root and os.geteuid() != 0:
        return False
    if fault.arrange is not _immutable:
        return True
    with place_for_all(NOBODY) as place:
        place.folder.mkdir()
        place.file.touch()
        try:
            _immutable(place)
        except (OSError, subprocess.CalledProcessError):
            return False
    return True


def wrong_with(fault: Fault, sandbox: Sandbox, asking: Asker) -> str:
    """What is wrong with what came of it; nothing if it is as it should be."""
    user = NOBODY if os.geteuid() == 0 else None
    sandbox.clear()
    with place_for_all(user) as place, contextlib.ExitStack() as held:
        sandbox.write_credentials(place.folder, lifetime=-5)
        old = json.loads(place.file.read_bytes())["refresh_token"]
        place.give()
        fault.arrange(place)
        if "open to all" not in fault.name and place.folder.is_dir() and fault.expected != MEMORY:
            _give_what_is_new(place, fault)
        if fault.expected == "LockTimeoutError":
            lock = held.enter_context(place.lock.open("r+"))
            fcntl.flock(lock, fcntl.LOCK_EX)
        before = _look(place.file)
        said = asking.ask(
            folder=str(place.folder),
            url=sandbox.url,
            user=user,
            limit=fault.limit,
            umask=fault.umask,
            flock=fault.flock,
        )
        return Judge(fault, place, sandbox, before, old, said).verdict()


def _give_what_is_new(place: Place, fault: Fault) -> None:
    """What `arrange` made belongs to the user too, unless whose it is, is the point."""
    if "another user" not in fault.name:
        place.give()


def _look(path: Path) -> tuple[int, bytes | None] | None:
    """The kind of a file, and what is in it if it has content that can be read."""
    try:
        kind = stat.S_IFMT(path.lstat().st_mode)
    except OSError:
        return None
    try:
        return kind, path.read_bytes() if kind == stat.S_IFREG else None
    except PermissionError:  # where it is the fault, and nobody is root
        return kind, None


@dataclass(frozen=True)
class Judge:
    """What there was before, and what came of it."""

    fault: Fault
    place: Place
    sandbox: Sandbox
    before: tuple[int, bytes | None] | None
    old: str
    said: dict[str, Any]

    def verdict(self) -> str:
        if self.said["seconds"] > LIMIT:
            return f"took {self.said['seconds']:.1f} s"
        if self.fault.expected == MEMORY:
            return self._one_refresh() or self._warned()
        if self.fault.expected == RENEWED:
            return self._one_refresh() or self._stored()
        return self._clear_error() or self._untouched()

    def _one_refresh(self) -> str:
        (kind, token), (_, second) = self.said["outcomes"][0], self.said["outcomes"][-1]
        asked = self.sandbox.counts.refresh_requests
        good = kind == "token" and second == token and asked == 1 and self.sandbox.accepts(token)
        return "" if good else f"{kind} after {asked} refreshes: {token}"

    def _warned(self) -> str:
        told = sum("in memory only" in one for one in self.said["warnings"])
        return "" if told == 1 and _look(self.place.file) == self.before else f"{told} warnings"

    def _stored(self) -> str:
        file = self.place.file
        mode, kind = file.stat().st_mode, stat.S_IFMT(file.lstat().st_mode)
        if stat.S_IMODE(mode) != 0o600 or self.before is None or kind != self.before[0]:
            return f"mode {mode:o}, kind {kind:o}"
        stored = FileStore(self.place.folder).look()
        if stored is None or not self.sandbox.accepts_refresh(stored.credentials.refresh_token or ""):
            return "the new refresh token is not on disk"
        known = {file.name, self.place.lock.name, "elsewhere.json", "elsewhere.json.lock"}
        left = {path.name for path in self.place.folder.iterdir()} - known
        return f"left behind: {left}" if left else ""

    def _clear_error(self) -> str:
        kind, text = self.said["outcomes"][0]
        if kind != self.fault.expected or self.fault.says not in text:
            return f"{kind}: {text}"
        clear = str(self.place.folder) in text and self.old not in text
        return "" if clear else f"the text names no path, or too much: {text}"

    def _untouched(self) -> str:
        if self.sandbox.counts.refresh_requests or not self.sandbox.accepts_refresh(self.old):
            return "the refresh token was spent"
        return "" if _look(self.place.file) == self.before else "the file has changed"


@drill(GROUP, "kinds of faults; time: the slowest", bar=LIMIT)
def faults(folder: Path) -> Result:  # noqa: ARG001  # another user cannot reach it
    worst = 0.0
    wrong: list[str] = []
    chosen = [fault for fault in FAULTS if possible(fault)]
    with Sandbox() as sandbox, contextlib.closing(Asker()) as asking:
        for fault in chosen:
            begun = time.monotonic()
            what = wrong_with(fault, sandbox, asking)
            worst = max(worst, time.monotonic() - begun)
            wrong += [f"{fault.name}: {what}"] if what else []
    note = "; ".join(wrong) or "each a new token or a clear error, nothing lost"
    return Result(len(chosen), len(wrong), worst, note)
