"""How a person is asked to approve a login: the terminal and the browser."""

from __future__ import annotations

import functools
import io
import os
import sys
import textwrap
import threading
import webbrowser
from typing import TYPE_CHECKING, Protocol, TextIO

from litellm_qwen_ai.names import SERVICE_NOTICE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from litellm_qwen_ai.oauth.protocol import DeviceCode

_MINUTE = 60.0  # seconds
# Browsers that would take over the terminal in which the login waits.
_TEXT_BROWSERS = ("lynx", "w3m", "links", "elinks", "www-browser")


INVITATION = "To log in to Qwen, open this page in a browser, on any device:"
PHISHING = "Only approve a code that you asked for yourself."
COMPARE = "and check that it shows this code:"

#: A terminal that was made narrower breaks a line in two: this clears the second half, then the first, where
#: the next line begins. One that cuts it instead has an empty row there.
NARROWED = "\r\x1b[2K\x1b[1A\x1b[2K"


class LoginPrompt(Protocol):
    """Who shows the code. Called by `device_login` in its own thread; none of the methods may block."""

    def show(self, code: DeviceCode) -> None:
        """Show `code.link` and `code.user_code`, once."""

    def waiting(self, seconds_left: float) -> None:
        """Called about once a second while nobody has approved yet."""

    def trouble(self, reason: str) -> None:
        """The server's answers are of no help, e.g. it is out of order; the polling goes on."""

    def done(self, *, approved: bool) -> None:
        """The login has ended, one way or the other. Called once if `show` was, however that ended."""


class TerminalPrompt:
    """The prompt as plain text; a countdown only where a terminal can redraw its line.

    Args:
        stream: Where to; `sys.stderr` at call time by default.
        picture: Draws the link as lines of text, e.g. a QR code; none by default.
        hint: One more paragraph at the end.
    """

    def __init__(
        self, stream: TextIO | None = None, picture: Callable[[str], str] | None = None, hint: str = ""
    ) -> None:
        self._stream = stream or sys.stderr or io.StringIO()  # a program may have no stderr
        self._picture = picture
        self._hint = hint
        self._live = self._stream.isatty() and os.environ.get("TERM") != "dumb"
        self._width = 0

    def show(self, code: DeviceCode) -> None:
        """The address, the code, the time and the warning against phishing."""
        if joined := joining(code):
            self._say(f"{self._wrapped(joined)}\n\n")
        picture = self._picture(code.link) if self._picture else ""
        if is_tall(picture):
            self._say(f"{picture}{code.link}\n{self._wrapped(brief(code))}\n")
        else:
            self._say(f"{self._wrapped(picture)}\n" if picture else "")
            self._say(
                f"\n{self._wrapped(INVITATION)}\n\n    {code.link}\n\n{self._wrapped(COMPARE)}\n\n"
                f"    {code.user_code}\n\n{self._wrapped(warning(code))}\n\n"
            )
        if self._hint:
            self._say(f"{self._wrapped(self._hint)}\n\n")
        if not self._live:
            self._say("Waiting for your approval ... (Ctrl-C cancels)\n\n")

    def waiting(self, seconds_left: float) -> None:
        """Redraw the countdown."""
        self._redraw(countdown(seconds_left, self._columns()))

    def trouble(self, reason: str) -> None:
        """Say it once, above the countdown."""
        self._redraw("")
        self._say(f"{self._wrapped(trouble_text(reason))}\n\n")

    def done(self, *, approved: bool) -> None:
        """Clear the countdown; the caller says the rest."""
        self._redraw("")
        if approved:
            self._say("Approved.\n")

    def _columns(self) -> int:
        try:
            return os.get_terminal_size(self._stream.fileno()).columns or 80
        except (OSError, ValueError):
            return 80

    def _wrapped(self, text: str) -> str:
        return textwrap.fill(text, self._columns()) if self._live else text

    def _redraw(self, line: str) -> None:
        if self._live:
            if self._width > self._columns():
                self._say(NARROWED)
                self._width = 0
            self._say("\r" + line.ljust(self._width) + ("" if line else "\r"))
            self._width = len(line)

    def _say(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()


def is_tall(picture: str) -> bool:
    """Whether it leaves few rows of a terminal to the words below it."""
    return picture.count("\n") > 2  # noqa: PLR2004  # a sentence in its place has no more


def brief(code: DeviceCode) -> str:
    """What is said of the code in few rows, below a picture and the address."""
    return f"Check that the page shows this code: {code.user_code} . {warning(code)}"


def joining(code: DeviceCode) -> str:
    """That the code is that of a login which waited already, in a sentence; empty if it is a new one."""
    if code.waited is None:
        return ""
    ago = f"{code.waited:.0f} s" if code.waited < _MINUTE else f"{code.waited / _MINUTE:.0f} min"
    return f"A login of this account waits already, started {ago} ago: this is its code."


def warning(code: DeviceCode) -> str:
    """How long the code lives, and the line against phishing."""
    minutes = max(1, round(code.expires_in / _MINUTE))
    return f"The code is valid for {minutes} min. {PHISHING}"


def countdown(seconds_left: float, columns: int) -> str:
    """The line that is redrawn, in the longest form that fits: one that wraps could not be redrawn."""
    minutes, seconds = divmod(max(0, round(seconds_left)), 60)
    left = f"{minutes}:{seconds:02d} left"
    forms = (
        f"Waiting for your approval ... {left} (Ctrl-C cancels)",
        f"Waiting ... {left} (Ctrl-C cancels)",
        f"Waiting ... {left}",
    )
    return next((form for form in forms if len(form) < columns), left[: max(0, columns - 1)])


def trouble_text(reason: str) -> str:
    """What a person is told while the server's answers are of no help."""
    return f"Still waiting, but the server's last answers were of no help: {reason} {SERVICE_NOTICE}"


@functools.lru_cache(maxsize=32)
def qr_code(link: str) -> str | None:
    """A link as an SVG image in a data URI (ISO/IEC 18004).

    None without the optional package segno, and for a link that fits into none: a server wrote it.
    """
    try:
        import segno  # noqa: PLC0415  # an optional package
    except ImportError:
        return None
    try:
        code = segno.make(link, error="m", micro=False)
    except Exception:  # noqa: BLE001  # whatever it is: the page has the link as well
        return None
    image: str = code.svg_data_uri(border=3, light="#fff", dark="#000")
    return image


def may_open_browser(environ: Mapping[str, str] | None = None) -> bool:
    """True where a browser would open before the person: a terminal, no SSH, no CI, and a display."""
    source = os.environ if environ is None else environ
    if any(source.get(name) for name in ("SSH_CONNECTION", "SSH_TTY", "SSH_CLIENT", "CI")):
        return False
    if not is_terminal(sys.stderr):
        return False
    if sys.platform in {"win32", "darwin"}:
        return True
    return any(source.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))


def open_browser(url: str) -> None:
    """Open the page in the person's browser, without waiting for it; no browser is no error."""

    def run() -> None:
        try:
            browser = webbrowser.get()
            if getattr(browser, "basename", "") not in _TEXT_BROWSERS:
                browser.open(url)
        except (webbrowser.Error, OSError):
            return

    threading.Thread(target=run, name="qwen-ai-browser", daemon=True).start()


def is_terminal(stream: TextIO | None) -> bool:
    """True if a person reads or writes the stream; it may be missing or closed."""
    try:
        return stream is not None and stream.isatty()
    except ValueError:
        return False
