"""The servers in use: whether they can be reached, what time they have, and whether the token is accepted."""

from __future__ import annotations

import socket
import ssl
import time
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from litellm_qwen_ai._version import USER_AGENT
from litellm_qwen_ai.cli.check import check_token
from litellm_qwen_ai.cli.facts import span
from litellm_qwen_ai.names import DEFAULT_API_BASE
from litellm_qwen_ai.oauth import QwenAuthError
from litellm_qwen_ai.oauth.urls import checked_url, is_loopback
from litellm_qwen_ai.stores.finding import FAIL, OK, WARN, Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from litellm_qwen_ai.oauth.credentials import Credentials
    from litellm_qwen_ai.oauth.door import Store
    from litellm_qwen_ai.settings import Settings

TIMEOUT = 5.0  # seconds, for one host
_SKEW_TO_MIND = 60.0  # seconds
_SERVER_FAULT = 500
_STATES = {"accepted": OK, "unknown": WARN, "refused": FAIL}


def ask(settings: Settings, store: Store) -> Iterator[Finding]:
    """One request without a secret to each server that is configured; then the free check of a live token."""
    key = settings.api_key is not None
    credentials = _credentials(store)
    try:
        oauth = checked_url(settings.oauth_base_url, "QWEN_OAUTH_BASE_URL")
    except QwenAuthError as error:
        yield Finding("OAuth server", FAIL, str(error), "Unset QWEN_OAUTH_BASE_URL, or mend it")
    else:
        reached = _reach(oauth)
        yield reached.finding("OAuth server")
        if reached.skew is not None:
            yield _clock(reached.skew)
    try:
        chat = settings.api_base or (None if key or credentials is None else credentials.api_base)
    except QwenAuthError as error:
        yield Finding("Chat server", FAIL, str(error), f"{store.login_command} --force")
        return
    if chat is None and credentials is None and not key:
        return  # without a login nothing is sent anywhere
    base = chat or DEFAULT_API_BASE
    yield _reach(base).finding("Chat server")
    if not key and credentials is not None and credentials.seconds_left(time.time()) > 0:
        verdict = check_token(base, credentials.access_token, timeout=TIMEOUT)
        fix = "litellm-qwen-ai doctor --call tries it" if verdict.result == "unknown" else None
        yield Finding("Token", _STATES[verdict.result], verdict.message, fix)


@dataclass(frozen=True, slots=True)
class _Reached:
    """What came of a request to a server.

    Attributes:
        host: Its name, and port if it has one.
        way: How it was gone to, in brackets.
        status: The HTTP status; None if there was no answer.
        fault: Why not.
        fix: What to do about that.
        skew: Seconds by which our clock is ahead of the server's, if that said its time.
    """

    host: str
    way: str
    status: int | None = None
    fault: str = ""
    fix: str = ""
    skew: float | None = None

    def finding(self, name: str) -> Finding:
        if self.status is None:
            return Finding(name, FAIL, f"{self.host} cannot be reached{self.way}: {self.fault}", self.fix)
        if self.status >= _SERVER_FAULT:
            return Finding(
                name,
                WARN,
                f"{self.host} is reached{self.way}, but answers HTTP {self.status}",
                "Try again later",
            )
        return Finding(name, OK, f"{self.host} is reached{self.way}")


def _reach(base_url: str) -> _Reached:
    import httpx  # noqa: PLC0415  # 200 ms of import that no other command needs

    parts = urlsplit(base_url)
    loopback = is_loopback(parts.hostname or "")
    proxy = None if loopback else _proxy_for(parts.scheme, parts.hostname or "")
    way = f" through the proxy {proxy}" if proxy else " over TLS" if parts.scheme == "https" else ""
    begun = time.time()
    try:
        with (
            httpx.Client(timeout=TIMEOUT, follow_redirects=False, trust_env=not loopback) as client,
            client.stream("GET", base_url, headers={"user-agent": USER_AGENT}) as response,
        ):
            now = time.time()
            skew = _skew(response.headers.get("date"), (begun + now) / 2)
            return _Reached(parts.netloc, way, response.status_code, skew=skew)
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
        fault, fix = _explained(error, behind_proxy=proxy is not None)
        return _Reached(parts.netloc, way, fault=fault, fix=fix)


def _proxy_for(scheme: str, host: str) -> str | None:
    """The proxy of the environment, without the password that it may hold."""
    found = getproxies()
    address = found.get(scheme) or found.get("all")
    if not address or proxy_bypass(host):
        return None
    parts = urlsplit(address if "://" in address else f"//{address}")
    return f"{parts.hostname}:{parts.port}" if parts.port else parts.hostname


def _explained(error: BaseException, *, behind_proxy: bool) -> tuple[str, str]:
    """What went wrong on the way, and what to do; never the error's whole text."""
    causes: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in causes:
        causes.append(cause)
        cause = cause.__cause__ or cause.__context__
    check_proxy = "Check HTTPS_PROXY and NO_PROXY" if behind_proxy else ""
    if any(isinstance(one, socket.gaierror) for one in causes):
        return "its name is not known to the DNS", check_proxy or "Check the network, the DNS and the name"
    if any(isinstance(one, ssl.SSLCertVerificationError) for one in causes):
        return (
            "its certificate is not trusted",
            "If your network inspects TLS, set SSL_CERT_FILE to its certificate; check the clock too",
        )
    if any(isinstance(one, ssl.SSLError) for one in causes):
        return "TLS failed", check_proxy or "Check the address, and what stands between"
    if any("Timeout" in type(one).__name__ for one in causes):
        return f"no answer within {TIMEOUT:g} s", check_proxy or "Check the network and any firewall"
    if any(isinstance(one, ConnectionRefusedError) for one in causes):
        return "the connection was refused", check_proxy or "Check the address"
    return type(error).__name__, check_proxy or "Check the network and any proxy"


def _skew(date: str | None, now: float) -> float | None:
    try:
        return now - parsedate_to_datetime(date).timestamp() if date else None
    except (ValueError, TypeError):
        return None


def _clock(skew: float) -> Finding:
    if abs(skew) < _SKEW_TO_MIND:
        return Finding("Clock", OK, "agrees with the server's")
    side = "ahead of" if skew > 0 else "behind"
    return Finding("Clock", WARN, f"{span(abs(skew))} {side} the server's", "Set this machine's clock (NTP)")


def _credentials(store: Store) -> Credentials | None:
    try:
        stored = store.look()
    except QwenAuthError:
        return None  # said already
    return stored.credentials if stored else None
