"""The three OAuth requests and their answers (RFC 8628, RFC 7636, RFC 6749). Pure: no I/O, no clock.

A builder returns an `OAuthRequest`; a reader takes the `HttpAnswer` and returns what it means, decided by
the HTTP status and the OAuth error code alone. Of an answer's body only the RFC 6749 error fields are
ever shown, and not if they echo a secret of the request or a piece of one.
"""

from __future__ import annotations

import base64
import hashlib
import json
import logging
import math
import secrets
import uuid
import zlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol

from litellm_qwen_ai._version import USER_AGENT
from litellm_qwen_ai.names import SERVICE_NOTICE
from litellm_qwen_ai.oauth.credentials import TOKEN
from litellm_qwen_ai.oauth.errors import (
    ConfigurationError,
    LoginDeniedError,
    LoginError,
    LoginRefusedError,
    LoginTimedOutError,
)
from litellm_qwen_ai.oauth.urls import checked_url, leads_here
from litellm_qwen_ai.redaction import redacted
from litellm_qwen_ai.retry_after import retry_after

if TYPE_CHECKING:
    from collections.abc import Mapping

SCOPE = "openid profile email model.completion"
DEVICE_PATH = "/api/v1/oauth2/device/code"
TOKEN_PATH = "/api/v1/oauth2/token"  # noqa: S105  # a path, not a secret
DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"

DEFAULT_INTERVAL = 5.0  # seconds; RFC 8628 section 3.2
SLOW_DOWN = 5.0  # seconds; RFC 8628 section 3.5
MIN_INTERVAL = 0.1
MAX_INTERVAL = 60.0
DEFAULT_DEVICE_LIFETIME = 900.0  # seconds, what the server says in practice
MAX_DEVICE_LIFETIME = 3600.0
DEFAULT_TOKEN_LIFETIME = 21_600.0  # seconds, what the server says in practice
MAX_TOKEN_LIFETIME = 30 * 86_400.0
MAX_BODY = 256 * 1024  # bytes; a real answer has under 4 kB
_SHOWN = 200  # characters of an error text
_LOOKED_AT = 4096  # characters of it that are searched for a secret: more than are shown, lest half of one is
_PACKED = (b"\x1f", b"\x78")  # how gzip (RFC 1952) and zlib (RFC 1950) begin, and no JSON object
_MAX_TEXT = 2048  # characters of a value that is shown and sent
MAX_RETRY_AFTER = 3600.0  # seconds
_HTTP_OK = 200
_REFUSALS = frozenset({400, 401})
_TOO_MANY = 429
_log = logging.getLogger(__name__)
_PASSING = frozenset({"slow_down", "temporarily_unavailable", "server_error"})


class Catcher(Protocol):
    """Keeps an answer's body where the end of this process does not reach it."""

    def expect(self) -> None:
        """A new answer begins: forget what came before. Never fails."""

    def catch(self, piece: bytes) -> None:
        """Keep the next bytes. Never fails."""


@dataclass(frozen=True, slots=True)
class OAuthRequest:
    """A form to post. The form is left out of the repr: it holds secrets. Headers have names in lower case.

    The catcher gets the body of an answer with status 200 as it comes, before anybody reads it.
    """

    url: str
    headers: Mapping[str, str]
    form: Mapping[str, str] = field(repr=False)
    catcher: Catcher | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """An answer as it came, with at most `MAX_BODY` bytes of its body; that is left out of the repr.

    Headers have names in lower case. The URL is what was asked; empty if that is not known.
    """

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    url: str = ""


@dataclass(frozen=True, slots=True)
class Pkce:
    """A PKCE pair (RFC 7636, S256): 43 random characters as the verifier, unless one is given."""

    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)

    @property
    def challenge(self) -> str:
        """The SHA-256 of the verifier."""
        digest = hashlib.sha256(self.verifier.encode()).digest()
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


