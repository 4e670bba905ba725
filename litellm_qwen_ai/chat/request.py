"""One LiteLLM call to one HTTP request (URL, headers, body).

Pure: the same input gives the same bytes, and nothing is sent.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from litellm_qwen_ai.chat.errors import UnsendableError, bad_request
from litellm_qwen_ai.chat.messages import has_image, prepare_messages
from litellm_qwen_ai.chat.params import body_parameters
from litellm_qwen_ai.chat.wire import chat_headers, chat_url, is_alibabas
from litellm_qwen_ai.names import PROVIDER

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """What to send. The repr shows no secret."""

    url: str
    headers: dict[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    payload: dict[str, Any] = field(repr=False)  # for logging; it shares the caller's messages: read it only


def build_request(  # noqa: PLR0913  # one call's worth of keywords
    *,
    model: str,
    messages: Sequence[Any],
    optional_params: Mapping[str, Any],
    base_url: str,
    token: str,
    with_login: bool,
    origin: str = "",
    extra_headers: Mapping[str, Any] | None = None,
    stream: bool = False,
    drop_params: bool = False,
) -> ChatRequest:
    """Build the request for one chat call; nothing given is changed.

    The `token` is an API key or a login's access token, for which the portal's rules apply. `origin` says in
    words where the base URL comes from. `extra_headers` are the caller's: they win over those in
    `optional_params` and over ours. `drop_params` is LiteLLM's switch: give way instead of raising where
    parameters contradict each other.

    Raises:
        litellm.BadRequestError: Something in the call cannot be sent; the message says what and where.
    """
    name = model.removeprefix(f"{PROVIDER}/")
    try:
        url = chat_url(base_url, origin)
        parameters = body_parameters(
            optional_params,
            model=name,
            stream=stream,
            for_portal=with_login,
            at_alibaba=with_login or is_alibabas(url),
            drop_params=drop_params,
        )
        keep_reasoning = bool(parameters.get("preserve_thinking"))
        wire_messages = prepare_messages(messages, for_portal=with_login, keep_reasoning=keep_reasoning)
        payload: dict[str, Any] = {"model": name, "messages": wire_messages}
        # As Qwen's own client does with a login. With a key the finer image would cost more tokens.
        if with_login and has_image(wire_messages):
            payload["vl_high_resolution_images"] = True
        payload.update(parameters)
        more = {**_headers(optional_params.get("extra_headers")), **_headers(extra_headers)}
        headers = chat_headers(token=token, with_login=with_login, stream=stream, extra_headers=more)
        return ChatRequest(url, headers, _encode(payload), payload)
    except UnsendableError as error:
        raise bad_request(str(error), model=name) from None


def _headers(given: Any) -> Mapping[str, Any]:
    if given is not None and not isinstance(given, Mapping):
        raise UnsendableError(f"extra_headers must be an object, not a {type(given).__name__}.")
    return given or {}


def _encode(payload: dict[str, Any]) -> bytes:
    try:
        text = json.dumps(payload, ensure_ascii=False, separators=(",", ":"), allow_nan=False, default=_plain)
    except (TypeError, ValueError, RecursionError) as error:
        raise UnsendableError(f"The call cannot be written as JSON: {error}.") from None
    # A lone surrogate (a broken emoji, say) has no UTF-8 form; as JSON's escape the server can judge it.
    return text.encode("utf-8", "backslashreplace")


def _plain(value: Any) -> Any:
    """What json cannot write itself: pydantic objects inside tools or messages."""
    if hasattr(value, "model_dump") and not isinstance(value, type):
        return value.model_dump(mode="json", exclude_none=True)
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    raise TypeError(f"a value of type {type(value).__name__} was found")
