"""The command `litellm-qwen-ai accounts`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from litellm_qwen_ai.cli import exits
from litellm_qwen_ai.cli.facts import gather, local
from litellm_qwen_ai.cli.options import DEFAULT_ACCOUNT, json_option
from litellm_qwen_ai.cli.screen import columns, wrapped
from litellm_qwen_ai.oauth import QwenAuthError, pending_login
from litellm_qwen_ai.oauth.pending import SUFFIX, WAITING
from litellm_qwen_ai.oauth.prompt import is_terminal
from litellm_qwen_ai.settings import Settings

if TYPE_CHECKING:
    from litellm_qwen_ai.cli.facts import Facts

_NOTHING = "-"
LOGGED_IN, EXPIRED, NOT_LOGGED_IN, UNUSABLE = "logged in", "expired", "not logged in", "unusable"


@click.command()
@json_option
def accounts(*, as_json: bool) -> int:
    """List the accounts and the state of each.

    Asks no server. Exits with 4 if no account is logged in.
    """
    settings = Settings.from_environment()
    found = [_look_at(settings, name) for name in _names(settings)]
    if as_json:
        exits.print_json(found)
    else:
        _show(found)
    return exits.DONE if any(one["state"] == LOGGED_IN for one in found) else exits.NOT_LOGGED_IN


def _names(settings: Settings) -> list[str | None]:
    """The default account, and whatever else has a file of its own."""
    files = {path.name.removesuffix(SUFFIX) for path in settings.token_dir.glob(f"*.json{SUFFIX}")}
    files |= {path.name for path in settings.token_dir.glob("*.json")}
    named = []
    for file in sorted(files - {settings.auth_file}):
        name = file.removesuffix(".json")
        try:
            settings.store(name)
        except QwenAuthError:
            continue  # a file that no account can have
        named.append(name)
    return [None, *named]


def _look_at(settings: Settings, account: str | None) -> dict[str, Any]:
    store = settings.store(account)
    facts: Facts | None = None
    problem, waiting = None, False
    try:
        started = pending_login(store)
        waiting = started is not None and started.state == WAITING
        facts = gather(settings, account)
        problem = facts.problem
    except QwenAuthError as error:
        problem = str(error)
    there = facts is not None and facts.expires_at is not None
    state = UNUSABLE if problem else EXPIRED if there else NOT_LOGGED_IN
    if facts is not None and facts.logged_in and not problem:
        state = LOGGED_IN
    return {
        "account": account,
        "state": state,
        "waiting_for_approval": waiting,
        "user": facts.user if facts else None,
        "expires_at": facts.expires_at if facts else None,
        "can_renew": facts.can_renew if facts else False,
        "file": str(store.path),
        "problem": problem,
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
            click.echo(f"\n{one['account'] or DEFAULT_ACCOUNT}: {one['problem']}", err=True)


def _row(one: dict[str, Any]) -> tuple[str, str, str, str]:
    state = one["state"] + (", waiting for approval" if one["waiting_for_approval"] else "")
    until = local(one["expires_at"]) if one["expires_at"] else _NOTHING
    return (
        one["account"] or DEFAULT_ACCOUNT,
        state,
        one["user"] or _NOTHING,
        until + (", then renewed" if one["can_renew"] else ""),
    )
