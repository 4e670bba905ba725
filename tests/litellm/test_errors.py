"""Each kind of refusal as the exception of a built-in provider, through LiteLLM."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import litellm
import pytest

import litellm_qwen_ai
from litellm_qwen_ai.sandbox import Sandbox

pytestmark = pytest.mark.usefixtures("login", "waits")

KINDS = [
    ("token_expired", litellm.AuthenticationError, 401),
    ("quota_spent", litellm.RateLimitError, 429),
    ("inspection_failed", litellm.ContentPolicyViolationError, 400),
    ("too_long", litellm.ContextWindowExceededError, 400),
    ("bad_parameter", litellm.BadRequestError, 400),
    ("model_not_in_plan", litellm.PermissionDeniedError, 403),
    ("not_found", litellm.NotFoundError, 404),
    ("server_error", litellm.InternalServerError, 500),
    ("html_502", litellm.exceptions.openai.APIError, 502),
    ("html_503", litellm.ServiceUnavailableError, 503),
    ("html_504", litellm.Timeout, 504),
    ("redirect", litellm.APIConnectionError, 500),
    ("cut", litellm.APIConnectionError, 500),
]


def _as_raised_by_us(error: Any) -> Any:
    """LiteLLM wraps what an async stream raises, for every provider, in an exception for its Router."""
    return getattr(error, "original_exception", None) or error


# The whole table is in tests/chat/test_errors.py: LiteLLM tells kinds apart, and forms, but no two of a kind.
@pytest.mark.parametrize("ask", ["async stream"], indirect=True)
@pytest.mark.parametrize(("name", "kind", "status"), KINDS, ids=[row[0] for row in KINDS])
def test_a_refusal_becomes_the_matching_exception(
    ask: Any, sandbox: Sandbox, name: str, kind: type[Exception], status: int
) -> None:
    sandbox.answer_next("chat", name, times=9)
    with pytest.raises(kind) as failure:
        ask(max_retries=0)
    assert failure.value.status_code == status
    for request in sandbox.requests_to("chat"):
        assert request.headers["authorization"].removeprefix("Bearer ") not in str(failure.value)


def test_the_servers_words_and_its_request_id_are_kept(ask: Any, sandbox: Sandbox) -> None:
    sandbox.answer_next("chat", "too_long")
    with pytest.raises(litellm.ContextWindowExceededError, match="Range of input length") as failure:
        ask()
    assert "[request id " in str(failure.value)
    assert (failure.value.llm_provider, failure.value.model) == ("qwen_ai", "coder-model")


class Stalls(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """A server that goes silent: at once, or behind the first bytes of a stream."""

    def __init__(self, *pieces: bytes) -> None:
        self._pieces = pieces

    def _answer(self) -> httpx.Response:
        if not self._pieces:
            raise httpx.ReadTimeout("The read operation timed out")
        return httpx.Response(200, stream=StalledBody(self._pieces))

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.read()
        return self._answer()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await request.aread()
        return self._answer()


class StalledBody(httpx.SyncByteStream, httpx.AsyncByteStream):
    """Some pieces, then silence."""

    def __init__(self, pieces: tuple[bytes, ...]) -> None:
        self._pieces = pieces

    def __iter__(self) -> Iterator[bytes]:
        yield from self._pieces
        raise httpx.ReadTimeout("The read operation timed out")

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self:
            yield piece


class Refuses(httpx.BaseTransport):
    """A network without the server."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.read()
        raise httpx.ConnectError("[Errno 111] Connection refused")


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("api_base", "argument.example:8443"),
        ("QWEN_API_BASE", "variable.example"),
        ("the login's resource_url", "portal.example"),
        ("the default", "dashscope.aliyuncs.com"),
    ],
)
def test_a_server_out_of_reach_is_named_with_what_named_it(
    login: Path, monkeypatch: pytest.MonkeyPatch, origin: str, host: str
) -> None:
    call: dict[str, Any] = {"api_key": "sk-any-key"}
    if origin == "api_base":
        call["api_base"] = f"https://{host}/v1"
    elif origin == "QWEN_API_BASE":
        monkeypatch.setenv("QWEN_API_BASE", f"https://{host}/v1")
    elif origin != "the default":
        login.write_text(json.dumps({**json.loads(login.read_text()), "resource_url": host}))
        call = {}
    with httpx.Client(transport=Refuses()) as client, pytest.raises(litellm.APIConnectionError) as failure:
        litellm.completion(
            "qwen_ai/coder-model",
            messages=[{"role": "user", "content": "ping"}],
            client=client,
            max_retries=0,
            **call,
        )
    assert f"(host {host}, from {origin})" in str(failure.value)


