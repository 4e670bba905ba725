from __future__ import annotations

import contextlib
import dataclasses
import errno
import os
import pickle
import socket
import string
import threading
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from litellm_qwen_ai.oauth.errors import ConfigurationError
from litellm_qwen_ai.oauth.network import TransportError
from litellm_qwen_ai.oauth.protocol import MAX_BODY, OAuthRequest, read_refresh_answer
from litellm_qwen_ai.oauth.transport import httpx_poster
from litellm_qwen_ai.oauth.urls import checked_url
from tests.networks import HOST, http_proxy, listening

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
        thread.join(60)
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


class Timer(threading.Thread):
    """Goes off as soon as the answer drips, instead of after some seconds."""

    dripping: threading.Event

    def __init__(self, _seconds: float, cut: Callable[[], None]) -> None:
        super().__init__(target=lambda: (self.dripping.wait(30), cut()))

    def cancel(self) -> None:
        pass


@pytest.fixture
def timer() -> type[Timer]:
    return type("Timer", (Timer,), {"dripping": threading.Event()})


def drips(start: bytes, more: bytes, timer: type[Timer]) -> Callable[[socket.socket], None]:
    """Say `start`, and then `more` again and again until the other side has gone."""

    def drip(connection: socket.socket) -> None:
        # Cut while TLS begins, before its first record, CPython up to 3.11 leaves an SSLSocket unclosed.
        connection.recv(65536)
        connection.sendall(start)
        timer.dripping.set()
        connection.settimeout(0.01)  # the pace of the drops, and no time that anything waits for
        while True:
            with contextlib.suppress(TimeoutError):
                if not connection.recv(65536):
                    return
            connection.sendall(more)

    return drip


