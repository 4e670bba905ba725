"""A key that is kept in an account: calls with it, its refusal, and a change of it."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import litellm
import pytest

import litellm_qwen_ai
from litellm_qwen_ai.accounts import LoginState, account_of
from litellm_qwen_ai.chat.context import AnswerContext, KeptKey
from litellm_qwen_ai.chat.errors import error_from_response
from litellm_qwen_ai.oauth import Credentials, keep_key
from litellm_qwen_ai.route import bearer as auth
from litellm_qwen_ai.sandbox import Answer, Sandbox
from litellm_qwen_ai.settings import Settings
from tests.valkey import KEY as SEAL
from tests.valkey import Valkey

FIRST, SECOND, PREPAID = "sk-first-0123456789abcd", "sk-second-0123456789abc", "sk-sp-0123456789abcdef"
LIMIT = 60.0  # seconds: what takes a second may take that long on a busy machine


@pytest.fixture
def sandbox(monkeypatch: pytest.MonkeyPatch, token_dir: Path) -> Iterator[Sandbox]:
    with Sandbox(interval=0, api_keys=(FIRST, SECOND, PREPAID)) as running:
        for name, value in running.environment(token_dir).items():
            monkeypatch.setenv(name, value)
        yield running


def keep(key: str, account: str | None = None, **more: Any) -> Credentials:
    return keep_key(account_of(Settings.from_environment(), account).store, key, check=False, **more)


def sent(sandbox: Sandbox) -> list[str | None]:
    return [request.bearer for request in sandbox.requests_to("chat")]


def test_a_kept_key_is_used_as_a_given_one_is(ask: Any, sandbox: Sandbox) -> None:
    keep(FIRST, api_base=sandbox.api_base)
    kept = ask(messages=[{"role": "user", "content": "ping"}])
    ask(messages=[{"role": "user", "content": "ping"}], api_key=FIRST, api_base=sandbox.api_base)
    ours, given = sandbox.requests_to("chat")
    assert (ours.bearer, ours.body) == (FIRST, given.body)
    varying = {"content-length", "host"}
    assert {k: v for k, v in ours.headers.items() if k not in varying} == {
        k: v for k, v in given.headers.items() if k not in varying
    }
    assert "x-dashscope-authtype" not in ours.headers
    assert [message["role"] for message in json.loads(ours.body)["messages"]] == ["user"]
    assert kept.choices[0].message.content


def test_a_kept_key_is_counted_by_its_accounts_meter(ask: Any, sandbox: Sandbox) -> None:
    keep(FIRST, "team", api_base=sandbox.api_base)
    ask(qwen_account="team")
    assert LoginState(Settings.from_environment(), "team").usage.requests_last_minute == 1
    assert LoginState(Settings.from_environment(), None).usage.requests_last_minute == 0


def test_a_deployment_chooses_whose_key_is_used(sandbox: Sandbox) -> None:
    keep(FIRST, "one", api_base=sandbox.api_base)
    keep(SECOND, "two", api_base=sandbox.api_base)
    router = litellm.Router(
        model_list=[
            {
                "model_name": name,
                "litellm_params": {"model": "qwen_ai/coder-model"},
                "model_info": {"qwen_account": name},
            }
            for name in ("one", "two")
        ]
    )
    for name in ("two", "one"):
        router.completion(model=name, messages=[{"role": "user", "content": "ping"}])
    assert sent(sandbox) == [SECOND, FIRST]


def test_a_clients_address_gets_no_kept_key(sandbox: Sandbox) -> None:
    keep(FIRST, api_base=sandbox.api_base)
    with pytest.raises(litellm.BadRequestError, match="address"):
        litellm.completion(
            model="qwen_ai/coder-model",
            messages=[{"role": "user", "content": "ping"}],
            api_base=sandbox.api_base,
            proxy_server_request={"body": {"api_base": sandbox.api_base}},
        )
    assert sandbox.requests == []


def test_a_refused_key_is_told_with_its_account_host_and_command(
    ask: Any, sandbox: Sandbox, waits: list[float]
) -> None:
    keep("sk-wrong-0123456789abcd", "team", api_base=sandbox.api_base)
    with pytest.raises(litellm.AuthenticationError) as failure:
        ask(qwen_account="team")
    told = str(failure.value)
    assert f"The key of the account 'team' was refused by {sandbox.url[7:]}." in told
    assert "`litellm-qwen-ai login --account team --key`" in told
    assert "invalid access token" in told  # the server's own words
    assert "log in again" not in told.lower()
    assert len(sandbox.requests_to("chat")) == 1
    assert sandbox.requests_to("refresh") == []
    assert waits == []
    assert "wrong" not in told


def test_a_refused_key_serves_again_as_soon_as_the_server_takes_it(ask: Any, sandbox: Sandbox) -> None:
    keep(FIRST, api_base=sandbox.api_base)
    sandbox.answer_next("chat", "token_expired")
    with pytest.raises(litellm.AuthenticationError, match="the default account"):
        ask(max_retries=0)
    assert ask().choices[0].message.content
    assert not LoginState(Settings.from_environment(), None).ended


def test_a_key_that_was_changed_within_the_last_second_is_used_after_a_refusal(
    ask: Any, sandbox: Sandbox
) -> None:
    keep("sk-wrong-0123456789abcd", api_base=sandbox.api_base)
    with pytest.raises(litellm.AuthenticationError):
        ask(max_retries=0)
    keep(FIRST, api_base=sandbox.api_base)
    assert ask(max_retries=0).choices[0].message.content
    assert sent(sandbox)[-1] == FIRST


def test_a_key_that_was_moved_within_the_last_second_is_tried_at_its_new_address(
    ask: Any, sandbox: Sandbox
) -> None:
    with Sandbox(api_keys=()) as before:
        litellm_qwen_ai.login(key=FIRST, api_base=before.api_base, check=False)
        with pytest.raises(litellm.AuthenticationError, match=before.url[7:]):
            ask(max_retries=0)
        keep(FIRST, api_base=sandbox.api_base)  # as another process does
        assert ask(max_retries=0).choices[0].message.content
        keep(FIRST, api_base=before.api_base)
        sandbox.answer_next("chat", "token_expired")
        with pytest.raises(litellm.AuthenticationError, match=f"refused by {before.url[7:]}"):
            ask(max_retries=0)


def test_a_change_in_this_process_counts_at_once(ask: Any, sandbox: Sandbox) -> None:
    litellm_qwen_ai.login(key=FIRST, api_base=sandbox.api_base)
    ask()
    litellm_qwen_ai.login(key=SECOND)
    ask()
    assert sent(sandbox) == [FIRST, SECOND]
    litellm_qwen_ai.logout()
    with pytest.raises(litellm.AuthenticationError, match="Not logged in"):
        ask()
    assert sent(sandbox) == [FIRST, SECOND]


def test_two_wrong_keys_in_a_row_are_two_requests(ask: Any, sandbox: Sandbox) -> None:
    keep("sk-wrong-0123456789abcd", api_base=sandbox.api_base)
    with pytest.raises(litellm.AuthenticationError):
        ask(max_retries=0)
    keep("sk-false-0123456789abcd", api_base=sandbox.api_base)
    with pytest.raises(litellm.AuthenticationError):
        ask(max_retries=0)
    assert len(sandbox.requests_to("chat")) <= 3
    assert sandbox.requests_to("refresh") == []


def test_a_passing_failure_with_a_key_is_tried_again(ask: Any, sandbox: Sandbox, waits: list[float]) -> None:
    keep(FIRST, api_base=sandbox.api_base)
    sandbox.answer_next("chat", "html_503")
    assert ask(max_retries=1).choices[0].message.content
    assert len(waits) == 1


# --- a key that looks like one for another address ---


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> pytest.LogCaptureFixture:
    monkeypatch.setattr(auth, "_warned_of", set())
    caplog.set_level(logging.WARNING, "litellm_qwen_ai")
    return caplog


def source(**more: Any) -> auth.BearerSource:
    return auth.BearerSource(model="coder-model", **{"api_key": None, "api_base": None, **more})


@pytest.mark.parametrize("way", ["argument", "variable", "kept"])
def test_a_key_at_another_plans_address_is_said_once_before_it_is_sent(
    said: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, sandbox: Sandbox, way: str
) -> None:
    more = {}
    if way == "argument":
        more = {"api_key": PREPAID, "api_base": "https://dashscope-intl.aliyuncs.com"}
    elif way == "variable":
        monkeypatch.setenv("QWEN_API_KEY", PREPAID)
        monkeypatch.setenv("QWEN_API_BASE", "https://dashscope-intl.aliyuncs.com/api/v1")
    else:
        keep(PREPAID, plan="singapore")
    for _ in range(3):
        found = source(**more).get()
        assert found.base_url == "https://dashscope-intl.aliyuncs.com/compatible-mode/v1"
        assert asyncio.run(source(**more).aget()).token == PREPAID
    (told,) = [record.getMessage() for record in said.records]
    assert "dashscope-intl.aliyuncs.com" in told
    assert "litellm-qwen-ai models" in told
    assert "0123" not in told
    assert sandbox.requests == []


def test_what_a_key_was_kept_for_is_said_when_it_goes_elsewhere(
    said: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, sandbox: Sandbox
) -> None:
    assert sandbox.url
    keep(PREPAID, plan="coding-intl")
    source().get()
    assert said.records == []
    monkeypatch.setenv("QWEN_API_BASE", "https://token-plan.cn-beijing.maas.aliyuncs.com/compatible-mode/v1")
    source().get()
    assert "kept for Coding Plan, international, but goes to token-plan.cn-beijing" in said.text


def test_a_refusal_names_the_mismatch_too() -> None:
    body = json.dumps({"error": {"code": "invalid_api_key", "message": "Incorrect API key"}}).encode()
    at = AnswerContext("coder-model", secrets=(PREPAID,), host="dashscope-us.aliyuncs.com")
    given = str(error_from_response(401, body, at))
    assert "begins with sk-sp-" in given
    assert "QWEN_API_KEY" in given
    kept = AnswerContext(
        "coder-model",
        secrets=(PREPAID,),
        host="dashscope-us.aliyuncs.com",
        kept_key=KeptKey("the default account", "coding-intl", "litellm-qwen-ai login --key"),
    )
    told = str(error_from_response(401, body, kept))
    assert "The key of the default account was refused by dashscope-us.aliyuncs.com." in told
    assert "kept for Coding Plan, international" in told
    assert "QWEN_API_KEY" not in told
    assert "0123" not in given + told


def test_an_http_address_that_a_key_was_kept_for_is_warned_of_once(
    said: pytest.LogCaptureFixture, sandbox: Sandbox
) -> None:
    assert sandbox.url
    keep(FIRST, api_base="http://10.0.0.7:8000")
    assert source().get().base_url == "http://10.0.0.7:8000/v1"
    source().get()
    assert said.text.count("plain http to 10.0.0.7") == 1


# --- other processes ---

_OTHER = """
import json, sys
import litellm, litellm_qwen_ai
print("ready", flush=True)
for line in sys.stdin:
    try:
        messages = [{"role": "user", "content": "ping"}]
        litellm.completion(model="qwen_ai/coder-model", messages=messages, max_retries=0)
        print("done", flush=True)
    except Exception as error:
        print(json.dumps(str(error)), flush=True)
