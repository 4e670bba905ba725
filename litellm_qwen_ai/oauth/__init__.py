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
    "may_open_browser",
    "may_prompt",
    "open_browser",
    "pending_login",
    "poll_login",
    "start_login",
]

_HOMES = {
    "litellm_qwen_ai.names": ("DEFAULT_CLIENT_ID", "DEFAULT_OAUTH_BASE_URL"),
    "litellm_qwen_ai.oauth.credentials": ("Credentials",),
    "litellm_qwen_ai.oauth.login": ("device_login", "may_prompt"),
    "litellm_qwen_ai.oauth.pending": (
        "PendingLogin",
        "cancel_login",
        "pending_login",
        "poll_login",
        "start_login",
    ),
    "litellm_qwen_ai.oauth.prompt": ("LoginPrompt", "TerminalPrompt", "may_open_browser", "open_browser"),
    "litellm_qwen_ai.oauth.protocol": ("DeviceCode",),
    "litellm_qwen_ai.oauth.session": ("Session",),
    "litellm_qwen_ai.oauth.door": ("Store", "StoredCredentials"),
    # By name alone: a place imports what it keeps, not the other way round.
    "litellm_qwen_ai.stores.files.login": ("FileStore",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOME_OF.get(name, "litellm_qwen_ai.oauth.errors")), name)
    globals()[name] = value
    return value
