"""How a person is asked to approve a login in a notebook: a link to click in the output of the cell."""

from __future__ import annotations

import html
import secrets
import sys
from typing import TYPE_CHECKING, Any

from litellm_qwen_ai.oauth.prompt import COMPARE, INVITATION, joining, qr_code, trouble_text, warning

if TYPE_CHECKING:
    from collections.abc import Callable

    from litellm_qwen_ai.oauth.protocol import DeviceCode


class NotebookPrompt:
    """See `LoginPrompt`: one output of the cell, with a link to click, which says at the end how it ended.

    Args:
        display: Shows or changes an output; IPython's `display` by default.
    """

    def __init__(self, display: Callable[..., Any] | None = None) -> None:
        self._display = display or sys.modules["IPython"].display.display
        # A name of our own: an interrupt may come before IPython's is known, and the link is out already.
        self._name = secrets.token_hex(8)
        self._shown: dict[str, str] = {}

    def show(self, code: DeviceCode) -> None:
        """The link, its QR code where segno is installed, the code, the time, the line against phishing."""
        invitation = f"{joining(code)} {INVITATION}".lstrip()
        link, picture = html.escape(code.link), qr_code(code.link)
        image = f'<p><img src="{picture}" alt="QR code of the link" width="180"></p>' if picture else ""
        self._shown = {
            "text/plain": (
                f"{invitation}\n\n    {code.link}\n\n{COMPARE}\n\n    {code.user_code}\n\n{warning(code)}"
            ),
            "text/html": (
                f'<p>{invitation}<br><a href="{link}" target="_blank" rel="noopener">{link}</a></p>'
                f"{image}<p>{COMPARE} <b>{html.escape(code.user_code)}</b></p><p>{warning(code)}</p>"
            ),
        }
        self._display(self._shown, raw=True, display_id=self._name)

    def waiting(self, seconds_left: float) -> None:
        """Nothing: each change of an output is a message to every browser that shows the notebook."""

    def trouble(self, reason: str) -> None:
        """Say it below."""
        text = trouble_text(reason)
        more = {"text/plain": f"\n\n{text}", "text/html": f"<p>{html.escape(text)}</p>"}
        self._change({kind: shown + more[kind] for kind, shown in self._shown.items()})

    def done(self, *, approved: bool) -> None:
        """Put the end in the link's place: it leads nowhere now, and notebooks are saved and shared."""
        text = "Approved." if approved else "The login has ended without an approval."
        self._change({"text/plain": text, "text/html": f"<p>{text}</p>"})

    def _change(self, shown: dict[str, str]) -> None:
        self._display(shown, raw=True, display_id=self._name, update=True)
