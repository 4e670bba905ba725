"""Which bearer a call uses, and what happens when it is refused."""

from __future__ import annotations

import json
import traceback
from pathlib import Path
from typing import Any

import litellm
import pytest

import litellm_qwen_ai
from litellm_qwen_ai.oauth import errors
from litellm_qwen_ai.route import bearer as auth
from litellm_qwen_ai.sandbox import Sandbox


def _bearers(sandbox: Sandbox) -> list[str]:
    return [request.headers["authorization"] for request in sandbox.requests_to("chat")]


def test_without_a_login_the_call_fails_at_once_and_names_the_command(ask: Any, sandbox: Sandbox) -> None:
    with pytest.raises(litellm.AuthenticationError, match="litellm-qwen-ai login") as failure:
        ask()
    assert failure.value.llm_provider == "qwen_ai"
    assert failure.value.status_code == 401
    assert sandbox.requests == []


def test_its_traceback_shows_next_to_nothing_of_ours(ask: Any, sandbox: Sandbox) -> None:
    assert sandbox.url
    with pytest.raises(litellm.AuthenticationError) as failure:
        ask()
    cause, told = "".join(traceback.format_exception(failure.value)).split("\n\nThe above exception was the")
    assert cause.startswith("litellm_qwen_ai.oauth.errors.NotLoggedInError: Not logged in to Qwen")
    assert "\n" not in cause
    assert told.count("Not logged in to Qwen") == 1
    shown = {Path(frame.filename).name for frame in traceback.extract_tb(failure.value.__traceback__)}
    assert not shown & {"session.py", "bearer.py", "retries.py", "call.py", "stream.py"}


def _dead(sandbox: Sandbox, login: Path) -> None:
    sandbox.revoke()
    sandbox.expire_access_tokens()
    assert login.exists()


def _renewal_fails(sandbox: Sandbox, login: Path) -> None:
    login.unlink()
    sandbox.write_credentials(login.parent, lifetime=-60)
    sandbox.answer_next("refresh", "html_503", times=9)


@pytest.mark.parametrize(
    ("spoil", "ours", "theirs"),
    [
        (lambda _, login: login.unlink(), litellm_qwen_ai.NotLoggedInError, litellm.AuthenticationError),
        (_dead, litellm_qwen_ai.LoginExpiredError, litellm.AuthenticationError),
        (_renewal_fails, litellm_qwen_ai.RefreshError, litellm.ServiceUnavailableError),
        (
            lambda _, login: login.write_text("{half"),
            litellm_qwen_ai.CorruptCredentialsError,
            litellm.InternalServerError,
        ),
        (
            lambda _, login: login.chmod(0o666),
            litellm_qwen_ai.StoreError,
            litellm.InternalServerError,
        ),
    ],
    ids=["no login", "dead login", "failed renewal", "damaged file", "open file"],
)
@pytest.mark.usefixtures("waits")
def test_its_cause_is_the_error_of_the_login_without_the_way_there(  # noqa: PLR0913, PLR0917  # a test's fixtures
    ask: Any, sandbox: Sandbox, login: Path, spoil: Any, ours: type[Exception], theirs: type[Exception]
) -> None:
    spoil(sandbox, login)
    with pytest.raises(theirs) as failure:
        ask(max_retries=0)
    cause = failure.value.__cause__
    assert type(cause) is ours
    assert str(cause) in str(failure.value)
    assert (cause.__traceback__, cause.__context__) == (None, None)


@pytest.mark.parametrize("kind", [one for one in vars(errors).values() if isinstance(one, type)])
def test_every_error_of_the_login_is_the_cause_of_litellms(kind: type[errors.QwenAuthError]) -> None:
    ours = kind("what happened")
    ours.__cause__ = OSError("behind it, with frames of ours")
    made = auth.as_litellm_error(ours, "coder-model")
    assert isinstance(made, litellm.exceptions.openai.APIError)
    cause = made.__cause__
    assert (type(cause), str(cause), vars(cause)) == (kind, "what happened", vars(ours))
    assert cause is not None
    assert (cause.__traceback__, cause.__cause__, cause.__context__) == (None, None, None)


def test_a_setting_that_cannot_be_used_is_the_cause_too(ask: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("QWEN_AUTH_FILE", "../creds.json"), ("QWEN_OAUTH_BASE_URL", "no address")):
        with monkeypatch.context() as patched:
            patched.setenv(name, value)
            with pytest.raises(litellm.BadRequestError) as failure:
                ask()
        assert type(failure.value.__cause__) is litellm_qwen_ai.ConfigurationError


def test_a_login_made_meanwhile_is_picked_up(ask: Any, sandbox: Sandbox, token_dir: Path) -> None:
    with pytest.raises(litellm.AuthenticationError):
        ask()
    sandbox.write_credentials(token_dir)
    assert ask().choices[0].message.content


def test_an_expired_token_is_renewed_on_the_way(ask: Any, sandbox: Sandbox, token_dir: Path) -> None:
    path = sandbox.write_credentials(token_dir, lifetime=-60, note="mine")
    old = json.loads(path.read_text())
    assert ask().choices[0].message.content
    new = json.loads(path.read_text())
    assert new["access_token"] != old["access_token"]
    assert new["note"] == "mine"
    assert len(sandbox.requests_to("refresh")) == 1


def test_a_token_that_the_server_refuses_is_renewed_once(ask: Any, sandbox: Sandbox, login: Path) -> None:
    assert login.exists()
    sandbox.expire_access_tokens()
    assert ask().choices[0].message.content
    assert len(sandbox.requests_to("refresh")) == 1
    assert len(set(_bearers(sandbox))) == 2


