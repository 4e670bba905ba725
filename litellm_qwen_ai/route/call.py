"""One LiteLLM call to `qwen_ai/`: asks `oauth/` for a token and `chat/` for the request, sends it.

The bytes go through LiteLLM's own HTTP clients, so that the user's proxy, TLS, timeout and client settings
hold. Loaded at the first call, not with `import litellm`.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
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
_NONE: Mapping[str, str] = MappingProxyType({})
#: Where a response holds on to its client: LiteLLM's cache closes one that nobody holds, even mid-stream.
_OWNER = "litellm_qwen_ai.client"


@dataclass(slots=True, kw_only=True)
class Call:
    """One LiteLLM call: all that does not depend on the bearer.

    Args:
        model: The model's name.
        messages: The caller's; never changed.
        optional_params: LiteLLM's parameters for the provider; never changed.
        litellm_params: LiteLLM's own parameters of the call; never changed.
        headers: The caller's own.
        drop_params: LiteLLM's switch.
        timeout: Seconds, an `httpx.Timeout`, or None for the client's own.
        client: What the caller gave as `client=`.
        logging_obj: LiteLLM's, or None.
        source: Where the bearer comes from.
        stream: Whether the answer is streamed.
        think_tags: Whether a stream's reasoning is wanted in its content, between `<think>` and `</think>`.
        in_router: Whether a Router makes the call.
        max_retries: How often a passing failure is tried again.
        sleep: Waits before a retry, in seconds.
        asleep: The same on the running event loop.
    """

    model: str
    messages: list[Any]
    optional_params: dict[str, Any]
    litellm_params: dict[str, Any]
    headers: dict[str, str]
    drop_params: bool
    timeout: Any
    client: Any
    logging_obj: Any
    source: BearerSource
    stream: bool
    think_tags: bool
    in_router: bool
    max_retries: int
    sleep: Callable[[float], None]
    asleep: Callable[[float], Awaitable[None]]

    @classmethod
    def of(
        cls,
        call: dict[str, Any],
        *,
        stream: bool,
        sleep: Callable[[float], None],
        asleep: Callable[[float], Awaitable[None]],
    ) -> Call:
        """Read the keywords that LiteLLM calls a `CustomLLM` with.

        Raises:
            litellm.BadRequestError: A keyword is of a wrong kind, or a client's address is to get a login.
        """
        params: dict[str, Any] = call.get("optional_params") or {}
        litellm_params: dict[str, Any] = call.get("litellm_params") or {}
        host.keep_catalogue()
        if not call.get("api_key") and trust.is_clients_address(call.get("api_base"), litellm_params):
            raise bad_request(trust.CLIENTS_ADDRESS, model=call["model"])
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
                account=trust.account_of(params, litellm_params),
            ),
            stream=stream,
            think_tags=bool(litellm_params.get("merge_reasoning_content_in_choices")),
            litellm_params=litellm_params,
            in_router=trust.in_router(litellm_params),
            max_retries=_max_retries(params.get("max_retries"), call["model"]),
            sleep=sleep,
            asleep=asleep,
        )

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
            response, bearer = self._run()
            hidden.update(telemetry.of_stream(response, self.source.observer.headers()))
            return response, self._context(bearer)

        stream = ChatStream(opener)
        stream.hidden = hidden
        stream.on_failure = self._count_late
        return stream

    def open_astream(self) -> AsyncChatStream:
        """The same for an event loop; needs none before it is connected."""
        hidden: dict[str, Any] = {}

        async def opener() -> tuple[httpx.Response, AnswerContext]:
            try:
                response, bearer = await self._arun()
            except Exception as error:
                if self.in_router and not patches.streams_are_eager():
                    _raise_for_fallback(error, self.model)
                raise
            hidden.update(telemetry.of_stream(response, self.source.observer.headers()))
            return response, self._context(bearer)

        stream = AsyncChatStream(opener)
        stream.hidden = hidden
        stream.on_failure = self._count_late
        return stream

    def _run(self) -> tuple[httpx.Response, Bearer]:
        return run(self._flow(), self.source, self._send, self.sleep)

    async def _arun(self) -> tuple[httpx.Response, Bearer]:
        return await arun(self._flow(), self.source, self._asend, self.asleep)

    def _parse(
        self, response: httpx.Response, bearer: Bearer, model_response: ModelResponse
    ) -> ModelResponse:
        # Not `response.text`: JSON is UTF-8, and httpx would take 50 us to find that out.
        self._log_answer(response.content.decode("utf-8", "replace"))
        try:
            model_response.model = f"{PROVIDER}/{self.model}"  # before the server's name, as for dashscope/
            made = parse_response(
                response.content,
                self._context(bearer, response.headers),
                model_response,
            )
        except Exception as error:
            self._count_late(error)
            raise
        free = bearer.with_login and not self._is_priced()
        ours = self.source.observer.headers()
        telemetry.show_answer(made, response, ours, cost=0.0 if free else None)  # 0 saves the calculation
        return made

    def _is_priced(self) -> bool:
        """Whether LiteLLM is to work out the price: somebody has set one, or is shown how it comes about."""
        if not telemetry.is_free(self.model, self.litellm_params):
            return True
        return telemetry.is_listed(self.model) and not patches.nobody_listens(self.logging_obj)

    def _context(self, bearer: Bearer | None = None, headers: Mapping[str, str] = _NONE) -> AnswerContext:
        """What the answer to this call is read with; what it says of the bearer needs one."""
        timeout = self.timeout if isinstance(self.timeout, (int, float)) else None
        if bearer is None:
            return AnswerContext(self.model, timeout=timeout)
        return AnswerContext(
            self.model,
            bearer.with_login,
            (bearer.token,),
            headers,
            timeout,
            host=host_of(bearer.base_url),
            origin=bearer.origin,
            way=functools.partial(way_of_chat, bearer.base_url) if self.client is None else None,
            merge=self.source.settings.coalesce and asks_for_one(self.optional_params),
            think_tags=self.think_tags,
        )

    def _log_answer(self, text: str) -> None:
        if self.logging_obj is not None:
            self.logging_obj.post_call(input=self.messages, api_key=None, original_response=text)

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
        return request

    def _send(self, bearer: Bearer) -> Outcome:
        request = self._build(bearer)
        self.source.observer.sent()
        try:
            client, owner = host.sync_http(self.client, self.model)
            deadline = Deadline(client, self._seconds())
            with telemetry.Timed(self.logging_obj), deadline:
                # A bearer follows no redirect: 3xx comes back as an error.
                response = post.send(client, request, self.timeout, deadline)
                response.extensions[_OWNER] = owner
                body.drop_echoes(response, request.headers)
                telemetry.note_headers(self.logging_obj, response.headers)
                if self._is_stream(response):
                    deadline.to_first_byte(response)
                    return response
                try:
                    body.read(response, self._context(), streamed=self.stream)
                finally:
                    response.close()
        except FAILURES as failure:
            return failure
        return response

    async def _asend(self, bearer: Bearer) -> Outcome:
        request = self._build(bearer)
        self.source.observer.sent()
        try:
            client, owner = host.async_http(self.client, self.model)
            deadline = AsyncDeadline(self._seconds())
            with telemetry.Timed(self.logging_obj), deadline:
                response = await post.asend(client, request, self.timeout)
                response.extensions[_OWNER] = owner
                body.drop_echoes(response, request.headers)
                telemetry.note_headers(self.logging_obj, response.headers)
                if self._is_stream(response):
                    deadline.to_first_byte(response)
                    return response
                try:
                    await body.aread(response, self._context(), streamed=self.stream)
                finally:
                    await response.aclose()
        except FAILURES as failure:
            return failure
        return response

    def _seconds(self) -> float:
        """How long one exchange may take."""
        known = isinstance(self.timeout, (int, float)) and not isinstance(self.timeout, bool)
        return self.timeout if known else body.MAX_SECONDS

    def _is_stream(self, response: httpx.Response) -> bool:
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
