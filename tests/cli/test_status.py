from __future__ import annotations

import base64
import json
import os
import re
from typing import TYPE_CHECKING, Any

import pytest

from litellm_qwen_ai.accounts import account_of
from litellm_qwen_ai.names import DEFAULT_API_BASE
from litellm_qwen_ai.oauth.credentials import Credentials
from litellm_qwen_ai.proxy.accounts import view
from litellm_qwen_ai.quota.meter import Meter
from litellm_qwen_ai.quota.tally import iso
from litellm_qwen_ai.screen import span
from litellm_qwen_ai.settings import Settings
from litellm_qwen_ai.stores.files.counters import FileCounters

if TYPE_CHECKING:
    from pathlib import Path

    from litellm_qwen_ai.oauth import FileStore
    from litellm_qwen_ai.sandbox import Sandbox


def lines(text: str) -> dict[str, str]:
    pairs = (line.split(None, 1) for line in text.splitlines())
    return {label: rest.strip() for label, rest in pairs}


@pytest.fixture
def logged_in(sandbox: Sandbox, token_dir: Path, store: FileStore) -> Credentials:
    sandbox.write_credentials(token_dir)
    found = store.look()
    assert found is not None
    return found.credentials


def test_a_login_is_shown_with_file_mode_and_what_is_used(
    run: Any, logged_in: Credentials, store: FileStore, sandbox: Sandbox
) -> None:
    done = run("status")
    assert (done.code, done.err) == (0, "")
    shown = lines(done.out)
    assert shown["File"] == f"{store.path} (mode 0600)"
    assert shown["Token"].startswith("valid until 20")
    assert "from now" in shown["Token"]
    assert shown["Renewal"] == "not due"
    assert shown["qwen_ai/"] == f"uses this login, at {sandbox.api_base}"
    assert logged_in.access_token not in done.out


def test_json_holds_the_same_facts_and_no_token(
    run: Any, logged_in: Credentials, store: FileStore, sandbox: Sandbox
) -> None:
    done = run("status", "--json")
    shown = json.loads(done.out)
    assert done.code == 0
    assert shown["file"] == str(store.path)
    assert (shown["logged_in"], shown["can_renew"], shown["renewal"]) == (True, True, "not due")
    assert (shown["uses"], shown["base_url"]) == ("login", sandbox.api_base)
    assert shown["expires_at"] == iso(logged_in.expiry_date / 1000)
    assert 0 < shown["seconds_left"] <= 21600
    assert logged_in.access_token not in done.out
    assert str(logged_in.refresh_token) not in done.out


@pytest.mark.parametrize("flags", [[], ["--json"]])
def test_without_a_login_it_exits_with_4(run: Any, flags: list[str], token_dir: Path) -> None:
    done = run("status", *flags)
    assert done.code == 4
    if flags:
        shown = json.loads(done.out)
        assert (shown["logged_in"], shown["uses"], shown["base_url"]) == (False, None, None)
    else:
        assert lines(done.out)["qwen_ai/"] == "not logged in; run: litellm-qwen-ai login"
    assert not token_dir.exists()


@pytest.mark.parametrize(
    ("lifetime", "renewal", "told"),
    [
        (200, "due", "the next call starts it"),
        (10, "overdue", "the next call waits for it"),
        (-60, "overdue", "the next call waits for it"),
    ],
)
def test_it_says_whether_a_call_would_renew(  # noqa: PLR0913, PLR0917  # a table and its fixtures
    run: Any, sandbox: Sandbox, token_dir: Path, lifetime: float, renewal: str, told: str
) -> None:
    path = sandbox.write_credentials(token_dir, lifetime=lifetime)
    born = (
        path.stat().st_mtime + lifetime - 21600
    )  # a token of six hours that has been there for most of them
    os.utime(path, (born, born))
    assert json.loads(run("status", "--json").out)["renewal"] == renewal
    done = run("status")
    assert done.code == 0
    assert told in lines(done.out)["Renewal"]


def test_an_expired_login_that_cannot_be_renewed_is_no_login(
    run: Any, sandbox: Sandbox, token_dir: Path
) -> None:
    sandbox.write_credentials(token_dir, lifetime=-60, refresh_token=None)
    done = run("status")
    assert done.code == 4
    assert "log in again: litellm-qwen-ai login" in lines(done.out)["Token"]


def test_a_live_login_that_cannot_be_renewed_says_when_it_ends(
    run: Any, sandbox: Sandbox, token_dir: Path
) -> None:
    sandbox.write_credentials(token_dir, refresh_token=None)
    done = run("status")
    assert done.code == 0
    assert "without a refresh token, the login ends then" in lines(done.out)["Token"]


