"""Who may ask for what: the headers of every answer, and the checks before any data.

docs/operators.md says why the page itself needs no key, and why no other site can use an admin's browser. One
that says that a request comes from another site (`Sec-Fetch-Site`) is refused all the same.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from fastapi import Depends, HTTPException, Request

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection
    from types import ModuleType

_ADMIN, _VIEWER = "proxy_admin", "proxy_admin_viewer"
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


def lookers_only(server: ModuleType, fields: Collection[str]) -> Callable[..., Awaitable[bool]]:
    """FastAPI's dependency that lets in a proxy's admins and admin viewers; its value: may this one change?

    Who is who is said by LiteLLM's own `user_api_key_auth`. Bodies have no other fields than these.
    """

    async def has_key(request: Request) -> None:
        # Before LiteLLM's own check, which without its database package answers a missing key with 500.
        own = (getattr(server, "general_settings", None) or {}).get("litellm_key_header_name")
        names = (*_KEY_HEADERS, str(own)) if own else _KEY_HEADERS
        if not _has_own_check(server) and not any(map(request.headers.get, names)):
            raise refused(401, why_closed(server) or "Sign in with the key of a proxy admin.")
        await _refuse_strange_body(request, fields)

    async def may_change(
        request: Request,
        _: None = Depends(has_key),
        user: Any = Depends(server.user_api_key_auth),  # noqa: B008  # an annotation cannot see `server`
    ) -> bool:
        closed = why_closed(server)
        if closed is not None:
            raise refused(403, closed)
        role = getattr(user, "user_role", None)
        role = getattr(role, "value", role)
        if role not in {_ADMIN, _VIEWER}:
            raise refused(403, "This key is valid, but not a proxy admin's.")
        if request.headers.get("sec-fetch-site", "none") not in _OWN_SITE:
            raise refused(403, "This request comes from another site.")
        return bool(role == _ADMIN)

    return may_change


async def _refuse_strange_body(request: Request, fields: Collection[str]) -> None:
    """LiteLLM's own check answers these with a bare 500. FastAPI has read the body, and refused no JSON."""
    body = await request.body()
    if not body:
        return
    try:
        value = json.loads(body)
    except ValueError:
        return
    if not isinstance(value, dict):
        raise refused(422, "The body must be a JSON object.")
    strange = [name for name in value if name not in fields]
    if strange:
        raise refused(422, f"There is no {strange[0]!r} here, only: {', '.join(sorted(fields))}.")


def changers_only(may_look: Callable[..., Awaitable[bool]]) -> Callable[..., Awaitable[None]]:
    """The same for what changes something: admins only."""

    async def may_change(may: bool = Depends(may_look)) -> None:  # noqa: FBT001  # FastAPI names the argument
        if not may:
            raise refused(403, "This is the key of an admin viewer: it sees everything and changes nothing.")

    return may_change


def why_closed(server: ModuleType) -> str | None:
    """Why a proxy lets nobody in; None if it has admins."""
    if getattr(server, "master_key", None) is not None or _has_own_check(server):
        return None
    return "This proxy has no master key, so nobody is its admin. Set LITELLM_MASTER_KEY."


def _has_own_check(server: ModuleType) -> bool:
    """Whether the proxy's `custom_auth` decides who is who."""
    return getattr(server, "user_custom_auth", None) is not None
