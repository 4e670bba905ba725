"""Accounts: `--account`, `accounts`, `login --import`, and what `logout` leaves alone."""

from __future__ import annotations

import base64
import json
import os
from typing import TYPE_CHECKING, Any

import pytest

from litellm_qwen_ai.accounts import account_of
from litellm_qwen_ai.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

    from litellm_qwen_ai.oauth import FileStore
    from litellm_qwen_ai.sandbox import Sandbox


def id_token(email: str) -> str:
    body = base64.urlsafe_b64encode(json.dumps({"email": email}).encode()).decode().rstrip("=")
    return f"head.{body}.signature"


# --- --account ---


def test_each_account_has_a_file_of_its_own(run: Any, token_dir: Path, store: FileStore) -> None:
    done = run("login", "--account", "alice")
    assert done.code == 0
    assert f"stored in {token_dir / 'alice.json'}" in done.out
    assert 'qwen_account="alice"' in done.out
    assert store.look() is None
    assert run("status").code == 4
    shown = run("status", "--account", "alice")
    assert shown.code == 0
    assert shown.out.startswith("Account     alice\n")
    assert json.loads(run("status", "--account", "alice", "--json").out)["account"] == "alice"
    assert "login --account alice --force" in run("login", "--account", "alice").out
    assert run("logout", "--account", "alice", "--yes").code == 0
    assert "login --account alice" in run("status", "--account", "alice").out


@pytest.mark.parametrize("command", [["login"], ["status"], ["logout", "--yes"], ["doctor"]])
def test_an_account_is_a_name_and_no_path(run: Any, command: list[str], token_dir: Path) -> None:
    done = run(*command, "--account", "../alice")
    assert done.code == 1
    assert "never a path" in done.err + done.out
    assert not token_dir.exists()


@pytest.mark.parametrize("name", ["", " ", "team..a", "team.", ".."])
@pytest.mark.parametrize(
    "command",
    [
        *(["login"], ["login", "--force"], ["login", "--start"], ["login", "--complete"], ["status"]),
        *(["logout", "--yes"], ["doctor"], ["doctor", "--call"]),
    ],
    ids=" ".join,
)
def test_a_name_that_cannot_be_used_is_never_the_default_account(
    run: Any, command: list[str], name: str, sandbox: Sandbox, token_dir: Path
) -> None:
    path = sandbox.write_credentials(token_dir)
    before = path.read_bytes()
    done = run(*command, "--account", name)
    assert done.code == 1
    assert "is no account name" in done.err + done.out
    assert (path.read_bytes(), sandbox.requests) == (before, [])
    assert [one.name for one in token_dir.iterdir()] == [path.name]


# --- accounts ---


def test_accounts_are_listed_with_their_state(run: Any, sandbox: Sandbox, token_dir: Path) -> None:
    sandbox.write_credentials(token_dir, id_token=id_token("me@example.com"))
    sandbox.write_credentials(token_dir, "alice.json")
    sandbox.write_credentials(token_dir, "bob.json", lifetime=-60, refresh_token=None)
    (token_dir / "carol.json").write_text("{ half")
    (token_dir / "carol.json").chmod(0o600)
    run("login", "--start", "--account", "dave")
    (token_dir / "notes.txt").write_text("not ours")
    (token_dir / "no name.json").write_text("{}")
    done = run("accounts")
    assert done.code == 0
    rows = done.out.splitlines()
    assert [row.split()[0] for row in rows] == ["ACCOUNT", "(default)", "alice", "bob", "carol", "dave"]
    assert "me@example.com" in rows[1]
    assert "logged in" in rows[2]
    assert "then renewed" in rows[2]
    assert "expired" in rows[3]
    assert "unusable" in rows[4]
    assert "not logged in, waiting for approval" in rows[5]
    assert "carol: " in done.err
    assert "not a credentials file" in done.err
    assert max(map(len, rows)) <= 100


