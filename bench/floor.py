"""Custom handlers that do nothing: what remains is LiteLLM's own cost, which no provider can avoid.

One of them also posts a fixed text with LiteLLM's own HTTP client, for a call that is not streamed.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections import deque
from typing import TYPE_CHECKING, Any

import litellm
from litellm.llms.custom_httpx import http_handler
from litellm.llms.custom_llm import CustomLLM
from litellm.types.utils import (
    Choices,
    Delta,
    Message,
    ModelResponse,
    ModelResponseStream,
    StreamingChoices,
    Usage,
)

from bench.lanes import KEY

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

PROVIDER, POSTING = "bench_floor", "bench_post"
_BODY = b'{"model":"any","messages":[{"role":"user","content":"Say hello in three languages."}]}'


class FloorHandler(CustomLLM):
    """Answers at once, from memory."""

    def __init__(self) -> None:
        super().__init__()
        self._streams: deque[list[ModelResponseStream]] = deque()
        chunks, pace = os.environ.get("BENCH_FLOOR", "16 0").split()  # for a proxy, which nobody prepares
        self._chunks, self._pace = int(chunks), float(pace)

    def prepare(self, streams: int, chunks: int, pace: float) -> None:
        """Make the chunks of the next streams now.

        Args:
            streams: How many streams; more than that make their chunks when they start.
            chunks: Content chunks in each.
            pace: Seconds to wait after each, as a server would.
        """
        self._chunks, self._pace = chunks, pace
        self._streams = deque(_chunks(chunks) for _ in range(streams))

    def completion(self, *_: Any, **call: Any) -> ModelResponse:
        return _whole(call["model_response"])

    async def acompletion(self, *_: Any, **call: Any) -> ModelResponse:
        return _whole(call["model_response"])

    def streaming(self, *_: Any, **__: Any) -> Iterator[Any]:
        for chunk in self._next():
            yield chunk
            if self._pace:
                time.sleep(self._pace)

    async def astreaming(  # type: ignore[override]  # a generator; LiteLLM declares a coroutine
        self, *_: Any, **__: Any
    ) -> AsyncIterator[Any]:
        for chunk in self._next():
            yield chunk
            if self._pace:
                await asyncio.sleep(self._pace)

    def _next(self) -> list[ModelResponseStream]:
        return self._streams.popleft() if self._streams else _chunks(self._chunks)


class PostingHandler(FloorHandler):
    """Posts a call to the upstream before it answers from memory.

    Args:
        base_url: The upstream, as an OpenAI base URL.
    """

    def __init__(self, base_url: str) -> None:
        super().__init__()
        self._request: dict[str, Any] = {
            "url": f"{base_url}/chat/completions",
            "data": _BODY,
            "headers": {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"},
        }

    def completion(self, *_: Any, **call: Any) -> ModelResponse:
        http_handler._get_httpx_client().post(**self._request)  # noqa: SLF001  # as LiteLLM's own providers
        return super().completion(**call)

    async def acompletion(self, *_: Any, **call: Any) -> ModelResponse:
        await http_handler.get_async_httpx_client(llm_provider=POSTING).post(**self._request)
        return await super().acompletion(**call)


def _whole(answer: ModelResponse) -> ModelResponse:
    answer.choices = [
        Choices(message=Message(content="Hello! How can I help you today?"), finish_reason="stop")
    ]
    answer.usage = Usage(prompt_tokens=12, completion_tokens=9, total_tokens=21)  # type: ignore[attr-defined]  # as LiteLLM does it
    answer._hidden_params["response_cost"] = 0.0  # noqa: SLF001  # no attribute: LiteLLM's providers do so too
    return answer


def _chunks(count: int) -> list[ModelResponseStream]:
    made = [_chunk(Delta(content="", role="assistant"), None)]
    made += [_chunk(Delta(content=f"{number:05d} "), None) for number in range(count)]
    return [*made, _chunk(Delta(), "stop")]


def _chunk(delta: Delta, finish_reason: str | None) -> ModelResponseStream:
    choice = StreamingChoices(index=0, delta=delta, finish_reason=finish_reason)
    return ModelResponseStream(id="chatcmpl-bench", created=1_800_000_000, model="any", choices=[choice])


handler = FloorHandler()


def install(base_url: str = "") -> FloorHandler:
    """Register a handler with LiteLLM, with a price of zero, since a missing price costs time.

    Args:
        base_url: Where it posts its calls; empty for the one that does nothing.
    """
    installed = PostingHandler(base_url) if base_url else handler
    provider = POSTING if base_url else PROVIDER
    litellm.custom_provider_map = [{"provider": provider, "custom_handler": installed}]
    litellm.utils.custom_llm_setup()  # type: ignore[no-untyped-call]  # LiteLLM's
    prices = dict.fromkeys(
        (
            "input_cost_per_token",
            "output_cost_per_token",
            "cache_read_input_token_cost",
            "cache_creation_input_token_cost",
        ),
        0.0,
    )
    model = {"litellm_provider": provider, "mode": "chat", **prices}
    litellm.register_model({f"{provider}/any": model})
    return installed
