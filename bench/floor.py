"""A custom handler that does nothing: what remains is LiteLLM's own cost, which no provider can avoid."""

from __future__ import annotations

import asyncio
import os
import time
from collections import deque
from typing import TYPE_CHECKING, Any

import litellm
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

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

PROVIDER = "bench_floor"


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


def install() -> FloorHandler:
    """Register the handler with LiteLLM, with a price of zero, since a missing price costs time."""
    litellm.custom_provider_map = [{"provider": PROVIDER, "custom_handler": handler}]
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
    model = {"litellm_provider": PROVIDER, "mode": "chat", **prices}
    litellm.register_model({f"{PROVIDER}/any": model})
    return handler
