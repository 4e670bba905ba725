"""What a session keeps in memory: the login and when it is due for renewal.

A token is due in two windows before its end. Inside the *advisory* one it is still served while one flight
renews it; inside the *mandatory* one callers wait. Both shrink with a short lifetime, so that a token of a
minute is not renewed on every call.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from litellm_qwen_ai.oauth.protocol import DEFAULT_TOKEN_LIFETIME

if TYPE_CHECKING:
    from litellm_qwen_ai.oauth.credentials import Credentials
    from litellm_qwen_ai.oauth.door import StoredCredentials

ADVISORY = 900.0  # seconds: longer than a process that has stopped in the middle of a renewal is waited for
MANDATORY = 30.0  # seconds
ADVISORY_SHARE = 0.2  # of the lifetime: the whole windows apply from 75 minutes on
_MANDATORY_SHARE = 0.02


@dataclass(frozen=True, slots=True)
class Held:
    """The login in memory, with its moments in epoch seconds; they lie in the past for a rejected token.

    Attributes:
        renew_at: From here on it should be renewed.
        wait_at: From here on callers wait for the new one.
        dies_at: The end of the access token.
    """

    stored: StoredCredentials
    credentials: Credentials
    renew_at: float
    wait_at: float
    dies_at: float

    @classmethod
    def of(cls, stored: StoredCredentials, rejected: str | None = None) -> Held:
        """The login as it was read or written; `rejected` is the access token that was refused last."""
        credentials = stored.credentials
        dies_at = credentials.dies_at
        if math.isinf(dies_at):  # a key: nobody can renew it, so it serves whatever a server said of it
            return cls(stored, credentials, dies_at, dies_at, dies_at)
        if credentials.access_token == rejected:
            return cls(stored, credentials, -math.inf, -math.inf, -math.inf)
        # It was written when the token was new.
        lifetime = DEFAULT_TOKEN_LIFETIME if stored.saved_at is None else max(0.0, dies_at - stored.saved_at)
        renew_at = dies_at - min(ADVISORY, lifetime * ADVISORY_SHARE)
        return cls(
            stored, credentials, renew_at, dies_at - min(MANDATORY, lifetime * _MANDATORY_SHARE), dies_at
        )
