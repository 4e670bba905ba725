from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from litellm_qwen_ai.oauth.credentials import Credentials
from litellm_qwen_ai.stores.files import disk
from litellm_qwen_ai.stores.files.login import NOTE_SUFFIX

if TYPE_CHECKING:
    from pathlib import Path

    from litellm_qwen_ai.oauth import FileStore
    from litellm_qwen_ai.sandbox import Sandbox


def stored(store: FileStore) -> Credentials:
    found = store.look()
    assert found is not None
    return found.credentials


def secrets(sandbox: Sandbox, store: FileStore) -> set[str]:
    """Every token, device code and verifier that there was."""
    names = {"device_code", "code_verifier", "refresh_token"}
    sent = {value for one in sandbox.requests for name, value in one.form.items() if name in names}
    login = store.look()
    kept = {login.credentials.access_token, login.credentials.refresh_token or ""} if login else set()
    return (sent | kept) - {""}


def test_the_prompt_is_on_stderr_and_the_result_on_stdout(
    run: Any, sandbox: Sandbox, store: FileStore
) -> None:
    done = run("login")
    assert done.code == 0
    assert "user_code=" in done.err
    assert "Only approve a code that you asked for yourself." in done.err
    assert done.out.startswith(
        f"Logged in. The token is stored in {store.path} (mode 0600).\nIt is valid until "
    )
    assert "6 h from now and renewed by itself." in done.out
    assert sandbox.accepts(stored(store).access_token)


def test_no_secret_is_printed(run: Any, sandbox: Sandbox, store: FileStore) -> None:
    done = run("login", "--json")
    found = secrets(sandbox, store)
    assert len(found) >= 4
    assert not [one for one in found if one in done.out + done.err]


def test_json_goes_to_stdout_and_the_prompt_to_stderr(run: Any, sandbox: Sandbox, store: FileStore) -> None:
    done = run("login", "--json")
    facts = json.loads(done.out)
    assert (facts["changed"], facts["logged_in"], facts["uses"]) == (True, True, "login")
    assert (facts["file"], facts["mode"]) == (str(store.path), "0600")
    assert facts["base_url"] == sandbox.api_base
    assert "user_code=" in done.err


def test_a_live_login_is_left_alone_without_force(run: Any, sandbox: Sandbox, store: FileStore) -> None:
    run("login")
    first = stored(store)
    again = run("login")
    assert again.code == 0
    assert again.out.startswith("Already logged in, until ")
    assert "login --force" in again.out
    assert stored(store) == first
    assert run("login", "--force").code == 0
    assert stored(store) != first
    assert json.loads(run("login", "--json").out)["changed"] is False
    assert sandbox.counts.logins == 2


def test_an_expired_login_is_replaced_without_force(
    run: Any, sandbox: Sandbox, token_dir: Path, store: FileStore
) -> None:
    sandbox.write_credentials(token_dir, lifetime=-5)
    before = stored(store)
    assert run("login").out.startswith("Logged in.")
    assert stored(store) != before


def test_a_damaged_file_is_an_error_and_force_keeps_a_copy(
    run: Any, token_dir: Path, store: FileStore, caplog: pytest.LogCaptureFixture
) -> None:
    token_dir.mkdir()
    store.path.write_bytes(b"{ half")
    store.path.chmod(0o600)
    refused = run("login")
    assert refused.code == 1
    assert "login --force" in refused.err
    assert store.path.read_bytes() == b"{ half"
    done = run("login", "--force")
    assert done.code == 0
    copies = list(token_dir.glob("oauth_creds.json.*.old"))
    assert [copy.read_bytes() for copy in copies] == [b"{ half"]
    assert copies[0].stat().st_mode & 0o777 == 0o600
    # A warning; without pytest's log handler, Python writes it to stderr.
    assert f"is kept as {copies[0]}." in caplog.text
    assert stored(store).access_token


