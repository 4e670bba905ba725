"""Secrets taken out of a text. Imports nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import SupportsIndex

STARS = "***"
PIECE = 8  # characters of a secret that are never shown, wherever in it they stand
_WHOLE = 4  # characters from which a whole secret is taken out: a shorter one would star out words


class Secret(str):
    """A text whose repr is masked: a traceback with locals shows the repr of every variable."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"'{STARS}'"

    def __getitem__(self, key: SupportsIndex | slice) -> Secret:
        """A piece is one too: rich and reprlib show the repr of the beginning of a long text."""
        return Secret(super().__getitem__(key))


def redacted(text: str, secrets: Iterable[str]) -> str:
    """The text with stars for every secret, and for every piece of one from `PIECE` characters on."""
    pieces: set[str] = set()
    for secret in secrets:
        if len(secret) >= _WHOLE:
            text = text.replace(secret, STARS)
        pieces.update(secret[start : start + PIECE] for start in range(len(secret) - PIECE + 1))
    if not pieces:
        return text
    shown, at = [], 0  # what is shown, and where we stand
    for start in range(len(text) - PIECE + 1):
        if text[start : start + PIECE] in pieces:
            shown += [text[at:start], STARS] if start >= at else []
            at = start + PIECE
    return "".join([*shown, text[at:]])
