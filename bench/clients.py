"""The lanes from inside: how each one calls and streams. Only a lane's own process makes one."""

from __future__ import annotations

import importlib
import json
from typing import TYPE_CHECKING, Any, Protocol

from bench.lanes import BY_NAME, FLOOR, KEY, POSTS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

Messages = list[dict[str, Any]]


class Client(Protocol):
    """One lane. `more` are OpenAI parameters."""

    def prepare(self, streams: int, chunks: int, pace: float) -> None:
        """What a lane without a server needs to know before its clock runs."""

    def call(self, messages: Messages, **more: Any) -> Any:
        """A whole answer."""

    async def acall(self, messages: Messages, **more: Any) -> Any:
        """The same on the event loop."""

    def stream(self, messages: Messages, **more: Any) -> Iterator[Any]:
        """The chunks of a streamed answer."""

    async def astream(self, messages: Messages, **more: Any) -> AsyncIterator[Any]:
        """The same on the event loop."""

    def text(self, chunk: Any) -> str:
        """A chunk's content."""


class _OpenAIShape:
    """What the lanes share whose chunks have OpenAI's shape."""

    def prepare(self, streams: int, chunks: int, pace: float) -> None:
        """Nothing to do: a server answers."""

    def text(self, chunk: Any) -> str:
        choices = chunk.choices
        return (choices[0].delta.content or "") if choices else ""


class LiteLLM(_OpenAIShape):
    """LiteLLM, whatever the route.

    Args:
        model: Route and model.
        fixed: Arguments of every call.
    """

    def __init__(self, model: str, **fixed: Any) -> None:
        self._litellm = importlib.import_module("litellm")
        self._fixed = {"model": model, **fixed}

    def call(self, messages: Messages, **more: Any) -> Any:
        return self._litellm.completion(messages=messages, **self._fixed, **more)

    async def acall(self, messages: Messages, **more: Any) -> Any:
        return await self._litellm.acompletion(messages=messages, **self._fixed, **more)

    def stream(self, messages: Messages, **more: Any) -> Iterator[Any]:
        chunks: Iterator[Any] = self._litellm.completion(
            messages=messages, stream=True, **self._fixed, **more
        )
        return chunks

    async def astream(self, messages: Messages, **more: Any) -> AsyncIterator[Any]:
        chunks: AsyncIterator[Any] = await self._litellm.acompletion(
            messages=messages, stream=True, **self._fixed, **more
        )
        return chunks


class Floor(LiteLLM):
    """LiteLLM around a handler that does nothing: its chunks lie ready before the clock runs.

    Args:
        model: Route and model.
        base_url: Where the handler posts each call; empty if it does not.
    """

    def __init__(self, model: str, base_url: str = "") -> None:
        super().__init__(model)
        self._handler = importlib.import_module("bench.floor").install(base_url)

    def prepare(self, streams: int, chunks: int, pace: float) -> None:
        self._handler.prepare(streams, chunks, pace)


class OpenAISDK(_OpenAIShape):
    """The OpenAI SDK by itself."""

    def __init__(self, base_url: str) -> None:
        openai = importlib.import_module("openai")
        self._sync = openai.OpenAI(base_url=base_url, api_key=KEY).chat.completions
        self._async = openai.AsyncOpenAI(base_url=base_url, api_key=KEY).chat.completions

    def call(self, messages: Messages, **more: Any) -> Any:
        return self._sync.create(model="gpt-4o-mini", messages=messages, **more)

    async def acall(self, messages: Messages, **more: Any) -> Any:
        return await self._async.create(model="gpt-4o-mini", messages=messages, **more)

    def stream(self, messages: Messages, **more: Any) -> Iterator[Any]:
        chunks: Iterator[Any] = self._sync.create(model="gpt-4o-mini", messages=messages, stream=True, **more)
        return chunks

    async def astream(self, messages: Messages, **more: Any) -> AsyncIterator[Any]:
        chunks: AsyncIterator[Any] = await self._async.create(
            model="gpt-4o-mini", messages=messages, stream=True, **more
        )
        return chunks


class RawAiohttp:
    """aiohttp and json, and nothing else: what any Python client pays."""

    def __init__(self, base_url: str) -> None:
        self._url = f"{base_url}/chat/completions"
        self._session: Any = None

    def prepare(self, streams: int, chunks: int, pace: float) -> None:
        """Nothing to do: a server answers."""

    def call(self, messages: Messages, **more: Any) -> Any:
        raise NotImplementedError("aiohttp has no synchronous calls")

    async def acall(self, messages: Messages, **more: Any) -> Any:
        async with self._post({"model": "any", "messages": messages, **more}) as response:
            return await response.json()

    def stream(self, messages: Messages, **more: Any) -> Iterator[Any]:
        raise NotImplementedError("aiohttp has no synchronous calls")

    async def astream(self, messages: Messages, **more: Any) -> AsyncIterator[Any]:
        return self._events({"model": "any", "messages": messages, "stream": True, **more})

    def text(self, chunk: Any) -> str:
        choices = chunk["choices"]
        return (choices[0]["delta"].get("content") or "") if choices else ""

    async def _events(self, body: dict[str, Any]) -> AsyncIterator[Any]:
        async with self._post(body) as response:
            async for line in response.content:
                if line.startswith(b"data: {"):
                    yield json.loads(line[6:])

    def _post(self, body: dict[str, Any]) -> Any:
        if self._session is None:  # needs the running loop
            aiohttp = importlib.import_module("aiohttp")
            self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
        return self._session.post(self._url, json=body, headers={"Authorization": f"Bearer {KEY}"})


def client(lane: str, base_url: str) -> Client:
    """The client of a lane.

    Args:
        lane: Its name.
        base_url: The upstream.
    """
    model = BY_NAME[lane].model
    if lane == "raw aiohttp":
        return RawAiohttp(base_url)
    if lane == "openai SDK":
        return OpenAISDK(base_url)
    if lane in {FLOOR, POSTS}:
        return Floor(model, base_url if lane == POSTS else "")
    if lane == "github_copilot/":  # key and address come out of its own file, as they do for its users
        return LiteLLM(model)
    if lane.startswith("qwen_ai/"):
        importlib.import_module("litellm_qwen_ai").register()
        return LiteLLM(model) if lane.endswith("OAuth") else LiteLLM(model, api_key=KEY, api_base=base_url)
    return LiteLLM(model, api_key=KEY, api_base=base_url)
