from __future__ import annotations

import gzip
import itertools
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import httpx
import litellm
import pytest

from litellm_qwen_ai.chat import body
from litellm_qwen_ai.chat.body import MAX_ANSWER_BYTES, MAX_ERROR_BYTES
from litellm_qwen_ai.chat.context import AnswerContext


class Pieces(httpx.SyncByteStream, httpx.AsyncByteStream):
    """A body that counts how much of it was taken."""

    def __init__(self, *pieces: bytes, endless: bool = False) -> None:
        self._pieces = pieces
        self._endless = endless
        self.taken = 0

    def __iter__(self) -> Iterator[bytes]:
        for piece in itertools.cycle(self._pieces) if self._endless else self._pieces:
            self.taken += 1
            yield piece

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self:
            yield piece


Read = Callable[..., Any]


async def _sync(response: httpx.Response, seconds: float | None = None, **how: Any) -> None:
    body.read(response, AnswerContext("m", timeout=seconds), **how)


async def _async(response: httpx.Response, seconds: float | None = None, **how: Any) -> None:
    await body.aread(response, AnswerContext("m", timeout=seconds), **how)


@pytest.fixture(params=[_sync, _async], ids=["sync", "async"])
def read(request: pytest.FixtureRequest) -> Read:
    return request.param


def answer(stream: Pieces, status: int = 200, encoding: str | None = None) -> httpx.Response:
    headers = {} if encoding is None else {"content-encoding": encoding}
    request = httpx.Request("POST", "http://127.0.0.1/v1")
    return httpx.Response(status, headers=headers, stream=stream, request=request)


@pytest.mark.parametrize("pieces", [(), (b"whole",), (b"in ", b"", b"parts")])
async def test_a_body_is_where_httpx_puts_it(read: Read, pieces: tuple[bytes, ...]) -> None:
    response = answer(Pieces(*pieces))
    await read(response)
    assert response.content == b"".join(pieces)
    assert response.text == b"".join(pieces).decode()


async def test_a_packed_answer_is_unpacked(read: Read) -> None:
    response = answer(Pieces(gzip.compress(b"whole")), encoding=" GZIP ")
    await read(response)
    assert response.content == b"whole"


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, br", "compress", "made-up"])
async def test_an_encoding_that_was_not_asked_for_is_not_unpacked(read: Read, encoding: str) -> None:
    stream = Pieces(b"a few bytes")
    with pytest.raises(litellm.InternalServerError, match=f"Content-Encoding '{encoding}'"):
        await read(answer(stream, encoding=encoding))
    refused = answer(stream, 503, encoding)
    await read(refused)
    assert (refused.content, stream.taken) == (b"", 0)


async def test_a_packed_stream_is_refused(read: Read) -> None:
    stream = Pieces(b"a few bytes")
    response = answer(stream, encoding="gzip")
    assert not body.is_plain(response)
    with pytest.raises(litellm.InternalServerError, match="Content-Encoding 'gzip'"):
        await read(response, streamed=True)
    assert stream.taken == 0


async def test_an_answer_without_end_is_refused_at_its_bound(read: Read) -> None:
    stream = Pieces(bytes(1 << 20), endless=True)
    with pytest.raises(litellm.InternalServerError, match="more than 64 MiB"):
        await read(answer(stream))
    assert stream.taken == MAX_ANSWER_BYTES // (1 << 20) + 1


async def test_a_few_bytes_that_unpack_to_gigabytes_are_refused(read: Read) -> None:
    packed = gzip.compress(bytes(MAX_ANSWER_BYTES * 2))
    pieces = [packed[at : at + 16384] for at in range(0, len(packed), 16384)]
    stream = Pieces(*pieces)
    with pytest.raises(litellm.InternalServerError, match="more than 64 MiB"):
        await read(answer(stream, encoding="gzip"))
    assert stream.taken < len(pieces)


async def test_an_error_without_end_keeps_its_status_and_its_beginning(read: Read) -> None:
    stream = Pieces(b"x" * 65536, endless=True)
    response = answer(stream, 503)
    await read(response)
    assert response.content == b"x" * MAX_ERROR_BYTES
    assert stream.taken == MAX_ERROR_BYTES // 65536 + 1


async def test_a_body_that_drips_in_is_given_the_calls_timeout(read: Read) -> None:
    seconds = itertools.count()
    stream = Pieces(b" ", endless=True)
    with pytest.raises(httpx.ReadTimeout, match="not complete after 5 s"):
        await read(answer(stream), seconds=5, clock=lambda: float(next(seconds)))
    assert stream.taken == 6


def test_headers_that_repeat_the_bearer_are_taken_out() -> None:
    headers = {"x-echo": "Bearer t0ken-t0ken", "x-t0ken-t0ken": "1", "x-kept": "2", "date": "now"}
    response = httpx.Response(200, headers=headers, stream=Pieces())
    body.drop_echoes(response, {"Authorization": "Bearer t0ken-t0ken"})
    assert dict(response.headers) == {"x-kept": "2", "date": "now"}
    body.drop_echoes(response, {})
    assert dict(response.headers) == {"x-kept": "2", "date": "now"}