def test_accounts_fit_a_narrow_terminal(
    run: Any, sandbox: Sandbox, token_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox.write_credentials(token_dir, "alice.json", id_token=id_token("me@example.com"))
    monkeypatch.setenv("COLUMNS", "40")
    for module in ("cli.accounts", "screen"):
        monkeypatch.setattr(f"litellm_qwen_ai.{module}.is_terminal", lambda _stream: True)
    lines = run("accounts").out.splitlines()
    assert lines[0] == "(default): not logged in"
    assert lines[1].startswith("alice: logged in; me@example.com;")
    assert max(map(len, lines)) <= 40


def test_accounts_as_json(run: Any, sandbox: Sandbox, token_dir: Path) -> None:
    path = sandbox.write_credentials(token_dir, "alice.json")
    listed = json.loads(run("accounts", "--json").out)
    assert [(one["account"], one["state"]) for one in listed] == [
        (None, "not logged in"),
        ("alice", "logged in"),
    ]
    assert listed[1]["file"] == str(path)
    assert json.loads(path.read_text(encoding="utf-8"))["access_token"] not in run("accounts", "--json").out


def test_without_a_usable_account_it_exits_with_4(run: Any, token_dir: Path) -> None:
    done = run("accounts")
    assert done.code == 4
    assert "not logged in" in done.out
    assert not token_dir.exists()


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
def test_a_note_that_others_can_write_makes_no_login_unusable(
    run: Any, sandbox: Sandbox, token_dir: Path
) -> None:
    sandbox.write_credentials(token_dir)
    note = token_dir / "oauth_creds.json.pending"
    note.write_text("{}")
    note.chmod(0o666)
    done = run("accounts", "--json")
    (found,) = json.loads(done.out)
    assert (done.code, found["state"]) == (0, "logged in")
    assert f"chmod 600 '{note}'" in found["problem"]
    status = run("status")
    assert status.code == 0
    assert "can be written by other users" in status.out


# --- import ---


@pytest.fixture
def foreign(sandbox: Sandbox, tmp_path: Path) -> Path:
    """Qwen Code's file, with a key that only it knows."""
    return sandbox.write_credentials(tmp_path / ".qwen", qwen_code_only={"kept": True})


def test_a_file_of_qwen_code_is_taken_over_and_left_as_it_is(
    run: Any, sandbox: Sandbox, foreign: Path, store: FileStore
) -> None:
    before = (foreign.read_bytes(), foreign.stat().st_mtime_ns)
    done = run("login", "--import", foreign)
    assert done.code == 0
    assert done.out.startswith(f"Imported. The token is stored in {store.path} (mode 0600).")
    assert "takes the token" in done.out
    assert "must not be used any more" in done.err
    assert str(foreign) in done.err
    assert (foreign.read_bytes(), foreign.stat().st_mtime_ns) == before
    ours = json.loads(store.path.read_text(encoding="utf-8"))
    assert ours == json.loads(before[0])
    assert sandbox.counts.device_codes == 0


def test_a_folder_means_the_file_in_it(run: Any, foreign: Path, token_dir: Path) -> None:
    assert run("login", "--import", foreign.parent, "--account", "alice", "--json").code == 0
    assert (token_dir / "alice.json").exists()


def test_an_import_does_not_replace_a_live_login_without_force(
    run: Any, sandbox: Sandbox, foreign: Path, token_dir: Path, store: FileStore
) -> None:
    sandbox.write_credentials(token_dir)
    before = store.path.read_bytes()
    done = run("login", "--import", foreign)
    assert done.code == 1
    assert "--force" in done.err
    assert "--account NAME" in done.err
    assert store.path.read_bytes() == before
    assert run("login", "--import", foreign, "--force").code == 0
    assert store.path.read_bytes() != before


def test_an_expired_login_that_can_be_renewed_is_taken_over_without_a_check(
    run: Any, sandbox: Sandbox, tmp_path: Path
) -> None:
    old = sandbox.write_credentials(tmp_path / "old", lifetime=-60)
    done = run("login", "--import", old)
    assert done.code == 0
    assert "It has expired; the first call renews it." in done.out
    assert sandbox.requests == []


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "it is empty"),
        (b"{ half", "not a credentials file"),
        (b"[]", "a JSON object is expected"),
        (b'{"refresh_token": "r"}', "access_token"),
        (b'{"access_token": "a b"}', "access_token"),
        (b'{"\xff"', "not UTF-8"),
        (b'{"access_token": "secret-token", "expiry_date": 1}', "has expired and holds no refresh token"),
    ],
)
def test_what_is_no_login_is_refused_and_changes_nothing(
    run: Any, tmp_path: Path, token_dir: Path, content: bytes, told: str
) -> None:
    source = tmp_path / "found.json"
    source.write_bytes(content)
    source.chmod(0o600)
    done = run("login", "--import", source)
    assert done.code in {1, 4}
    assert told in done.err
    assert str(source) in done.err
    assert "secret-token" not in done.err
    assert source.read_bytes() == content
    assert not token_dir.exists()


def test_a_file_that_is_not_there_or_ours_already_is_named(
    run: Any, sandbox: Sandbox, token_dir: Path, tmp_path: Path
) -> None:
    missing = run("login", "--import", tmp_path / "nowhere.json")
    assert missing.code == 1
    assert f"There is no file {tmp_path / 'nowhere.json'}." in missing.err
    ours = sandbox.write_credentials(token_dir)
    same = run("login", "--import", ours, "--force")
    assert same.code == 1
    assert "in use already" in same.err
    home = run("login", "--import", "~no-such-user-here/x.json")
    assert home.code == 1
    long = run("login", "--import", tmp_path / ("a" * 300))
    assert long.code == 1
    assert long.err.startswith("Error: Cannot read ")


