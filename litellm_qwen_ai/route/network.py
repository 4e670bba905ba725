"""What LiteLLM was told about the network, for logins and renewals too."""

from __future__ import annotations

import os
from dataclasses import replace

from litellm_qwen_ai.oauth.network import Network, setting
from litellm_qwen_ai.route.private_names import look_up

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