"""


class Other:
    """A program of its own, which makes a call for each line that it is given."""

    def __init__(self, environ: dict[str, str]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", _OTHER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **environ, "LITELLM_LOCAL_MODEL_COST_MAP": "True"},
        )

    def told(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def call(self) -> str:
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return self.told()


@pytest.fixture(params=["files", "Valkey"])
def fleet(request: pytest.FixtureRequest, tmp_path: Path, sandbox: Sandbox) -> Iterator[dict[str, str]]:
    """The environment of every process; on Valkey each has a folder of its own."""
    environ = sandbox.environment(tmp_path / "shared")
    if request.param == "files":
        yield environ
        return
    valkey = Valkey(tmp_path / "valkey")
    try:
        yield {**environ, "QWEN_STORE": valkey.url, "QWEN_STORE_KEY": SEAL, "QWEN_STORE_PREFIX": "keys"}
    finally:
        valkey.stop()


def test_a_changed_key_is_used_by_another_process_without_a_restart(
    fleet: dict[str, str], sandbox: Sandbox, tmp_path: Path
) -> None:
    store = account_of(Settings.from_environment(fleet)).store
    keep_key(store, FIRST, api_base=sandbox.api_base)
    other = Other({**fleet, "QWEN_TOKEN_DIR": str(tmp_path / ("b" if fleet["QWEN_STORE"] else "shared"))})
    try:
        assert other.told() == "ready"
        assert other.call() == "done"
        assert sent(sandbox) == [FIRST]
        keep_key(store, SECOND, api_base=sandbox.api_base)
        until = time.monotonic() + LIMIT
        assert other.call() == "done"
        while sent(sandbox)[-1] != SECOND:
            assert time.monotonic() < until, f"the old key is still used after {LIMIT:g} s"
            assert other.call() == "done"
        taken_back = Answer("a key that was taken back", 401, {"error": {"code": "invalid_api_key"}})
        sandbox.answer_next("chat", taken_back)
        assert "the default account was refused by" in other.call()
    finally:
        other.process.kill()
        other.process.communicate()
