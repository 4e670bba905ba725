"""Who may ask for what: the headers of every answer, and the two checks before any data.

docs/operators.md says why the page itself needs no key, and why no other site can use an admin's browser. One
that says that a request comes from another site (`Sec-Fetch-Site`) is refused all the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi import Depends, HTTPException, Request

if TYPE_CHECKING:
    from types import ModuleType

_ADMIN = "proxy_admin"
#: Where LiteLLM looks for a key (proxy/_types.py, SpecialHeaders).
_KEY_HEADERS = (
    "authorization",
    "x-litellm-api-key",
    "api-key",
    "x-api-key",
    "x-goog-api-key",
    "ocp-apim-subscription-key",
)
_OWN_SITE = frozenset({"same-origin", "none"})
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


def refused(status: int, text: str) -> HTTPException:
    """An answer `{"detail": text}` to raise."""
    return HTTPException(status, detail=text, headers=HEADERS)


def admins_only(server: ModuleType) -> list[Any]:
    """FastAPI's dependencies that let in those whom LiteLLM's `user_api_key_auth` finds proxy admins."""

    async def has_key(request: Request) -> None:
        # Before LiteLLM's own check, which without its database package answers a missing key with 500.
        own = (getattr(server, "general_settings", None) or {}).get("litellm_key_header_name")
        names = (*_KEY_HEADERS, str(own)) if own else _KEY_HEADERS
        if not _has_own_check(server) and not any(map(request.headers.get, names)):
            raise refused(401, "Sign in with the key of a proxy admin.")

    async def is_admin(
        request: Request,
        user: Any = Depends(server.user_api_key_auth),  # noqa: B008  # an annotation cannot see `server`
    ) -> None:
        if getattr(server, "master_key", None) is None and not _has_own_check(server):
            raise refused(403, "This proxy has no master key, so anybody would be its admin. Set one.")
        role = getattr(user, "user_role", None)
        if getattr(role, "value", role) != _ADMIN:
            raise refused(403, "This key is valid, but not a proxy admin's.")
        if request.headers.get("sec-fetch-site", "none") not in _OWN_SITE:
            raise refused(403, "This request comes from another site.")

    return [Depends(has_key), Depends(is_admin)]


def _has_own_check(server: ModuleType) -> bool:
    """Whether the proxy's `custom_auth` decides who is who."""
    return getattr(server, "user_custom_auth", None) is not None
