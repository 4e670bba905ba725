"""Connections that break or crawl: what LiteLLM's own routes meet on the same server is the yardstick."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import litellm
import openai
import pytest
from litellm.llms.custom_httpx.http_handler import AsyncHTTPHandler, HTTPHandler

from litellm_qwen_ai.sandbox import Sandbox

pytestmark = pytest.mark.usefixtures("login", "waits")

MODEL = "qwen_ai/coder-model"
MESSAGES = [{"role": "user", "content": "ping"}]


def test_a_server_that_hangs_up_is_asked_as_often_as_by_litellms_own_route(
    ask: Callable[..., Any], sandbox: Sandbox, own_route: dict[str, str]
) -> None:
    asked = []
    for call in ({}, own_route):
        sandbox.clear()
        sandbox.answer_next("chat", "cut", times=9)
        with pytest.raises(litellm.exceptions.openai.APIError):
            ask(max_retries=0, **call)
        asked.append(len(sandbox.requests_to("chat")))
    assert asked == [1, 1]


@pytest.mark.usefixtures("own_loop")
async def test_a_router_asks_it_once_for_each_of_its_tries(sandbox: Sandbox, make_router: Any) -> None:
    sandbox.answer_next("chat", "cut", times=9)
    deployment = {"model_name": "m", "litellm_params": {"model": "qwen_ai/coder-model"}}
    router = make_router(deployment, num_retries=2, retry_after=0)
    with pytest.raises(litellm.APIConnectionError):
        await router.acompletion("m", messages=MESSAGES)
    assert len(sandbox.requests_to("chat")) == 3


HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
#: What comes at once, and what then drips in.
DRIPS = {
    "headers": (b"HTTP/1.1 200 OK\r\nx-slow: ", b"x"),
    "early hints": (b"", b"HTTP/1.1 103 Early Hints\r\n\r\n"),
    "chunk extension": (HEAD + b"transfer-encoding: chunked\r\n\r\n5;", b"x"),
    # A record of TLS (RFC 8446 section 5.1): a handshake message of 16 kB.
    "handshake": (b"\x16\x03\x03\x40\x00\x02\x00\x3f\xfc", b"\x00"),
}


class Dripper:
    """A server on loopback that sends one byte or one line after another, for ever."""

    def __init__(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.api_base = f"http://127.0.0.1:{self._listening.getsockname()[1]}/v1"
        self.at_once, self.then = DRIPS["headers"]
        self.left = threading.Semaphore(0)
        self._closed = threading.Event()
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._closed.set()
        self._listening.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listening.accept()
                threading.Thread(target=self._drip, args=(connection,), daemon=True).start()

    def _drip(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            connection.recv(65536)
            connection.sendall(self.at_once)
            while not self._closed.wait(0.02):  # seconds between two drops
                connection.sendall(self.then)  # fails when the caller has left
        self.left.release()


@pytest.fixture
def dripper() -> Iterator[Dripper]:
    running = Dripper()
    yield running
    running.close()


@pytest.mark.parametrize("kind", DRIPS)
def test_an_answer_that_drips_in_ends_with_the_calls_timeout(
    ask: Callable[..., Any], dripper: Dripper, kind: str
) -> None:
    dripper.at_once, dripper.then = DRIPS[kind]
    api_base = dripper.api_base.replace("http:", "https:" if kind == "handshake" else "http:")
    with pytest.raises(litellm.exceptions.openai.APIError) as failure:
        ask(api_key="sk-any", api_base=api_base, timeout=0.5, max_retries=0)
    # LiteLLM 1.110 wraps what a stream raises before its first chunk, for Router.
    assert isinstance(getattr(failure.value, "original_exception", None) or failure.value, litellm.Timeout)
    assert dripper.left.acquire(timeout=30), "the connection is still open after 30 s"


def _clients(asynchronous: bool) -> dict[str, Any]:
    """What callers give as `client=`, each saying `x-mine` with its requests."""
    headers = {"x-mine": "yes"}
    if asynchronous:
        handler = AsyncHTTPHandler()
        handler.client.headers.update(headers)
        return {"httpx": httpx.AsyncClient(headers=headers), "LiteLLM's": handler}
    handler = HTTPHandler()
    handler.client.headers.update(headers)
    return {"httpx": httpx.Client(headers=headers), "LiteLLM's": handler}


@pytest.mark.parametrize("kind", ["httpx", "LiteLLM's"])
def test_a_callers_client_sends_the_call(sandbox: Sandbox, kind: str) -> None:
    clients = _clients(False)
    assert litellm.completion(MODEL, messages=MESSAGES, client=clients[kind])
    assert sandbox.requests_to("chat")[0].headers["x-mine"] == "yes"
    clients["httpx"].close()
    clients["LiteLLM's"].close()


@pytest.mark.usefixtures("own_loop")
@pytest.mark.parametrize("kind", ["httpx", "LiteLLM's"])
async def test_so_does_an_async_one(sandbox: Sandbox, kind: str) -> None:
    clients = _clients(True)
    assert await litellm.acompletion(MODEL, messages=MESSAGES, client=clients[kind])
    assert sandbox.requests_to("chat")[0].headers["x-mine"] == "yes"
    await clients["httpx"].aclose()
    await clients["LiteLLM's"].close()


def test_an_openai_client_is_used_for_its_httpx_client_or_refused(sandbox: Sandbox) -> None:
    client = openai.OpenAI(api_key="sk-none", default_headers={"x-mine": "yes"})
    if isinstance(client._client, httpx.Client):  # from openai 3 on it is one of httpx2
        assert litellm.completion(MODEL, messages=MESSAGES, client=client)
        assert len(sandbox.requests_to("chat")) == 1
    else:
        with pytest.raises(litellm.BadRequestError, match=r"openai.*OpenAI, which cannot send"):
            litellm.completion(MODEL, messages=MESSAGES, client=client)
        assert sandbox.requests == []


def test_a_client_of_the_wrong_kind_is_refused_and_not_forgotten(
    ask: Callable[..., Any], sandbox: Sandbox
) -> None:
    with pytest.raises(litellm.BadRequestError, match=r"builtins\.object, which cannot send"):
        ask(client=object())
    assert sandbox.requests == []
