"""The page and its JSON, as a FastAPI router for LiteLLM's proxy.

| Request | Who | Answer |
|---|---|---|
| `GET /qwen_ai`, `/qwen_ai/page.css`, `/qwen_ai/page.js` | anybody | files of this package; no data |
| `GET /qwen_ai/api/door` | anybody | why nobody is let in, or null |
| `GET /qwen_ai/api/accounts` | admins, viewers | every account: see `accounts.view` |
| `POST /qwen_ai/api/login` | admins | starts a device login, or shows the one that waits |
| `POST /qwen_ai/api/poll` | admins | asks the OAuth server whether it is approved, if it is time to |
| `POST /qwen_ai/api/cancel` | admins | forgets the login that waits |
| `POST /qwen_ai/api/check` | admins | whether the chat server takes the token: `check` in the answer |
| `POST /qwen_ai/api/key` | admins | keeps a key instead of a login, see `WantedKey`; none is ever answered |
| `DELETE /qwen_ai/api/login?account=NAME` | admins | signs out: removes the login or the key |
| `DELETE /qwen_ai/api/account?account=NAME` | admins | the same, for an account that nothing else names |

The other POSTs take a `Wanted`. All answer with the account's view. Errors are `{"detail": text}`; those of a
wrong key are LiteLLM's own.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.resources
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from fastapi import APIRouter, Depends
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict, SecretStr

from litellm_qwen_ai import verbs
from litellm_qwen_ai._version import __version__
from litellm_qwen_ai.accounts import Account, account_of, known_accounts, side_by_side
from litellm_qwen_ai.oauth.clocks import CLOCKS, Clocks
from litellm_qwen_ai.oauth.errors import (
    ConfigurationError,
    KeyRefusedError,
    KeyUncheckedError,
    LoginError,
    QwenAuthError,
)
from litellm_qwen_ai.oauth.keys import UNCHECKED, keep_key
from litellm_qwen_ai.oauth.pending import PendingLogin, cancel_login, poll_login, start_login
from litellm_qwen_ai.plans import MEND, PLANS
from litellm_qwen_ai.proxy.accounts import accounts_of, check, checked_account, view
from litellm_qwen_ai.proxy.guard import HEADERS, changers_only, lookers_only, refused, why_closed
from litellm_qwen_ai.settings import Settings

if TYPE_CHECKING:
    from types import ModuleType


class Wanted(BaseModel):
    """The body of the POSTs: no `account` is the default one; `anew` asks for a code although one waits."""

    model_config = ConfigDict(extra="forbid")

    account: str | None = None
    anew: bool = False


class WantedKey(BaseModel):
    """A key, and what it is for: a plan of `plans.PLANS`, or an address of its own.

    It is asked first whether it is taken, unless `check` is false. LiteLLM lets no body have an `api_base`.
    """

    model_config = ConfigDict(extra="forbid")

    account: str | None = None
    key: SecretStr
    plan: str | None = None
    address: str | None = None
    check: bool = True


@dataclass(frozen=True)
class Asked:
    """What an admin asks of an account, and the time it is asked by."""

    settings: Settings
    account: Account
    anew: bool
    clocks: Clocks


Act: TypeAlias = Callable[[Asked], "dict[str, Any] | None"]


def router_for(server: ModuleType, page: str, *, clocks: Clocks = CLOCKS) -> APIRouter:
    """The routes for a proxy, whose module `proxy_server` this is: the page at an address, its JSON below it.

    FastAPI runs them in threads, where files and servers may take their time.
    """
    router = APIRouter(prefix=page, include_in_schema=False)
    router.get("")(_served("page.html", "text/html"))
    router.get("/page.css")(_served("page.css", "text/css"))
    router.get("/page.js")(_served("page.js", "text/javascript"))
    may_look = lookers_only(server, {*Wanted.model_fields, *WantedKey.model_fields})
    api = APIRouter(prefix="/api", dependencies=[Depends(changers_only(may_look))])

    named = functools.partial(accounts_of, server)

    @router.get("/api/door")
    def door() -> Response:
        return _json({"closed": why_closed(server)})

    @router.get("/api/accounts")
    def accounts(may_change: bool = Depends(may_look)) -> Response:  # noqa: FBT001, FAST002  # as FastAPI has it
        return _json(_all_accounts(named(), clocks, may_change=may_change))

    def doing(act: Act) -> Callable[[Wanted], Response]:
        def done(wanted: Wanted) -> Response:
            return _json(_done(act, wanted, named(), clocks))

        return done

    for path, act in (("/login", _start), ("/poll", _poll), ("/cancel", _cancel), ("/check", _check)):
        api.post(path)(doing(act))

    @api.post("/key")
    def key(wanted: WantedKey) -> Response:
        return doing(functools.partial(_keep_key, wanted))(Wanted(account=wanted.account))

    @api.delete("/login")
    def logout(account: str | None = None) -> Response:
        return doing(_sign_out)(Wanted(account=account))

    @api.delete("/account")
    def remove(account: str | None = None) -> Response:
        return doing(functools.partial(_remove, named()))(Wanted(account=account))

    router.include_router(api)
    return router


def _done(act: Act, wanted: Wanted, named: list[str], clocks: Clocks) -> dict[str, Any]:
    """Do it, and show the account as it is then, with what else was found out."""
    settings = Settings.from_environment()
    try:
        name = checked_account(settings, wanted.account)
        more = act(Asked(settings, account_of(settings, name), wanted.anew, clocks))
        return view(settings, name, clocks, named=named) | (more or {})
    except QwenAuthError as error:
        status = (
            400 if isinstance(error, ConfigurationError) else 502 if isinstance(error, LoginError) else 500
        )
        raise refused(status, str(error)) from None


def _all_accounts(named: list[str], clocks: Clocks, *, may_change: bool) -> dict[str, Any]:
    settings = Settings.from_environment()
    try:
        see = functools.partial(view, settings, clocks=clocks, named=named, may_change=may_change)
        found = side_by_side(see, known_accounts(settings, named))
    except QwenAuthError as error:
        raise refused(500, str(error)) from None
    return {
        "accounts": found,
        "api_key_set": settings.api_key is not None,
        "may_change": may_change,
        "plans": [{"name": plan.name, "title": plan.title, "host": plan.host} for plan in PLANS],
        "version": __version__,
    }


def _start(asked: Asked) -> None:
    start_login(
        asked.account.store,
        anew=asked.anew,
        oauth_base_url=asked.settings.oauth_base_url,
        client_id=asked.settings.oauth_client_id,
        clocks=asked.clocks,
    )


def _poll(asked: Asked) -> None:
    with contextlib.suppress(LoginError):  # how it ended stands in the view, also for whoever asks next
        if isinstance(poll_login(asked.account.store, clocks=asked.clocks), PendingLogin):
            return
    asked.account.look_now()  # it has been approved, here or elsewhere: no call gets the one before


def _cancel(asked: Asked) -> None:
    cancel_login(asked.account.store)


def _check(asked: Asked) -> dict[str, Any]:
    return {"check": check(asked.settings, asked.account)._asdict()}


def _keep_key(wanted: WantedKey, asked: Asked) -> None:
    try:
        keep_key(
            asked.account.store,
            wanted.key.get_secret_value(),
            plan=wanted.plan or None,
            api_base=wanted.address or None,
            check=wanted.check,
            force=True,  # the page says what the key takes the place of
            clocks=asked.clocks,
        )
    except (KeyRefusedError, KeyUncheckedError) as error:  # what a command would do is no help here
        said = str(error).removesuffix(MEND).replace(UNCHECKED, "It can be kept without asking the server.")
        raise refused(502, said.strip()) from None
    asked.account.look_now()  # this worker may be serving the one before


def _sign_out(asked: Asked) -> None:
    verbs.logout(asked.account.name)


def _remove(named: list[str], asked: Asked) -> None:
    name = asked.account.name  # what was asked for may have been another name of the default account
    if name is None or name in named:
        raise refused(
            409,
            "The default account and those that a deployment names stay in the list: sign them out. "
            "To have one gone, take it out of the proxy's config.",
        )
    _sign_out(asked)


def _json(value: Any) -> Response:
    return JSONResponse(value, headers=HEADERS)


def _served(name: str, kind: str) -> Callable[[], Response]:
    """Answers with a file of this package, which is read once."""
    content = importlib.resources.files("litellm_qwen_ai.proxy").joinpath(name).read_bytes()

    def serve() -> Response:
        return Response(content, media_type=kind, headers=HEADERS)

    return serve
