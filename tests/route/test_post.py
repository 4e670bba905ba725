"""A request goes out as httpx's own `send` would have sent it, with less work."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import httpx
import pytest

from litellm_qwen_ai.chat.request import ChatRequest
from litellm_qwen_ai.route import post

URL = "https://api.example/v1/chat/completions?x=1"
HEADERS = {"Authorization": "Bearer t", "User-Agent": "ours/1", "Content-Type": "application/json"}
WANTED = ChatRequest(url=URL, headers=HEADERS, body=b"{}", payload={})
Answer = Callable[[httpx.Request], httpx.Response]


def _client(answer: Answer, **more: Any) -> httpx.Client:
    return httpx.Client(transport=httpx.MockTransport(answer), trust_env=False, **more)


def _ok(request: httpx.Request) -> httpx.Response:
    return httpx.Response(200, content=b"answer", request=request)


@pytest.fixture
def sends(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The requests that went by `client.send`, and whether the way past it may be taken at all."""
    seen: list[str] = []
    build = post._whole_request

    def whole(*args: Any) -> httpx.Request:
        seen.append(args[1].url)
        return build(*args)

    monkeypatch.setattr(post, "_whole_request", whole)
    return seen


@pytest.mark.parametrize("timeout", [None, 7.0, httpx.Timeout(1.0, read=2.0)])
def test_what_goes_out_is_what_httpx_would_send(timeout: Any) -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return _ok(request)

    with _client(answer, headers={"X-Mine": "1", "user-agent": "theirs"}, cookies={"a": "b"}) as client:
        post.send(client, WANTED, timeout)
        client.send(post._whole_request(client, WANTED, timeout), stream=True)
    ours, theirs = seen
    assert (ours.method, ours.url, ours.read()) == (theirs.method, theirs.url, theirs.read())
    assert dict(ours.headers) == dict(theirs.headers)
    assert ours.extensions == theirs.extensions


async def test_the_async_twin_does_the_same(sends: list[str]) -> None:
    async with httpx.AsyncClient(transport=httpx.MockTransport(_ok), trust_env=False) as client:
        response = await post.asend(client, WANTED, None)
        assert await response.aread() == b"answer"
        assert response.request.url == URL
        client.event_hooks = {"request": [], "response": [_ahook]}
        assert await (await post.asend(client, WANTED, None)).aread() == b"answer"
    assert sends == [URL]


async def _ahook(response: httpx.Response) -> None:
    del response


def test_the_body_is_not_read_and_the_answer_knows_its_request(sends: list[str]) -> None:
    with _client(_ok) as client:
        response = post.send(client, WANTED, None)
        assert response.request.url == URL
        assert b"".join(response.stream) == b"answer"  # type: ignore[arg-type]  # a sync client's
    assert sends == []


@pytest.mark.parametrize("hooked", [False, True])
def test_nobody_waits_for_the_end_of_a_stream(hooked: bool) -> None:
    given: list[bytes] = []

    class Pieces(httpx.SyncByteStream):
        def __iter__(self) -> Iterator[bytes]:
            for piece in (b"one", b"two"):
                given.append(piece)
                yield piece

    with _client(lambda _request: httpx.Response(200, stream=Pieces())) as client:
        if hooked:
            _with_hooks(client)
        response = post.send(client, WANTED, None)
        assert given == []
        assert next(response.iter_raw()) == b"one"
        assert given == [b"one"]


@pytest.mark.parametrize("hooked", [False, True])
async def test_nobody_waits_for_the_end_of_an_async_stream(hooked: bool) -> None:
    given: list[bytes] = []

    class Pieces(httpx.AsyncByteStream):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            for piece in (b"one", b"two"):
                given.append(piece)
                yield piece

    answer = httpx.MockTransport(lambda _request: httpx.Response(200, stream=Pieces()))
    async with httpx.AsyncClient(transport=answer, trust_env=False) as client:
        if hooked:
            client.event_hooks = {"request": [], "response": [_ahook]}
        response = await post.asend(client, WANTED, None)
        assert given == []
        async with contextlib.aclosing(response.aiter_raw()) as pieces:
            assert await anext(pieces) == b"one"
        assert given == [b"one"]


