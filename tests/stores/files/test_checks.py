"""What `doctor` says about the folder and the file of a login."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from litellm_qwen_ai.oauth.credentials import Credentials
from litellm_qwen_ai.stores.files.checks import check
from litellm_qwen_ai.stores.files.login import FileStore
from litellm_qwen_ai.stores.finding import Finding

pytestmark = pytest.mark.skipif(os.name != "posix", reason="modes and links are POSIX's")
LOGIN = Credentials(access_token="a", refresh_token="r", expiry_date=1)


def findings(store: FileStore) -> dict[str, Finding]:
    return {one.name: one for one in check(store)}


@pytest.fixture
def saved(tmp_path: Path) -> FileStore:
    store = FileStore(tmp_path / "tokens", "login.json")
    store.save(LOGIN)
    return store


def test_a_login_as_it_was_saved_is_good(saved: FileStore) -> None:
    assert findings(saved) == {
        "Folder": Finding("Folder", "ok", f"{saved.path.parent} (mode 0700)"),
        "File": Finding("File", "ok", f"{saved.path} (mode 0600)"),
    }


@pytest.mark.parametrize(
    ("mode", "state", "fault", "fix"),
    [
        (0o640, "warn", "can be read by other users", "chmod 600 '{path}'"),
        (0o604, "warn", "can be read by other users", "chmod 600 '{path}'"),
        (
            0o620,
            "fail",
            "can be written by other users",
            "Make sure that its content is yours, then: chmod 600 '{path}'",
        ),
    ],
)
def test_a_file_that_others_may_open_is_named_with_its_mode(
    saved: FileStore, mode: int, state: str, fault: str, fix: str
) -> None:
    saved.path.chmod(mode)
    text = f"{saved.path} (mode {mode:04o}) {fault}"
    assert findings(saved)["File"] == Finding("File", state, text, fix.format(path=saved.path))


@pytest.mark.parametrize(
    ("mode", "state", "fault"),
    [
        (0o750, "warn", " can be looked into by other users"),
        (0o770, "fail", " can be written by other users"),
        (0o1777, "warn", " can be looked into by other users"),
    ],
)
def test_a_folder_that_others_may_enter_is_named_with_its_mode(
    saved: FileStore, mode: int, state: str, fault: str
) -> None:
    folder = saved.path.parent
    folder.chmod(mode)
    text = f"{folder} (mode {mode:04o}){fault}"
    assert findings(saved)["Folder"] == Finding("Folder", state, text, f"chmod 700 '{folder}'")


def test_a_link_is_followed_and_both_ends_are_named(saved: FileStore, tmp_path: Path) -> None:
    link = FileStore(tmp_path, "link.json")
    link.path.symlink_to(saved.path)
    saved.path.chmod(0o644)
    found = findings(link)
    assert found["File"].text.startswith(f"{link.path}, a link to {saved.path} (mode 0644)")
    assert found["File"].fix == f"chmod 600 '{saved.path}'"
    assert found["Folder"].text == f"{saved.path.parent} (mode 0700)"


def test_nothing_is_wrong_before_the_first_login(tmp_path: Path) -> None:
    folder = tmp_path / "tokens"
    assert list(check(FileStore(folder, "login.json"))) == [
        Finding("Folder", "ok", f"{folder} is not there yet; a login makes it")
    ]
    folder.mkdir(mode=0o755)
    folder.chmod(0o755)
    assert list(check(FileStore(folder, "login.json"))) == [Finding("Folder", "ok", f"{folder} (mode 0755)")]


def test_what_an_interrupted_renewal_left_is_told(saved: FileStore) -> None:
    saved.path.with_name(f"{saved.path.name}.new").touch()
    found = findings(saved)["Renewal"]
    assert (found.state, found.of_renewal) == ("warn", True)
    assert "interrupted" in found.text


def test_a_folder_that_cannot_be_entered_is_told_with_the_systems_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "tokens"
    store, look = FileStore(folder, "login.json"), Path.stat

    def stat(path: Path, *, follow_symlinks: bool = True) -> os.stat_result:
        if path == folder:
            raise PermissionError(errno.EACCES, "Permission denied")
        return look(path, follow_symlinks=follow_symlinks)

    monkeypatch.setattr(Path, "stat", stat)
    assert findings(store)["Folder"] == Finding(
        "Folder", "fail", f"{folder}: Permission denied", "Give this user the right to enter it"
    )


def test_a_finding_names_the_home_by_a_tilde(monkeypatch: pytest.MonkeyPatch) -> None:
    found = Finding("File", "warn", "/home/ann/x and /home/ann", "chmod 600 '/home/ann/x'", of_renewal=True)
    plain = Finding("File", "ok", "/home/ann/x")
    monkeypatch.setenv("HOME", "/home/ann")
    assert found.without_home() == Finding("File", "warn", "~/x and ~", "chmod 600 '~/x'", of_renewal=True)
    assert plain.without_home() == Finding("File", "ok", "~/x")
    monkeypatch.setenv("HOME", "/")
    assert found.without_home() == found


def test_without_a_home_a_finding_stays_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    def home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", home)
    assert Finding("File", "ok", "/x").without_home() == Finding("File", "ok", "/x")


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root gives folders away")
@pytest.mark.parametrize(
    ("user", "owner", "is_told"),
    [(0, 4711, False), (1234, 4711, True), (1234, 1234, False), (1234, 0, False)],
)
def test_a_folder_of_another_user_is_told_of_but_not_to_root_nor_where_it_is_root_s(
    saved: FileStore, monkeypatch: pytest.MonkeyPatch, user: int, owner: int, is_told: bool
) -> None:
    folder = saved.path.parent
    os.chown(folder, owner, -1)
    monkeypatch.setattr(os, "geteuid", lambda: user)
    good = Finding("Folder", "ok", f"{folder} (mode 0700)")
    told = Finding(
        "Folder",
        "warn",
        f"{folder} (mode 0700) belongs to user id {owner}, not to you ({user})",
        "Set QWEN_TOKEN_DIR to a folder of your own",
    )
    assert findings(saved)["Folder"] == (told if is_told else good)
