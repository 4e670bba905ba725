from __future__ import annotations

import contextlib
import dataclasses
import pickle
import socket
import threading
import traceback
from typing import TYPE_CHECKING, Any

import pytest

from litellm_qwen_ai.oauth.errors import ConfigurationError
from litellm_qwen_ai.oauth.protocol import MAX_BODY, OAuthRequest
from litellm_qwen_ai.oauth.transport import TransportError, httpx_poster

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SECRET = "refresh-secret"


def request_to(url: str) -> OAuthRequest:
    headers = {"content-type": "application/x-www-form-urlencoded"}
    return OAuthRequest(url + "/api/v1/oauth2/token", headers, {"refresh_token": SECRET})


@pytest.fixture
def raw_server() -> Iterator[Callable[[Callable[[socket.socket], None]], str]]:
    """A server that speaks no HTTP of its own: the given function gets the socket after the request."""
    listener = socket.create_server(("127.0.0.1", 0))
    threads: list[threading.Thread] = []

    def serve(speak: Callable[[socket.socket], None]) -> str:
        def run() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                speak(connection)

        threads.append(threading.Thread(target=run))
        threads[-1].start()
        return f"http://127.0.0.1:{listener.getsockname()[1]}"

    yield serve
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive()
    listener.close()


def test_a_form_is_posted_and_the_answer_comes_back(server: Any) -> None:
    server.answer_next(418, {"a": 1}, Retry_After="3")
    answer = httpx_poster(request_to(server.url), 5)
    assert (answer.status, answer.body, answer.headers["retry-after"]) == (418, b'{"a": 1}', "3")
    assert server.requests[0].form == {"refresh_token": SECRET}
    assert server.requests[0].path == "/api/v1/oauth2/token"


class Kept:
    """A catcher that keeps what it gets."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []

    def expect(self) -> None:
        self.pieces = []

    def catch(self, piece: bytes) -> None:
        self.pieces.append(piece)


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n{} \r\n"


@pytest.mark.parametrize(
    ("answer", "kept"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", b"{}"),
        (b"HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n" + CHUNKED + b"0\r\n\r\n", b"{} "),
        (b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 2\r\n\r\n{}", b""),
    ],
    ids=["whole", "chunked, after an interim answer", "another status"],
)
def test_a_catcher_gets_the_body_of_a_good_answer(raw_server: Any, answer: bytes, kept: bytes) -> None:
    catcher = Kept()
    url = raw_server(lambda connection: connection.sendall(answer))
    assert httpx_poster(dataclasses.replace(request_to(url), catcher=catcher), 5).body.startswith(b"{}")
    assert b"".join(catcher.pieces) == kept


def test_tokens_count_although_the_last_chunk_is_missing(raw_server: Any) -> None:
    catcher = Kept()
    url = raw_server(lambda connection: connection.sendall(CHUNKED))
    assert httpx_poster(dataclasses.replace(request_to(url), catcher=catcher), 5).body == b"{} "
    assert b"".join(catcher.pieces) == b"{} "


def test_a_redirect_is_not_followed(server: Any) -> None:
    server.answer_next(307, location=server.url + "/elsewhere")
    assert httpx_poster(request_to(server.url), 5).status == 307
    assert len(server.requests) == 1


def test_loopback_traffic_never_goes_through_a_proxy(server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    server.answer_next(200)
    assert httpx_poster(request_to(server.url), 5).status == 200


def test_a_huge_body_is_read_to_its_bound_only(server: Any) -> None:
    server.answer_next(200, b"x" * (MAX_BODY * 3))
    assert len(httpx_poster(request_to(server.url), 5).body) == MAX_BODY


def test_a_compressed_body_is_not_unpacked(server: Any) -> None:
    server.answer_next(200, b"\x1f\x8b-not-unpacked", content_encoding="gzip")
    assert httpx_poster(request_to(server.url), 5).body == b"\x1f\x8b-not-unpacked"
    assert server.requests[0].headers["accept-encoding"] == "identity"


@pytest.mark.parametrize(
    "start", [b"HTTP/1.1 200 OK\r\nX-Slow: ", b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n"]
)
def test_an_answer_that_drips_in_for_ever_is_cut(raw_server: Any, start: bytes) -> None:
    dripping = threading.Event()

    def drip(connection: socket.socket) -> None:
        connection.sendall(start + b"x")
        dripping.set()
        with contextlib.suppress(OSError):
            connection.recv(1)  # nothing comes but the end

    class Timer(threading.Thread):
        """Goes off as soon as the answer drips, instead of after some seconds."""

        def __init__(self, _seconds: float, cut: Callable[[], None]) -> None:
            super().__init__(target=lambda: (dripping.wait(), cut()))

        def cancel(self) -> None:
            pass

    with pytest.raises(TransportError):
        httpx_poster(request_to(raw_server(drip)), 30, timer=Timer)


@pytest.mark.parametrize(
    "reply", [b"", b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nshort"]
)
def test_a_broken_answer_is_a_transport_error_without_the_request(raw_server: Any, reply: bytes) -> None:
    with pytest.raises(TransportError) as caught:
        httpx_poster(request_to(raw_server(lambda connection: connection.sendall(reply))), 5)
    told = "".join(traceback.format_exception(caught.value)) + repr(pickle.dumps(caught.value))
    assert SECRET not in told
    assert caught.value.__context__ is None


def test_nobody_listening_is_a_transport_error_that_names_the_host() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(TransportError, match=rf"no answer from 127\.0\.0\.1:{port} \("):
        httpx_poster(request_to(f"http://127.0.0.1:{port}"), 5)


@pytest.mark.parametrize("url", ["http://chat.qwen.ai", "https://me:pw@chat.qwen.ai", "ftp://localhost"])
def test_a_url_that_no_token_may_go_to_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match="OAuth server's address"):
        httpx_poster(request_to(url), 5)


def test_the_timer_is_stopped_after_the_answer(server: Any) -> None:
    server.answer_next(200)
    timers: list[threading.Timer] = []

    def timer(seconds: float, cut: Callable[[], None]) -> threading.Timer:
        timers.append(threading.Timer(seconds, cut))
        return timers[0]

    httpx_poster(request_to(server.url), 60, timer=timer)
    timers[0].join(5)
    assert not timers[0].is_alive()
