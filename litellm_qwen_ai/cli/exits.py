"""The exit codes, and how a command with `--json` tells of an error."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Any

import click

from litellm_qwen_ai.oauth import LoginCancelledError, LoginError, NotLoggedInError, QwenAuthError

if TYPE_CHECKING:
    from collections.abc import Iterator

DONE = 0
ERROR = 1
CANCELLED = 2  # and wrong usage, which is click's own code
PENDING = 3
NOT_LOGGED_IN = 4

#: Exit code -> meaning, as the help and README.md say it.
MEANINGS = {
    DONE: "done",
    ERROR: "error",
    CANCELLED: "cancelled or wrong usage",
    PENDING: "not approved yet",
    NOT_LOGGED_IN: "not logged in",
}


def code_of(error: QwenAuthError) -> int:
    """The exit code for an error of the login."""
    if isinstance(error, NotLoggedInError):
        return NOT_LOGGED_IN
    return CANCELLED if isinstance(error, LoginCancelledError) else ERROR


def print_json(value: Any) -> None:
    """One JSON document on stdout, in ASCII so that every terminal takes it."""
    click.echo(json.dumps(value, indent=2))


@contextlib.contextmanager
def errors_as_json(*, wanted: bool) -> Iterator[None]:
    """Put an error on stdout as JSON too; it passes on to stderr and the exit code as ever."""
    try:
        yield
    except QwenAuthError as error:
        if wanted:
            code = {"code": error.code} if isinstance(error, LoginError) else {}
            print_json({"error": {"type": type(error).__name__, **code, "message": str(error)}})
        raise