HEAD = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize(
    ("start", "more"),
    [
        (HEAD + b"X-Slow: ", b"x"),
        (HEAD + b"Content-Length: 99999\r\n\r\n", b"x"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n1;ext=", b"x"),
        (b"", b"HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n"),
    ],
    ids=["headers", "body", "chunk extension", "103 for ever"],
)
def test_an_answer_that_drips_in_for_ever_is_cut(start: bytes, more: bytes, timer: type[Timer]) -> None:
    with (
        listening(drips(start, more, timer)) as port,
        pytest.raises(TransportError, match=r"no whole answer in time \(30 s\)"),
    ):
        httpx_poster(request_to(f"http://127.0.0.1:{port}"), 30, timer=timer)  # type: ignore[arg-type]  # all that is used of one


# A record of TLS (RFC 8446 section 5.1): a handshake of 16 kB, of which a byte comes at a time.
SLOW_HANDSHAKE = (b"\x16\x03\x03\x40\x00\x02\x00\x3f\xfc", b"\x00")


@pytest.mark.parametrize("where", ["CONNECT", "handshake"])
def test_the_deadline_holds_before_there_is_http(
    where: str, timer: type[Timer], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    with contextlib.ExitStack() as stack:
        slow = drips(HEAD + b"X-Slow: ", b"x", timer) if where == "CONNECT" else drips(*SLOW_HANDSHAKE, timer)
        port = stack.enter_context(listening(slow))
        proxy = f"http://127.0.0.1:{port}"
        if where == "handshake":
            proxy = stack.enter_context(http_proxy(port, asked))
        monkeypatch.setenv("HTTPS_PROXY", proxy)
        monkeypatch.delenv("NO_PROXY", raising=False)
        with pytest.raises(TransportError, match=r"no whole answer in time \(30 s\)"):
            httpx_poster(request_to(f"https://{HOST}"), 30, timer=timer)  # type: ignore[arg-type]  # as above


def test_a_connection_that_comes_after_the_deadline_is_cut_at_once(server: Any) -> None:
    """The names of a host may take their time, and each of its addresses."""

    class Late(threading.Thread):
        """Goes off before the connection is there."""

        def __init__(self, _seconds: float, cut: Callable[[], None]) -> None:
            super().__init__()
            cut()

        def cancel(self) -> None:
            self.join(60)

    with pytest.raises(TransportError, match="in time"):
        httpx_poster(request_to(server.url), 30, timer=Late)  # type: ignore[arg-type]  # as above


@pytest.mark.parametrize(
    "reply", [b"", b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nshort"]
)
def test_a_broken_answer_is_a_transport_error_without_the_request(raw_server: Any, reply: bytes) -> None:
    with pytest.raises(TransportError) as caught:
        httpx_poster(request_to(raw_server(lambda connection: connection.sendall(reply))), 5)
    told = "".join(traceback.format_exception(caught.value)) + repr(pickle.dumps(caught.value))
    assert SECRET not in told
    assert caught.value.__context__ is None


def test_nobody_listening_is_a_transport_error_that_names_the_host_and_the_variable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(TransportError) as failed:
        httpx_poster(request_to(f"http://127.0.0.1:{port}"), 5)
    assert str(failed.value) == (
        f"no answer from 127.0.0.1:{port} (set by QWEN_OAUTH_BASE_URL or oauth_base_url): the connection was "
        f"refused ({os.strerror(errno.ECONNREFUSED)}). Check the address and the network"
    )


SECRETS = st.text(st.sampled_from(string.ascii_letters + string.digits + "-_"), min_size=8, max_size=60)


@given(SECRETS, st.data())
def test_nothing_of_a_secret_comes_back_from_a_malformed_answer(secret: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(secret) - 8), label="start")
    piece = secret[start : data.draw(st.integers(start + 8, len(secret)), label="end")].encode()
    answer = data.draw(
        st.sampled_from(
            [
                HEAD + b"Bad Header " + piece + b"\r\n\r\n",
                HEAD + piece + b" : x\r\n\r\n",
                b"HTTP/1.1 " + piece + b" OK\r\n\r\n",
                b"HTTP/1.1 200 " + piece + b"\x00\r\n\r\n",
                piece + b"\r\n\r\n",
                HEAD + b"Content-Length: " + piece + b"\r\n\r\n",
                HEAD + b"Transfer-Encoding: " + piece + b"\r\n\r\n",
                HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + piece + b"\r\n",
                HEAD + b"Content-Encoding: " + piece + b"\r\nContent-Length: 3\r\n\r\n{} ",
                b"HTTP/1.1 302 Found\r\nLocation: http://" + piece + b"\r\nContent-Length: 0\r\n\r\n",
                b'HTTP/1.1 400 Bad\r\n\r\n{"error": "x", "error_description": "see ' + piece + b'"}',
                b'HTTP/1.1 400 Bad\r\n\r\n{"error": "' + piece + b'"}',
            ]
        ),
        label="answer",
    )
    store: list[str] = []
    with listening(lambda connection: (connection.recv(65536), connection.sendall(answer))) as port:
        request = OAuthRequest(f"http://127.0.0.1:{port}/token", {}, {"refresh_token": secret})
        try:
            store.append(repr(read_refresh_answer(httpx_poster(request, 30), secret)))
        except TransportError as failed:
            store += [str(failed), repr(failed), "".join(traceback.format_exception(failed))]
    pieces = [secret[at : at + 8] for at in range(len(secret) - 7)]
    ours = ("200", "QWEN_OAUTH_BASE_URL")  # what a secret may have in common with our own words
    told = "".join(store)
    assert not [one for one in pieces if one in told and one not in "".join(ours)]


@pytest.mark.parametrize("url", ["http://chat.qwen.ai", "https://me:pw@chat.qwen.ai", "ftp://localhost"])
def test_a_url_that_no_token_may_go_to_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match="OAuth server's address"):
        httpx_poster(request_to(url), 5)


def test_an_address_may_end_in_slashes() -> None:
    assert checked_url("https://chat.qwen.ai/oauth//", "x") == "https://chat.qwen.ai/oauth"


def test_the_timer_is_stopped_after_the_answer(server: Any) -> None:
    server.answer_next(200)
    timers: list[threading.Timer] = []

    def timer(seconds: float, cut: Callable[[], None]) -> threading.Timer:
        timers.append(threading.Timer(seconds, cut))
        return timers[0]

    httpx_poster(request_to(server.url), 600, timer=timer)
    timers[0].join(60)
    assert not timers[0].is_alive()


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="Linux tells of a connection's timers")
def test_a_connection_that_dies_without_a_word_is_noticed_while_an_answer_is_waited_for(
    raw_server: Any,
) -> None:
    timers: list[str] = []

    def speak(connection: socket.socket) -> None:
        # Both ends: a port alone is also that of connections to others, which linger when they are closed.
        ends = [f"{end[1]:04X}" for end in (connection.getpeername(), connection.getsockname())]
        for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
            fields = line.split()
            if [address.partition(":")[2] for address in fields[1:3]] == ends:
                timers.append(fields[5].partition(":")[0])
        connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")

    httpx_poster(request_to(raw_server(speak)), 5)
    assert timers == ["02"]  # proc(5): the keepalive timer runs