@dataclass(frozen=True, slots=True)
class DeviceCode:
    """What the server gave us to show (RFC 8628 section 3.2).

    Attributes:
        user_code: What the user compares or types.
        verification_uri: The page's address.
        verification_uri_complete: The same with the code filled in; to be shown and opened byte for byte.
        expires_in: Seconds until the code dies.
        interval: Seconds between two polls.
        device_code: The secret that polls; masked.
        code_verifier: The PKCE verifier that goes with it; masked.
        waited: Seconds since it was asked for, if that was done for a login which this one joins; else None.
    """

    user_code: str
    verification_uri: str
    verification_uri_complete: str | None
    expires_in: float
    interval: float
    device_code: str = field(repr=False)
    code_verifier: str = field(repr=False)
    waited: float | None = None

    @property
    def link(self) -> str:
        """The address to show and to open."""
        return self.verification_uri_complete or self.verification_uri


@dataclass(frozen=True, slots=True)
class TokenAnswer:
    """New tokens (RFC 6749 section 5.1). A field that the answer lacked is None.

    The repr shows no text that the server chose: it could repeat a secret.
    """

    access_token: str = field(repr=False)
    refresh_token: str | None = field(repr=False)
    expires_in: float
    token_type: str | None = field(default=None, repr=False)
    resource_url: str | None = field(default=None, repr=False)
    scope: str | None = field(default=None, repr=False)
    id_token: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Pending:
    """Not approved yet: poll again after the interval; if `slower`, it is five seconds longer from now on."""

    slower: bool = False


@dataclass(frozen=True, slots=True)
class Inconclusive:
    """The answer decides nothing (server trouble, a web page, no network); what we hold stays good."""

    reason: str
    retry_after: float | None = None  # seconds that the server asked us to wait, if it did


@dataclass(frozen=True, slots=True)
class Rotated:
    """The old refresh token is spent and its successor came, but no access token that can be used."""

    refresh_token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Refused:
    """The server takes this refresh token no more."""

    reason: str


def device_request(base_url: str, client_id: str, pkce: Pkce) -> OAuthRequest:
    """Ask for a device code (RFC 8628 section 3.1, with PKCE)."""
    form = {
        "client_id": client_id,
        "scope": SCOPE,
        "code_challenge": pkce.challenge,
        "code_challenge_method": "S256",
    }
    request = _request(base_url + DEVICE_PATH, form)
    return replace(request, headers={**request.headers, "x-request-id": str(uuid.uuid4())})


def poll_request(base_url: str, client_id: str, code: DeviceCode) -> OAuthRequest:
    """Ask whether the user has approved (RFC 8628 section 3.4)."""
    form = {
        "grant_type": DEVICE_GRANT,
        "client_id": client_id,
        "device_code": code.device_code,
        "code_verifier": code.code_verifier,
    }
    return _request(base_url + TOKEN_PATH, form)


def refresh_request(base_url: str, client_id: str, refresh_token: str) -> OAuthRequest:
    """Trade a refresh token for new tokens (RFC 6749 section 6)."""
    form = {"grant_type": "refresh_token", "refresh_token": refresh_token, "client_id": client_id}
    return _request(base_url + TOKEN_PATH, form)


def read_device_answer(answer: HttpAnswer, pkce: Pkce) -> DeviceCode:
    """Read the answer to `device_request`.

    Raises:
        LoginRefusedError: It holds no device code: an OAuth error under any status, a web page, a bad value.
    """
    body = json_object(answer.body)
    if body is None or "error" in body or answer.status != _HTTP_OK:
        reason = _describe(answer, (pkce.verifier,))
        raise LoginRefusedError(f"The server did not start a login: {reason} {SERVICE_NOTICE}")
    device_code = _text(body, "device_code")
    user_code = _text(body, "user_code")
    page = _text(body, "verification_uri")
    link = _text(body, "verification_uri_complete")
    if device_code is None or user_code is None or page is None:
        raise LoginRefusedError(
            "The server's answer lacks a device code, a user code or the page's address. Try again later."
        )
    for address in filter(None, (page, link)):
        _check_page(address)
    return DeviceCode(
        user_code=user_code,
        verification_uri=page,
        verification_uri_complete=link,
        expires_in=_seconds(body.get("expires_in"), DEFAULT_DEVICE_LIFETIME, MAX_DEVICE_LIFETIME),
        interval=_seconds(body.get("interval"), DEFAULT_INTERVAL, MAX_INTERVAL, least=MIN_INTERVAL),
        device_code=device_code,
        code_verifier=pkce.verifier,
    )


