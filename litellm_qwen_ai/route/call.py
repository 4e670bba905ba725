"""One LiteLLM call to `qwen_ai/`: asks `oauth/` for a token and `chat/` for the request, sends it.

The bytes go through LiteLLM's own HTTP clients, so that the user's proxy, TLS, timeout and client settings
hold. Loaded at the first call, not with `import litellm`.
"""

from __future__ import annotations

import functools
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NoReturn

import litellm

from litellm_qwen_ai.chat import body
from litellm_qwen_ai.chat.context import AnswerContext
from litellm_qwen_ai.chat.errors import bad_request
from litellm_qwen_ai.chat.request import ChatRequest, build_request
from litellm_qwen_ai.chat.response import parse_response
from litellm_qwen_ai.chat.stream import AsyncChatStream, ChatStream
from litellm_qwen_ai.chat.wire import host_of, masked
from litellm_qwen_ai.names import PROVIDER
from litellm_qwen_ai.route import host, patches, post, telemetry, trust
from litellm_qwen_ai.route.bearer import BearerSource
from litellm_qwen_ai.route.deadline import AsyncDeadline, Deadline
from litellm_qwen_ai.route.network import way_of_chat
from litellm_qwen_ai.route.private_names import look_up
from litellm_qwen_ai.route.retries import FAILURES, arun, call_flow, count_late, run

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    import httpx
    from litellm import ModelResponse

    from litellm_qwen_ai.route.bearer import Bearer
    from litellm_qwen_ai.route.retries import Flow, Outcome

#: As LiteLLM's OpenAI-like providers do; Router passes 0 and retries itself.
DEFAULT_MAX_RETRIES = 2
_OK = 200
#: Where a response holds on to its client: LiteLLM's cache closes one that nobody holds, even mid-stream.
_OWNER = "litellm_qwen_ai.client"


