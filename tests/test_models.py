"""The catalogue as LiteLLM answers about it."""

from __future__ import annotations

import logging
import re
from pathlib import Path

import litellm
import pytest

import litellm_qwen_ai
from litellm_qwen_ai.models import CATALOGUE, Model, is_ours
from litellm_qwen_ai.route.host import register_catalogue


@pytest.mark.parametrize(
    ("model", "provider", "ours"),
    [
        ("qwen_ai/coder-model", None, True),
        ("qwen_ai/coder-model", "", True),
        ("coder-model", "qwen_ai", True),
        ("qwen_ai/coder-model", "openai", False),
        ("openai/qwen_ai/coder-model", None, False),
    ],
)
def test_what_is_ours_is_what_litellm_brings_here(model: str, provider: str | None, ours: bool) -> None:
    assert is_ours(model, provider) is ours
    assert (litellm.get_llm_provider(model, provider)[1] == "qwen_ai") is ours


def test_what_names_no_model_is_not_ours() -> None:
    assert not is_ours(None, None)


@pytest.mark.parametrize("model", CATALOGUE, ids=lambda model: model.name)
def test_litellm_knows_limits_capabilities_and_price(model: Model) -> None:
    info = litellm.get_model_info(model.route)
    assert info["max_input_tokens"] == model.max_input_tokens
    assert info["max_output_tokens"] == model.max_output_tokens
    assert info["input_cost_per_token"] == 0
    assert info["output_cost_per_token"] == 0
    assert info["litellm_provider"] == "qwen_ai"
    assert litellm.supports_vision(model.route) is model.vision
    assert litellm.supports_function_calling(model.route) is model.tools
    assert litellm.supports_reasoning(model.route) is model.reasoning
    assert litellm.supports_response_schema(model.route) is model.response_schema


def test_the_models_are_these() -> None:
    assert {model.name: (model.max_input_tokens, model.max_output_tokens) for model in CATALOGUE} == {
        "coder-model": (1_000_000, 65_536),
        "vision-model": (131_072, 8_192),
        "qwen3-coder-plus": (1_000_000, 65_536),
        "qwen3-coder-flash": (1_000_000, 65_536),
    }


def test_a_users_own_entry_wins_before_and_after(monkeypatch: pytest.MonkeyPatch) -> None:
    route = CATALOGUE[0].route
    monkeypatch.setitem(litellm.model_cost, route, {**litellm.model_cost[route]})
    litellm.register_model(
        {route: {"input_cost_per_token": 0.5, "litellm_provider": "qwen_ai", "mode": "chat"}}
    )
    litellm_qwen_ai.register()
    assert litellm.get_model_info(route)["input_cost_per_token"] == 0.5
    assert litellm.get_model_info(route)["max_input_tokens"] == 1_000_000
    litellm.register_model(
        {route: {"input_cost_per_token": 0.0, "litellm_provider": "qwen_ai", "mode": "chat"}}
    )


def test_registering_the_catalogue_is_silent(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        register_catalogue()
    assert caplog.records == []


def test_the_models_are_listed_by_provider() -> None:
    assert {model.route for model in CATALOGUE} <= set(litellm.models_by_provider["qwen_ai"])


def test_the_configuration_to_start_from_has_every_model() -> None:
    text = (Path(__file__).parents[1] / "examples" / "config.yaml").read_text(encoding="utf-8")
    assert [model.route for model in CATALOGUE] == re.findall(
        r"model: (qwen_ai/[\w.-]+)$", text, re.MULTILINE
    )
