"""OAuth device login and cached credentials. Knows no LiteLLM.

`device_login` gets a login into a `FileStore`; `start_login` and `poll_login` do it in steps, also of several
processes. A `Session` serves its access token and renews it. Names load when they are first used (PEP 562): a
program that has a key needs none of this.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from litellm_qwen_ai.oauth.credentials import Credentials
    from litellm_qwen_ai.oauth.door import Store, StoredCredentials
    from litellm_qwen_ai.oauth.errors import (
        ConfigurationError,
        CorruptCredentialsError,
        KeyRefusedError,
        KeyUncheckedError,
        LockTimeoutError,
        LoginCancelledError,
        LoginDeniedError,
        LoginError,
        LoginExpiredError,
        LoginNotStartedError,
        LoginRefusedError,
        LoginTimedOutError,
        NotLoggedInError,
        QwenAuthError,
        ReadOnlyStoreError,
        RefreshError,
        StoreError,
    )
    from litellm_qwen_ai.oauth.keys import keep_key
    from litellm_qwen_ai.oauth.login import device_login, may_prompt
    from litellm_qwen_ai.oauth.pending import (
        PendingLogin,
        cancel_login,
        pending_login,
        poll_login,
        start_login,
    )
    from litellm_qwen_ai.oauth.prompt import (
        LoginPrompt,
        TerminalPrompt,
        may_open_browser,
        open_browser,
    )
    from litellm_qwen_ai.oauth.protocol import DeviceCode
    from litellm_qwen_ai.oauth.session import Session

__all__ = [
    "DEFAULT_CLIENT_ID",
    "DEFAULT_OAUTH_BASE_URL",
    "ConfigurationError",
    "CorruptCredentialsError",
    "Credentials",
    "DeviceCode",
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
    "LoginTimedOutError",
    "NotLoggedInError",
    "PendingLogin",
    "QwenAuthError",
    "ReadOnlyStoreError",
    "RefreshError",
    "Session",
    "Store",
    "StoreError",
    "StoredCredentials",
    "TerminalPrompt",
    "cancel_login",
    "device_login",
    "keep_key",
    "may_open_browser",
    "may_prompt",
    "open_browser",
    "pending_login",
    "poll_login",
    "start_login",
]

#: Where the names are, the cheapest to load first.
_HOMES = (
    "litellm_qwen_ai.oauth.errors",
    "litellm_qwen_ai.names",
    "litellm_qwen_ai.oauth.prompt",
    "litellm_qwen_ai.oauth.credentials",
    "litellm_qwen_ai.oauth.door",
    "litellm_qwen_ai.oauth.pending",
    "litellm_qwen_ai.oauth.login",
    "litellm_qwen_ai.oauth.session",
    "litellm_qwen_ai.oauth.keys",
    "litellm_qwen_ai.stores.files.login",  # by name alone: a place imports what it keeps
)


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    homes = map(importlib.import_module, _HOMES)
    value = next(getattr(home, name) for home in homes if hasattr(home, name))
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
