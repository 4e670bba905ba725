"""What LiteLLM shows of an answer beside its text: the response's headers, and ours about the quota."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from litellm_qwen_ai.route.private_names import look_up

if TYPE_CHECKING:
    from collections.abc import Mapping

    import httpx


def show_headers(made: Any, headers: Mapping[str, str]) -> None:
    """Add headers of our own to those of the response that LiteLLM shows, and its proxy passes on.

    Args:
        made: A `ModelResponse` or LiteLLM's stream wrapper.
        headers: What to add.
    """
    shown = made._hidden_params.get("additional_headers")  # noqa: SLF001  # where LiteLLM's own providers put them
    made._hidden_params["additional_headers"] = {**(shown or {}), **headers}  # noqa: SLF001  # the same


def show_stream_headers(wrapper: Any, stream: Any) -> None:
    """Give LiteLLM's stream wrapper the response headers, where its own providers put them.

    Args:
        wrapper: LiteLLM's `CustomStreamWrapper`.
        stream: Our stream in it, connected.
    """
    wrapper._response_headers = stream.headers  # noqa: SLF001  # where LiteLLM's own providers put them
    wrapper._hidden_params["additional_headers"] = visible_headers(stream.headers)  # noqa: SLF001  # the same
    show_headers(wrapper, stream.shown)


def visible_headers(headers: httpx.Headers) -> dict[str, Any]:
    """Response headers in the form LiteLLM shows them (`_hidden_params["additional_headers"]`)."""
    process = look_up("litellm.litellm_core_utils.core_helpers.process_response_headers")
    processed: dict[str, Any] = {} if process is None else process(headers)
    return processed
