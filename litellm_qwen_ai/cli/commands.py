"""The commands together, and what an error or Ctrl-C becomes."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import click

from litellm_qwen_ai._version import __version__
from litellm_qwen_ai.cli import accounts, doctor, exits, local, login, logout, models, status
from litellm_qwen_ai.oauth import QwenAuthError
from litellm_qwen_ai.screen import coloured, columns, wrapped
from litellm_qwen_ai.stores.files.disk import NO_SPACE

if TYPE_CHECKING:
    from collections.abc import Sequence


_VERSION = "%(prog)s %(version)s"


class _InOrder(click.Group):
    """Lists its commands in the order in which a user needs them."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # click's signature
        return list(self.commands)


@click.group(
    cls=_InOrder,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=f"Exit codes: {', '.join(f'{code} {meaning}' for code, meaning in exits.MEANINGS.items())}.",
)
@click.version_option(__version__, "-V", "--version", message=_VERSION)
def app() -> None:
    """Log in to Qwen for LiteLLM's route qwen_ai/, and see what is in use.

    A login is one file in the folder QWEN_TOKEN_DIR, oauth_creds.json unless it belongs to an account with a
    name; `status` shows where. With QWEN_API_KEY set, calls use that key instead.
    """


@app.command("help", hidden=True)
@click.argument("command", required=False)
@click.pass_context
def _help(ctx: click.Context, command: str | None) -> None:
    """Show the help of all, or of one command."""
    parent = ctx.find_root()
    found = app.get_command(ctx, command) if command else app
    if found is None:
        raise click.UsageError(f"No such command {command!r}.", parent)
    click.echo(found.get_help(click.Context(found, parent, command) if command else parent))


@app.command("version", hidden=True)
@click.pass_context
def _version(ctx: click.Context) -> None:
    """Show the version."""
    click.echo(_VERSION % {"prog": ctx.find_root().info_name, "version": __version__})


for command in (
    *(login.login, status.status, logout.logout, accounts.accounts, doctor.doctor),
    *(models.models, local.demo, local.sandbox),
):
    app.add_command(command)


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code. The arguments are those of the process by default."""
    try:
        # Not `standalone`: click would end a cancelled command with 1.
        # Of itself its help is 50 columns wide at least, and breaks words in a narrower terminal.
        width = min(columns(), 80) - 2
        code = app.main(arguments, prog_name="litellm-qwen-ai", standalone_mode=False, terminal_width=width)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("Cancelled; nothing was changed.", err=True)
        return exits.CANCELLED
    except QwenAuthError as error:
        text = wrapped(f"Error: {error}", sys.stderr)
        click.echo(text.replace("Error:", coloured("Error:", "fail", sys.stderr), 1), err=True)
        return exits.code_of(error)
    except OSError as error:  # of the output: what commands keep, stores write, with errors of their own
        if error.errno not in NO_SPACE:
            raise
        # Python would try to write the rest at its end, tell of that on two lines more, and end with 120.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        click.echo("Error: The output has no room: the disk that it is written to is full.", err=True)
        return exits.ERROR
    return code if isinstance(code, int) else exits.DONE
