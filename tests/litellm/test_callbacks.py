"""What LiteLLM's callbacks and logs are told: all they need, and no secret."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import litellm
import pytest

from litellm_qwen_ai.sandbox import Sandbox

MESSAGES = [{"role": "user", "content": "ping"}]


def _secrets(sandbox: Sandbox, login: Path) -> set[str]:
    """All that were ever issued, those that this login has had among them."""
    kept = json.loads(login.read_text())
    sent = {request.headers["authorization"].split()[-1] for request in sandbox.requests_to("chat")}
    issued = sandbox.secrets_issued()
    assert issued >= {*sent, kept["access_token"], kept["refresh_token"]}
    return issued


@pytest.mark.parametrize("stream", [False, True], ids=["call", "stream"])
def test_a_call_is_one_event_with_usage_and_price_and_no_secret(
    sandbox: Sandbox, login: Path, recorder: Any, stream: bool
) -> None:
    answer = litellm.completion("qwen_ai/coder-model", messages=MESSAGES, stream=stream)
    if stream:
        list(answer)
    kind, kwargs = recorder.next()
    assert kind == "success"
    payload = kwargs["standard_logging_object"]
    assert payload["custom_llm_provider"] == "qwen_ai"
    assert payload["model"] == "coder-model"
    assert payload["api_base"].startswith(sandbox.url)
    assert payload["prompt_tokens"] > 0
    assert payload["completion_tokens"] > 0
    assert payload["response_cost"] == 0
    for secret in _secrets(sandbox, login):
        assert secret not in repr(kwargs)
        assert secret not in "".join(recorder.before)


@pytest.mark.usefixtures("own_loop")
@pytest.mark.parametrize("stream", [False, True], ids=["call", "stream"])
async def test_an_async_call_is_one_event_too(
    sandbox: Sandbox, login: Path, recorder: Any, stream: bool
) -> None:
    answer = await litellm.acompletion("qwen_ai/coder-model", messages=MESSAGES, stream=stream)
    if stream:
        assert [chunk async for chunk in answer]
    kind, kwargs = await recorder.anext()
    assert kind == "success"
    payload = kwargs["standard_logging_object"]
    assert payload["status"] == "success"
    assert payload["call_type"] == "acompletion"
    assert (payload["custom_llm_provider"], payload["model"]) == ("qwen_ai", "coder-model")
    assert payload["api_base"].startswith(sandbox.url)
    assert payload["total_tokens"] == payload["prompt_tokens"] + payload["completion_tokens"] > 0
    assert payload["response_cost"] == 0
    assert payload["endTime"] >= payload["startTime"]
    for secret in _secrets(sandbox, login):
        assert secret not in repr(kwargs)


@pytest.mark.usefixtures("own_loop", "waits")
@pytest.mark.parametrize("stream", [False, True], ids=["call", "stream"])
async def test_an_async_refusal_is_one_event_after_our_own_retries(
    sandbox: Sandbox, login: Path, recorder: Any, stream: bool
) -> None:
    sandbox.answer_next("chat", "html_503", times=9)
    with pytest.raises(litellm.ServiceUnavailableError):
        await litellm.acompletion("qwen_ai/coder-model", messages=MESSAGES, stream=stream)
    kind, kwargs = await recorder.anext()
    assert kind == "failure"
    assert len(sandbox.requests_to("chat")) == 3
    payload = kwargs["standard_logging_object"]
    assert payload["status"] == "failure"
    assert payload["error_information"]["error_class"] == "ServiceUnavailableError"
    assert payload["error_information"]["llm_provider"] == "qwen_ai"
    for secret in _secrets(sandbox, login):
        assert secret not in repr(kwargs)


def test_a_failure_is_told_without_a_secret(sandbox: Sandbox, login: Path, recorder: Any) -> None:
    sandbox.answer_next("chat", "too_long")
    with pytest.raises(litellm.ContextWindowExceededError):
        litellm.completion("qwen_ai/coder-model", messages=MESSAGES)
    kind, kwargs = recorder.next()
    assert kind == "failure"
    for secret in _secrets(sandbox, login):
        assert secret not in repr(kwargs)


def test_debug_logs_hold_no_secret(sandbox: Sandbox, login: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "LiteLLM")
    with caplog.at_level(logging.DEBUG):
        litellm.completion("qwen_ai/coder-model", messages=MESSAGES)
        sandbox.expire_access_tokens()
        litellm.completion("qwen_ai/coder-model", messages=MESSAGES)
    assert len(sandbox.requests_to("refresh")) == 1
    assert caplog.text
    for secret in _secrets(sandbox, login):
        assert secret not in caplog.text