def test_a_key_is_what_calls_use(run: Any, logged_in: Credentials, monkeypatch: pytest.MonkeyPatch) -> None:
    assert logged_in.access_token
    monkeypatch.setenv("QWEN_API_KEY", "sk-key-secret")
    done = run("status")
    assert done.code == 0
    assert (
        lines(done.out)["qwen_ai/"] == f"uses the key in QWEN_API_KEY, not the login, at {DEFAULT_API_BASE}"
    )
    assert "sk-key-secret" not in done.out + run("status", "--json").out


def test_a_key_without_a_login_is_enough(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QWEN_API_KEY", "sk-key-secret")
    done = run("status", "--json")
    assert done.code == 0
    shown = json.loads(done.out)
    assert (shown["uses"], shown["logged_in"], shown["api_key_set"]) == ("key", False, True)


def test_the_base_url_of_the_environment_wins(
    run: Any, logged_in: Credentials, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert logged_in.api_base
    monkeypatch.setenv("QWEN_API_BASE", "https://gateway.example/v1")
    assert json.loads(run("status", "--json").out)["base_url"] == "https://gateway.example/v1"


def test_an_endpoint_that_no_token_may_go_to_is_a_problem(
    run: Any, sandbox: Sandbox, token_dir: Path
) -> None:
    sandbox.write_credentials(token_dir, resource_url="http://evil.example")
    done = run("status")
    shown = lines(done.out)
    assert "plain http to another machine" in shown["Problem"]
    assert shown["qwen_ai/"] == "cannot use this login, see above"


@pytest.mark.parametrize("flags", [[], ["--json"]])
def test_a_damaged_file_is_an_error_and_not_a_missing_login(
    run: Any, token_dir: Path, store: FileStore, flags: list[str]
) -> None:
    token_dir.mkdir()
    store.path.write_bytes(b"{ half")
    done = run("status", *flags)
    assert done.code == 1
    assert f"Error: {store.path}: not a credentials file" in done.err
    if flags:
        assert json.loads(done.out)["error"]["type"] == "CorruptCredentialsError"


def test_with_a_key_a_damaged_file_is_only_a_problem(
    run: Any, token_dir: Path, store: FileStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    token_dir.mkdir()
    store.path.write_bytes(b"{ half")
    monkeypatch.setenv("QWEN_API_KEY", "sk-key-secret")
    done = run("status")
    assert done.code == 0
    assert "not a credentials file" in lines(done.out)["Problem"]


def id_token(claims: object) -> str:
    body = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"head.{body}.signature"


@pytest.mark.parametrize(
    ("token", "user"),
    [
        (id_token({"sub": "u-1", "email": "alice@example.com"}), "alice@example.com"),
        (id_token({"sub": "u-1"}), "u-1"),
        (id_token({"name": "Al\x1b[31mice"}), "Al[31mice"),
        (id_token({"email": 7, "sub": ""}), None),
        (id_token([1]), None),
        ("no-token", None),
        ("a.b!.c", None),
        ("a.////.c", None),
    ],
)
def test_the_user_is_named_if_the_id_token_tells(
    run: Any, sandbox: Sandbox, token_dir: Path, token: str, user: str | None
) -> None:
    sandbox.write_credentials(token_dir, id_token=token)
    assert json.loads(run("status", "--json").out)["user"] == user
    assert lines(run("status").out).get("User") == user


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-3, "0 s"),
        (59, "59 s"),
        (60, "1 min"),
        (21599, "6 h"),
        (21500, "5 h 58 min"),
        (47 * 3600, "47 h"),
        (72 * 3600, "3 days"),
    ],
)
def test_a_span_is_told_as_people_do(seconds: float, text: str) -> None:
    assert span(seconds) == text


@pytest.mark.usefixtures("logged_in")
def test_what_was_counted_is_shown_and_what_the_server_said_of_a_limit(run: Any, store: FileStore) -> None:
    counter = Meter(FileCounters(store.path.parent / "meter" / store.path.name))
    for _ in range(3):
        counter.sent()
    counter.refused("quota_spent", None)
    counter.turn()
    shown = lines(run("status").out)
    assert re.fullmatch(
        r"3 in the last minute, \d today in Beijing, \d in UTC; \d refused", shown["Requests"]
    )
    assert shown["Limited"].startswith("the quota is spent, until 20")
    assert shown["Limited"].endswith("(assumed: the server named no time)")
    usage = json.loads(run("status", "--json").out)["usage"]
    assert (usage["requests_last_minute"], usage["day_zone"]) == (3, "Asia/Shanghai")
    assert (usage["limited"], usage["limited_reason"]) == (True, "quota_spent")
    counter.accepted()
    counter.turn()
    assert "Limited" not in run("status").out


