"""Every environment variable of the package, read in one place and at call time.

| Variable | Meaning | Default |
|---|---|---|
| `QWEN_TOKEN_DIR` | folder of the logins (`~` expands) | `litellm/qwen_ai` in the user's config folder |
| `QWEN_AUTH_FILE` | the default account's file in it: a name, no path | `oauth_creds.json` |
| `QWEN_API_BASE` | base URL of the chat endpoint | the login's own |
| `QWEN_API_KEY` | bearer to use instead of the login | none |
| `QWEN_OAUTH_BASE_URL` | OAuth server; https, or http on loopback | `https://chat.qwen.ai` |
| `QWEN_OAUTH_CLIENT_ID` | OAuth client id | Qwen's public device client |
| `QWEN_STORE` | where a fleet keeps its logins: Redis or Valkey ([more](docs/fleet.md)) | files |
| `QWEN_STORE_KEY` | what seals them there: 32 bytes in base64 | made from `LITELLM_SALT_KEY` |
| `QWEN_STORE_PREFIX` | what all keys there begin with | `qwen_ai` |
| `QWEN_COALESCE` | `0` keeps text deltas apart ([more](docs/litellm.md#merged-deltas)) | `1` |
| `QWEN_HOST_ADAPTATIONS` | `0` turns off the adaptations of LiteLLM ([more](docs/litellm.md)) | `1` |

A variable that is empty counts as not set.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from litellm_qwen_ai.names import (
    DEFAULT_API_BASE,
    DEFAULT_AUTH_FILE,
    DEFAULT_CLIENT_ID,
    DEFAULT_OAUTH_BASE_URL,
    DEFAULT_STORE_PREFIX,
)
from litellm_qwen_ai.oauth.errors import ConfigurationError
from litellm_qwen_ai.oauth.urls import checked_url, own_base
from litellm_qwen_ai.plans import completed, wrapping

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from litellm_qwen_ai.oauth.credentials import Credentials

#: Names and values.
Pairs: TypeAlias = tuple[tuple[str, str], ...]
#: What says where a user's folders are: with it, equal settings mean equal folders.
_HOMES = ("HOME", "USERPROFILE", "XDG_CONFIG_HOME")
#: In `QWEN_STORE`: the Redis of LiteLLM. In `QWEN_STORE_KEY`: the key that is made from LiteLLM's salt.
LITELLM = "litellm"
_OFF = frozenset({"0", "false", "no", "off"})
_SWITCHES = ("QWEN_COALESCE", "QWEN_HOST_ADAPTATIONS")


@dataclass(frozen=True, slots=True)
class Settings:
    """What the environment says; see the module docstring for each variable."""

    configured_dir: str | None = None
    auth_file: str = DEFAULT_AUTH_FILE
    oauth_base_url: str = DEFAULT_OAUTH_BASE_URL
    oauth_client_id: str = DEFAULT_CLIENT_ID
    api_base: str | None = None
    api_key: str | None = field(default=None, repr=False)
    coalesce: bool = True
    homes: tuple[str | None, ...] = ()
    store: str | None = field(default=None, repr=False)
    store_key: str | None = field(default=None, repr=False)
    store_prefix: str = DEFAULT_STORE_PREFIX
    salt_key: str | None = field(default=None, repr=False)
    litellm_redis: Pairs = field(default=(), repr=False)

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None) -> Settings:
        """Read the environment as it is now, `os.environ` by default."""
        source = os.environ if environ is None else environ

        def value(name: str) -> str | None:
            return source.get(name, "").strip() or None

        folder, store, key = value("QWEN_TOKEN_DIR"), value("QWEN_STORE"), value("QWEN_STORE_KEY")
        return cls(
            configured_dir=folder,
            auth_file=value("QWEN_AUTH_FILE") or DEFAULT_AUTH_FILE,
            oauth_base_url=(value("QWEN_OAUTH_BASE_URL") or DEFAULT_OAUTH_BASE_URL).rstrip("/"),
            oauth_client_id=value("QWEN_OAUTH_CLIENT_ID") or DEFAULT_CLIENT_ID,
            api_base=completed(value("QWEN_API_BASE") or "") or None,
            api_key=value("QWEN_API_KEY"),
            coalesce=is_on("QWEN_COALESCE", source),
            homes=() if folder else tuple(map(source.get, _HOMES)),
            store=store,
            store_key=key,
            store_prefix=value("QWEN_STORE_PREFIX") or DEFAULT_STORE_PREFIX,
            salt_key=value("LITELLM_SALT_KEY") if store and LITELLM in (key or LITELLM) else None,
            litellm_redis=_redis_of_host(_litellm_redis(source)) if store == LITELLM else (),
        )

    @property
    def of_places(self) -> Settings:
        """Without what only calls look at: equal ones mean the same places and sessions."""
        return replace(self, api_base=None, api_key=None, coalesce=True)

    def address(self, credentials: Credentials | None = None, api_base: str | None = None) -> tuple[str, str]:
        """Where calls go, and for messages what says so: the one rule for calls, commands and pages.

        Args:
            credentials: The login or kept key that is used; None for a key that was given.
            api_base: The call's own base URL, which comes first, before `QWEN_API_BASE`.

        Raises:
            ConfigurationError: The login names an address to which no token may be sent, and nothing comes
                before it.
        """
        if api_base is not None:
            return api_base, "api_base"
        if self.api_base is not None:
            return self.api_base, "QWEN_API_BASE"
        own = None if credentials is None else credentials.api_base
        if credentials is None or own is None:
            return DEFAULT_API_BASE, "the default"
        return own, "the kept key's plan" if credentials.is_key else "the login's resource_url"

    @property
    def store_note(self) -> str | None:
        """What a command cannot see of the store; None if there is nothing more."""
        if self.store != LITELLM:
            return None
        return (
            "QWEN_STORE=litellm means here what the REDIS_ variables say; a proxy also uses its config "
            "(cache_params, router_settings), which commands cannot see"
        )

    @property
    def token_dir(self) -> Path:
        """The folder of the logins, there or not.

        Raises:
            ConfigurationError: No folder is set and there is no home folder, or not the one that is named.
        """
        configured = self.configured_dir
        folder = Path(configured or "~")
        with contextlib.suppress(RuntimeError):  # there is no such home folder: it says so below
            if configured is None:
                import platformdirs  # noqa: PLC0415  # only needed when no folder is set

                folder = Path(platformdirs.user_config_dir("litellm", appauthor=False)) / "qwen_ai"
            folder = folder.expanduser()
        if str(folder).startswith("~") or (configured is None and not folder.is_absolute()):
            raise ConfigurationError(
                f"QWEN_TOKEN_DIR={configured!r} starts with a home folder that does not exist here; "
                "write the folder's full path."
                if configured
                else "There is no home folder to keep logins in. Set QWEN_TOKEN_DIR to a folder of this user."
            )
        return folder


def _litellm_redis(source: Mapping[str, str]) -> Pairs:
    """What LiteLLM's own variables say of its Redis, by their names without `REDIS_`, in lower case."""
    named = (item for item in source.items() if item[0].startswith("REDIS_") and item[1])
    return tuple(sorted((name.removeprefix("REDIS_").lower(), text) for name, text in named))


