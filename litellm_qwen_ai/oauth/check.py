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
from litellm_qwen_ai.oauth.protocol import HttpAnswer, json_object
from litellm_qwen_ai.oauth.transport import exchange, host_of
from litellm_qwen_ai.oauth.urls import checked_url, own_base
from litellm_qwen_ai.redaction import redacted

if TYPE_CHECKING:
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
    try:
        url = f"{checked_url(base_url, 'The base URL')}/models"
    except ConfigurationError as error:
        return Verdict("unknown", f"The token was not tried: {error}")
    answer = _asked(url, token, timeout)
    return (
        _read(host_of(url), answer, token)
        if isinstance(answer, HttpAnswer)
        else _unknown(url, "token", answer)
    )


def check_credentials(base_url: str, credentials: Credentials, *, timeout: float = TIMEOUT) -> Verdict:
    """Ask the endpoint about what an account keeps: a login's token, or a key."""
    check = check_key if credentials.is_key else check_token
    return check(base_url, credentials.access_token, timeout=timeout)


def check_key(base_url: str, key: str, *, timeout: float = TIMEOUT) -> Verdict:
    """Ask the endpoint about a key, at an address that its user chose: see `check_token`."""
    try:
        url = f"{own_base(base_url)}/models"
    except ConfigurationError as error:
        return Verdict("unknown", f"The key was not tried: {error}")
    answer = _asked(url, key, timeout)
    if not isinstance(answer, HttpAnswer):
        return _unknown(url, "key", answer)
    host, told = host_of(url), _told(answer, key)
    if _is_list(answer, key):
        return Verdict("accepted", f"{host} takes the key.")
    if answer.status in {_UNAUTHORIZED, _FORBIDDEN}:
        return Verdict("refused", f"{host} refuses the key ({told}).")
    return _unknown(url, "key", f"it answered the list of models with {told}")


def _asked(url: str, token: str, timeout: float) -> HttpAnswer | TransportError:
    headers = {"authorization": f"Bearer {token}", "user-agent": USER_AGENT, "accept": "application/json"}
    try:
        return exchange(url, headers, timeout=timeout, most=_MAX_BODY)
    except TransportError as error:
        return error


def _unknown(url: str, what: str, why: object) -> Verdict:
    return Verdict("unknown", f"Whether {host_of(url)} takes the {what} is not known: {why}.")


def _is_list(answer: HttpAnswer, token: str) -> bool:
    """Whether this is a list of models, as far as one can tell without reading all of it."""
    return answer.status == _OK and answer.body.lstrip()[:1] == b"{" and not any(_words(answer.body, token))


def _told(answer: HttpAnswer, token: str) -> str:
    words = _words(answer.body, token)[1]
    return f"HTTP {answer.status}" + (f", {words}" if words else "")


def _read(host: str, answer: HttpAnswer, token: str) -> Verdict:
    status, told = answer.status, _told(answer, token)
    if _is_list(answer, token):
        return Verdict("accepted", f"{host} takes the token.")
    code = _words(answer.body, token)[0]
    if status == _UNAUTHORIZED or (status == _FORBIDDEN and code == "invalid_api_key"):
        return Verdict("refused", f"{host} refuses the token ({told}). The login is kept. {SERVICE_NOTICE}")
    if status in {_FORBIDDEN, _TOO_MANY} and "quota" in code:
        return Verdict(
            "refused", f"The quota of this login is spent ({told}). The login is kept. {SERVICE_NOTICE}"
        )
    why = f"it answered the list of models with {told}"
    return Verdict("unknown", f"Whether {host} takes the token is not known: {why}.")


def _words(body: bytes, token: str) -> tuple[str, str]:
    """The error's code and text, without the token that it may repeat."""
    error = (json_object(body) or {}).get("error")
    if not isinstance(error, dict):
        return "", "a web page" if body.lstrip()[:1] == b"<" else ""
    code, text = error.get("code"), error.get("message")
    shown = "".join(char for char in str(text or "")[:_LOOKED_AT] if char.isprintable())
    return str(code or ""), redacted(shown, [token])[:_MAX_WORDS].rstrip(".")
