"""Who is told how the requests of an account fare, so that neither the flow nor a bearer knows of a meter."""

from __future__ import annotations

from typing import Protocol


class Observer(Protocol):
    """Is told how the requests of one account fare; the meter of quota/ is one."""

    def sent(self) -> None:
        """A request goes out."""

    def accepted(self) -> None:
        """It was answered with status 200."""

    def refused(self, reason: str | None, seconds: float | None) -> None:
        """It was refused: why, if known, and the wait that the server names, in seconds."""

    def failed(self, error: Exception) -> None:
        """The call failed for a reason that whoever looks after the account should know."""

    def headers(self) -> dict[str, str]:
        """What has been counted, as headers of an answer."""


class Nobody:
    """The observer of calls with a key: nothing is counted."""

    def sent(self) -> None:
        """Nothing."""

    def accepted(self) -> None:
        """Nothing."""

    def refused(self, reason: str | None, seconds: float | None) -> None:
        """Nothing."""

    def failed(self, error: Exception) -> None:
        """Nothing."""

    def headers(self) -> dict[str, str]:
        """None."""
        return {}
