"""The adaptations of LiteLLM, with and without them."""

from __future__ import annotations

import functools
import logging
import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import litellm
import litellm.main
import pytest
from litellm import Router
from litellm.litellm_core_utils.litellm_logging import Logging
from litellm.types.utils import LlmProviders, LlmProvidersSet

import litellm_qwen_ai
from litellm_qwen_ai.route import host, patches, private_names
from litellm_qwen_ai.sandbox import Sandbox

MESSAGES = [{"role": "user", "content": "ping"}]


@pytest.fixture(autouse=True)
def _login(login: Any, waits: Any) -> None:
    """Each test here has one, and never waits."""


async def _closed(stream: Any) -> str:
    text = "".join([chunk.choices[0].delta.content or "" async for chunk in stream if chunk.choices])
    await litellm.close_litellm_async_clients()
    return text


async def test_a_loop_whose_clients_were_closed_can_call_again(sandbox: Sandbox) -> None:
    for _ in range(2):
        answer = await litellm.acompletion("qwen_ai/coder-model", messages=MESSAGES)
        assert "ping" in answer.choices[0].message.content
        await litellm.close_litellm_async_clients()
    assert len(sandbox.requests_to("chat")) == 2


async def test_a_refused_async_stream_raises_from_acompletion(sandbox: Sandbox) -> None:
    sandbox.answer_next("chat", "throttled")
    with pytest.raises(litellm.RateLimitError):
        await litellm.acompletion("qwen_ai/coder-model", messages=MESSAGES, stream=True, max_retries=0)
    await litellm.close_litellm_async_clients()


def test_litellm_is_told_of_the_provider_before_its_name_is_among_the_built_in_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # LiteLLM 1.110 tells the user to rename a provider that it finds in LlmProvidersSet then.
    built_in = []
    original = litellm.utils.custom_llm_setup

    def set_up() -> None:
        built_in.append("qwen_ai" in LlmProvidersSet)
        original()

    monkeypatch.setattr(litellm.utils, "custom_llm_setup", set_up)
    patches.remove_adaptations()
    litellm._custom_providers.remove("qwen_ai")
    litellm_qwen_ai.register()
    assert built_in == [False]
    assert "qwen_ai" in LlmProvidersSet


@pytest.mark.usefixtures("without_adaptations")
async def test_without_the_adaptation_it_raises_at_the_first_chunk(sandbox: Sandbox) -> None:
    sandbox.answer_next("chat", "throttled")
    stream = await litellm.acompletion("qwen_ai/coder-model", messages=MESSAGES, stream=True, max_retries=0)
    with pytest.raises(litellm.exceptions.MidStreamFallbackError) as failure:
        await _closed(stream)
    assert isinstance(failure.value.original_exception, litellm.RateLimitError)
    await litellm.close_litellm_async_clients()


async def test_an_async_stream_shows_the_servers_headers(sandbox: Sandbox) -> None:
    assert sandbox.url
    stream = await litellm.acompletion("qwen_ai/coder-model", messages=MESSAGES, stream=True)
    assert stream._hidden_params["additional_headers"]["llm_provider-content-type"].startswith(
        "text/event-stream"
    )
    assert await _closed(stream)


def _router() -> Router:
    return Router(
        model_list=[
            {"model_name": "first", "litellm_params": {"model": "qwen_ai/coder-model"}},
            {"model_name": "second", "litellm_params": {"model": "qwen_ai/qwen3-coder-flash"}},
        ],
        fallbacks=[{"first": ["second"]}],
        num_retries=0,
    )


@pytest.mark.parametrize("adapted", [True, False])
async def test_a_router_falls_back_when_a_stream_is_refused(
    sandbox: Sandbox, adapted: bool, request: pytest.FixtureRequest
) -> None:
    if not adapted:
        request.getfixturevalue("without_adaptations")
    sandbox.answer_next("chat", "throttled")
    stream = await _router().acompletion("first", messages=MESSAGES, stream=True)
    assert "ping" in await _closed(stream)
    models = [entry.json["model"] for entry in sandbox.requests_to("chat")]
    assert models == ["coder-model", "qwen3-coder-flash"]


