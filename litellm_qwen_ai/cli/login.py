"""The command `litellm-qwen-ai login`: in one go, in two with `--start` and `--complete`, or a key."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from typing import TYPE_CHECKING, Any

import click

from litellm_qwen_ai import verbs
from litellm_qwen_ai.cli import exits, import_login
from litellm_qwen_ai.cli.options import account_option
from litellm_qwen_ai.cli.outcome import Report
from litellm_qwen_ai.cli.qr import drawn, require_segno
from litellm_qwen_ai.oauth import (
    LoginNotStartedError,
    PendingLogin,
    TerminalPrompt,
    may_open_browser,
    pending_login,
    poll_login,
    start_login,
)
from litellm_qwen_ai.oauth.pending import forget_unreadable
from litellm_qwen_ai.oauth.prompt import COMPARE, INVITATION, PHISHING, is_terminal, joining, trouble_text
from litellm_qwen_ai.plans import AS_OF, PLANS
from litellm_qwen_ai.quota.tally import iso
from litellm_qwen_ai.screen import span, wrapped
from litellm_qwen_ai.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from litellm_qwen_ai.oauth import LoginPrompt

_TICK = 1.0  # seconds between two looks of `--complete --wait`


class _WithPlans(click.Command):
    """Its help ends with the plans of keys, in a terminal of any width."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002  # click's form
        with formatter.section(f"Plans ({AS_OF})"):
            formatter.write_dl([(plan.name, f"{plan.title}: {plan.allows}") for plan in PLANS])
            formatter.write_paragraph()
            formatter.write_text("`litellm-qwen-ai models` has their addresses and links their terms.")


@click.command(cls=_WithPlans, context_settings={"allow_extra_args": True})
@account_option
@click.option(
    "--no-browser", is_flag=True, help="Open no browser; it never does over SSH, in CI or without a display."
)
@click.option("--qr", is_flag=True, help="Show the page's address as a QR code too, for a phone.")
@click.option("--start", is_flag=True, help="Only ask for a code and show it; for scripts and agents.")
@click.option("--complete", is_flag=True, help="Finish what --start began, if it has been approved.")
@click.option(
    "--wait", is_flag=True, help="With --complete: wait until it has been, or the code has expired."
)
@click.option(
    "--import", "source", metavar="FILE", help="Take over a login from an oauth_creds.json, also Qwen Code's."
)
@click.option("--key", is_flag=True, help="Keep an API key instead: asked for, or read from stdin.")
@click.option("--plan", metavar="NAME", help="With --key: the plan it was issued for, see below.")
@click.option("--api-base", metavar="URL", help="With --key: its server, if that is not the plan's.")
@click.option("--no-check", is_flag=True, help="With --key or --import: keep a key unchecked.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON; the prompt stays on stderr.")
@click.option(
    "--force", is_flag=True, help="Log in although there is a login, or what is stored cannot be read."
)
@click.pass_context
def login(  # noqa: PLR0913  # its options
    context: click.Context,
    *,
    account: str | None,
    no_browser: bool,
    qr: bool,
    start: bool,
    complete: bool,
    wait: bool,
    source: str | None,
    key: bool,
    plan: str | None,
    api_base: str | None,
    no_check: bool,
    as_json: bool,
    force: bool,
) -> int:
    """Log in with a code that you approve in a browser, or keep a key.

    The browser may run on this device or on any other. A key is never an argument, where other programs and
    the shell's history would see it.
    """
    _check_usage(
        context,
        ways=(start, complete, key, source is not None),
        needs={
            "--wait goes with --complete.": wait and not complete,
            "--plan and --api-base go with --key.": not key and (plan or api_base),
            "--no-check goes with --key or --import.": no_check and not key and source is None,
        },
    )
    if qr:
        require_segno()
    report = Report(Settings.from_environment(), account, as_json=as_json)
    if report.settings.api_key is not None:
        what = "this one" if key else "a login"
        text = f"QWEN_API_KEY is set: qwen_ai/ uses that key, not {what}, until you unset it."
        click.echo(wrapped(text, sys.stderr), err=True)
    picture = drawn if qr else None
    with exits.errors_as_json(wanted=as_json):
        if source is not None:
            return import_login.take_over(source, report, force=force, check=not no_check)
        if key:
            verbs.login(account, key=_asked(), plan=plan, api_base=api_base, check=not no_check, force=force)
            return report.new_key(checked=not no_check)
        if complete:
            return _complete(report, wait=wait)
        if start:
            if force:
                forget_unreadable(report.store)
            elif verbs.live_login(report.settings, account):
                return report.unchanged()
            return _start(report, picture)
        browser = may_open_browser() and not no_browser
        prompt = _prompt(picture, report.store.login_command, browser=browser)
        state = verbs.login(account, force=force, browser=browser, prompt=prompt)
        return report.new_login() if state.changed else report.unchanged()