def _check_page(address: str) -> None:
    """It is opened in a browser, so it has to be a web page; its query must stay untouched."""
    try:
        checked_url(address.partition("?")[0], "the approval page's address")
    except ConfigurationError as error:  # the server's: no setting of ours is wrong
        raise LoginRefusedError(f"The server did not start a login: {error} {SERVICE_NOTICE}") from None


def read_poll_answer(answer: HttpAnswer, code: DeviceCode) -> TokenAnswer | Pending | Inconclusive:
    """Read the answer to `poll_request`.

    Raises:
        LoginDeniedError: The user refused.
        LoginTimedOutError: The device code expired.
        LoginRefusedError: Any other OAuth error that ends a login, or a token that no header can hold.
    """
    body = json_object(answer.body)
    error = body.get("error") if body is not None else None
    if error == "authorization_pending" and answer.status in {_HTTP_OK, 400}:
        return Pending()
    if error == "slow_down" and answer.status in {_HTTP_OK, 400, _TOO_MANY}:
        return Pending(slower=True)
    if answer.status == _HTTP_OK and body is not None and error is None:
        return _granted(body, answer.url)
    # No name for the secrets: a traceback with locals would show them.
    reason = _describe(answer, (code.device_code, code.code_verifier))
    ends_login = isinstance(error, str) and answer.status in {_HTTP_OK, 400, 403}
    if ends_login or answer.status == 401:  # noqa: PLR2004  # the protocol names the status
        raise _login_ended(error, reason)
    return _inconclusive(reason, answer)


def read_refresh_answer(
    answer: HttpAnswer, refresh_token: str
) -> TokenAnswer | Rotated | Refused | Inconclusive:
    """Read the answer to `refresh_request`.

    Only 400 or 401 with an OAuth error code refuse the token; everything else passes.
    """
    body = json_object(answer.body)
    reason = _describe(answer, (refresh_token,))
    if body is None:
        return _inconclusive(reason, answer)
    error = body.get("error")
    if isinstance(error, str) and error and answer.status in _REFUSALS and error not in _PASSING:
        return Refused(reason)
    tokens = _tokens(body, answer.url) or _rotated(body, refresh_token)
    if tokens is not None and answer.status == _HTTP_OK and error is None:
        return tokens
    return _inconclusive(reason, answer)


def _inconclusive(reason: str, answer: HttpAnswer) -> Inconclusive:
    wait = retry_after(answer.headers)
    return Inconclusive(reason, None if wait is None else min(wait, MAX_RETRY_AFTER))


def _request(url: str, form: Mapping[str, str]) -> OAuthRequest:
    headers = {
        "accept": "application/json",
        "content-type": "application/x-www-form-urlencoded",
        "user-agent": USER_AGENT,
    }
    return OAuthRequest(url, headers, form)


def _granted(body: Mapping[str, Any], url: str) -> TokenAnswer | Pending:
    if body.get("access_token") in (None, ""):
        return Pending()
    tokens = _tokens(body, url)
    if tokens is None:
        raise LoginRefusedError(
            "The server approved the login but sent a token that cannot be used. Try again."
        )
    return tokens


def _login_ended(error: object, reason: str) -> LoginError:
    if error == "access_denied":
        return LoginDeniedError(
            "The login was refused on the approval page. Start again if that was a mistake."
        )
    if error == "expired_token":
        return LoginTimedOutError("The code expired before it was approved. Start again for a new one.")
    return LoginRefusedError(f"The server ended the login: {reason} {SERVICE_NOTICE}")