async def test_a_router_tries_a_refused_stream_again(sandbox: Sandbox) -> None:
    sandbox.answer_next("chat", "html_503")
    router = Router(
        model_list=[{"model_name": "m", "litellm_params": {"model": "qwen_ai/coder-model"}}],
        num_retries=1,
        retry_after=0,
    )
    stream = await router.acompletion("m", messages=MESSAGES, stream=True)
    assert "ping" in await _closed(stream)
    assert len(sandbox.requests_to("chat")) == 2


def test_thinking_parameters_are_accepted() -> None:
    supported = litellm.get_supported_openai_params("coder-model", custom_llm_provider="qwen_ai")
    assert {"reasoning_effort", "thinking", "tools", "response_format"} <= set(supported)


def test_our_member_of_litellms_providers_equals_its_name_as_theirs_do() -> None:
    patches.remove_adaptations()
    patches.apply_adaptations()
    assert LlmProviders("qwen_ai") == "qwen_ai"
    assert LlmProviders("openai") == "openai"


@pytest.mark.usefixtures("without_adaptations")
def test_without_the_adaptation_thinking_is_refused_or_dropped_but_has_another_way(sandbox: Sandbox) -> None:
    ask = {"model": "qwen_ai/coder-model", "messages": MESSAGES}
    with pytest.raises(litellm.UnsupportedParamsError):
        litellm.completion(**ask, reasoning_effort="low")
    litellm.completion(**ask, reasoning_effort="low", drop_params=True)
    assert "enable_thinking" not in sandbox.requests_to("chat")[-1].json
    message = litellm.completion(**ask, extra_body={"enable_thinking": True}).choices[0].message
    assert message.reasoning_content
    litellm.completion(**ask, reasoning_effort="low", allowed_openai_params=["reasoning_effort"])
    assert sandbox.requests_to("chat")[-1].json["enable_thinking"] is True


def test_removing_leaves_litellm_as_it_was() -> None:
    adapted = litellm.main._complete_custom_providers
    patches.apply_adaptations()  # what another test has loaded of a proxy is later than ours
    assert all(patches.active_adaptations().values())
    patches.remove_adaptations()
    patches.remove_adaptations()
    try:
        assert not any(patches.active_adaptations().values())
        assert litellm.main._complete_custom_providers is adapted.__wrapped__
        assert "qwen_ai" not in LlmProvidersSet
        assert "qwen_ai" not in [provider.value for provider in LlmProviders]
    finally:
        patches.apply_adaptations()
        patches.apply_adaptations()
    assert [provider.value for provider in LlmProviders].count("qwen_ai") == 1


def test_a_tracer_that_came_after_ours_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    ours = litellm.utils.function_setup
    traced: list[str] = []

    @functools.wraps(ours)
    def tracer(*args: Any, **more: Any) -> Any:
        traced.append(args[0])
        return ours(*args, **more)

    monkeypatch.setattr(litellm.utils, "function_setup", tracer)
    try:
        patches.remove_adaptations()
        assert litellm.utils.function_setup is tracer
        patches.apply_adaptations()
        assert litellm.utils.function_setup is tracer, "ours is in it already"
        monkeypatch.undo()
        patches.remove_adaptations()
        assert litellm.utils.function_setup is ours.__wrapped__  # type: ignore[attr-defined]  # of a wrapper
    finally:
        monkeypatch.undo()
        patches.apply_adaptations()
    assert traced == []


def test_in_a_proxy_it_is_told_whether_health_checks_are_adapted(monkeypatch: pytest.MonkeyPatch) -> None:
    def update_litellm_params_for_health_check(model_info: Any, litellm_params: Any) -> Any:
        raise NotImplementedError

    monkeypatch.delitem(sys.modules, private_names.PROXY_SERVER, raising=False)
    assert "health checks" not in patches.active_adaptations()
    monkeypatch.setitem(sys.modules, private_names.PROXY_SERVER, ModuleType("proxy_server"))
    for name in private_names.HEALTH_MODULES:
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    assert patches.active_adaptations()["health checks"] is False
    health = sys.modules[private_names.HEALTH_MODULES[0]]
    monkeypatch.setattr(
        health, private_names.HEALTH_FUNCTIONS[0], update_litellm_params_for_health_check, raising=False
    )
    assert patches.active_adaptations()["health checks"] is False
    patches.apply_adaptations()
    assert patches.active_adaptations()["health checks"] is True


