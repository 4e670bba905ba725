"""Token counts of an answer, made safe: a wrong type in them must not cost the caller the answer."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from litellm.types.utils import Usage

_COUNTS = ("prompt_tokens", "completion_tokens", "total_tokens")
_DETAILS = ("prompt_tokens_details", "completion_tokens_details")


def usage_fields(value: object) -> dict[str, Any] | None:
    """The fields of LiteLLM's Usage from the server's object; None if there is none.

    Counts that are no non-negative integers count as 0; a missing total is the sum. Of the details, integers
    are kept (`cached_tokens`, `reasoning_tokens`, ...). Whatever else there is (`cost`, ...) is kept if Usage
    takes all of it.
    """
    if not isinstance(value, Mapping):
        return None
    counts: dict[str, Any] = {name: value[name] if _is_count(value.get(name)) else 0 for name in _COUNTS}
    if not counts["total_tokens"]:
        counts["total_tokens"] = counts["prompt_tokens"] + counts["completion_tokens"]
    # Usage sets what it does not know as attributes: none may take the place of its own.
    whole = {name: field for name, field in value.items() if field is not None and not _is_its_own(name)}
    whole.update(counts)
    for name in _DETAILS:
        details = value.get(name)
        if isinstance(details, Mapping):
            kept = {str(key): count for key, count in details.items() if _is_count(count)}
            if kept:
                counts[name] = kept
            whole[name] = {
                key: detail
                for key, detail in details.items()
                if detail is not None and (key in kept or not isinstance(detail, int))
            }
    if whole != counts:
        try:
            Usage(**whole)
        except Exception:  # noqa: BLE001  # wrong types raise anything: pydantic's errors, TypeError
            return counts
    return whole


@functools.lru_cache(maxsize=64)  # saves a call 4 us
def _is_its_own(name: str) -> bool:
    return hasattr(Usage, name)


def _is_count(value: object) -> bool:
    return type(value) is int and 0 <= value < 1 << 53
