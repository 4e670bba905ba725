from __future__ import annotations

import errno
import gzip
import json
import logging
import os
import stat
import tempfile
import threading
import time
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from litellm_qwen_ai.oauth.credentials import Credentials
from litellm_qwen_ai.oauth.door import StoredCredentials, Taken
from litellm_qwen_ai.oauth.errors import (
    ConfigurationError,
    CorruptCredentialsError,
    LockTimeoutError,
    ReadOnlyStoreError,
    StoreError,
)
from litellm_qwen_ai.stores.files import disk, locks
from litellm_qwen_ai.stores.files.locks import locked
from litellm_qwen_ai.stores.files.login import NOTE_SUFFIX, FileStore
from litellm_qwen_ai.stores.files.place import Folder
from litellm_qwen_ai.stores.files.turn import FileTurn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from litellm_qwen_ai.oauth.door import Turn

posix_only = pytest.mark.skipif(os.name != "posix", reason="modes and links are POSIX's")
OLD = Credentials(access_token="old-access", refresh_token="old-refresh", expiry_date=1, note="kept")
NEW = Credentials(access_token="new-access", refresh_token="new-refresh", expiry_date=2)


def save(store: FileStore, credentials: Credentials) -> None:
    store.save(credentials)


def stored(store: FileStore) -> StoredCredentials:
    found = store.look()
    assert found is not None
    return found


def turn(store: FileStore) -> Turn:
    """The turn to renew what is stored."""
    given = store.turn(stored(store))
    assert isinstance(given, FileTurn), given
    return given


def held(store: FileStore) -> AbstractContextManager[None]:
    return locked(disk.beside(store.path, ".lock"), 5, like=store.path)


def loaded(store: FileStore) -> Credentials:
    return stored(store).credentials


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.fixture
def not_root() -> Iterator[Path]:
    """A folder of an ordinary user, as that user: root is refused nothing."""
    folder = Path(tempfile.mkdtemp(prefix="qwen-store-"))
    if os.geteuid() != 0:
        yield folder
    else:
        os.chown(folder, 65534, 65534)
        os.seteuid(65534)
        try:
            yield folder
        finally:
            os.seteuid(0)
    for path in sorted(folder.rglob("*"), reverse=True):
        path.unlink() if not path.is_dir() else path.rmdir()
    folder.chmod(0o700)
    folder.rmdir()


# --- names ---


@pytest.mark.parametrize(
    "name", ["", ".", "..", "a/b", "/etc/x", "..\\x", "a\\b", "x..json", "C:x", "a\nb", "a\x00b"]
)
def test_a_name_that_is_no_bare_file_name_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigurationError, match="QWEN_AUTH_FILE takes a file name"):
        FileStore(tmp_path, name)


def test_the_location_is_the_path(tmp_path: Path) -> None:
    assert FileStore(tmp_path, "alice.json").describe() == str(tmp_path / "alice.json")


# --- read ---


def test_no_file_is_no_login_and_makes_no_folder(tmp_path: Path) -> None:
    store = FileStore(tmp_path / "qwen")
    assert store.look() is None
    assert store.delete() is None
    assert not (tmp_path / "qwen").exists()


def test_a_bad_file_is_named_and_left_as_it_is(store: FileStore) -> None:
    save(store, OLD)
    store.path.write_bytes(b"{ half")
    with pytest.raises(CorruptCredentialsError) as caught:
        store.look()
    assert str(store.path) in str(caught.value)
    assert "login --force" in str(caught.value)
    assert store.path.read_bytes() == b"{ half"


def test_a_file_far_too_large_is_not_read(store: FileStore) -> None:
    save(store, OLD)
    os.truncate(store.path, 10 * disk.MAX_FILE)
    with pytest.raises(CorruptCredentialsError, match="10485760 bytes"):
        store.look()


