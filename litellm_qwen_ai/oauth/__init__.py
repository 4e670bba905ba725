"""OAuth device login and cached credentials. Knows no LiteLLM.

`device_login` gets a login into a `FileStore`; a `Session` serves its access token and renews it.
"""

from __future__ import annotations

from litellm_qwen_ai.oauth.credentials import Credentials
from litellm_qwen_ai.oauth.errors import (
    ConfigurationError,
    CorruptCredentialsError,
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
    StoreError,
)
from litellm_qwen_ai.oauth.login import device_login, may_prompt
from litellm_qwen_ai.oauth.prompt import (
    LoginPrompt,
    TerminalPrompt,
    may_open_browser,
    open_browser,
)
from litellm_qwen_ai.oauth.protocol import DEFAULT_CLIENT_ID, DEFAULT_OAUTH_BASE_URL, DeviceCode
from litellm_qwen_ai.oauth.session import Session
from litellm_qwen_ai.oauth.store import FileStore, Store, StoredCredentials

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
    "LoginPrompt",
    "LoginRefusedError",
    "LoginTimedOutError",
    "NotLoggedInError",
    "QwenAuthError",
    "ReadOnlyStoreError",
    "RefreshError",
    "Session",
    "Store",
    "StoreError",
    "StoredCredentials",
    "TerminalPrompt",
    "device_login",
    "may_open_browser",
    "may_prompt",
    "open_browser",
]