def test_a_server_that_refuses_every_token_is_asked_twice_and_no_more(
    ask: Any, sandbox: Sandbox, login: Path
) -> None:
    before = json.loads(login.read_text())
    sandbox.answer_next("chat", "token_expired", times=5)
    with pytest.raises(litellm.AuthenticationError):
        ask()
    assert len(sandbox.requests_to("chat")) == 2
    assert len(sandbox.requests_to("refresh")) == 1
    assert json.loads(login.read_text())["refresh_token"] != before["refresh_token"]


def test_a_dead_login_is_asked_once_and_keeps_its_file(ask: Any, sandbox: Sandbox, token_dir: Path) -> None:
    path = sandbox.write_credentials(token_dir, lifetime=-60)
    sandbox.revoke()
    for _ in range(3):
        with pytest.raises(litellm.AuthenticationError, match="litellm-qwen-ai login"):
            ask()
    assert len(sandbox.requests_to("refresh")) == 1
    assert path.exists()


def test_a_renewal_that_fails_for_now_is_no_dead_login(
    ask: Any, sandbox: Sandbox, token_dir: Path, waits: list[float]
) -> None:
    sandbox.write_credentials(token_dir, lifetime=-60)
    sandbox.answer_next("refresh", "html_503", times=9)
    with pytest.raises(litellm.ServiceUnavailableError):
        ask(max_retries=0)
    assert waits == []
    assert len(sandbox.requests_to("chat")) == 0


def test_a_damaged_credentials_file_is_said_and_kept(ask: Any, sandbox: Sandbox, token_dir: Path) -> None:
    path = sandbox.write_credentials(token_dir)
    path.write_text("{half")
    with pytest.raises(litellm.InternalServerError, match=path.name):
        ask()
    assert path.read_text() == "{half"
    assert sandbox.requests == []


def test_a_file_name_that_is_a_path_is_refused(
    ask: Any, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QWEN_AUTH_FILE", "../creds.json")
    with pytest.raises(litellm.BadRequestError, match="file name"):
        ask()
    assert sandbox.requests == []


def test_a_key_is_used_instead_of_the_login(ask: Any, sandbox: Sandbox, login: Path) -> None:
    before = login.read_bytes()
    assert ask(api_key="sk-sandbox", api_base=sandbox.api_base).choices[0].message.content
    assert _bearers(sandbox) == ["Bearer sk-sandbox"]
    assert login.read_bytes() == before
    assert sandbox.requests_to("refresh") == []


def test_the_keys_variables_need_no_login(
    ask: Any, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QWEN_API_KEY", "sk-sandbox")
    monkeypatch.setenv("QWEN_API_BASE", sandbox.api_base)
    assert ask().choices[0].message.content
    assert _bearers(sandbox) == ["Bearer sk-sandbox"]
    assert "x-dashscope-authtype" not in {n.lower() for n in sandbox.requests_to("chat")[0].headers}


def test_the_argument_wins_over_the_variable(
    ask: Any, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QWEN_API_KEY", "sk-wrong")
    monkeypatch.setenv("QWEN_API_BASE", "http://127.0.0.1:9/v1")
    assert ask(api_key="sk-sandbox", api_base=sandbox.api_base + "/").choices[0].message.content


def test_a_wrong_key_is_refused_without_a_refresh(ask: Any, sandbox: Sandbox, login: Path) -> None:
    assert login.exists()
    with pytest.raises(litellm.AuthenticationError):
        ask(api_key="sk-wrong", api_base=sandbox.api_base)
    assert len(sandbox.requests_to("chat")) == 1
    assert sandbox.requests_to("refresh") == []


def test_another_account_has_its_own_file(ask: Any, sandbox: Sandbox, token_dir: Path) -> None:
    alice = json.loads(sandbox.write_credentials(token_dir, "alice.json").read_text())
    assert ask(qwen_account="alice").choices[0].message.content
    assert _bearers(sandbox) == [f"Bearer {alice['access_token']}"]
    assert "qwen_account" not in json.loads(sandbox.requests_to("chat")[0].body)
    sandbox.write_credentials(token_dir)
    for name in ("../alice", "", "alice..b", "alice."):
        with pytest.raises(litellm.BadRequestError, match="never a path"):
            ask(qwen_account=name)
        with pytest.raises(litellm.BadRequestError, match="never a path"):
            ask(model_info={"qwen_account": name})


def test_plain_http_to_another_machine_is_used_when_asked_for_and_warned_of_once(
    ask: Any, caplog: pytest.LogCaptureFixture
) -> None:
    # A name that resolves nowhere: nothing leaves this machine.
    base = "http://gateway.invalid/v1"
    auth._warned_of.discard(base)
    for _ in range(2):
        with pytest.raises(litellm.APIConnectionError):
            ask(api_key="sk-any", api_base=base, max_retries=0)
    warnings = [record for record in caplog.records if "plain http to gateway.invalid" in record.getMessage()]
    assert len(warnings) == 1


def test_plain_http_on_this_machine_is_fine(
    ask: Any, sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    ask(api_key="sk-sandbox", api_base=sandbox.api_base)
    assert "plain http" not in caplog.text


def test_a_calls_own_address_is_used_whatever_the_login_names(
    sandbox: Sandbox, token_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("QWEN_API_BASE", raising=False)
    path = sandbox.write_credentials(token_dir)
    path.write_text(json.dumps({**json.loads(path.read_text()), "resource_url": "10.0.0.1"}))
    assert litellm.completion(
        "qwen_ai/coder-model", messages=[{"role": "user", "content": "ping"}], api_base=sandbox.api_base
    )
