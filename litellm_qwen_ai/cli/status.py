"""The command `litellm-qwen-ai status`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from litellm_qwen_ai.cli import exits
from litellm_qwen_ai.cli.facts import Facts, gather, local, span
from litellm_qwen_ai.cli.options import account_option, json_option
from litellm_qwen_ai.cli.screen import table
from litellm_qwen_ai.names import login_command
from litellm_qwen_ai.quota.tally import THROTTLED
from litellm_qwen_ai.settings import Settings

if TYPE_CHECKING:
    from litellm_qwen_ai.quota.tally import Usage

_RENEWAL = {
    "not due": "not due",
    "due": "due; the next call starts it and still uses this token",
    "overdue": "due; the next call waits for it",
}


@click.command()
@account_option
@json_option
def status(*, account: str | None, as_json: bool) -> int:
    """Show the login and what qwen_ai/ would use now.

    Asks no server. Exits with 4 if there is neither a login nor a key.
    """
    with exits.errors_as_json(wanted=as_json):
        facts = gather(Settings.from_environment(), account)
    if as_json:
        exits.print_json(facts.as_dict())
    else:
        table(_lines(facts), label_width=10)
    return exits.DONE if facts.uses else exits.NOT_LOGGED_IN


def _lines(facts: Facts) -> list[tuple[str, str]]:
    lines = [("Account", facts.account)] if facts.account else []
    lines.append(("File", f"{facts.file} ({facts.guard})"))
    if facts.expires_at is not None:
        lines += [(label, text) for label, text in (("User", facts.user), ("Scope", facts.scope)) if text]
        lines.append(("Token", _token(facts)))
        if facts.can_renew:
            lines.append(("Renewal", _RENEWAL[facts.renewal or "not due"]))
    lines += _counted(facts.usage)
    if facts.problem:
        lines.append(("Problem", facts.problem))
    lines.append(("qwen_ai/", _uses(facts)))
    return lines


def _counted(usage: Usage) -> list[tuple[str, str]]:
    """What has been sent from here; nothing if nothing has. What the server counts is not known."""
    lines = []
    if usage.requests_today or usage.requests_today_utc:
        refused = f"; {usage.refused_today} refused" if usage.refused_today else ""
        days = f"{usage.requests_today} today in Beijing, {usage.requests_today_utc} in UTC"
        lines.append(("Requests", f"{usage.requests_last_minute} in the last minute, {days}{refused}"))
    if usage.limited and usage.limited_until:
        what = "too many requests" if usage.limited_reason == THROTTLED else "the quota is spent"
        said = "" if usage.limited_until_source == "server" else " (assumed: the server named no time)"
        lines.append(("Limited", f"{what}, until {local(usage.limited_until)}{said}"))
    return lines


def _token(facts: Facts) -> str:
    left = facts.seconds_left or 0
    when = local(facts.expires_at or "")
    if left > 0:
        ending = "" if facts.can_renew else "; without a refresh token, the login ends then"
        return f"valid until {when}, {span(left)} from now{ending}"
    return f"expired {when}" + ("" if facts.can_renew else f"; log in again: {login_command(facts.account)}")


def _uses(facts: Facts) -> str:
    if facts.uses == "key":
        beside = ", not the login" if facts.logged_in else ""
        return f"uses the key in QWEN_API_KEY{beside}, at {facts.base_url}"
    if facts.uses == "login":
        return (
            f"uses this login, at {facts.base_url}" if facts.base_url else "cannot use this login, see above"
        )
    return f"not logged in; run: {login_command(facts.account)}"
