"""The hall: takes a LiteLLM call, asks `oauth/` for a token and `chat/` for the request, sends it.

The bytes go through LiteLLM's own HTTP clients, so that the user's proxy, TLS, timeout and client settings
hold. (Named `provider`, because `litellm_qwen_ai.handler` is the instance that a proxy's config names.)
"""

from __future__ import annotations

import asyncio
import functools
import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

import litellm
from litellm import exceptions
from litellm.llms.custom_llm import CustomLLM

from litellm_qwen_ai import host
from litellm_qwen_ai._litellm import look_up
from litellm_qwen_ai.auth import Bearer, BearerSource
from litellm_qwen_ai.chat.request import ChatRequest, build_request
from litellm_qwen_ai.chat.response import parse_response
from litellm_qwen_ai.chat.stream import AsyncChatStream, ChatStream
from litellm_qwen_ai.flow import arun, call_flow, run
from litellm_qwen_ai.models import PROVIDER

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    import httpx
    from litellm import ModelResponse

_logger = logging.getLogger("litellm_qwen_ai")

#: As LiteLLM's OpenAI-like providers do; Router passes 0 and retries itself.
DEFAULT_MAX_RETRIES = 2
_OK = 200
#: Where a response holds on to its client: LiteLLM's cache closes one that nobody holds, even mid-stream.
_OWNER = "litellm_qwen_ai.client"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Call:
    """One LiteLLM call: all that does not depend on the bearer."""

    model: str
    messages: list[Any]
    optional_params: dict[str, Any]
    headers: dict[str, str]
    drop_params: bool
    timeout: Any
    client: Any
    logging_obj: Any
    source: BearerSource
    stream: bool
    in_router: bool
    max_retries: int
    sleep: Callable[[float], None]
    asleep: Callable[[float], Awaitable[None]]

    @classmethod
    def of(cls, handler: QwenAI, call: dict[str, Any], *, stream: bool) -> _Call:
        params: dict[str, Any] = call.get("optional_params") or {}
        litellm_params: dict[str, Any] = call.get("litellm_params") or {}
        in_router = _in_router(litellm_params)
        max_retries = params.get("max_retries")
        return cls(
            model=call["model"],
            messages=call["messages"],
            optional_params=params,
            headers=call.get("headers") or {},
            drop_params=bool(litellm_params.get("drop_params") or litellm.drop_params),
            timeout=call.get("timeout"),
            client=call.get("client"),
            logging_obj=call.get("logging_obj"),
            source=BearerSource(
                model=call["model"],
                api_key=call.get("api_key"),
                api_base=call.get("api_base"),
                account=_account(params, litellm_params, in_router=in_router),
            ),
            stream=stream,
            in_router=in_router,
            max_retries=DEFAULT_MAX_RETRIES if max_retries is None else int(max_retries),
            sleep=handler.sleep,
            asleep=handler.asleep,
        )

    def run(self) -> tuple[httpx.Response, Bearer]:
        answer: tuple[httpx.Response, Bearer] = run(self._flow(), self.source, self._send, self.sleep)
        return answer

    async def arun(self) -> tuple[httpx.Response, Bearer]:
        answer: tuple[httpx.Response, Bearer] = await arun(
            self._flow(), self.source, self._asend, self.asleep
        )
        return answer

    def parse(self, response: httpx.Response, bearer: Bearer, model_response: ModelResponse) -> ModelResponse:
        self.log_answer(response.text)
        return parse_response(
            response.content,
            model=self.model,
            model_response=model_response,
            headers=response.headers,
            with_login=bearer.with_login,
            secrets=(bearer.token,),
        )

    def of_stream(self) -> dict[str, Any]:
        """What both stream shells are told of the call."""
        timeout = self.timeout if isinstance(self.timeout, (int, float)) else None
        return {"model": self.model, "with_login": self.source.can_renew, "timeout": timeout}

    def log_answer(self, text: str) -> None:
        if self.logging_obj is not None:
            self.logging_obj.post_call(input=self.messages, api_key=None, original_response=text)

    def _flow(self) -> Any:
        return call_flow(
            self._build, model=self.model, can_renew=self.source.can_renew, max_retries=self.max_retries
        )

    def _build(self, bearer: Bearer) -> ChatRequest:
        request = build_request(
            model=self.model,
            messages=self.messages,
            optional_params=self.optional_params,
            base_url=bearer.base_url,
            token=bearer.token,
            with_login=bearer.with_login,
            extra_headers=self.headers,
            stream=self.stream,
            drop_params=self.drop_params,
        )
        if self.logging_obj is not None:
            # No key and masked headers: no token reaches a callback.
            self.logging_obj.pre_call(
                input=self.messages,
                api_key=None,
                additional_args={
                    "complete_input_dict": request.payload,
                    "api_base": request.url,
                    "headers": request.masked_headers(),
                },
            )
        return request

    def _send(self, request: ChatRequest) -> httpx.Response:
        client, owner = host.sync_http(self.client)
        # A bearer follows no redirect: 3xx comes back as an error.
        response = client.send(self._http_request(client, request), stream=True, follow_redirects=False)
        response.extensions[_OWNER] = owner
        if not (self.stream and response.status_code == _OK):
            try:
                response.read()
            finally:
                response.close()
        return response

    async def _asend(self, request: ChatRequest) -> httpx.Response:
        client, owner = host.async_http(self.client)
        response = await client.send(self._http_request(client, request), stream=True, follow_redirects=False)
        response.extensions[_OWNER] = owner
        if not (self.stream and response.status_code == _OK):
            try:
                await response.aread()
            finally:
                await response.aclose()
        return response

    def _http_request(self, client: httpx.Client | httpx.AsyncClient, request: ChatRequest) -> httpx.Request:
        timeout = {} if self.timeout is None else {"timeout": self.timeout}
        return client.build_request(
            "POST", request.url, headers=request.headers, content=request.body, **timeout
        )