_redis_of_host: Callable[[Pairs], Pairs] = tuple  # a program that uses LiteLLM has but the variables


def use_redis_of(host: Callable[[Pairs], Pairs]) -> None:
    """Let another function say which Redis `QWEN_STORE=litellm` means.

    Args:
        host: Gets what the variables say; asked whenever the environment is read, so it has to be quick.
    """
    global _redis_of_host  # noqa: PLW0603  # one process has one host
    _redis_of_host = host


def doubts(environ: Mapping[str, str] | None = None) -> Iterator[str]:
    """What is odd about the variables, a sentence each. Nothing is refused here: calls and logins do that."""
    source = os.environ if environ is None else environ
    settings = Settings.from_environment(source)
    base = source.get("QWEN_API_BASE", "").strip().partition("?")[0]  # a query may hold a secret
    yield from _doubt_of(base, own_base, "QWEN_API_BASE") if base else ()
    if settings.api_key and (around := wrapping(settings.api_key)):
        yield f"QWEN_API_KEY stands {around}. Give the key alone."
    yield from _doubt_of(settings.oauth_base_url, checked_url, "QWEN_OAUTH_BASE_URL")
    for name in _SWITCHES:
        said = source.get(name, "").strip()
        if said not in {"", "0", "1"}:
            yield f"{name}={said} is neither 0 nor 1; it counts as {is_on(name, source):d}."


def _doubt_of(url: str, check: Callable[[str, str], str], name: str) -> Iterator[str]:
    try:
        taken = check(url, name)
    except ConfigurationError as error:
        yield str(error)
    else:
        if "://" not in url:
            yield f"{name}={url} has no https:// in front, so it means {taken}."


def is_on(name: str, environ: Mapping[str, str] | None = None) -> bool:
    """Whether a switch in the environment is on, as all of ours are by default."""
    source = os.environ if environ is None else environ
    return source.get(name, "").strip().lower() not in _OFF
