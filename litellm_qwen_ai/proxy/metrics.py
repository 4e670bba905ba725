"""What Prometheus is told of each account, where LiteLLM's proxy serves `/metrics`.

A thread looks at the accounts every few seconds and sets ordinary instruments of `prometheus_client`: with
several workers LiteLLM's `/metrics` adds up the files of those, and asks no collector. So no scrape waits for
a place that is slow, and no event loop for anything.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import threading
from typing import TYPE_CHECKING, Any, NoReturn

from litellm_qwen_ai.accounts import (
    LoginState,
    Standing,
    account_of,
    known_accounts,
    resolved_name,
    side_by_side,
)
from litellm_qwen_ai.names import LOGGER
from litellm_qwen_ai.oauth.errors import QwenAuthError
from litellm_qwen_ai.oauth.pending import WAITING
from litellm_qwen_ai.proxy.accounts import deployed_accounts
from litellm_qwen_ai.quota.tally import QUOTA_SPENT, THROTTLED
from litellm_qwen_ai.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

INTERVAL = 10.0  # seconds between two looks
DEFAULT = "(default)"  # no account has such a name
STATES = (*(one.name.lower() for one in Standing), WAITING)
_log = logging.getLogger(LOGGER)


class Metrics:
    """The instruments of a process, made once. Counters are its own; gauges say what all processes see.

    Args:
        registry: Where they are found; None: where LiteLLM looks.
    """

    def __init__(self, registry: Any = None) -> None:
        import prometheus_client as there  # noqa: PLC0415  # where it is: an optional package

        counter = functools.partial(there.Counter, registry=registry or there.REGISTRY)
        gauge = functools.partial(
            there.Gauge, registry=registry or there.REGISTRY, multiprocess_mode="mostrecent"
        )
        self._requests = counter("qwen_ai_requests", "Requests that were sent.", ["account"])
        self._refusals = counter("qwen_ai_refusals", "Requests that were refused.", ["account", "reason"])
        self._renewals = counter("qwen_ai_renewals", "Renewals of the login.", ["account", "result"])
        self._left = gauge("qwen_ai_token_seconds_left", "Until the access token dies.", ["account"])
        self._state = gauge("qwen_ai_account_state", "1 for the state it is in.", ["account", "state"])
        self._told: dict[tuple[str, ...], int] = {}
        self._shown: set[str] = set()

    def update(self, server: ModuleType) -> None:
        """Set everything to what is so now; may wait for the place of the logins.

        Raises:
            QwenAuthError: Nobody can tell which accounts there are.
        """
        settings = Settings.from_environment()
        deployed = deployed_accounts(server)
        self._shown |= {name or DEFAULT for name in deployed}
        labels = set()
        look = functools.partial(self._look, settings)
        for state in side_by_side(look, known_accounts(settings, filter(None, deployed))):
            if state.account is not None or _is_needed(settings, state, deployed):
                self._show(state)
                labels.add(state.account or DEFAULT)
        for gone in self._shown - labels:
            self._set(gone, None, 0.0)
        self._shown = labels

    def lose(self) -> None:
        """Say that no account can be used, as far as anybody can tell: an alert must not sleep meanwhile."""
        for label in self._shown:
            self._set(label, Standing.UNUSABLE.name.lower(), 0.0)

    def _look(self, settings: Settings, name: str | None) -> LoginState:
        """How an account stands, once what this process has counted of it is told."""
        account, label = account_of(settings, name), name or DEFAULT
        counted = account.meter.since_start()
        self._add(self._requests, counted["sent"], account=label)
        for reason in (THROTTLED, QUOTA_SPENT):
            self._add(self._refusals, counted[reason], account=label, reason=reason)
        for result, count in account.renewals.items():
            self._add(self._renewals, count, account=label, result=result)
        return LoginState(settings, name)

    def _add(self, counter: Any, total: int, **labels: str) -> None:
        """A counter takes what has been added; an account that was made anew counts from nothing."""
        key = (counter.describe()[0].name, *labels.values())
        before = self._told.get(key, 0)
        counter.labels(**labels).inc(total - before if total >= before else total)
        self._told[key] = total

    def _show(self, state: LoginState) -> None:
        waits = state.pending is not None and state.pending.state == WAITING
        now = WAITING if waits and not state.logged_in else state.standing.name.lower()
        self._set(state.account or DEFAULT, now, max(0.0, state.seconds_left) if state.logged_in else 0.0)

    def _set(self, label: str, now: str | None, left: float) -> None:
        for state in STATES:
            self._state.labels(account=label, state=state).set(state == now)
        self._left.labels(account=label).set(left)


def keep_metrics(server: ModuleType) -> None:
    """Keep the metrics of a proxy, whose module `proxy_server` this is, in a thread as long as it lives."""
    wait = threading.Event().wait  # nobody sets it
    threading.Thread(target=keep, args=(server, wait), name="qwen-ai-metrics", daemon=True).start()


def keep(
    server: ModuleType, wait: Callable[[float], object], make: Callable[[], Metrics] = Metrics
) -> NoReturn:
    """Look at the accounts for ever, with `wait` in between; what is in the way is said once in the log."""
    metrics: Metrics | None = None
    said = ""
    while True:
        try:
            if metrics is None and _served(server):
                metrics = make()
            if metrics is not None:
                metrics.update(server)
            if said:
                _log.warning("The metrics of the Qwen accounts are true again.")
            said = ""
        except Exception as error:  # noqa: BLE001  # whatever it is: an alert must not sleep for it
            if metrics is not None:
                metrics.lose()
            if said != type(error).__name__:
                known = isinstance(error, QwenAuthError)
                _log.warning(
                    "The metrics show the Qwen accounts as unusable until they can be read again. %s",
                    error,
                    exc_info=None if known else error,
                )
            said = type(error).__name__
        wait(INTERVAL if metrics is not None else INTERVAL / 5)


def _is_needed(settings: Settings, state: LoginState, deployed: list[str | None]) -> bool:
    """Whether anybody misses the default account's login: there is one, or a deployment would use it."""
    if state.standing is not Standing.SIGNED_OUT or state.pending is not None:
        return True
    for name in deployed:
        with contextlib.suppress(QwenAuthError):  # that account's calls say what is wrong
            if name is None or resolved_name(settings, name) is None:
                return True
    return False


def _served(server: ModuleType) -> bool:
    """Whether LiteLLM has been told to serve `/metrics`, which it reads in its config after our start."""
    return any(getattr(route, "path", None) == "/metrics" for route in server.app.routes)
