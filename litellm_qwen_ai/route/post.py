"""Posts one request with an httpx client of LiteLLM's or of the caller's. Redirects are not followed.

httpx spends about 110 us of a call on what a chat call never uses: merging of base URLs and parameters, auth
and redirect loops, hooks, a measured `elapsed`. Where a client has none of these set up, its request is built
here and handed to the client's own transport, so that its proxies, TLS, headers and cookies are those that it
would have used anyway. That leans on one name of httpx's that is not public (`_transport_for_url`), which is
tested once per process; without it, and for a client that is set up otherwise, `client.send` posts as ever.
"""

from __future__ import annotations

import functools
import logging
from types import FunctionType
from typing import TYPE_CHECKING, Any, TypeAlias

import httpx

from litellm_qwen_ai.names import LOGGER
from litellm_qwen_ai.route.deadline import MARK, Deadline

if TYPE_CHECKING:
    from litellm_qwen_ai.chat.request import ChatRequest

AnyClient: TypeAlias = "httpx.Client | httpx.AsyncClient"

_logger = logging.getLogger(LOGGER)
_httpx_logger = logging.getLogger("httpx")
_parsed = functools.lru_cache(maxsize=64)(httpx.URL)


def send(
    client: httpx.Client, request: ChatRequest, timeout: Any, mark: Deadline | None = None
) -> httpx.Response:
    """Post, and return the open response, its body unread.

    Args:
        client: The client to post with.
        request: What to post; its headers win over the client's own.
        timeout: Seconds, an `httpx.Timeout`, or None for the client's own.
        mark: What a deadline finds the request's connection by.

    Raises:
        httpx.HTTPError: It could not be sent, or no answer came.
    """
    if not _may_skip(client):
        return client.send(
            _whole_request(client, request, timeout, mark), stream=True, follow_redirects=False
        )
    sent = _request(client, request, timeout, mark)
    try:
        response: httpx.Response = _transport(client, sent.url).handle_request(sent)
    except httpx.RequestError as error:
        error.request = sent
        raise
    return _answered(client, sent, response)


async def asend(client: httpx.AsyncClient, request: ChatRequest, timeout: Any) -> httpx.Response:
    """As `send`, on the running event loop."""
    if not _may_skip(client):
        return await client.send(
            _whole_request(client, request, timeout), stream=True, follow_redirects=False
        )
    sent = _request(client, request, timeout)
    try:
        response: httpx.Response = await _transport(client, sent.url).handle_async_request(sent)
    except httpx.RequestError as error:
        error.request = sent
        raise
    return _answered(client, sent, response)


def _whole_request(
    client: AnyClient, request: ChatRequest, timeout: Any, mark: Deadline | None = None
) -> httpx.Request:
    own = {} if timeout is None else {"timeout": timeout}
    return client.build_request(
        "POST",
        request.url,
        headers=request.headers,
        content=request.body,
        extensions=_watched(mark),
        **own,
    )


def _request(
    client: AnyClient, wanted: ChatRequest, timeout: Any, mark: Deadline | None = None
) -> httpx.Request:
    ours = {name.lower().encode(): (name.encode(), value.encode()) for name, value in wanted.headers.items()}
    pairs = [pair for pair in client.headers.raw if pair[0].lower() not in ours]
    limits = client.timeout if timeout is None else httpx.Timeout(timeout)
    address = _parsed(wanted.url)
    # With `content=` httpx adds these two itself, and takes 30 us for it.
    framing = [(b"Content-Length", str(len(wanted.body)).encode())]
    if b"host" not in ours:
        framing.insert(0, (b"Host", address.netloc))
    request = httpx.Request(
        "POST",
        address,
        headers=[*framing, *pairs, *ours.values()],
        stream=httpx.ByteStream(wanted.body),
        extensions={"timeout": limits.as_dict(), **_watched(mark)},
    )
    request.read()  # so that it has its content, which LiteLLM's transport sends as it is
    if client.cookies.jar:
        client.cookies.set_cookie_header(request)
    return request


def _watched(mark: Deadline | None) -> dict[str, Any]:
    return {} if mark is None else {MARK: mark, "trace": mark.watch}


def _answered(client: AnyClient, request: httpx.Request, response: httpx.Response) -> httpx.Response:
    response.request = request
    if "set-cookie" in response.headers:
        client.cookies.extract_cookies(response)
    return response


def _transport(client: Any, url: httpx.URL) -> Any:
    return client._transport_for_url(url)  # noqa: SLF001  # see the module's docstring


def _may_skip(client: Any) -> bool:
    """Whether `client.send` would do nothing but what is done here."""
    kind = type(client)
    sender = _SENDERS.get(kind)
    if sender is None or vars(kind)["send"] is not sender or "send" in vars(client):
        return False  # a subclass, or wrapped by a tracer
    hooks = client.event_hooks
    return (
        not client.is_closed
        and client.auth is None
        and not hooks["request"]
        and not hooks["response"]
        and not client.params
        # httpx itself writes one line for each request at this level.
        and not _httpx_logger.isEnabledFor(logging.INFO)
        and transport_is_found()
    )


def _own_senders() -> dict[type, FunctionType]:
    """The `send` of httpx's clients, as far as it is httpx's own."""
    found = {kind: vars(kind)["send"] for kind in (httpx.Client, httpx.AsyncClient)}
    return {
        kind: sender
        for kind, sender in found.items()
        if type(sender) is FunctionType and sender.__globals__["__name__"] == "httpx._client"
    }


_SENDERS = _own_senders()


@functools.cache
def transport_is_found() -> bool:
    """Whether httpx finds a client's transport for a URL where we look for it."""
    one = httpx.MockTransport(lambda _: httpx.Response(204))
    other = httpx.MockTransport(lambda _: httpx.Response(205))
    try:
        with httpx.Client(transport=one, mounts={"http://other": other}, trust_env=False) as client:
            found = [_transport(client, httpx.URL(f"http://{host}/")) for host in ("one", "other")]
    except Exception as error:  # noqa: BLE001  # whatever a later httpx makes of it
        _logger.debug("httpx's transport cannot be used by itself: %r", error)
        return False
    return found == [one, other]
