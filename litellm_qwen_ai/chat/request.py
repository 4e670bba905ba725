"""One LiteLLM call to one HTTP request (URL, headers, body)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

DEFAULT_API_BASE = "https://dashscope.aliyuncs.com/compatible-mode/v1"


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """What to send: nothing here has been sent yet."""

    url: str
    headers: dict[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    payload: dict[str, Any] = field(repr=False)

    def masked_headers(self) -> dict[str, str]:
        """The headers for a log: the bearer is replaced by stars."""
        raise NotImplementedError


def build_request(
    *,
    model: str,
    messages: Sequence[Any],
    optional_params: Mapping[str, Any],
    base_url: str,
    token: str,
    with_login: bool,
    extra_headers: Mapping[str, str] | None = None,
    stream: bool = False,
) -> ChatRequest:
    """Build the request. Pure; never mutates its inputs. Raises litellm.BadRequestError."""
    raise NotImplementedError
