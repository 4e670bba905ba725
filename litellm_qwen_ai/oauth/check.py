"""Whether the chat endpoint takes a token, found out without spending anything.

`GET {base}/models` is OpenAI's list of models, which most compatible servers have. An answer that says
nothing about the token (no such list, server trouble, no network) is passed on as just that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from litellm_qwen_ai._version import USER_AGENT
from litellm_qwen_ai.names import SERVICE_NOTICE
from litellm_qwen_ai.oauth.errors import ConfigurationError
from litellm_qwen_ai.oauth.network import TransportError
from litellm_qwen_ai.oauth.protocol import json_object
from litellm_qwen_ai.oauth.transport import exchange, host_of
from litellm_qwen_ai.oauth.urls import checked_url
from litellm_qwen_ai.redaction import redacted

if TYPE_CHECKING:
    from litellm_qwen_ai.oauth.protocol import HttpAnswer

TIMEOUT = 10.0  # seconds
_MAX_BODY = 64 * 1024  # bytes that are read of an error
_MAX_WORDS = 200  # characters of the server's words that are shown
_LOOKED_AT = 4096  # characters of them that are searched for the token: more, lest half of it is shown
_OK, _UNAUTHORIZED, _FORBIDDEN, _TOO_MANY = 200, 401, 403, 429


class Verdict(NamedTuple):
    """What the endpoint said about a token: `accepted`, `refused` or `unknown`, and a sentence for people."""

    result: str
    message: str


def check_token(base_url: str, token: str, *, timeout: float = TIMEOUT) -> Verdict:
    """Ask the endpoint; the whole exchange takes `timeout` seconds at most."""
    try:
        url = f"{checked_url(base_url, 'The base URL')}/models"
    except ConfigurationError as error:
        return Verdict("unknown", f"The token was not tried: {error}")
    headers = {"authorization": f"Bearer {token}", "user-agent": USER_AGENT, "accept": "application/json"}
    try:
        answer = exchange(url, headers, timeout=timeout, most=_MAX_BODY)
    except TransportError as error:
        return Verdict("unknown", f"Whether {host_of(url)} takes the token is not known: {error}.")
    return _read(host_of(url), answer, token)


def _read(host: str, answer: HttpAnswer, token: str) -> Verdict:
    status = answer.status
    code, words = _words(answer.body, token)
    if status == _OK and answer.body.lstrip()[:1] == b"{" and not (code or words):
        return Verdict("accepted", f"{host} takes the token.")
    told = f"HTTP {status}" + (f", {words}" if words else "")
    if status == _UNAUTHORIZED or (status == _FORBIDDEN and code == "invalid_api_key"):
        return Verdict("refused", f"{host} refuses the token ({told}). The login is kept. {SERVICE_NOTICE}")
    if status in {_FORBIDDEN, _TOO_MANY} and "quota" in code:
        return Verdict(
            "refused", f"The quota of this login is spent ({told}). The login is kept. {SERVICE_NOTICE}"
        )
    return Verdict(
        "unknown", f"Whether {host} takes the token is not known: it answered the list of models with {told}."
    )


def _words(body: bytes, token: str) -> tuple[str, str]:
    """The error's code and text, without the token that it may repeat."""
    error = (json_object(body) or {}).get("error")
    if not isinstance(error, dict):
        return "", "a web page" if body.lstrip()[:1] == b"<" else ""
    code, text = error.get("code"), error.get("message")
    shown = "".join(char for char in str(text or "")[:_LOOKED_AT] if char.isprintable())
    return str(code or ""), redacted(shown, [token])[:_MAX_WORDS].rstrip(".")
