"""Chunks that carry nothing but text, made quickly: nearly all chunks of a stream are such.

LiteLLM's constructors and pydantic's validation take 15 to 50 us for a chunk of which only the text is new.
So each stream has its first one made by them, and the others are copies of it with another text: 4 us. That
relies on where pydantic and LiteLLM keep a delta's text, which is tested once per process; if a test
fails, every chunk is made the plain way.
"""

from __future__ import annotations

import functools
import logging
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from litellm.types.utils import Delta, ModelResponseStream, StreamingChoices

from litellm_qwen_ai.names import LOGGER

if TYPE_CHECKING:
    from collections.abc import Callable

_logger = logging.getLogger(LOGGER)

Kind: TypeAlias = Literal["content", "reasoning_content"]
#: Which kind of text, and the index of its choice.
Place: TypeAlias = tuple[Kind, int]
KINDS: tuple[Kind, ...] = ("content", "reasoning_content")


class TextChunks:
    """Makes the text chunks of one stream; `chunk` makes one of any choices, the plain way."""

    def __init__(self, chunk: Callable[[list[StreamingChoices]], ModelResponseStream]) -> None:
        self._chunk = chunk
        self._templates: dict[Place, ModelResponseStream] = {}

    def make(self, place: Place, text: str) -> ModelResponseStream:
        """One chunk with this text."""
        template = self._templates.get(place)
        if template is not None:
            return _copied(template, place[0], text)
        kind, index = place
        made = self._chunk([_plain(kind, index, text)])
        if copies_are_whole():
            # A copy too: the chunk itself is the consumer's, who may change it.
            self._templates[place] = _copied(made, kind, "")
        return made


@functools.cache
def copies_are_whole() -> bool:
    """Whether a copied chunk is what the constructors would have made, and shares nothing that changes."""
    try:
        different: list[Any] = [kind for kind in KINDS if not _copy_is_whole(kind)]
    except Exception as error:  # noqa: BLE001  # whatever a later pydantic or LiteLLM makes of it
        different = [error]
    if different:
        _logger.debug("text chunks are not copied: %r", different)
    return not different


def _copy_is_whole(kind: Kind) -> bool:
    def plain(text: str) -> Any:
        return ModelResponseStream(id="id", created=1, model="model", choices=[_plain(kind, 0, text)])

    template, expected = plain("one"), plain("two")
    made: Any = _copied(template, kind, "two")
    made._hidden_params["mark"] = made.choices[0].delta["mark"] = made.choices[0]["mark"] = 1  # noqa: SLF001  # LiteLLM writes there
    untouched = template == plain("one") and not template._hidden_params  # noqa: SLF001  # as above
    del made._hidden_params["mark"], made.choices[0].delta.mark, made.choices[0].mark  # noqa: SLF001  # as above
    return bool(
        untouched
        and made == expected
        and made.model_dump() == expected.model_dump()
        and made.model_dump_json(exclude_unset=True) == expected.model_dump_json(exclude_unset=True)
        and getattr(made.choices[0].delta, kind) == "two"
    )


def _plain(kind: Kind, index: int, text: str) -> StreamingChoices:
    fields: dict[str, Any] = {kind: text}
    return StreamingChoices(index=index, delta=Delta(**fields))


def _copied(template: Any, kind: Kind, text: str) -> ModelResponseStream:
    chunk = template.__copy__()
    choice = template.choices[0].__copy__()
    delta = choice.delta.__copy__()
    if kind in delta.model_extra:
        delta.model_extra[kind] = text
    else:
        delta.__dict__[kind] = text
    choice.model_extra["delta"] = delta
    chunk.__dict__["choices"] = [choice]
    chunk._hidden_params = {}  # noqa: SLF001  # LiteLLM's, and its own for each chunk
    made: ModelResponseStream = chunk
    return made
