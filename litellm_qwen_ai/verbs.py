"""What a program does with logins in one call each, and what the commands of the same names do.

Where logins are kept, and which server gives them, the environment says at each call: see `settings`. The
account None is the default one. Nothing here loads LiteLLM.
"""

from __future__ import annotations

import asyncio
import contextvars
import functools
import threading
from typing import TYPE_CHECKING, NamedTuple

from litellm_qwen_ai.accounts import LoginState, account_of, known_accounts, left_alone, side_by_side
from litellm_qwen_ai.oauth.errors import ConfigurationError, CorruptCredentialsError, StoreError
from litellm_qwen_ai.oauth.flight import SingleFlight
from litellm_qwen_ai.oauth.kernel import in_notebook
from litellm_qwen_ai.oauth.keys import keep_key
from litellm_qwen_ai.oauth.login import device_login
from litellm_qwen_ai.oauth.pending import cancel_login, forget_unreadable
from litellm_qwen_ai.oauth.prompt import may_open_browser, open_browser
from litellm_qwen_ai.redaction import Secret
from litellm_qwen_ai.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from litellm_qwen_ai.oauth.prompt import LoginPrompt


def login(  # noqa: PLR0913  # a key is four of them
    account: str | None = None,
    *,
    key: str | None = None,
    plan: str | None = None,
    api_base: str | None = None,
    check: bool = True,
    force: bool = False,
    browser: bool = True,
    prompt: LoginPrompt | None = None,
) -> LoginState:
    """Log in with a code that a person approves in a browser; blocks until that is done (RFC 8628).

    An account that has a live login is left as it is. In a notebook the cell runs until then, and Interrupt
    cancels it; other tasks of the kernel's event loop stand still meanwhile, but not with `await alogin()`.
    With `key`, that key is kept in the account instead.

    Args:
        account: The account's name.
        key: An API key to keep; it takes the place of a key that is kept there, at the same plan if none is
            named.
        plan: The name of the key's plan, as `litellm-qwen-ai models` lists them; None for your own server.
        api_base: The key's base URL, if that is not its plan's; it may be private.
        check: Keep the key only if its server takes it, asked by `GET /models`, which costs nothing.
        force: Replace a live login; also what is stored there and cannot be read.
        browser: Open the page where a browser would open before the person: not over SSH, not in CI.
        prompt: Shows the page's address and the code; text on stderr by default, a link in a notebook.

    Returns:
        How the account stands now; `changed` says whether this is a new login.

    Raises:
        LoginError: It ended without tokens, or the key is not kept; its `code` and its class say how.
        StoreError: The place cannot be read or written.
        ConfigurationError: The account's name, a setting, or what was given with the key cannot be used.
        RuntimeError: An event loop runs in this thread and would stand still: `await alogin()` there.
    """
    given = _Key.of(key, plan, api_base, check=check)
    del key  # so that no traceback with locals shows it
    if _in_event_loop() and not in_notebook():
        raise RuntimeError(
            "login() would block the event loop that runs here until a person has approved. "
            "Use: await litellm_qwen_ai.alogin()"
        )
    return _login(account, given, force=force, browser=browser, prompt=prompt)


async def alogin(  # noqa: PLR0913  # as above
    account: str | None = None,
    *,
    key: str | None = None,
    plan: str | None = None,
    api_base: str | None = None,
    check: bool = True,
    force: bool = False,
    browser: bool = True,
    prompt: LoginPrompt | None = None,
) -> LoginState:
    """As `login`, for a coroutine: it waits in a thread of its own, which also calls the prompt.

    Arguments, result and errors are those of `login`; `RuntimeError` is not among them. Cancelling the task
    cancels the login, within about a second.
    """
    given = _Key.of(key, plan, api_base, check=check)
    del key  # as above
    given_up = threading.Event()
    log_in = functools.partial(
        contextvars.copy_context().run,
        functools.partial(_login, account, given, force=force, browser=browser, prompt=prompt),
        cancelled=given_up.is_set,
    )
    try:
        return await asyncio.wrap_future(SingleFlight(log_in, "qwen-ai-login").board())
    finally:
        given_up.set()


