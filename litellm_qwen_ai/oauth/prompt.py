"""How a person is asked to approve a login: the terminal and the browser."""

from __future__ import annotations

import os
import sys
import threading
import webbrowser
from typing import TYPE_CHECKING, Protocol, TextIO

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from litellm_qwen_ai.oauth.protocol import DeviceCode

# Browsers that would take over the terminal in which the login waits.
_TEXT_BROWSERS = ("lynx", "w3m", "links", "elinks", "www-browser")


class LoginPrompt(Protocol):
    """Who shows the code. Called by `device_login` in its own thread; none of the methods may block."""

    def show(self, code: DeviceCode) -> None:
        """Show `code.link` and `code.user_code`, once."""
        ...

    def waiting(self, seconds_left: float) -> None:
        """Called about once a second while nobody has approved yet."""
        ...

    def done(self, *, approved: bool) -> None:
        """The login has ended, one way or the other. Called once if `show` was."""
        ...


class TerminalPrompt:
    """The prompt as plain text; a countdown only where a terminal can redraw its line.

    Args:
        stream: Where to; `sys.stderr` at call time by default.
        picture: Draws the link as lines of text, e.g. a QR code; none by default.
    """

    def __init__(self, stream: TextIO | None = None, picture: Callable[[str], str] | None = None) -> None:
        self._stream = stream or sys.stderr
        self._picture = picture
        self._live = self._stream.isatty() and os.environ.get("TERM") != "dumb"
        self._width = 0

    def show(self, code: DeviceCode) -> None:
        """The address, the code, the time and the warning against phishing."""
        minutes = max(1, round(code.expires_in / 60))
        picture = f"{self._picture(code.link)}\n" if self._picture else ""
        self._say(
            "\nTo log in to Qwen, open this page in a browser, on any device:\n\n"
            f"    {code.link}\n\n{picture}"
            "and check that it shows this code:\n\n"
            f"    {code.user_code}\n\n"
            f"The code is valid for {minutes} min. Only approve a code that you asked for yourself.\n\n"
        )

    def waiting(self, seconds_left: float) -> None:
        """Redraw the countdown."""
        if self._live:
            minutes, seconds = divmod(max(0, round(seconds_left)), 60)
            self._redraw(f"Waiting for your approval ... {minutes}:{seconds:02d} left (Ctrl-C cancels)")

    def done(self, *, approved: bool) -> None:
        """Clear the countdown; the caller says the rest."""
        if self._live:
            self._redraw("")
        if approved:
            self._say("Approved.\n")

    def _redraw(self, line: str) -> None:
        self._say("\r" + line.ljust(self._width) + ("" if line else "\r"))
        self._width = len(line)

    def _say(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()


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
