"""Where the logins of all accounts are kept, chosen by the settings."""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, Protocol

from litellm_qwen_ai.oauth.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from litellm_qwen_ai.oauth.door import Store
    from litellm_qwen_ai.quota.meter import Counters
    from litellm_qwen_ai.settings import Settings
    from litellm_qwen_ai.stores.finding import Finding

_ACCOUNT = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_-]|\.(?=[A-Za-z0-9_-]))*")  # each dot before something else


class Place(Protocol):
    """Logins, notes and counts of any number of accounts. None stands for the default account."""

    def describe(self) -> str:
        """The place, for messages; no secret is in it."""

    def login(self, account: str | None) -> Store:
        """Where the login of an account is kept, there or not."""

    def counters(self, account: str | None) -> Counters:
        """Where the requests of an account are counted."""

    def check(self, account: str | None) -> Iterator[Finding]:
        """What `litellm-qwen-ai doctor` says of the place of an account's login; leaves it as it is."""

    def accounts(self) -> list[str]:
        """The named accounts that have a login or one that waits, as far as the place knows; sorted.

        Raises:
            StoreError: The place cannot be read.
        """


def place_of(settings: Settings) -> Place:
    """The place that the settings name.

    Raises:
        ConfigurationError: It cannot be used.
    """
    if settings.store is not None:
        return _fleet(settings.of_places)
    from litellm_qwen_ai.stores.files.place import Folder  # noqa: PLC0415  # each place loads when it is used

    return Folder(settings.token_dir, settings.auth_file)


@functools.lru_cache(maxsize=8)
def _fleet(settings: Settings) -> Place:
    """The process's one place of these settings: it holds connections."""
    try:
        from litellm_qwen_ai.stores.redis.place import RedisPlace  # noqa: PLC0415  # an extra brings what it needs
    except ImportError as error:
        raise ConfigurationError(
            f"QWEN_STORE needs a package that is not installed ({error.name}). "
            "Run: pip install 'litellm-qwen-ai[redis]'"
        ) from None
    return RedisPlace(settings)


def checked_name(account: str | None) -> str | None:
    """An account's name, as it was given.

    Raises:
        ConfigurationError: It is none.
    """
    if account is not None and not _ACCOUNT.fullmatch(account):
        raise ConfigurationError(
            f"{account!r} is no account name: use letters, digits, '.', '_' and '-', "
            "starting with a letter or digit; no '..', and no '.' at the end. "
            "An account is a name, never a path."
        )
    return account
