"""Who is told how the requests of an account fare: its meter, or nobody."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from litellm_qwen_ai.quota.meter import Meter


class Nobody:
    """The observer of calls with a key, and what any observer is told: here nothing is counted."""

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
        return {}


Observer: TypeAlias = "Meter | Nobody"
