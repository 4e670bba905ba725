"""The command `litellm-qwen-ai accounts`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from litellm_qwen_ai.accounts import Standing
from litellm_qwen_ai.cli import exits
from litellm_qwen_ai.cli.options import DEFAULT_ACCOUNT, json_option
from litellm_qwen_ai.oauth.pending import WAITING
from litellm_qwen_ai.oauth.prompt import is_terminal
from litellm_qwen_ai.screen import columns, local, wrapped
from litellm_qwen_ai.verbs import list_accounts

if TYPE_CHECKING:
    from litellm_qwen_ai.accounts import LoginState

_NOTHING = "-"


@click.command()
@json_option
def accounts(*, as_json: bool) -> int:
    """List the accounts and the state of each.

    Asks no server. Exits with 4 if no account is logged in.
    """
    found = [_as_dict(state) for state in list_accounts()]
    if as_json:
        exits.print_json(found)
    else:
        _show(found)
    good = {Standing.SIGNED_IN.value, Standing.KEY.value}
    return exits.DONE if any(one["state"] in good for one in found) else exits.NOT_LOGGED_IN


def _as_dict(state: LoginState) -> dict[str, Any]:
    return {
        "account": state.account,
        "state": state.standing.value,
        "waiting_for_approval": state.pending is not None and state.pending.state == WAITING,
        "plan": state.key_plan,
        "host": state.key_host,
        "user": state.user,
        "expires_at": state.expires_at,
        "can_renew": state.can_renew,
        "file": state.store.describe(),
        "problem": state.trouble,
    }


def _show(found: list[dict[str, Any]]) -> None:
    rows = [("ACCOUNT", "STATE", "USER", "TOKEN UNTIL"), *(_row(one) for one in found)]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    if is_terminal(sys.stdout) and sum(widths) + 6 > columns():
        for name, *cells in rows[1:]:
            click.echo(wrapped(f"{name}: {'; '.join(cell for cell in cells if cell != _NOTHING)}"))
    else:
        for row in rows:
            cells = [f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)]
            click.echo("  ".join(cells).rstrip())
    for one in found:
        if one["problem"]:
            text = f"{one['account'] or DEFAULT_ACCOUNT}: {one['problem']}"
            click.echo(f"\n{wrapped(text, sys.stderr)}", err=True)


def _row(one: dict[str, Any]) -> tuple[str, str, str, str]:
    plan = f" ({one['plan']})" if one["plan"] else ""
    state = one["state"] + plan + (", waiting for approval" if one["waiting_for_approval"] else "")
    until = local(one["expires_at"]) if one["expires_at"] else _NOTHING
    if one["host"]:
        until = f"at {one['host']}"
    return (
        one["account"] or DEFAULT_ACCOUNT,
        state,
        one["user"] or _NOTHING,
        until + (", then renewed" if one["can_renew"] else ""),
    )
