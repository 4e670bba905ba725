"""The caller's messages, as Qwen takes them. Copies are made only where something changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from litellm_qwen_ai.chat.errors import UnsendableError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

Message = dict[str, Any]

MINIMAL_SYSTEM_TEXT = "You are a helpful assistant."
"""What the portal gets as system message when the caller gives none: it refuses a request without one."""

# What LiteLLM adds to the assistant messages it returns and callers send back; no part of Qwen's format.
_LITELLM_FIELDS = {
    "provider_specific_fields",
    "thinking_blocks",
    "reasoning_items",
    "annotations",
    "audio",
    "images",
    "refusal",
    "reasoning",
}


def prepare_messages(
    messages: Sequence[Any], *, for_portal: bool, keep_reasoning: bool = False
) -> list[Message]:
    """Return the messages for the wire; the caller's are never changed.

    Always: `developer` becomes `system`, LiteLLM's own fields go, an image or video given as a string becomes
    an object, and a tool's result without `tool_call_id` gets that of the one call that waits for its result.

    For the portal (a login) also: one system message, first, in array form with `cache_control`; several are
    merged into it without losing text. With a key this is left alone: Model Studio takes system messages as
    OpenAI does, and an added `cache_control` there creates a billed cache.

    `reasoning_content` of earlier turns is dropped unless `keep_reasoning`: Qwen's models expect history
    without it, save those called with `preserve_thinking`.

    Raises:
        UnsendableError: A message is no object or has no role.
    """
    prepared = [
        _prepare(_as_dict(message, position), keep_reasoning=keep_reasoning)
        for position, message in enumerate(messages)
    ]
    _add_missing_call_ids(prepared)
    return _with_one_system_message(prepared) if for_portal else prepared


def has_image(messages: Iterable[Mapping[str, Any]]) -> bool:
    """Whether any message holds an image part."""
    return any(
        isinstance(part, dict) and part.get("type") in {"image_url", "image"}
        for message in messages
        if isinstance(message.get("content"), list)
        for part in message["content"]
    )


def _as_dict(message: Any, position: int) -> Message:
    if hasattr(message, "model_dump"):
        message = message.model_dump(exclude_none=True)
    if not isinstance(message, dict):
        raise UnsendableError(
            f"messages[{position}] is a {type(message).__name__}, not an object with role and content."
        )
    if not isinstance(message.get("role"), str):
        raise UnsendableError(f"messages[{position}] has no role.")
    return message


def _prepare(message: Message, *, keep_reasoning: bool) -> Message:
    role = message["role"]
    if role == "assistant":
        return _prepare_assistant(message, keep_reasoning=keep_reasoning)
    if role == "developer":
        return {**message, "role": "system"}
    content = message.get("content")
    if role == "tool":
        return {**message, "content": _flat_text(content)}
    return {**message, "content": _media_fixed(content)} if isinstance(content, list) else message


def _add_missing_call_ids(messages: list[Message]) -> None:
    """Model Studio's own samples leave `tool_call_id` out, and its servers want it."""
    waiting: list[Any] = []  # ids of calls without a result
    for at, message in enumerate(messages):
        if message["role"] != "tool":
            calls = message.get("tool_calls")
            calls = calls if isinstance(calls, list) else []
            waiting = [call["id"] for call in calls if isinstance(call, dict) and call.get("id")]
        elif message.get("tool_call_id"):
            waiting = [one for one in waiting if one != message["tool_call_id"]]
        elif len(waiting) == 1:
            messages[at] = {**message, "tool_call_id": waiting.pop()}


def _prepare_assistant(message: Message, *, keep_reasoning: bool) -> Message:
    dropped = _LITELLM_FIELDS if keep_reasoning else _LITELLM_FIELDS | {"reasoning_content"}
    clean = {
        name: value
        for name, value in message.items()
        if name not in dropped and (value is not None or name == "content")
    }
    calls = clean.get("tool_calls")
    if not calls:
        clean.pop("tool_calls", None)
    elif isinstance(calls, list):
        clean["tool_calls"] = [_prepare_tool_call(call) for call in calls]
    # A strict server wants text in every assistant message that calls no tool.
    if clean.get("content") is None and "tool_calls" not in clean:
        clean["content"] = ""
    return clean


def _prepare_tool_call(call: Any) -> Any:
    if hasattr(call, "model_dump"):
        call = call.model_dump(exclude_none=True)
    if not isinstance(call, dict):
        return call
    clean = {name: call[name] for name in ("id", "type", "function") if call.get(name) is not None}
    clean.setdefault("type", "function")
    function = clean.get("function")
    if isinstance(function, dict):
        clean["function"] = {name: function[name] for name in ("name", "arguments") if name in function}
        if clean["function"].get("arguments") is None:
            clean["function"]["arguments"] = "{}"
    return clean


def _flat_text(content: Any) -> Any:
    """A tool result as the string that Qwen documents, unless it holds more than text."""
    if not isinstance(content, list):
        return "" if content is None else content
    texts: list[Any] = [
        part.get("text") for part in content if isinstance(part, dict) and part.get("type") == "text"
    ]
    whole = len(texts) == len(content) and all(isinstance(text, str) for text in texts)
    return "".join(texts) if whole else content


def _media_fixed(content: list[Any]) -> list[Any]:
    """The parts, those of images and videos as objects, and without `format`, a hint for LiteLLM only."""
    fixed = list(content)
    for at, part in enumerate(content):
        kind = part.get("type") if isinstance(part, dict) else None
        if kind not in {"image_url", "video_url"}:
            continue
        given = {"url": part[kind]} if isinstance(part.get(kind), str) else part.get(kind)
        if isinstance(given, dict):
            fixed[at] = {**part, kind: {name: value for name, value in given.items() if name != "format"}}
    return fixed


def _with_one_system_message(messages: list[Message]) -> list[Message]:
    parts = [part for message in messages if message["role"] == "system" for part in _system_parts(message)]
    if not parts:
        parts = [{"type": "text", "text": MINIMAL_SYSTEM_TEXT}]
    if not any(isinstance(part, dict) and part.get("cache_control") for part in parts):
        parts[-1] = {**parts[-1], "cache_control": {"type": "ephemeral"}}
    others = [message for message in messages if message["role"] != "system"]
    return [{"role": "system", "content": parts}, *others]


def _system_parts(message: Message) -> list[Any]:
    """The parts of one system message, texts that hold nothing left out: the server refuses empty ones."""
    content = message.get("content")
    if not isinstance(content, list):
        content = [content]
    parts = []
    for part in content:
        if isinstance(part, str):
            part = {"type": "text", "text": part}  # noqa: PLW2901  # the part in array form
        if isinstance(part, dict) and (part.get("type") != "text" or part.get("text")):
            parts.append(part)
    mark = message.get("cache_control")
    if mark and parts:
        # LiteLLM callers put the mark on the message as well as on a part.
        parts[-1] = {**parts[-1], "cache_control": mark}
    return parts