class _Other(litellm.CustomLLM):
    """Another plugin's lazy stream."""

    def astreaming(self, **call: Any) -> Any:  # type: ignore[override]  # given by name
        del call

        async def chunks() -> Any:
            raise litellm.RateLimitError(message="late", model="m", llm_provider="other_ai")
            yield

        return chunks()


async def test_another_providers_stream_is_left_as_lazy_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(litellm, "_custom_providers", [*litellm._custom_providers, "other_ai"])
    monkeypatch.setattr(litellm, "provider_list", [*litellm.provider_list, "other_ai"])
    other = {"provider": "other_ai", "custom_handler": _Other()}
    monkeypatch.setattr(litellm, "custom_provider_map", [*litellm.custom_provider_map, other])
    stream = await litellm.acompletion("other_ai/m", messages=MESSAGES, stream=True)
    with pytest.raises(litellm.exceptions.MidStreamFallbackError, match="late"):
        await stream.__anext__()


def test_other_providers_parameters_are_left_as_they_were() -> None:
    def listed() -> list[str]:
        return litellm.get_supported_openai_params("qwen-plus", custom_llm_provider="dashscope")

    adapted = listed()
    patches.remove_adaptations()
    try:
        assert listed() == adapted
    finally:
        patches.apply_adaptations()