@posix_only
@pytest.mark.parametrize("kind", ["folder", "fifo"])
def test_what_is_no_regular_file_is_neither_read_nor_replaced(store: FileStore, kind: str) -> None:
    store.path.parent.mkdir(parents=True)
    store.path.mkdir() if kind == "folder" else os.mkfifo(store.path)
    with pytest.raises(StoreError, match="no regular file"):
        store.look()
    with pytest.raises(StoreError, match="no regular file"):
        store.save(NEW)
    assert names(store.path.parent) == {store.path.name, f"{store.path.name}.lock"}


@posix_only
@pytest.mark.parametrize("bits", [0o620, 0o602, 0o666, 0o777])
def test_a_file_that_others_can_write_is_refused_with_the_fix(store: FileStore, bits: int) -> None:
    save(store, OLD)
    store.path.chmod(bits)
    with pytest.raises(StoreError) as caught:
        store.look()
    assert f"chmod 600 '{store.path}'" in str(caught.value)
    assert f"{bits:04o}" in str(caught.value)
    with pytest.raises(StoreError) as before:  # a login would be approved, and then could not be kept
        store.ping()
    assert str(before.value) == str(caught.value)


@posix_only
def test_a_file_that_others_can_read_is_warned_about_once(
    store: FileStore, caplog: pytest.LogCaptureFixture
) -> None:
    save(store, OLD)
    store.path.chmod(0o644)
    with caplog.at_level(logging.WARNING):
        assert loaded(store) == OLD
        assert loaded(store) == OLD
    told = (
        f"{store.path} can be read by other users (mode 0644), and with it the login. "
        f"Run: chmod 600 '{store.path}'"
    )
    assert [record.getMessage() for record in caplog.records] == [told]


@posix_only
def test_a_file_of_another_user_is_not_trusted(not_root: Path) -> None:
    if os.getuid() != 0:
        pytest.skip("only root can give a file away")
    store = FileStore(not_root)
    save(store, OLD)
    os.seteuid(0)
    os.chown(store.path, 12345, 65534)
    store.path.chmod(0o644)
    os.seteuid(65534)
    with pytest.raises(StoreError, match="belongs to user id 12345, not to you"):
        store.look()
    os.seteuid(0)
    os.chown(store.path, 0, 65534)  # root could read all there is, and change it, anyway
    os.seteuid(65534)
    assert loaded(store) == OLD


@posix_only
def test_a_file_that_may_not_be_read_is_no_missing_login(not_root: Path) -> None:
    store = FileStore(not_root)
    save(store, OLD)
    store.path.chmod(0o000)
    with pytest.raises(StoreError, match=r"Cannot read .*: Permission denied") as caught:
        store.look()
    assert not isinstance(caught.value, ReadOnlyStoreError)


@posix_only
def test_a_parent_that_is_a_file_is_a_store_error(tmp_path: Path) -> None:
    (tmp_path / "qwen").write_text("a file")
    store = FileStore(tmp_path / "qwen")
    for attempt in (store.look, store.ping, lambda: store.save(NEW)):
        with pytest.raises(StoreError, match="Cannot"):
            attempt()
    assert (tmp_path / "qwen").read_text() == "a file"


# --- write ---


@posix_only
@pytest.mark.parametrize("umask", [0o000, 0o022, 0o777])
def test_modes_do_not_depend_on_the_umask(tmp_path: Path, umask: int) -> None:
    store = FileStore(tmp_path / "a" / "qwen")
    before = os.umask(umask)
    try:
        save(store, OLD)
    finally:
        os.umask(before)
    assert mode(store.path) == 0o600
    assert mode(store.path.parent) == mode(tmp_path / "a") == 0o700
    assert mode(store.path.with_name("oauth_creds.json.lock")) == 0o600


def test_a_write_replaces_the_whole_file_and_leaves_only_the_lock_beside_it(store: FileStore) -> None:
    save(store, OLD)
    before = stored(store).version
    save(store, NEW)
    assert store.path.read_bytes() == NEW.to_json()
    assert stored(store).version != before
    assert names(store.path.parent) == {"oauth_creds.json", "oauth_creds.json.lock"}


