"""The short way of a text chunk through LiteLLM's stream wrapper: goes with route/short_chunks.py."""

from __future__ import annotations

import weakref
from typing import Any

import litellm
import pytest

from litellm_qwen_ai.route.short_chunks import shortened

pytestmark = pytest.mark.usefixtures("login")


class _Wrapper:
    """The parts of LiteLLM's stream wrapper that the short way looks at."""

    def __init__(self) -> None:
        self.received_finish_reason: str | None = None
        self.response_id: str | None = None
        self.plain: list[Any] = []
        self.chunk_creator = shortened(self)  # type: ignore[method-assign]  # as patches.py does

    def chunk_creator(self, chunk: Any) -> Any:
        _PLAIN_WAYS.append(chunk)
        self.response_id = chunk.id
        return chunk


_PLAIN_WAYS: list[Any] = []


def _chunk(text: str | None, finish: str | None = None) -> Any:
    delta = litellm.types.utils.Delta(content=text)
    choice = litellm.types.utils.StreamingChoices(index=0, delta=delta, finish_reason=finish)
    return litellm.types.utils.ModelResponseStream(id="id", created=1, model="m", choices=[choice])


@pytest.mark.parametrize("kind", ["as it is", "changes the chunk", "changes the wrapper", "makes another"])
def test_text_chunks_take_the_short_way_where_the_plain_one_leads_nowhere(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = _Wrapper.chunk_creator

    def creator(self: Any, chunk: Any) -> Any:
        plain(self, chunk)
        if kind == "changes the chunk":
            chunk.choices[0].delta.content += "!"
        if kind == "changes the wrapper":
            self.response_id += "!"
            self.received = len(_PLAIN_WAYS)
        return _chunk("another") if kind == "makes another" else chunk

    monkeypatch.setattr(_Wrapper, "chunk_creator", creator)
    _PLAIN_WAYS.clear()
    wrapper = _Wrapper()
    chunks = [_chunk(text) for text in "abcd"]
    made = [wrapper.chunk_creator(chunk) for chunk in chunks]
    assert len(_PLAIN_WAYS) == (2 if kind == "as it is" else 4)
    if kind == "as it is":
        assert made == chunks
        end = _chunk(None, "stop")
        wrapper.chunk_creator(end)
        assert _PLAIN_WAYS[-1] is end
        wrapper.received_finish_reason = "stop"
        wrapper.chunk_creator(chunks[0])
        assert _PLAIN_WAYS[-1] is chunks[0]


def test_a_wrapper_that_is_shortened_dies_with_its_last_reader() -> None:
    wrapper = _Wrapper()
    gone = weakref.ref(wrapper)
    del wrapper
    assert gone() is None


def test_the_short_way_is_taken_in_a_real_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QWEN_COALESCE", "0")
    plain = litellm.CustomStreamWrapper.chunk_creator
    ways: list[Any] = []

    def creator(self: Any, chunk: Any) -> Any:
        ways.append(chunk)
        return plain(self, chunk)

    monkeypatch.setattr(litellm.CustomStreamWrapper, "chunk_creator", creator)
    messages = [{"role": "user", "content": "one two three four five six seven eight nine ten"}]
    pieces = [
        chunk.choices[0].delta.content
        for chunk in litellm.completion("qwen_ai/coder-model", messages=messages, stream=True)
    ]
    assert "nine ten" in "".join(filter(None, pieces))
    assert len(ways) < len(pieces)
