"""What the accounts of one store have in common."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from litellm_qwen_ai.oauth.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from litellm_qwen_ai.oauth.clocks import Clocks
    from litellm_qwen_ai.stores.redis.limits import Limits
    from litellm_qwen_ai.stores.redis.link import Link
    from litellm_qwen_ai.stores.redis.sealing import Sealer
    from litellm_qwen_ai.stores.redis.watch import Watcher

DEFAULT = "_default"
"""The default account's name in the store; no account can be named so."""


@dataclass(frozen=True, eq=False)
class Shared:
    """What the accounts of one store have in common.

    Attributes:
        link: The way to the store.
        sealer: Seals what is secret.
        prefix: What all keys begin with.
        folder: Where answers are caught on this machine; None: nowhere.
        watcher: Hears of changes.
        limits: The times of the rules.
        clocks: The time; a login's end is told by it.
        elapsed: Seconds on a clock for waiting that also runs while the machine sleeps.
    """

    link: Link
    sealer: Sealer
    prefix: str
    folder: Path | None
    watcher: Watcher
    limits: Limits
    clocks: Clocks
    elapsed: Callable[[], float]

    @property
    def channel(self) -> str:
        """Where changes are told."""
        return f"{self.prefix}:changes"

    @property
    def names_key(self) -> str:
        """The set of the accounts' names: a hint, mended when it disagrees."""
        return f"{self.prefix}:accounts"

    def describe(self) -> str:
        """The store without its password."""
        return self.link.address.shown

    def name_of(self, account: str | None) -> str:
        """An account's name in the store."""
        return DEFAULT if account is None else account

    def key(self, account: str | None, what: str) -> str:
        """A key of an account. What is in braces keeps an account's keys on one node of a cluster."""
        return f"{{{self.prefix}:{self.name_of(account)}}}:{what}"

    def list_account(self, account: str | None, *, there: bool) -> None:
        """Put an account on the list, or take it off."""
        if account is not None:
            with contextlib.suppress(StoreError):
                self.link.send("SADD" if there else "SREM", self.names_key, account)
