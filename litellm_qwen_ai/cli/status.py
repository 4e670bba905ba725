"""The command `litellm-qwen-ai status`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from litellm_qwen_ai import verbs
from litellm_qwen_ai.accounts import shown
from litellm_qwen_ai.cli import exits
from litellm_qwen_ai.cli.options import account_option, json_option
from litellm_qwen_ai.oauth.errors import foreign_key
from litellm_qwen_ai.oauth.pending import WAITING
from litellm_qwen_ai.plans import MEND, plan_named
from litellm_qwen_ai.quota.tally import THROTTLED
from litellm_qwen_ai.screen import local, span, wrapped
from litellm_qwen_ai.settings import doubts

if TYPE_CHECKING:
    from litellm_qwen_ai.accounts import LoginState
    from litellm_qwen_ai.quota.tally import Usage

_LABELS = 10  # columns
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
        state = readable(verbs.status(account))
    if as_json:
        exits.print_json(state.as_dict())
    else:
        for label, text in _lines(state):
            click.echo(f"{label:<{_LABELS}}  {wrapped(text, indent=_LABELS + 2)}")
    return exits.DONE if state.uses else exits.NOT_LOGGED_IN


def readable(state: LoginState) -> LoginState:
    """The same state.

    Raises:
        StoreError: The login cannot be read, and no key makes that unimportant.
    """
    if state.problem is not None and state.unreadable and state.uses is None:
        raise state.problem
    return state


def _lines(state: LoginState) -> list[tuple[str, str]]:
    lines = [("Account", state.account)] if state.account else []
    place = "Store" if state.settings.store else "File"
    lines.append((place, f"{state.store.describe()} ({state.store.guard() or 'not there'})"))
    if state.settings.store_note:
        lines.append(("", state.settings.store_note))
    if state.credentials is not None:
        named = (("User", state.user), ("Scope", shown(state.credentials.scope)))
        lines += [(label, text) for label, text in named if text]
        lines.append(("Key", kept_key(state)) if state.key_plan else ("Token", _token(state)))
        if state.can_renew:
            lines.append(("Renewal", _RENEWAL[state.renewal or "not due"]))
    lines += _counted(state.usage)
    problem = state.trouble or (f"{state.mismatch} {MEND}" if state.mismatch else None)
    if problem:
        lines.append(("Problem", problem))
    lines += [("Doubt", doubt) for doubt in doubts()]
    lines.append(("qwen_ai/", _uses(state)))
    waits = state.pending
    if waits is not None and waits.state == WAITING:
        left, finish = span(waits.expires_at - state.now), f"{state.store.login_command} --complete"
        begun = f"a login; approve the code {waits.user_code} within {left} at {waits.link}"
        lines.append(("Started", f"{begun} and run: {finish}"))
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


def _token(state: LoginState) -> str:
    when = local(state.expires_at or "")
    if state.seconds_left <= 0:
        return f"expired {when}" + ("" if state.can_renew else f"; log in again: {state.store.login_command}")
    if state.can_renew:
        ending = ""
    elif state.ended:
        ending = "; the server renews it no more"
    else:
        ending = "; without a refresh token, the login ends then"
    return f"valid until {when}, {span(state.seconds_left)} from now{ending}"


def kept_key(state: LoginState) -> str:
    """What is to be told of the account's key."""
    plan = plan_named(state.key_plan or "")
    return f"for {plan.title} ({plan.name})" if plan else "for an address of your own (custom)"


def _uses(state: LoginState) -> str:
    if state.settings.api_key is not None:
        beside = f", not the {'kept key' if state.key_plan else 'login'}" if state.logged_in else ""
        return f"uses the key in QWEN_API_KEY{beside}, at {state.base_url}"
    if state.key_plan and state.base_url:
        return f"uses this key, at {state.base_url}"
    if state.key_plan:
        return "cannot use this key, see above"
    if state.uses == "login":
        return (
            f"uses this login, at {state.base_url}" if state.base_url else "cannot use this login, see above"
        )
    told = f"{'the login has ended' if state.ended else 'not logged in'}; run: {state.store.login_command}"
    return f"{told}. {foreign_key(state.store.login_command)}".removesuffix(". ")
