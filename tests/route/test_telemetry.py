"""What LiteLLM is told beside an answer, and when a login's call is free."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import httpx
import litellm
import pytest

from litellm_qwen_ai.route import telemetry

MODEL = "coder-model"
URL = "https://h.example/v1/chat/completions?tenant=1"


def answer(**headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.Response(200, headers=named, request=httpx.Request("POST", URL))


def made(**hidden: Any) -> Any:
    return SimpleNamespace(_hidden_params=hidden, usage=SimpleNamespace())


def test_beside_a_stream_stand_the_servers_headers_and_ours_and_the_address() -> None:
    shown = telemetry.of_stream(answer(x_a="1", x_ratelimit_limit_requests="9"), {"x-ours": "2"})
    assert shown == {
        "api_base": "https://h.example/v1",
        "additional_headers": {
            "llm_provider-x-a": "1",
            "llm_provider-x-ratelimit-limit-requests": "9",
            "x-ratelimit-limit-requests": "9",
            "x-ours": "2",
        },
    }


@pytest.mark.parametrize(("cost", "told"), [(None, {}), (0.0, {"response_cost": 0.0})])
def test_beside_an_answer_stand_ours_over_what_litellm_has_found(
    cost: float | None, told: dict[str, Any]
) -> None:
    one = made(additional_headers={"a": "1", "b": "1"}, model_id="m")
    telemetry.show_answer(one, answer(), {"b": "2"}, cost=cost)
    assert one._hidden_params == {
        "api_base": "https://h.example/v1",
        "additional_headers": {"a": "1", "b": "2"},
        "model_id": "m",
        **told,
    }
    bare = made()
    telemetry.show_answer(bare, answer(), {}, cost=cost)
    assert bare._hidden_params == {"api_base": "https://h.example/v1", "additional_headers": {}, **told}


def test_the_address_stays_though_litellm_writes_none_over_it() -> None:
    one = made(a=1)
    telemetry.show(one, {"api_base": "here", "b": 2})
    one._hidden_params.update({"api_base": None}, a=3)
    one._hidden_params.update(api_base=None)
    assert one._hidden_params == {"a": 3, "api_base": "here", "b": 2}
    one._hidden_params.update({"api_base": "there"})
    assert one._hidden_params["api_base"] == "there"


def test_an_exchange_is_timed_whatever_comes_of_it() -> None:
    told = SimpleNamespace(model_call_details={}, llm_api_duration_ms=None)
    with pytest.raises(ValueError, match="no answer"), telemetry.timed(told):
        raise ValueError("no answer")
    assert told.model_call_details["llm_api_duration_ms"] >= 0
    with telemetry.timed(None):
        pass


@pytest.mark.parametrize(
    ("params", "free"),
    [
        ({}, True),
        ({"metadata": None, "litellm_metadata": {}, "model_info": None}, True),
        ({"input_cost_per_token": None, "use_in_pass_through": 1}, True),
        ({"input_cost_per_token": 0}, False),
        ({"model_info": {"output_cost_per_token": 0.1}}, False),
        ({"model_info": {"base_model": "gpt-4o"}}, False),
        ({"model_info": {"id": "1", "mode": "chat"}}, True),
        ({"metadata": {"model_info": {"tiered_pricing": []}}}, False),
        ({"litellm_metadata": {"model_info": {"input_cost_per_second": 1}}}, False),
    ],
)
def test_a_login_is_free_until_somebody_sets_a_price(
    monkeypatch: pytest.MonkeyPatch, params: dict[str, Any], free: bool
) -> None:
    assert telemetry.is_free(MODEL, params) is free
    for price, still in ((0, free), (None, free), (0.1, False)):
        monkeypatch.setitem(litellm.model_cost, f"qwen_ai/{MODEL}", {"input_cost_per_token": price})
        assert telemetry.is_free(MODEL, params) is still
    monkeypatch.delitem(litellm.model_cost, f"qwen_ai/{MODEL}")
    assert telemetry.is_free(MODEL, params) is free
    monkeypatch.setattr(litellm, "cost_margin_config", {"qwen_ai": 0.1})
    assert not telemetry.is_free(MODEL, params)


def test_litellm_is_told_how_a_cost_of_nothing_came_about() -> None:
    told: dict[str, Any] = {}
    logging_obj = SimpleNamespace(litellm_call_id="1", cost_breakdown=None)
    assert telemetry._can_tell.__wrapped__()  # not only remembered
    assert telemetry.free_cost(MODEL, made(), {}, logging_obj) == 0
    told.update(logging_obj.cost_breakdown)
    assert {name: value for name, value in told.items() if value} == {}
    assert {"input_cost", "output_cost", "total_cost"} <= told.keys()
    assert telemetry.free_cost(MODEL, made(), {}, None) == 0


@pytest.mark.parametrize(
    ("more", "params", "discount"),
    [
        ({}, {"service_tier": "flex"}, {}),
        ({"service_tier": "flex"}, {}, {}),
        ({"usage": SimpleNamespace(service_tier="flex")}, {}, {}),
        ({"usage": SimpleNamespace(cost=0.1)}, {}, {}),
        ({}, {}, {"qwen_ai": 0.1}),
        (
            {"_hidden_params": {"additional_headers": {"llm_provider-x-litellm-response-cost": "1"}}},
            {},
            {},
        ),
    ],
)
def test_what_litellm_would_say_more_about_is_left_to_it(
    monkeypatch: pytest.MonkeyPatch, more: dict[str, Any], params: dict[str, Any], discount: dict[str, Any]
) -> None:
    monkeypatch.setattr(litellm, "cost_discount_config", discount)
    one = SimpleNamespace(**{**vars(made()), **more})
    untouched = SimpleNamespace()
    assert telemetry.free_cost(MODEL, one, params, untouched) is None
    assert telemetry.free_cost("unknown", one, params, untouched) == 0
    assert vars(untouched) == {}
