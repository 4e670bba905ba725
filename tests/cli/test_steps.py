"""`login --start` and `login --complete`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from litellm_qwen_ai.cli import login
from litellm_qwen_ai.oauth import pending_login
from litellm_qwen_ai.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from litellm_qwen_ai.oauth import FileStore


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """One in which every code waits for a person, and every poll is welcome."""
    with Sandbox(interval=0) as running:
        yield running


def due(store: FileStore) -> None:
    """Let the time to the next poll pass, in the file that says when that is."""
    saved = store.path.with_name("oauth_creds.json.pending")
    value = json.loads(saved.read_text(encoding="utf-8"))
    value["login"]["next_poll_at"] = 0
    saved.write_text(json.dumps(value), encoding="utf-8")


def test_a_script_starts_a_login_and_completes_it(run: Any, sandbox: Sandbox, store: FileStore) -> None:
    started = run("login", "--start", "--json")
    assert (started.code, started.err) == (0, "")
    told = json.loads(started.out)
    assert told["state"] == "waiting"
    assert told["user_code"] in told["verification_uri_complete"]
    assert 800 < told["seconds_left"] <= 900
    assert told["next_command"] == "litellm-qwen-ai login --complete --json"
    early = run("login", "--complete", "--json")
    assert early.code == 3
    assert json.loads(early.out)["state"] == "waiting"
    sandbox.approve(told["user_code"])
    due(store)
    done = run("login", "--complete", "--json")
    assert (done.code, done.err) == (0, "")
    told = json.loads(done.out)
    assert (told["state"], told["changed"], told["check"]["result"]) == ("logged_in", True, "accepted")
    assert store.look() is not None
    assert pending_login(store) is None


def test_people_are_told_what_to_run_next(run: Any, sandbox: Sandbox, store: FileStore) -> None:
    started = run("login", "--start", "--account", "alice")
    assert started.code == 0
    assert sandbox.pending_codes()[0] in started.out
    assert "Only approve a code that you asked for yourself." in started.out
    assert started.out.endswith("Then run: litellm-qwen-ai login --account alice --complete\n")
    waiting = run("login", "--account", "alice", "--complete")
    assert (waiting.code, waiting.out) == (3, "")
    assert "Not approved yet; the code " in waiting.err
    assert run("login", "--complete").code == 1
    assert store.look() is None


def test_whoever_joins_a_login_that_waits_is_told_so(run: Any, sandbox: Sandbox, store: FileStore) -> None:
    first = json.loads(run("login", "--start", "--json").out)
    assert "waits already" not in run("login", "--start", "--account", "alice").out
    (noted,) = store.path.parent.glob("oauth_creds.json.pending")
    note = json.loads(noted.read_text(encoding="utf-8"))
    note["login"]["started_at"] -= 180
    noted.write_text(json.dumps(note), encoding="utf-8")
    again = run("login", "--start").out
    assert again.startswith("A login of this account waits already, started 3 min ago: this is its code.\n\n")
    assert first["user_code"] in again
    told = json.loads(run("login", "--start", "--json").out)
    assert told["started_at"] < first["started_at"]
    assert told["user_code"] == first["user_code"]
    assert len(sandbox.requests_to("device")) == 2


def test_no_secret_is_printed(run: Any, sandbox: Sandbox, store: FileStore) -> None:
    printed = run("login", "--start", "--json").out
    sandbox.approve()
    due(store)
    printed += run("login", "--complete", "--json").out
    stored = store.look()
    assert stored is not None
    secrets = {stored.credentials.access_token, stored.credentials.refresh_token or ""}
    secrets |= {one.form["code_verifier"] for one in sandbox.requests_to("token")}
    secrets |= {one.form["device_code"] for one in sandbox.requests_to("token")}
    assert len(secrets) == 4
    assert not [one for one in secrets if one in printed]


def test_starting_twice_shows_the_same_code(run: Any, sandbox: Sandbox) -> None:
    codes = {json.loads(run("login", "--start", "--json").out)["user_code"] for _ in range(2)}
    assert len(codes) == 1
    assert sandbox.counts.device_codes == 1


def test_a_live_login_needs_no_start(run: Any, sandbox: Sandbox, token_dir: Path) -> None:
    sandbox.write_credentials(token_dir)
    done = run("login", "--start", "--json")
    assert done.code == 0
    assert (json.loads(done.out)["state"], json.loads(done.out)["changed"]) == ("logged_in", False)
    assert sandbox.counts.device_codes == 0
    assert json.loads(run("login", "--start", "--force", "--json").out)["state"] == "waiting"


def test_a_denied_login_ends_with_1_each_time(run: Any, sandbox: Sandbox, store: FileStore) -> None:
    run("login", "--start")
    sandbox.deny()
    due(store)
    for _ in range(2):
        done = run("login", "--complete", "--json")
        assert done.code == 1
        assert json.loads(done.out)["error"]["type"] == "LoginDeniedError"
        assert "refused on the approval page" in done.err
    assert run("login", "--start").code == 0


def test_complete_without_start_names_the_command(run: Any, sandbox: Sandbox) -> None:
    done = run("login", "--complete")
    assert done.code == 1
    assert "litellm-qwen-ai login --start" in done.err
    assert sandbox.requests == []


def test_a_login_that_was_completed_elsewhere_is_done(run: Any, sandbox: Sandbox, token_dir: Path) -> None:
    sandbox.write_credentials(token_dir)
    done = run("login", "--complete", "--json")
    assert done.code == 0
    assert json.loads(done.out)["changed"] is False


def test_the_server_out_of_order_is_told_while_it_waits(run: Any, sandbox: Sandbox, store: FileStore) -> None:
    run("login", "--start")
    sandbox.answer_next("token", "html_504")
    due(store)
    waiting = run("login", "--complete")
    assert waiting.code == 3
    assert "HTTP 504 with a web page" in waiting.err
    assert "2026-04-15" in waiting.err
    assert "dashscope/" in waiting.err
    told = json.loads(run("login", "--complete", "--json").out)["message"]
    assert "HTTP 504" in told
    assert "2026-04-15" in told
    assert pending_login(store) is not None


def test_complete_can_wait(
    run: Any, sandbox: Sandbox, store: FileStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    naps: list[float] = []

    def nap(seconds: float) -> None:
        naps.append(seconds)
        if len(naps) == 2:
            sandbox.approve()
        due(store)

    monkeypatch.setattr(login.time, "sleep", nap)
    run("login", "--start")
    done = run("login", "--complete", "--wait")
    assert done.code == 0
    assert len(naps) == 2
    assert "Logged in." in done.out


def test_an_unreadable_file_is_kept_when_a_forced_login_completes(
    run: Any, sandbox: Sandbox, store: FileStore, token_dir: Path
) -> None:
    token_dir.mkdir(mode=0o700)
    store.path.write_bytes(b"{ half")
    store.path.chmod(0o600)
    assert run("login", "--start").code == 1
    assert run("login", "--start", "--force").code == 0
    assert run("login", "--complete").code == 3
    assert not list(token_dir.glob("*.old"))
    sandbox.approve()
    due(store)
    assert run("login", "--complete").code == 0
    assert [copy.read_bytes() for copy in token_dir.glob("*.old")] == [b"{ half"]


def test_logout_forgets_a_started_login(run: Any, sandbox: Sandbox, store: FileStore) -> None:
    run("login", "--start")
    done = run("logout")
    assert (done.code, done.out) == (0, "Cancelled the login that had been started.\n")
    assert pending_login(store) is None
    run("login", "--start")
    sandbox.write_credentials(store.path.parent)
    assert run("logout", "--yes").code == 0
    assert [path for path in store.path.parent.iterdir() if path.suffix != ".lock"] == []


@pytest.mark.parametrize(
    "flags", [["--start", "--complete"], ["--start", "--import", "x"], ["--wait"], ["--start", "--wait"]]
)
def test_ways_that_exclude_each_other_are_wrong_usage(run: Any, flags: list[str]) -> None:
    done = run("login", *flags)
    assert (done.code, done.out) == (2, "")
