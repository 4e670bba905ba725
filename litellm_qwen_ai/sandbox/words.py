"""Reads a prompt: its tokens are counted, its names and numbers fill the arguments of tool calls."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

# Every character belongs to exactly one token, so that the tokens of a text joined are the text.
_TOKEN = re.compile(r"\s*(?:[^\W\d_]{1,6}|\d{1,3}|[^\w\s]|_)|\s+")
_WORD = re.compile(r"[^\W_]+")
_NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?(?![\w])")
QUOTED = re.compile("\"([^\"\n]+)\"|`([^`\n]+)`|“([^”\n]+)”|(?<!\\w)'([^'\n]+)'(?!\\w)")
_CAPITALISED = re.compile(r"[A-Z][\w'\u2019-]*(?: [A-Z][\w'\u2019-]*)*")
_CLAUSE_END = re.compile(r"[,;?!\n]|\.(?=\s|$)|\b(?:and|then|und|et|y)\b")
_LISTED = re.compile(r" (?:and|or) [A-Z]")
_AFTER_PREPOSITION = re.compile(r"\b(?:in|for|of|at|about|from) (?!the\b|an?\b)([^\W\d_]\w*)")
_SENTENCE_START = re.compile(r"(?:^|[.?!:\n])\W*$")


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of a text and where it starts."""

    start: int
    text: str


def tokens(text: str) -> list[str]:
    """Split a text into the sandbox's tokens; joined they give the text again."""
    return _TOKEN.findall(text)


def count_tokens(text: str) -> int:
    """Count the sandbox's tokens of a text."""
    return len(_TOKEN.findall(text))


def words(text: str) -> set[str]:
    """Return the words of a text, lower case; `get_weather` has the words get and weather."""
    return {word.lower() for word in _WORD.findall(text)}


def numbers(text: str) -> list[float]:
    """Return the numbers of a text in order."""
    return [number for number in map(float, _NUMBER.findall(text)) if math.isfinite(number)]


def names(text: str) -> list[Span]:
    """Return what a text names: what it quotes or, without quotes, capitalised words inside its sentences.

    A capitalised word that starts a sentence counts only where it is one of a list. A text without any name
    has the word after a preposition, as in "weather in paris".
    """
    quoted = [Span(found.start(), next(filter(None, found.groups()))) for found in QUOTED.finditer(text)]
    if quoted:
        return quoted
    found_names = []
    for found in _CAPITALISED.finditer(text):
        start, name = found.start(), found.group()
        if _SENTENCE_START.search(text, 0, start) and not _LISTED.match(text, found.end()):
            first, _, name = name.partition(" ")
            start += len(first) + 1
        if name and name != "I":
            found_names.append(Span(start, name.removesuffix("'s").removesuffix("\u2019s")))
    return found_names or [Span(found.start(1), found[1]) for found in _AFTER_PREPOSITION.finditer(text)]


def clauses(text: str) -> list[Span]:
    """Split a text where it goes on to another thing: at commas, full stops and the word and."""
    found, start = [], 0
    for end in _CLAUSE_END.finditer(text):
        found.append(Span(start, text[start : end.start()]))
        start = end.end()
    found.append(Span(start, text[start:]))
    return [clause for clause in found if clause.text.strip()]