@posix_only
def test_a_looser_mode_is_tightened_by_a_write(store: FileStore) -> None:
    save(store, OLD)
    store.path.chmod(0o644)
    save(store, NEW)
    assert mode(store.path) == 0o600


@posix_only
@pytest.mark.parametrize("there", [True, False])
def test_a_symbolic_link_stays_one_and_its_target_is_written(tmp_path: Path, there: bool) -> None:
    real = FileStore(tmp_path / "real", "creds.json")
    (tmp_path / "real").mkdir()
    if there:
        save(real, OLD)
    store = FileStore(tmp_path / "qwen")
    (tmp_path / "qwen").mkdir()
    store.path.symlink_to(real.path)
    save(store, NEW)
    assert store.path.is_symlink()
    assert loaded(real) == loaded(store) == NEW
    assert store.delete() == f"the link {store.path}. The login itself is still in {real.path}"
    assert not store.path.is_symlink()
    assert loaded(real) == NEW


def test_a_turn_that_brings_nothing_leaves_nothing_behind(store: FileStore) -> None:
    save(store, OLD)
    with turn(store) as ours:
        ours.catch(b'{"error": "invalid_grant"}')
        assert len(names(store.path.parent)) == 4
    assert names(store.path.parent) == {"oauth_creds.json", "oauth_creds.json.lock"}
    assert loaded(store) == OLD


def test_a_turn_serves_one_renewal(store: FileStore) -> None:
    save(store, OLD)
    with turn(store) as ours:
        ours.put(OLD.model_copy(update={"access_token": "one"}))
        with pytest.raises(StoreError):
            ours.put(OLD)
    assert loaded(store).access_token == "one"


def test_a_file_that_was_only_touched_is_replaced(store: FileStore) -> None:
    save(store, OLD)
    with turn(store) as ours:
        os.utime(store.path, (1, 1))
        assert ours.put(NEW) is not None
    assert loaded(store) == NEW


