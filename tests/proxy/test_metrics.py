"""What Prometheus is told of the accounts: on instruments of its own, and on a real proxy's `/metrics`."""

from __future__ import annotations

import math
import re
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
import yaml

prometheus_client = pytest.importorskip("prometheus_client", reason="the group `metrics` is not installed")

from litellm_qwen_ai.accounts import account_of  # noqa: E402  # after the skip
from litellm_qwen_ai.oauth import QwenAuthError, keep_key  # noqa: E402  # after the skip
from litellm_qwen_ai.proxy.metrics import STATES, Metrics, keep  # noqa: E402  # after the skip
from litellm_qwen_ai.sandbox import Sandbox  # noqa: E402  # after the skip
from litellm_qwen_ai.settings import Settings  # noqa: E402  # after the skip
from litellm_qwen_ai.stores.files.login import FileStore  # noqa: E402  # after the skip
from tests.waiting import until  # noqa: E402  # after the skip

if TYPE_CHECKING:
    from litellm_qwen_ai.oauth.door import StoredCredentials
    from tests.proxy.conftest import Proxy

ROOT = Path(__file__).parents[2]


def _server(*accounts: str | None) -> Any:
    """A proxy with `/metrics`, and deployments that name these accounts."""
    params = {"model": "qwen_ai/coder-model"}
    deployments = [
        {"litellm_params": params, "model_info": {"qwen_account": one} if one is not None else {}}
        for one in accounts
    ]
    return SimpleNamespace(
        llm_router=SimpleNamespace(model_list=deployments),
        app=SimpleNamespace(routes=[SimpleNamespace(path="/metrics")]),
    )


SERVER: Any = _server(None)
CALL = {"model": "coder-model", "messages": [{"role": "user", "content": "ping"}]}
LIMIT = 90.0  # seconds for a look that is made every ten


class Told:
    """The metrics of one registry."""

    def __init__(self) -> None:
        self.server = SERVER
        self._registry = prometheus_client.CollectorRegistry()
        self.metrics = Metrics(self._registry)

    def text(self) -> str:
        self.metrics.update(self.server)
        shown: bytes = prometheus_client.generate_latest(self._registry)
        return shown.decode()

    def __call__(self, name: str, **labels: str) -> float | None:
        self.metrics.update(self.server)
        return self.shown(name, **labels)

    def shown(self, name: str, **labels: str) -> float | None:
        value: float | None = self._registry.get_sample_value(f"qwen_ai_{name}", labels)
        return value

    def state(self, account: str) -> list[str]:
        self.metrics.update(self.server)
        return self.state_shown(account)

    def state_shown(self, account: str) -> list[str]:
        return [state for state in STATES if self.shown("account_state", account=account, state=state)]


@pytest.fixture
def told() -> Told:
    return Told()


def _account(name: str | None = None) -> Any:
    return account_of(Settings.from_environment(), name)


def test_requests_and_refusals_are_counted_by_account_and_reason(
    told: Told, sandbox: Sandbox, token_dir: Path
) -> None:
    sandbox.write_credentials(token_dir, "alice.json")
    for _ in range(3):
        _account("alice").meter.sent()
    _account("alice").meter.refused("throttled", None)
    _account().meter.sent()
    assert told("requests_total", account="alice") == 3
    _account("alice").meter.sent()
    _account("alice").meter.turn()
    assert told("requests_total", account="alice") == 4
    assert told("requests_total", account="(default)") == 1
    assert told("refusals_total", account="alice", reason="throttled") == 1
    assert told("refusals_total", account="alice", reason="quota_spent") == 0


def test_renewals_are_counted_by_how_they_ended(told: Told, sandbox: Sandbox, token_dir: Path) -> None:
    assert told("renewals_total", account="(default)", result="renewed") == 0
    sandbox.write_credentials(token_dir, lifetime=-60)
    _account().session.get()
    assert told("renewals_total", account="(default)", result="renewed") == 1
    assert told("renewals_total", account="(default)", result="failed") == 0
    sandbox.write_credentials(token_dir, "bob.json", lifetime=-60)
    sandbox.revoke()
    with pytest.raises(QwenAuthError):
        _account("bob").session.get()
    assert told("renewals_total", account="bob", result="failed") == 1


