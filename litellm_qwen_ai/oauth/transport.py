"""Posts an OAuth request: no redirect followed, bounded body, one deadline for everything."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from litellm_qwen_ai.oauth.protocol import HttpAnswer, OAuthRequest
from litellm_qwen_ai.oauth.urls import checked_url, is_loopback

if TYPE_CHECKING:
    import httpx
    from typing_extensions import Self

    from litellm_qwen_ai.oauth.protocol import Catcher

MAX_BODY = 256 * 1024  # bytes; a real answer has under 4 kB
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
    try:
        with (
            _Deadline(timeout, timer, request.catcher) as deadline,
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
            return HttpAnswer(response.status_code, dict(response.headers.items()), _bounded(response))
    except httpx.HTTPError as error:
        fault = str(error) or type(error).__name__
    except (httpx.InvalidURL, OSError, ValueError) as error:
        fault = type(error).__name__
    # Raised outside of `except`: httpx's error holds the request, and with it the tokens.
    raise TransportError(f"no answer from {urlsplit(request.url).netloc} ({fault})")


def _bounded(response: httpx.Response) -> bytes:
    """The body; one that is too long loses its end, and reads as broken."""
    body = bytearray()
    for piece in response.iter_raw():
        body += piece
        if len(body) > MAX_BODY:
            return bytes(body[:MAX_BODY])
    return bytes(body)


def _tap(stream: Any, catcher: Catcher) -> None:
    """Let `catcher` have what comes out of a connection first: its readers take half a millisecond for it.

    Args:
        stream: A connection of httpcore's; this one object gets another `read`.
        catcher: Gets each piece.
    """
    catcher.expect()  # whatever came before, from a proxy for example, is no answer
    read = stream.read

    def tapped(*args: Any, **kwargs: Any) -> Any:
        piece = read(*args, **kwargs)
        catcher.catch(piece)
        return piece

    with contextlib.suppress(AttributeError):  # a stream that takes none: `Refresher` catches the body later
        stream.read = tapped


class _Deadline:
    """Cuts the connection when the time is up. httpx's own timeout starts anew with each byte that comes."""

    def __init__(
        self, seconds: float, timer: Callable[..., threading.Timer], catcher: Catcher | None
    ) -> None:
        self._socket: socket.socket | None = None
        self._catcher = catcher
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
            stream = info["return_value"]
            self._socket = stream.get_extra_info("socket")
            if self._catcher is not None:
                _tap(stream, self._catcher)

    def _cut(self) -> None:
        if self._socket is not None:
            with contextlib.suppress(OSError):
                # The plain socket's method: that of a TLS socket would change it under the reader's hands.
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)
