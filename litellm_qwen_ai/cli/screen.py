"""What the terminal can show: colour, width, and whether a line can be drawn anew."""

from __future__ import annotations

import os
import shutil
import sys
import textwrap
from typing import TYPE_CHECKING, TextIO

import click

from litellm_qwen_ai.oauth.prompt import is_terminal

if TYPE_CHECKING:
    from collections.abc import Iterable

_WIDEST = 100  # columns: longer lines are tiring to read
_LEAST = 20
_ENDS = {"ok": "green", "warn": "yellow", "fail": "red"}


def has_colour(stream: TextIO) -> bool:
    """Whether colour is welcome: a terminal that is not dumb, and no `NO_COLOR` (https://no-color.org)."""
    return is_terminal(stream) and os.environ.get("TERM") != "dumb" and not os.environ.get("NO_COLOR")


def coloured(text: str, state: str, stream: TextIO | None = None) -> str:
    """The text in the colour of a state, where colour is welcome.

    Args:
        text: What to show.
        state: `ok`, `warn` or `fail`.
        stream: Where it goes; stdout by default.
    """
    return click.style(text, fg=_ENDS[state], bold=True) if has_colour(stream or sys.stdout) else text


def columns() -> int:
    """How wide text for people shall be."""
    return max(_LEAST, min(shutil.get_terminal_size().columns, _WIDEST))


def wrapped(text: str, stream: TextIO | None = None) -> str:
    """One paragraph broken at spaces to the terminal's width; without a terminal, one line.

    Args:
        text: The paragraph.
        stream: Where it goes; stdout by default.
    """
    return hanging(text, 0, stream)


def table(rows: Iterable[tuple[str, str]], label_width: int) -> None:
    """Print labels and texts in two columns; a text that is too long goes on below itself."""
    for label, text in rows:
        click.echo(f"{label:<{label_width}}  {hanging(text, label_width + 2)}")


def hanging(text: str, indent: int, stream: TextIO | None = None) -> str:
    """The same with every line but the first moved to the right. A long word, such as a URL, stays whole.

    Args:
        text: The paragraph.
        indent: Columns to the left, also taken by what stands before the first line.
        stream: Where it goes; stdout by default.
    """
    if not is_terminal(stream or sys.stdout):
        return text
    width = max(_LEAST, columns() - indent)
    lines = textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False)
    return f"\n{' ' * indent}".join(lines)
