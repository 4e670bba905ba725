from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from litellm_qwen_ai.cli.checkup import hosts, plugin
from litellm_qwen_ai.route import probe as _probe
from litellm_qwen_ai.stores.files.locks import locked

if TYPE_CHECKING:
    from litellm_qwen_ai.oauth import FileStore
    from litellm_qwen_ai.sandbox import Sandbox


@pytest.fixture
def examine(run: Any, litellm_seen: dict[str, Any]) -> Any:
    assert litellm_seen

    def look(*flags: str) -> dict[str, Any]:
        done = run("doctor", "--json", *flags)
        told = json.loads(done.out)
        assert done.code == (0 if told["ok"] else 1)
        assert done.err == ""
        return {"told": told, "out": done.out, **{one["name"]: one for one in told["findings"]}}

    return look


def test_all_is_well(examine: Any, run: Any, sandbox: Sandbox, token_dir: Path) -> None:
    sandbox.write_credentials(token_dir)
    found = examine()
    assert found["told"]["ok"]
    assert {one["state"] for one in found["told"]["findings"]} == {"ok"}
    assert list(found)[2:] == [
        *("Python", "litellm-qwen-ai", "Settings", "Folder", "File", "Login", "Renewal"),
        *("OAuth server", "Clock", "Chat server", "Token", "LiteLLM", "Route", "Adaptations"),
    ]
    shown = run("doctor")
    assert shown.code == 0
    assert shown.out.endswith("All is well.\n")
    assert "ok    Route             qwen_ai/ is registered" in shown.out
    assert sandbox.counts.chat_requests == 0


@pytest.mark.parametrize(("columns", "indent"), [("40", 6), ("80", 24)])
def test_it_fits_the_terminal(  # noqa: PLR0913, PLR0917  # a table and its fixtures
    examine: Any,
    run: Any,
    sandbox: Sandbox,
    token_dir: Path,
    monkeypatch: pytest.MonkeyPatch,
    columns: str,
    indent: int,
) -> None:
    assert examine
    sandbox.write_credentials(token_dir).chmod(0o644)
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setattr("litellm_qwen_ai.screen.is_terminal", lambda _stream: True)
    monkeypatch.setenv("NO_COLOR", "1")
    lines = run("doctor").out.splitlines()
    assert f"{'':{indent}}Fix: chmod 600" in lines
    broken = [line for line in lines if str(token_dir) not in line]  # a path stays whole
    assert max(map(len, broken)) <= int(columns)


def test_nothing_is_changed(examine: Any, sandbox: Sandbox, token_dir: Path, store: FileStore) -> None:
    examine()
    assert not token_dir.exists()
    sandbox.write_credentials(token_dir)
    before = (store.path.read_bytes(), store.path.stat().st_mtime_ns)
    examine()
    assert (store.path.read_bytes(), store.path.stat().st_mtime_ns) == before
    assert {path.name for path in token_dir.iterdir()} == {store.path.name, f"{store.path.name}.lock"}


def test_without_a_login_the_command_is_the_fix(examine: Any) -> None:
    found = examine("--account", "alice")
    assert found["Login"]["state"] == "fail"
    assert found["Login"]["fix"] == "litellm-qwen-ai login --account alice"
    assert "Chat server" not in found


