"""Single values out of an answer that a hostile or broken server may have written."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from litellm_qwen_ai.oauth.credentials import TOKEN

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_RETRY_AFTER = 3600.0  # seconds
_MAX_TEXT = 2048  # characters


def text(body: Mapping[str, Any], key: str) -> str | None:
    """A string that can be shown and sent: printable, not empty, of a sane length."""
    value = body.get(key)
    usable = isinstance(value, str) and 0 < len(value) <= _MAX_TEXT and value.isprintable()
    return value if usable else None


def token(body: Mapping[str, Any], key: str) -> str | None:
    """A string that an HTTP header can hold (RFC 6749 appendix A.12)."""
    value = body.get(key)
    return value if isinstance(value, str) and TOKEN.fullmatch(value) else None


def seconds(value: object, default: float, most: float, *, least: float = 1.0) -> float:
    """A span in seconds, between `least` and `most`; anything that is no positive number is `default`."""
    if isinstance(value, str):
        value = _number(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not value > 0:
        return default
    return float(max(least, min(value, most)))


def _number(written: str) -> float | None:
    try:
        number = float(written)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
