"""A link as a QR code in the terminal, with the optional package segno."""

from __future__ import annotations

import io
import sys

import click


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
    """The link as a QR code (ISO/IEC 18004) in half blocks, or in colours where those cannot be shown.

    A server wrote the link: where it makes no picture, the text says so, and the login goes on.
    """
    import segno  # noqa: PLC0415  # an optional package

    try:
        code = segno.make(link, error="l", micro=False)
    except Exception:  # noqa: BLE001  # whatever it is: the address stands above, and is enough
        return "(This address does not fit into a QR code.)"
    text = io.StringIO()
    code.terminal(out=text, compact=True)
    try:
        text.getvalue().encode(getattr(sys.stderr, "encoding", None) or "ascii")
    except UnicodeEncodeError:
        text = io.StringIO()
        code.terminal(out=text)
    return text.getvalue()