def test_a_cookie_that_a_server_sets_comes_back_to_it(sends: list[str]) -> None:
    seen: list[str | None] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers.get("cookie"))
        return httpx.Response(200, headers={"set-cookie": "route=7"}, request=request)

    with _client(answer) as client:
        for _ in range(2):
            post.send(client, WANTED, None).close()
    assert seen == [None, "route=7"]
    assert sends == []


def _with_hooks(client: httpx.Client) -> None:
    client.event_hooks = {"request": [print], "response": []}


def _with_auth(client: httpx.Client) -> None:
    client.auth = ("user", "password")


def _with_params(client: httpx.Client) -> None:
    client.params = httpx.QueryParams({"x": "1"})


def _wrapped(client: httpx.Client) -> None:
    client.send = client.send  # type: ignore[method-assign]  # as a tracer wraps one client


@pytest.mark.parametrize("set_up", [_with_hooks, _with_auth, _with_params, _wrapped])
def test_a_client_that_is_set_up_otherwise_sends_by_itself(
    sends: list[str], set_up: Callable[[httpx.Client], None]
) -> None:
    with _client(_ok) as client:
        set_up(client)
        post.send(client, WANTED, None).close()
    assert sends == [URL]


def test_a_tracer_on_httpxs_class_sees_every_request(
    sends: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    traced: list[str] = []
    own = httpx.Client.send

    def send(self: httpx.Client, request: httpx.Request, **more: Any) -> httpx.Response:
        traced.append(str(request.url))
        return own(self, request, **more)

    monkeypatch.setattr(httpx.Client, "send", send)
    with _client(_ok) as client:
        post.send(client, WANTED, None).close()
    assert traced == sends == [URL]


def test_so_does_one_that_was_there_before_us(sends: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    own = httpx.Client.send

    def send(self: httpx.Client, request: httpx.Request, **more: Any) -> httpx.Response:
        return own(self, request, **more)

    monkeypatch.setattr(httpx.Client, "send", send)
    found = post._own_senders()
    assert found == {httpx.AsyncClient: httpx.AsyncClient.send}
    monkeypatch.setattr(post, "_SENDERS", found)
    with _client(_ok) as client:
        post.send(client, WANTED, None).close()
    assert sends == [URL]


def test_httpxs_own_log_line_is_kept(sends: list[str], caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "httpx"), _client(_ok) as client:
        post.send(client, WANTED, None).close()
    assert sends == [URL]
    assert "200 OK" in caplog.text


def test_a_closed_client_says_so(sends: list[str]) -> None:
    client = _client(_ok)
    client.close()
    with pytest.raises(RuntimeError, match="closed"):
        post.send(client, WANTED, None)
    assert sends == [URL]


def test_a_failure_knows_its_request() -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        del request
        raise httpx.ConnectError("no")

    with _client(refuse) as client, pytest.raises(httpx.ConnectError) as caught:
        post.send(client, WANTED, None)
    assert caught.value.request.url == URL


def test_mounted_transports_are_used() -> None:
    def teapot(request: httpx.Request) -> httpx.Response:
        return httpx.Response(418, request=request)

    mounts = {"https://api.example": httpx.MockTransport(teapot)}
    with _client(_ok, mounts=mounts) as client:
        assert post.send(client, WANTED, None).status_code == 418


def test_without_the_name_that_is_not_public_httpx_sends_by_itself(
    sends: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    post.transport_is_found.cache_clear()
    assert post.transport_is_found()
    monkeypatch.setattr(post, "_transport", lambda client, url: client.no_such_name)
    post.transport_is_found.cache_clear()
    try:
        with _client(_ok) as client:
            assert post.send(client, WANTED, None).read() == b"answer"
    finally:
        monkeypatch.undo()
        post.transport_is_found.cache_clear()
    assert sends == [URL]
