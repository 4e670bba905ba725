"""The store of a fleet: the logins of all accounts, and what they have in common."""

from __future__ import annotations

import contextlib
import hashlib
from typing import TYPE_CHECKING

from litellm_qwen_ai.oauth.clocks import CLOCKS, Clocks
from litellm_qwen_ai.oauth.errors import ConfigurationError, CorruptCredentialsError
from litellm_qwen_ai.stores.redis.address import address_of
from litellm_qwen_ai.stores.redis.checks import check
from litellm_qwen_ai.stores.redis.counters import RedisCounters
from litellm_qwen_ai.stores.redis.limits import LIMITS, Limits, elapsed
from litellm_qwen_ai.stores.redis.link import Link
from litellm_qwen_ai.stores.redis.login import RedisStore
from litellm_qwen_ai.stores.redis.sealing import sealer_of
from litellm_qwen_ai.stores.redis.shared import Shared
from litellm_qwen_ai.stores.redis.watch import Watcher

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from litellm_qwen_ai.settings import Settings
    from litellm_qwen_ai.stores.finding import Finding

#: What a pattern of keys gives a meaning to, a space, and the braces that we add ourselves.
_NOT_IN_PREFIX = frozenset("{}*?[]\\ ")


class RedisPlace:
    """See `stores.place.Place`.

    Args:
        settings: What the environment says.
        clocks: The time.
        limits: The times of the rules.
        waiting: Seconds on a clock for waiting that also runs while the machine sleeps.

    Raises:
        ConfigurationError: The address, the key or the prefix cannot be used.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        clocks: Clocks = CLOCKS,
        limits: Limits = LIMITS,
        waiting: Callable[[], float] = elapsed,
    ) -> None:
        prefix = settings.store_prefix
        if set(prefix) & _NOT_IN_PREFIX or not prefix.isprintable():
            raise ConfigurationError(
                f"QWEN_STORE_PREFIX={prefix!r} cannot be used: it begins all keys, also in the patterns of a "
                f"user's rights: no spaces, and none of {' '.join(sorted(_NOT_IN_PREFIX - {' '}))}."
            )
        address = address_of(settings.store or "", dict(settings.litellm_redis))
        link = Link(address, limits, waiting)
        self._shared = Shared(
            link=link,
            sealer=sealer_of(settings),
            prefix=prefix,
            folder=_folder(settings, f"{address.shown}\n{prefix}"),
            watcher=Watcher(link, f"{prefix}:changes", limits),
            limits=limits,
            clocks=clocks,
            elapsed=waiting,
        )

    def __repr__(self) -> str:
        return f"RedisPlace({self.describe()!r})"

    def describe(self) -> str:
        """The store without its password."""
        return self._shared.describe()

    def login(self, account: str | None) -> RedisStore:
        """Where an account's login is kept."""
        return RedisStore(self._shared, account)

    def counters(self, account: str | None) -> RedisCounters:
        """The counts of an account."""
        return RedisCounters(self._shared.link, self._shared.key(account, "use"))

    def check(self, account: str | None) -> Iterator[Finding]:
        """The server, our rights there, and whether the key fits."""
        return check(self._shared, self.login(account).keys, self.accounts)

    def accounts(self) -> list[str]:
        """The accounts of the list that have a login or one that waits; the others are taken off it."""
        shared = self._shared
        try:
            listed = sorted(name.decode() for name in shared.link.send("SMEMBERS", shared.names_key))
        except CorruptCredentialsError as error:  # other programs may well have a key of such a name
            raise CorruptCredentialsError(
                f"The list of accounts cannot be read: {error}; else remove it there: "
                f"redis-cli DEL {shared.names_key}. Each login is listed anew when it is renewed."
            ) from None
        asked = [
            command
            for name in listed
            for command in (
                ("HEXISTS", shared.key(name, "login"), "record"),
                ("EXISTS", shared.key(name, "note")),
            )
        ]
        found = shared.link.send_all(asked) if asked else []
        there = [name for place, name in enumerate(listed) if any(found[2 * place : 2 * place + 2])]
        for name in set(listed) - set(there):
            shared.list_account(name, there=False)
        return there

    def close(self) -> None:
        """End what runs in the background, and the connections."""
        self._shared.watcher.close()
        self._shared.link.close()


def _folder(settings: Settings, store: str) -> Path | None:
    """A folder for each store: what was caught of another one's renewals is not ours to judge."""
    with contextlib.suppress(ConfigurationError):
        return settings.token_dir / "caught" / hashlib.sha256(store.encode()).hexdigest()[:16]
    return None
