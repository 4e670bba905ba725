"""The servers in use: whether they can be reached, what time they have, and whether the token is accepted."""

from __future__ import annotations

import os
import time
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from litellm_qwen_ai._version import USER_AGENT
from litellm_qwen_ai.oauth import QwenAuthError, network
from litellm_qwen_ai.oauth.check import check_credentials, check_key
from litellm_qwen_ai.oauth.transport import exchange, host_of
from litellm_qwen_ai.oauth.urls import checked_url
from litellm_qwen_ai.screen import span
from litellm_qwen_ai.stores.finding import FAIL, OK, WARN, Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from litellm_qwen_ai.accounts import LoginState
    from litellm_qwen_ai.settings import Settings

TIMEOUT = 5.0  # seconds, for one host
_SKEW_TO_MIND = 60.0  # seconds
_SERVER_FAULT = 500
_STATES = {"accepted": OK, "unknown": WARN, "refused": FAIL}


def ask(state: LoginState) -> Iterator[Finding]:
    """One request without a secret to each server that is configured; then the free check of a live token."""
    settings, credentials = state.settings, state.credentials
    for told, fix in _oddities():
        yield Finding("Network", WARN, told, fix)
    if state.key_plan is None:  # a key needs no OAuth server
        yield from _oauth(settings)
    if state.base_url is None:
        yield Finding("Chat server", FAIL, str(state.address_problem), f"{state.store.login_command} --force")
        return
    if settings.api_base is None and settings.api_key is None and credentials is None:
        return  # without a login nothing is sent anywhere
    chat = _reach("Chat server", state.base_url)
    yield from chat if state.key_plan else (next(chat),)  # one clock is enough
    if settings.api_key is not None:
        verdict = check_key(state.base_url, settings.api_key, timeout=TIMEOUT)
        how = "Mend QWEN_API_KEY, or unset it" if verdict.result == "refused" else None
        yield Finding("Key", _STATES[verdict.result], f"{verdict.message} (QWEN_API_KEY)", how)
    elif credentials is not None and state.seconds_left > 0:
        what = "Key" if state.key_plan else "Token"
        verdict = check_credentials(state.base_url, credentials, timeout=TIMEOUT)
        how = "litellm-qwen-ai doctor --call tries it" if verdict.result == "unknown" else None
        if state.key_plan and verdict.result == "refused":
            how = f"Replace it: {state.store.login_command} --key"
        yield Finding(what, _STATES[verdict.result], verdict.message, how)


def _oauth(settings: Settings) -> Iterator[Finding]:
    try:
        oauth = checked_url(settings.oauth_base_url, "QWEN_OAUTH_BASE_URL")
    except QwenAuthError as error:
        yield Finding("OAuth server", FAIL, str(error), "Unset QWEN_OAUTH_BASE_URL, or mend it")
    else:
        yield from _reach("OAuth server", oauth)


def _reach(name: str, base_url: str) -> Iterator[Finding]:
    """What came of going there; then how our clock stands beside the server's, if it said its time."""
    host, begun = host_of(base_url), time.time()
    proxy = network.Network.from_environment().proxy_for(base_url)
    way = f" through the proxy {proxy}" if proxy else " over TLS" if base_url.startswith("https:") else ""
    try:
        answer = exchange(base_url, {"user-agent": USER_AGENT}, timeout=TIMEOUT, most=0)
    except network.TransportError as error:
        yield Finding(name, FAIL, f"{host} cannot be reached{way}: {error.fault}", error.fix)
        return
    if answer.status >= _SERVER_FAULT:
        text = f"{host} is reached{way}, but answers HTTP {answer.status}"
        yield Finding(name, WARN, text, "Try again later")
    else:
        yield Finding(name, OK, f"{host} is reached{way}")
    yield from _clock(answer.headers.get("date"), (begun + time.time()) / 2)


def _oddities() -> Iterator[tuple[str, str]]:
    """What is odd about the variables that say how servers are reached, and what to do about it."""
    way = network.Network.from_environment()
    if way.trust is False:
        fix = "Let it name a file with the certificate of your own authority instead"
        yield f"certificates are not checked: {way.said_by} is False", fix
    for name in ("SSL_VERIFY", "SSL_CERT_FILE"):
        value = os.environ.get(name, "").strip()
        if value and value.lower() not in {"true", "false"} and not network.is_there(value):
            told = f"{name} names no file, so LiteLLM ignores it, and so do we: {value}"
            yield told, "Mend it or unset it"
    if os.environ.get("DISABLE_AIOHTTP_TRANSPORT", "").strip().lower() != "true":
        if any(proxy.address.startswith("socks") for _, proxy in way.proxies):
            told = "a SOCKS proxy serves logins and synchronous calls"
            yield f"{told}; LiteLLM's asynchronous ones speak no SOCKS", network.AIOHTTP_OFF
        if way.certificate:
            told = "SSL_CERTIFICATE is shown in logins and synchronous calls"
            yield f"{told}; LiteLLM's asynchronous ones show none", network.AIOHTTP_OFF
    yield from way.faults_of_no_proxy()


def _clock(date: str | None, now: float) -> Iterator[Finding]:
    try:
        skew = now - parsedate_to_datetime(date or "").timestamp()
    except (ValueError, TypeError):  # it sent no date, or nonsense
        return
    if abs(skew) < _SKEW_TO_MIND:
        yield Finding("Clock", OK, "agrees with the server's")
        return
    text = f"{span(abs(skew))} {'ahead of' if skew > 0 else 'behind'} the server's"
    yield Finding("Clock", WARN, text, "Set this machine's clock (NTP)")
