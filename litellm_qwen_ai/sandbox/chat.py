"""The chat endpoint and the list of models: a recorded request in, a reply out."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from litellm_qwen_ai.sandbox.answer_table import ANSWERS
from litellm_qwen_ai.sandbox.answers import ANSWER_MODEL, find_answer
from litellm_qwen_ai.sandbox.checks import MODELS, ChatRefusal, check, model_named, unknown_keys
from litellm_qwen_ai.sandbox.compose import compose, message_tokens, prompt_tokens
from litellm_qwen_ai.sandbox.faults import json_with_fault, stream_reply
from litellm_qwen_ai.sandbox.stream import completion_json
from litellm_qwen_ai.sandbox.wire import RecordedRequest, Reply, chat_error, json_reply

if TYPE_CHECKING:
    from collections.abc import Mapping

    from litellm_qwen_ai.sandbox.answers import Answer
    from litellm_qwen_ai.sandbox.authority import Authority

_MOST_PREFIXES = 10_000


class ChatEndpoint:
    """Chat completions.

    Args:
        authority: Knows the tokens.
        api_keys: Static keys that are bearers too.
        home: The `resource_url` of the tokens, whose host alone takes them; None: this server has any name.
        obedient: See `Sandbox`.
    """

    def __init__(
        self,
        authority: Authority,
        *,
        api_keys: frozenset[str],
        home: str | None = None,
        obedient: bool = False,
    ) -> None:
        self._authority = authority
        self._api_keys = api_keys
        self._host = None if home is None else _host(home)
        self._obedient = obedient
        self._prefixes: set[bytes] = set()  # system messages seen before: Qwen reports them as cached

    def serve(self, request: RecordedRequest, answer: Answer | None) -> Reply:
        """Answer a chat call: bearer first, then what the request asks for, as Qwen does."""
        payload = _read(request.body)
        request.unknown_keys = unknown_keys(payload)
        try:
            answer = answer or _named_by_model(payload)
            if answer is not None and answer.fixed:
                return answer.reply()
            return self._complete(request, payload, answer.fault if answer else None)
        except ChatRefusal as error:
            refusal = error
        except RecursionError:  # in it, or in what a schema that requires itself asks for
            refusal = ChatRefusal("The request, or what one of its schemas asks for, is nested too deep")
        return chat_error(refusal.status, refusal.code, refusal.message, param=refusal.param)

    def list_models(self, request: RecordedRequest, answer: Answer | None) -> Reply:
        """Answer OpenAI's `GET /v1/models`, which takes the same bearers as chat."""
        if answer is not None and answer.fixed:
            return answer.reply()
        try:
            self._check_bearer(request)
        except ChatRefusal as refusal:
            return chat_error(refusal.status, refusal.code, refusal.message, param=refusal.param)
        listed = [{"id": name, "object": "model", "created": 0, "owned_by": "sandbox"} for name in MODELS]
        return json_reply({"object": "list", "data": listed})

    def _complete(self, request: RecordedRequest, payload: Any, fault: str | None) -> Reply:
        login = self._check_bearer(request)
        if login and not _is_from_a_login(request.headers):
            raise ChatRefusal("bad request")
        check(payload, login=login)
        used, limit = prompt_tokens(payload), model_named(payload["model"]).context
        if used > limit:
            raise ChatRefusal(f"Range of input length should be [1, {limit}]")
        completion = compose(
            payload,
            created=int(request.at),
            cached_tokens=self._cached_tokens(payload),
            obedient=self._obedient,
        )
        if payload.get("stream"):
            wanted = bool((payload.get("stream_options") or {}).get("include_usage"))
            return stream_reply(completion, include_usage=wanted, fault=fault)
        return json_with_fault(completion, fault) if fault else json_reply(completion_json(completion))

    def _check_bearer(self, request: RecordedRequest) -> bool:
        """Return whether the bearer is a login's token (a static key is not)."""
        token = request.bearer
        if token in self._api_keys:
            return False
        is_home = self._host in {None, _host(request.headers.get("host", ""))}
        if token is None or not is_home or not self._authority.accepts(token):
            raise ChatRefusal("invalid access token or token expired", status=401, code="invalid_api_key")
        return True

    def _cached_tokens(self, payload: Mapping[str, Any]) -> int:
        first = payload["messages"][0]
        if first["role"] != "system":
            return 0
        prefix = hashlib.sha256(json.dumps([payload["model"], first]).encode()).digest()
        if prefix in self._prefixes:
            return message_tokens(first, payload)
        if len(self._prefixes) < _MOST_PREFIXES:
            self._prefixes.add(prefix)
        return 0


def _read(body: bytes) -> Any:
    """Return the JSON of a body; None if it is none, or holds what no UTF-8 can: half of a surrogate pair."""
    try:
        payload = json.loads(body.decode())
        if b"\\u" in body:
            json.dumps(payload, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return None
    return payload


def _is_from_a_login(headers: Mapping[str, str]) -> bool:
    """Whether a request says so itself, by the headers that Qwen Code sends with a login's token."""
    return (
        headers.get("x-dashscope-authtype") == "qwen-oauth"
        and headers.get("x-dashscope-cachecontrol") == "enable"
        and bool(headers.get("x-dashscope-useragent"))
    )


def _host(address: str) -> str:
    """The name in an address or in a `Host` header; empty if there is none."""
    try:
        return urlsplit(address if "://" in address else f"//{address}").hostname or ""
    except ValueError:
        return ""


def _named_by_model(payload: Any) -> Answer | None:
    """Find the answer that a model name like `sandbox/quota_spent` asks for.

    Raises:
        ChatRefusal: There is no such answer.
    """
    model = payload.get("model") if isinstance(payload, dict) else None
    if not isinstance(model, str) or not model.startswith(ANSWER_MODEL):
        return None
    try:
        return find_answer(ANSWERS, "chat", model.removeprefix(ANSWER_MODEL))
    except ValueError as error:
        raise ChatRefusal(str(error), status=404, code="model_not_found", param="model") from error