class Call:
    """One LiteLLM call: all that does not depend on the bearer.

    Args:
        call: The keywords that LiteLLM calls a `CustomLLM` with; nothing in them is changed.
        stream: Whether the answer is streamed.
        sleep: Waits before a retry, in seconds.
        asleep: The same on the running event loop.

    Raises:
        litellm.BadRequestError: A keyword is of a wrong kind, or a client's address is to get a login.
    """

    def __init__(
        self,
        call: dict[str, Any],
        *,
        stream: bool,
        sleep: Callable[[float], None],
        asleep: Callable[[float], Awaitable[None]],
    ) -> None:
        self.model: str = call["model"]
        self.messages: list[Any] = call["messages"]
        self.optional_params: dict[str, Any] = call.get("optional_params") or {}  # for the provider
        self.litellm_params: dict[str, Any] = call.get("litellm_params") or {}  # LiteLLM's own
        host.keep_catalogue()
        if not call.get("api_key") and trust.is_clients_address(call.get("api_base"), self.litellm_params):
            raise bad_request(trust.CLIENTS_ADDRESS, model=self.model)
        self.headers: dict[str, str] = call.get("headers") or {}
        self.drop_params = bool(self.litellm_params.get("drop_params") or litellm.drop_params)
        self.timeout = timeout = call.get("timeout")  # seconds, an httpx.Timeout, None for the client's own
        seconds = timeout if isinstance(timeout, (int, float)) and not isinstance(timeout, bool) else None
        self._bounds = AnswerContext(self.model, timeout=seconds)
        self._limit = body.MAX_SECONDS if seconds is None else seconds
        self.client = call.get("client")
        self.logging_obj = call.get("logging_obj")
        self.source = BearerSource(
            model=self.model,
            api_key=call.get("api_key"),
            api_base=call.get("api_base"),
            account=trust.account_of(self.optional_params, self.litellm_params),
        )
        self.stream = stream
        #: Whether a stream's reasoning is wanted in its content, between `<think>` and `</think>`.
        self.think_tags = bool(self.litellm_params.get("merge_reasoning_content_in_choices"))
        self.max_retries = _max_retries(self.optional_params.get("max_retries"), self.model)
        self.sleep = sleep
        self.asleep = asleep

    def answer(self, model_response: ModelResponse) -> ModelResponse:
        """Send the call and fill `model_response` from its answer."""
        return self._parse(*self._run(), model_response)

    async def aanswer(self, model_response: ModelResponse) -> ModelResponse:
        """The same on the running event loop."""
        return self._parse(*await self._arun(), model_response)

    def open_stream(self) -> ChatStream:
        """The chunks of the answer; not connected yet."""
        # No closure may hold the stream, which holds them: dropped, it closes its connection at once.
        hidden: dict[str, Any] = {}

        def opener() -> tuple[httpx.Response, AnswerContext]:
            return self._opened(*self._run(), hidden)

        return ChatStream(opener, hidden=hidden, on_failure=self._count_late)

    def open_astream(self) -> AsyncChatStream:
        """The same for an event loop; needs none before it is connected."""
        hidden: dict[str, Any] = {}

        async def opener() -> tuple[httpx.Response, AnswerContext]:
            try:
                return self._opened(*await self._arun(), hidden)
            except Exception as error:
                if trust.in_router(self.litellm_params) and not patches.streams_are_eager():
                    _raise_for_fallback(error, self.model)
                raise

        return AsyncChatStream(opener, hidden=hidden, on_failure=self._count_late)

    def _opened(
        self, response: httpx.Response, bearer: Bearer, hidden: dict[str, Any]
    ) -> tuple[httpx.Response, AnswerContext]:
        hidden.update(telemetry.of_stream(response, self.source.observer.headers()))
        if self._is_free(bearer) and f"{PROVIDER}/{self.model}" in litellm.model_cost:
            patches.tell_cost_of_beginning(self.logging_obj, self._free_cost)
        return response, self._context(bearer)

    def _run(self) -> tuple[httpx.Response, Bearer]:
        return run(self._flow(), self.source, self._send, self.sleep)

    async def _arun(self) -> tuple[httpx.Response, Bearer]:
        return await arun(self._flow(), self.source, self._asend, self.asleep)

    def _parse(
        self, response: httpx.Response, bearer: Bearer, model_response: ModelResponse
    ) -> ModelResponse:
        if self.logging_obj is not None:
            # Not `response.text`: JSON is UTF-8, and httpx would take 50 us to find that out.
            text = response.content.decode("utf-8", "replace")
            self.logging_obj.post_call(input=self.messages, api_key=None, original_response=text)
        try:
            model_response.model = f"{PROVIDER}/{self.model}"  # before the server's name, as for dashscope/
            made = parse_response(response.content, self._context(bearer, response.headers), model_response)
        except Exception as error:
            self._count_late(error)
            raise
        # Without a cost of ours LiteLLM works it out.
        cost = self._free_cost(made, self.logging_obj) if self._is_free(bearer) else None
        telemetry.show_answer(made, response, self.source.observer.headers(), cost=cost)
        return made

    def _is_free(self, bearer: Bearer) -> bool:
        return bearer.with_login and telemetry.is_free(self.model, self.litellm_params)

    def _free_cost(self, made: Any, logging_obj: Any) -> float | None:
        return telemetry.free_cost(self.model, made, self.optional_params, logging_obj)

    def _context(self, bearer: Bearer, headers: Mapping[str, str] = MappingProxyType({})) -> AnswerContext:
        """What the answer to this call is read with."""
        return AnswerContext(
            self.model,
            bearer.with_login,
            (bearer.token,),
            headers,
            self._bounds.timeout,
            host=host_of(bearer.base_url),
            origin=bearer.origin,
            kept_key=bearer.kept,
            way=functools.partial(way_of_chat, bearer.base_url) if self.client is None else None,
            merge=self.source.settings.coalesce and asks_for_one(self.optional_params),
            think_tags=self.think_tags,
        )

    def _flow(self) -> Flow:
        return call_flow(
            self.source.observer,
            self._context,
            can_renew=self.source.can_renew,
            max_retries=self.max_retries,
        )

    def _count_late(self, error: Exception) -> None:
        count_late(self.source.observer, error)

    def _build(self, bearer: Bearer) -> ChatRequest:
        request = build_request(
            model=self.model,
            messages=self.messages,
            optional_params=self.optional_params,
            base_url=bearer.base_url,
            token=bearer.token,
            with_login=bearer.with_login,
            origin=bearer.origin,
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
                    "api_base": telemetry.address(request.url),
                    "headers": masked(request.headers),
                },
            )
        self.source.observer.sent()
        return request

    def _send(self, bearer: Bearer) -> Outcome:
        request = self._build(bearer)
        try:
            client, owner = host.sync_http(self.client, self.model)
            deadline = Deadline(client, self._limit)
            with telemetry.timed(self.logging_obj), deadline:
                # A bearer follows no redirect: 3xx comes back as an error.
                response = post.send(client, request, self.timeout, deadline)
                if self._began_stream(response, request):
                    response.extensions[_OWNER] = owner
                    deadline.to_first_byte(response)
                    return response
                try:
                    body.read(response, self._bounds, streamed=self.stream)
                finally:
                    response.close()
        except FAILURES as failure:
            return failure
        return response

    async def _asend(self, bearer: Bearer) -> Outcome:
        request = self._build(bearer)
        try:
            client, owner = host.async_http(self.client, self.model)
            deadline = AsyncDeadline(self._limit)
            with telemetry.timed(self.logging_obj), deadline:
                response = await post.asend(client, request, self.timeout)
                if self._began_stream(response, request):
                    response.extensions[_OWNER] = owner
                    deadline.to_first_byte(response)
                    return response
                try:
                    await body.aread(response, self._bounds, streamed=self.stream)
                finally:
                    await response.aclose()
        except FAILURES as failure:
            return failure
        return response

    def _began_stream(self, response: httpx.Response, request: ChatRequest) -> bool:
        """Take note of an answer's headers; returns whether it is the stream that was asked for."""
        body.drop_echoes(response, request.headers)
        details = getattr(self.logging_obj, "model_call_details", None)
        if details is not None:
            details["response_headers"] = response.headers  # for callbacks
        return self.stream and response.status_code == _OK and body.is_plain(response)


def _max_retries(given: Any, model: str) -> int:
    try:
        return DEFAULT_MAX_RETRIES if given is None else int(given)
    except (TypeError, ValueError):
        raise bad_request(f"max_retries must be a whole number, not {given!r:.40}.", model=model) from None


def asks_for_one(params: dict[str, Any]) -> bool:
    """Whether one answer is asked for: several in one stream keep every delta apart."""
    more = params.get("extra_body")
    asked = more.get("n", params.get("n")) if isinstance(more, dict) else params.get("n")
    return asked in (None, 1)


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
