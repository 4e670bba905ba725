"""A whole (not streamed) answer to a LiteLLM ModelResponse."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from litellm.types.utils import ModelResponse


def parse_response(
    body: bytes,
    *,
    model: str,
    model_response: ModelResponse,
    headers: Mapping[str, str],
    with_login: bool,
) -> ModelResponse:
    """Fill `model_response` from a 200 body. Raises the mapped litellm exception on a malformed one."""
    raise NotImplementedError
