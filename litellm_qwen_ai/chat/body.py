"""Bodies that are read whole, within bounds: bytes, content encodings and time.

httpx reads a body to its end, however long it is and however slowly it comes, and unpacks what is packed: a
broken or hostile server could fill the memory or keep a caller for ever. Here a body has an end.
An answer beyond it, or in an encoding that was not asked for, is an InternalServerError, and of an error the
rest is not read; what takes too long is a Timeout.

One piece off the wire has 64 KiB at most and unpacks to 64 MiB at most (gzip and deflate), which is how far a
bound can be overshot. A packed stream is refused: a few bytes of it would be a million events at once.
"""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Any

import httpx

from litellm_qwen_ai.chat.errors import malformed_answer
from litellm_qwen_ai.chat.text import one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from litellm_qwen_ai.chat.context import AnswerContext

MAX_ANSWER_BYTES = 64 * 1024 * 1024
"""Far above any answer: a million tokens of text are under 8 MiB."""
MAX_ERROR_BYTES = 1024 * 1024
"""Far above any error, too: what comes after it is not read."""
MAX_SECONDS = 600.0
"""For a body, where the call has no timeout of its own: LiteLLM's own default for a whole call."""

ACCEPTED_ENCODINGS = "gzip, deflate"
"""What a whole answer may be packed with. Brotli and Zstandard unpack a few bytes to gigabytes."""
_PLAIN = ("", "identity")
_OK = 200
_SHORTEST = 4  # characters of a bearer; a shorter one, made up by a test, would be found anywhere


def is_plain(response: httpx.Response) -> bool:
    """Whether the body comes as it is, without a Content-Encoding."""
    return _encoding(response) in _PLAIN


def drop_echoes(response: httpx.Response, sent: Mapping[str, str]) -> None:
    """Take out the headers that repeat the bearer: LiteLLM's proxy passes headers on to its clients."""
    bearer = sent.get("Authorization", "").rpartition(" ")[2].encode()
    if len(bearer) < _SHORTEST:
        return
    echoes = [name for name, value in response.headers.raw if bearer in value or bearer in name]
    for name in echoes:
        response.headers.pop(name.decode("latin-1"), None)


def read(
    response: httpx.Response,
    context: AnswerContext,
    *,
    streamed: bool = False,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Read the body, so that `response.content` is there. The caller closes the response.

    Where a stream was asked for (`streamed`), the body must not be packed. `clock` is monotonic, in seconds.

    Raises:
        httpx.HTTPError: Reading failed; an httpx.ReadTimeout, if the body drips in too slowly.
        litellm.InternalServerError: An answer with status 200 is too long or packed in a way not asked for.
    """
    body = _Body(response, context, clock, streamed=streamed)
    if not body.full:
        for piece in _pieces(response):
            if body.take(piece):
                break
    body.keep()


async def aread(
    response: httpx.Response,
    context: AnswerContext,
    *,
    streamed: bool = False,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """As `read`, on the running event loop."""
    body = _Body(response, context, clock, streamed=streamed)
    if not body.full:
        async with contextlib.aclosing(_apieces(response)) as pieces:
            async for piece in pieces:
                if body.take(piece):
                    break
    body.keep()


def _pieces(response: httpx.Response) -> Iterator[bytes]:
    """The body, unpacked. One that is not packed comes straight off the wire, which saves a call 40 us."""
    return iter(response.stream) if is_plain(response) else response.iter_bytes()  # type: ignore[arg-type]  # a sync client's


def _apieces(response: httpx.Response) -> Any:
    whole: Any = response.stream
    pieces = whole.__aiter__() if is_plain(response) else None
    # Typed as an iterator, but a generator in every transport of httpx's and LiteLLM's.
    return pieces if hasattr(pieces, "aclose") else response.aiter_bytes()


class _Body:
    """What has come so far, and whether more is wanted."""

    def __init__(
        self,
        response: httpx.Response,
        context: AnswerContext,
        clock: Callable[[], float],
        *,
        streamed: bool,
    ) -> None:
        self._response = response
        self._context = context
        self._answer = response.status_code == _OK
        self._most = MAX_ANSWER_BYTES if self._answer else MAX_ERROR_BYTES
        self._seconds = MAX_SECONDS if context.timeout is None else context.timeout
        self._clock = clock
        self._until = clock() + self._seconds
        self._pieces: list[bytes] = []
        self._size = 0
        encoding = _encoding(response)
        self.full = encoding not in _PLAIN and (streamed or encoding not in ACCEPTED_ENCODINGS.split(", "))
        if self.full and self._answer:
            what = f"a body with Content-Encoding {one_line(encoding, 40)!r}, which was not asked for"
            raise self._malformed(what)

    def take(self, piece: bytes) -> bool:
        """Keep a piece; True when no more is wanted."""
        self._pieces.append(piece)
        self._size += len(piece)
        if self._size > self._most:
            if self._answer:
                raise self._malformed(f"a body of more than {self._most >> 20} MiB")
            self.full = True
        elif self._clock() > self._until:
            raise httpx.ReadTimeout(f"the body was not complete after {self._seconds:g} s")
        return self.full

    def _malformed(self, what: str) -> Exception:
        return malformed_answer(what, self._context.answered(self._response.headers))

    def keep(self) -> None:
        """Put what was read where httpx's own `read` puts it."""
        self._response._content = b"".join(self._pieces)[: self._most]  # noqa: SLF001  # httpx offers no bounded read


def _encoding(response: httpx.Response) -> str:
    encoding: str = response.headers.get("content-encoding", "")
    return encoding.strip().lower()
