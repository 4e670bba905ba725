"""How a login ends for its user: what is kept where, whether it is accepted, and what to do next."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

import click

from litellm_qwen_ai.accounts import account_of
from litellm_qwen_ai.cli import exits
from litellm_qwen_ai.cli.check import Verdict, check_token
from litellm_qwen_ai.cli.facts import Facts, gather, local, span
from litellm_qwen_ai.cli.screen import coloured, wrapped
from litellm_qwen_ai.names import login_command

if TYPE_CHECKING:
    from litellm_qwen_ai.oauth.door import Store
    from litellm_qwen_ai.settings import Settings


class Report:
    """Prints the end of a command that logs in, as text or as JSON.

    Args:
        settings: The environment.
        account: The account's name; None is the default one.
        as_json: Print JSON.
    """

    def __init__(self, settings: Settings, account: str | None, *, as_json: bool) -> None:
        self.settings = settings
        self.account = account
        self.as_json = as_json

    @property
    def command(self) -> str:
        """The command that logs in here."""
        return login_command(self.account)

    def unchanged(self) -> int:
        """There was a login already; returns the exit code."""
        facts = gather(self.settings, self.account)
        if self.as_json:
            self._print(facts, None, changed=False)
        else:
            _say(f"Already logged in, {_until(facts)}. For another login: {self.command} --force")
        return exits.DONE

    def new_login(self, verb: str = "Logged in") -> int:
        """There is a new login: check that it is accepted, and say what comes next; returns the exit code."""
        facts = gather(self.settings, self.account)
        verdict = self._check(facts)
        if self.as_json:
            self._print(facts, verdict, changed=True)
        else:
            self._tell(facts, verdict, verb)
        return exits.ERROR if verdict is not None and verdict.result == "refused" else exits.DONE

    def _check(self, facts: Facts) -> Verdict | None:
        """Only a live token that calls would use now can be tried."""
        if facts.uses != "login" or facts.base_url is None or (facts.seconds_left or 0) <= 0:
            return None
        stored = account_of(self.settings, self.account).store.look()
        return check_token(facts.base_url, stored.credentials.access_token) if stored else None

    def _print(self, facts: Facts, verdict: Verdict | None, *, changed: bool) -> None:
        check = {"result": verdict.result, "message": verdict.message} if verdict else None
        exits.print_json({"state": "logged_in", "changed": changed, **facts.as_dict(), "check": check})

    def _tell(self, facts: Facts, verdict: Verdict | None, verb: str) -> None:
        renewed = " and renewed by itself" if facts.can_renew else ""
        _say(f"{verb}. The token is stored in {facts.file} ({facts.guard}).", verb, "ok")
        if (facts.seconds_left or 0) > 0:
            _say(f"It is valid {_until(facts)}{renewed}.")
        else:
            click.echo("It has expired; the first call renews it.")
        if facts.problem:
            click.echo(wrapped(f"It cannot be used yet: {facts.problem}", sys.stderr), err=True)
        if verdict is not None and verdict.result == "refused":
            _say(f"But {verdict.message}", "But", "fail")
            return
        if verdict is not None:
            _say(f"Checked: {verdict.message}")
        if facts.uses == "login":
            _say(f"Try it: {self._next()}")

    def _next(self) -> str:
        """What to do with the new login."""
        if self.account is None:
            return 'litellm.completion("qwen_ai/coder-model", ...), or litellm-qwen-ai status'
        return f'litellm.completion("qwen_ai/coder-model", ..., qwen_account="{self.account}")'


def _say(text: str, first: str = "", state: str = "ok") -> None:
    """A paragraph on stdout, whose first words may have a colour."""
    click.echo(coloured(first, state) + wrapped(text)[len(first) :] if first else wrapped(text))


def is_logged_in(store: Store) -> bool:
    """Whether the stored token is alive. Whether an expired one could be renewed only the server knows."""
    stored = store.look()
    return stored is not None and stored.credentials.seconds_left(time.time()) > 0


def _until(facts: Facts) -> str:
    return f"until {local(facts.expires_at or '')}, {span(facts.seconds_left or 0)} from now"
