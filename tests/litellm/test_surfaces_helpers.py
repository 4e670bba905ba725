"""LiteLLM's other doors: batches, mocks, caches, counters, catalogue, fallbacks and retries."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import litellm
import pytest
from litellm.types.caching import LiteLLMCacheType

from litellm_qwen_ai.sandbox import Sandbox

MODEL = "qwen_ai/coder-model"
MESSAGES = [{"role": "user", "content": "ping"}]

pytestmark = pytest.mark.usefixtures("login", "waits")


def _chat(form: Any, **call: Any) -> Any:
    call = {"model": MODEL, "messages": MESSAGES, **call}
    return form(litellm.completion, litellm.acompletion, **call)


def _text(form: Any, answer: Any) -> str:
    whole = litellm.stream_chunk_builder(answer) if form.streamed else answer
    text: str = whole.choices[0].message.content
    return text


def test_a_batch_is_answered_in_its_order() -> None:
    batch = [[{"role": "user", "content": f"number {index}"}] for index in range(5)]
    litellm.completion(MODEL, messages=MESSAGES)  # threads that find no client make one each
    answers = litellm.batch_completion(MODEL, messages=batch)
    texts = [answer.choices[0].message.content for answer in answers]
    assert texts == [f'You said: "number {index}".' for index in range(5)]


def test_a_batch_keeps_a_refusal_in_its_place(sandbox: Sandbox) -> None:
    sandbox.answer_next("chat", "too_long")
    answers = litellm.batch_completion(MODEL, messages=[MESSAGES, MESSAGES], max_workers=1)
    assert sum(isinstance(answer, litellm.ContextWindowExceededError) for answer in answers) == 1
    assert sum(isinstance(answer, litellm.ModelResponse) for answer in answers) == 1


def test_a_mock_response_asks_nobody(form: Any, sandbox: Sandbox) -> None:
    assert _text(form, _chat(form, mock_response="made up")) == "made up"
    assert sandbox.requests == []


@pytest.fixture(params=["local", "disk"])
def cache(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    if request.param == "disk":
        if "disk" not in {kind.value for kind in LiteLLMCacheType}:
            pytest.skip("this LiteLLM has no disk cache")
        cache = litellm.Cache(type="disk", disk_cache_dir=str(tmp_path / "cache"))
    else:
        cache = litellm.Cache()
    monkeypatch.setattr(litellm, "cache", cache)
    yield cache
    if request.param == "disk":
        cache.cache.disk_cache.close()
    for name in ("input", "success", "_async_success"):  # LiteLLM hangs the cache in there
        callbacks = getattr(litellm, f"{name}_callback")
        callbacks[:] = [item for item in callbacks if item != "cache"]


def test_a_cached_answer_is_given_again_without_a_request(cache: Any, sandbox: Sandbox) -> None:
    assert cache is litellm.cache
    first, second = (litellm.completion(MODEL, messages=MESSAGES, caching=True) for _ in range(2))
    other = litellm.completion(MODEL, messages=[{"role": "user", "content": "pong"}], caching=True)
    assert len(sandbox.requests_to("chat")) == 2
    assert second.choices[0].message.content == first.choices[0].message.content
    assert second.id == first.id
    assert "pong" in other.choices[0].message.content


@pytest.mark.usefixtures("own_loop")
async def test_an_async_answer_is_cached_too(cache: Any, sandbox: Sandbox) -> None:
    assert cache is litellm.cache
    first = await litellm.acompletion(MODEL, messages=MESSAGES, caching=True)
    for _ in range(20):  # LiteLLM stores it in a task of its own
        await asyncio.sleep(0)
    second = await litellm.acompletion(MODEL, messages=MESSAGES, caching=True)
    assert len(sandbox.requests_to("chat")) == 1
    assert first.id == second.id


def test_a_cached_answer_is_replayed_as_a_stream(cache: Any, sandbox: Sandbox) -> None:
    assert cache is litellm.cache
    first, second = (
        "".join(
            chunk.choices[0].delta.content or ""
            for chunk in litellm.completion(MODEL, messages=MESSAGES, caching=True, stream=True)
        )
        for _ in range(2)
    )
    assert len(sandbox.requests_to("chat")) == 1
    assert "ping" in first
    assert second == first


def test_a_refusal_is_not_cached(cache: Any, sandbox: Sandbox) -> None:
    assert cache is litellm.cache
    sandbox.answer_next("chat", "quota_spent")
    with pytest.raises(litellm.RateLimitError):
        litellm.completion(MODEL, messages=MESSAGES, caching=True)
    assert litellm.completion(MODEL, messages=MESSAGES, caching=True).choices[0].message.content


def test_a_stream_is_put_together_with_thoughts_tools_and_usage() -> None:
    function = {"name": "look", "parameters": {"type": "object", "properties": {"at": {"type": "string"}}}}
    chunks = litellm.completion(
        MODEL,
        messages=[{"role": "user", "content": "look at Rome"}],
        tools=[{"type": "function", "function": function}],
        reasoning_effort="low",
        stream=True,
        stream_options={"include_usage": True},
    )
    whole = litellm.stream_chunk_builder(list(chunks))
    message = whole.choices[0].message
    assert message.reasoning_content
    assert [(call.function.name, call.function.arguments) for call in message.tool_calls] == [
        ("look", '{"at": "Rome"}')
    ]
    assert whole.choices[0].finish_reason == "tool_calls"
    assert whole.usage.prompt_tokens > 0
    assert whole.usage.completion_tokens_details.reasoning_tokens > 0


def test_tokens_are_counted_here(sandbox: Sandbox) -> None:
    assert litellm.token_counter(model=MODEL, messages=MESSAGES) > 0
    assert litellm.token_counter(model=MODEL, text="rain " * 100) >= 100
    assert sandbox.requests == []


def test_every_price_of_the_catalogue_is_zero(form: Any) -> None:
    answer = _chat(form)
    whole = litellm.stream_chunk_builder(answer) if form.streamed else answer
    assert litellm.completion_cost(whole, model=MODEL) == 0
    assert litellm.cost_per_token(MODEL, prompt_tokens=1000, completion_tokens=1000) == (0, 0)
    if not form.streamed:
        assert answer._hidden_params["response_cost"] == 0


def test_the_catalogue_says_what_each_model_can() -> None:
    assert litellm.supports_function_calling(MODEL)
    assert litellm.supports_vision("qwen_ai/vision-model")
    assert not litellm.supports_function_calling("qwen_ai/vision-model")
    assert litellm.supports_reasoning(MODEL)
    assert litellm.supports_response_schema(MODEL)
    assert litellm.get_model_info(MODEL)["max_input_tokens"] == 1_000_000
    assert litellm.get_max_tokens(MODEL) == 65_536
    assert MODEL in litellm.get_valid_models(custom_llm_provider="qwen_ai")


def test_the_provider_is_found_for_any_model_name() -> None:
    assert litellm.get_llm_provider(MODEL)[:2] == ("coder-model", "qwen_ai")
    assert litellm.get_llm_provider("qwen_ai/qwen9-plus")[:2] == ("qwen9-plus", "qwen_ai")
    assert litellm.get_llm_provider("coder-model", custom_llm_provider="qwen_ai")[1] == "qwen_ai"


def test_the_parameters_are_listed() -> None:
    listed = litellm.get_supported_openai_params(MODEL)
    assert listed is not None
    assert {"tools", "response_format", "reasoning_effort", "thinking", "user", "seed"} <= set(listed)


def test_what_is_not_supported_raises_or_is_dropped(form: Any, sandbox: Sandbox) -> None:
    contradiction = {
        "tools": [{"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}],
        "tool_choice": "required",
        "reasoning_effort": "low",
    }
    with pytest.raises(litellm.BadRequestError, match="force a tool call"):
        _chat(form, **contradiction)
    assert sandbox.requests == []
    assert _chat(form, drop_params=True, **contradiction)
    assert sandbox.requests_to("chat")[-1].json["enable_thinking"] is False


def test_named_parameters_can_be_dropped(form: Any, sandbox: Sandbox) -> None:
    _chat(form, temperature=0.5, seed=7, additional_drop_params=["temperature"])
    body = sandbox.requests_to("chat")[-1].json
    assert "temperature" not in body
    assert body["seed"] == 7


def test_no_environment_variable_is_missing_because_a_login_needs_none() -> None:
    found = litellm.validate_environment(MODEL)
    assert found["keys_in_environment"] is True
    assert found["missing_keys"] == []


def test_a_key_can_be_checked(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QWEN_API_BASE", sandbox.api_base)
    assert litellm.check_valid_key(MODEL, "sk-sandbox") is True
    assert litellm.check_valid_key(MODEL, "sk-wrong") is False


@pytest.mark.usefixtures("own_loop")
@pytest.mark.parametrize("stream", [False, True], ids=["call", "stream"])
async def test_fallbacks_of_a_call_are_tried_in_order(sandbox: Sandbox, stream: bool) -> None:
    sandbox.answer_next("chat", "quota_spent", times=2)
    fallbacks = ["qwen_ai/qwen3-coder-plus", {"model": "qwen_ai/qwen3-coder-flash", "temperature": 0.25}]
    answer = await litellm.acompletion(MODEL, messages=MESSAGES, fallbacks=fallbacks, stream=stream)
    whole = litellm.stream_chunk_builder([chunk async for chunk in answer]) if stream else answer
    assert "ping" in whole.choices[0].message.content
    bodies = [request.json for request in sandbox.requests_to("chat")]
    assert [body["model"] for body in bodies] == ["coder-model", "qwen3-coder-plus", "qwen3-coder-flash"]
    assert bodies[-1]["temperature"] == 0.25


@pytest.mark.usefixtures("own_loop")
async def test_a_fallback_can_be_another_account(accounts: Any, sandbox: Sandbox) -> None:
    sandbox.answer_next("chat", "quota_spent")
    fallbacks = [{"model": MODEL, "qwen_account": "bob"}]
    answer = await litellm.acompletion(MODEL, messages=MESSAGES, qwen_account="alice", fallbacks=fallbacks)
    assert answer.choices[0].message.content
    assert accounts.asked() == ["alice", "bob"]


def test_num_retries_asks_again(form: Any, sandbox: Sandbox) -> None:
    sandbox.answer_next("chat", "html_503", times=2)
    assert "ping" in _text(form, _chat(form, num_retries=2, max_retries=0))
    assert len(sandbox.requests_to("chat")) == 3


def test_num_retries_ends_where_it_does_for_litellms_own_providers(sandbox: Sandbox) -> None:
    asked = []
    own = {"model": "openai/coder-model", "api_key": "sk-sandbox", "api_base": sandbox.api_base}
    for call in ({"model": MODEL}, own):
        sandbox.clear()
        sandbox.answer_next("chat", "html_503", times=9)
        with pytest.raises(litellm.ServiceUnavailableError):
            litellm.completion(messages=MESSAGES, num_retries=1, max_retries=0, **call)
        asked.append(len(sandbox.requests_to("chat")))
    assert asked[0] == asked[1] < 9
