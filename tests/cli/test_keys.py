"""`login --key`: a key that is kept instead of a login, and what the commands say of it."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from litellm_qwen_ai.oauth import FileStore
from litellm_qwen_ai.sandbox import Sandbox
from tests.cli.conftest import PROGRAM

KEY, OTHER = "sk-sp-7f3a9c1e5b2d8046", "sk-sp-0b4d8e2f6a1c9357"


@pytest.fixture
def sandbox() -> Any:
    with Sandbox(auto_approve=True, api_keys=(KEY, OTHER)) as running:
        yield running


@pytest.fixture
def pipe(monkeypatch: pytest.MonkeyPatch) -> Any:
    def put(text: str) -> None:
        monkeypatch.setattr(sys, "stdin", io.StringIO(text))

    return put


@pytest.fixture
def keep(run: Any, pipe: Any, sandbox: Sandbox) -> Any:
    def do(*more: str, key: str = KEY) -> Any:
        pipe(f"{key}\n")
        return run("login", "--key", "--api-base", sandbox.api_base, *more)

    return do


def no_piece(*texts: str) -> bool:
    return not any(
        key[at : at + 8] in text for key in (KEY, OTHER) for at in range(len(key) - 7) for text in texts
    )


def test_a_key_from_stdin_is_checked_and_kept(keep: Any, store: FileStore, sandbox: Sandbox) -> None:
    done = keep("--plan", "coding-intl")
    assert done.code == 0
    assert f"Kept. The key is stored in {store.path} (mode 0600)." in done.out
    assert f"for Coding Plan, international (coding-intl), at {sandbox.url[7:]}" in done.out
    assert "no scripts, no back ends" in done.out
    assert f"Checked: {sandbox.url[7:]} takes the key." in done.out
    assert store.look().credentials.access_token == KEY
    assert [one.path for one in sandbox.requests] == ["/v1/models"]
    assert no_piece(done.out, done.err)


def test_without_a_check_no_server_is_asked(run: Any, pipe: Any, store: FileStore, sandbox: Sandbox) -> None:
    pipe(KEY)
    done = run("login", "--key", "--plan", "token-singapore", "--no-check")
    assert done.code == 0
    assert "It was not checked." in done.out
    assert store.look().credentials.api_base == (
        "https://token-plan.ap-southeast-1.maas.aliyuncs.com/compatible-mode/v1"
    )
    assert sandbox.requests == []


def test_a_key_that_is_refused_is_not_kept_and_host_and_plan_are_named(
    keep: Any, store: FileStore, sandbox: Sandbox
) -> None:
    sandbox.answer_next("models", "token_expired")
    done = keep("--plan", "coding-intl", "--json")
    assert done.code == 1
    assert f"{sandbox.url[7:]} refuses the key (HTTP 401" in done.err
    assert "given as one of Coding Plan, international (coding-intl)" in done.err
    error = json.loads(done.out)["error"]
    assert (error["type"], error["code"]) == ("KeyRefusedError", "key_refused")
    assert store.look() is None


@pytest.mark.parametrize("answer", ["not_found", "cut"])
def test_what_cannot_be_known_takes_no_check(
    keep: Any, store: FileStore, sandbox: Sandbox, answer: str
) -> None:
    sandbox.answer_next("models", answer)
    done = keep()
    assert done.code == 1
    assert "--no-check" in done.err
    assert store.look() is None
    assert keep("--no-check").code == 0


def test_json_tells_what_is_kept_and_nothing_of_it(keep: Any, sandbox: Sandbox) -> None:
    told = json.loads(keep("--json").out)
    assert (told["state"], told["changed"], told["plan"], told["uses"]) == ("key", True, "custom", "key")
    assert (told["expires_at"], told["seconds_left"], told["can_renew"]) == (None, None, False)
    assert told["base_url"] == sandbox.api_base
    assert told["check"]["result"] == "accepted"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--key", KEY], "A key is asked for, or read from stdin"),
        ([f"--key={KEY}"], "does not take a value"),
        ([KEY], "takes options only"),
        (["--key", "--plan", KEY], "no such plan"),
        (["--key", "--start"], "four ways"),
        (["--key", "--import", "x"], "four ways"),
        (["--plan", "beijing"], "go with --key"),
        (["--api-base", "https://x.example"], "go with --key"),
        (["--no-check"], "goes with --key or --import"),
        (["--key"], "Name its plan"),
    ],
)
def test_wrong_usage_is_said_without_the_key(  # noqa: PLR0913, PLR0917  # a test's fixtures
    run: Any, pipe: Any, store: FileStore, sandbox: Sandbox, arguments: list[str], told: str
) -> None:
    pipe(OTHER)
    done = run("login", *arguments)
    assert done.code in {1, 2}
    assert told in done.err
    assert no_piece(done.out, done.err)
    assert store.look() is None
    assert sandbox.requests == []


def test_an_empty_stdin_is_said(run: Any, pipe: Any) -> None:
    pipe("")
    done = run("login", "--key", "--plan", "beijing")
    assert (done.code, "No key was given" in done.err) == (1, True)


def test_a_key_is_replaced_at_the_same_plan_without_a_word_about_it(
    run: Any, pipe: Any, keep: Any, store: FileStore, sandbox: Sandbox
) -> None:
    keep("--plan", "coding-china")
    pipe(OTHER)
    assert run("login", "--key").code == 0
    kept = store.look().credentials
    assert (kept.access_token, kept.plan, kept.api_base) == (OTHER, "coding-china", sandbox.api_base)


def test_a_login_and_a_key_do_not_replace_each_other_unasked(
    run: Any, keep: Any, store: FileStore, sandbox: Sandbox
) -> None:
    run("login", "--no-browser")
    assert "--force" in keep().err
    assert not store.look().credentials.is_key
    assert keep("--force").code == 0
    done = run("login", "--no-browser")
    assert (done.code, "A key is kept here" in done.out) == (0, True)
    assert store.look().credentials.is_key
    assert run("login", "--no-browser", "--force").code == 0
    assert not store.look().credentials.is_key
    assert sandbox.counts.logins == 2


def test_every_command_says_key_with_plan_and_host(run: Any, keep: Any, sandbox: Sandbox) -> None:
    keep("--plan", "coding-intl", "--account", "team")
    host = sandbox.url[7:]
    status = run("status", "--account", "team")
    assert (status.code, "for Coding Plan, international (coding-intl)" in status.out) == (0, True)
    assert f"uses this key, at {sandbox.api_base}" in status.out
    told = json.loads(run("status", "--account", "team", "--json").out)
    assert (told["uses"], told["plan"], told["resource_url"]) == ("key", "coding-intl", sandbox.api_base)
    listed = run("accounts")
    assert listed.code == 0
    row = next(line for line in listed.out.splitlines() if line.startswith("team"))
    assert "key (coding-intl)" in row
    assert f"at {host}" in row
    one = next(one for one in json.loads(run("accounts", "--json").out) if one["account"] == "team")
    assert (one["state"], one["plan"], one["host"]) == ("key", "coding-intl", host)


def test_a_key_goes_with_logout_and_that_it_lives_on_is_said(run: Any, keep: Any, store: FileStore) -> None:
    keep()
    done = run("logout", "--yes")
    assert done.code == 0
    assert "stays valid until it is revoked where it was issued" in done.err
    assert store.look() is None


def test_a_key_can_be_carried_over(run: Any, keep: Any, store: FileStore, tmp_path: Path) -> None:
    keep("--account", "team")
    done = run("login", "--import", store.path.with_name("team.json"))
    assert done.code == 0
    assert "Imported. The key is stored in" in done.out
    assert "must not be used any more" not in done.err
    assert store.look().credentials.access_token == KEY
    assert tmp_path


def test_a_file_with_a_key_is_checked_as_a_given_one_is(
    run: Any, keep: Any, store: FileStore, sandbox: Sandbox
) -> None:
    keep("--account", "team")
    source = store.path.with_name("team.json")
    sandbox.answer_next("models", "token_expired")
    refused = run("login", "--import", source)
    assert (refused.code, store.look()) == (1, None)
    assert "refuses the key" in refused.err
    assert "takes the key" in run("login", "--import", source).out
    again = run("login", "--import", source)
    assert (again.code, f"There is a key in {store.path} already" in again.err) == (1, True)
    assert "It was not checked" in run("login", "--import", source, "--force", "--no-check").out


def test_the_host_that_was_asked_is_named_and_that_the_variable_wins(
    keep: Any, monkeypatch: pytest.MonkeyPatch, sandbox: Sandbox
) -> None:
    monkeypatch.setenv("QWEN_API_BASE", "https://elsewhere.example/v1")
    done = keep()
    assert f"Checked: {sandbox.url[7:]} takes the key." in done.out
    assert "elsewhere.example" not in done.out
    assert "QWEN_API_BASE is set: qwen_ai/ sends the key to elsewhere.example" in " ".join(done.err.split())
    told = json.loads(keep("--json").out)
    assert told["check"]["message"] == f"{sandbox.url[7:]} takes the key."


def test_doctor_looks_at_a_key_without_an_oauth_server(
    run: Any, keep: Any, monkeypatch: pytest.MonkeyPatch, sandbox: Sandbox
) -> None:
    keep("--plan", "coding-intl")
    monkeypatch.setenv("QWEN_OAUTH_BASE_URL", "http://127.0.0.1:9")
    told = run("doctor", "--json")
    found = [(one["name"], one["state"], one["text"]) for one in json.loads(told.out)["findings"]]
    assert ("Key", "ok", "for Coding Plan, international (coding-intl)") in found
    assert ("Key", "ok", f"{sandbox.url[7:]} takes the key.") in found
    assert not {name for name, _, _ in found} & {"OAuth server", "Renewal", "Login", "Token"}
    sandbox.answer_next("models", "token_expired")
    monkeypatch.setenv("QWEN_API_BASE", "https://dashscope-us.aliyuncs.com")
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")  # nothing leaves this machine
    told = run("doctor", "--json")
    plan = next(one for one in json.loads(told.out)["findings"] if one["name"] == "Plan")
    assert plan["state"] == "warn"
    assert "kept for Coding Plan, international, but goes to dashscope-us.aliyuncs.com" in plan["text"]
    assert no_piece(told.out, told.err)


def test_a_mismatch_is_said_when_the_key_is_kept(run: Any, pipe: Any) -> None:
    pipe(KEY)
    done = run("login", "--key", "--plan", "virginia", "--no-check")
    assert done.code == 0
    assert "begins with sk-sp-" in done.err
    assert "begins with sk-sp-" in run("status").out
    assert no_piece(done.out, done.err)


def test_a_key_in_a_variable_at_the_wrong_plan_is_a_line_of_status(
    run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QWEN_API_KEY", KEY)
    monkeypatch.setenv("QWEN_API_BASE", "dashscope-intl.aliyuncs.com")
    assert "begins with sk-sp-" in run("status").out


@pytest.mark.parametrize("command", ["status", "logout --yes", "doctor --json"])
def test_the_key_of_every_guide_is_not_passed_over_in_silence(
    run: Any, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    assert "DASHSCOPE_API_KEY" not in str(run(*command.split()))
    monkeypatch.setenv("DASHSCOPE_API_KEY", KEY)
    told = run(*command.split())
    if command != "logout --yes":
        assert "DASHSCOPE_API_KEY is set, which qwen_ai/ does not read" in told.out
        assert "litellm-qwen-ai login --key --plan NAME" in told.out
    assert no_piece(told.out, told.err)


@pytest.mark.parametrize("closed", ["<&-", "2>&-", ">&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize(
    "command",
    [
        "login --key --plan beijing",
        "logout",
        "status",
        "accounts",
        "login",
        "login --start",
        pytest.param(
            "login --start --qr", marks=pytest.mark.skipif(not find_spec("segno"), reason="the extra qr")
        ),
    ],
)
def test_a_stream_that_is_closed_is_no_traceback(environ: dict[str, str], command: str, closed: str) -> None:
    script = (
        f'"{PROGRAM}" {command} {closed} </dev/null'
        if "<" not in closed
        else f'"{PROGRAM}" {command} {closed}'
    )
    done = subprocess.run(["/bin/sh", "-c", script], env=environ, capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr + done.stdout
    assert done.returncode in {0, 1, 4}
    if command in {"login", "login --start", "login --start --qr"}:
        assert done.returncode == 0
    elif command.startswith("login") and "2>" not in closed:
        assert "No key was given" in done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no device that is always full")
@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("command", ["status", "models", "accounts --json"])
def test_an_output_without_room_is_told(environ: dict[str, str], command: str, unbuffered: str) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [PROGRAM, *command.split()],
            env=environ | {"PYTHONUNBUFFERED": unbuffered},
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr == "Error: The output has no room: the disk that it is written to is full.\n"


def test_the_program_reads_a_pipe(environ: dict[str, str], store: FileStore, sandbox: Sandbox) -> None:
    done = subprocess.run(
        [PROGRAM, "login", "--key", "--api-base", sandbox.api_base],
        input=f"{KEY}\n",
        env=environ,
        capture_output=True,
        text=True,
        check=True,
    )
    assert no_piece(done.stdout, done.stderr)
    assert store.look().credentials.access_token == KEY
