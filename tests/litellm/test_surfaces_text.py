"""`litellm.text_completion` and `atext_completion`: a prompt instead of messages."""

from __future__ import annotations

from typing import Any

import litellm
import pytest

from litellm_qwen_ai.sandbox import Sandbox

pytestmark = pytest.mark.usefixtures("login", "waits")


def _complete(form: Any, **call: Any) -> Any:
    return form(litellm.text_completion, litellm.atext_completion, model="qwen_ai/coder-model", **call)


def test_a_prompt_is_answered_with_text(form: Any) -> None:
    answer = _complete(form, prompt="rain on a roof")
    chunks = answer if form.streamed else [answer]
    assert all(isinstance(chunk, litellm.TextCompletionResponse) for chunk in chunks)
    text = "".join(chunk.choices[0].text or "" for chunk in chunks)
    assert "rain on a roof" in text
    assert chunks[-1].choices[0].finish_reason == "stop"
    if not form.streamed:
        assert answer.usage.prompt_tokens > 0
        assert answer.usage.completion_tokens > 0


def test_parameters_reach_the_server(form: Any, sandbox: Sandbox) -> None:
    _complete(form, prompt="count to 50", max_tokens=5, temperature=0.5, stop=["###"])
    body = sandbox.requests_to("chat")[-1].json
    assert (body["max_tokens"], body["temperature"], body["stop"]) == (5, 0.5, ["###"])


def test_a_refusal_is_raised(form: Any, sandbox: Sandbox) -> None:
    sandbox.answer_next("chat", "quota_spent")
    with pytest.raises(litellm.RateLimitError) as failure:
        _complete(form, prompt="ping")
    assert failure.value.llm_provider == "qwen_ai"


def test_thinking_is_kept_out_of_the_text(form: Any) -> None:
    answer = _complete(form, prompt="why", reasoning_effort="low")
    chunks = answer if form.streamed else [answer]
    text = "".join(chunk.choices[0].text or "" for chunk in chunks)
    assert text == 'You said: "why".'
