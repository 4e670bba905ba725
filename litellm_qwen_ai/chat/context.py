"""What an answer is read with, besides the answer itself."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping


@dataclass(frozen=True, slots=True)
class KeptKey:
    """A key that is kept in an account, in words for a message."""

    account: str  # whose it is
    plan: str  # what it was kept for
    command: str  # what replaces it


@dataclass(frozen=True, slots=True)
class AnswerContext:
    """The call that an answer, or its failure, belongs to."""

    model: str  # as the caller named it
    with_login: bool = False  # else the bearer is an API key, and hints differ
    secrets: tuple[str, ...] = field(default=(), repr=False)  # no message may show them: the bearer
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)  # the answer's, if one came
    timeout: float | None = None  # the limit in force, in seconds, if it is known
    host: str = ""  # the server's, with its port; empty if it is not known
    origin: str = ""  # where its address comes from, in words: an argument, a variable, the login
    #: Of a failure: a sentence on the way to the server and what to do, and the secrets that are on that way.
    way: Callable[[BaseException], tuple[str, Iterable[str]]] | None = field(default=None, repr=False)
    kept_key: KeptKey | None = None  # the bearer, if it is one
    merge: bool = False  # whether text deltas of a stream that are read together become one chunk
    think_tags: bool = False  # whether a stream's reasoning comes in its content, in `<think>` tags

    def answered(self, headers: Mapping[str, str]) -> AnswerContext:
        """The same, with the headers of the answer."""
        return replace(self, headers=headers)
