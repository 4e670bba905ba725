"""Where a request goes and with which headers."""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

from litellm_qwen_ai._version import USER_AGENT
from litellm_qwen_ai.chat.body import ACCEPTED_ENCODINGS
from litellm_qwen_ai.chat.errors import UnsendableError
from litellm_qwen_ai.names import DEFAULT_API_BASE
from litellm_qwen_ai.plans import wrapping
from litellm_qwen_ai.redaction import STARS

if TYPE_CHECKING:
    from collections.abc import Mapping


_PATH = "/chat/completions"
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*://")
_LOOPBACK = re.compile(r"(localhost|127(\.\d+){3}|\[::1\])(:\d+)?(/|$)", re.IGNORECASE)
_HEADER_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")  # RFC 9110 section 5.6.2, token
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e]*")  # RFC 9110 section 5.5 without obs-text: httpx sends ASCII
LOGIN_HEADERS = {
    "X-DashScope-UserAgent": USER_AGENT,
    "X-DashScope-CacheControl": "enable",
    "X-DashScope-AuthType": "qwen-oauth",
}
"""What Qwen Code sends beside the token of a login; users of clients that did not were refused with 400."""

_ALIBABAS = (".aliyuncs.com", ".qwen.ai", ".qwenapi.io")
_SECRET_HEADERS = {"authorization", "proxy-authorization", "x-api-key", "api-key", "cookie"}


@functools.lru_cache(maxsize=64)  # saves a call 8 us
def chat_url(base_url: str, origin: str = "") -> str:
    """Join a base URL (from `origin`, in words for a message) and the chat path as the Qwen clients do.

    A missing scheme becomes https (http on loopback), an empty path becomes `/v1`, trailing slashes go, a
    query stays. A base that already ends in `/chat/completions` is taken as it is.

    Raises:
        UnsendableError: The base URL is unusable.
    """
    text = base_url.strip()
    if around := wrapping(text, surely=True):
        raise _bad_base(f"it stands {around}", origin)
    if not _SCHEME.match(text):
        text = f"{'http' if _LOOPBACK.match(text) else 'https'}://{text}"
    try:
        parts = urlsplit(text)
        host = parts.hostname
        parts.port  # noqa: B018  # reading it is what checks it
    except ValueError as error:
        raise _bad_base(f"{error}", origin) from None
    if not text.isprintable() or " " in text:
        raise _bad_base("it contains a space or a control character", origin)
    if parts.scheme.lower() not in {"http", "https"}:
        raise _bad_base("its scheme is neither https nor http", origin)
    if not host:
        raise _bad_base("it names no host", origin)
    if "@" in parts.netloc:
        raise _bad_base("it contains a user name or password; use `api_key=` instead", origin)
    path = parts.path.rstrip("/") or "/v1"
    if not path.endswith(_PATH):
        path += _PATH
    return urlunsplit((parts.scheme.lower(), parts.netloc, path, parts.query, ""))


@functools.lru_cache(maxsize=64)
def host_of(base_url: str) -> str:
    """The host of a base URL, with its port, as `chat_url` reads it."""
    return urlsplit(chat_url(base_url)).netloc


@functools.lru_cache(maxsize=64)
def is_alibabas(url: str) -> bool:
    """Whether the server is Alibaba's, or a reseller of it, and so takes Qwen's own parameters."""
    return f".{urlsplit(url).hostname}".endswith(_ALIBABAS)


def _bad_base(why: str, origin: str) -> Exception:
    # The URL itself is not shown: it may hold a password.
    origin = origin or "api_base, QWEN_API_BASE or the login's resource_url"
    return UnsendableError(
        f"The base URL (from {origin}) is unusable: {why}. A good one looks like {DEFAULT_API_BASE}"
    )


def chat_headers(
    *, token: str, with_login: bool, stream: bool, extra_headers: Mapping[str, object]
) -> dict[str, str]:
    """Build the headers; the caller's own win, whatever their case.

    One exception: with a login, the bearer is the login's. An `Authorization` of the caller's would defeat
    refreshing and is refused; with a key it wins, since a gateway may want its own.

    Raises:
        UnsendableError: A header would break the request or smuggle another.
    """
    headers = _Headers()
    headers |= {
        "Authorization": f"Bearer {token}",
        "Content-Type": "application/json",
        "Accept": "text/event-stream" if stream else "application/json",
        "Accept-Encoding": "identity" if stream else ACCEPTED_ENCODINGS,
        "User-Agent": USER_AGENT,
        **LOGIN_HEADERS,  # two of them harmless with a key: caching acts only on blocks with cache_control
    }
    if not with_login:
        del headers["X-DashScope-AuthType"]
    if not token or not _HEADER_VALUE.fullmatch(token) or token != token.strip():
        kind = "stored access token" if with_login else "API key"
        raise UnsendableError(
            f"The {kind} is empty or contains characters that no HTTP header may hold (a line break, a space "
            f"at an end or a non-ASCII character). {'Log in again' if with_login else 'Copy it anew'}."
        )
    if not with_login and (around := wrapping(token, surely=True)):
        raise UnsendableError(f"The API key (api_key, QWEN_API_KEY) stands {around}. Give the key alone.")
    _merge(headers, extra_headers, with_login=with_login)
    return headers


class _Headers(dict[str, str]):
    """Headers whose repr is masked, for the sake of tracebacks with locals."""

    def __repr__(self) -> str:
        return repr(masked(self))


def masked(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers for a log: secrets replaced by stars."""
    return {name: STARS if name.lower() in _SECRET_HEADERS else value for name, value in headers.items()}


def _merge(headers: dict[str, str], extra_headers: Mapping[str, object], *, with_login: bool) -> None:
    names = {name.lower(): name for name in headers}
    for name, value in extra_headers.items():
        if value is None:
            continue
        text = value.decode("latin-1") if isinstance(value, bytes) else str(value)
        if not isinstance(name, str) or not _HEADER_NAME.fullmatch(name):
            raise UnsendableError(f"extra_headers: {name!r:.60} is no valid header name.")
        lowered, wrong = name.lower(), ""
        if not _HEADER_VALUE.fullmatch(text):
            wrong = (
                f"the value of {name} contains a line break, a control character or a non-ASCII character, "
                "which no HTTP header may hold."
            )
        elif lowered in {"content-length", "transfer-encoding"}:
            wrong = f"{name} is set by the HTTP client and cannot be given."
        elif with_login and lowered in {"authorization", "host"}:
            # Another host behind the same front would get the token.
            wrong = (
                f"{name} cannot be given together with a login. Pass `api_key=` to use a key instead of the "
                "login."
            )
        if wrong:
            raise UnsendableError(f"extra_headers: {wrong}")
        headers.pop(names.get(lowered, name), None)
        names[lowered] = name
        headers[name] = text
