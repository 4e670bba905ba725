"""Options that several commands share."""

from __future__ import annotations

import click

DEFAULT_ACCOUNT = "(default)"  # no name of an account looks like this

account_option = click.option(
    "--account", metavar="NAME", help="The account; without it, the default one (QWEN_AUTH_FILE)."
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
