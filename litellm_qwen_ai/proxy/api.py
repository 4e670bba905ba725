"""The page and its JSON, as a FastAPI router for LiteLLM's proxy.

| Request | Who | Answer |
|---|---|---|
| `GET /qwen_ai`, `/qwen_ai/page.css`, `/qwen_ai/page.js` | anybody | files of this package; no data |
| `GET /qwen_ai/api/accounts` | admins | every account: see `accounts.view` |
| `POST /qwen_ai/api/login` | admins | starts a device login, or shows the one that waits |
| `POST /qwen_ai/api/poll` | admins | asks the OAuth server whether it is approved, if it is time to |
| `POST /qwen_ai/api/cancel` | admins | forgets the login that waits |

The POSTs take a `Wanted` and answer with the account's view. Errors are `{"detail": text}`; those of a wrong
key are LiteLLM's own.
"""

from __future__ import annotations

import contextlib
import importlib.resources
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict

from litellm_qwen_ai._version import __version__
from litellm_qwen_ai.accounts import account_of, known_accounts
from litellm_qwen_ai.oauth.clocks import CLOCKS, Clocks
from litellm_qwen_ai.oauth.errors import ConfigurationError, LoginError, QwenAuthError
from litellm_qwen_ai.oauth.pending import cancel_login, poll_login, start_login
from litellm_qwen_ai.proxy.accounts import accounts_of, checked_account, view
from litellm_qwen_ai.proxy.guard import HEADERS, admins_only, refused
from litellm_qwen_ai.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from litellm_qwen_ai.oauth.door import Store


class Wanted(BaseModel):
    """The body of the POSTs: no `account` is the default one; `anew` asks for a code although one waits."""

    model_config = ConfigDict(extra="forbid")

    account: str | None = None
    anew: bool = False


def router_for(server: ModuleType, page: str, *, clocks: Clocks = CLOCKS) -> APIRouter:
    """The routes for a proxy, whose module `proxy_server` this is: the page at an address, its JSON below it.

    FastAPI runs them in threads, where files and servers may take their time.
    """
    router = APIRouter(prefix=page, include_in_schema=False)
    router.get("")(_served("page.html", "text/html"))
    router.get("/page.css")(_served("page.css", "text/css"))
    router.get("/page.js")(_served("page.js", "text/javascript"))
    api = APIRouter(prefix="/api", dependencies=admins_only(server))

    @api.get("/accounts")
    def accounts() -> Response:
        settings = Settings.from_environment()
        deployments = getattr(getattr(server, "llm_router", None), "model_list", None) or ()
        try:
            names = known_accounts(settings, accounts_of(deployments))
            found = [view(settings, account, clocks) for account in names]
        except QwenAuthError as error:
            raise refused(500, str(error)) from None
        return _json({"accounts": found, "api_key_set": settings.api_key is not None, "version": __version__})

    def done(wanted: Wanted, act: Callable[[Settings, Store], object]) -> Response:
        """Do it, and show the account as it is then."""
        settings = Settings.from_environment()
        try:
            account = checked_account(settings, wanted.account)
            act(settings, account_of(settings, account).store)
            return _json(view(settings, account, clocks))
        except QwenAuthError as error:
            caller = isinstance(error, ConfigurationError)
            raise refused(
                400 if caller else 502 if isinstance(error, LoginError) else 500, str(error)
            ) from None

    @api.post("/login")
    def login(wanted: Wanted) -> Response:
        def start(settings: Settings, store: Store) -> None:
            start_login(
                store,
                anew=wanted.anew,
                oauth_base_url=settings.oauth_base_url,
                client_id=settings.oauth_client_id,
                clocks=clocks,
            )

        return done(wanted, start)

    @api.post("/poll")
    def poll(wanted: Wanted) -> Response:
        def ask(_: Settings, store: Store) -> None:
            with contextlib.suppress(
                LoginError
            ):  # how it ended stands in the view, also for whoever asks next
                poll_login(store, clocks=clocks)

        return done(wanted, ask)

    @api.post("/cancel")
    def cancel(wanted: Wanted) -> Response:
        return done(wanted, lambda _, store: cancel_login(store))

    router.include_router(api)
    return router


def _json(value: Any) -> Response:
    return JSONResponse(value, headers=HEADERS)


def _served(name: str, kind: str) -> Callable[[], Response]:
    """Answers with a file of this package, which is read once."""
    content = importlib.resources.files("litellm_qwen_ai.proxy").joinpath(name).read_bytes()

    def serve() -> Response:
        return Response(content, media_type=kind, headers=HEADERS)

    return serve
