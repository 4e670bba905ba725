"""A refusal or a failure to the litellm exception a built-in provider would raise."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

PROVIDER = "qwen_ai"


def error_from_response(
    status: int, headers: Mapping[str, str], body: bytes, *, model: str, with_login: bool
) -> Exception:
    """The litellm exception for an answer that is not 2xx; returned, not raised."""
    raise NotImplementedError


def error_from_transport(error: Exception, *, model: str, timeout: float | None = None) -> Exception:
    """The litellm exception (Timeout or APIConnectionError) for a failed send or read; returned, not raised."""
    raise NotImplementedError


def is_token_rejection(status: int, body: bytes) -> bool:
    """Whether the server refused the bearer itself: a refresh and one retry may help."""
    raise NotImplementedError