def test_with_a_key_no_login_is_needed(
    examine: Any, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QWEN_API_KEY", "sk-sandbox")
    monkeypatch.setenv("QWEN_API_BASE", sandbox.api_base)
    found = examine()
    assert found["told"]["ok"]
    assert "calls use the key" in found["Settings"]["text"]
    assert found["Key"]["text"] == f"{sandbox.url[7:]} takes the key. (QWEN_API_KEY)"
    assert "sk-sandbox" not in found["out"]


def test_a_key_in_the_variable_that_is_refused_is_said(
    examine: Any, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QWEN_API_KEY", "sk-key-secret")
    monkeypatch.setenv("QWEN_API_BASE", sandbox.api_base)
    found = examine()
    assert not found["told"]["ok"]
    assert f"{sandbox.url[7:]} refuses the key" in found["Key"]["text"]
    assert "QWEN_API_KEY" in found["Key"]["fix"]
    assert "sk-key-secret" not in found["out"]


def test_it_is_safe_to_paste(
    examine: Any, sandbox: Sandbox, token_dir: Path, store: FileStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox.write_credentials(token_dir, id_token="head.eyJlbWFpbCI6ICJtZUBleGFtcGxlLmNvbSJ9.x")
    monkeypatch.setattr(Path, "home", lambda: token_dir.parent)
    out = examine()["out"]
    stored = store.look()
    assert stored is not None
    secrets = [stored.credentials.access_token, stored.credentials.refresh_token or "none", "me@example.com"]
    assert not [one for one in secrets if one in out]
    assert str(token_dir.parent) not in out
    assert "~/qwen/oauth_creds.json" in out


@pytest.mark.parametrize(
    ("mode", "state", "told"),
    [(0o755, "warn", "can be looked into"), (0o777, "fail", "can be written by other users")],
)
@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
def test_an_open_folder_is_told_with_the_chmod(  # noqa: PLR0913, PLR0917  # a table and its fixtures
    examine: Any, sandbox: Sandbox, token_dir: Path, mode: int, state: str, told: str
) -> None:
    sandbox.write_credentials(token_dir)
    token_dir.chmod(mode)
    found = examine()["Folder"]
    assert (found["state"], found["fix"]) == (state, f"chmod 700 '{token_dir}'")
    assert told in found["text"]


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
def test_a_file_that_others_can_read_or_write_is_told(
    examine: Any, sandbox: Sandbox, token_dir: Path, store: FileStore
) -> None:
    sandbox.write_credentials(token_dir)
    store.path.chmod(0o644)
    found = examine()["File"]
    assert (found["state"], found["fix"]) == ("warn", f"chmod 600 '{store.path}'")
    store.path.chmod(0o666)
    found = examine()
    assert (found["File"]["state"], found["Login"]["state"]) == ("fail", "fail")
    assert f"chmod 600 '{store.path}'" in found["File"]["fix"]
    assert "can be written by other users" in found["Login"]["text"]


def test_a_file_that_is_no_login_is_told(
    examine: Any, sandbox: Sandbox, token_dir: Path, store: FileStore
) -> None:
    sandbox.write_credentials(token_dir).write_text("{ half")
    found = examine()["Login"]
    assert found["state"] == "fail"
    assert f"{store.path}: not a credentials file" in found["text"]


@pytest.mark.parametrize(
    ("lifetime", "more", "state", "told"),
    [
        (-60, {}, "ok", "the next call renews it"),
        (600, {"refresh_token": None}, "warn", "cannot be renewed"),
        (-60, {"refresh_token": None}, "fail", "cannot be renewed"),
    ],
)
def test_the_state_of_a_login(  # noqa: PLR0913, PLR0917  # a table and its fixtures
    examine: Any, sandbox: Sandbox, token_dir: Path, lifetime: float, more: Any, state: str, told: str
) -> None:
    sandbox.write_credentials(token_dir, lifetime=lifetime, **more)
    found = examine()
    assert found["Login"]["state"] == state
    assert told in found["Login"]["text"]
    assert ("Token" in found) is (lifetime > 0)


def test_a_lock_that_is_held_and_a_renewal_that_broke_off_are_told(
    examine: Any, sandbox: Sandbox, token_dir: Path, store: FileStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox.write_credentials(token_dir)
    monkeypatch.setattr("litellm_qwen_ai.cli.checkup.login._LOCK_TIMEOUT", 0)
    with locked(Path(f"{store.path}.lock"), 5, like=store.path):
        held = examine()["Renewal"]
    assert held["state"] == "warn"
    assert ".lock" in held["text"]
    (token_dir / "oauth_creds.json.0123456789abcdef.new").write_text(" ")
    assert "was interrupted" in examine()["Renewal"]["text"]


def test_a_folder_without_space_fails(
    examine: Any, sandbox: Sandbox, token_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox.write_credentials(token_dir)

    def full(*_: Any) -> Any:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("litellm_qwen_ai.stores.files.disk.open_private", full)
    found = examine()["Renewal"]
    assert found["state"] == "fail"
    assert "No space left" in found["text"]


def test_a_started_login_is_told(examine: Any, run: Any) -> None:
    run("login", "--start")
    assert "waits for approval" in examine()["Started login"]["text"]


@pytest.mark.parametrize(
    ("answer", "state", "told"),
    [
        ("token_expired", "fail", "2026-04-15"),
        ("quota_spent", "fail", "qwencloud/"),
        ("html_504", "warn", "is not known"),
    ],
)
def test_the_token_is_tried_for_free(  # noqa: PLR0913, PLR0917  # a table and its fixtures
    examine: Any, sandbox: Sandbox, token_dir: Path, answer: str, state: str, told: str
) -> None:
    sandbox.write_credentials(token_dir)
    sandbox.answer_next("models", answer)
    found = examine()["Token"]
    assert found["state"] == state
    assert told in found["text"]
    assert sandbox.counts.chat_requests == 0


def test_a_server_that_cannot_be_reached_is_told(
    examine: Any, sandbox: Sandbox, token_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox.write_credentials(token_dir)
    monkeypatch.setenv("QWEN_OAUTH_BASE_URL", "http://127.0.0.1:9")
    found = examine()["OAuth server"]
    assert found["state"] == "fail"
    assert "127.0.0.1:9 cannot be reached: the connection was refused" in found["text"]
    monkeypatch.setenv("QWEN_OAUTH_BASE_URL", "http://chat.example")
    assert "plain http" in examine()["OAuth server"]["text"]


@pytest.mark.parametrize(
    ("skew", "state", "told"),
    [(5, "ok", "agrees"), (-600, "warn", "10 min behind"), (7200, "warn", "2 h ahead of")],
)
def test_the_clock_is_compared_with_the_servers(skew: float, state: str, told: str) -> None:
    (found,) = hosts._clock("Sun, 06 Nov 1994 08:49:37 GMT", 784111777 + skew)
    assert found.state == state
    assert told in found.text


@pytest.mark.parametrize("date", ["soon", None])
def test_a_server_that_says_no_time_says_nothing_of_the_clock(date: str | None) -> None:
    assert list(hosts._clock(date, 0)) == []


@pytest.mark.parametrize(
    ("name", "value", "state", "told"),
    [
        ("SSL_VERIFY", "/nowhere/ca.pem", "warn", "SSL_VERIFY names no file, so LiteLLM ignores it"),
        ("SSL_CERT_FILE", "/nowhere/ca.pem", "warn", "SSL_CERT_FILE names no file, so LiteLLM ignores it"),
        ("SSL_VERIFY", "False", "warn", "certificates are not checked: SSL_VERIFY is False"),
        ("NO_PROXY", "localhost, ::1/128", "warn", "NO_PROXY holds '::1/128'"),
        ("NO_PROXY", "[::1]", "warn", "NO_PROXY holds '[::1]'"),
        ("NO_PROXY", "10.0.0.0/8,[", "warn", "NO_PROXY holds '[', which names no host"),
        ("NO_PROXY", "http://[::", "warn", "NO_PROXY holds 'http://[::', with which"),
        ("NO_PROXY", "*.[x", "warn", "NO_PROXY holds '*.[x', which names no host"),
        ("HTTPS_PROXY", "socks5://127.0.0.1:9", "warn", "asynchronous ones speak no SOCKS"),
        ("SSL_CERTIFICATE", "client.pem", "warn", "asynchronous ones show none"),
    ],
)
def test_an_odd_variable_of_the_network_is_told(  # noqa: PLR0913, PLR0917  # a table and its fixtures
    examine: Any, name: str, value: str, state: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.setenv(name, value)
    found = examine()["Network"]
    assert found["state"] == state
    assert told in found["text"]
    assert found["fix"]


def test_hosts_and_networks_without_a_proxy_are_nothing_odd(
    examine: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.setenv("NO_PROXY", "localhost,.example.com,10.0.0.0/8,::1,fd00::1,host:8080,https://x.test,*")
    assert "Network" not in examine()


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("SSL_CERT_FILE", __file__, "SSL_CERT_FILE="),
        ("HTTPS_PROXY", "http://proxy:port", "HTTPS_PROXY names no proxy that can be used"),
        ("ALL_PROXY", "socks://127.0.0.1:9", "ALL_PROXY names no proxy that can be used"),
        ("HTTPS_PROXY", "http://[bad]:80", "HTTPS_PROXY names no proxy that can be used"),
        ("HTTPS_PROXY", "http://user:pw@[::1", "HTTPS_PROXY names no proxy that can be used"),
        (
            "ALL_PROXY",
            "socks5://127.0.0.1:9",
            "through the proxy 127.0.0.1:9 of ALL_PROXY: the connection",
        ),
    ],
)
def test_a_variable_that_keeps_from_the_server_is_told_with_a_way_out(
    examine: Any, name: str, value: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QWEN_OAUTH_BASE_URL", "https://qwen.test")
    monkeypatch.setenv(name, value)
    found = examine()["OAuth server"]
    assert found["state"] == "fail"
    assert told in found["text"]
    assert found["fix"]


@pytest.mark.parametrize(
    ("changes", "name", "state"),
    [
        ({"litellm": None, "fault": "ImportError: no module"}, "LiteLLM", "fail"),
        ({"registered": False}, "Route", "fail"),
        ({"adaptations": {"parameters": False}}, "Adaptations", "warn"),
        ({"switched_off": True, "adaptations": {"parameters": False}}, "Adaptations", "ok"),
    ],
)
def test_what_litellm_says_is_told(
    litellm_seen: dict[str, Any], changes: dict[str, Any], name: str, state: str
) -> None:
    found = {one.name: one for one in plugin.read({**litellm_seen, **changes})}
    assert found[name].state == state
    assert found[name].fix or state == "ok"


def test_the_real_probe_makes_a_call(run: Any, sandbox: Sandbox, token_dir: Path) -> None:
    sandbox.write_credentials(token_dir, "alice.json")
    sandbox.answer_next("chat", "quota_spent", times=3)
    done = run("doctor", "--call", "--account", "alice")
    assert done.code == 1
    called = next(line for line in done.out.splitlines() if " Call " in line)
    assert called.startswith("FAIL")
    assert "RateLimitError" in called
    assert "Free allocated quota exceeded" in called
    assert "ok    Route" in done.out
    assert len(sandbox.requests_to("chat")) == 1


def test_a_probe_that_breaks_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plugin.sys, "executable", "/bin/false")
    with plugin.probing(None, call=False) as probe:
        found = list(plugin.seen_by(probe))
    assert [(one.name, one.state) for one in found] == [("LiteLLM", "fail")]


def test_the_probe_sees_this_litellm(litellm_seen: dict[str, Any]) -> None:
    seen = _probe.look()
    assert seen["registered"]
    seen["adaptations"].pop("health checks", None)  # a proxy's, which other tests may have loaded
    assert set(seen["adaptations"]) == set(litellm_seen["adaptations"])


def test_a_variable_that_keeps_litellm_from_being_imported_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_SECURITY_LEVEL", "nonsense")
    with plugin.probing(None, call=False) as probe:
        (found,) = plugin.seen_by(probe)
    assert (found.name, found.state) == ("LiteLLM", "fail")
    assert found.text == "cannot be imported: SSLError: ('No cipher can be selected.',)"
    assert found.fix.startswith("Mend or unset SSL_SECURITY_LEVEL")
