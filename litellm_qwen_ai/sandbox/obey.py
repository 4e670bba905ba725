"""How an obedient sandbox reads a prompt: closely, and it does what it is told and no more.

The usual one shows what arrived, and says more than it was asked. Suites that were written for real models
expect the words that they asked for, one call of a tool, and the values that the prompt gives.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from litellm_qwen_ai.sandbox.schema import Source
from litellm_qwen_ai.sandbox.words import QUOTED, numbers

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_SAY = re.compile(
    r"\b(?:say|repeat|echo|(?:reply|respond|answer) with)\b"
    r"(?: (?:exactly|only|just|after me|this|the (?:words?|phrase|text)))*:? *(.+)",
    re.IGNORECASE,
)
_MEMBER = re.compile(r"(?<!\w)[\"'`](\w{1,40})[\"'`](?!\w)")
# A name as it is written: "John Doe", "iPhone 15 Pro", "123 Main St".
_NAME = re.compile(r"(?:(?<![\w.$])\d+ )?\b[a-z]?[A-Z][\w'-]*(?: (?:[A-Z][\w'-]*|\d+(?= [A-Z])))*")
# What starts a sentence and names nothing.
_OPENERS = frozenset(
    {"A", "Add", "An", "Are", "Call", "Can", "Create", "Do", "Extract", "Find", "Generate", "Give", "Go"}
    | {"How", "I", "In", "Is", "It", "JSON", "Make", "My", "On", "Please", "Return", "Tell", "That", "The"}
    | {"This", "Use", "We", "What", "What's", "When", "Where", "Which", "Who", "Why", "You"}
)


def read(text: str, context: str = "") -> Source:
    """Read a prompt's names and numbers; a number inside a name is no number."""
    quoted = [next(filter(None, found.groups())) for found in QUOTED.finditer(text)]
    found = quoted or [name for one in _NAME.finditer(text) if (name := _without_opener(one.group()))]
    rest = text if quoted else _NAME.sub(" ", text)
    return Source(text.strip(), context, found, numbers(rest), records=True)


def told_to_say(prompt: str) -> str | None:
    """Return the words that a prompt asks to be repeated, or None."""
    found = _SAY.search(prompt)
    if found is None:
        return None
    quoted = QUOTED.search(found[1])
    return next(filter(None, quoted.groups())) if quoted else found[1].strip().rstrip(".")


def told_members(prompt: str) -> list[str]:
    """Return the members that a prompt wants in its JSON: what it quotes, in whichever quotes."""
    return list(dict.fromkeys(_MEMBER.findall(prompt)))


def once_each(
    plan: Sequence[tuple[Mapping[str, Any], str]], prompt: str
) -> list[tuple[Mapping[str, Any], str]]:
    """Call each tool of a plan once, for the piece that speaks of it; a lone one for the whole prompt."""
    first: dict[str, tuple[Mapping[str, Any], str]] = {}
    for tool, text in plan:
        first.setdefault(tool["name"], (tool, text))
    return list(first.values()) if len(first) > 1 else [(tool, prompt) for tool, _ in first.values()]


def _without_opener(name: str) -> str:
    first, _, rest = name.partition(" ")
    return (rest if first in _OPENERS else name).removesuffix("'s")
