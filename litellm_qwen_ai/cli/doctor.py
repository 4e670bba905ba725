"""The command `litellm-qwen-ai doctor`: what support would ask for, each line with the way to mend it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import click

from litellm_qwen_ai._version import __version__
from litellm_qwen_ai.accounts import LoginState
from litellm_qwen_ai.cli import exits
from litellm_qwen_ai.cli.options import account_option
from litellm_qwen_ai.names import LOGGER
from litellm_qwen_ai.oauth import QwenAuthError
from litellm_qwen_ai.screen import coloured, columns, wrapped
from litellm_qwen_ai.settings import Settings
from litellm_qwen_ai.stores.finding import FAIL, OK, WARN, Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

_MARKS = {OK: "ok  ", WARN: "warn", FAIL: "FAIL"}
_LABELS = 16  # columns
_NARROW = 60  # columns


@click.command()
@account_option
@click.option("--call", is_flag=True, help="Make one tiny call to the model too.")
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
def doctor(*, account: str | None, call: bool, as_json: bool) -> int:
    """Find out what is wrong, and how to mend it.

    Looks at the installation, the login's file, and the servers in use. What it prints holds no secret and of
    names only those of accounts, so it can be pasted into a bug report. Exits with 1 if a line says FAIL.
    """
    # What the library would log of a file, the lines below say better.
    logging.getLogger(LOGGER).addHandler(logging.NullHandler())
    found: list[Finding] = []
    for finding in _findings(account, call=call):
        clean = finding.without_home()
        found.append(clean)
        if not as_json:
            _show(clean)
    failed = sum(one.state == FAIL for one in found)
    if as_json:
        exits.print_json(
            {"version": __version__, "ok": not failed, "findings": [one.as_dict() for one in found]}
        )
    else:
        warned = sum(one.state == WARN for one in found)
        counts = [f"{count} {what}" for count, what in ((failed, "failed"), (warned, "to look at")) if count]
        click.echo(f"{', '.join(counts) or 'All is well'}.")
    return exits.ERROR if failed else exits.DONE


def _findings(account: str | None, *, call: bool) -> Iterator[Finding]:
    # What these bring along (ssl, subprocess) would slow down every other command.
    from litellm_qwen_ai.cli.checkup import hosts, login, plugin  # noqa: PLC0415  # only this command needs them

    try:
        settings = Settings.from_environment()
        state = LoginState(settings, account)
    except QwenAuthError as error:
        yield Finding("Settings", FAIL, str(error))
        return
    # LiteLLM takes seconds to load: it does so beside all else.
    with plugin.probing(account, call=call) as probe:
        yield from plugin.versions()
        yield from login.look_at(state)
        yield from hosts.ask(state)
        yield from plugin.seen_by(probe)


def _show(finding: Finding) -> None:
    mark = coloured(_MARKS[finding.state], finding.state)
    indent = _LABELS + 8
    label = f"{finding.name:<{_LABELS}}  "
    if columns() < _NARROW:
        indent, label = 6, f"{finding.name}\n      "
    click.echo(f"{mark}  {label}{wrapped(finding.text, indent=indent)}")
    if finding.fix:
        click.echo(f"{'':{indent}}{wrapped('Fix: ' + finding.fix, indent=indent)}")
