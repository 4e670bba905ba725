"""Runs a command in a real terminal of a fixed width and keeps what its user saw, as text or as a picture."""

from __future__ import annotations

import fcntl
import io
import os
import pty
import re
import struct
import subprocess
import termios
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

ROWS = 50
_LINK = re.compile(r"\x1b\]8;[^\x1b]*\x1b\\")
_CONTROL = re.compile(r"\x1b\[(?P<number>\d*)(?P<what>[AK])|\x1b\[\?25[hl]|(?P<return>\r)|(?P<line>\n)")
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


class Screen:
    """What stands on a terminal after some output; knows just the controls that our program uses."""

    def __init__(self) -> None:
        self._lines = [""]
        self._row = 0

    def feed(self, text: str) -> None:
        """Take more output."""
        text = _LINK.sub("", text)
        at = 0
        for control in _CONTROL.finditer(text):
            self._write(text[at : control.start()])
            at = control.end()
            if control["line"]:
                self._row += 1
                self._lines += [""] * (self._row + 1 - len(self._lines))
            elif control["what"] == "A":
                self._row = max(0, self._row - int(control["number"] or 1))
            elif control["what"] == "K":
                self._lines[self._row] = ""
        self._write(text[at:])

    def _write(self, text: str) -> None:
        self._lines[self._row] += text

    def __str__(self) -> str:
        return "\n".join(line.rstrip() for line in self._lines).strip("\n") + "\n"


def run(
    command: Sequence[str], environ: Mapping[str, str], *, columns: int, stop_at: str | None = None
) -> str:
    """Run a command in a terminal.

    Args:
        command: The program and its arguments.
        environ: Its whole environment.
        columns: The terminal's width.
        stop_at: Look at the screen as soon as it shows this, and end the program; None: when it has ended.

    Returns:
        The screen, with colours.
    """
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, columns, 0, 0))
    attributes = termios.tcgetattr(theirs)
    attributes[1] &= ~termios.ONLCR
    termios.tcsetattr(theirs, termios.TCSANOW, attributes)
    process = subprocess.Popen(  # noqa: S603  # our own program
        command, stdin=theirs, stdout=theirs, stderr=theirs, env=dict(environ), start_new_session=True
    )
    os.close(theirs)
    output = b""
    try:
        while stop_at is None or stop_at not in output.decode(errors="ignore"):
            try:
                piece = os.read(ours, 65536)
            except OSError:  # Linux: the other side is closed
                break
            if not piece:
                break
            output += piece
    finally:
        if stop_at is not None:
            process.terminate()
        process.wait(60)
        os.close(ours)
    screen = Screen()
    screen.feed(output.decode())
    return str(screen)


def plain(screen: str) -> str:
    """A screen without its colours."""
    return "\n".join(line.rstrip() for line in _COLOUR.sub("", screen).split("\n"))


def picture(screen: str, path: Path, *, title: str, columns: int) -> None:
    """Draw a screen as SVG."""
    from rich.console import Console  # noqa: PLC0415  # only to draw
    from rich.text import Text  # noqa: PLC0415  # loaded only where a screen is drawn

    console = Console(record=True, width=columns, file=io.StringIO())
    console.print(Text.from_ansi(screen.rstrip("\n")))
    svg = console.export_svg(title=title)
    # No font is fetched from elsewhere.
    svg = re.sub(r"\s*@font-face \{.*?\}\n", "\n", svg, flags=re.DOTALL)
    path.write_text("\n".join(line.rstrip() for line in svg.splitlines()) + "\n", encoding="utf-8")
