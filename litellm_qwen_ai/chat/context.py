"""What an answer is read with, besides the answer itself."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class AnswerContext:
    """The call that an answer, or its failure, belongs to.

    Attributes:
        model: The model as the caller named it.
        with_login: Whether the bearer is a login's; else it is an API key, and hints differ.
        secrets: Values that no message may show, such as the bearer that was sent.
        headers: The answer's; empty where none came.
        timeout: The limit in force, in seconds, if it is known.
        host: The server's, with its port; empty if it is not known.
        origin: Where its address comes from, in words for a message: an argument, a variable, the login.
        merge: Whether text deltas of a stream that are read together become one chunk.
        think_tags: Whether a stream's reasoning comes in its content, between `<think>` and `</think>`.
    """

    model: str
    with_login: bool = False
    secrets: tuple[str, ...] = field(default=(), repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    timeout: float | None = None
    host: str = ""
    origin: str = ""
    merge: bool = False
    think_tags: bool = False

    def answered(self, headers: Mapping[str, str]) -> AnswerContext:
        """The same, with the headers of the answer."""
        return replace(self, headers=headers)
