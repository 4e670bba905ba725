"""What a session keeps in memory: the login, and why the last renewal failed."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from litellm_qwen_ai.oauth.due import Due
from litellm_qwen_ai.oauth.errors import (
    QwenAuthError,
    RefreshError,
)

if TYPE_CHECKING:
    from litellm_qwen_ai.oauth.credentials import Credentials
    from litellm_qwen_ai.oauth.door import StoredCredentials


@dataclass(frozen=True, slots=True)
class Held:
    """The login in memory, with its moments in epoch seconds; they lie in the past for a rejected token."""

    stored: StoredCredentials
    credentials: Credentials
    renew_at: float
    wait_at: float
    dies_at: float

    @classmethod
    def of(cls, stored: StoredCredentials, rejected: str | None) -> Held:
        """The login as it was read or written.

        Args:
            stored: The login.
            rejected: The access token that the chat server refused last, if it did.
        """
        due = Due.of(stored)
        held = cls(
            stored, stored.credentials, due.renew_at, due.wait_at, stored.credentials.expiry_date / 1000
        )
        return held.as_rejected() if held.credentials.access_token == rejected else held

    def as_rejected(self) -> Held:
        """The same, with a token that is not to be served again."""
        return replace(self, renew_at=-math.inf, wait_at=-math.inf, dies_at=-math.inf)


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a renewal failed, and until when (monotonic seconds) none is tried with the same stored login."""

    kind: type[QwenAuthError]
    message: str
    version: object
    until: float

    def error(self, now: float) -> QwenAuthError:
        """A new error each time: one that is raised again and again collects tracebacks.

        Args:
            now: Monotonic seconds.
        """
        if issubclass(self.kind, RefreshError):
            return self.kind(self.message, retry_after=max(0.0, self.until - now))
        return self.kind(self.message)
