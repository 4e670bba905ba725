"""The plans of keys: addresses, and what is said of a key at an address."""

from __future__ import annotations

import dataclasses
import itertools

import pytest

from litellm_qwen_ai import plans
from litellm_qwen_ai.plans import PLANS, Plan, completed, mismatch, plan_at, plan_named
from litellm_qwen_ai.settings import Settings

STANDARD, WORKSPACE, PREPAID = "sk-0123456789abcdef", "sk-ws-0123456789abcdef", "sk-sp-0123456789abcdef"
STUDIO = [plan for plan in PLANS if plan.title.startswith("Model Studio")]
SUBSCRIBED = [plan for plan in PLANS if plan not in STUDIO]


def test_the_plans_are_these() -> None:
    assert {plan.name: plan.base_url for plan in PLANS} == {
        "beijing": "https://dashscope.aliyuncs.com/compatible-mode/v1",
        "singapore": "https://dashscope-intl.aliyuncs.com/compatible-mode/v1",
        "virginia": "https://dashscope-us.aliyuncs.com/compatible-mode/v1",
        "coding-china": "https://coding.dashscope.aliyuncs.com/v1",
        "coding-intl": "https://coding-intl.dashscope.aliyuncs.com/v1",
        "token-beijing": "https://token-plan.cn-beijing.maas.aliyuncs.com/compatible-mode/v1",
        "token-singapore": "https://token-plan.ap-southeast-1.maas.aliyuncs.com/compatible-mode/v1",
    }
    assert len({plan.host for plan in PLANS}) == len(PLANS)
    assert all(plan_named(plan.name) is plan is plan_at(plan.base_url) for plan in PLANS)
    assert all(plan.source.startswith("https://") for plan in PLANS)


@pytest.mark.parametrize(("like", "wrong"), [("singapore", PREPAID), ("coding-intl", STANDARD)])
def test_a_plan_that_is_added_with_its_keys_written_out_is_told_from_the_others(
    like: str, wrong: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (known,) = [plan for plan in PLANS if plan.name == like]
    host = f"{like}-new.aliyuncs.com"
    new = dataclasses.replace(known, name="new", base_url=f"https://{host}/v1", keys=(*known.keys,))
    assert new.keys is not known.keys
    monkeypatch.setitem(plans._BY_HOST, host, new)
    assert host in mismatch(wrong, new.base_url)


@pytest.mark.parametrize("host", ["dashscope", "dashscope-intl", "dashscope-us"])
@pytest.mark.parametrize("scheme", ["https://", ""])
@pytest.mark.parametrize(
    "path",
    ["", "/", "/api/v1", "/api/v1/", "/compatible-mode", "/compatible-mode/v1", "/compatible-mode/v1/"],
)
def test_a_native_base_is_completed(host: str, scheme: str, path: str) -> None:
    found = completed(f"{scheme}{host}.aliyuncs.com{path}")
    assert found.rstrip("/") == f"{scheme}{host}.aliyuncs.com/compatible-mode/v1"


@pytest.mark.parametrize(
    "base",
    [
        *("https://coding.dashscope.aliyuncs.com/v1", "https://dashscope.aliyuncs.com.example/api/v1"),
        *("https://dashscope.aliyuncs.com:8443", "http://127.0.0.1:8000", "https://portal.qwen.ai/v1"),
        *(
            "https://dashscope.aliyuncs.com/apps/anthropic",
            "https://me@dashscope.aliyuncs.com",
            "",
            "not one",
        ),
    ],
)
def test_any_other_base_stays_as_it_is(base: str) -> None:
    assert completed(base) == base


@pytest.mark.parametrize("plan", PLANS, ids=lambda plan: plan.name)
@pytest.mark.parametrize("path", ["", "/", ":443", ":443/", "/api/v1", "/v1", ":443/v1/", "/compatible-mode"])
def test_a_plans_host_alone_gets_the_plans_path(plan: Plan, path: str) -> None:
    assert completed(f"https://{plan.host}{path}") == plan.base_url
    assert completed(f"HTTPS://{plan.host.upper()}{path}").lower() == plan.base_url


def test_the_variable_is_completed_too() -> None:
    settings = Settings.from_environment({"QWEN_API_BASE": " https://dashscope-intl.aliyuncs.com "})
    assert settings.api_base == "https://dashscope-intl.aliyuncs.com/compatible-mode/v1"


@pytest.mark.parametrize("plan", PLANS, ids=lambda plan: plan.name)
def test_a_key_at_its_own_plan_is_worth_no_word(plan: Plan) -> None:
    keys = (STANDARD, WORKSPACE) if plan in STUDIO else (PREPAID,)
    assert not any(mismatch(key, plan.base_url) for key in keys)
    assert not any(mismatch(key, plan.base_url, plan.name) for key in keys)


def test_a_key_of_one_plan_at_anothers_address_is_said_with_both_and_nothing_of_the_key() -> None:
    wrong = [*itertools.product((PREPAID,), STUDIO), *itertools.product((STANDARD, WORKSPACE), SUBSCRIBED)]
    for key, plan in wrong:
        told = mismatch(key, plan.base_url)
        assert plan.host in told, (key, plan.name)
        assert plan.title in told
        assert "sk-sp-" in told
        assert "0123" not in told


@pytest.mark.parametrize("base", ["http://127.0.0.1:8000/v1", "https://gateway.example/v1", "::", "[", ""])
def test_nothing_is_guessed_of_other_servers_and_other_keys(base: str) -> None:
    assert not any(mismatch(key, base) for key in (STANDARD, PREPAID, "EMPTY", ""))
    assert not any(mismatch("a-gateways-own", plan.base_url) for plan in PLANS)


def test_what_a_key_was_kept_for_says_more_than_what_it_begins_with() -> None:
    told = mismatch(
        PREPAID, "https://token-plan.cn-beijing.maas.aliyuncs.com/compatible-mode/v1", "coding-intl"
    )
    assert "kept for Coding Plan, international" in told
    assert "Token Plan, Beijing" in told
    assert mismatch(STANDARD, "https://dashscope-us.aliyuncs.com/compatible-mode/v1", "beijing")
    assert not mismatch(STANDARD, "https://dashscope-us.aliyuncs.com/compatible-mode/v1", "custom")