def test_the_state_and_the_seconds_of_an_account_are_what_the_page_shows(
    told: Told, sandbox: Sandbox, token_dir: Path
) -> None:
    assert told.state("(default)") == ["signed_out"]
    path = sandbox.write_credentials(token_dir, lifetime=600)
    assert told.state("(default)") == ["signed_in"]
    left = told("token_seconds_left", account="(default)")
    assert left is not None
    assert 500 < left <= 600
    path.write_text("{")
    assert told.state("(default)") == ["unusable"]
    assert told("token_seconds_left", account="(default)") == 0


def test_a_key_is_a_state_of_its_own_and_has_no_end(told: Told, sandbox: Sandbox) -> None:
    keep_key(_account("alice").store, "sk-sandbox", api_base=sandbox.url)
    assert told.state("alice") == ["key"]
    assert told("token_seconds_left", account="alice") == math.inf
    assert "sk-sandbox" not in told.text()


def test_an_account_that_is_gone_is_in_no_state(told: Told, sandbox: Sandbox, token_dir: Path) -> None:
    path = sandbox.write_credentials(token_dir, "alice.json")
    assert told.state("alice") == ["signed_in"]
    path.unlink()
    assert told.state("alice") == []
    assert told("token_seconds_left", account="alice") == 0


def test_a_default_account_that_nobody_uses_wakes_nobody(
    told: Told, sandbox: Sandbox, token_dir: Path
) -> None:
    sandbox.write_credentials(token_dir, "alice.json")
    told.server = _server("alice")
    assert (told.state("alice"), told.state("(default)")) == (["signed_in"], [])
    for server in (_server("alice", None), _server("alice", "oauth_creds")):
        told.server = server
        assert told.state("(default)") == ["signed_out"]
    told.server = _server("alice")
    assert told.state("(default)") == []
    path = sandbox.write_credentials(token_dir)
    assert told.state("(default)") == ["signed_in"]
    path.write_text("{")
    assert told.state("(default)") == ["unusable"]


