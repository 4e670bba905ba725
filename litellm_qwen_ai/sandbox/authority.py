"""The sandbox's memory of device codes and tokens: what the real OAuth server knows, with an injected clock.

Follows RFC 8628 (device grant), RFC 7636 (PKCE) and RFC 6749 section 6 (refresh), with Qwen's own answers
where they differ.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

CLIENT_ID = "f0304373b74a44d2b584a3fb70ca9e56"  # public: a device client has no secret
SCOPE = "openid profile email model.completion"
_CHAT = "model.completion"  # the scope that chat is for
DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
DEFAULT_INTERVAL = 5.0  # seconds; RFC 8628 section 3.2 for an answer that names none
SLOW_DOWN_STEP = 5.0  # seconds; RFC 8628 section 3.5
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")
_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")
_POLL_SLACK = 0.05  # seconds; a client whose timer fires a little early is not impolite


class OAuthRefusal(Exception):  # noqa: N818  # RFC 6749 calls it a refusal of the request, not a fault here
    """The request is answered with an OAuth error.

    Attributes:
        status: The HTTP status.
        error: The RFC 6749 error code.
        description: The `error_description`.
    """

    def __init__(self, status: int, error: str, description: str) -> None:
        super().__init__(f"{status} {error}: {description}")
        self.status = status
        self.error = error
        self.description = description


@dataclass(slots=True)
class DeviceGrant:
    """One device code and what became of it (`pending`, `approved`, `denied` or `used`)."""

    device_code: str
    user_code: str
    challenge: str
    scope: str
    expires_at: float
    interval: float
    decision: str = "pending"
    polled_at: float | None = None


@dataclass(slots=True)
class _Access:
    family: str
    expires_at: float
    revoked: bool = False


@dataclass(slots=True)
class _Refresh:
    family: str
    scope: str
    alive: bool = True


@dataclass(frozen=True, slots=True)
class Rules:
    """How the authority behaves.

    Attributes:
        client_id: The only client it knows.
        token_lifetime: Seconds an access token lives.
        device_lifetime: Seconds a device code lives.
        interval: Seconds between polls, sent and enforced; None sends none and enforces RFC 8628's five,
            0 sends none and enforces nothing.
        auto_approve: Device codes are approved as they are issued.
        reuse_detection: A refresh token that is used twice kills every token of its login.
    """

    client_id: str = CLIENT_ID
    token_lifetime: float = 21_600
    device_lifetime: float = 900
    interval: float | None = None
    auto_approve: bool = False
    reuse_detection: bool = False


class Authority:
    """Issues, renews and checks tokens. Every method may be called from any thread."""

    def __init__(self, rules: Rules, *, clock: Callable[[], float]) -> None:
        self.rules = rules
        self.clock = clock
        self._lock = threading.RLock()
        self._by_device_code: dict[str, DeviceGrant] = {}
        self._by_user_code: dict[str, DeviceGrant] = {}
        self._access: dict[str, _Access] = {}
        self._refresh: dict[str, _Refresh] = {}

    def start_device(self, form: Mapping[str, str], authorize_url: str) -> dict[str, Any]:
        """Answer a device authorization request (RFC 8628 section 3.1).

        Raises:
            OAuthRefusal: Unknown client or scope, or no S256 challenge.
        """
        self._check_client(form)
        challenge = form.get("code_challenge", "")
        if form.get("code_challenge_method") != "S256" or not _CHALLENGE.fullmatch(challenge):
            raise OAuthRefusal(
                400, "invalid_request", "code_challenge with code_challenge_method=S256 is required"
            )
        scope = form.get("scope", "")
        if not scope:
            raise OAuthRefusal(400, "invalid_request", "scope is required")
        if unknown := set(scope.split()) - set(SCOPE.split()):
            raise OAuthRefusal(400, "invalid_scope", f"There is no scope {', '.join(sorted(unknown))}")
        if _CHAT not in scope.split():
            raise OAuthRefusal(400, "invalid_scope", f"A login for chat needs the scope {_CHAT}")
        interval = self.rules.interval
        grant = DeviceGrant(
            device_code=secrets.token_urlsafe(32),
            user_code=secrets.token_urlsafe(6),  # 8 characters, and now and then a - or _ like the real ones
            challenge=challenge,
            scope=scope,
            expires_at=self.clock() + self.rules.device_lifetime,
            interval=DEFAULT_INTERVAL if interval is None else interval,
            decision="approved" if self.rules.auto_approve else "pending",
        )
        with self._lock:
            self._by_device_code[grant.device_code] = grant
            self._by_user_code[grant.user_code] = grant
        query = urlencode({"user_code": grant.user_code, "client": "qwen-code"})
        answer: dict[str, Any] = {
            "device_code": grant.device_code,
            "user_code": grant.user_code,
            "verification_uri": authorize_url,
            "verification_uri_complete": f"{authorize_url}?{query}",
            "expires_in": _whole(self.rules.device_lifetime),
        }
        if interval:
            answer["interval"] = _whole(interval)
        return answer

    def poll(self, form: Mapping[str, str]) -> dict[str, Any]:
        """Answer a token poll (RFC 8628 section 3.4).

        Raises:
            OAuthRefusal: Not approved yet, polled too fast, denied, expired, or not this login's code.
        """
        self._check_client(form)
        with self._lock:
            grant = self._by_device_code.get(form.get("device_code", ""))
            if grant is None or grant.decision == "used":
                raise OAuthRefusal(400, "invalid_grant", "The device code is not known or was used")
            if not _proves(form.get("code_verifier", ""), grant.challenge):
                raise OAuthRefusal(
                    400, "invalid_grant", "The code_verifier does not match the code_challenge"
                )
            now = self.clock()
            if now >= grant.expires_at:
                raise OAuthRefusal(400, "expired_token", "The device code has expired")
            too_fast = grant.polled_at is not None and now - grant.polled_at < grant.interval - _POLL_SLACK
            grant.polled_at = now
            if too_fast:
                grant.interval += SLOW_DOWN_STEP
                raise OAuthRefusal(429, "slow_down", "The client polls faster than the interval")
            if grant.decision == "denied":
                raise OAuthRefusal(400, "access_denied", "The user denied the request")
            if grant.decision == "pending":
                raise OAuthRefusal(400, "authorization_pending", "The user has not approved the request yet")
            grant.decision = "used"
            return self._issue(grant.scope, family=secrets.token_hex(8), lifetime=None)

    def refresh(self, form: Mapping[str, str], *, rotate: bool = True) -> dict[str, Any]:
        """Answer a refresh (RFC 6749 section 6): the old refresh token dies.

        Args:
            form: The request's fields.
            rotate: False keeps the old refresh token alive and leaves it out of the answer.

        Raises:
            OAuthRefusal: The refresh token is dead or unknown; the words are those of the real server.
        """
        token = form.get("refresh_token", "")
        with self._lock:
            known = self._refresh.get(token)
            if known is None or not known.alive or form.get("client_id") != self.rules.client_id:
                if known is not None and self.rules.reuse_detection:
                    self.revoke(known.family)
                raise OAuthRefusal(400, "invalid_request", "Invalid refresh token or client_id")
            known.alive = not rotate
            return self._issue(known.scope, family=known.family, lifetime=None, refreshable=rotate)

    def issue(self, *, scope: str = SCOPE, lifetime: float | None = None) -> dict[str, Any]:
        """Issue the tokens of a new login without the device flow.

        Args:
            scope: Their scope.
            lifetime: Seconds the access token lives; None for the usual time.

        Returns:
            A token answer (RFC 6749 section 5.1).
        """
        with self._lock:
            return self._issue(scope, family=secrets.token_hex(8), lifetime=lifetime)

    def accepts(self, access_token: str) -> bool:
        """Say whether the chat endpoint takes this access token now."""
        with self._lock:
            known = self._access.get(access_token)
            return known is not None and not known.revoked and self.clock() < known.expires_at

    def secrets_issued(self) -> set[str]:
        """Every access token, refresh token and device code so far, dead ones included."""
        with self._lock:
            return {*self._access, *self._refresh, *self._by_device_code}

    def accepts_refresh(self, refresh_token: str) -> bool:
        """Say whether a refresh with this token would be answered."""
        with self._lock:
            known = self._refresh.get(refresh_token)
            return known is not None and known.alive

    def expire_access_tokens(self) -> int:
        """Let every access token expire now; refresh tokens stay. Returns how many were alive."""
        with self._lock:
            alive = [one for one in self._access.values() if self.clock() < one.expires_at]
            for one in alive:
                one.expires_at = self.clock()
            return len(alive)

    def revoke(self, family: str | None = None) -> None:
        """Kill every token, or those of one login."""
        with self._lock:
            for access in self._access.values():
                access.revoked = access.revoked or family in (None, access.family)
            for refresh in self._refresh.values():
                refresh.alive = refresh.alive and family not in (None, refresh.family)

    def find(self, user_code: str) -> DeviceGrant | None:
        """Return the grant of a user code, if there is one."""
        with self._lock:
            return self._by_user_code.get(user_code)

    def pending(self) -> list[DeviceGrant]:
        """Return the grants that wait for a decision, oldest first."""
        with self._lock:
            now = self.clock()
            return [
                g for g in self._by_device_code.values() if g.decision == "pending" and now < g.expires_at
            ]

    def decide(self, user_code: str | None, decision: str) -> str:
        """Approve or deny a device code.

        Args:
            user_code: The user code; None for the one that was issued last and still waits.
            decision: `approved` or `denied`.

        Returns:
            The user code that was decided.

        Raises:
            LookupError: There is no such code, or it is decided or expired.
        """
        with self._lock:
            waiting = self.pending()
            grant = waiting[-1] if user_code is None and waiting else self._by_user_code.get(user_code or "")
            if grant is None:
                raise LookupError(
                    "No device code waits for approval"
                    if user_code is None
                    else f"No such user code: {user_code!r}"
                )
            if grant not in waiting:
                state = "expired" if grant.decision == "pending" else grant.decision
                raise LookupError(f"The user code {grant.user_code!r} is already {state}")
            grant.decision = decision
            return grant.user_code

    def _issue(
        self, scope: str, *, family: str, lifetime: float | None, refreshable: bool = True
    ) -> dict[str, Any]:
        seconds = self.rules.token_lifetime if lifetime is None else lifetime
        access_token = secrets.token_urlsafe(48)
        self._access[access_token] = _Access(family, self.clock() + seconds)
        answer: dict[str, Any] = {"access_token": access_token, "token_type": "Bearer"}
        if refreshable:
            answer["refresh_token"] = secrets.token_urlsafe(48)
            self._refresh[answer["refresh_token"]] = _Refresh(family, scope)
        return {**answer, "expires_in": _whole(seconds), "scope": scope}

    def _check_client(self, form: Mapping[str, str]) -> None:
        if form.get("client_id") != self.rules.client_id:
            raise OAuthRefusal(401, "invalid_client", "Client authentication failed: unknown client_id")


def _proves(verifier: str, challenge: str) -> bool:
    """RFC 7636 section 4.6 with S256."""
    if not _VERIFIER.fullmatch(verifier):
        return False
    digest = hashlib.sha256(verifier.encode("ascii")).digest()
    return hmac.compare_digest(base64.urlsafe_b64encode(digest).rstrip(b"=").decode(), challenge)


def _whole(seconds: float) -> int | float:
    return int(seconds) if float(seconds).is_integer() else seconds
