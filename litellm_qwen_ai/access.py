"""The login of `qwen_ai/` for programs that ask the chat server themselves, with any client.

What is sent, and where to, is what `qwen_ai/` would send now: `QWEN_API_KEY` if that is set, else the login
of the account. A token that is due is renewed before it is handed out, once for all threads and processes.
Nothing here starts a login, and nothing loads LiteLLM.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

import httpx

from litellm_qwen_ai.accounts import account_of
from litellm_qwen_ai.chat.wire import LOGIN_HEADERS
from litellm_qwen_ai.oauth.errors import ConfigurationError, not_logged_in
from litellm_qwen_ai.plans import wrapping
from litellm_qwen_ai.settings import Settings
from litellm_qwen_ai.stores.place import checked_name

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Mapping

    from litellm_qwen_ai.oauth.credentials import Credentials
    from litellm_qwen_ai.quota.meter import Meter

_UNAUTHORIZED = 401


def token_provider(account: str | None = None) -> Callable[[], str]:
    """A function that returns a token that is good now; for `openai.OpenAI(api_key=...)` and the like.

    It may wait for a renewal, so a coroutine takes `async_token_provider`. A client asks it before each
    request, and sends the token wherever its base URL leads: give it `api_base()`.

    Args:
        account: The account's name; None is the default account.

    Raises:
        ConfigurationError: That is no account's name.

    The function raises:
        NotLoggedInError: There is no login, or it has ended (`LoginExpiredError`).
        RefreshError: The token could not be renewed just now.
        StoreError: The place of the login cannot be read.
        ConfigurationError: A setting cannot be used.
    """
    source = _Source(account)

    def token() -> str:
        return source.get().token

    return token


def async_token_provider(account: str | None = None) -> Callable[[], Awaitable[str]]:
    """As `token_provider`, for `openai.AsyncOpenAI(api_key=...)`: it blocks no event loop."""
    source = _Source(account)

    async def token() -> str:
        return (await source.aget()).token

    return token


def api_base(account: str | None = None) -> str:
    """The base URL that the token is for; one short read of the place where the login is kept.

    Args:
        account: The account's name; None is the default account.

    Raises:
        NotLoggedInError: There is no login, so nobody knows.
        StoreError: The place of the login cannot be read.
        ConfigurationError: A setting, or the address that the server gave with the login, cannot be used.
    """
    settings = Settings.from_environment()
    if settings.api_base is not None or settings.api_key is not None:
        return settings.address()[0]
    store = account_of(settings, account).store
    stored = store.look()
    if stored is None:
        raise not_logged_in(store.describe(), store.login_command)
    return settings.address(stored.credentials)[0]


class QwenAuth(httpx.Auth):
    """Authorizes the requests of an `httpx.Client` or `httpx.AsyncClient` with the login.

    A token that the server refuses (401) is renewed, and the request sent once more; therefore a body that
    comes in pieces is read into memory first. The token goes to the address of `api_base` only: the same
    scheme, host and port. When a server redirects elsewhere, httpx sends it no token. With a login's token
    go Qwen's headers `X-DashScope-*`, unless the request has its own. The account's meter counts each `POST`,
    as for `qwen_ai/`, but not why the server refuses one.

    Args:
        account: The account's name; None is the default account.

    Raises:
        ConfigurationError: That is no account's name. During a request: it goes elsewhere.

    During a request also: what the function of `token_provider` raises.
    """

    def __init__(self, account: str | None = None) -> None:
        self._source = _Source(account)

    def sync_auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """See `httpx.Auth`."""
        request.read()
        bearer = self._source.get()
        response = yield _signed(request, bearer)
        if _is_refused(response, bearer):
            again = self._source.get(rejected=bearer.token)
            if again != bearer:  # else a kept key: nobody has changed or moved it
                bearer, response = again, (yield _signed(request, again))
        _note(response, bearer)

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        """See `httpx.Auth`."""
        await request.aread()
        bearer = await self._source.aget()
        response = yield _signed(request, bearer)
        if _is_refused(response, bearer):
            again = await self._source.aget(rejected=bearer.token)
            if again != bearer:  # as above
                bearer, response = again, (yield _signed(request, again))
        _note(response, bearer)


class _Bearer(NamedTuple):
    """A token, the base URL that it is for, an account's meter for its requests, and what goes along."""

    token: str
    base_url: str
    meter: Meter | None = None
    headers: Mapping[str, str] = MappingProxyType({})

    def __repr__(self) -> str:
        return f"_Bearer('***', {self.base_url!r})"


