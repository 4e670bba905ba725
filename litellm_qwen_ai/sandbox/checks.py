"""Validates a chat request: what Qwen refuses with status 400, one small check after another."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from litellm_qwen_ai.sandbox.answers import ANSWER_MODEL
from litellm_qwen_ai.sandbox.media import UnreadableMediaError, look_at

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

KNOWN_KEYS = frozenset(
    {
        "model",
        "messages",
        "stream",
        "stream_options",
        "temperature",
        "top_p",
        "top_k",
        "presence_penalty",
        "n",
    }
    | {
        "seed",
        "stop",
        "max_tokens",
        "tools",
        "tool_choice",
        "parallel_tool_calls",
        "response_format",
        "logprobs",
    }
    | {"top_logprobs", "enable_thinking", "thinking_budget", "enable_search", "search_options", "metadata"}
    | {"vl_high_resolution_images"}
)


@dataclass(frozen=True, slots=True)
class Model:
    """What the sandbox knows of a model: limits in tokens, and whether it takes images and video."""

    context: int = 1_000_000
    output: int = 65_536
    images: bool = True
    videos: bool = True


MODELS = {  # the catalogue, told once more: the sandbox imports nothing of what it is there to test
    "coder-model": Model(),
    "vision-model": Model(context=131_072, output=8_192, videos=False),
    "qwen3-coder-plus": Model(images=False, videos=False),
    "qwen3-coder-flash": Model(images=False, videos=False),
}
ANY_MODEL = Model()  # of other names that a model of Model Studio or of open weights may have
_WORDS = (
    "max|plus|turbo|flash|long|lite|coder|vl|omni|math|mt|audio|asr|ocr|image|character|ja|deep|research|next|"
    "doc|guard|gen|stream|captioner|livetranslate|longcontext|planning|pro|"
    "instruct|thinking|chat|base|latest|preview|realtime|search|us|awq|gptq|gguf|mlx|bf16|fp8|int4|int8"
)
_MODEL_NAME = re.compile(
    rf"(?:qwen/)?(?:qwen(?:\d+(?:\.\d+)?)?(?:guard)?|qwq|qvq)(?:-(?:{_WORDS}|\d[\d.]*[bm]?|a\d+b|v\d))*"
    # Of other makers, and of Model Studio for one trade: whatever follows the family's name.
    r"|(?:tongyi|farui|gui|deepseek|kimi|moonshot|glm|minimax)[-.\d][\w.-]*",
    re.IGNORECASE,
)
# Open-weight Qwen3 and the Qwen3.5 and later series think unless told otherwise, the former only in streams.
_THINKS_IN_STREAMS_ONLY = re.compile(r"qwen3-(?:\d+(?:\.\d+)?b(?:-a\d+b)?)$")
_NEWER = re.compile(r"qwen(?:3\.(?:[5-9]|\d\d)|[4-9])(?:-.*)?")
_OTHERWISE = ("-instruct", "-thinking")
_ROLES = ("system", "assistant", "user", "tool", "function")
_TOOL_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_MOST_SEED = 2**64 - 1


class ChatRefusal(Exception):  # noqa: N818  # an answer, not a fault
    """The request is answered with an error of the chat endpoint.

    Attributes:
        status: The HTTP status.
        code: The error's `code`.
        message: The error's `message`.
        param: The member of the request that is refused, if one is.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int = 400,
        code: str = "invalid_parameter_error",
        param: str | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.param = param


def check(payload: Any, *, login: bool) -> None:
    """Refuse what Qwen refuses.

    Args:
        payload: The request's JSON.
        login: The bearer is the access token of a login, so that the portal's own rules hold too.

    Raises:
        ChatRefusal: The first thing that is wrong.
    """
    if not isinstance(payload, dict):
        raise ChatRefusal("The request body must be a JSON object")
    _check_model(payload)
    _check_messages(payload)
    if login:
        _check_portal_rules(payload)
    _check_types(payload)
    _check_ranges(payload)
    _check_stream(payload)
    _check_tools(payload)
    _check_thinking(payload, login=login)
    _check_response_format(payload)


