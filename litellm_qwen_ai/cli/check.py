"""Whether the chat endpoint takes a token, found out without spending anything.

`GET {base}/models` is OpenAI's list of models, which most compatible servers have. An answer that says
nothing about the token (no such list, server trouble, no network) is passed on as just that.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from litellm_qwen_ai._version import USER_AGENT
from litellm_qwen_ai.names import SERVICE_NOTICE
from litellm_qwen_ai.oauth.errors import ConfigurationError
from litellm_qwen_ai.oauth.urls import checked_url, is_loopback

TIMEOUT = 10.0  # seconds
_MAX_BODY = 64 * 1024  # bytes that are read of an error
_MAX_WORDS = 200  # characters of the server's words that are shown
_OK, _UNAUTHORIZED, _FORBIDDEN, _TOO_MANY = 200, 401, 403, 429


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the endpoint said about a token.

    Attributes:
        result: `accepted`, `refused`, or `unknown`.
        message: One or two sentences for people.
    """

    result: str
    message: str


def check_token(base_url: str, token: str, *, timeout: float = TIMEOUT) -> Verdict:
    """Ask the endpoint.

    Args:
        base_url: The base URL for chat.
        token: The bearer.
        timeout: In seconds, for each step of the exchange; an answer that drips in is cut after as long.
    """
    import httpx  # noqa: PLC0415  # 200 ms of import that no other command needs

    try:
        url = f"{checked_url(base_url, 'The base URL')}/models"
    except ConfigurationError as error:
        return Verdict("unknown", f"The token was not tried: {error}")
    host = urlsplit(url).netloc
    headers = {"authorization": f"Bearer {token}", "user-agent": USER_AGENT, "accept": "application/json"}
    ends = time.monotonic() + timeout
    try:
        with (
            httpx.Client(
                timeout=timeout,
                follow_redirects=False,
                trust_env=not is_loopback(urlsplit(url).hostname or ""),
            ) as client,
            client.stream("GET", url, headers=headers) as response,
        ):
            body = bytearray()
            for piece in response.iter_bytes():
                body += piece
                if len(body) > _MAX_BODY or time.monotonic() > ends:
                    break
            status = response.status_code
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
        fault = type(error).__name__  # not its text: it may hold the request
        return Verdict("unknown", f"Whether {host} takes the token is not known: no answer ({fault}).")
    return _read(host, status, bytes(body), token)


def _read(host: str, status: int, body: bytes, token: str) -> Verdict:
    code, words = _words(body, token)
    if status == _OK and body.lstrip()[:1] == b"{" and not (code or words):
        return Verdict("accepted", f"{host} takes the token.")
    told = f"HTTP {status}" + (f", {words}" if words else "")
    spent = "quota" in code
    if status == _UNAUTHORIZED or (status == _FORBIDDEN and code == "invalid_api_key"):
        return Verdict("refused", f"{host} refuses the token ({told}). The login is kept. {SERVICE_NOTICE}")
    if status in {_FORBIDDEN, _TOO_MANY} and spent:
        return Verdict(
            "refused", f"The quota of this login is spent ({told}). The login is kept. {SERVICE_NOTICE}"
        )
    return Verdict(
        "unknown", f"Whether {host} takes the token is not known: it answered the list of models with {told}."
    )


def _words(body: bytes, token: str) -> tuple[str, str]:
    """The error's code and text; nothing of a body that repeats the token."""
    try:
        value: Any = json.loads(body)
    except (ValueError, RecursionError):
        return "", "a web page" if body.lstrip()[:1] == b"<" else ""
    error = value.get("error") if isinstance(value, dict) else None
    if not isinstance(error, dict):
        return "", ""
    code, text = error.get("code"), error.get("message")
    shown = "".join(char for char in str(text or "")[:_MAX_WORDS] if char.isprintable()).rstrip(".")
    return str(code or ""), "" if token in shown else shown
