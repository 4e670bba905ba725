"""Sends one request: no redirect followed, a bounded body, one deadline once it is connected."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from litellm_qwen_ai.names import DEFAULT_OAUTH_BASE_URL
from litellm_qwen_ai.oauth import network
from litellm_qwen_ai.oauth.network import TransportError
from litellm_qwen_ai.oauth.protocol import MAX_BODY, HttpAnswer, OAuthRequest, json_object
from litellm_qwen_ai.oauth.urls import checked_url

if TYPE_CHECKING:
    from collections.abc import Mapping

    from typing_extensions import Self

    from litellm_qwen_ai.oauth.protocol import Catcher

Poster = Callable[[OAuthRequest, float], HttpAnswer]
_OK = 200
#: A connection that ends without a word is noticed within half a minute, also while an answer is waited for.
KEEPALIVE = {
    getattr(socket, name): value
    for name, value in (("TCP_KEEPIDLE", 15), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 3))
    if hasattr(socket, name)
}


def httpx_poster(
    request: OAuthRequest, timeout: float, *, timer: Callable[..., threading.Timer] = threading.Timer
) -> HttpAnswer:
    """Post with httpx, by the network of this process.

    Raises:
        TransportError: No answer came within `timeout` (seconds). The message never shows the request.
        ConfigurationError: The URL is neither https nor loopback.
    """
    checked_url(request.url, "The OAuth server's address")
    ours = request.url.startswith(f"{DEFAULT_OAUTH_BASE_URL}/")
    return exchange(
        request.url,
        request.headers,
        form=request.form,
        timeout=timeout,
        timer=timer,
        catcher=request.catcher,
        said_by="" if ours else " (set by QWEN_OAUTH_BASE_URL or oauth_base_url)",
    )


def exchange(  # noqa: PLR0913  # what one exchange is made of
    url: str,
    headers: Mapping[str, str],
    *,
    timeout: float,
    form: Mapping[str, str] | None = None,
    most: int = MAX_BODY,
    timer: Callable[..., threading.Timer] = threading.Timer,
    catcher: Catcher | None = None,
    said_by: str = "",
) -> HttpAnswer:
    """Send one request and read its answer.

    Args:
        url: Where to.
        headers: Names in lower case.
        timeout: Seconds for the whole exchange, but for looking names up and for connecting.
        form: Fields to post; None to get.
        most: Bytes of the body that are read; a longer one loses its end.
        timer: Ends the exchange after `timeout`.
        catcher: Gets the body of an answer with status 200 as it comes.
        said_by: Where the address stands, for the error, in brackets after a space.

    Raises:
        TransportError: No answer came in time.
    """
    import httpx  # noqa: PLC0415  # 200 ms of import that no command needs before it talks to a server

    where = f"{host_of(url)}{said_by}"
    head: tuple[int, dict[str, str]] | None = None  # status and headers
    body = bytearray()
    failure: TransportError | None = None
    deadline = _Deadline(timeout, timer)
    try:
        way = network.current()
        proxy = way.proxy_for(url)
        where += f" through the proxy {proxy}" if proxy else ""
        with (
            way.client(url, timeout) as client,
            deadline,
            client.stream(
                "GET" if form is None else "POST",
                url,
                headers={**headers, "accept-encoding": "identity"},  # nothing that unpacks to gigabytes
                data=None if form is None else dict(form),
                extensions={"trace": deadline.watch},
            ) as response,
        ):
            head = response.status_code, dict(response.headers.items())
            for piece in response.iter_raw():
                if catcher is not None and response.status_code == _OK:
                    catcher.catch(piece)
                body += piece
                if len(body) > most:
                    break  # without its end it reads as broken
    except TransportError as error:
        failure = error
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
        failure = way.explained(TimeoutError() if deadline.over else error, proxy, timeout)
    # A body that is whole counts, also if the connection did not end as it should.
    if failure is not None and (head is None or json_object(bytes(body)) is None):
        # Raised outside of `except`: httpx's error holds the request, and with it the tokens.
        raise TransportError(failure.fault, failure.fix, where)
    status, answered = head or (0, {})
    return HttpAnswer(status, answered, bytes(body[:most]), url)


def host_of(url: str) -> str:
    """The host of a URL and its port, without a name and password."""
    return urlsplit(url).netloc.rpartition("@")[2]


def second_handle(event: str, info: dict[str, Any]) -> socket.socket | None:
    """One of a connection that has just been made; None for what else a trace hook of httpcore is told.

    TLS takes the first handle over, and its handshake may drip for ever as well.
    """
    if not event.endswith(".connect_tcp.complete"):
        return None
    connection: socket.socket = info["return_value"].get_extra_info("socket").dup()
    return connection


class _Deadline:
    """Cuts the connection when the time is up. httpx's own timeout starts anew with each byte that comes."""

    def __init__(self, seconds: float, timer: Callable[..., threading.Timer]) -> None:
        self.over = False
        self._sockets: list[socket.socket] = []
        self._timer = timer(seconds, self._cut)
        self._timer.daemon = True

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._timer.cancel()
        for one in self._sockets:
            one.close()

    def watch(self, event: str, info: dict[str, Any]) -> None:
        """Remember the connection before anything is said on it (a trace hook of httpcore)."""
        connection = second_handle(event, info)
        if connection is not None:
            self._sockets.append(connection)
            with contextlib.suppress(OSError):  # nothing that an exchange depends on
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
                for option, value in KEEPALIVE.items():
                    connection.setsockopt(socket.IPPROTO_TCP, option, value)
            if self.over:
                self._cut()

    def _cut(self) -> None:
        self.over = True
        for one in self._sockets:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