def test_a_failed_login_over_a_damaged_file_changes_nothing(
    run: Any, sandbox: Sandbox, token_dir: Path, store: FileStore
) -> None:
    token_dir.mkdir()
    store.path.write_bytes(b"{ half")
    store.path.chmod(0o600)
    sandbox.answer_next("device", "captcha_html")
    assert run("login", "--force").code == 1
    assert store.path.read_bytes() == b"{ half"
    assert not list(token_dir.glob("*.old"))


def test_with_a_key_set_it_says_that_the_key_is_used(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QWEN_API_KEY", "sk-key-secret")
    done = run("login")
    assert done.code == 0
    assert "QWEN_API_KEY is set: qwen_ai/ uses that key, not a login" in done.err
    assert "Try it" not in done.out
    assert "sk-key-secret" not in done.out + done.err


@pytest.mark.parametrize("flags", [[], ["--json"]])
def test_a_denied_login_exits_with_1(
    run: Any, sandbox: Sandbox, waiting: Any, store: FileStore, flags: Any
) -> None:
    sandbox.answer_next("token", "access_denied")
    done = run("login", *flags)
    assert done.code == 1
    assert "Error: The login was refused on the approval page." in done.err
    assert store.look() is None
    assert waiting.passed > 0
    if flags:
        assert json.loads(done.out)["error"]["type"] == "LoginDeniedError"
    else:
        assert done.out == ""


def test_a_service_that_says_no_is_passed_on(run: Any, sandbox: Sandbox) -> None:
    sandbox.answer_next("device", "captcha_html")
    done = run("login")
    assert (done.code, done.out) == (1, "")
    assert "captcha" in done.err


def test_ctrl_c_is_a_cancelled_command_though_what_waits_cannot_be_read_any_more(
    run: Any, waiting: Any, store: FileStore
) -> None:
    def interrupt() -> None:
        disk.beside(store.path, NOTE_SUFFIX).chmod(0o666)
        raise KeyboardInterrupt

    waiting.on_nap = interrupt
    done = run("login")
    assert done.code == 2
    assert done.err.endswith("Cancelled; nothing was changed.\n")


@pytest.mark.parametrize("flags", [[], ["--json"]])
def test_ctrl_c_exits_with_2_and_leaves_nothing_behind(
    run: Any, waiting: Any, token_dir: Path, flags: Any
) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    waiting.on_nap = interrupt
    done = run("login", *flags)
    assert (done.code, done.out) == (2, "")
    assert done.err.endswith("Cancelled; nothing was changed.\n")
    assert [path for path in token_dir.iterdir() if path.suffix != ".lock"] == []


def test_a_bad_file_name_is_named(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QWEN_AUTH_FILE", "../elsewhere.json")
    done = run("login")
    assert done.code == 1
    assert "QWEN_AUTH_FILE takes a file name" in done.err


@pytest.mark.parametrize(
    ("flags", "may", "opened"), [([], True, 1), (["--no-browser"], True, 0), ([], False, 0)]
)
def test_a_browser_opens_only_where_it_may(  # noqa: PLR0913, PLR0917  # a table and its fixtures
    run: Any, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, flags: list[str], may: bool, opened: int
) -> None:
    urls: list[str] = []
    monkeypatch.setattr("litellm_qwen_ai.verbs.open_browser", urls.append)
    for module in ("cli.login", "verbs"):
        monkeypatch.setattr(f"litellm_qwen_ai.{module}.may_open_browser", lambda: may)
    assert run("login", *flags).code == 0
    assert len(urls) == opened
    assert all(url.startswith(f"{sandbox.url}/") for url in urls)


@pytest.mark.parametrize("flags", [[], ["--json"], ["--start"], ["--start", "--json"]])
@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:9", "http://127.0.0.1:9", "socks://x", "http://[half"])
def test_a_proxy_that_does_not_serve_is_one_sentence(
    run: Any, flags: list[str], proxy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("QWEN_OAUTH_BASE_URL", "https://qwen.test")
    monkeypatch.setenv("ALL_PROXY", proxy)
    done = run("login", *flags)
    assert done.code == 1
    told = json.loads(done.out)["error"]["message"] if "--json" in flags else done.err
    assert "no answer from qwen.test" in told
    assert "ALL_PROXY" in told
    assert "Traceback" not in done.err