def test_accounts_whose_place_takes_its_time_are_read_eight_at_once(
    told: Told, sandbox: Sandbox, token_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(15):
        sandbox.write_credentials(token_dir, f"team-{number}.json")
    eight = threading.Barrier(8)
    reading: set[int] = set()
    most = 0
    look = FileStore.look

    def slow_look(store: FileStore, known: StoredCredentials | None = None) -> StoredCredentials | None:
        nonlocal most
        reading.add(threading.get_ident())
        most = max(most, len(reading))
        try:
            eight.wait(LIMIT)
            return look(store, known)
        finally:
            reading.discard(threading.get_ident())

    monkeypatch.setattr(FileStore, "look", slow_look)
    told.metrics.update(told.server)
    assert most == 8
    assert told.state_shown("team-14") == ["signed_in"]


class _Enough(BaseException):
    """Ends the look that has no end."""


def test_accounts_that_cannot_be_read_are_unusable_said_once_and_looked_at_again(
    told: Told,
    sandbox: Sandbox,
    token_dir: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    sandbox.write_credentials(token_dir, "alice.json")
    server = _server("alice", "bob")
    good, faulty = server.llm_router, SimpleNamespace(model_list=5)
    shown: list[list[str]] = []

    def go() -> None:
        _store_that_is_away(monkeypatch)

    def bring_back() -> None:
        monkeypatch.delenv("QWEN_STORE")

    def break_router() -> None:
        server.llm_router = faulty

    def mend_router() -> None:
        server.llm_router = good

    steps = iter([go, lambda: None, bring_back, break_router, lambda: None, mend_router])

    def wait(_seconds: float) -> None:
        shown.append([*told.state_shown("alice"), *told.state_shown("bob")])
        step = next(steps, None)
        if step is None:
            raise _Enough
        step()

    with pytest.raises(_Enough):
        keep(server, wait, lambda: told.metrics)
    well, lost = ["signed_in", "signed_out"], ["unusable", "unusable"]
    assert shown == [well, lost, lost, well, lost, lost, well]
    assert caplog.text.count("until they can be read again") == 2
    assert AWAY in caplog.text


AWAY = "127.0.0.1:1"  # nobody listens there


def _store_that_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("redis", reason="the extra `redis` is not installed")
    monkeypatch.setenv("QWEN_STORE", f"redis://{AWAY}/0")
    monkeypatch.setenv("QWEN_STORE_KEY", "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=")


def test_accounts_that_could_never_be_read_are_unusable(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    _store_that_is_away(monkeypatch)
    told.server = _server("alice", None)

    def wait(_seconds: float) -> None:
        raise _Enough

    with pytest.raises(_Enough):
        keep(told.server, wait, lambda: told.metrics)
    assert told.state_shown("alice") == told.state_shown("(default)") == ["unusable"]


def test_no_metric_holds_a_secret(told: Told, sandbox: Sandbox, token_dir: Path) -> None:
    sandbox.write_credentials(token_dir, lifetime=-60)
    _account().session.get()
    shown = told.text()
    assert "qwen_ai_requests_total" in shown
    assert not [secret for secret in sandbox.secrets_issued() if secret in shown]


def _documented(begin: str) -> list[dict[str, Any]]:
    """The part of docs/operators.md that begins like this, which is for Prometheus."""
    page = (ROOT / "docs" / "operators.md").read_text(encoding="utf-8")
    (block,) = re.findall(rf"```yaml\n({begin}:.*?)```", page, re.DOTALL)
    part: list[dict[str, Any]] = yaml.safe_load(block)[begin]
    return part


def _alerts() -> list[dict[str, Any]]:
    (group,) = _documented("groups")
    rules: list[dict[str, Any]] = group["rules"]
    return rules


def test_the_alerts_of_the_operators_page_name_what_there_is(told: Told, sandbox: Sandbox) -> None:
    assert sandbox.url
    shown = told.text()
    for alert in _alerts():
        (name,) = re.findall(r"qwen_ai_\w+", alert["expr"])
        series = [line for line in shown.splitlines() if line.startswith(name + "{")]
        assert series, f"{name} is not shown"
        for label, values in re.findall(r'(\w+)=~?"([^"]+)"', alert["expr"]):
            for value in values.split("|"):
                assert any(f'{label}="{value}"' in line for line in series), f"{name}: {label}={value}"


def test_prometheus_can_read_the_alerts() -> None:
    parser = pytest.importorskip("promql_parser", reason="the group `metrics` is not installed")
    assert len(_alerts()) == 3
    for alert in _alerts():
        assert parser.parse(alert["expr"])
        assert "{{ $labels.account }}" in alert["annotations"]["summary"]


@pytest.mark.proxy
@pytest.mark.parametrize("named", ["operated", "two_workers"])
def test_a_proxys_metrics_have_what_all_its_workers_have_counted(
    named: str, request: pytest.FixtureRequest
) -> None:
    proxy: Proxy = request.getfixturevalue(named)
    proxy.sandbox.write_credentials(proxy.token_dir, "metered.json")
    for _ in range(4):
        assert proxy.ask("/v1/chat/completions", {**CALL, "model": "metered"}).status_code == 200
    _wait_for(proxy, 'qwen_ai_requests_total{account="metered"} 4.0')
    _wait_for(proxy, 'qwen_ai_account_state{account="metered",state="signed_in"} 1.0')
    assert proxy.key not in _shown(proxy)


def _shown(proxy: Proxy) -> str:
    (scrape,) = _documented("scrape_configs")
    assert "credentials_file" in scrape["authorization"]
    answer = proxy.ask(scrape["metrics_path"])
    assert answer.status_code == 200, answer.text
    return answer.text


def _wait_for(proxy: Proxy, line: str) -> None:
    until(lambda: line in _shown(proxy), f"/metrics shows {line}", LIMIT)