class QwenAI(CustomLLM):
    """Serves `qwen_ai/`: the handler that LiteLLM calls, with keyword arguments (litellm's CustomLLM).

    Errors are always `litellm.exceptions` classes with `llm_provider="qwen_ai"`.

    Args:
        sleep: Waits before a retry, in seconds.
        asleep: The same on the running event loop.
    """

    def __init__(
        self,
        *,
        sleep: Callable[[float], None] = time.sleep,
        asleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        super().__init__()
        self.sleep = sleep
        self.asleep = asleep

    def completion(self, **call: Any) -> ModelResponse:  # type: ignore[override]  # LiteLLM passes keywords only
        """Answer one chat call."""
        this = _Call.of(self, call, stream=False)
        response, bearer = this.run()
        return this.parse(response, bearer, call["model_response"])

    async def acompletion(self, **call: Any) -> ModelResponse:  # type: ignore[override]  # as above
        """Answer one chat call on the running event loop."""
        this = _Call.of(self, call, stream=False)
        response, bearer = await this.arun()
        return this.parse(response, bearer, call["model_response"])

    def streaming(self, **call: Any) -> ChatStream:  # type: ignore[override]  # as above
        """Connect at once, so that errors come out of `litellm.completion()`; return the chunks."""
        this = _Call.of(self, call, stream=True)
        secrets: list[str] = []

        def opener() -> httpx.Response:
            response, bearer = this.run()
            secrets.append(bearer.token)
            return response

        stream = ChatStream(opener, secrets=secrets, **this.of_stream())
        stream.connect()
        return stream

    def astreaming(self, **call: Any) -> AsyncChatStream:  # type: ignore[override]  # as above
        """Return the chunks; connects on `connect()` (host.py) or at the first chunk.

        LiteLLM calls this in a worker thread that has no event loop: nothing may be awaited here.
        """
        this = _Call.of(self, call, stream=True)
        secrets: list[str] = []

        async def opener() -> httpx.Response:
            try:
                response, bearer = await this.arun()
            except Exception as error:
                if this.in_router and not host.streams_are_eager():
                    _raise_for_fallback(error, this.model)
                raise
            secrets.append(bearer.token)
            return response

        return AsyncChatStream(opener, secrets=secrets, **this.of_stream())

    def embedding(self, **call: Any) -> NoReturn:  # type: ignore[override]  # as above
        """Not offered."""
        raise _not_offered("embeddings", "dashscope/text-embedding-v4", call)

    async def aembedding(self, **call: Any) -> NoReturn:  # type: ignore[override]  # as above
        """Not offered."""
        raise _not_offered("embeddings", "dashscope/text-embedding-v4", call)

    def image_generation(self, **call: Any) -> NoReturn:  # type: ignore[override]  # as above
        """Not offered."""
        raise _not_offered("image generation", "dashscope/", call)

    async def aimage_generation(self, **call: Any) -> NoReturn:  # type: ignore[override]  # as above
        """Not offered."""
        raise _not_offered("image generation", "dashscope/", call)

    def image_edit(self, **call: Any) -> NoReturn:  # type: ignore[override]  # as above
        """Not offered."""
        raise _not_offered("image editing", "dashscope/", call)

    async def aimage_edit(self, **call: Any) -> NoReturn:  # type: ignore[override]  # as above
        """Not offered."""
        raise _not_offered("image editing", "dashscope/", call)


def _not_offered(what: str, instead: str, call: dict[str, Any]) -> Exception:
    return exceptions.BadRequestError(
        message=(
            f"qwen_ai/ offers chat only, no {what}. LiteLLM's own route {instead} (with a DASHSCOPE_API_KEY "
            "from Alibaba Cloud Model Studio) serves Qwen's other models."
        ),
        model=str(call.get("model")),
        llm_provider=PROVIDER,
    )


def _in_router(litellm_params: dict[str, Any]) -> bool:
    return any("model_group" in (litellm_params.get(key) or {}) for key in ("metadata", "litellm_metadata"))


def _account(params: dict[str, Any], litellm_params: dict[str, Any], *, in_router: bool) -> str | None:
    """The account that a call uses: the deployment's own, or (outside a Router) the call's.

    Router merges a client's keywords over the deployment's parameters; only `model_info` is the
    deployment's own. So under a Router a per-call value is ignored.
    """
    own = (litellm_params.get("model_info") or {}).get("qwen_account")
    if own is None:
        own = params.get("qwen_account")
        if own is not None and in_router:
            _warn_of_ignored_account()
            own = None
    return None if own is None else str(own)


@functools.cache
def _warn_of_ignored_account() -> None:
    """Once: a deployment that means to name its account, and does so in the wrong place, uses the default."""
    _logger.warning(
        "A qwen_account that a Router passes on is ignored, since any client could send one. "
        "Set it in the deployment: model_info: {qwen_account: <name>}."
    )


def _raise_for_fallback(error: Exception, model: str) -> NoReturn:
    # Without the eager adaptation only this exception makes Router fall back for an async stream.
    fallback = look_up("litellm.exceptions.MidStreamFallbackError")
    if fallback is None:
        raise error
    raise fallback(
        message=str(error),
        model=model,
        llm_provider=PROVIDER,
        original_exception=error,
        is_pre_first_chunk=True,
    ) from error


handler = QwenAI()
