"""LiteLLM provider for Qwen with OAuth device login.

Importing this package gives LiteLLM the route `qwen_ai/`, in whichever order it and `import litellm` come:

    import litellm
    import litellm_qwen_ai

    litellm.completion("qwen_ai/coder-model", messages=[{"role": "user", "content": "Hello"}])

The import is light: LiteLLM itself takes seconds to load and is never imported from here. Public names
load when they are first used (PEP 562).
"""

from __future__ import annotations

import importlib

from litellm_qwen_ai import registration as _registration
from litellm_qwen_ai._version import __version__

# True for mypy. The commands load this before they can tell of Ctrl-C: with `typing` and the like that took
# 34 ms, without 2.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from litellm_qwen_ai.access import QwenAuth, api_base, async_token_provider, token_provider
    from litellm_qwen_ai.accounts import LoginState
    from litellm_qwen_ai.oauth import (
        ConfigurationError,
        CorruptCredentialsError,
        Credentials,
        FileStore,
        KeyRefusedError,
        KeyUncheckedError,
        LockTimeoutError,
        LoginCancelledError,
        LoginDeniedError,
        LoginError,
        LoginExpiredError,
        LoginNotStartedError,
        LoginPrompt,
        LoginRefusedError,
        LoginTimedOutError,
        NotLoggedInError,
        PendingLogin,
        QwenAuthError,
        ReadOnlyStoreError,
        RefreshError,
        Session,
        Store,
        StoreError,
        cancel_login,
        device_login,
        pending_login,
        poll_login,
        start_login,
    )
    from litellm_qwen_ai.route.provider import QwenAI, handler
    from litellm_qwen_ai.verbs import alogin, list_accounts, login, logout, status

__all__ = [
    "ConfigurationError",
    "CorruptCredentialsError",
    "Credentials",
    "FileStore",
    "KeyRefusedError",
    "KeyUncheckedError",
    "LockTimeoutError",
    "LoginCancelledError",
    "LoginDeniedError",
    "LoginError",
    "LoginExpiredError",
    "LoginNotStartedError",
    "LoginPrompt",
    "LoginRefusedError",
    "LoginState",
    "LoginTimedOutError",
    "NotLoggedInError",
    "PendingLogin",
    "QwenAI",
    "QwenAuth",
    "QwenAuthError",
    "ReadOnlyStoreError",
    "RefreshError",
    "Session",
    "Store",
    "StoreError",
    "__version__",
    "alogin",
    "api_base",
    "async_token_provider",
    "cancel_login",
    "device_login",
    "handler",
    "list_accounts",
    "login",
    "logout",
    "pending_login",
    "poll_login",
    "register",
    "start_login",
    "status",
    "token_provider",
]

#: Where a name is that is not in `oauth`.
_HOMES = {
    "LoginState": "accounts",
    "QwenAI": "route.provider",
    "handler": "route.provider",
    **dict.fromkeys(("QwenAuth", "api_base", "async_token_provider", "token_provider"), "access"),
    **dict.fromkeys(("alogin", "list_accounts", "login", "logout", "status"), "verbs"),
}


def register() -> None:
    """Register the route `qwen_ai/` with LiteLLM (again).

    Importing the package does this already. It is safe to call any number of times, for example after
    other code has replaced `litellm.custom_provider_map`: only our own entry is replaced. Imports
    LiteLLM if it is not imported yet.
    """
    _registration.register()


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = importlib.import_module(f"{__name__}.{_HOMES.get(name, 'oauth')}")
    value = getattr(home, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)


_registration.register_when_litellm_is_imported()