def _tokens(body: Mapping[str, Any], url: str) -> TokenAnswer | None:
    """The tokens of a successful answer; None when the access token cannot be used."""
    access = _token(body, "access_token")
    if access is None:
        return None
    resource_url = _text(body, "resource_url")
    if resource_url is not None and leads_here(resource_url) and url and not leads_here(url):
        _log.warning("The server sent the login to this machine, where it has no business: left out.")
        resource_url = None
    return TokenAnswer(
        access_token=access,
        refresh_token=_token(body, "refresh_token"),
        expires_in=_seconds(body.get("expires_in"), DEFAULT_TOKEN_LIFETIME, MAX_TOKEN_LIFETIME),
        token_type=_text(body, "token_type"),
        resource_url=resource_url,
        scope=_text(body, "scope"),
        id_token=_token(body, "id_token"),
    )


def _rotated(body: Mapping[str, Any], spent: str) -> Rotated | None:
    successor = _token(body, "refresh_token")
    return None if successor in {None, spent} else Rotated(successor or "")


def json_object(body: bytes) -> dict[str, Any] | None:
    """The JSON object that an answer's body is; None if it is none, or not all of it is there."""
    try:
        # A server may pack it (gzip or zlib) although it was asked not to.
        if body[:1] in _PACKED:
            # No further than a real answer goes: some kilobytes may unpack to gigabytes.
            body = zlib.decompressobj(zlib.MAX_WBITS | 32).decompress(body, MAX_BODY)
        value = json.loads(body)
    except (ValueError, RecursionError, zlib.error):
        return None
    return _Body(value) if isinstance(value, dict) else None


class _Body(dict[str, Any]):
    """Its repr is masked, for the sake of tracebacks with locals."""

    def __repr__(self) -> str:
        return "{***}"


def _text(body: Mapping[str, Any], key: str) -> str | None:
    """A string that can be shown and sent: printable, not empty, of a sane length."""
    value = body.get(key)
    usable = isinstance(value, str) and 0 < len(value) <= _MAX_TEXT and value.isprintable()
    return value if usable else None


def _token(body: Mapping[str, Any], key: str) -> str | None:
    """A string that an HTTP header can hold (RFC 6749 appendix A.12)."""
    value = body.get(key)
    return value if isinstance(value, str) and TOKEN.fullmatch(value) else None


def _seconds(value: Any, default: float, most: float, *, least: float = 1.0) -> float:
    """A span in seconds, between `least` and `most`; anything that is no positive number is `default`."""
    try:
        number = 0.0 if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        return default
    return max(least, min(number, most)) if 0 < number < math.inf else default


def _describe(answer: HttpAnswer, secret: tuple[str, ...]) -> str:
    """One sentence on an answer that was not a success; of the body only the OAuth error fields."""
    body = json_object(answer.body)
    if body is not None and isinstance(body.get("error"), str):
        named = [_shown(body.get(key), secret) for key in ("error", "error_description")]
        told = ": ".join(text for text in named if text)
        return f"HTTP {answer.status}, {told}." if told else f"HTTP {answer.status}."
    if 300 <= answer.status < 400:  # noqa: PLR2004  # the range of redirects
        return f"HTTP {answer.status}, a redirect, which is not followed."
    if answer.status == _TOO_MANY:
        return "HTTP 429, too many requests. Wait a little and try again."
    if answer.body.lstrip()[:1] == b"<":
        what = "perhaps a firewall's captcha" if answer.status == _HTTP_OK else "the service is out of order"
        return f"HTTP {answer.status} with a web page instead of JSON ({what}). Try again later."
    if not answer.body.strip():
        return f"HTTP {answer.status} with an empty body. Try again later."
    return f"HTTP {answer.status} without a usable answer. Try again later."


def _shown(value: object, secret: tuple[str, ...]) -> str:
    if not isinstance(value, str):
        return ""
    # Looked through as it would be shown: an invisible character inside must not hide a secret.
    visible = "".join(char for char in value[:_LOOKED_AT] if char.isprintable())
    # A text that repeats one secret may hold others that we do not know of: none of it is shown.
    return visible[:_SHOWN].strip().rstrip(".") if redacted(visible, secret) == visible else ""
