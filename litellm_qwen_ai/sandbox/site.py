"""Routing: which of the sandbox's endpoints serves a request, by path and method. No socket here."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from litellm_qwen_ai.sandbox.oauth import (
    AUTHORIZE_PATH,
    DEVICE_PATH,
    TOKEN_PATH,
    OAuthEndpoints,
    token_endpoint,
    unsupported_grant,
)
from litellm_qwen_ai.sandbox.page import ApprovalPage, index_page
from litellm_qwen_ai.sandbox.wire import RecordedRequest, Reply, chat_error, json_reply

if TYPE_CHECKING:
    from litellm_qwen_ai.sandbox.answers import Answer
    from litellm_qwen_ai.sandbox.authority import Authority
    from litellm_qwen_ai.sandbox.chat import ChatEndpoint
    from litellm_qwen_ai.sandbox.control import Control
    from litellm_qwen_ai.sandbox.ledger import Ledger

CHAT_PATHS = ("/v1/chat/completions", "/compatible-mode/v1/chat/completions")
MODELS_PATHS = ("/v1/models", "/compatible-mode/v1/models")
CONTROL_PREFIX = "/sandbox/"
_METHODS = {DEVICE_PATH: ("POST",), TOKEN_PATH: ("POST",), AUTHORIZE_PATH: ("GET", "HEAD", "POST")}
_METHODS.update(dict.fromkeys(CHAT_PATHS, ("POST",)))
_METHODS.update(dict.fromkeys(MODELS_PATHS, ("GET", "HEAD")))
_ENDPOINTS = {DEVICE_PATH: "device", AUTHORIZE_PATH: "page", "/": "page"}
_ENDPOINTS.update(dict.fromkeys(CHAT_PATHS, "chat"))
_ENDPOINTS.update(dict.fromkeys(MODELS_PATHS, "models"))
# The counts: the first for every request, the second for those that were granted.
_ASKED = {"token": "polls", "refresh": "refresh_requests", "chat": "chat_requests"}
_GRANTED = {"device": "device_codes", "token": "logins", "refresh": "refreshes", "chat": "chats"}


class Site:
    """Serves recorded requests."""

    def __init__(  # noqa: PLR0913  # its parts, each built by `Sandbox`
        self,
        *,
        url: str,
        authority: Authority,
        ledger: Ledger,
        oauth: OAuthEndpoints,
        chat: ChatEndpoint,
        control: Control,
    ) -> None:
        self._url = url
        self._ledger = ledger
        self._oauth = oauth
        self._chat = chat
        self._control = control
        self._page = ApprovalPage(authority)

    def serve(self, request: RecordedRequest) -> Reply:
        """Return the reply to a request, and count it."""
        allowed = _METHODS.get(request.path)
        if allowed and request.method not in allowed:
            message = f"{request.method} is not allowed here, only {', '.join(allowed)}"
            return json_reply({"error": {"message": message}}, 405, {"allow": ", ".join(allowed)})
        if request.endpoint == "models":
            return self._chat.list_models(request, self._ledger.take("models"))
        if request.endpoint not in ("device", "token", "refresh", "chat"):
            return self._serve_other(request)
        if request.endpoint in _ASKED:
            self._ledger.count(_ASKED[request.endpoint])
        answer = self._ledger.take(request.endpoint)
        reply = self._serve_endpoint(request, answer)
        if reply.status == HTTPStatus.OK and not (answer and answer.fixed):
            self._ledger.count(_GRANTED[request.endpoint], *(["streams"] if reply.streamed else []))
        if request.endpoint == "chat" and reply.status == HTTPStatus.UNAUTHORIZED:
            self._ledger.count("token_rejections")
        return reply

    def _serve_endpoint(self, request: RecordedRequest, answer: Answer | None) -> Reply:
        if request.endpoint == "device":
            return self._oauth.device(request, answer)
        if request.endpoint == "token":
            return self._oauth.token(request, answer)
        if request.endpoint == "refresh":
            return self._oauth.refresh(request, answer)
        return self._chat.serve(request, answer)

    def _serve_other(self, request: RecordedRequest) -> Reply:
        if request.path == AUTHORIZE_PATH:
            return self._page.decide(request) if request.method == "POST" else self._page.show(request)
        if request.path.startswith(CONTROL_PREFIX):
            return self._control.serve(request)
        if request.path == TOKEN_PATH:
            return unsupported_grant()
        if request.path == "/":
            return index_page(self._url)
        return chat_error(404, "not_found", f"There is nothing at {request.path}")


def endpoint_of(method: str, path: str, content_type: str, body: bytes) -> str:
    """Name the endpoint a request is for; see `RecordedRequest.endpoint`."""
    if path in _ENDPOINTS:
        return _ENDPOINTS[path]
    if path.startswith(CONTROL_PREFIX):
        return "control"
    if path == TOKEN_PATH and method == "POST":
        return token_endpoint(
            RecordedRequest("", method, path, {}, {"content-type": content_type}, body).form.get("grant_type")
        )
    return "other"
