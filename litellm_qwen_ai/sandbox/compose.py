"""Composes an answer from a chat request, so that it shows what arrived.

It is not a language model. It repeats the prompt, names the images, calls the tools it is offered with
arguments from the prompt, and uses their results, so that a part of the request that was lost on the way
is missing in the answer.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from litellm_qwen_ai.sandbox.checks import ChatRefusal, parts_of, text_of, thinks
from litellm_qwen_ai.sandbox.media import look_at
from litellm_qwen_ai.sandbox.obey import once_each, read, told_members, told_to_say
from litellm_qwen_ai.sandbox.schema import Source, UnusableSchemaError, sample
from litellm_qwen_ai.sandbox.words import clauses, count_tokens, names, tokens, words

_MOST_CALLS = 8
_COUNT_TO = re.compile(r"\bcount to (\d{1,6})\b", re.IGNORECASE)
_NO_TOOLS = re.compile(r"\b(?:without|not use|no|don't use) (?:any )?tools?\b", re.IGNORECASE)
_SMALL_WORDS = frozenset(
    [
        "a",
        "an",
        "and",
        "by",
        "do",
        "for",
        "from",
        "get",
        "give",
        "in",
        "into",
        "is",
        "it",
        "me",
        "of",
        "on",
        "or",
        "the",
        "this",
        "to",
        "use",
        "what",
        "with",
        "you",
    ]
)
_MESSAGE_TOKENS = 4  # what each message costs beside its content


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One tool call; `arguments` is JSON."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Choice:
    """One answer.

    Attributes:
        content: The text.
        reasoning: What was thought before, or None.
        tool_calls: The tools called.
        finish_reason: `stop`, `length` or `tool_calls`.
    """

    content: str
    reasoning: str | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    finish_reason: str = "stop"


@dataclass(frozen=True, slots=True)
class Completion:
    """The answer to a chat request, before it takes the form of JSON or of a stream.

    Attributes:
        model: The model's name as it was asked for.
        created: Seconds since the epoch.
        choices: The answers.
        usage: The tokens used.
        fingerprint: The `system_fingerprint`; holds the request's seed if it had one.
        top_logprobs: How many alternatives to give for each token; None for no logprobs.
        id: The completion's id.
    """

    model: str
    created: int
    choices: tuple[Choice, ...]
    usage: Mapping[str, Any]
    fingerprint: str | None = None
    top_logprobs: int | None = None
    id: str = field(default_factory=lambda: f"chatcmpl-{uuid.uuid4()}")


def compose(
    payload: Mapping[str, Any], *, created: int, cached_tokens: int = 0, obedient: bool = False
) -> Completion:
    """Answer a checked chat request.

    Args:
        payload: The request's JSON.
        created: The time for the answer, in seconds since the epoch.
        cached_tokens: How many of the prompt's tokens are to be reported as read from the cache.
        obedient: Do what the prompt says and no more; see `obey`.

    Raises:
        ChatRefusal: The schema of a tool that is called, or of the answer, is no JSON schema.
    """
    count = payload.get("n") or 1
    choices = tuple(_choice(payload, at, count, obedient=obedient) for at in range(count))
    seed = payload.get("seed")
    return Completion(
        model=payload["model"],
        created=created,
        choices=choices,
        usage=_usage(payload, choices, cached_tokens),
        fingerprint=None if seed is None else f"sandbox-seed-{seed}",
        top_logprobs=(payload.get("top_logprobs") or 0) if payload.get("logprobs") else None,
    )


def prompt_tokens(payload: Mapping[str, Any]) -> int:
    """Count the tokens of a request: its messages with their images, and its tools."""
    total = count_tokens(json.dumps(payload["tools"])) if payload.get("tools") else 0
    return total + sum(message_tokens(message, payload) for message in payload["messages"])


def message_tokens(message: Mapping[str, Any], payload: Mapping[str, Any]) -> int:
    """Count the tokens of one message."""
    total = _MESSAGE_TOKENS
    for part in parts_of(message):
        seen = look_at(part, high_resolution=bool(payload.get("vl_high_resolution_images")))
        total += seen.tokens if seen else count_tokens(str(part.get("text", "")))
    if message.get("tool_calls"):
        total += count_tokens(json.dumps(message["tool_calls"]))
    return total


def _choice(payload: Mapping[str, Any], at: int, count: int, *, obedient: bool) -> Choice:
    reasoning = _think(payload) if thinks(payload) else None
    calls = _calls(payload, obedient=obedient)
    if calls:
        return Choice("", reasoning, calls, "tool_calls")
    content = _content(payload, obedient=obedient)
    if count > 1 and not _wants_json(payload):
        content += f" (Answer {at + 1} of {count}.)"
    content, finish_reason = _cut_short(content, payload)
    return Choice(content, reasoning, (), finish_reason)


def _cut_short(content: str, payload: Mapping[str, Any]) -> tuple[str, str]:
    stops = payload.get("stop") or []
    found = [content.find(stop) for stop in ([stops] if isinstance(stops, str) else stops) if stop in content]
    content = content[: min(found)] if found else content
    limit = payload.get("max_tokens")
    pieces = tokens(content)
    if limit is not None and len(pieces) > limit:
        return "".join(pieces[:limit]), "length"
    return content, "stop"


def _content(payload: Mapping[str, Any], *, obedient: bool) -> str:
    prompt, results = last_prompt(payload["messages"]), _results(payload["messages"])
    if _wants_json(payload):
        return _json_content(payload, prompt, results, obedient=obedient)
    if obedient and not results and (words_wanted := told_to_say(prompt)):
        return words_wanted
    sentences = []
    if payload.get("enable_search"):
        sentences.append(f'I searched the web for "{prompt}".')
    if results:
        sentences += [f"{call} answered: {result}".rstrip(".") + "." for call, result in results]
        sentences.append(f'You asked: "{prompt}".')
    else:
        sentences.append(f'You said: "{prompt}".')
    sentences += [f"I see {seen}." for seen in _seen(payload)]
    if payload.get("seed") is not None:
        sentences.append(f"My seed is {payload['seed']}.")
    if counted := _COUNT_TO.search(prompt):
        sentences.append(", ".join(str(number) for number in range(1, int(counted[1]) + 1)) + ".")
    return " ".join(sentences)


def last_prompt(messages: Sequence[Mapping[str, Any]]) -> str:
    """Return the text of the last user message."""
    return next((text_of(message) for message in reversed(messages) if message["role"] == "user"), "")


def _since_prompt(messages: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
    last = max((at for at, message in enumerate(messages) if message["role"] == "user"), default=-1)
    return messages[last + 1 :]


def _results(messages: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """Return the tool calls since the last prompt, each as `name(arguments)`, with their results."""
    called, found = {}, []
    for message in _since_prompt(messages):
        for call in message.get("tool_calls") or []:
            called[call["id"]] = f"{call['function']['name']}({call['function']['arguments']})"
        if message["role"] == "tool":
            found.append((called.get(message["tool_call_id"], "The tool"), text_of(message)))
    return found


def _seen(payload: Mapping[str, Any]) -> list[str]:
    """Describe the images and videos of the last user message."""
    users = [message for message in payload["messages"] if message["role"] == "user"]
    return [seen.description for message in users[-1:] for seen in map(look_at, parts_of(message)) if seen]


def _wants_json(payload: Mapping[str, Any]) -> bool:
    return (payload.get("response_format") or {}).get("type") in ("json_object", "json_schema")


def _json_content(
    payload: Mapping[str, Any], prompt: str, results: list[tuple[str, str]], *, obedient: bool
) -> str:
    source = _reading(obedient)(" ".join([prompt, *(result for _, result in results)]), "")
    wanted = payload["response_format"]
    if wanted["type"] == "json_schema":
        schema = wanted["json_schema"]["schema"]
        value = _sampled(schema, source, "response_format.json_schema.schema", optional=True)
    else:
        # Without a schema the members are what the prompt names in quotes, as people ask for them.
        members = [name for name in source.names if re.fullmatch(r"\w{1,40}", name) and f'"{name}"' in prompt]
        if obedient:
            members = told_members(prompt)
        value = dict.fromkeys(members, prompt) or {"answer": f'You said: "{prompt}".'}
    return json.dumps(value, ensure_ascii=False)


def _sampled(schema: Mapping[str, Any], source: Source, where: str, *, optional: bool = False) -> Any:
    try:
        return sample(schema, source, optional=optional)
    except UnusableSchemaError as error:
        message = f"Invalid schema in {where}: {error}"
        raise ChatRefusal(message, param=re.split(r"\W", where)[0]) from error


def _think(payload: Mapping[str, Any]) -> str:
    prompt = last_prompt(payload["messages"])
    thought = (
        f'The user wrote: "{prompt}". That is {count_tokens(prompt)} tokens in a conversation of '
        f"{len(payload['messages'])} messages. I am a sandbox, so I repeat what I was given: whoever reads "
        "it sees what arrived. Tools come first if there are any, then images, then the words."
    )
    budget = payload.get("thinking_budget")
    return "".join(tokens(thought)[:budget])


def _reading(obedient: bool) -> Callable[[str, str], Source]:  # noqa: FBT001  # a choice of two, no switch
    return read if obedient else Source.of


def _calls(payload: Mapping[str, Any], *, obedient: bool) -> tuple[ToolCall, ...]:
    """Choose the tools to call: those that the prompt speaks of, otherwise the first one.

    An obedient sandbox that is free to choose calls only those that the prompt speaks of, once each.
    """
    tools = [tool["function"] for tool in payload.get("tools") or []]
    choice = payload.get("tool_choice") or "auto"
    prompt, results = last_prompt(payload["messages"]), _results(payload["messages"])
    reading = _reading(obedient)
    if not tools or choice == "none":
        return ()
    if choice == "auto" and (results or _NO_TOOLS.search(prompt)):
        return ()
    if isinstance(choice, Mapping):
        named = choice["function"]["name"]
        return _named_calls([(tool, prompt) for tool in tools if tool["name"] == named], prompt, reading)
    if results:  # a call is required all the same: hand the results over where an agent expects its end
        said = " ".join(result for _, result in results)
        final = [tool for tool in tools if words(tool["name"]) & {"final", "answer", "finish", "done"}]
        return _named_calls([((final or tools)[0], said)], prompt, reading)
    if obedient and choice == "auto" and not any(_speaks_of(prompt, tool) for tool in tools):
        return ()
    plan = _plan(tools, prompt)
    if obedient:
        plan = once_each(plan, prompt)
    if payload.get("parallel_tool_calls") is True and len(plan) == 1:
        plan = [(tool, prompt) for tool in tools]
    return _named_calls(plan[:1] if payload.get("parallel_tool_calls") is False else plan, prompt, reading)


def _plan(tools: Sequence[Mapping[str, Any]], prompt: str) -> list[tuple[Mapping[str, Any], str]]:
    """Pair tools with the pieces of the prompt; one that only names things goes with the tool before."""
    said = names(prompt)
    current = None if any(_speaks_of(prompt, tool) for tool in tools) else tools[0]
    plan: list[tuple[Mapping[str, Any], str]] = []
    for clause in clauses(prompt):
        end = clause.start + len(clause.text)
        here = [name.text for name in said if clause.start <= name.start < end]
        found = _best(tools, clause.text)
        if found is not None:
            current = found
        if current is not None and here:
            plan.append((current, _quoted(clause.text, here)))
        elif found is not None:
            plan.append((found, prompt if not said else clause.text))
    return plan or [(_best(tools, prompt) or tools[0], prompt)]


def _quoted(text: str, here: list[str]) -> str:
    """Quote what a clause names, or its first word would pass for the start of a sentence."""
    for name in here:
        if f'"{name}"' not in text:
            text = text.replace(name, f'"{name}"', 1)
    return text


def _best(tools: Sequence[Mapping[str, Any]], text: str) -> Mapping[str, Any] | None:
    best = max(tools, key=lambda tool: _speaks_of(text, tool))
    return best if _speaks_of(text, best) else None


def _speaks_of(text: str, tool: Mapping[str, Any]) -> int:
    said = words(text) - _SMALL_WORDS
    in_name = said & words(tool["name"])
    in_description = said & (words(str(tool.get("description") or "")) - words(tool["name"]))
    return 10 * len(in_name) + len(in_description)


def _named_calls(
    plan: Sequence[tuple[Mapping[str, Any], str]], prompt: str, reading: Callable[[str, str], Source]
) -> tuple[ToolCall, ...]:
    found: dict[tuple[str, str], ToolCall] = {}
    for tool, text in plan:
        schema = {"type": "object", **(tool.get("parameters") or {})}
        arguments = _sampled(schema, reading(text, prompt), f"tools: parameters of {tool['name']!r}")
        written = json.dumps(arguments, ensure_ascii=False)
        call = ToolCall(f"call_{uuid.uuid4().hex[:24]}", tool["name"], written)
        found.setdefault((call.name, call.arguments), call)
    return tuple(found.values())[:_MOST_CALLS]


def _usage(payload: Mapping[str, Any], choices: Sequence[Choice], cached_tokens: int) -> dict[str, Any]:
    prompt = prompt_tokens(payload)
    reasoning = sum(count_tokens(choice.reasoning or "") for choice in choices)
    written = sum(
        count_tokens(choice.content)
        + sum(count_tokens(call.name + call.arguments) for call in choice.tool_calls)
        for choice in choices
    )
    usage: dict[str, Any] = {
        "prompt_tokens": prompt,
        "completion_tokens": written + reasoning,
        "total_tokens": prompt + written + reasoning,
        "prompt_tokens_details": {"cached_tokens": min(cached_tokens, prompt)},
    }
    if reasoning:
        usage["completion_tokens_details"] = {"reasoning_tokens": reasoning}
    return usage
