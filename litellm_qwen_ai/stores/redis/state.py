"""A login as the store holds it, or the trace that a logout leaves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from litellm_qwen_ai.oauth.door import StoredCredentials

if TYPE_CHECKING:
    from litellm_qwen_ai.oauth.credentials import Credentials


@dataclass(frozen=True, slots=True)
class State:
    """Of two states the one with the greater `version` is the newer.

    Attributes:
        number: The server's time at the login or logout, in ms, made to grow; 0 if there was none yet.
        n: Counts the renewals of this login.
        record: The sealed login; None after a logout.
        mark: Stands for its refresh token.
        saved_at: When it was written, in epoch seconds of this machine.
        credentials: The login; the end of its token is by this machine's clock.
    """

    number: int
    n: int
    record: bytes | None = None
    mark: str = ""
    saved_at: float = 0.0
    credentials: Credentials | None = None

    @property
    def version(self) -> tuple[int, int]:
        """What orders states."""
        return self.number, self.n

    def stored(self, *, unsaved: bool = False) -> StoredCredentials | None:
        """For the session; None after a logout."""
        if self.credentials is None:
            return None
        return StoredCredentials(self.credentials, self.version, self.saved_at, unsaved)


NOTHING = State(0, 0)
