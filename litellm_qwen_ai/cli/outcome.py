"""How a login ends for its user: what is kept where, whether it is accepted, and what to do next."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click

from litellm_qwen_ai.accounts import LoginState, account_of
from litellm_qwen_ai.cli import exits
from litellm_qwen_ai.cli.status import kept_key, readable
from litellm_qwen_ai.oauth.check import Verdict, check_credentials
from litellm_qwen_ai.plans import MEND, plan_named
from litellm_qwen_ai.screen import coloured, local, span, wrapped

if TYPE_CHECKING:
    from litellm_qwen_ai.settings import Settings


def _own_host(state: LoginState) -> str:
    """The host that a key was kept for, whatever QWEN_API_BASE says."""
    return urlsplit((state.credentials and state.credentials.resource_url) or "").netloc


class Report:
    """Prints the end of a command that logs in to an account, as text or as JSON."""

    def __init__(self, settings: Settings, account: str | None, *, as_json: bool) -> None:
        self.settings = settings
        self.account = account
        self.as_json = as_json
        self.store = account_of(settings, account).store

    def unchanged(self) -> int:
        """There was a login already; returns the exit code."""
        state = self._state()
        if self.as_json:
            self._print(state, None, changed=False)
        elif state.key_plan:
            _say(f"A key is kept here {kept_key(state)}. For a login: {self.store.login_command} --force")
        else:
            _say(f"Already logged in, {_until(state)}. For another login: {self.store.login_command} --force")
        return exits.DONE

    def new_login(self, verb: str = "Logged in") -> int:
        """There is a new login: check that it is accepted, and say what comes next; returns the exit code."""
        state = self._state()
        verdict = _checked(state)
        if self.as_json:
            self._print(state, verdict, changed=True)
        else:
            self._tell(state, verdict, verb)
        return exits.ERROR if verdict is not None and verdict.result == "refused" else exits.DONE

    def new_key(self, verb: str = "Kept", *, checked: bool = False) -> int:
        """There is a key now; `checked`: its server takes it. Returns the exit code."""
        state = self._state()
        own = _own_host(state)
        verdict = Verdict("accepted", f"{own} takes the key.") if checked else None
        if self.as_json:
            self._print(state, verdict, changed=True)
            return exits.DONE
        _say(f"{verb}. The key is stored in {state.store.describe()} ({state.store.guard()}).", verb, "ok")
        plan = plan_named(state.key_plan or "")
        terms = f" Its terms allow: {plan.allows}." if plan else ""
        _say(f"It is {kept_key(state)}, at {own}.{terms}")
        if state.settings.api_base is not None:
            told = f"QWEN_API_BASE is set: qwen_ai/ sends the key to {state.key_host}, until you unset it."
            click.echo(wrapped(told, sys.stderr), err=True)
        if state.trouble or state.mismatch:
            told = state.trouble or f"{state.mismatch} {MEND}"
            click.echo(wrapped(told, sys.stderr), err=True)
        _say(f"Checked: {verdict.message}" if verdict else "It was not checked.")
        _say("Programs that run already use it within a second.")
        if state.settings.api_key is None:
            _say(f"Try it: {self._next('qwen3-coder-plus')}")
        return exits.DONE

    def _state(self) -> LoginState:
        return readable(LoginState(self.settings, self.account))

    def _print(self, state: LoginState, verdict: Verdict | None, *, changed: bool) -> None:
        check = verdict._asdict() if verdict else None
        exits.print_json(
            {
                "state": "key" if state.key_plan else "logged_in",
                "changed": changed,
                **state.as_dict(),
                "check": check,
            }
        )

    def _tell(self, state: LoginState, verdict: Verdict | None, verb: str) -> None:
        _say(f"{verb}. The token is stored in {state.store.describe()} ({state.store.guard()}).", verb, "ok")
        if state.seconds_left > 0:
            _say(f"It is valid {_until(state)}{' and renewed by itself' if state.can_renew else ''}.")
        else:
            click.echo("It has expired; the first call renews it.")
        if state.trouble:
            cannot = "It cannot be used yet: " if state.address_problem else ""
            click.echo(wrapped(f"{cannot}{state.trouble}", sys.stderr), err=True)
        if verdict is not None and verdict.result == "refused":
            _say(f"But {verdict.message}", "But", "fail")
            return
        if verdict is not None:
            _say(f"Checked: {verdict.message}")
        if state.uses == "login":
            _say(f"Try it: {self._next()}")

    def _next(self, model: str = "coder-model") -> str:
        """What to do with the new login, or key."""
        if self.account is None:
            return f'litellm.completion("qwen_ai/{model}", ...), or litellm-qwen-ai status'
        return f'litellm.completion("qwen_ai/{model}", ..., qwen_account="{self.account}")'


def _checked(state: LoginState) -> Verdict | None:
    """What the server says of the token; only a live one that calls would use now can be tried."""
    usable = state.uses == "login" and state.seconds_left > 0
    if not usable or state.credentials is None or state.base_url is None:
        return None
    return check_credentials(state.base_url, state.credentials)


def _say(text: str, first: str = "", state: str = "ok") -> None:
    """A paragraph on stdout, whose first words may have a colour."""
    click.echo(coloured(first, state) + wrapped(text)[len(first) :] if first else wrapped(text))


def _until(state: LoginState) -> str:
    return f"until {local(state.expires_at or '')}, {span(state.seconds_left)} from now"
