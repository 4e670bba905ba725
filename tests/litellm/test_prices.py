"""What a call costs: 0 with a login where nobody set a price, else the operator's price, in every form."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from types import MappingProxyType
from typing import Any

import litellm
import pytest

import litellm_qwen_ai
from litellm_qwen_ai.route import patches, telemetry
from litellm_qwen_ai.sandbox import Answer, Sandbox

pytestmark = pytest.mark.usefixtures("login")

MODEL = "qwen_ai/coder-model"
MESSAGES = [{"role": "user", "content": "ping"}]
PRICE = {"input_cost_per_token": 0.001, "output_cost_per_token": 0.002}


@pytest.fixture(autouse=True)
def _prices_forgotten() -> Iterator[None]:
    """LiteLLM keeps a call's price for those that follow."""
    before = copy.deepcopy({name: entry for name, entry in litellm.model_cost.items() if "qwen_ai" in name})
    yield
    litellm.model_cost.update(before)
    litellm_qwen_ai.register()  # LiteLLM looks at its list anew


def _worth(usage: Any) -> float:
    return float(0.001 * usage.prompt_tokens + 0.002 * usage.completion_tokens)


def test_a_price_of_the_call_counts() -> None:
    answer = litellm.completion(MODEL, messages=MESSAGES, **PRICE)
    assert answer._hidden_params["response_cost"] == pytest.approx(_worth(answer.usage))


@pytest.mark.usefixtures("own_loop")
@pytest.mark.parametrize("where", ["litellm_params", "model_info"])
async def test_a_deployments_price_counts_each_time_in_both_forms(
    make_router: Any, recorder: Any, where: str
) -> None:
    params = {"model": MODEL, **(PRICE if where == "litellm_params" else {})}
    info = {"id": f"priced-in-{where}", **(PRICE if where == "model_info" else {})}
    router = make_router({"model_name": "m", "litellm_params": params, "model_info": info})
    costs = []
    for stream in (False, True, False, True):
        answer = await router.acompletion("m", messages=MESSAGES, stream=stream)
        if stream:
            assert [chunk async for chunk in answer]
        kind, kwargs = await recorder.anext()
        assert kind == "success"
        payload = kwargs["standard_logging_object"]
        costs.append(payload["response_cost"])
        assert payload["cost_breakdown"]["total_cost"] == pytest.approx(costs[-1])
    assert costs[0] > costs[1] == costs[2] == costs[3] > 0  # Qwen has kept the first prompt


def test_a_registered_price_counts() -> None:
    litellm.register_model({MODEL: {**PRICE, "litellm_provider": "qwen_ai", "mode": "chat"}})
    answer = litellm.completion(MODEL, messages=MESSAGES)
    assert answer._hidden_params["response_cost"] == pytest.approx(_worth(answer.usage))


def test_a_model_that_is_not_listed_costs_nothing_with_a_login(sandbox: Sandbox) -> None:
    answer = litellm.completion("qwen_ai/qwen9-plus", messages=MESSAGES)
    assert answer._hidden_params["response_cost"] == 0
    keyed = {"api_key": "sk-sandbox", "api_base": sandbox.api_base}
    answer = litellm.completion("qwen_ai/qwen9-plus", messages=MESSAGES, **keyed)
    assert not answer._hidden_params["response_cost"]


def test_whoever_is_told_of_a_call_is_told_how_its_price_came_about(recorder: Any) -> None:
    litellm.completion(MODEL, messages=MESSAGES)
    _, kwargs = recorder.next()
    assert kwargs["standard_logging_object"]["cost_breakdown"]["total_cost"] == 0


_USAGE = {"prompt_tokens": 120, "completion_tokens": 90, "total_tokens": 210}
_CITATION = {
    "type": "url_citation",
    "url_citation": {"url": "https://a.test", "start_index": 0, "end_index": 1},
}


def _answer(usage: Any = _USAGE, message: Any = MappingProxyType({}), **more: Any) -> dict[str, Any]:
    said = {"role": "assistant", "content": "pong", **message}
    return {"choices": [{"index": 0, "message": said, "finish_reason": "stop"}], "usage": usage, **more}


#: What the server answers with, and what is asked for beside the messages.
_TOLD: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "nothing": ({}, {}),
    "cached": ({"usage": {**_USAGE, "prompt_tokens_details": {"cached_tokens": 50}}}, {}),
    "reasoned": ({"usage": {**_USAGE, "completion_tokens_details": {"reasoning_tokens": 50}}}, {}),
    "searched": ({"message": {"annotations": [_CITATION]}}, {}),
    "may search": ({}, {"web_search_options": {"search_context_size": "high"}}),
    "tier": ({"service_tier": "priority"}, {}),
    "tier of the usage": ({"usage": {**_USAGE, "service_tier": "priority"}}, {}),
    "tier that was asked for": ({}, {"service_tier": "flex"}),
    "cost": ({"usage": {**_USAGE, "cost": 0.5}}, {}),
}


