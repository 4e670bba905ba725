"""A link as a QR code in the terminal, with the optional package segno."""

from __future__ import annotations

import io
import os
import sys

import click

_QUIET = 2  # modules around the picture: the standard's 4 leave no room for words in 24 rows
_WIDE = 80  # columns, from which on the words below take `_TEXT` rows
_TEXT, _NARROW_TEXT = 4, 8


def require_segno() -> None:
    """Fail before a login starts, not in the middle of it.

    Raises:
        click.UsageError: The package is missing; the text says how to install it.
    """
    try:
        import segno  # noqa: F401, PLC0415  # an optional package
    except ImportError:
        raise click.UsageError(
            "--qr needs a package that is not installed. Run: pip install 'litellm-qwen-ai[qr]'"
        ) from None


def drawn(link: str) -> str:
    """The link as a QR code (ISO/IEC 18004) in half blocks, or a word on why there is none.

    A server wrote the link: where it makes no picture, the login goes on, and so it does where the terminal
    could not show the picture with the address and the code below it.
    """
    import segno  # noqa: PLC0415  # an optional package

    try:
        code = segno.make(link, error="l", micro=False)
    except Exception:  # noqa: BLE001  # whatever it is: the address is there, and is enough
        return "(No QR code: this address does not fit into one.)"
    text = io.StringIO()
    code.terminal(out=text, compact=True, border=_QUIET)
    encoding = getattr(sys.stderr, "encoding", None) or "ascii"
    try:
        text.getvalue().encode(encoding)
    except UnicodeEncodeError:
        return f"(No QR code: the encoding of this terminal, {encoding}, has no characters to draw it with.)"
    return _too_small(text.getvalue()) or text.getvalue()


def _too_small(picture: str) -> str | None:
    try:
        columns, rows = os.get_terminal_size(sys.stderr.fileno())
    except (AttributeError, OSError, ValueError):
        return None  # no terminal, or no stderr at all
    lines = picture.splitlines()
    needs = max(map(len, lines)), len(lines) + (_TEXT if columns >= _WIDE else _NARROW_TEXT)
    if columns >= needs[0] and rows >= needs[1]:
        return None
    has = f"this terminal has {columns} columns and {rows} rows"
    return f"(No QR code: {has}, and it needs {needs[0]} and {needs[1]}.)"
