"""Options that several commands share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Callable

DEFAULT_ACCOUNT = "(default)"  # no name of an account looks like this


def account_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--account NAME`, as the argument `account`; None is the default account."""
    return click.option(
        "--account", metavar="NAME", help="The account; without it, the default one (QWEN_AUTH_FILE)."
    )(command)


def json_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--json`, as the argument `as_json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")(command)
