"""The command line, `litellm-qwen-ai`. Prompts and errors go to stderr, data to stdout."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, NoReturn

import click

from litellm_qwen_ai._version import __version__
from litellm_qwen_ai.cli import accounts, doctor, exits, local, login, logout, models, status
from litellm_qwen_ai.cli.screen import coloured, wrapped
from litellm_qwen_ai.oauth import QwenAuthError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["app", "main"]


class _InOrder(click.Group):
    """Lists its commands in the order in which a user needs them."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # click's signature
        return list(self.commands)


@click.group(
    cls=_InOrder,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=f"Exit codes: {', '.join(f'{code} {meaning}' for code, meaning in exits.MEANINGS.items())}.",
)
@click.version_option(__version__, message="%(prog)s %(version)s")
def app() -> None:
    """Log in to Qwen for LiteLLM's route qwen_ai/, and see what is in use.

    A login is one file in the folder QWEN_TOKEN_DIR, oauth_creds.json unless it belongs to an account with a
    name; `status` shows where. With QWEN_API_KEY set, calls use that key instead.
    """


for command in (
    *(login.login, status.status, logout.logout, accounts.accounts, doctor.doctor),
    *(models.models, local.demo, local.sandbox),
):
    app.add_command(command)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit with its code; the arguments are those of the process by default."""
    sys.exit(_run(arguments))


def _run(arguments: Sequence[str] | None) -> int:
    try:
        # Not `standalone`: click would end a cancelled command with 1.
        code = app.main(arguments, prog_name="litellm-qwen-ai", standalone_mode=False)
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
    return code if isinstance(code, int) else exits.DONE
