"""Parameters: what reaches the wire, under which name, and what is refused."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from litellm_qwen_ai.chat.errors import UnsendableError
from litellm_qwen_ai.chat.params import body_parameters

TOOLS = [{"type": "function", "function": {"name": "f", "parameters": {}}}]


def params(*, model: str = "coder-model", stream: bool = False, for_portal: bool = True, **given: Any) -> Any:
    how = {"drop_params": given.pop("drop", False), "at_alibaba": given.pop("at_alibaba", True)}
    before = copy.deepcopy({k: v for k, v in given.items() if not isinstance(v, type)})
    made = body_parameters(given, model=model, stream=stream, for_portal=for_portal, **how)
    assert {k: v for k, v in given.items() if not isinstance(v, type)} == before, "the input was changed"
    return made


def test_openais_and_qwens_parameters_pass() -> None:
    given = {
        "temperature": 0.5,
        "top_p": 0.9,
        "n": 2,
        "stop": ["x"],
        "seed": 7,
        "logprobs": True,
        "top_logprobs": 2,
        "presence_penalty": 1,
        "max_tokens": 9,
        "response_format": {"type": "json_object"},
        "top_k": 20,
        "repetition_penalty": 1.1,
    }
    assert params(**given) == given


def test_the_newer_name_of_the_token_limit_becomes_the_one_on_the_wire() -> None:
    assert params(max_completion_tokens=5) == {"max_tokens": 5}
    assert params(max_completion_tokens=5, max_tokens=9) == {"max_tokens": 5}


def test_what_is_litellms_or_ours_never_reaches_the_wire() -> None:
    assert (
        params(
            max_retries=2,
            num_retries=1,
            extra_headers={"X": "1"},
            qwen_account="alice",
            litellm_call_id="x",
            metadata={"user_api_key": "x"},
            store=True,
            drop_params=True,
            allowed_openai_params=["x"],
            stream_options={"include_usage": True},
            temperature=None,
        )
        == {}
    )


def test_user_passes_with_a_key_only() -> None:
    assert params(user="u") == {}
    assert params(user="u", for_portal=False) == {"user": "u"}


def test_extra_body_is_merged_last_but_cannot_switch_streaming() -> None:
    assert params(temperature=1, extra_body={"temperature": 0, "metadata": {"s": 1}, "stream": True}) == {
        "temperature": 0,
        "metadata": {"s": 1},
    }
    with pytest.raises(UnsendableError, match="extra_body"):
        params(extra_body=[1])


def test_usage_is_asked_for_in_every_stream_and_only_there() -> None:
    assert params(stream=True) == {"stream": True, "stream_options": {"include_usage": True}}
    given = params(
        stream=True,
        stream_options={"include_usage": False, "x": 1},
        extra_body={"stream_options": {"y": 2, "include_usage": False}},
    )
    assert given["stream_options"] == {"include_usage": True, "x": 1, "y": 2}
    assert params(extra_body={"stream_options": {"y": 2}}) == {}


@pytest.mark.parametrize("tools", [[], None])
def test_an_empty_list_of_tools_is_dropped_with_what_depends_on_it(tools: Any) -> None:
    assert params(tools=tools, tool_choice="auto", parallel_tool_calls=True) == {}


def test_tools_pass() -> None:
    given = {"tools": TOOLS, "tool_choice": "auto", "parallel_tool_calls": True}
    assert params(**given) == given


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"reasoning_effort": "minimal"}, {"enable_thinking": True, "thinking_budget": 1024}),
        ({"reasoning_effort": "low"}, {"enable_thinking": True, "thinking_budget": 4096}),
        ({"reasoning_effort": "medium"}, {"enable_thinking": True, "thinking_budget": 16384}),
        ({"reasoning_effort": "high"}, {"enable_thinking": True}),
        ({"reasoning_effort": {"effort": "high", "summary": "auto"}}, {"enable_thinking": True}),
        ({"reasoning_effort": "none"}, {"enable_thinking": False}),
        ({"reasoning_effort": "disable"}, {"enable_thinking": False}),
        ({"reasoning_effort": "default"}, {}),
        ({"reasoning_effort": {}}, {}),
        (
            {"thinking": {"type": "enabled", "budget_tokens": 100}},
            {"enable_thinking": True, "thinking_budget": 100},
        ),
        ({"thinking": {"type": "enabled"}}, {"enable_thinking": True}),
        ({"thinking": {"type": "adaptive"}}, {"enable_thinking": True}),
        ({"thinking": {"type": "disabled"}, "reasoning_effort": "high"}, {"enable_thinking": False}),
        ({"enable_thinking": False, "reasoning_effort": "low"}, {"enable_thinking": False}),
        (
            {"thinking_budget": 5, "reasoning_effort": "low"},
            {"enable_thinking": True, "thinking_budget": 5},
        ),
        (
            {"extra_body": {"enable_thinking": True, "thinking_budget": 7}, "reasoning_effort": "none"},
            {"enable_thinking": True, "thinking_budget": 7},
        ),
    ],
)
def test_thinking_is_asked_for_as_qwen_wants_it(given: dict[str, Any], expected: dict[str, Any]) -> None:
    assert params(**given) == expected


@pytest.mark.parametrize(
    "given",
    [
        {"reasoning_effort": "lots"},
        {"reasoning_effort": 3},
        {"thinking": True},
        {"thinking": {"type": "on"}},
        {"thinking": {"type": "enabled", "budget_tokens": 0}},
        {"thinking": {"type": "enabled", "budget_tokens": "many"}},
        {"thinking": {"type": "enabled", "budget_tokens": True}},
    ],
)
def test_an_unknown_wish_for_thinking_is_refused_by_name(given: dict[str, Any]) -> None:
    with pytest.raises(UnsendableError, match=next(iter(given))):
        params(**given)


FORCED = {"type": "function", "function": {"name": "f"}}


@pytest.mark.parametrize("choice", ["required", FORCED])
def test_a_forced_tool_call_and_thinking_exclude_each_other(choice: Any) -> None:
    given = {"tools": TOOLS, "tool_choice": choice}
    with pytest.raises(UnsendableError, match="tool_choice"):
        params(**given, reasoning_effort="low")
    assert params(**given, reasoning_effort="low", drop=True) == {**given, "enable_thinking": False}
    assert params(**given) == {**given, "enable_thinking": False}
    assert params(**given, model="qwen3-coder-plus") == given
    assert params(tools=TOOLS, tool_choice="auto", reasoning_effort="high")["enable_thinking"] is True


@pytest.mark.parametrize("choice", ["required", FORCED])
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("model", "thinks"),
    [
        ("coder-model", True),
        ("qwen3-32b", True),
        ("Qwen/Qwen3-0.6B", True),
        ("qwen3-235b-a22b", True),
        ("qwen3.5-plus", True),
        ("qwen3.5-plus-2026-02-15", True),
        ("qwen3.6-35b-a3b", True),
        ("qwen3.10-max", True),
        ("qwen4-plus", True),
        ("qwen-plus", False),
        ("qwen3-max", False),
        ("qwen3-vl-plus", False),
        ("qwen3-coder-plus", False),
        ("qwen2.5-72b-instruct", False),
        ("qwen3-235b-a22b-instruct-2507", False),
        ("qwen3-235b-a22b-thinking-2507", False),
        ("qwen3.5-27b-thinking", False),
        ("qwq-plus", False),
    ],
)
def test_a_forced_tool_call_turns_off_thinking_that_nobody_asked_for(
    model: str, thinks: bool, stream: bool, choice: Any
) -> None:
    made = params(model=model, stream=stream, tools=TOOLS, tool_choice=choice)
    assert made.get("enable_thinking") == (False if thinks else None)


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({"reasoning_effort": "low"}, True),
        ({"thinking": {"type": "disabled"}}, False),
        ({"enable_thinking": False}, False),
        ({"extra_body": {"enable_thinking": True}}, True),
        ({"reasoning_effort": "high", "tools": TOOLS, "tool_choice": "required"}, True),
    ],
)
def test_other_servers_find_the_switch_where_they_look_for_it(given: dict[str, Any], wanted: bool) -> None:
    made = params(**given, at_alibaba=False, for_portal=False)
    assert made["chat_template_kwargs"] == {"enable_thinking": wanted}
    assert made["enable_thinking"] is wanted  # for a gateway in front of Alibaba
    at_alibaba = given if "tools" not in given else {}
    assert "chat_template_kwargs" not in params(**at_alibaba)


def test_the_callers_own_template_switches_are_kept() -> None:
    own = {"enable_thinking": False, "x": 1}
    given = {"extra_body": {"chat_template_kwargs": own}, "at_alibaba": False}
    assert params(**given, reasoning_effort="low")["chat_template_kwargs"] == own
    assert params(**given) == {"chat_template_kwargs": own}
    given["extra_body"] = {"chat_template_kwargs": {"x": 1}}
    made = params(**given, reasoning_effort="low")
    assert made["chat_template_kwargs"] == {"enable_thinking": True, "x": 1}


def test_models_that_think_only_in_streams_are_told_not_to_otherwise() -> None:
    assert params(model="qwen3-235b-a22b") == {"enable_thinking": False}
    assert params(model="qwen3-0.6b", enable_thinking=True) == {"enable_thinking": True}
    assert "enable_thinking" not in params(model="qwen3-32b", stream=True)
    assert params(model="qwen3-235b-a22b-instruct-2507") == {}


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, {"enable_search": True}),
        (True, {"enable_search": True}),
        (False, {}),
        (None, {}),
        ({"search_context_size": "medium"}, {"enable_search": True}),
        (
            {"search_context_size": "high"},
            {"enable_search": True, "search_options": {"search_strategy": "max"}},
        ),
        ({"user_location": {"city": "Rome"}}, {"enable_search": True}),
        ({"forced_search": True}, {"enable_search": True, "search_options": {"forced_search": True}}),
    ],
)
def test_web_search_is_asked_for_as_qwen_wants_it(options: Any, expected: dict[str, Any]) -> None:
    assert params(web_search_options=options) == expected


def test_qwens_own_search_parameters_win() -> None:
    made = params(
        web_search_options={"search_context_size": "high", "forced_search": True},
        enable_search=False,
        search_options={"search_strategy": "turbo"},
    )
    assert made == {
        "enable_search": False,
        "search_options": {"search_strategy": "turbo", "forced_search": True},
    }
    with pytest.raises(UnsendableError, match="web_search_options"):
        params(web_search_options="yes")
