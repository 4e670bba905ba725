"""Which bearer a call uses: an explicit key, `QWEN_API_KEY`, or the login or kept key of an account.

Errors of `oauth/` become the LiteLLM exceptions that a built-in provider would raise, so that Router retries,
cools down and falls back as it does for those.
"""

from __future__ import annotations

import copy
import functools
import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from litellm import exceptions

from litellm_qwen_ai.chat.context import KeptKey
from litellm_qwen_ai.names import LOGGER, PROVIDER, key_command
from litellm_qwen_ai.oauth.errors import (
    ConfigurationError,
    LoginError,
    NotLoggedInError,
    QwenAuthError,
    RefreshError,
)
from litellm_qwen_ai.oauth.urls import is_loopback
from litellm_qwen_ai.plans import MEND, completed, mismatch
from litellm_qwen_ai.redaction import Secret
from litellm_qwen_ai.route.observer import Nobody
from litellm_qwen_ai.settings import Settings

if TYPE_CHECKING:
    from litellm_qwen_ai.accounts import Account
    from litellm_qwen_ai.oauth.credentials import Credentials
    from litellm_qwen_ai.route.observer import Observer

_logger = logging.getLogger(LOGGER)


@dataclass(frozen=True, slots=True)
class Bearer:
    """What goes into `Authorization`, and the base URL it is for.

    Attributes:
        token: The bearer.
        base_url: Where it goes.
        with_login: Whether it is a login's, not a key.
        origin: In words for a message: where that address comes from.
        renewed: This process asked the OAuth server for it.
        kept: What to say of it, if it is a key kept in an account.
    """

    token: str = field(repr=False)
    base_url: str
    with_login: bool
    origin: str = ""
    renewed: bool = False
    kept: KeptKey | None = None

    def is_same(self, other: Bearer | None) -> bool:
        """Whether both send the same to the same address: a key may have been moved to another one."""
        return other is not None and (self.token, self.base_url) == (other.token, other.base_url)


class BearerSource:
    """The bearer of one call; asked again, with `rejected`, after the server refused one.

    Args:
        model: The model's name, for exceptions.
        api_key: The call's own key, or None.
        api_base: The call's own base URL, or None.
        account: The account whose login to use; None is the default account.

    Raises:
        litellm.AuthenticationError: There is no login (any more); the text names the command to run.
        litellm.ServiceUnavailableError: The login could not be renewed just now.
        litellm.BadRequestError: A setting is wrong.
        litellm.InternalServerError: The credentials file cannot be used.
    """

    def __init__(
        self, *, model: str, api_key: str | None, api_base: str | None, account: str | None = None
    ) -> None:
        self._model = model
        try:
            self._settings = Settings.from_environment()
        except ConfigurationError as error:
            failure = as_litellm_error(error, model)
            raise failure from failure.__cause__
        self._key = api_key or self._settings.api_key
        self._base = completed(api_base) if api_base else None
        self._account = account

    @property
    def settings(self) -> Settings:
        """What the environment said when the call began."""
        return self._settings

    @property
    def can_renew(self) -> bool:
        """Whether a refused bearer may be replaced: that of an account may, a key that was given may not."""
        return self._key is None

    @property
    def observer(self) -> Observer:
        """Who counts the requests: the meter of an account, nobody for a key that was given."""
        return Nobody() if self._key is not None else self._of_account.meter

    def get(self, rejected: str | None = None) -> Bearer:
        """The bearer, for a synchronous caller; may start a login in a script's terminal.

        Args:
            rejected: The access token that the server has just refused.
        """
        if self._key is not None:
            return self._of_key()
        account = self._of_account
        try:
            try:
                with account.failures_noted():
                    return self._of_login(account, account.session.get(rejected=rejected))
            except NotLoggedInError:
                from litellm_qwen_ai.oauth import may_prompt  # noqa: PLC0415  # most programs never log in

                if not may_prompt():
                    raise
                from litellm_qwen_ai.verbs import login  # noqa: PLC0415  # as above

                login(self._account)
                return self._of_login(account, account.session.get())
        except QwenAuthError as error:
            failure = as_litellm_error(error, self._model)
        raise failure  # out here, where nothing leads to the frames behind it

    async def aget(self, rejected: str | None = None) -> Bearer:
        """The bearer, for an asynchronous caller; never blocks the loop, never starts a login."""
        if self._key is not None:
            return self._of_key()
        account = self._of_account
        try:
            with account.failures_noted():
                return self._of_login(account, await account.session.aget(rejected=rejected))
        except QwenAuthError as error:
            failure = as_litellm_error(error, self._model)
        raise failure  # as above

    def _of_key(self) -> Bearer:
        base, origin = self._address(None)
        key = Secret(self._key or "")
        _warn_of_mismatch(key, base)
        return Bearer(key, base, with_login=False, origin=origin)

    def _of_login(self, account: Account, credentials: Credentials) -> Bearer:
        base, origin = self._address(credentials)
        token = Secret(credentials.access_token)
        if credentials.is_key:
            _warn_of_mismatch(token, base, credentials.plan)
            name = f"the account {account.name!r}" if account.name else "the default account"
            kept = KeptKey(name, credentials.plan, key_command(account.name))
            return Bearer(token, base, with_login=False, origin=origin, kept=kept)
        renewed = account.session.has_renewed(credentials)
        return Bearer(token, base, with_login=True, origin=origin, renewed=renewed)

    def _address(self, credentials: Credentials | None) -> tuple[str, str]:
        base, origin = self._settings.address(credentials, self._base)
        _warn_of_plain_http(base)
        return base, origin

    @functools.cached_property
    def _of_account(self) -> Account:
        from litellm_qwen_ai.accounts import account_of  # noqa: PLC0415  # programs with a key need none

        try:
            return account_of(self._settings, self._account)
        except QwenAuthError as error:
            failure = as_litellm_error(error, self._model)
            raise failure from failure.__cause__


