"""A streamed answer: the sync and the async shell around the decoder."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping

    import httpx
    from litellm.types.utils import ModelResponseStream


class StreamDecoder:
    """Bytes in, chunks out; no I/O (will live in decoder.py, importable from here)."""

    def __init__(self, *, model: str, with_login: bool, headers: Mapping[str, str] | None = None) -> None:
        raise NotImplementedError

    def feed(self, data: bytes) -> list[ModelResponseStream]:
        """Decode the next bytes."""
        raise NotImplementedError

    def close(self) -> list[ModelResponseStream]:
        """End of the body: the held-back rest, or the mapped error of a cut stream."""
        raise NotImplementedError


class ChatStream:
    """Iterator over the chunks of a response that `opener` opens (streaming, status 200)."""

    headers: Mapping[str, str]

    def __init__(self, opener: Callable[[], httpx.Response], *, model: str, with_login: bool) -> None:
        raise NotImplementedError

    def connect(self) -> None:
        """Open the response now, once; errors of the opener come out here."""
        raise NotImplementedError

    def __iter__(self) -> Iterator[ModelResponseStream]:
        raise NotImplementedError

    def __next__(self) -> ModelResponseStream:
        raise NotImplementedError

    def close(self) -> None:
        """Close the response; safe to call twice."""
        raise NotImplementedError


class AsyncChatStream:
    """Async twin of ChatStream. Makes no use of a loop before `connect` or the first `__anext__`."""

    headers: Mapping[str, str]

    def __init__(
        self, opener: Callable[[], Awaitable[httpx.Response]], *, model: str, with_login: bool
    ) -> None:
        raise NotImplementedError

    async def connect(self) -> None:
        """Open the response now, once; errors of the opener come out here."""
        raise NotImplementedError

    def __aiter__(self) -> AsyncIterator[ModelResponseStream]:
        raise NotImplementedError

    async def __anext__(self) -> ModelResponseStream:
        raise NotImplementedError

    async def aclose(self) -> None:
        """Close the response; safe to call twice."""
        raise NotImplementedError
