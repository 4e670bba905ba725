"""Posts an OAuth request: no redirect followed, bounded body, one deadline for everything."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from litellm_qwen_ai.oauth.protocol import HttpAnswer, OAuthRequest
from litellm_qwen_ai.oauth.urls import checked_url, is_loopback

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

MAX_BODY = 256 * 1024  # bytes; a real answer has under 4 kB
Poster = Callable[[OAuthRequest, float], HttpAnswer]


class TransportError(Exception):
    """No answer came: no connection, a broken one, or none in time. Inside this wing only."""


def httpx_poster(request: OAuthRequest, timeout: float) -> HttpAnswer:
    """Post with httpx, honouring the proxy and certificate variables of the environment.

    Args:
        request: What to post.
        timeout: Seconds for the whole exchange, a body that drips in slowly included.

    Raises:
        TransportError: No complete answer came in time. The message names the fault, not the request.
        ConfigurationError: The URL is neither https nor loopback.
    """
    import httpx  # noqa: PLC0415  # 60 ms of import that no command needs before it talks to the server

    checked_url(request.url, "the OAuth server's address")
    deadline = time.monotonic() + timeout
    # What is meant for this machine must not leave it through a proxy, in the clear at that.
    trust_env = not is_loopback(urlsplit(request.url).hostname or "")
    headers = {**request.headers, "accept-encoding": "identity"}  # nothing that unpacks to gigabytes
    fault: str
    try:
        with (
            httpx.Client(timeout=timeout, follow_redirects=False, trust_env=trust_env) as client,
            client.stream("POST", request.url, headers=headers, data=dict(request.form)) as response,
        ):
            body = b"".join(_bounded(response, deadline))
            return HttpAnswer(response.status_code, dict(response.headers.items()), body)
    except httpx.HTTPError as error:
        fault = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    except (httpx.InvalidURL, OSError, ValueError) as error:
        fault = type(error).__name__
    # Raised outside of `except`: httpx's error holds the request, and with it the tokens.
    raise TransportError(f"no answer from {_host(request.url)} ({fault})")


def _bounded(response: httpx.Response, deadline: float) -> Iterator[bytes]:
    """The body's pieces; one that is too long or too late loses its end, and reads as broken."""
    size = 0
    for piece in response.iter_raw():
        size += len(piece)
        if size > MAX_BODY or time.monotonic() > deadline:
            return
        yield piece


def _host(url: str) -> str:
    return urlsplit(url).netloc