def test_an_answer_is_kept_when_the_file_can_be_neither_read_nor_written(
    store: FileStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(store, OLD)
    with turn(store) as ours, monkeypatch.context() as patch:
        ours.catch(ANSWER)
        store.path.unlink()
        store.path.mkdir()  # whatever it is, it is not what was there
        with pytest.raises(StoreError):
            ours.put(NEW)
        patch.undo()
    assert catcher(store).read_bytes().startswith(ANSWER)


def test_an_older_copy_that_is_put_in_place_of_a_renewed_login_is_no_login(store: FileStore) -> None:
    save(store, OLD)
    with turn(store) as ours:
        renewed = ours.put(NEW)
    assert renewed is not None
    store.path.write_bytes(OLD.to_json())
    behind = store.look(renewed)
    assert behind is not None
    assert (behind.credentials, behind.unsaved) == (NEW, True)
    assert store.look(behind) is behind, "the file has not changed since"
    assert store.put_back(behind) is not None
    assert loaded(store) == NEW


def test_a_login_of_somebody_else_is_adopted_although_it_is_older(store: FileStore) -> None:
    """Whoever switches between two logins by copying files knows what he does."""
    save(store, NEW)
    known = stored(store)
    store.path.write_bytes(OLD.to_json())
    adopted = store.look(known)
    assert adopted is not None
    assert (adopted.credentials, adopted.unsaved) == (OLD, False)


def test_a_file_that_is_no_login_is_kept_beside_the_new_one(
    store: FileStore, caplog: pytest.LogCaptureFixture
) -> None:
    save(store, OLD)
    store.path.write_text("my precious")
    save(store, NEW)
    assert loaded(store) == NEW
    (copy,) = store.path.parent.glob("*.old")
    assert copy.read_text() == "my precious"
    assert mode(copy) == 0o600
    assert str(copy) in caplog.text


def test_a_leftover_of_a_crashed_start_does_not_block_the_next(store: FileStore) -> None:
    store.path.parent.mkdir(parents=True)
    disk.draft_path(disk.beside(store.path, NOTE_SUFFIX)).write_bytes(b"half")
    assert store.swap_note(None, b"one")
    assert store.note() == b"one"


@posix_only
def test_what_root_makes_for_a_user_is_the_users(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a file away")
    tmp_path.chmod(0o755)
    folder = tmp_path / "users"
    folder.mkdir()
    os.chown(folder, 12345, 12345)
    store = FileStore(folder)
    save(store, OLD)
    store.swap_note(None, b"note")
    with turn(store) as ours:
        ours.put(NEW)
    assert {path.stat().st_uid for path in folder.iterdir()} == {12345}


def no_space(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_fd: int, _data: bytes) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(disk, "_write_all", full)


def test_a_full_disk_is_noticed_while_preparing(store: FileStore, monkeypatch: pytest.MonkeyPatch) -> None:
    save(store, OLD)
    no_space(monkeypatch)
    with pytest.raises(StoreError, match=r"No space left on device\. Make room there"):
        turn(store)
    with pytest.raises(StoreError, match=r"No space left on device\. Make room there"):
        store.ping()
    assert loaded(store) == OLD
    assert names(store.path.parent) == {"oauth_creds.json", "oauth_creds.json.lock"}


@posix_only
def test_a_read_only_folder_is_noticed_before_anything_is_written(not_root: Path) -> None:
    store = FileStore(not_root)
    save(store, OLD)
    not_root.chmod(0o500)
    with turn(store) as ours, pytest.raises(ReadOnlyStoreError, match="Permission denied"):
        ours.put(NEW)
    with pytest.raises(ReadOnlyStoreError, match="Permission denied"):
        store.ping()
    not_root.chmod(0o700)
    assert loaded(store) == OLD


@posix_only
def test_what_may_not_be_looked_at_is_not_taken_for_nothing(not_root: Path) -> None:
    closed = not_root / "closed"
    store = FileStore(closed)
    save(store, OLD)
    closed.chmod(0)
    for ask in (
        store.look,
        store.note,
        store.delete,
        lambda: store.swap_note(None, None),
        Folder(closed, store.path.name).accounts,
        lambda: disk.leftovers(store.path),
    ):
        with pytest.raises(StoreError, match="Permission denied"):
            ask()
    closed.chmod(0o700)
    assert loaded(store) == OLD


def test_a_folder_that_is_not_there_has_nothing_in_it(tmp_path: Path) -> None:
    store = FileStore(tmp_path / "nowhere")
    assert (store.look(), store.note(), store.delete(), store.swap_note(None, None)) == (
        None,
        None,
        None,
        True,
    )
    assert Folder(store.path.parent, store.path.name).accounts() == disk.leftovers(store.path) == []


@posix_only
def test_a_folder_that_cannot_be_made_is_a_read_only_store(not_root: Path) -> None:
    not_root.chmod(0o500)
    with pytest.raises(ReadOnlyStoreError, match="QWEN_TOKEN_DIR"):
        FileStore(not_root / "qwen").ping()
    not_root.chmod(0o700)


# --- crash between the server's answer and the rename ---


def _power_cut(_fd: int) -> None:
    raise KeyboardInterrupt


ANSWER = json.dumps({"access_token": "new-access", "refresh_token": "new-refresh", "expires_in": 60}).encode()
CAUGHT_AT = 1_700_000_000
FOLLOWER = OLD.model_copy(
    update={
        "access_token": "new-access",
        "refresh_token": "new-refresh",
        "expiry_date": (CAUGHT_AT + 60) * 1000,
    }
)


def catcher(store: FileStore) -> Path:
    return disk.answer_path(store.path, "old-refresh")


@pytest.fixture
def crashed(store: FileStore, monkeypatch: pytest.MonkeyPatch) -> FileStore:
    save(store, OLD)
    with turn(store) as ours, monkeypatch.context() as patch:
        ours.catch(ANSWER[:9])
        ours.catch(ANSWER[9:])
        patch.setattr(os, "fsync", _power_cut)
        with pytest.raises(KeyboardInterrupt):
            ours.put(NEW)
    assert loaded(store) == OLD
    assert mode(catcher(store)) == 0o600
    os.utime(catcher(store), (CAUGHT_AT, CAUGHT_AT))
    return store


def test_new_tokens_of_a_crashed_writer_are_found_under_the_lock(crashed: FileStore) -> None:
    crashed.ping()
    assert loaded(crashed) == FOLLOWER
    assert mode(crashed.path) == 0o600
    assert names(crashed.path.parent) == {"oauth_creds.json", "oauth_creds.json.lock"}


def test_a_crash_while_the_crash_is_mended_costs_nothing(
    crashed: FileStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", _power_cut)
        with pytest.raises(KeyboardInterrupt):
            crashed.ping()
    disk.draft_path(crashed.path).write_bytes(b"{")  # what a kill leaves
    crashed.ping()
    assert loaded(crashed) == FOLLOWER


def test_only_the_last_answer_counts(store: FileStore) -> None:
    """A server that stumbles sends a page first; it may be longer than the answer that follows."""
    save(store, OLD)
    with turn(store) as ours:
        ours.catch(b"<html>" + b"x" * 3000)
        ours.expect()
        ours.catch(ANSWER)
        killed = catcher(store).read_bytes()
    catcher(store).write_bytes(killed)
    os.utime(catcher(store), (CAUGHT_AT, CAUGHT_AT))
    store.ping()
    assert loaded(store) == FOLLOWER


def test_the_answer_for_an_older_login_is_not_taken_for_the_new_one(crashed: FileStore) -> None:
    other = Credentials(access_token="other-access", refresh_token="other-refresh")
    crashed.path.write_bytes(other.to_json())
    crashed.ping()
    assert loaded(crashed) == other
    with turn(crashed):
        pass
    assert names(crashed.path.parent) == {"oauth_creds.json", "oauth_creds.json.lock"}


@pytest.mark.parametrize("pack", [bytes, gzip.compress, zlib.compress])
def test_an_answer_is_found_as_it_came_packed_or_not(
    crashed: FileStore, pack: Callable[[bytes], bytes]
) -> None:
    catcher(crashed).write_bytes(pack(ANSWER) + b" " * 9000)  # the space that was reserved
    os.utime(catcher(crashed), (CAUGHT_AT, CAUGHT_AT))
    crashed.ping()
    assert loaded(crashed) == FOLLOWER


def test_an_answer_with_a_time_to_come_is_good_for_as_long_as_one_of_now(crashed: FileStore) -> None:
    year_2099 = 4_070_908_800
    os.utime(catcher(crashed), (year_2099, year_2099))
    crashed.ping()
    assert loaded(crashed).seconds_left(time.time()) <= 60


@pytest.mark.parametrize(
    "left",
    [
        b"",
        b" " * 64,
        bytes(64),
        ANSWER[:40],
        gzip.compress(ANSWER, mtime=0)[:40],
        b"\x1f\x8b",
        b"HTTP/1.1 200 OK\r\n\r\n{}",
        b"[]",
        b'{"error": "invalid_grant"}',
        b"\xff" * 9,
    ],
)
def test_an_answer_without_tokens_is_ignored(crashed: FileStore, left: bytes) -> None:
    catcher(crashed).write_bytes(left)
    crashed.ping()
    assert loaded(crashed) == OLD


def test_a_logout_removes_the_drafts_too(crashed: FileStore) -> None:
    disk.answer_path(crashed.path, "an-older-refresh").write_bytes(ANSWER)
    disk.draft_path(crashed.path).write_bytes(NEW.to_json())
    (crashed.path.parent / "alice.json").write_bytes(OLD.to_json())
    assert crashed.delete() == str(crashed.path)
    assert names(crashed.path.parent) == {"oauth_creds.json.lock", "alice.json"}


# --- lock ---


def test_the_lock_keeps_threads_apart(store: FileStore) -> None:
    store.path.parent.mkdir(parents=True)
    inside: list[int] = []
    most: list[int] = []

    def work() -> None:
        with locked(disk.beside(store.path, ".lock"), 20, like=store.path):
            inside.append(1)
            most.append(len(inside))
            inside.pop()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1] * 8


def test_a_lock_held_elsewhere_is_a_clear_error_within_its_time(store: FileStore) -> None:
    save(store, OLD)
    with held(store):
        with pytest.raises(LockTimeoutError) as caught:
            store.ping(0)
        taken = store.turn(stored(store))
    assert str(caught.value).startswith(f"Another process holds {store.path}.lock just now.")
    assert isinstance(taken, Taken)
    assert taken.text(30).startswith(f"Another process has held {store.path}.lock for 30 s.")


def test_a_file_that_cannot_be_read_is_no_other_login(store: FileStore) -> None:
    save(store, OLD)
    with turn(store) as ours:
        store.path.unlink()
        store.path.mkdir()
        assert ours.refused("revoked") is None
        with pytest.raises(StoreError):
            store.look()


def test_a_lock_file_left_behind_does_not_block(store: FileStore) -> None:
    store.path.parent.mkdir(parents=True)
    store.path.with_name("oauth_creds.json.lock").write_text("4711")
    store.ping(0)


@posix_only
@pytest.mark.parametrize(("bits", "told"), [(0o777, True), (0o770, True), (0o1777, False), (0o755, False)])
def test_a_folder_that_others_can_write_is_warned_about_once(
    store: FileStore, caplog: pytest.LogCaptureFixture, bits: int, told: bool
) -> None:
    save(store, OLD)
    store.path.parent.chmod(bits)
    loaded(store)
    loaded(store)
    wanted = [f"Run: chmod 700 '{store.path.parent}'"] if told else []
    assert [record.getMessage()[-len(wanted[0]) :] for record in caplog.records if wanted] == wanted
    assert len(caplog.records) == len(wanted)
    store.path.parent.chmod(0o700)


@posix_only
def test_a_lock_that_keeps_nobody_out_is_found_before_anything_is_sent(
    store: FileStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a network mount whose server knows no locks, and says yes to everybody."""
    save(store, OLD)
    known = stored(store)
    monkeypatch.setattr(locks, "_checked", set())
    monkeypatch.setattr("fcntl.flock", lambda _fd, _how: None)
    for attempt in (lambda: store.turn(known), store.ping, lambda: store.put_back(known)):
        with pytest.raises(
            StoreError,
            match=r"locked by two at once\..*cannot be locked.*QWEN_TOKEN_DIR.*QWEN_STORE \(docs",
        ):
            attempt()


def test_a_lock_that_keeps_others_out_is_found_to_do_so_without_waiting(
    store: FileStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def sleep(_seconds: float) -> None:
        pytest.fail("it waits for itself")

    monkeypatch.setattr(locks, "_checked", set())
    monkeypatch.setattr("time.sleep", sleep)
    for _ in range(2):
        store.ping()
    assert len(locks._checked) == 1


@posix_only
@pytest.mark.parametrize("code", [errno.ENOLCK, errno.ENOSYS])
def test_a_place_without_locks_says_so(store: FileStore, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    save(store, OLD)

    def flock(_fd: int, _how: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr("fcntl.flock", flock)
    with pytest.raises(StoreError, match=r"cannot be locked.*QWEN_TOKEN_DIR.*QWEN_STORE \(docs"):
        store.ping()


@posix_only
def test_a_lock_that_cannot_be_tried_twice_is_named(
    store: FileStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []

    def flock(_fd: int, how: int) -> None:
        calls.append(how)
        if len(calls) == 2:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(locks, "_checked", set())
    monkeypatch.setattr("fcntl.flock", flock)
    with pytest.raises(StoreError, match=f"^Cannot lock .*: {os.strerror(errno.EIO)}"):
        store.ping()


def test_the_file_is_the_one_of_qwen_code(store: FileStore) -> None:
    save(store, OLD)
    assert json.loads(store.path.read_text()) == {
        "access_token": "old-access",
        "token_type": "Bearer",
        "refresh_token": "old-refresh",
        "expiry_date": 1,
        "note": "kept",
    }
