"""What callbacks and headers are told of a call is what they are told of one by LiteLLM's `openai/`."""

from __future__ import annotations

from typing import Any

import litellm
import pytest

from litellm_qwen_ai.sandbox import Sandbox

pytestmark = pytest.mark.usefixtures("login")

MESSAGES = [{"role": "user", "content": "ping"}]
MODEL = {"model": "qwen_ai/coder-model"}


def _facts(kwargs: dict[str, Any]) -> dict[str, Any]:
    """What an event says, without what differs from call to call."""
    payload = kwargs["standard_logging_object"]
    shown = payload["hidden_params"]
    return {
        "address": payload["api_base"].rstrip("/"),
        "address shown": (shown["api_base"] or "").rstrip("/"),
        "time of the server": kwargs["llm_api_duration_ms"] > 0,
        "headers": sorted(kwargs.get("response_headers") or ()),
        "headers shown": sorted(
            name for name in shown["additional_headers"] or () if "x-qwen-ratelimit" not in name
        ),
        "first token": kwargs["completion_start_time"] >= kwargs["start_time"],
    }


def _shown(answer: Any) -> dict[str, Any]:
    """What is shown beside an answer or a stream, to whoever has it in hand."""
    hidden = answer._hidden_params
    return {
        "address in hand": hidden["api_base"],
        "overhead in hand": hidden.get("litellm_overhead_time_ms") is not None,
        "content type": hidden["additional_headers"]["llm_provider-content-type"],
    }


def _assert_no_less(ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    """All that the other route says is said; older versions of LiteLLM say less of it."""
    said = {name: value for name, value in theirs.items() if value}
    assert {name: ours[name] for name in said} == said


@pytest.mark.parametrize("stream", [False, True], ids=["call", "stream"])
def test_a_call_is_told_like_one_by_litellms_own_route(
    recorder: Any, own_route: dict[str, str], stream: bool
) -> None:
    told = []
    for way in (MODEL, own_route):
        answer = litellm.completion(messages=MESSAGES, stream=stream, **way)
        shown = _shown(answer)
        if stream:
            list(answer)
        told.append({**_facts(recorder.next()[1]), **shown})
    _assert_no_less(*told)


@pytest.mark.usefixtures("own_loop")
@pytest.mark.parametrize("stream", [False, True], ids=["call", "stream"])
async def test_so_is_an_async_call(recorder: Any, sandbox: Sandbox, stream: bool) -> None:
    own = {"model": "openai/coder-model", "api_key": "sk-sandbox", "api_base": sandbox.api_base}
    told = []
    for way in (MODEL, own):
        answer = await litellm.acompletion(messages=MESSAGES, stream=stream, **way)
        shown = _shown(answer)
        if stream:
            assert [chunk async for chunk in answer]
        told.append({**_facts((await recorder.anext())[1]), **shown})
    _assert_no_less(*told)


def test_a_failure_says_how_long_the_server_took_and_its_own_code(recorder: Any, sandbox: Sandbox) -> None:
    sandbox.answer_next("chat", "inspection_failed")
    with pytest.raises(litellm.ContentPolicyViolationError) as failure:
        litellm.completion(messages=MESSAGES, **MODEL)
    kind, kwargs = recorder.next()
    assert kind == "failure"
    assert kwargs["llm_api_duration_ms"] > 0
    assert failure.value.code == "data_inspection_failed"
    assert kwargs["standard_logging_object"]["error_information"]["error_code"] == "data_inspection_failed"
