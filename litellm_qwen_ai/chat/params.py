"""LiteLLM's parameters, as Qwen's request body names them.

Thinking, in order of weight: `enable_thinking`/`thinking_budget` (keyword or extra_body), then `thinking`,
then `reasoning_effort`. Effort becomes a budget in tokens: minimal 1,024, low 4,096, medium 16,384; high,
xhigh and max set none, because Qwen's own default is the model's maximum and a number could only lower it.
`none`, `disable` and `disabled` turn thinking off.

A `tool_choice` that forces a call is refused by Qwen while thinking is on. Asked for both, we refuse at once
and say so (with `drop_params`, thinking gives way). Asked for a forced call alone, we turn thinking off for
models that think by default (models.py).

Servers that are not Alibaba's (vLLM, SGLang, ...) ignore `enable_thinking` and read it in
`chat_template_kwargs`. There it is sent in both places, since a gateway may lead to Alibaba, and a forced
call with thinking is theirs to judge.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from litellm_qwen_ai.chat.errors import UnsendableError
from litellm_qwen_ai.models import thinks_by_default

Payload = dict[str, Any]

_EFFORT_BUDGETS: dict[str, int | None] = {
    "minimal": 1_024,
    "low": 4_096,
    "medium": 16_384,
    "high": None,
    "xhigh": None,
    "max": None,
}

# Handled by name below, or LiteLLM's and OpenAI's own: none of these reaches the wire as it is.
_NOT_FOR_THE_WIRE = {
    "additional_drop_params",
    "allowed_openai_params",
    "api_base",
    "api_key",
    "drop_params",
    "extra_body",
    "extra_headers",
    "headers",
    "max_completion_tokens",
    "max_retries",
    "messages",
    "metadata",  # LiteLLM's, full of its own keys; a server's own goes into extra_body
    "model",
    "num_retries",
    "prompt_cache_key",
    "prompt_cache_retention",
    "reasoning_effort",
    "safety_identifier",
    "service_tier",
    "store",  # refused by the portal, unknown to Model Studio
    "stream",
    "stream_options",
    "stream_timeout",
    "thinking",
    "timeout",
    "web_search_options",
}
_OUR_PREFIXES = ("qwen_", "litellm_")


def body_parameters(  # noqa: PLR0913  # one call's worth of keywords
    optional_params: Mapping[str, Any],
    *,
    model: str,
    stream: bool,
    for_portal: bool,
    at_alibaba: bool = True,
    drop_params: bool = False,
) -> Payload:
    """Build the body without `model` and `messages`; extra_body is merged last. See `build_request`.

    Raises:
        UnsendableError: A parameter has no meaning here; the message says which and what to do.
    """
    extra_body = optional_params.get("extra_body")
    if extra_body is not None and not isinstance(extra_body, Mapping):
        raise UnsendableError(f"extra_body must be an object, not a {type(extra_body).__name__}.")
    # The portal refuses what it does not know, `user` too.
    dropped = _NOT_FOR_THE_WIRE | {"user"} if for_portal else _NOT_FOR_THE_WIRE
    body = {
        name: value
        for name, value in optional_params.items()
        if value is not None and name not in dropped and not name.startswith(_OUR_PREFIXES)
    }
    limit = optional_params.get("max_completion_tokens")
    if limit is not None:
        body["max_tokens"] = limit
    _add_search(body, optional_params.get("web_search_options"))
    _add_thinking(body, optional_params)
    # A proxy's client must not replace the deployment's model.
    body.update(
        {name: value for name, value in (extra_body or {}).items() if name not in {"model", "stream"}}
    )
    if not body.get("tools"):
        # A client that always sends `tools` means none; the server refuses the empty list.
        for name in ("tools", "tool_choice", "parallel_tool_calls"):
            body.pop(name, None)
    if not at_alibaba and "enable_thinking" in body:
        given = body.get("chat_template_kwargs")
        if given is None or isinstance(given, Mapping):
            body["chat_template_kwargs"] = {"enable_thinking": body["enable_thinking"], **(given or {})}
    elif body.get("enable_thinking") and _forces_a_call(body):
        _reconcile_thinking(body, drop_params=drop_params)
    elif "enable_thinking" not in body and _must_not_think(body, model, stream=stream):
        body["enable_thinking"] = False
    _add_stream(body, optional_params.get("stream_options"), stream=stream)
    return body


def _add_search(body: Payload, options: Any) -> None:
    if options is None or options is False:
        return
    if options is True:
        options = {}
    if not isinstance(options, Mapping):
        raise UnsendableError(f"web_search_options must be an object, not a {type(options).__name__}.")
    body.setdefault("enable_search", True)
    # Qwen's own names pass; user_location has no counterpart at Qwen.
    found = {
        name: value for name, value in options.items() if name not in {"search_context_size", "user_location"}
    }
    if options.get("search_context_size") == "high":  # low and medium are the server's default strategy
        found.setdefault("search_strategy", "max")
    if found:
        body["search_options"] = {**found, **body.get("search_options", {})}


def _add_thinking(body: Payload, params: Mapping[str, Any]) -> None:
    thinking = params.get("thinking")
    enabled, budget = (
        _from_effort(params.get("reasoning_effort")) if thinking is None else _from_thinking(thinking)
    )
    if enabled is not None:
        body.setdefault("enable_thinking", enabled)
    if budget is not None and body.get("enable_thinking"):
        body.setdefault("thinking_budget", budget)


def _from_thinking(thinking: Any) -> tuple[bool, int | None]:
    kind = thinking.get("type") if isinstance(thinking, Mapping) else None
    if kind == "disabled":
        return False, None
    if kind not in {"enabled", "adaptive"}:
        raise UnsendableError(
            'thinking must be {"type": "enabled", "budget_tokens": N} or {"type": "disabled"}, '
            f"not {thinking!r:.80}."
        )
    budget = thinking.get("budget_tokens")
    if budget is not None and (type(budget) is not int or budget <= 0):
        raise UnsendableError(f"thinking.budget_tokens must be a positive integer, not {budget!r:.40}.")
    return True, budget


def _from_effort(effort: Any) -> tuple[bool | None, int | None]:
    if isinstance(effort, Mapping):
        effort = effort.get("effort")
    if effort in (None, "default", "auto"):
        return None, None
    if effort in ("none", "disable", "disabled"):
        return False, None
    if not isinstance(effort, str) or effort not in _EFFORT_BUDGETS:
        known = ", ".join(["none", *_EFFORT_BUDGETS])
        raise UnsendableError(f"reasoning_effort {effort!r:.40} is unknown; use one of {known}.")
    return True, _EFFORT_BUDGETS[effort]


def _reconcile_thinking(body: Payload, *, drop_params: bool) -> None:
    """Thinking was asked for: a forced tool call was not to be."""
    if not drop_params:
        raise UnsendableError(
            'Qwen cannot force a tool call (tool_choice "required" or a named function) while '
            'thinking is on. Use tool_choice="auto", or turn thinking off (reasoning_effort="none" or '
            "enable_thinking=False)."
        )
    body["enable_thinking"] = False
    body.pop("thinking_budget", None)


def _must_not_think(body: Payload, model: str, *, stream: bool) -> bool:
    """Whether the model would think unasked where it cannot answer then."""
    family = thinks_by_default(model)
    return family is not None and (_forces_a_call(body) or (family.streams_only and not stream))


def _forces_a_call(body: Payload) -> bool:
    choice = body.get("tool_choice")
    return choice == "required" or isinstance(choice, Mapping)


def _add_stream(body: Payload, options: Any, *, stream: bool) -> None:
    given = body.pop("stream_options", None)  # from extra_body
    if stream:
        body["stream"] = True
        body["stream_options"] = {
            **(options if isinstance(options, Mapping) else {}),
            **(given if isinstance(given, Mapping) else {}),
            # Always: LiteLLM hides usage from a caller who did not ask, and its logging needs it.
            "include_usage": True,
        }
