"""Every error of the login.

    QwenAuthError
    ├── ConfigurationError          a setting cannot be used (also a ValueError)
    ├── NotLoggedInError            there is no login
    │   └── LoginExpiredError       there was one; the server takes its refresh token no more
    ├── LoginError                  a login ended without tokens, or without a key; its `code` says how
    │   ├── LoginDeniedError        the user refused
    │   ├── LoginTimedOutError      nobody approved in time
    │   ├── LoginCancelledError     the caller gave up
    │   ├── LoginRefusedError       the server refused to start or to finish
    │   ├── LoginNotStartedError    there is no started login to go on with
    │   ├── KeyRefusedError         the server refuses a key, so it is not kept
    │   └── KeyUncheckedError       nobody can tell whether the server takes a key, so it is not kept
    ├── RefreshError                no new token just now, and the old one is of no use; try again later
    └── StoreError                  the credentials cannot be read, written or locked
        ├── CorruptCredentialsError the file is there but holds no credentials
        ├── ReadOnlyStoreError      nothing can be written there
        └── LockTimeoutError        another process holds the lock for too long

The codes of a `LoginError`, for programs; those of RFC 8628 section 3.5 have its names:

| `code` | Class | |
|---|---|---|
| `access_denied` | `LoginDeniedError` | the user refused |
| `expired_token` | `LoginTimedOutError` | nobody approved in time |
| `cancelled` | `LoginCancelledError` | the caller gave up, or it was cancelled elsewhere |
| `refused` | `LoginRefusedError` | the server refused to start or to finish; the message has its words |
| `not_started` | `LoginNotStartedError` | there is no started login to go on with |
| `key_refused` | `KeyRefusedError` | the server refuses a key that was to be kept |
| `key_unchecked` | `KeyUncheckedError` | nobody can tell whether it takes the key (`check=False` keeps it) |
| `unreachable` | `LoginError` | no answer came when a code was asked for; try again |

A message says what happened, where, and what to do. It never holds a token, a device code or a verifier.
Each error can be pickled.
"""

from __future__ import annotations

import os

from litellm_qwen_ai.names import LOGIN_COMMAND
from litellm_qwen_ai.oauth.kernel import in_notebook


class QwenAuthError(Exception):
    """The root of all errors of the login."""


class ConfigurationError(QwenAuthError, ValueError):
    """A setting cannot be used: a file name, a URL that is neither https nor loopback, a refused file."""


class NotLoggedInError(QwenAuthError):
    """There is no login; a human has to run `litellm-qwen-ai login`."""


class LoginExpiredError(NotLoggedInError):
    """The server refused the stored refresh token: the login is dead, the file is kept."""


class LoginError(QwenAuthError):
    """A device login (RFC 8628) ended without tokens, or a key is not kept.

    Attributes:
        code (str): How, in one word for programs. Each class below has its own; `unreachable` means that no
            answer came when a code was asked for.
    """

    code = "unreachable"


class LoginDeniedError(LoginError):
    """The user refused the request (`access_denied`, RFC 8628 section 3.5)."""

    code = "access_denied"


class LoginTimedOutError(LoginError):
    """The device code expired before anybody approved it (`expired_token`, RFC 8628 section 3.5)."""

    code = "expired_token"


class LoginCancelledError(LoginError):
    """The caller cancelled the login while it was waiting."""

    code = "cancelled"


class LoginRefusedError(LoginError):
    """The server refused to start or to finish the login."""

    code = "refused"


class LoginNotStartedError(LoginError):
    """No started login waits: there was none, or it was finished or cancelled elsewhere."""

    code = "not_started"


class KeyRefusedError(LoginError):
    """The server refuses a key, which is therefore not kept."""

    code = "key_refused"


class KeyUncheckedError(LoginError):
    """Whether the server takes a key is not known: it is not kept unless that is left unchecked."""

    code = "key_unchecked"


class RefreshError(QwenAuthError):
    """The access token could not be renewed for now (network, 5xx, 429); the login itself is kept.

    Args:
        message: What happened and what to do.
        retry_after: See the attribute.

    Attributes:
        retry_after (float | None): Seconds to wait before another try is useful, if known.
    """

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class StoreError(QwenAuthError):
    """The credentials cannot be read, written or locked. This never means "not logged in"."""


class CorruptCredentialsError(StoreError):
    """The credentials file exists but is no valid credentials JSON; it is left as it is."""


class ReadOnlyStoreError(StoreError):
    """The store takes no writes: read-only folder or file system, or missing rights."""


class LockTimeoutError(StoreError):
    """Another process held the lock for the whole time that was allowed."""


def not_logged_in(where: str, command: str) -> NotLoggedInError:
    """The error of a place that holds no login; `command` logs in."""
    text = f"Not logged in to Qwen: there is no login in {where}. Run {_way(command)}."
    return NotLoggedInError(f"{text} {foreign_key(command)}".rstrip())


def foreign_key(command: str) -> str:
    """How to use the key that most guides have one set, in a sentence; empty if it is not set."""
    if not os.environ.get("DASHSCOPE_API_KEY", "").strip():
        return ""
    return (
        "DASHSCOPE_API_KEY is set, which qwen_ai/ does not read: to use that key, give it to "
        f"`{command} --key --plan NAME`, or to QWEN_API_KEY with its address in QWEN_API_BASE."
    )


def ended(where: str, command: str, reason: str) -> LoginExpiredError:
    """The error of a login that can be renewed no more; `reason` is a sentence."""
    return LoginExpiredError(
        f"The login in {where} has ended: {reason} Run {_way(command)} to log in again; the old one is kept."
    )


def not_renewed(reason: str, retry_after: float | None = None) -> RefreshError:
    """The error of a renewal that failed for now; `retry_after` is in seconds."""
    return RefreshError(
        f"The Qwen access token could not be renewed: {reason} The login is kept.", retry_after=retry_after
    )


def still_rejected(command: str) -> RefreshError:
    """The error of a token that is refused and cannot be replaced."""
    return RefreshError(
        "The chat server refuses the access token, and a refresh brought the same one. Try again later, "
        f"or run `{command} --force`."
    )


def _way(command: str) -> str:
    """How a person logs in where this program runs."""
    if not in_notebook():
        return f"`{command}`"
    account = command.removeprefix(LOGIN_COMMAND).removeprefix(" --account ")
    call = f'litellm_qwen_ai.login("{account}")' if account else "litellm_qwen_ai.login()"
    return f"`{call}` in a cell, or `{command}` in a terminal"
