"""The command `litellm-qwen-ai logout`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from litellm_qwen_ai.cli import exits
from litellm_qwen_ai.cli.options import account_option
from litellm_qwen_ai.oauth import CorruptCredentialsError, cancel_login
from litellm_qwen_ai.oauth.prompt import is_terminal
from litellm_qwen_ai.settings import Settings
from litellm_qwen_ai.stores.files.disk import store_errors, target_of

if TYPE_CHECKING:
    from litellm_qwen_ai.oauth import FileStore

LOCK_TIMEOUT = 30.0  # seconds; a refresh under way ends first


@click.command()
@account_option
@click.option("--yes", is_flag=True, help="Do not ask.")
def logout(*, account: str | None, yes: bool) -> int:
    """Remove the login from this machine.

    Only a file that holds a login is removed, and what this program left beside it.
    """
    settings = Settings.from_environment()
    store = settings.store(account)
    if store.version() is None:
        if cancel_login(store, lock_timeout=LOCK_TIMEOUT):
            click.echo("Cancelled the login that had been started.")
            return exits.DONE
        click.echo(f"Not logged in: there is no {store.path}.", err=True)
        return exits.NOT_LOGGED_IN
    _check_ours(store)
    if not yes:
        if not is_terminal(sys.stdin):
            raise click.UsageError("There is no terminal to ask on; add --yes.")
        # Not click.confirm(err=True): before click 8.3 it writes a space to stdout.
        click.echo(f"Remove {store.path}? [y/N] ", err=True, nl=False)
        if sys.stdin.readline().strip().lower() not in {"y", "yes"}:
            click.echo("Nothing was changed.", err=True)
            return exits.CANCELLED
    cancel_login(store, lock_timeout=LOCK_TIMEOUT)
    click.echo(_remove(store))
    click.echo(
        "Qwen offers no way to revoke its tokens: a copy elsewhere stays valid until it expires.", err=True
    )
    if settings.api_key is not None:
        click.echo("QWEN_API_KEY is still set: qwen_ai/ goes on using that key.", err=True)
    return exits.DONE


def _check_ours(store: FileStore) -> None:
    """Fail if the file is no login: QWEN_AUTH_FILE may name anything."""
    try:
        store.load()
    except CorruptCredentialsError:
        raise CorruptCredentialsError(
            f"{store.path} holds no login that can be read, so it is not removed. If you need it no more, "
            "remove it yourself."
        ) from None


def _remove(store: FileStore) -> str:
    """Remove the login; of a link to another place only the link, since what it leads to is not ours."""
    target = target_of(store.path)
    if store.path.is_symlink() and target.parent != target_of(store.path.parent):
        with store.lock(LOCK_TIMEOUT), store_errors("remove", store.path):
            store.path.unlink()
        return f"Removed the link {store.path}. The login itself is still in {target}."
    with store.lock(LOCK_TIMEOUT):
        store.delete()
    return f"Removed {store.path}."
