"""The command `litellm-qwen-ai logout`."""

from __future__ import annotations

import sys

import click

from litellm_qwen_ai.cli import exits
from litellm_qwen_ai.oauth.prompt import is_terminal
from litellm_qwen_ai.settings import Settings

LOCK_TIMEOUT = 30.0  # seconds; a refresh under way ends first


@click.command()
@click.option("--yes", is_flag=True, help="Do not ask.")
def logout(*, yes: bool) -> int:
    """Remove the login from this machine."""
    settings = Settings.from_environment()
    store = settings.store()
    if store.version() is None:
        click.echo(f"Not logged in: there is no {store.path}.", err=True)
        return exits.NOT_LOGGED_IN
    if not yes:
        if not is_terminal(sys.stdin):
            raise click.UsageError("There is no terminal to ask on; add --yes.")
        # Not click.confirm(err=True): before click 8.3 it writes a space to stdout.
        click.echo(f"Remove {store.path}? [y/N] ", err=True, nl=False)
        if sys.stdin.readline().strip().lower() not in {"y", "yes"}:
            click.echo("Nothing was changed.", err=True)
            return exits.CANCELLED
    with store.lock(LOCK_TIMEOUT):
        store.delete()
    click.echo(f"Removed {store.path}.")
    click.echo(
        "Qwen offers no way to revoke its tokens: a copy elsewhere stays valid until it expires.", err=True
    )
    if settings.api_key is not None:
        click.echo("QWEN_API_KEY is still set: qwen_ai/ goes on using that key.", err=True)
    return exits.DONE
