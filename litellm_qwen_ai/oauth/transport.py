"""Posts an OAuth request: no redirect followed, bounded body, one deadline for everything."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from litellm_qwen_ai.oauth.protocol import MAX_BODY, HttpAnswer, OAuthRequest, json_object
from litellm_qwen_ai.oauth.urls import checked_url, is_loopback

if TYPE_CHECKING:
    from typing_extensions import Self

Poster = Callable[[OAuthRequest, float], HttpAnswer]


class TransportError(Exception):
    """No answer came: no connection, a broken one, or none in time. For `oauth/` only."""


def httpx_poster(
    request: OAuthRequest, timeout: float, *, timer: Callable[..., threading.Timer] = threading.Timer
) -> HttpAnswer:
    """Post with httpx, honouring the proxy and certificate variables of the environment.

    Args:
        request: What to post.
        timeout: Seconds for the whole exchange, an answer that drips in slowly included.
        timer: Ends the exchange after `timeout`.

    Raises:
        TransportError: No answer came in time. The message names the fault, never the request.
        ConfigurationError: The URL is neither https nor loopback.
    """
    import httpx  # noqa: PLC0415  # 200 ms of import that no command needs before it talks to the server

    checked_url(request.url, "The OAuth server's address")
    address = urlsplit(request.url)
    # What is meant for this machine must not leave it through a proxy, in the clear at that.
    trust_env = not is_loopback(address.hostname or "")
    verify = address.scheme == "https"  # loopback's http needs no certificates: reading them takes 17 ms
    headers = {**request.headers, "accept-encoding": "identity"}  # nothing that unpacks to gigabytes
    head: tuple[int, dict[str, str]] | None = None
    body = bytearray()
    fault = ""
    try:
        with (
            _Deadline(timeout, timer) as deadline,
            httpx.Client(
                timeout=timeout, follow_redirects=False, trust_env=trust_env, verify=verify
            ) as client,
            client.stream(
                "POST",
                request.url,
                headers=headers,
                data=dict(request.form),
                extensions={"trace": deadline.watch},
            ) as response,
        ):
            head = response.status_code, dict(response.headers.items())
            for piece in response.iter_raw():
                if request.catcher is not None and response.status_code == httpx.codes.OK:
                    request.catcher.catch(piece)
                body += piece
                if len(body) > MAX_BODY:
                    break  # without its end it reads as broken
    except httpx.HTTPError as error:
        fault = str(error) or type(error).__name__
    except (httpx.InvalidURL, OSError, ValueError) as error:
        fault = type(error).__name__
    answer = None if head is None else HttpAnswer(*head, bytes(body[:MAX_BODY]))
    if answer is not None and (not fault or json_object(answer.body) is not None):
        return answer  # a body that is whole counts, also if the connection did not end as it should
    # Raised outside of `except`: httpx's error holds the request, and with it the tokens.
    raise TransportError(f"no answer from {urlsplit(request.url).netloc} ({fault})")


class _Deadline:
    """Cuts the connection when the time is up. httpx's own timeout starts anew with each byte that comes."""

    def __init__(self, seconds: float, timer: Callable[..., threading.Timer]) -> None:
        self._socket: socket.socket | None = None
        self._timer = timer(seconds, self._cut)
        self._timer.daemon = True

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._timer.cancel()

    def watch(self, event: str, info: dict[str, Any]) -> None:
        """Remember the newest connection, which for TLS is the wrapped one (a trace hook of httpcore)."""
        if event.endswith((".connect_tcp.complete", ".start_tls.complete")):
            self._socket = info["return_value"].get_extra_info("socket")

    def _cut(self) -> None:
        if self._socket is not None:
            with contextlib.suppress(OSError):
                # The plain socket's method: that of a TLS socket would change it under the reader's hands.
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)