def logout(account: str | None = None) -> str | None:
    """Remove an account's login or key, and a login that was started for it and waits for approval.

    Qwen offers no way to revoke its tokens: a copy elsewhere stays valid until it expires.

    Returns:
        What was removed, in words; None if nothing was there.

    Raises:
        CorruptCredentialsError: The file is no login: it is left as it is.
        StoreError: The place cannot be read or written, or what waits for approval cannot: the login is
            removed all the same, and the text says so.
        ConfigurationError: The account's name or a setting cannot be used.
    """
    settings = Settings.from_environment()
    store = account_of(settings, account).store
    try:
        store.look()
    except CorruptCredentialsError:
        if kept := left_alone(settings, store):
            raise CorruptCredentialsError(kept) from None
    cancelled = False
    fault: StoreError | None = None
    try:
        cancelled = cancel_login(store)
    except StoreError as error:  # what waits cannot be read: that keeps no login
        fault = error
    removed = store.delete()  # though nothing is there: a store may have lost what others put back
    account_of(settings, account).look_now()
    if fault is not None:
        done = f"Removed {removed}. " if removed else ""
        raise StoreError(f"{done}Of the login that had been started: {fault}")
    return removed or ("the login that had been started" if cancelled else None)


def status(account: str | None = None) -> LoginState:
    """How an account stands now, and what `qwen_ai/` would use. Asks no server.

    A login that cannot be read raises nothing: `problem` and `standing` tell of it.

    Raises:
        ConfigurationError: The account's name or a setting cannot be used.
    """
    return LoginState(Settings.from_environment(), account)


def list_accounts() -> list[LoginState]:
    """How each account stands: the default one first, the others by name. Asks no server.

    Raises:
        StoreError: The place cannot be read.
        ConfigurationError: A setting cannot be used.
    """
    settings = Settings.from_environment()
    return side_by_side(functools.partial(LoginState, settings), known_accounts(settings))


def live_login(settings: Settings, account: str | None) -> LoginState | None:
    """How the account stands if its token is alive; only the server knows if an expired one can be renewed.

    Raises:
        StoreError: The login cannot be read, so it is not to be replaced without a word.
    """
    account_of(settings, account).store.look()
    state = LoginState(settings, account)
    return state if state.logged_in and state.seconds_left > 0 else None


class _Key(NamedTuple):
    """A key to keep, and what it is for."""

    text: Secret
    plan: str | None
    api_base: str | None
    check: bool

    @classmethod
    def of(cls, key: str | None, plan: str | None, api_base: str | None, *, check: bool) -> _Key | None:
        if key is not None:
            return cls(Secret(key), plan, api_base, check)
        if plan is None and api_base is None:
            return None
        raise ConfigurationError("A plan and an api_base go with a key: login(key=..., plan=...).")


def _login(  # noqa: PLR0913  # what `login` was given
    account: str | None,
    given: _Key | None,
    *,
    force: bool,
    browser: bool,
    prompt: LoginPrompt | None,
    cancelled: Callable[[], bool] = lambda: False,
) -> LoginState:
    settings = Settings.from_environment()
    store = account_of(settings, account).store
    if given is not None:
        keep_key(store, given.text, plan=given.plan, api_base=given.api_base, check=given.check, force=force)
        return _changed(settings, account)
    if force:
        forget_unreadable(store)
    elif state := live_login(settings, account):
        return state
    device_login(
        store,
        prompt=prompt,
        open_browser=open_browser if browser and may_open_browser() else None,
        cancelled=cancelled,
        oauth_base_url=settings.oauth_base_url,
        client_id=settings.oauth_client_id,
    )
    return _changed(settings, account)


def _changed(settings: Settings, account: str | None) -> LoginState:
    account_of(settings, account).look_now()
    state = LoginState(settings, account)
    state.changed = True
    return state


def _in_event_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
