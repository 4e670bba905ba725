"""Constants that several parts of the package use. Imports nothing."""

from __future__ import annotations

PROVIDER = "qwen_ai"
"""The route's name in LiteLLM: `qwen_ai/coder-model`."""

LOGGER = "litellm_qwen_ai"

DEFAULT_API_BASE = "https://dashscope.aliyuncs.com/compatible-mode/v1"
"""Where chat goes if neither the user nor the login names an address."""

DEFAULT_OAUTH_BASE_URL = "https://chat.qwen.ai"
DEFAULT_CLIENT_ID = "f0304373b74a44d2b584a3fb70ca9e56"  # Qwen's public device client; it has no secret

DEFAULT_AUTH_FILE = "oauth_creds.json"
"""The default account's file."""

DEFAULT_STORE_PREFIX = "qwen_ai"
"""What a fleet's keys in Redis begin with."""

LOGIN_COMMAND = "litellm-qwen-ai login"


def login_command(account: str | None) -> str:
    """What a person runs to log in to an account; None is the default one."""
    return LOGIN_COMMAND if account is None else f"{LOGIN_COMMAND} --account {account}"


def logout_command(account: str | None) -> str:
    """What a person runs to log out of an account; None is the default one."""
    return "litellm-qwen-ai logout" + ("" if account is None else f" --account {account}")


def key_command(account: str | None) -> str:
    """What a person runs to keep a key in an account; None is the default one."""
    return f"{login_command(account)} --key"


SERVICE_NOTICE = (
    "Qwen announced the end of its free tier for logins for 2026-04-15. What works without a login: a key "
    f"of Alibaba Cloud Model Studio (`{LOGIN_COMMAND} --key`, or QWEN_API_KEY with QWEN_API_BASE), or "
    "LiteLLM's own dashscope/ and qwencloud/ routes."
)
"""The state of the service (QwenLM/qwen-code issue #3203), for whoever may be meeting it."""