@pytest.mark.parametrize("kind", _TOLD)
def test_how_a_cost_of_0_came_about_is_told_as_litellm_would_find_it(
    sandbox: Sandbox, recorder: Any, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    answer, asked = _TOLD[kind]
    told = []
    for by_us in (True, False):
        if not by_us:
            monkeypatch.setattr(telemetry, "_can_tell", lambda: False)
        sandbox.answer_next("chat", Answer(body=_answer(**answer)))
        told.append(_told_of_cost(recorder, **asked))
    assert told[0] == told[1]


@pytest.mark.parametrize("form", ["stream", "async stream"], indirect=True)
@pytest.mark.parametrize("asked", [{}, {"service_tier": "flex"}], ids=["nothing", "tier"])
@pytest.mark.parametrize("by_us", [True, False])
def test_so_is_that_of_a_stream_at_its_beginning_and_at_its_end(
    form: Any, recorder: Any, monkeypatch: pytest.MonkeyPatch, asked: dict[str, Any], by_us: bool
) -> None:
    if not by_us:
        monkeypatch.setattr(patches, "tell_cost_of_beginning", lambda *_: None)
    form(litellm.completion, litellm.acompletion, model=MODEL, messages=MESSAGES, **asked)
    _, kwargs = recorder.next()
    payload = kwargs["standard_logging_object"]
    assert payload["response_cost"] == payload["hidden_params"]["response_cost"] == 0
    assert payload["cost_breakdown"]["total_cost"] == 0
    assert payload["cost_breakdown"].get("service_tier") in (asked.get("service_tier"), None)


@pytest.mark.parametrize("model", ["coder-model", "qwen9-plus"])
def test_the_beginning_of_a_stream_is_priced_once_and_not_by_litellm(
    monkeypatch: pytest.MonkeyPatch, model: str
) -> None:
    worked_out = []
    work_out = litellm.response_cost_calculator

    def counted(**given: Any) -> Any:
        worked_out.append(given["response_object"])
        return work_out(**given)

    monkeypatch.setattr(litellm, "response_cost_calculator", counted)
    stream = litellm.completion(f"qwen_ai/{model}", messages=MESSAGES, stream=True)
    assert (stream._hidden_params["response_cost"], len(worked_out)) == (
        (0, 0) if model == "coder-model" else (None, 1)
    )
    assert not [name for name in vars(stream.logging_obj) if "cost_calculator" in name]
    assert list(stream)


def test_so_is_a_cost_that_a_proxy_states(sandbox: Sandbox, recorder: Any) -> None:
    sandbox.answer_next("chat", Answer(body=_answer(), headers={"x-litellm-response-cost": "0.7"}))
    assert _told_of_cost(recorder)["costs"] == [0.7] * 4


def _told_of_cost(recorder: Any, **asked: Any) -> dict[str, Any]:
    """What is told of the cost of a call, wherever it is told."""
    made = litellm.completion(MODEL, messages=MESSAGES, **asked)
    _, kwargs = recorder.next()
    payload = kwargs["standard_logging_object"]
    places = (made._hidden_params, kwargs, payload, payload["hidden_params"])
    return {
        "costs": [place["response_cost"] for place in places],
        "breakdown": payload["cost_breakdown"],
        "diagnostic": kwargs.get("zero_cost_diagnostic"),
    }


def test_a_discount_is_told_too(recorder: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(litellm, "cost_discount_config", {"qwen_ai": 0.05})
    litellm.completion(MODEL, messages=MESSAGES)
    _, kwargs = recorder.next()
    assert kwargs["standard_logging_object"]["cost_breakdown"]["discount_percent"] == 0.05


def test_what_costs_nothing_is_not_worked_out(recorder: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    worked_out = []
    monkeypatch.setattr(litellm, "response_cost_calculator", lambda **_: worked_out.append(1))
    litellm.completion(MODEL, messages=MESSAGES)
    recorder.next()
    assert not worked_out


def test_the_cost_of_an_answer_is_found_without_a_word(capsys: pytest.CaptureFixture[str]) -> None:
    assert litellm.completion_cost(litellm.completion(MODEL, messages=MESSAGES)) == 0
    assert "Provider List" not in capsys.readouterr().out


@pytest.mark.parametrize("asked", [{}, {"stream_options": {"include_usage": True}}])
async def test_so_is_that_of_a_stream_put_together(
    capsys: pytest.CaptureFixture[str], asked: dict[str, Any]
) -> None:
    chunks = list(litellm.completion(MODEL, messages=MESSAGES, stream=True, **asked))
    stream = await litellm.acompletion(MODEL, messages=MESSAGES, stream=True, **asked)
    for collected in (chunks, [chunk async for chunk in stream]):
        whole = litellm.stream_chunk_builder(collected)
        assert whole.model == MODEL
        assert litellm.completion_cost(whole) == 0
    await litellm.close_litellm_async_clients()
    assert "Provider List" not in capsys.readouterr().out


@pytest.mark.parametrize("kept", [(), (MODEL,)])
def test_the_catalogue_is_back_at_the_next_call_after_the_price_list_was_replaced(
    kept: tuple[str, ...],
) -> None:
    litellm.model_cost = {
        name: entry for name, entry in litellm.model_cost.items() if "qwen_ai" not in name or name in kept
    }
    litellm.completion(MODEL, messages=MESSAGES)
    assert litellm.get_model_info("qwen_ai/vision-model")["max_input_tokens"] == 131_072
    assert litellm.get_model_info(MODEL)["max_input_tokens"] == 1_000_000
    assert litellm.cost_per_token(MODEL, prompt_tokens=1000, completion_tokens=1000) == (0, 0)
