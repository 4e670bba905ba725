"""A login in two commands, for scripts and agents: `login --start` and `login --complete`."""

from __future__ import annotations

import sys
import time
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import click

from litellm_qwen_ai.cli import exits
from litellm_qwen_ai.cli.facts import span
from litellm_qwen_ai.cli.outcome import is_logged_in
from litellm_qwen_ai.oauth import LoginNotStartedError, PendingLogin, poll_login, start_login
from litellm_qwen_ai.oauth.prompt import COMPARE, INVITATION, PHISHING, trouble_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from litellm_qwen_ai.cli.outcome import Report
    from litellm_qwen_ai.oauth.door import Store
    from litellm_qwen_ai.settings import Settings

_TICK = 1.0  # seconds between two looks while it waits


def start(store: Store, settings: Settings, report: Report, *, picture: Callable[[str], str] | None) -> int:
    """Ask for a code, or show the one that waits already."""
    login = start_login(store, oauth_base_url=settings.oauth_base_url, client_id=settings.oauth_client_id)
    if report.as_json:
        exits.print_json(_as_json(login, report))
        return exits.DONE
    if picture is not None:
        sys.stderr.write(f"{picture(login.link)}\n")
    click.echo(
        f"{INVITATION}\n\n    {login.link}\n\n{COMPARE}\n\n    {login.user_code}\n\n"
        f"The code is valid for {span(login.expires_at - time.time())}. {PHISHING}\n"
        f"Then run: {report.command} --complete"
    )
    return exits.DONE


def complete(store: Store, report: Report, *, wait: bool) -> int:
    """Finish a started login, if it has been approved."""
    try:
        _until_approved(store, wait=wait)
    except _StillWaitingError as waiting:
        if report.as_json:
            exits.print_json(_as_json(waiting.login, report))
        else:
            left = span(waiting.login.expires_at - time.time())
            trouble = f" {trouble_text(waiting.login.message)}" if waiting.login.message else ""
            click.echo(
                f"Not approved yet; the code {waiting.login.user_code} is valid for another {left}.{trouble}",
                err=True,
            )
        return exits.PENDING
    except LoginNotStartedError:
        if not is_logged_in(store):
            raise
        return report.unchanged()  # another process has finished it
    return report.new_login()


class _StillWaitingError(Exception):
    def __init__(self, login: PendingLogin) -> None:
        super().__init__(login)
        self.login = login


def _until_approved(store: Store, *, wait: bool) -> None:
    while isinstance(login := poll_login(store), PendingLogin):
        if not wait:
            raise _StillWaitingError(login)
        time.sleep(_TICK)


def _as_json(login: PendingLogin, report: Report) -> dict[str, Any]:
    """What a program needs to go on; no secret."""
    now = time.time()
    return {
        "state": login.state,
        "account": report.account,
        "user_code": login.user_code,
        "verification_uri": login.verification_uri,
        "verification_uri_complete": login.verification_uri_complete,
        "expires_at": datetime.fromtimestamp(login.expires_at, timezone.utc).isoformat(timespec="seconds"),
        "seconds_left": max(0, int(login.expires_at - now)),
        "next_poll_in": max(0, round(login.next_poll_at - now)),
        "message": trouble_text(login.message) if login.message else None,
        "next_command": f"{report.command} --complete --json",
    }
