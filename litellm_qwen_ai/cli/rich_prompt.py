"""The login's prompt with rich, which LiteLLM's proxy brings: colour, and a bar that runs out.

There is no frame: one would be torn when the terminal is made narrower, and the address in it broken.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.style import Style
from rich.table import Table
from rich.text import Text

from litellm_qwen_ai.oauth.prompt import (
    COMPARE,
    INVITATION,
    NARROWED,
    brief,
    countdown,
    is_tall,
    joining,
    trouble_text,
    warning,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from litellm_qwen_ai.oauth import DeviceCode

_BAR_NEEDS = 70  # columns, with the words beside it
_BAR = 12  # columns


class RichPrompt:
    """See `LoginPrompt`. Width, colours and characters are those that rich finds the terminal to have.

    Args:
        picture: Draws the link as lines of text, e.g. a QR code.
        browser: A browser is about to be opened.
        hint: One more paragraph at the end.
        console: Where to; stderr by default.
    """

    def __init__(
        self,
        picture: Callable[[str], str] | None,
        *,
        browser: bool,
        hint: str = "",
        console: Console | None = None,
    ) -> None:
        self._picture = picture
        self._browser = browser
        self._hint = hint
        self._console = console or Console(stderr=True, highlight=False)
        self._live = Live(console=self._console, auto_refresh=False, transient=True)
        self._lifetime = 1.0
        self._drawn = 0  # columns of the line that is redrawn

    def show(self, code: DeviceCode) -> None:
        """What is asked, and the hint."""
        if joined := joining(code):
            self._console.print(Text(joined))
        self._ask(code)
        if self._hint:
            self._console.print(Text(self._hint))
            self._console.print()

    def _ask(self, code: DeviceCode) -> None:
        """The address stands in a line of its own, whole, so that it can be copied."""
        self._lifetime = code.expires_in
        invitation = (
            "Your browser opens this page; any other browser will do too:" if self._browser else INVITATION
        )
        # A style of its own: written as text it would break at a space, and a server wrote the link.
        style = Style(color="cyan", bold=True, link=code.link)
        link = Text(code.link, style=style, no_wrap=True, overflow="ignore")
        has_colour = self._console.color_system is not None and not self._console.no_color
        user_code = Text(f"  {code.user_code}  ", style="bold reverse" if has_colour else "bold")
        picture = self._picture(code.link) if self._picture else ""
        if is_tall(picture):
            self._console.file.write(picture)
            self._console.print(link, soft_wrap=True)
            self._console.print(Text(brief(code)))
            return
        if picture:
            self._console.print(Text(picture))
        self._console.print()
        for part in (Text(invitation), link, Text(COMPARE), user_code, Text(warning(code))):
            self._console.print(part, soft_wrap=part is link)
            self._console.print()

    def waiting(self, seconds_left: float) -> None:
        """Redraw the time that is left."""
        self._live.start()
        if self._drawn > self._console.width:
            self._console.file.write(NARROWED)
        self._live.update(self._time_left(seconds_left), refresh=True)

    def trouble(self, reason: str) -> None:
        """Say it once, above the time."""
        self._console.print(trouble_text(reason), style="yellow")
        self._console.print()

    def done(self, *, approved: bool) -> None:
        """Clear the time that was left; the caller says the rest."""
        self._live.stop()
        if approved:
            self._console.print("Approved.", style="bold green")

    def _time_left(self, seconds_left: float) -> RenderableType:
        words = Text(countdown(seconds_left, self._console.width), no_wrap=True)
        self._drawn = len(words)
        if self._console.width < _BAR_NEEDS:
            return words
        self._drawn += 2 + _BAR
        row = Table.grid(padding=(0, 2))
        row.add_row(
            words, ProgressBar(self._lifetime, max(0.0, seconds_left), width=_BAR, complete_style="cyan")
        )
        return row
