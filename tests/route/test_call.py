"""How a LiteLLM call is read."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import time
import weakref
from collections.abc import AsyncIterator, Iterator
from types import SimpleNamespace
from typing import Any

import httpx
import litellm
import pytest

import litellm_qwen_ai
from litellm_qwen_ai.chat import body
from litellm_qwen_ai.route.call import DEFAULT_MAX_RETRIES, Call, _raise_for_fallback, asks_for_one

CALL: dict[str, Any] = {"model": "coder-model", "messages": [], "api_key": "sk-key"}


def _call(**more: Any) -> Call:
    return Call({**CALL, **more}, stream=True, sleep=time.sleep, asleep=asyncio.sleep)


def test_a_router_is_told_what_a_stream_failed_with_before_its_first_chunk() -> None:
    error = ValueError("refused")
    with pytest.raises(litellm.exceptions.MidStreamFallbackError) as caught:
        _raise_for_fallback(error, "coder-model")
    told = caught.value
    assert (told.model, told.llm_provider, told.is_pre_first_chunk) == ("coder-model", "qwen_ai", True)
    assert told.original_exception is told.__cause__ is error
    assert told.message.endswith("refused")


@pytest.mark.parametrize(
    ("params", "one"),
    [
        ({}, True),
        ({"n": 1}, True),
        ({"n": 2}, False),
        ({"extra_body": {"n": 2}}, False),
        ({"n": 2, "extra_body": {"n": 1}}, True),
    ],
)
def test_it_is_known_whether_one_answer_is_asked_for(params: dict[str, Any], one: bool) -> None:
    assert asks_for_one(params) is one


@pytest.mark.parametrize(("given", "retries"), [(None, DEFAULT_MAX_RETRIES), (0, 0), ("3", 3)])
def test_max_retries_is_a_number_or_the_default(given: Any, retries: int) -> None:
    assert _call(optional_params={"max_retries": given}).max_retries == retries


@pytest.mark.parametrize("kind", ["open_stream", "open_astream"])
def test_a_stream_is_in_no_cycle_so_that_it_closes_as_soon_as_it_is_dropped(kind: str) -> None:
    call = _call()
    gc.disable()
    try:
        stream = getattr(call, kind)()
        gone = weakref.ref(stream)
        del stream
        assert gone() is None
    finally:
        gc.enable()


class Body(httpx.SyncByteStream, httpx.AsyncByteStream):
    def __init__(self, content: bytes) -> None:
        self._content = content

    def __iter__(self) -> Iterator[bytes]:
        yield self._content

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self._content


class Answers(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """Answers each request alike, and keeps what it was asked and what it answered."""

    def __init__(self, status: int, content: bytes) -> None:
        self._status, self._content = status, content
        self.requests: list[httpx.Request] = []
        self.responses: list[httpx.Response] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        self.responses.append(httpx.Response(self._status, stream=Body(self._content)))
        return self.responses[-1]

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return self.handle_request(request)


WHOLE = json.dumps(
    {"choices": [{"index": 0, "message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}]}
).encode()


async def _ask(transport: Answers, *, asynchronous: bool, **more: Any) -> None:
    """One whole answer, in one of the two ways."""
    given = {**CALL, "api_base": "http://127.0.0.1:9/v1", "optional_params": {"max_retries": 0}, **more}
    if asynchronous:
        async with httpx.AsyncClient(transport=transport, trust_env=False) as client:
            call = Call({**given, "client": client}, stream=False, sleep=time.sleep, asleep=asyncio.sleep)
            await call.aanswer(litellm.ModelResponse())
        return
    with httpx.Client(transport=transport, trust_env=False) as client:
        call = Call({**given, "client": client}, stream=False, sleep=time.sleep, asleep=asyncio.sleep)
        call.answer(litellm.ModelResponse())


@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize(
    ("status", "content", "error"),
    [
        (200, WHOLE, None),
        (400, b'{"error": {"message": "no"}}', litellm.BadRequestError),
        (200, b"x" * 2000, litellm.InternalServerError),
        (400, b"x" * 2000, litellm.BadRequestError),
    ],
    ids=["answer", "error", "over-long answer", "over-long error"],
)
async def test_a_whole_answer_gives_its_connection_back(
    asynchronous: bool,
    status: int,
    content: bytes,
    error: type[Exception] | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("MAX_ANSWER_BYTES", "MAX_ERROR_BYTES"):
        monkeypatch.setattr(body, name, 1000)
    transport = Answers(status, content)
    with contextlib.nullcontext() if error is None else pytest.raises(error):
        await _ask(transport, asynchronous=asynchronous)
    assert [response.is_closed for response in transport.responses] == [True]


@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize(
    "timeout", [7.0, httpx.Timeout(1.0, connect=2.0, read=3.0)], ids=["seconds", "httpx"]
)
async def test_the_callers_timeout_is_the_requests(timeout: Any, asynchronous: bool) -> None:
    transport = Answers(200, WHOLE)
    await _ask(transport, asynchronous=asynchronous, timeout=timeout)
    assert transport.requests[0].extensions["timeout"] == httpx.Timeout(timeout).as_dict()


REASONED = b"".join(
    b'data: {"choices": [{"index": 0, "delta": {%s}, "finish_reason": null}]}\n\n' % delta
    for delta in (b'"reasoning_content": "why"', b'"content": "hi"')
)


@pytest.mark.parametrize(("wanted", "text"), [(True, "<think>why</think>hi"), (False, "hi")])
def test_reasoning_is_in_a_streams_content_if_the_call_wants_it_there(wanted: bool, text: str) -> None:
    with httpx.Client(transport=Answers(200, REASONED + b"data: [DONE]\n\n"), trust_env=False) as client:
        call = _call(
            api_base="http://127.0.0.1:9/v1",
            client=client,
            litellm_params={"merge_reasoning_content_in_choices": wanted},
        )
        chunks = list(call.open_stream())
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == text


def test_an_answer_that_is_not_utf_8_is_told_to_litellm_as_far_as_it_is_readable() -> None:
    told: list[Any] = []
    call = _call(logging_obj=SimpleNamespace(post_call=lambda **said: told.append(said["original_response"])))
    content = b'{"choices": [{"message": {"content": "caf\xe9"}}]}'
    response = httpx.Response(
        200, content=content, request=httpx.Request("POST", "https://h/chat/completions")
    )
    made = call._parse(response, call.source.get(), litellm.ModelResponse())
    assert told == [content.decode("utf-8", "replace")]
    assert made.choices[0].message.content == "caf\ufffd"


@pytest.mark.parametrize("name", ["embedding", "image_generation", "image_edit"])
async def test_what_is_not_offered_is_refused_with_what_offers_it(name: str) -> None:
    with pytest.raises(litellm.BadRequestError) as caught:
        getattr(litellm_qwen_ai.handler, name)(model="m", input=["a"])
    with pytest.raises(litellm.BadRequestError) as awaited:
        await getattr(litellm_qwen_ai.handler, f"a{name}")(model="m", input=["a"])
    assert str(caught.value) == str(awaited.value)
    assert (caught.value.model, caught.value.llm_provider) == ("m", "qwen_ai")
    assert "qwen_ai/ offers chat only, no " in str(caught.value)
    assert str(caught.value).endswith(", with a DASHSCOPE_API_KEY from Alibaba Cloud Model Studio.")
