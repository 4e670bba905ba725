"""LiteLLM's Rust: what it answers today, the day that it answers chat, and the ways that are left then."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import litellm
import openai
import pytest

import litellm_qwen_ai
from litellm_qwen_ai.cli.checkup import plugin
from litellm_qwen_ai.route import private_names, probe
from litellm_qwen_ai.sandbox import Sandbox
from tests.docs.pages import BLOCKS
from tests.litellm.conftest import Ask
from tests.rust_rules import has_rules, rules

MESSAGES = [{"role": "user", "content": "ping"}]


@pytest.fixture
def tomorrow(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Changes LiteLLM's rule for chat by hand, to a rollout of a name."""

    def change(rollout: str) -> None:
        catalog = rules()
        last = [rule for rule in catalog.RULES if rule.route is catalog.Route.CHAT_COMPLETIONS][-1]
        new = dataclasses.replace(last, rollout=catalog.Rollout[rollout])
        monkeypatch.setattr(catalog, "RULES", tuple(new if rule == last else rule for rule in catalog.RULES))

    return change


@has_rules
def test_chat_is_python_for_every_provider_by_each_rule_of_litellms() -> None:
    catalog = rules()
    told = {rule.rollout.name for rule in catalog.RULES if rule.route is catalog.Route.CHAT_COMPLETIONS}
    assert told == {"PYTHON_ONLY"}, (
        f"LiteLLM {private_names.installed_version()} has a new rule for chat: try qwen_ai/ with it, and "
        "bring docs/litellm.md (Chat in Rust) and docs/upstream.md, 7, up to date"
    )


def test_with_rust_switched_on_calls_are_answered_here(
    ask: Ask, sandbox: Sandbox, login: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert login.exists()
    monkeypatch.setenv("LITELLM_RUST", "1")
    assert private_names.chat_past_python() is None
    assert "ping" in ask().choices[0].message.content
    assert sandbox.requests_to("chat")[0].headers["user-agent"].startswith("litellm-qwen-ai/")


@has_rules
@pytest.mark.parametrize(
    ("rollout", "switch", "way_out"),
    [
        ("RUST_OPT_IN", "1", "Set LITELLM_RUST=0"),
        ("RUST_OPT_OUT", None, "Set LITELLM_RUST=0"),
        ("RUST_REQUIRED", "0", "Install an earlier LiteLLM"),
    ],
)
def test_a_rule_that_takes_chat_past_us_is_told_with_the_way_out(  # noqa: PLR0913, PLR0917  # pytest's fixtures
    rollout: str,
    switch: str | None,
    way_out: str,
    tomorrow: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    tomorrow(rollout)
    monkeypatch.delenv("LITELLM_RUST", raising=False)
    if switch:
        monkeypatch.setenv("LITELLM_RUST", switch)
    with pytest.raises(litellm.APIConnectionError, match="invalid provider: qwen_ai"):
        litellm.completion("qwen_ai/coder-model", messages=MESSAGES)
    caplog.set_level(logging.WARNING, "litellm_qwen_ai")
    litellm_qwen_ai.register()
    (said,) = [record.getMessage() for record in caplog.records if record.name == "litellm_qwen_ai"]
    assert "qwen_ai/ is refused as an invalid provider" in said
    assert way_out in said
    (route,) = [one for one in plugin.read(probe.look()) if one.name == "Route"]
    assert (route.state, f"{route.text}. {route.fix}.") == ("fail", said)


@has_rules
@pytest.mark.parametrize("rollout", ["RUST_OPT_IN", "RUST_OPT_OUT"])
def test_the_way_out_leads_back(
    ask: Ask, rollout: str, tomorrow: Callable[[str], None], login: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert login.exists()
    tomorrow(rollout)
    monkeypatch.setenv("LITELLM_RUST", "0")
    assert private_names.chat_past_python() is None
    assert "ping" in ask().choices[0].message.content


def test_rules_that_are_not_understood_are_no_reason_to_warn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(private_names.sys.modules, private_names.RUST_RULES, litellm)
    assert private_names.chat_past_python() is None


@pytest.mark.usefixtures("own_route")
def test_the_login_goes_through_litellms_own_route_as_the_page_says(sandbox: Sandbox, login: Path) -> None:
    assert login.exists()
    (block,) = [one for one in BLOCKS if one.page == "docs/litellm.md" and "token_provider" in one.text]
    here: dict[str, Any] = {}
    exec(compile(block.text, block.page, "exec"), here)  # noqa: S102  # the page's own
    assert here["response"].choices[0].message.content
    sandbox.expire_access_tokens()
    with pytest.raises(openai.APIStatusError, match="token expired"):  # nothing is renewed
        exec(compile(block.text, block.page, "exec"), here)  # noqa: S102  # as above
    assert sandbox.counts.refreshes == 0
