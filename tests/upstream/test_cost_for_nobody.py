"""Proposal 11: the cost of a call is worked out once, and its parts only for a record."""

from __future__ import annotations

from typing import Any

import litellm
import pytest

from tests.upstream.conftest import MESSAGES, Plain, entered

BREAKDOWN = "litellm.litellm_core_utils.llm_cost_calc.utils.get_token_type_cost_breakdown"
RULES = "litellm.utils.unmapped_model_generalization"


class Counting(Plain):
    def completion(self, **call: Any) -> Any:  # type: ignore[override]  # by keywords, as LiteLLM calls it
        answer: Any = super().completion(**call)
        answer.usage = litellm.Usage(prompt_tokens=1, completion_tokens=1, total_tokens=2)
        return answer


@pytest.mark.parametrize("detour", [BREAKDOWN, RULES])
@pytest.mark.xfail(raises=AssertionError, reason="docs/upstream.md, 11")
def test_a_second_call_without_callbacks_takes_no_detour(
    custom: Any, monkeypatch: pytest.MonkeyPatch, detour: str
) -> None:
    module, name = detour.rsplit(".", 1)
    if not hasattr(pytest.importorskip(module), name):
        pytest.skip(f"this LiteLLM has no {name}")
    for callbacks in ("callbacks", "success_callback", "_async_success_callback"):
        monkeypatch.setattr(litellm, callbacks, [])
    monkeypatch.setattr(litellm, "model_cost", dict(litellm.model_cost))
    custom(Counting())
    prices = {"litellm_provider": "plain", "mode": "chat", "input_cost_per_token": 1e-6}
    litellm.register_model({"plain/any": prices})
    litellm.completion("plain/any", messages=MESSAGES)  # what is kept is kept now
    assert not entered(name, lambda: litellm.completion("plain/any", messages=MESSAGES))
