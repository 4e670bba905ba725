"""Whether the chat endpoint takes a token or a key, found out without spending anything.

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
from litellm_qwen_ai.oauth.urls import checked_url, own_base
from litellm_qwen_ai.redaction import Secret, redacted

if TYPE_CHECKING:
    from collections.abc import Callable

    from litellm_qwen_ai.oauth.credentials import Credentials

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
    """Ask the endpoint about a login's token; the whole exchange takes `timeout` seconds at most."""
    return _check("token", token, lambda: checked_url(base_url, "The base URL"), timeout)


def check_key(base_url: str, key: str, *, timeout: float = TIMEOUT) -> Verdict:
    """Ask the endpoint about a key, at an address that its user chose: see `check_token`."""
    return _check("key", key, lambda: own_base(base_url), timeout)


def check_credentials(base_url: str, credentials: Credentials, *, timeout: float = TIMEOUT) -> Verdict:
    """Ask the endpoint about what an account keeps: a login's token, or a key."""
    check = check_key if credentials.is_key else check_token
    return check(base_url, credentials.access_token, timeout=timeout)


def _check(what: str, secret: str, address: Callable[[], str], timeout: float) -> Verdict:
    try:
        url = f"{address()}/models"
    except ConfigurationError as error:
        return Verdict("unknown", f"The {what} was not tried: {error}")
    host = host_of(url)
    bearer = Secret(f"Bearer {secret}")  # so that no traceback with locals shows it
    headers = {"authorization": bearer, "user-agent": USER_AGENT, "accept": "application/json"}
    try:
        answer = exchange(url, headers, timeout=timeout, most=_MAX_BODY)
    except TransportError as error:
        return Verdict("unknown", f"Whether {host} takes the {what} is not known: {error}.")
    code, words = _words(answer.body, secret)
    # A list of models, as far as one can tell without reading all of it.
    if answer.status == _OK and answer.body.lstrip()[:1] == b"{" and not (code or words):
        return Verdict("accepted", f"{host} takes the {what}.")
    told = f"HTTP {answer.status}" + (f", {words}" if words else "")
    refusal = _refusal(what, host, answer.status, code, told)
    if refusal is not None:
        return Verdict("refused", refusal)
    why = f"it answered the list of models with {told}"
    return Verdict("unknown", f"Whether {host} takes the {what} is not known: {why}.")


def _refusal(what: str, host: str, status: int, code: str, told: str) -> str | None:
    """What a refusal means, for people; None if the answer is none."""
    if what == "key":
        return f"{host} refuses the key ({told})." if status in {_UNAUTHORIZED, _FORBIDDEN} else None
    if status == _UNAUTHORIZED or (status == _FORBIDDEN and code == "invalid_api_key"):
        return f"{host} refuses the token ({told}). The login is kept. {SERVICE_NOTICE}"
    if status in {_FORBIDDEN, _TOO_MANY} and "quota" in code:
        return f"The quota of this login is spent ({told}). The login is kept. {SERVICE_NOTICE}"
    return None


def _words(body: bytes, token: str) -> tuple[str, str]:
    """The error's code and text, without the token that it may repeat."""
    error = (json_object(body) or {}).get("error")
    if not isinstance(error, dict):
        return "", "a web page" if body.lstrip()[:1] == b"<" else ""
    code, text = error.get("code"), error.get("message")
    shown = "".join(char for char in str(text or "")[:_LOOKED_AT] if char.isprintable())
    return str(code or ""), redacted(shown, [token])[:_MAX_WORDS].rstrip(".")
