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
from typing import TYPE_CHECKING, Any

from litellm_qwen_ai._version import __version__
from litellm_qwen_ai.route import registration as _registration

if TYPE_CHECKING:
    from litellm_qwen_ai.oauth import (
        ConfigurationError,
        CorruptCredentialsError,
        Credentials,
        FileStore,
        LockTimeoutError,
        LoginCancelledError,
        LoginDeniedError,
        LoginError,
        LoginExpiredError,
        LoginRefusedError,
        LoginTimedOutError,
        NotLoggedInError,
        QwenAuthError,
        ReadOnlyStoreError,
        RefreshError,
        Session,
        StoreError,
        device_login,
    )
    from litellm_qwen_ai.route.provider import QwenAI, handler

__all__ = [
    "ConfigurationError",
    "CorruptCredentialsError",
    "Credentials",
    "FileStore",
    "LockTimeoutError",
    "LoginCancelledError",
    "LoginDeniedError",
    "LoginError",
    "LoginExpiredError",
    "LoginRefusedError",
    "LoginTimedOutError",
    "NotLoggedInError",
    "QwenAI",
    "QwenAuthError",
    "ReadOnlyStoreError",
    "RefreshError",
    "Session",
    "StoreError",
    "__version__",
    "device_login",
    "handler",
    "register",
]

_PROVIDER_NAMES = frozenset({"QwenAI", "handler"})


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
    home = "route.provider" if name in _PROVIDER_NAMES else "oauth"
    value = getattr(importlib.import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


_registration.register_when_litellm_is_imported()
