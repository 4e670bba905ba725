"""When a token is due for renewal: two windows before its end.

Inside the *advisory* window the token is still served while one flight renews it; inside the *mandatory* one
callers wait. Both shrink with a short lifetime, so that a token of a minute is not renewed on every call.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from litellm_qwen_ai.oauth.protocol import DEFAULT_TOKEN_LIFETIME

if TYPE_CHECKING:
    from litellm_qwen_ai.oauth.door import StoredCredentials

ADVISORY = 900.0  # seconds: longer than a process that has stopped in the middle of a renewal is waited for
MANDATORY = 30.0  # seconds
_ADVISORY_SHARE = 0.2  # of the lifetime: the whole windows apply from 75 minutes on
_MANDATORY_SHARE = 0.02


@dataclass(frozen=True, slots=True)
class Due:
    """The two moments of a token, in epoch seconds.

    Attributes:
        renew_at: From here on it should be renewed.
        wait_at: From here on callers wait for the new one.
    """

    renew_at: float
    wait_at: float

    @classmethod
    def at(cls, expires_at: float, lifetime: float) -> Due:
        """The moments of a token that dies at `expires_at` (epoch seconds) after `lifetime` seconds."""
        lifetime = max(lifetime, 0.0)
        return cls(
            renew_at=expires_at - min(ADVISORY, lifetime * _ADVISORY_SHARE),
            wait_at=expires_at - min(MANDATORY, lifetime * _MANDATORY_SHARE),
        )

    @classmethod
    def of(cls, stored: StoredCredentials) -> Due:
        """The moments of stored credentials; they were written when the token was new."""
        expires_at = stored.credentials.expiry_date / 1000
        if stored.saved_at is None:
            return cls.at(expires_at, DEFAULT_TOKEN_LIFETIME)
        return cls.at(expires_at, expires_at - stored.saved_at)
