"""The command `litellm-qwen-ai logout`."""

from __future__ import annotations

import sys

import click

from litellm_qwen_ai import verbs
from litellm_qwen_ai.cli import exits
from litellm_qwen_ai.cli.options import account_option
from litellm_qwen_ai.oauth import CorruptCredentialsError
from litellm_qwen_ai.oauth.prompt import is_terminal
from litellm_qwen_ai.screen import wrapped


@click.command()
@account_option
@click.option("--yes", is_flag=True, help="Do not ask.")
def logout(*, account: str | None, yes: bool) -> int:
    """Remove the login, or the key.

    It goes from this machine; with QWEN_STORE from the store, so for all machines. Only what holds a login or
    a key is removed, and what this program left beside it.
    """
    state = verbs.status(account)
    # In a store it is a login of ours, whatever the key; what a file holds, nobody knows.
    closed = isinstance(state.problem, CorruptCredentialsError) and state.settings.store is not None
    there = state.stored is not None or closed
    if there and not yes:
        if not is_terminal(sys.stdin):
            raise click.UsageError("There is no terminal to ask on; add --yes.")
        # Not click.confirm(err=True): before click 8.3 it writes a space to stdout.
        click.echo(f"Remove {state.store.describe()}? [y/N] ", err=True, nl=False)
        if sys.stdin.readline().strip().lower() not in {"y", "yes"}:
            click.echo("Nothing was changed.", err=True)
            return exits.CANCELLED
    removed = verbs.logout(account)
    if removed is None:  # perhaps somebody else was faster
        text = f"Not logged in: there is no login in {state.store.describe()}."
        click.echo(wrapped(text, sys.stderr), err=True)
        return exits.NOT_LOGGED_IN
    if not there:
        click.echo("Cancelled the login that had been started.")
        return exits.DONE
    click.echo(wrapped(f"Removed {removed}."))
    left = (
        "The key itself stays valid until it is revoked where it was issued."
        if state.key_plan
        else "Qwen offers no way to revoke its tokens: a copy elsewhere stays valid until it expires."
    )
    click.echo(wrapped(left, sys.stderr), err=True)
    if state.settings.api_key is not None:
        text = "QWEN_API_KEY is still set: qwen_ai/ goes on using that key."
        click.echo(wrapped(text, sys.stderr), err=True)
    return exits.DONE