@pytest.mark.parametrize("lifetime", [600, -60])
def test_a_login_that_the_server_has_ended_is_told_alike_everywhere(
    run: Any, sandbox: Sandbox, token_dir: Path, lifetime: float
) -> None:
    sandbox.write_credentials(token_dir, lifetime=lifetime)
    account = account_of(Settings.from_environment())
    account.meter.failed(ValueError("The login has ended, so log in again."), login_ended=True)
    done = run("status")
    shown = lines(done.out)
    assert (done.code, shown["Problem"]) == (4, "The login has ended, so log in again.")
    assert shown["qwen_ai/"] == "the login has ended; run: litellm-qwen-ai login"
    assert "Renewal" not in shown
    told = json.loads(run("status", "--json").out)
    assert (told["logged_in"], told["uses"], told["can_renew"]) == (False, None, False)
    (listed,) = json.loads(run("accounts", "--json").out)
    assert (listed["state"], listed["can_renew"], listed["problem"]) == ("expired", False, told["problem"])
    assert view(Settings.from_environment(), None)["state"] == "ended"
    again = run("login")
    assert (again.code, again.out.split(".")[0]) == (0, "Logged in")
    assert json.loads(run("status", "--json").out)["uses"] == "login"


def test_an_address_that_no_token_may_go_to_is_told_alike_everywhere(
    run: Any, sandbox: Sandbox, token_dir: Path
) -> None:
    sandbox.write_credentials(token_dir, resource_url="http://evil.example")
    problem = json.loads(run("status", "--json").out)["problem"]
    (listed,) = json.loads(run("accounts", "--json").out)
    page = view(Settings.from_environment(), None)
    assert (listed["state"], listed["problem"]) == ("unusable", problem)
    assert (page["state"], page["last_error"]["text"]) == ("unusable", problem)


DOUBTS = [
    ("QWEN_API_BASE", "htp:/x", "QWEN_API_BASE=htp:/x has no https:// in front, so it means https://htp:/x."),
    (
        "QWEN_API_BASE",
        "https://me:hunter2@x/v1",
        "QWEN_API_BASE cannot be used: it holds a user name or password.",
    ),
    (
        "QWEN_OAUTH_BASE_URL",
        "nonsense",
        "QWEN_OAUTH_BASE_URL cannot be used: 'nonsense' is not of the form https://host.",
    ),
    ("QWEN_API_KEY", '"sk-x"', "QWEN_API_KEY stands in quotes. Give the key alone."),
    ("QWEN_API_KEY", "key=sk-x", "QWEN_API_KEY stands behind the name of a variable. Give the key alone."),
    ("QWEN_API_BASE", '"https://x/v1"', "QWEN_API_BASE cannot be used: it stands in quotes."),
    ("QWEN_OAUTH_BASE_URL", "'https://x'", "QWEN_OAUTH_BASE_URL cannot be used: it stands in quotes."),
    ("QWEN_COALESCE", "maybe", "QWEN_COALESCE=maybe is neither 0 nor 1; it counts as 1."),
    ("QWEN_COALESCE", "no", "QWEN_COALESCE=no is neither 0 nor 1; it counts as 0."),
    ("QWEN_HOST_ADAPTATIONS", "none", "QWEN_HOST_ADAPTATIONS=none is neither 0 nor 1; it counts as 1."),
]


@pytest.mark.parametrize(("name", "value", "doubt"), DOUBTS)
def test_what_is_odd_about_the_variables_is_said(
    run: Any, name: str, value: str, doubt: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    assert lines(run("status").out)["Doubt"] == doubt


@pytest.mark.parametrize("value", ["0", "1", " 1 ", ""])
def test_a_switch_of_0_or_1_raises_no_doubt(run: Any, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QWEN_COALESCE", value)
    monkeypatch.setenv("QWEN_API_BASE", "https://gateway.example/v1?key=hunter2")
    out = run("status").out
    assert "Doubt" not in out


def test_a_login_that_waits_is_shown_with_how_to_finish_it(run: Any, sandbox: Sandbox) -> None:
    code = json.loads(run("login", "--start", "--json").out)["user_code"]
    shown = lines(run("status").out)["Started"]
    assert shown.startswith(f"a login; approve the code {code} within 15 min at {sandbox.url}/authorize?")
    assert shown.endswith("and run: litellm-qwen-ai login --complete")
    assert json.loads(run("status", "--json").out)["pending_code"] == code
