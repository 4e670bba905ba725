"""The servers in use: whether they can be reached, what time they have, and whether the token is accepted."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import time
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from litellm_qwen_ai._version import USER_AGENT
from litellm_qwen_ai.cli.check import check_token
from litellm_qwen_ai.cli.facts import span
from litellm_qwen_ai.names import DEFAULT_API_BASE
from litellm_qwen_ai.oauth import QwenAuthError, network
from litellm_qwen_ai.oauth.transport import exchange, host_of
from litellm_qwen_ai.oauth.urls import checked_url
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
    yield from _variables()
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
    host, begun = host_of(base_url), time.time()
    try:
        proxy = network.current().proxy_for(base_url)
        way = f" through the proxy {proxy}" if proxy else " over TLS" if base_url.startswith("https:") else ""
        answer = exchange("GET", base_url, {"user-agent": USER_AGENT}, timeout=TIMEOUT, most=0)
    except network.NetworkError as error:
        return _Reached(host, way, fault=error.fault, fix=error.fix)
    now = time.time()
    return _Reached(host, way, answer.status, skew=_skew(answer.headers.get("date"), (begun + now) / 2))


def _variables() -> Iterator[Finding]:
    """What is odd about the variables that say how servers are reached."""
    way = network.Network.from_environment()
    if way.trust is False:
        yield Finding(
            "Network",
            WARN,
            f"certificates are not checked: {way.said_by} is False",
            "Let it name a file with the certificate of your own authority instead",
        )
    for name in ("SSL_VERIFY", "SSL_CERT_FILE"):
        value = os.environ.get(name, "").strip()
        if value and value.lower() not in {"true", "false"} and not network.is_there(value):
            yield Finding(
                "Network",
                WARN,
                f"{name} names no file, so it is ignored, here as by LiteLLM: {value}",
                "Mend it or unset it",
            )
    speaks_socks = os.environ.get("DISABLE_AIOHTTP_TRANSPORT", "").strip().lower() == "true"
    if not speaks_socks and any(proxy.address.startswith("socks") for _, proxy in way.proxies):
        yield Finding(
            "Network",
            WARN,
            "a SOCKS proxy serves logins and synchronous calls; LiteLLM's asynchronous ones speak no SOCKS",
            "Set DISABLE_AIOHTTP_TRANSPORT=True",
        )
    for entry in way.direct:
        if _breaks_httpx(entry):
            yield Finding(
                "Network",
                WARN,
                f"NO_PROXY holds {entry!r}, which logins pass over, but on which chat may fail: httpx, with "
                "which LiteLLM chats, cannot read it",
                "Write an address without its /number" if "/" in entry else "Take it out",
            )


def _breaks_httpx(entry: str) -> bool:
    """Whether no httpx client can be made, in LiteLLM as anywhere, with this in `NO_PROXY`."""
    import httpx  # noqa: PLC0415  # 200 ms of import that no other command needs

    pattern = f"all://*{entry}"
    with contextlib.suppress(ValueError):
        pattern = (
            f"all://[{entry}]" if ":" in str(ipaddress.ip_network(entry, strict=False)) else "all://1.2.3.4"
        )
    try:
        httpx.URL(pattern)
    except httpx.InvalidURL:
        return True
    return False


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
