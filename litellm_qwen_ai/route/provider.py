"""The handler that LiteLLM calls for `qwen_ai/`.

It is imported with LiteLLM, for every program that has this package, so it loads `call.py` and with it the
rest of the package at the first call only: that keeps some 20 ms out of `import litellm`.
(Named `provider`, because `litellm_qwen_ai.handler` is the instance that a proxy's config names.)
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, NoReturn

from litellm import exceptions
from litellm.llms.custom_llm import CustomLLM

from litellm_qwen_ai.names import PROVIDER

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from litellm import ModelResponse

    from litellm_qwen_ai.chat.stream import AsyncChatStream, ChatStream
    from litellm_qwen_ai.route.call import Call


#: What serves the rest, as found by running LiteLLM 1.108 and 1.110.
_EMBEDDINGS = "LiteLLM's own route dashscope/text-embedding-v4 serves them"
_IMAGES = "LiteLLM's own route dashscope/ makes images, at Model Studio's address for images"
_EDITS = (
    "LiteLLM's own route dashscope/ edits images from LiteLLM 1.109 on; before, a proxy's "
    "pass_through_endpoints reach Model Studio's own API"
)


def _not_offered(what: str, instead: str) -> tuple[Any, Any]:
    """The method, and its asynchronous twin, for what is not offered."""

    def refuse(_: QwenAI, **call: Any) -> NoReturn:
        raise exceptions.BadRequestError(
            message=(
                f"qwen_ai/ offers chat only, no {what}. {instead}, with a DASHSCOPE_API_KEY from Alibaba "
                "Cloud Model Studio."
            ),
            model=str(call.get("model")),
            llm_provider=PROVIDER,
        )

    async def arefuse(handler: QwenAI, **call: Any) -> NoReturn:
        refuse(handler, **call)

    return refuse, arefuse


class QwenAI(CustomLLM):
    """Serves `qwen_ai/`: the handler that LiteLLM calls, with keyword arguments (litellm's CustomLLM).

    A program calls `litellm.completion` and the like, not this. Errors are always `litellm.exceptions`
    classes with `llm_provider="qwen_ai"`.

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

    def _read(self, call: dict[str, Any], *, stream: bool = False) -> Call:
        from litellm_qwen_ai.route.call import Call  # noqa: PLC0415  # see the module's docstring

        return Call(call, stream=stream, sleep=self.sleep, asleep=self.asleep)

    def completion(self, **call: Any) -> ModelResponse:  # type: ignore[override]  # LiteLLM passes keywords only
        """Answer one chat call."""
        try:
            return self._read(call).answer(call["model_response"])
        except exceptions.AuthenticationError as error:  # its text says all: no path through us above it
            raise error.with_traceback(None) from error.__cause__

    async def acompletion(self, **call: Any) -> ModelResponse:  # type: ignore[override]  # as above
        """Answer one chat call on the running event loop."""
        try:
            return await self._read(call).aanswer(call["model_response"])
        except exceptions.AuthenticationError as error:  # as above
            raise error.with_traceback(None) from error.__cause__

    def streaming(self, **call: Any) -> ChatStream:  # type: ignore[override]  # as above
        """Connect at once, so that errors come out of `litellm.completion()`; return the chunks."""
        stream = self._read(call, stream=True).open_stream()
        try:
            stream.connect()
        except exceptions.AuthenticationError as error:  # as above
            raise error.with_traceback(None) from error.__cause__
        return stream

    def astreaming(self, **call: Any) -> AsyncChatStream:  # type: ignore[override]  # as above
        """Return the chunks; connects on `connect()` (patches.py) or at the first chunk.

        LiteLLM calls this in a worker thread that has no event loop: nothing may be awaited here.
        """
        return self._read(call, stream=True).open_astream()

    embedding, aembedding = _not_offered("embeddings", _EMBEDDINGS)
    image_generation, aimage_generation = _not_offered("image generation", _IMAGES)
    image_edit, aimage_edit = _not_offered("image editing", _EDITS)


handler = QwenAI()
