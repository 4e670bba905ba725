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

_FILES = {
    "page.html": "text/html; charset=utf-8",
    "page.css": "text/css; charset=utf-8",
    "page.js": "text/javascript; charset=utf-8",
}


class Wanted(BaseModel):
    """The body of the POSTs.

    Attributes:
        account: An account's name; None is the default account.
        anew: For `login`: a new code, although one waits.
    """

    model_config = ConfigDict(extra="forbid")

    account: str | None = None
    anew: bool = False


def router_for(server: ModuleType, page: str, *, clocks: Clocks = CLOCKS) -> APIRouter:
    """The routes, for a proxy.

    Args:
        server: LiteLLM's module `proxy_server`.
        page: Where the page is; the JSON is below it.
        clocks: The time.
    """
    router = APIRouter(prefix=page, include_in_schema=False)
    for path, name in (("", "page.html"), ("/page.css", "page.css"), ("/page.js", "page.js")):
        router.add_api_route(path, _served(name), methods=["GET"], response_model=None)
    api, acts = APIRouter(prefix="/api", dependencies=admins_only(server)), _Acts(server, clocks)
    api.add_api_route("/accounts", acts.accounts, methods=["GET"], response_model=None)
    for path, act in (("/login", acts.login), ("/poll", acts.poll), ("/cancel", acts.cancel)):
        api.add_api_route(path, act, methods=["POST"], response_model=None)
    router.include_router(api)
    return router


class _Acts:
    """What an admin may ask for; FastAPI runs it in threads, where files and servers may take their time."""

    def __init__(self, server: ModuleType, clocks: Clocks) -> None:
        self._server = server
        self._clocks = clocks

    def accounts(self) -> Response:
        settings = _settings()
        router = getattr(self._server, "llm_router", None)
        try:
            names = known_accounts(settings, accounts_of(getattr(router, "model_list", None) or ()))
        except QwenAuthError as error:
            raise refused(500, str(error)) from None
        found = [self._view(settings, account) for account in names]
        return _json({"accounts": found, "api_key_set": settings.api_key is not None, "version": __version__})

    def login(self, wanted: Wanted) -> Response:
        def start(settings: Settings, store: Store) -> None:
            start_login(
                store,
                anew=wanted.anew,
                oauth_base_url=settings.oauth_base_url,
                client_id=settings.oauth_client_id,
                clocks=self._clocks,
            )

        return self._done(wanted, start)

    def poll(self, wanted: Wanted) -> Response:
        def ask(_: Settings, store: Store) -> None:
            try:
                poll_login(store, clocks=self._clocks)
            except LoginError:
                return  # how it ended stands in the view, also for whoever asks next

        return self._done(wanted, ask)

    def cancel(self, wanted: Wanted) -> Response:
        return self._done(wanted, lambda _, store: cancel_login(store))

    def _done(self, wanted: Wanted, act: Callable[[Settings, Store], object]) -> Response:
        """Do it, and show the account as it is then."""
        settings = _settings()
        try:
            account = checked_account(settings, wanted.account)
            act(settings, account_of(settings, account).store)
        except ConfigurationError as error:
            raise refused(400, str(error)) from None
        except LoginError as error:
            raise refused(502, str(error)) from None
        except QwenAuthError as error:
            raise refused(500, str(error)) from None
        return _json(self._view(settings, account))

    def _view(self, settings: Settings, account: str | None) -> dict[str, Any]:
        try:
            return view(settings, account, self._clocks)
        except QwenAuthError as error:
            raise refused(500, str(error)) from None


def _settings() -> Settings:
    try:
        return Settings.from_environment()
    except ConfigurationError as error:
        raise refused(500, str(error)) from None


def _json(value: Any) -> Response:
    return JSONResponse(value, headers=HEADERS)


def _served(name: str) -> Callable[[], Response]:
    """Answers with a file of this package, which is read once."""
    content = importlib.resources.files("litellm_qwen_ai.proxy").joinpath(name).read_bytes()

    def serve() -> Response:
        return Response(content, media_type=_FILES[name], headers=HEADERS)

    return serve
