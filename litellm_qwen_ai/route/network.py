"""What LiteLLM was told about the network: for logins and renewals too, and in the errors of chat."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import proxy_bypass_environment  # type: ignore[attr-defined]  # typeshed lacks it

import httpx

from litellm_qwen_ai.oauth import network
from litellm_qwen_ai.oauth.network import Network, TransportError, current, setting
from litellm_qwen_ai.route.private_names import look_up

if TYPE_CHECKING:
    from litellm_qwen_ai.oauth.network import Proxy

_WHERE = "litellm.ssl_verify, SSL_VERIFY or SSL_CERT_FILE"


def as_litellm_has_it() -> Network:
    """The network of a program that uses LiteLLM, as both are told now: a proxy reads its config late.

    Raises:
        TransportError: The file of certificates, or the list of ciphers, cannot be used.
    """
    found = Network.from_environment()
    configure = look_up("litellm.llms.custom_httpx.http_handler.get_ssl_configuration")
    if configure is None:
        return found
    fix = "Name a readable file of certificates (PEM), and ciphers as OpenSSL lists them"
    with setting(f"What {_WHERE} or SSL_SECURITY_LEVEL names", fix):
        trust = configure()
    certificate = os.environ.get("SSL_CERTIFICATE") or look_up("litellm.ssl_certificate")
    return replace(found, trust=trust, said_by=_WHERE, certificate=certificate, ciphers=None)


def way_of_chat(url: str, error: BaseException) -> tuple[str, list[str]]:
    """What to say of the way that a failed chat call took, and the secrets that are on it.

    Args:
        url: Where the call went.
        error: What came of it.
    """
    here = Network.from_environment()
    secrets = [secret for _, proxy in here.proxies for secret in proxy.secrets()]
    proxy = _proxy_of_chat(here, url)
    through = f"The way there is through the proxy {proxy}. " if proxy else ""
    if proxy and proxy.address.startswith("socks") and _is_of_aiohttp(error):
        return (
            f"{through}aiohttp, which asynchronous calls use, speaks no SOCKS: {network.AIOHTTP_OFF}.",
            secrets,
        )
    try:
        known = current()
        if not isinstance(error, (httpx.TransportError, TimeoutError)):
            # No client could be made: LiteLLM's hold all proxies. Ours fails of the same and says the name.
            for scheme in ("https", "http"):
                replace(known, direct=()).client(f"{scheme}://any.invalid", 1).close()
        if isinstance(error, httpx.InvalidURL) and (faults := [*known.faults_of_no_proxy()]):
            return " ".join(f"{told}. {fix}." for told, fix in faults), secrets
        if through or not isinstance(error, (httpx.TimeoutException, TimeoutError)):
            return f"{through}{known.explained(error, proxy).fix}.", secrets
    except TransportError as refused:
        return f"{refused}.", secrets
    return "", secrets


def _is_of_aiohttp(error: BaseException | None) -> bool:
    while error is not None and not type(error).__module__.startswith("aiohttp"):
        error = error.__cause__ or error.__context__
    return error is not None


def _proxy_of_chat(here: Network, url: str) -> Proxy | None:
    """The proxy by the rule of LiteLLM's clients: no networks in `NO_PROXY`, and loopback is not exempt."""
    parts, proxies = urlsplit(url), dict(here.proxies)
    if proxy_bypass_environment(parts.hostname or ""):
        return None
    return proxies.get(parts.scheme) or proxies.get("all")