class _Source:
    """What `qwen_ai/` would send now."""

    def __init__(self, account: str | None) -> None:
        self._account = checked_name(account)

    def get(self, rejected: str | None = None) -> _Bearer:
        settings = Settings.from_environment()
        if settings.api_key is not None:
            return _given(settings, settings.api_key)
        account = account_of(settings, self._account)
        with account.failures_noted():
            kept = account.session.get(rejected=rejected)
            return _kept(kept, settings, account.meter)

    async def aget(self, rejected: str | None = None) -> _Bearer:
        settings = Settings.from_environment()
        if settings.api_key is not None:
            return _given(settings, settings.api_key)
        account = account_of(settings, self._account)
        with account.failures_noted():
            kept = await account.session.aget(rejected=rejected)
            return _kept(kept, settings, account.meter)


def _kept(kept: Credentials, settings: Settings, meter: Meter) -> _Bearer:
    base_url, _ = settings.address(kept)
    return _Bearer(kept.access_token, base_url, meter, {} if kept.is_key else LOGIN_HEADERS)


def _given(settings: Settings, key: str) -> _Bearer:
    if around := wrapping(key, surely=True):
        raise ConfigurationError(f"QWEN_API_KEY stands {around}. Give the key alone.")
    return _Bearer(key, settings.address()[0])


def _signed(request: httpx.Request, bearer: _Bearer) -> httpx.Request:
    home = httpx.URL(bearer.base_url)
    if _origin(request.url) != _origin(home):
        raise ConfigurationError(
            f"QwenAuth sends the token to {_shown(home)} only, which it is for, and this request goes to "
            f"{_shown(request.url)}. Use base_url=litellm_qwen_ai.api_base()."
        )
    own = httpx.Request("GET", request.url).headers["Host"]
    if request.headers.get("Host", own) != own:
        raise ConfigurationError(
            "QwenAuth takes no Host header: a server of several names would hand the token to another "
            "one than the address says. Leave it out."
        )
    request.headers["Authorization"] = f"Bearer {bearer.token}"
    for name, value in bearer.headers.items():
        request.headers.setdefault(name, value)
    if bearer.meter is not None and request.method == "POST":  # a list of models costs no quota
        bearer.meter.sent()
    return request


def _note(response: httpx.Response, bearer: _Bearer) -> None:
    """Tell the meter that a request was accepted. Why one was not is in its body, which is the caller's."""
    if bearer.meter is not None and response.request.method == "POST" and response.is_success:
        bearer.meter.accepted()


def _is_refused(response: httpx.Response, bearer: _Bearer) -> bool:
    """Whether the server that the token is for refuses it."""
    if response.status_code != _UNAUTHORIZED:
        return False
    home = httpx.URL(bearer.base_url)
    if _origin(response.url) != _origin(home):
        raise ConfigurationError(
            f"{_shown(home)} redirected the request to {_shown(response.url)}, where the token does not go "
            "and which answered 401. Set QWEN_API_BASE to the right address, or do not follow redirects."
        )
    return True


def _origin(url: httpx.URL) -> tuple[str, bytes, int | None]:
    return url.scheme, url.raw_host, url.port  # None for the scheme's own port, also if it is written


def _shown(url: httpx.URL) -> str:
    """Scheme, host and port: a path or a query may hold what is nobody's affair."""
    return f"{url.scheme}://{url.netloc.decode('ascii', 'replace')}"