def test_an_adaptation_that_does_not_apply_says_so_at_debug_level(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    patches.remove_adaptations()
    try:
        monkeypatch.setattr(litellm.main, "_complete_custom_providers", lambda ctx, more: None)
        monkeypatch.delattr(patches.ProviderConfigManager, "_PROVIDER_CONFIG_MAP")
        monkeypatch.delattr(Logging, "success_handler")
        monkeypatch.delattr(litellm.utils, "async_pre_call_deployment_hook")
        with caplog.at_level(logging.DEBUG, "litellm_qwen_ai"):
            patches.apply_adaptations()
        active = patches.active_adaptations()
        active.pop("health checks", None)  # a proxy's, which other tests may have loaded
        assert not any(active.values())
        assert [record.levelno for record in caplog.records] == [logging.DEBUG] * 4
    finally:
        monkeypatch.undo()
        patches.apply_adaptations()


def test_one_variable_switches_all_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QWEN_HOST_ADAPTATIONS", "0")
    try:
        litellm_qwen_ai.register()
        assert not any(patches.active_adaptations().values())
    finally:
        monkeypatch.undo()
        litellm_qwen_ai.register()
    assert any(patches.active_adaptations().values())


def test_a_built_in_provider_of_our_name_would_win_and_be_noticed(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    patches.remove_adaptations()
    try:
        monkeypatch.setattr(patches, "LlmProvidersSet", {"qwen_ai"})
        monkeypatch.setattr(litellm, "custom_provider_map", [])
        host.install(litellm_qwen_ai.handler)
        assert litellm.custom_provider_map == []
        assert "wins over litellm-qwen-ai" in caplog.text
    finally:
        monkeypatch.undo()
        patches.apply_adaptations()


def test_a_health_check_of_a_deployment_that_names_its_provider_has_its_account() -> None:
    params = {"model": "coder-model", "custom_llm_provider": "qwen_ai"}
    made = patches._with_account(lambda _, given: given)({"qwen_account": "alice"}, params)
    assert made == {**params, "qwen_account": "alice"}


@pytest.mark.parametrize(
    ("info", "model", "account"),
    [
        ({"qwen_account": "alice"}, "qwen_ai/coder-model", "alice"),
        ({"qwen_account": "alice"}, "openai/qwen_ai/x", None),
        ({"qwen_account": "alice"}, None, None),
        ({"qwen_account": None}, "qwen_ai/coder-model", None),
        ({}, "qwen_ai/coder-model", None),
        (None, "qwen_ai/coder-model", None),
    ],
)
def test_a_health_check_is_made_with_the_account_of_its_deployment(
    info: Any, model: str | None, account: str | None
) -> None:
    given: list[tuple[Any, Any]] = []

    def original(model_info: Any, litellm_params: Any) -> dict[str, Any]:
        given.append((model_info, litellm_params))
        return {"model": model, "messages": 1}

    params = {"model": model}
    made = patches._with_account(original)(info, params)
    assert made == {"model": model, "messages": 1, **({} if account is None else {"qwen_account": account})}
    assert given == [(info, params)]


@pytest.mark.parametrize(
    ("args", "more", "refused"),
    [
        ((), {"model": "qwen_ai/m", "extra_headers": ["a"]}, "extra_headers must be an object, not a list."),
        ((), {"model": "qwen_ai/m", "headers": "a: b"}, "headers must be an object, not a str."),
        (("completion", "mock", 0, "qwen_ai/m"), {"headers": 5}, "headers must be an object, not a int."),
        (({"model": "qwen_ai/m", "headers": {"a"}}, None), {}, "headers must be an object, not a set."),
        (
            (),
            {"model": "m", "custom_llm_provider": "qwen_ai", "headers": [1]},
            "headers must be an object, not",
        ),
        ((), {"model": "qwen_ai/m", "headers": {"a": "b"}, "extra_headers": None}, ""),
        ((), {"model": "qwen_ai/m", "headers": []}, ""),
        ((), {"model": "openai/qwen_ai/m", "headers": ["a"]}, ""),
        (("completion", "mock", 0, "m", "qwen_ai/m"), {"headers": 5}, ""),
        ((), {"headers": 5}, ""),
    ],
)
def test_headers_of_a_call_of_ours_have_to_be_an_object(
    args: tuple[Any, ...], more: dict[str, Any], refused: str
) -> None:
    step = patches._after_headers(lambda *given, **named: (given, named))
    if not refused:
        assert step(*args, **more) == (args, more)
        return
    with pytest.raises(litellm.BadRequestError) as caught:
        step(*args, **more)
    assert refused in str(caught.value)
    assert caught.value.model == more.get("model", "qwen_ai/m")


@pytest.mark.parametrize(
    ("listener", "heard"),
    [
        (lambda patch: None, False),
        (lambda patch: patch.setattr(litellm, "success_callback", ["x"]), True),
        (lambda patch: patch.setattr(litellm, "_async_success_callback", ["x"]), True),
        (lambda patch: patch.setattr(litellm, "max_budget", 1.0), True),
        (lambda patch: patch.setenv("LITELLM_PRINT_STANDARD_LOGGING_PAYLOAD", "1"), True),
        (lambda patch: patch.setattr(logging.getLogger("LiteLLM"), "level", logging.DEBUG), True),
        (lambda patch: patch.setattr(patches, "_spares_logs", False), True),
    ],
)
async def test_a_record_is_spared_only_where_nobody_listens(
    monkeypatch: pytest.MonkeyPatch, listener: Any, heard: bool
) -> None:
    for name in ("success_callback", "_async_success_callback"):
        monkeypatch.setattr(litellm, name, [])
    logging.getLogger("LiteLLM").manager._clear_cache()  # type: ignore[attr-defined]  # no public way
    listener(monkeypatch)
    logging.getLogger("LiteLLM").manager._clear_cache()  # type: ignore[attr-defined]  # as above
    call = {"custom_llm_provider": "qwen_ai"}
    ours = SimpleNamespace(
        model_call_details=call, dynamic_success_callbacks=None, dynamic_async_success_callbacks=[]
    )
    others = SimpleNamespace(**{**vars(ours), "model_call_details": {"custom_llm_provider": "openai"}})
    own = [
        SimpleNamespace(**{**vars(ours), name: ["x"]})
        for name in ("dynamic_success_callbacks", "dynamic_async_success_callbacks")
    ]

    async def awaited(logging_obj: Any, result: str, *, more: int) -> tuple[Any, str, int]:
        return logging_obj, result, more

    def plain(logging_obj: Any, result: str, *, more: int) -> tuple[Any, str, int]:
        return logging_obj, result, more

    for one in (ours, others, *own, SimpleNamespace(), None):
        told = (one, "r", 1) if one is not ours or heard else None
        assert patches._at_need(plain)(one, "r", more=1) == told
        assert await patches._at_need(awaited)(one, "r", more=1) == told
    logging.getLogger("LiteLLM").manager._clear_cache()  # type: ignore[attr-defined]  # as above