_warned_of: set[str] = set()


def _warn_of_plain_http(base_url: str) -> None:
    """Say once that a base URL, which its user set and which is therefore used, is readable on its way."""
    if base_url in _warned_of or not base_url.lower().startswith("http://"):
        return
    _warned_of.add(base_url)
    host = urlsplit(base_url).hostname or ""
    if not is_loopback(host):
        _logger.warning(
            "The base URL of qwen_ai/ is plain http to %s: whoever is on the way can read the bearer. "
            "Use https if the server has it.",
            host,
        )


def _warn_of_mismatch(key: str, base_url: str, plan: str | None = None) -> None:
    """Say once that a key looks like one for another address, before it costs anything there."""
    wrong = mismatch(key, base_url, plan)
    if wrong and wrong not in _warned_of:
        _warned_of.add(wrong)
        _logger.warning("%s %s", wrong, MEND)


_page: str | None = None


def name_page(path: str) -> None:
    """Let the error of a missing login name the page of this proxy where an admin can sign in."""
    global _page  # noqa: PLW0603  # a process is one worker of one proxy
    _page = path


def as_litellm_error(error: QwenAuthError, model: str) -> Exception:
    """The LiteLLM exception for an error of the login, with that as its `__cause__`; returned, not raised.

    Args:
        error: What `oauth/` raised; its text says what happened and what to do.
        model: The model's name.
    """
    failure = _mapped(error, model)
    # A copy for programs, which ask for its class or code: it has no frames, whose variables hold tokens.
    failure.__cause__ = copy.copy(error)
    return failure


def _mapped(error: QwenAuthError, model: str) -> Exception:
    known: dict[str, Any] = {"message": str(error), "model": model, "llm_provider": PROVIDER}
    if isinstance(error, NotLoggedInError):
        if _page is not None:
            known["message"] += f" Or sign in on this proxy's page {_page}."
        return exceptions.AuthenticationError(**known)
    if isinstance(error, LoginError):  # in a script: a person was asked, and nothing came of it
        return exceptions.AuthenticationError(**known)
    if isinstance(error, ConfigurationError):
        return exceptions.BadRequestError(**known)
    if isinstance(error, RefreshError):
        return _unavailable(error, known)
    return exceptions.InternalServerError(**known)


def _unavailable(error: RefreshError, known: dict[str, Any]) -> Exception:
    import httpx  # noqa: PLC0415  # LiteLLM has imported it already

    headers = {} if error.retry_after is None else {"retry-after": str(max(0, round(error.retry_after)))}
    mapped = exceptions.ServiceUnavailableError(**known, response=httpx.Response(503, headers=headers))
    # LiteLLM's own mapping, which our exceptions skip, would set this for Router and the proxy.
    mapped.litellm_response_headers = httpx.Headers(headers)  # type: ignore[attr-defined]  # set by LiteLLM too
    return mapped
