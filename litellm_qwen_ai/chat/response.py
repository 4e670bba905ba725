"""A whole (not streamed) answer to a LiteLLM ModelResponse."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from litellm.litellm_core_utils.llm_response_utils.convert_dict_to_response import (
    convert_to_model_response_object,
)

from litellm_qwen_ai.chat.errors import error_from_refusal, malformed_answer
from litellm_qwen_ai.chat.refusal import is_error_object, refusal_from_object, refusal_from_text
from litellm_qwen_ai.chat.text import html_summary, json_value, looks_like_html
from litellm_qwen_ai.chat.usage import usage_fields

if TYPE_CHECKING:
    from litellm.types.utils import ModelResponse

    from litellm_qwen_ai.chat.context import AnswerContext


def parse_response(body: bytes, context: AnswerContext, model_response: ModelResponse) -> ModelResponse:
    """Fill and return LiteLLM's empty `model_response` from the body of a 200.

    The answer's headers, in the context, end up in `_hidden_params["additional_headers"]` as a built-in
    provider's do. With a login the cost is known to be 0.

    Raises:
        litellm.InternalServerError: The body is no chat answer (HTML, empty, not JSON, wrong types).
        Exception: If the body is an error after all, what `errors.error_from_refusal` maps it to.
    """
    value = _parse(body, context)
    if is_error_object(value):
        raise error_from_refusal(refusal_from_object(value, context), context)
    choices = value.get("choices")
    if not (isinstance(choices, list) and choices and all(_has_message(choice) for choice in choices)):
        raise malformed_answer("a JSON object without a list of choices", context)
    for choice in choices:
        if choice.get("finish_reason") == "error_finish":
            # Its content is the error's text, never the model's.
            text = str(choice["message"].get("content") or "")
            raise error_from_refusal(refusal_from_text(text, context), context)
    try:
        answer = {
            **value,
            "choices": [_choice(choice) for choice in choices],
            # Without counts LiteLLM's own stay at 0 rather than at what a wrong type would make of them.
            "usage": usage_fields(value.get("usage")) or {},
        }
        convert_to_model_response_object(
            response_object=answer,
            model_response_object=model_response,
            _response_headers=dict(context.headers),
        )
    except (NameError, ImportError):
        raise  # a fault of this program, not of the answer
    except Exception as error:  # noqa: BLE001  # odd fields raise anything, LiteLLM's bare Exception too
        what = f"fields of a wrong type ({type(error).__name__})"
        raise malformed_answer(what, context) from None
    return model_response


def _parse(body: bytes, context: AnswerContext) -> dict[str, Any]:
    if not body.strip():
        raise malformed_answer("an empty body", context)
    if looks_like_html(body):
        raise malformed_answer(f"{html_summary(body)} instead of JSON", context)
    try:
        value = json_value(body)
    except ValueError:
        raise malformed_answer("a body that is not JSON", context) from None
    if not isinstance(value, dict):
        raise malformed_answer("JSON that is no object", context)
    return value


def _has_message(choice: Any) -> bool:
    return isinstance(choice, dict) and isinstance(choice.get("message"), dict)


def _choice(choice: dict[str, Any]) -> dict[str, Any]:
    message = {**choice["message"], "role": choice["message"].get("role") or "assistant"}
    calls = message.pop("tool_calls", None)
    if calls:
        message["tool_calls"] = [_tool_call(call) for call in calls]
    return {**choice, "message": message}


def _tool_call(call: Any) -> dict[str, Any]:
    """A call as LiteLLM's types demand it; odd ones raise and are reported as malformed."""
    function = call.get("function") or {}
    arguments = function.get("arguments")
    if not isinstance(arguments, str):
        arguments = json.dumps({} if arguments is None else arguments, ensure_ascii=False)
    return {
        "id": call.get("id") or f"call_{uuid4().hex}",
        "type": "function",
        "function": {"name": function.get("name"), "arguments": arguments},
    }
