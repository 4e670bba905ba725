"""Calls through LiteLLM are counted for the account that sent them, and the counts are shown."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import litellm
import pytest

from litellm_qwen_ai.accounts import account_of
from litellm_qwen_ai.quota.meter import Meter
from litellm_qwen_ai.sandbox import Answer, Sandbox
from litellm_qwen_ai.settings import Settings

MESSAGES = [{"role": "user", "content": "ping"}]
OURS = "llm_provider-x-qwen-ratelimit-"
USED = OURS + "used-requests-"


def _shown(answer: Any) -> dict[str, str]:
    headers = answer._hidden_params["additional_headers"]
    return {name: value for name, value in headers.items() if name.startswith(OURS)}


def _call(**more: Any) -> Any:
    return litellm.completion("qwen_ai/coder-model", messages=MESSAGES, **more)


def _meter(account: str | None = None) -> Meter:
    return account_of(Settings.from_environment(), account).meter


async def _acall(**more: Any) -> Any:
    return await litellm.acompletion("qwen_ai/coder-model", messages=MESSAGES, **more)


def test_an_answer_says_how_many_requests_were_sent(login: Path) -> None:
    assert login.exists()
    assert _shown(_call()) == {USED + "minute": "1", USED + "day": "1"}
    second = _call()
    assert _shown(second) == {USED + "minute": "2", USED + "day": "2"}
    assert "llm_provider-content-type" in second._hidden_params["additional_headers"]


@pytest.mark.usefixtures("login")
async def test_so_does_an_async_answer_and_an_async_stream() -> None:
    answer = await litellm.acompletion("qwen_ai/coder-model", messages=MESSAGES)
    assert _shown(answer) == {USED + "minute": "1", USED + "day": "1"}
    stream = await litellm.acompletion("qwen_ai/coder-model", messages=MESSAGES, stream=True)
    assert _shown(stream) == {USED + "minute": "2", USED + "day": "2"}
    assert [chunk async for chunk in stream]
    await litellm.close_litellm_async_clients()


@pytest.mark.usefixtures("login", "waits")
def test_every_request_that_is_sent_counts_retries_too(sandbox: Sandbox) -> None:
    sandbox.answer_next("chat", "throttled")
    sandbox.answer_next("chat", "server_error")
    list(_call(stream=True))
    usage = _meter().counted().usage(time.time())
    assert usage.requests_today == len(sandbox.requests_to("chat")) == 3
    assert (usage.refused_today, usage.limited) == (1, False)


@pytest.mark.usefixtures("login")
def test_a_spent_quota_is_known_until_a_request_is_accepted(sandbox: Sandbox) -> None:
    sandbox.answer_next("chat", "quota_spent")
    with pytest.raises(litellm.RateLimitError):
        _call()
    meter = _meter()
    usage = meter.counted().usage(time.time())
    assert (usage.limited, usage.limited_reason, usage.limited_until) == (
        True,
        "quota_spent",
        usage.day_ends_at,
    )
    failure = meter.counted().failure
    assert failure is not None
    assert "Free allocated quota exceeded" in failure.text
    _call()
    assert not meter.counted().usage(time.time()).limited


@pytest.mark.parametrize(
    ("name", "reason"),
    [("error_first", "throttled"), ("error_event", "throttled"), ("error_event_quota", "quota_spent")],
)
@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
@pytest.mark.usefixtures("login")
def test_a_refusal_inside_a_stream_counts_once(
    sandbox: Sandbox, name: str, reason: str, asynchronous: bool
) -> None:
    async def read() -> None:
        try:
            [chunk async for chunk in await _acall(stream=True, max_retries=0)]
        finally:
            await litellm.close_litellm_async_clients()

    sandbox.answer_next("chat", name)
    with pytest.raises(litellm.exceptions.openai.OpenAIError):
        asyncio.run(read()) if asynchronous else list(_call(stream=True, max_retries=0))
    usage = _meter().counted().usage(time.time())
    assert (usage.requests_today, usage.refused_today) == (1, 1)
    assert (usage.limited, usage.limited_reason) == (True, reason)
    failure = _meter().counted().failure
    assert failure is not None
    assert failure.text
    list(_call(stream=True))
    assert not _meter().counted().usage(time.time()).limited


@pytest.mark.usefixtures("login")
def test_a_refusal_in_an_answer_with_status_200_counts(sandbox: Sandbox) -> None:
    error = {"error": {"code": "Throttling", "message": "Requests throttling triggered", "type": "x"}}
    sandbox.answer_next("chat", Answer(body=error))
    with pytest.raises(litellm.RateLimitError):
        _call(max_retries=0)
    assert _meter().counted().usage(time.time()).refused_today == 1


@pytest.mark.usefixtures("login")
def test_a_stream_that_only_breaks_is_no_refusal(sandbox: Sandbox) -> None:
    sandbox.answer_next("chat", "stream_cut")
    with pytest.raises(litellm.exceptions.openai.OpenAIError):
        list(_call(stream=True, max_retries=0))
    assert _meter().counted().usage(time.time()).refused_today == 0
    assert _meter().counted().failure is not None


def test_each_account_is_counted_for_itself(accounts: Any, sandbox: Sandbox) -> None:
    assert accounts
    assert sandbox.url
    _call(qwen_account="alice")
    _call(qwen_account="alice")
    _call(qwen_account="bob")
    counts = [_meter(name).counted().usage(time.time()).requests_today for name in ("alice", "bob")]
    assert counts == [2, 1]


@pytest.mark.usefixtures("login")
def test_a_key_is_not_counted(sandbox: Sandbox) -> None:
    answer = _call(api_key="sk-sandbox", api_base=sandbox.api_base)
    assert _shown(answer) == {}
    assert _meter().counted().usage(time.time()).requests_today == 0


def test_a_login_that_has_ended_is_noted_for_its_keeper(sandbox: Sandbox, token_dir: Path) -> None:
    sandbox.write_credentials(token_dir, lifetime=-60)
    sandbox.revoke()
    with pytest.raises(litellm.AuthenticationError):
        asyncio.run(litellm.acompletion("qwen_ai/coder-model", messages=MESSAGES))
    failure = _meter().counted().failure
    assert failure is not None
    assert failure.login_ended
    assert "has ended" in failure.text


def test_a_meter_that_cannot_write_fails_no_call(login: Path) -> None:
    (login.parent / "meter").write_text("a file is in the way")
    answers = [_shown(_call())[USED + "day"] for _ in range(2)]
    _meter().turn()
    assert [*answers, _shown(_call())[USED + "day"]] == ["1", "2", "3"]