def _check_usage(context: click.Context, ways: tuple[bool, ...], needs: Mapping[str, object]) -> None:
    if context.args:  # click's own error would show a key
        raise click.UsageError("login takes options only. A key is asked for, or read from stdin.")
    if sum(ways) > 1:
        raise click.UsageError("--start, --complete, --key and --import are four ways; take one.")
    for text, violated in needs.items():
        if violated:
            raise click.UsageError(text)


def _asked() -> str:
    """The key: typed without an echo, or the first line of what is piped in."""
    if sys.stdin is None or sys.stdin.closed:  # as `<&-` leaves it
        return ""
    if not is_terminal(sys.stdin):
        return sys.stdin.readline()
    typed: str = click.prompt("Key (not shown)", hide_input=True, err=True)
    return typed


def _prompt(picture: Callable[[str], str] | None, command: str, *, browser: bool) -> LoginPrompt:
    """Colour and a bar where a terminal can draw them, else plain text; a hint if nobody can type."""
    hint = "" if is_terminal(sys.stdin) else f"To get a code without waiting: {command} --start"
    if is_terminal(sys.stderr) and os.environ.get("TERM") not in {"dumb", "", None}:
        with contextlib.suppress(ImportError):  # it needs rich, which need not be installed
            from litellm_qwen_ai.cli.rich_prompt import RichPrompt  # noqa: PLC0415  # and which takes its time to load

            return RichPrompt(picture, browser=browser, hint=hint)
    return TerminalPrompt(picture=picture, hint=hint)


def _start(report: Report, picture: Callable[[str], str] | None) -> int:
    """Ask for a code, or show the one that waits already."""
    settings = report.settings
    before = pending_login(report.store)
    pending = start_login(
        report.store, oauth_base_url=settings.oauth_base_url, client_id=settings.oauth_client_id
    )
    if report.as_json:
        exits.print_json(_as_json(pending, report))
        return exits.DONE
    if joined := joining(pending.code(time.time(), before)):
        click.echo(f"{wrapped(joined)}\n")
    if picture is not None:
        click.echo(picture(pending.link), err=True)
    valid = f"The code is valid for {span(pending.expires_at - time.time())}. {PHISHING}"
    click.echo(
        f"{wrapped(INVITATION)}\n\n    {pending.link}\n\n{wrapped(COMPARE)}\n\n    {pending.user_code}\n\n"
        f"{wrapped(valid)}\n{wrapped(f'Then run: {report.store.login_command} --complete')}"
    )
    return exits.DONE


def _complete(report: Report, *, wait: bool) -> int:
    """Finish a started login, if it has been approved."""
    try:
        while isinstance(pending := poll_login(report.store), PendingLogin):
            if not wait:
                return _waits(pending, report)
            time.sleep(_TICK)
    except LoginNotStartedError:
        if not verbs.live_login(report.settings, report.account):
            raise
        return report.unchanged()  # another process has finished it
    return report.new_login()


def _waits(pending: PendingLogin, report: Report) -> int:
    if report.as_json:
        exits.print_json(_as_json(pending, report))
    else:
        left = span(pending.expires_at - time.time())
        trouble = f" {trouble_text(pending.message)}" if pending.message else ""
        text = f"Not approved yet; the code {pending.user_code} is valid for another {left}.{trouble}"
        click.echo(wrapped(text, sys.stderr), err=True)
    return exits.PENDING


def _as_json(pending: PendingLogin, report: Report) -> dict[str, Any]:
    """What a program needs to go on; no secret."""
    now = time.time()
    return {
        "state": pending.state,
        "account": report.account,
        "user_code": pending.user_code,
        "verification_uri": pending.verification_uri,
        "verification_uri_complete": pending.verification_uri_complete,
        "started_at": iso(pending.started_at),
        "expires_at": iso(pending.expires_at),
        "seconds_left": max(0, int(pending.expires_at - now)),
        "next_poll_in": max(0, round(pending.next_poll_at - now)),
        "message": trouble_text(pending.message) if pending.message else None,
        "next_command": f"{report.store.login_command} --complete --json",
    }