@pytest.mark.skipif(os.name != "posix", reason="its devices are POSIX's")
def test_a_device_or_a_pipe_is_not_to_be_moved_away(run: Any, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for source in (tmp_path / "pipe", "/dev/null"):
        done = run("login", "--import", source)
        assert done.code == 1
        assert done.err.startswith(f"Error: {source} is a device or a pipe. --import reads a file")


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
@pytest.mark.parametrize("mode", [0o644, 0o666])
def test_what_is_no_login_is_said_to_be_none_before_all_else(
    run: Any, tmp_path: Path, mode: int, caplog: pytest.LogCaptureFixture
) -> None:
    source = tmp_path / "passwd"
    source.write_text("root:x:0:0:root:/root:/bin/bash\n")
    source.chmod(mode)
    done = run("login", "--import", source)
    assert done.err.startswith(f"Error: {source}: not a credentials file")
    assert "chmod" not in done.err + caplog.text


def test_a_folder_of_todays_qwen_code_is_told_what_it_has_and_where_to_go_on(
    run: Any, tmp_path: Path
) -> None:
    (tmp_path / "settings.json").write_text("{}")
    for named in (tmp_path, tmp_path / "oauth_creds.json"):
        done = run("login", "--import", named)
        assert done.code == 1
        assert f"There is no file {tmp_path / 'oauth_creds.json'}. Qwen Code of today keeps" in done.err
        assert "litellm-qwen-ai login --key" in done.err


def test_an_import_that_others_can_change_is_not_trusted(run: Any, foreign: Path, token_dir: Path) -> None:
    foreign.chmod(0o666)
    done = run("login", "--import", foreign)
    assert done.code == 1
    assert "can be written by other users" in done.err
    assert not token_dir.exists()


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
def test_a_note_that_cannot_be_read_is_told_and_the_import_is_done(
    run: Any, foreign: Path, token_dir: Path, store: FileStore
) -> None:
    token_dir.mkdir(mode=0o700)
    note = token_dir / "oauth_creds.json.pending"
    note.write_text("{}")
    note.chmod(0o666)
    done = run("login", "--import", foreign)
    assert done.code == 0
    assert store.look() is not None
    assert done.out.startswith("Imported. ")
    assert f"chmod 600 '{note}'" in done.err
    assert "cannot be used" not in done.err
    assert json.loads(run("login", "--import", foreign, "--force", "--json").out)["changed"]


# --- logout ---


def test_logout_removes_what_is_ours_and_nothing_else(run: Any, sandbox: Sandbox, token_dir: Path) -> None:
    sandbox.write_credentials(token_dir)
    sandbox.write_credentials(token_dir, "alice.json")
    (token_dir / "oauth_creds.json.0123456789abcdef.new").write_text("a crashed writer's")
    (token_dir / "oauth_creds.json.backup").write_text("the user's")
    run("login", "--start", "--force")
    assert run("logout", "--yes").code == 0
    left = {path.name for path in token_dir.iterdir() if path.suffix != ".lock"}
    assert left == {"alice.json", "oauth_creds.json.backup"}


def test_logout_does_not_remove_a_file_that_is_no_login(
    run: Any, token_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    token_dir.mkdir(mode=0o700)
    foreign = token_dir / "package.json"
    foreign.write_text('{"name": "my-project"}')
    foreign.chmod(0o600)
    monkeypatch.setenv("QWEN_AUTH_FILE", "package.json")
    done = run("logout", "--yes")
    assert done.code == 1
    assert "holds no login that can be read, so it is not removed" in done.err
    assert foreign.exists()


@pytest.mark.skipif(os.name != "posix", reason="links need rights elsewhere")
def test_logout_removes_a_link_and_not_what_it_leads_to(
    run: Any, foreign: Path, store: FileStore, token_dir: Path
) -> None:
    token_dir.mkdir(mode=0o700)
    store.path.symlink_to(foreign)
    done = run("logout", "--yes")
    assert done.code == 0
    assert f"The login itself is still in {foreign}" in done.out
    assert not store.path.is_symlink()
    assert foreign.exists()


def test_the_default_accounts_file_may_have_another_name(
    run: Any, sandbox: Sandbox, token_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QWEN_AUTH_FILE", "mine.json")
    sandbox.write_credentials(token_dir, "mine.json")
    listed = json.loads(run("accounts", "--json").out)
    assert [(one["account"], one["state"]) for one in listed] == [(None, "logged in")]
    assert account_of(Settings.from_environment()).store.describe() == str(token_dir / "mine.json")
