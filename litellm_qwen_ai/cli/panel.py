"""The login's prompt with rich, which LiteLLM's proxy brings: a frame, colour and a bar that runs out."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from litellm_qwen_ai.oauth import TerminalPrompt
from litellm_qwen_ai.oauth.prompt import COMPARE, INVITATION, countdown, is_terminal, trouble_text, warning

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console, Group
    from rich.live import Live

    from litellm_qwen_ai.oauth import DeviceCode, LoginPrompt

_FRAME = 6  # columns: two lines, and two spaces beside each
_BAR_NEEDS = 70  # columns, with the words beside it


def best_prompt(picture: Callable[[str], str] | None, *, browser: bool) -> LoginPrompt:
    """The prompt that suits stderr: a panel in a terminal that can draw it, plain text anywhere else.

    Args:
        picture: Draws the link as lines of text, e.g. a QR code.
        browser: A browser is about to be opened.
    """
    if is_terminal(sys.stderr) and os.environ.get("TERM") not in {"dumb", "", None}:
        try:
            from rich.console import Console  # noqa: PLC0415  # an optional package
        except ImportError:
            return TerminalPrompt(picture=picture)
        return PanelPrompt(Console(stderr=True, highlight=False), picture, browser=browser)
    return TerminalPrompt(picture=picture)


class PanelPrompt:
    """See `LoginPrompt`. Width, colours and characters are those that rich finds the terminal to have.

    Args:
        console: Where to.
        picture: As for `best_prompt`.
        browser: As for `best_prompt`.
    """

    def __init__(self, console: Console, picture: Callable[[str], str] | None, *, browser: bool) -> None:
        self._console = console
        self._picture = picture
        self._browser = browser
        self._live: Live | None = None
        self._lifetime = 1.0

    def show(self, code: DeviceCode) -> None:
        """The panel, if the address fits into it: one that is broken by a frame could not be copied."""
        from rich.panel import Panel  # noqa: PLC0415  # an optional package
        from rich.style import Style  # noqa: PLC0415  # an optional package
        from rich.text import Text  # noqa: PLC0415  # loaded only where a screen is drawn

        self._lifetime = code.expires_in
        invitation = (
            "Your browser opens this page; any other browser will do too:" if self._browser else INVITATION
        )
        # A style of its own: written as text it would break at a space, and a server wrote the link.
        style = Style(color="cyan", bold=True, link=code.link)
        link = Text(code.link, style=style, no_wrap=True, overflow="ignore")
        user_code = Text(f"  {code.user_code}  ", style="bold reverse" if self._has_colour else "bold")
        self._console.print()
        if len(code.link) + _FRAME <= self._console.width:
            lines = Text("\n").join(
                [
                    Text(invitation),
                    Text(),
                    link,
                    Text(),
                    Text(COMPARE),
                    Text(),
                    user_code,
                    Text(),
                    Text(warning(code)),
                ]
            )
            self._console.print(Panel(lines, title="Qwen login", padding=(1, 2), expand=False))
        else:
            for line in (Text(invitation), link, Text(COMPARE), user_code, Text(warning(code))):
                self._console.print(line, soft_wrap=line is link)
                self._console.print()
        if self._picture:
            self._console.file.write(f"{self._picture(code.link)}\n")

    @property
    def _has_colour(self) -> bool:
        return self._console.color_system is not None and not self._console.no_color

    def waiting(self, seconds_left: float) -> None:
        """Redraw the time that is left."""
        from rich.live import Live  # noqa: PLC0415  # an optional package

        if self._live is None:
            self._live = Live(console=self._console, auto_refresh=False, transient=True)
            self._live.start()
        self._live.update(self._time_left(seconds_left), refresh=True)

    def trouble(self, reason: str) -> None:
        """Say it once, above the time."""
        self._console.print(trouble_text(reason), style="yellow")
        self._console.print()

    def done(self, *, approved: bool) -> None:
        """Clear the time that was left; the caller says the rest."""
        if self._live is not None:
            self._live.stop()
        if approved:
            self._console.print("Approved.", style="bold green")

    def _time_left(self, seconds_left: float) -> Group:
        from rich.console import Group  # noqa: PLC0415  # an optional package
        from rich.progress_bar import ProgressBar  # noqa: PLC0415  # loaded only where a screen is drawn
        from rich.table import Table  # noqa: PLC0415  # loaded only where a screen is drawn
        from rich.text import Text  # noqa: PLC0415  # loaded only where a screen is drawn

        words = Text(countdown(seconds_left, self._console.width), no_wrap=True)
        if self._console.width < _BAR_NEEDS:
            return Group(words)
        row = Table.grid(padding=(0, 2))
        row.add_row(
            words, ProgressBar(self._lifetime, max(0.0, seconds_left), width=12, complete_style="cyan")
        )
        return Group(row)