@pytest.mark.parametrize("origin", ["api_base", "QWEN_API_BASE"])
def test_an_unusable_address_is_refused_by_the_name_of_what_holds_it(
    monkeypatch: pytest.MonkeyPatch, origin: str
) -> None:
    if origin == "QWEN_API_BASE":
        monkeypatch.setenv("QWEN_API_BASE", "ftp://qwen.example/v1")
    address = {"api_base": "ftp://qwen.example/v1"} if origin == "api_base" else {}
    messages = [{"role": "user", "content": "ping"}]
    with pytest.raises(litellm.BadRequestError, match=f"from {origin}"):
        litellm.completion("qwen_ai/coder-model", messages=messages, api_key="sk-any-key", **address)


@pytest.mark.parametrize("pieces", [(), (b'data: {"choices":[{"index":0,"delta":{"content":"a"}}]}\n\n',)])
def test_a_timeout_names_the_calls_own_limit(form: Any, pieces: tuple[bytes, ...]) -> None:
    transport = Stalls(*pieces)
    kind = httpx.AsyncClient if form.asynchronous else httpx.Client
    call = {"messages": [{"role": "user", "content": "ping"}], "timeout": 12.5, "max_retries": 0}
    with pytest.raises(litellm.exceptions.openai.APIError) as failure:
        form(
            litellm.completion,
            litellm.acompletion,
            model="qwen_ai/coder-model",
            client=kind(transport=transport),
            **call,
        )
    error = _as_raised_by_us(failure.value)
    assert isinstance(error, litellm.Timeout)
    assert "(timeout 12.5 s)" in str(error)


def test_throttling_is_tried_again_after_the_servers_time(
    ask: Any, sandbox: Sandbox, waits: list[float]
) -> None:
    sandbox.answer_next("chat", "throttled")
    assert ask().choices[0].message.content
    assert waits == [3.0]


def test_router_and_proxy_can_read_the_servers_time(ask: Any, sandbox: Sandbox) -> None:
    sandbox.answer_next("chat", "throttled")
    with pytest.raises(litellm.RateLimitError) as failure:
        ask(max_retries=0)
    assert failure.value.response.headers["retry-after"] == "3"
    assert failure.value.litellm_response_headers["retry-after"] == "3"


def test_a_spent_quota_names_the_ways_that_work(ask: Any, sandbox: Sandbox, waits: list[float]) -> None:
    sandbox.answer_next("chat", "quota_spent", times=9)
    with pytest.raises(litellm.RateLimitError) as failure:
        ask()
    assert "dashscope/" in str(failure.value)
    assert "api_key" in str(failure.value)
    assert waits == []
    assert len(sandbox.requests_to("chat")) == 1


def test_retries_stop_after_the_allowed_number(ask: Any, sandbox: Sandbox, waits: list[float]) -> None:
    sandbox.answer_next("chat", "html_503", times=9)
    with pytest.raises(litellm.ServiceUnavailableError):
        ask(max_retries=1)
    assert len(sandbox.requests_to("chat")) == 2
    assert len(waits) == 1


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("error_event", litellm.RateLimitError),
        ("error_finish", litellm.exceptions.openai.APIError),
        ("stream_ends_early", litellm.exceptions.openai.APIError),
    ],
)
async def test_an_error_inside_a_stream_is_an_error_and_never_text(
    sandbox: Sandbox, name: str, kind: type[Exception]
) -> None:
    sandbox.answer_next("chat", name)
    text = ""
    with pytest.raises(litellm.exceptions.openai.APIError) as failure:  # noqa: PT012  # it comes while reading
        async for chunk in await litellm.acompletion(
            "qwen_ai/coder-model", messages=[{"role": "user", "content": "ping"}], stream=True
        ):
            text += chunk.choices[0].delta.content or ""
    assert "rror" not in text
    assert "hrottl" not in text
    error = _as_raised_by_us(failure.value)
    assert isinstance(error, kind)
    assert error.llm_provider == "qwen_ai"
    await litellm.close_litellm_async_clients()


@pytest.mark.parametrize("name", ["embedding", "image_generation"])
def test_what_is_not_offered_is_refused_with_the_alternative(name: str) -> None:
    call = getattr(litellm, name)
    what = {"input": ["x"]} if name == "embedding" else {"prompt": "x"}
    with pytest.raises(litellm.BadRequestError, match="dashscope/"):
        call(model="qwen_ai/coder-model", **what)


async def test_what_is_not_offered_is_refused_in_async_code_too() -> None:
    with pytest.raises(litellm.BadRequestError, match="dashscope/"):
        await litellm.aembedding(model="qwen_ai/text-embedding-v4", input=["x"])


def test_the_handler_of_a_user_can_be_told_how_to_wait(sandbox: Sandbox, login: Path) -> None:
    assert login.exists()
    seconds: list[float] = []
    own = litellm_qwen_ai.QwenAI(sleep=seconds.append)
    sandbox.answer_next("chat", "throttled")
    response = own.completion(
        model="coder-model",
        messages=[{"role": "user", "content": "ping"}],
        model_response=litellm.ModelResponse(),
        optional_params={},
    )
    assert response.choices[0].message.content
    assert seconds == [3.0]