def unknown_keys(payload: Any) -> tuple[str, ...]:
    """Return the top-level keys that Qwen does not document, sorted."""
    return tuple(sorted(set(payload) - KNOWN_KEYS)) if isinstance(payload, dict) else ()


def model_named(name: str) -> Model:
    """Return what is known of a model; of an unknown one, that it takes everything."""
    return MODELS.get(name, ANY_MODEL)


def thinks(payload: Mapping[str, Any]) -> bool:
    """Say whether the model thinks aloud before it answers this request."""
    name = payload["model"]
    newer = bool(_NEWER.fullmatch(name)) and not any(word in name for word in _OTHERWISE)
    return bool(payload.get("enable_thinking", newer or bool(_THINKS_IN_STREAMS_ONLY.fullmatch(name))))


def parts_of(message: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return a message's content as a list of parts."""
    content = message.get("content")
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    return list(content) if isinstance(content, list) else []


def text_of(message: Mapping[str, Any]) -> str:
    """Return the text parts of a message, joined with spaces."""
    return " ".join(str(part.get("text", "")) for part in parts_of(message) if part.get("type") == "text")


def _check_model(payload: Mapping[str, Any]) -> None:
    name = payload.get("model")
    if not isinstance(name, str) or not name:
        raise ChatRefusal("you must provide a model parameter", param="model")
    if name.startswith(ANSWER_MODEL):  # `chat.py` has found the answer of that name
        return
    if name not in MODELS and not _MODEL_NAME.fullmatch(name):
        message = f"The model `{name}` does not exist or you do not have access to it."
        raise ChatRefusal(message, status=404, code="model_not_found", param="model")


def _check_messages(payload: Mapping[str, Any]) -> None:
    messages = payload.get("messages")
    if not isinstance(messages, list) or not messages:
        raise ChatRefusal("[] is too short - 'messages'", param="messages")
    model = model_named(payload["model"])
    called: set[str] = set()  # ids of tool calls that still wait for their result
    for at, message in enumerate(messages):
        where = f"messages.[{at}]"
        if not isinstance(message, dict):
            raise ChatRefusal(f"{where} must be an object", param="messages")
        role = message.get("role")
        if role not in _ROLES:
            raise ChatRefusal(f"{role} is not one of {list(_ROLES)} - '{where}.role'", param="messages")
        if called and role != "tool":
            waiting = ", ".join(sorted(called))
            raise ChatRefusal(
                "An assistant message with 'tool_calls' must be followed by tool messages responding to each "
                f"'tool_call_id'. Not answered at {where}: {waiting}",
                param="messages",
            )
        if role == "tool":
            answered = message.get("tool_call_id")
            if not isinstance(answered, str) or answered not in called:
                raise ChatRefusal(
                    f"{where} with role 'tool' must be a response to a preceding message with 'tool_calls'",
                    param="messages",
                )
            called.discard(answered)
        _check_content(message, where, model)
        called |= _called_by(message, where)
    if called:
        raise ChatRefusal(f"No tool message answers {', '.join(sorted(called))}", param="messages")


def _check_content(message: Mapping[str, Any], where: str, model: Model) -> None:
    content = message.get("content")
    if content is None and message.get("tool_calls"):
        return
    if not isinstance(content, (str, list)):
        raise ChatRefusal(f"{where}.content must be a string or an array", param="messages")
    for part in parts_of(message):
        kind = part.get("type") if isinstance(part, dict) else None
        if kind == "text" and isinstance(part.get("text"), str):
            continue
        takes = {"image_url": model.images, "video_url": model.videos, "video": model.videos}
        if not isinstance(kind, str) or kind not in takes:
            raise ChatRefusal(f"Unexpected item type in content of {where}: {kind!r}", param="messages")
        if not takes[kind]:
            raise ChatRefusal(f"The model does not support {kind!r} in content of {where}", param="messages")
        try:
            look_at(part)
        except UnreadableMediaError as error:
            raise ChatRefusal(f"{where}: {error}", param="messages") from error


def _called_by(message: Mapping[str, Any], where: str) -> set[str]:
    calls = message.get("tool_calls") or []
    if not isinstance(calls, list):
        raise ChatRefusal(f"{where}.tool_calls must be an array", param="messages")
    ids = set()
    for call in calls:
        function = call.get("function") if isinstance(call, dict) else None
        function = function if isinstance(function, dict) else {}
        if not isinstance(function.get("name"), str) or not isinstance(call.get("id"), str) or not call["id"]:
            raise ChatRefusal(
                f"{where}.tool_calls: each call needs an id and a function name", param="messages"
            )
        if not isinstance(function.get("arguments"), str):
            raise ChatRefusal(
                f"{where}.tool_calls: function.arguments must be a JSON string", param="messages"
            )
        ids.add(call["id"])
    return ids


def _check_portal_rules(payload: Mapping[str, Any]) -> None:
    """One leading system message in array form with `cache_control`; the portal's own words help no more."""
    system = [at for at, message in enumerate(payload["messages"]) if message["role"] == "system"]
    content = payload["messages"][0].get("content")
    cached = isinstance(content, list) and any(
        isinstance(mark := part.get("cache_control"), dict) and mark.get("type") == "ephemeral"
        for part in content
    )
    if system != [0] or not cached:
        raise ChatRefusal("bad request")
    if "store" in payload:
        raise ChatRefusal("Unsupported parameter: 'store'", param="store")


_TYPES: Mapping[str, tuple[type, ...]] = {
    **dict.fromkeys(
        ("stream", "logprobs", "parallel_tool_calls", "enable_thinking", "enable_search"), (bool,)
    ),
    **dict.fromkeys(("stream_options", "response_format", "search_options", "metadata"), (dict,)),
    **dict.fromkeys(("temperature", "top_p", "presence_penalty"), (int, float)),
    **dict.fromkeys(("n", "seed", "max_tokens", "top_k", "top_logprobs", "thinking_budget"), (int,)),
    "vl_high_resolution_images": (bool,),
    "tools": (list,),
}


def _check_types(payload: Mapping[str, Any]) -> None:
    for key, types in _TYPES.items():
        value = payload.get(key)
        if value is None:
            continue
        if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
            wanted = " or ".join(one.__name__ for one in types)
            raise ChatRefusal(f"{value!r} is not of type {wanted} - '{key}'", param=key)
    stop = payload.get("stop")
    if stop is not None and not isinstance(stop, str) and not _all_text(stop):
        raise ChatRefusal(f"{stop!r} is not a string or an array of strings - 'stop'", param="stop")


def _all_text(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def _check_ranges(payload: Mapping[str, Any]) -> None:
    most = model_named(payload["model"]).output
    _in_range(payload, "temperature", "[0.0, 2.0)", lambda value: 0 <= value < 2)  # noqa: PLR2004  # documented
    _in_range(payload, "top_p", "(0.0, 1.0]", lambda value: 0 < value <= 1)
    _in_range(payload, "presence_penalty", "[-2.0, 2.0]", lambda value: -2 <= value <= 2)  # noqa: PLR2004  # documented
    _in_range(payload, "n", "[1, 4]", lambda value: 1 <= value <= 4)  # noqa: PLR2004  # documented
    _in_range(payload, "seed", f"[0, {_MOST_SEED}]", lambda value: 0 <= value <= _MOST_SEED)
    _in_range(payload, "max_tokens", f"[1, {most}]", lambda value: 1 <= value <= most)
    _in_range(payload, "top_logprobs", "[0, 5]", lambda value: 0 <= value <= 5)  # noqa: PLR2004  # documented
    _in_range(payload, "thinking_budget", "[1, 81920]", lambda value: 1 <= value <= 81_920)  # noqa: PLR2004  # documented
    if payload.get("top_logprobs") is not None and not payload.get("logprobs"):
        raise ChatRefusal("'top_logprobs' needs 'logprobs' to be true", param="top_logprobs")


def _in_range(payload: Mapping[str, Any], key: str, said: str, holds: Any) -> None:
    if payload.get(key) is not None and not holds(payload[key]):
        raise ChatRefusal(f"Range of {key} should be {said}", param=key)


def _check_stream(payload: Mapping[str, Any]) -> None:
    if payload.get("stream_options") is not None and not payload.get("stream"):
        raise ChatRefusal("'stream_options' is only allowed when 'stream' is true", param="stream_options")


def _check_tools(payload: Mapping[str, Any]) -> None:
    tools: Sequence[Any] | None = payload.get("tools")
    if tools is not None and not tools:
        raise ChatRefusal("[] is too short - 'tools'", param="tools")
    offered = {_tool_name(tool, at) for at, tool in enumerate(tools or [])}
    if offered and (payload.get("n") or 1) > 1:
        raise ChatRefusal("'n' should be 1 when 'tools' is set", param="n")
    choice = payload.get("tool_choice")
    if not _forces_a_call(payload):
        return
    if isinstance(choice, dict):
        function = choice.get("function") if choice.get("type") == "function" else None
        name = function.get("name") if isinstance(function, dict) else None
        if not isinstance(name, str) or name not in offered:
            raise ChatRefusal(
                f"'tool_choice' names {name!r}, which is not among 'tools'", param="tool_choice"
            )
    elif choice != "required" or not offered:
        message = f"{choice!r} is not one of ['none', 'auto', 'required'] with 'tools' - 'tool_choice'"
        raise ChatRefusal(message, param="tool_choice")
    if thinks(payload):
        raise _forced_while_thinking()


def _forces_a_call(payload: Mapping[str, Any]) -> bool:
    return payload.get("tool_choice") not in (None, "none", "auto")


def _forced_while_thinking() -> ChatRefusal:
    message = "The tool_choice parameter does not support being set to required or object in thinking mode"
    return ChatRefusal(message, param="tool_choice")


def _tool_name(tool: Any, at: int) -> str:
    function = tool.get("function") if isinstance(tool, dict) and tool.get("type") == "function" else None
    if not isinstance(function, dict):
        raise ChatRefusal(f"tools.[{at}] must be of type 'function' with a 'function' object", param="tools")
    name = function.get("name")
    if not isinstance(name, str) or not _TOOL_NAME.fullmatch(name):
        raise ChatRefusal(f"{name!r} does not match '[A-Za-z0-9_-]{{1,64}}' - 'tools.[{at}].function.name'")
    if not isinstance(function.get("parameters", {}), dict):
        raise ChatRefusal(f"tools.[{at}].function.parameters must be an object", param="tools")
    return name


def _check_thinking(payload: Mapping[str, Any], *, login: bool) -> None:
    """Where thinking is refused, or refuses.

    A login's coder-model, the newest Plus, thinks unless told otherwise. Its thoughts are shown only when
    asked for: most tests look at the answer.
    """
    unasked = login and payload["model"] == "coder-model" and payload.get("enable_thinking") is None
    if unasked and _forces_a_call(payload):
        raise _forced_while_thinking()
    if _THINKS_IN_STREAMS_ONLY.fullmatch(payload["model"]) and thinks(payload) and not payload.get("stream"):
        message = "parameter.enable_thinking must be set to false for non-streaming calls"
        raise ChatRefusal(message, param="enable_thinking")


def _check_response_format(payload: Mapping[str, Any]) -> None:
    wanted = payload.get("response_format")
    if wanted is None:
        return
    kind = wanted.get("type")
    if kind not in ("text", "json_object", "json_schema"):
        message = f"{kind!r} is not one of ['text', 'json_object', 'json_schema'] - 'response_format.type'"
        raise ChatRefusal(message, param="response_format")
    if kind == "json_schema":
        inner = wanted.get("json_schema")
        if not isinstance(inner, dict) or not inner.get("name") or not isinstance(inner.get("schema"), dict):
            message = "'response_format.json_schema' needs a 'name' and a 'schema' object"
            raise ChatRefusal(message, param="response_format")
    if kind == "json_object" and "json" not in str(payload["messages"]).lower():
        raise ChatRefusal(
            "'messages' must contain the word 'json' in some form, for json_object",
            param="response_format",
        )
