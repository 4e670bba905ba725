"""What people read on a terminal: its colour and width, and moments and spans in words."""

from __future__ import annotations

import os
import re
import shutil
import sys
import textwrap
from datetime import datetime
from typing import TextIO

import click

from litellm_qwen_ai.oauth.prompt import is_terminal

_WIDEST = 100  # columns: longer lines are tiring to read
_LEAST = 20
_COMMAND = re.compile(r"`[^`]+`|litellm-qwen-ai \w+(?: --[\w-]+)*")
_COLOURS = {"ok": "green", "warn": "yellow", "fail": "red", "title": "cyan"}


def has_colour(stream: TextIO) -> bool:
    """Whether colour is welcome: a terminal that is not dumb, and no `NO_COLOR` (https://no-color.org)."""
    return is_terminal(stream) and os.environ.get("TERM") != "dumb" and not os.environ.get("NO_COLOR")


def coloured(text: str, state: str, stream: TextIO | None = None) -> str:
    """The text in the colour of `ok`, `warn`, `fail` or `title`, where that is welcome; stdout by default."""
    return click.style(text, fg=_COLOURS[state], bold=True) if has_colour(stream or sys.stdout) else text


def columns() -> int:
    """How wide text for people shall be."""
    return max(_LEAST, min(shutil.get_terminal_size().columns, _WIDEST))


def wrapped(text: str, stream: TextIO | None = None, *, indent: int = 0) -> str:
    """One paragraph for stdout or `stream`, broken at spaces to its width; without a terminal, one line.

    A long word, such as a URL, stays whole, and so does a command, which is there to be copied. All lines but
    the first begin with `indent` spaces.
    """
    if not is_terminal(stream or sys.stdout):
        return text
    width = max(_LEAST, columns() - indent)
    whole = _COMMAND.sub(lambda command: command[0].replace(" ", "\xa0"), text)
    lines = textwrap.wrap(whole, width, break_long_words=False, break_on_hyphens=False)
    return f"\n{' ' * indent}".join(lines).replace("\xa0", " ")


def local(iso: str) -> str:
    """A moment for people: local time without seconds."""
    return datetime.fromisoformat(iso).astimezone().strftime("%Y-%m-%d %H:%M")


def span(seconds: float) -> str:
    """A length of time for people: `5 h 59 min`, `4 min`, `12 s`; days from two days on."""
    if seconds < 60:  # noqa: PLR2004  # a minute
        return f"{max(0, round(seconds))} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    if hours >= 48:  # noqa: PLR2004  # two days
        return f"{hours // 24} days"
    return f"{hours} h {minutes} min" if hours and minutes else f"{hours} h" if hours else f"{minutes} min"
