"""The OAuth endpoints: a recorded request in, a reply out."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from litellm_qwen_ai.sandbox.answers import Answer
from litellm_qwen_ai.sandbox.authority import DEVICE_GRANT, Authority, OAuthRefusal
from litellm_qwen_ai.sandbox.wire import RecordedRequest, Reply, json_reply

if TYPE_CHECKING:
    from collections.abc import Callable

DEVICE_PATH = "/api/v1/oauth2/device/code"
TOKEN_PATH = "/api/v1/oauth2/token"  # noqa: S105  # a path, not a secret
AUTHORIZE_PATH = "/authorize"
_AS_IT_IS = Answer()
_ACCEPT = "application/json"
_UUID4 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", re.IGNORECASE)


class OAuthEndpoints:
    """Device authorization, token poll and refresh (qwen-protocol sections 2 to 4).

    Attributes:
        resource_url: The base URL that token answers name for chat.
        authorize_url: The address of the approval page.
    """

    def __init__(self, authority: Authority, *, resource_url: str, authorize_url: str) -> None:
        self.authority = authority
        self.resource_url = resource_url
        self.authorize_url = authorize_url

    def device(self, request: RecordedRequest, answer: Answer | None) -> Reply:
        """Answer a device authorization request."""

        def start() -> dict[str, Any]:
            if not _UUID4.fullmatch(request.headers.get("x-request-id", "")):
                raise OAuthRefusal(400, "invalid_request", "The header x-request-id must be a random UUID")
            return self.authority.start_device(request.form, self.authorize_url)

        return _serve(request, answer, start)

    def token(self, request: RecordedRequest, answer: Answer | None) -> Reply:
        """Answer a poll for the tokens of a device code."""
        return _serve(request, answer, lambda: self._with_resource(self.authority.poll(request.form)))

    def refresh(self, request: RecordedRequest, answer: Answer | None) -> Reply:
        """Answer a refresh; an answer that leaves the refresh token out does not rotate it either."""
        rotate = answer is None or "refresh_token" not in answer.without
        return _serve(
            request, answer, lambda: self._with_resource(self.authority.refresh(request.form, rotate=rotate))
        )

    def _with_resource(self, tokens: dict[str, Any]) -> dict[str, Any]:
        return {**tokens, "resource_url": self.resource_url}


def token_endpoint(grant_type: str | None) -> str:
    """Name the endpoint of a request to the token URL: `refresh`, `token`, or `other` for any other grant."""
    return {"refresh_token": "refresh", DEVICE_GRANT: "token"}.get(grant_type or "", "other")


def unsupported_grant() -> Reply:
    """Refuse a grant that is neither a device code nor a refresh token (RFC 6749 section 5.2)."""
    return _refuse(OAuthRefusal(400, "unsupported_grant_type", "The grant_type is missing or not supported"))


def _serve(request: RecordedRequest, answer: Answer | None, serve: Callable[[], dict[str, Any]]) -> Reply:
    if answer is not None and answer.fixed:
        return answer.reply()
    if not request.form:
        wanted = "The body must be application/x-www-form-urlencoded"
        return _refuse(OAuthRefusal(400, "invalid_request", wanted))
    accepted = {one.partition(";")[0].strip().lower() for one in request.headers.get("accept", "").split(",")}
    if _ACCEPT not in accepted:
        return _refuse(OAuthRefusal(400, "invalid_request", f"The header Accept must name {_ACCEPT}"))
    try:
        return (answer or _AS_IT_IS).change(serve())
    except OAuthRefusal as refusal:
        return _refuse(refusal)


def _refuse(refusal: OAuthRefusal) -> Reply:
    return json_reply({"error": refusal.error, "error_description": refusal.description}, refusal.status)
