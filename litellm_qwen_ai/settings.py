"""Every environment variable of the package, read in one place and at call time.

| Variable | Meaning | Default |
|---|---|---|
| `QWEN_TOKEN_DIR` | folder of the logins (`~` expands) | `litellm/qwen_ai` in the user's config folder |
| `QWEN_AUTH_FILE` | the default account's file in it: a name, no path | `oauth_creds.json` |
| `QWEN_API_BASE` | base URL of the chat endpoint | the login's own |
| `QWEN_API_KEY` | bearer to use instead of the login | none |
| `QWEN_OAUTH_BASE_URL` | OAuth server; https, or http on loopback | `https://chat.qwen.ai` |
| `QWEN_OAUTH_CLIENT_ID` | OAuth client id | Qwen's public device client |
| `QWEN_COALESCE` | `0` keeps text deltas apart ([more](docs/litellm.md#merged-deltas)) | `1` |
| `QWEN_HOST_ADAPTATIONS` | `0` turns off the three adaptations of LiteLLM ([more](docs/litellm.md)) | `1` |

A variable that is empty counts as not set.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from litellm_qwen_ai.names import DEFAULT_AUTH_FILE, DEFAULT_CLIENT_ID, DEFAULT_OAUTH_BASE_URL, login_command
from litellm_qwen_ai.oauth.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from litellm_qwen_ai.stores.files.login import FileStore

_ACCOUNT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_OFF = frozenset({"0", "false", "no", "off"})


@dataclass(frozen=True, slots=True)
class Settings:
    """What the environment says; see the module docstring for each variable."""

    token_dir: Path
    auth_file: str = DEFAULT_AUTH_FILE
    oauth_base_url: str = DEFAULT_OAUTH_BASE_URL
    oauth_client_id: str = DEFAULT_CLIENT_ID
    api_base: str | None = None
    api_key: str | None = field(default=None, repr=False)
    coalesce: bool = True
    host_adaptations: bool = True

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None) -> Settings:
        """Read the environment as it is now.

        Args:
            environ: The variables to read; `os.environ` by default.

        Raises:
            ConfigurationError: `QWEN_TOKEN_DIR` names an unknown home folder.
        """
        return _as_it_is_now() if environ is None else cls._read(environ)

    @classmethod
    def _read(cls, source: Mapping[str, str]) -> Settings:
        def value(name: str) -> str | None:
            return source.get(name, "").strip() or None

        return cls(
            token_dir=_folder(value("QWEN_TOKEN_DIR")),
            auth_file=value("QWEN_AUTH_FILE") or DEFAULT_AUTH_FILE,
            oauth_base_url=(value("QWEN_OAUTH_BASE_URL") or DEFAULT_OAUTH_BASE_URL).rstrip("/"),
            oauth_client_id=value("QWEN_OAUTH_CLIENT_ID") or DEFAULT_CLIENT_ID,
            api_base=value("QWEN_API_BASE"),
            api_key=value("QWEN_API_KEY"),
            coalesce=is_on("QWEN_COALESCE", source),
            host_adaptations=is_on("QWEN_HOST_ADAPTATIONS", source),
        )

    def store(self, account: str | None = None) -> FileStore:
        """The credentials file of one account.

        Args:
            account: An account's name; `None` is the default account, `QWEN_AUTH_FILE`.

        Raises:
            ConfigurationError: The file name or the account's name is not allowed.
        """
        from litellm_qwen_ai.stores.files.login import FileStore  # noqa: PLC0415  # programs with a key need none

        if account is None:
            return FileStore(self.token_dir, self.auth_file)
        if not _ACCOUNT.fullmatch(account):
            raise ConfigurationError(
                f"{account!r} is no account name: use letters, digits, '.', '_' and '-', "
                "starting with a letter or digit. An account is a name, never a path."
            )
        return FileStore(self.token_dir, f"{account}.json", login_command=login_command(account))


#: All that the settings depend on: ours, and those that say where a user's folders are.
_READ = (
    "QWEN_TOKEN_DIR",
    "QWEN_AUTH_FILE",
    "QWEN_OAUTH_BASE_URL",
    "QWEN_OAUTH_CLIENT_ID",
    "QWEN_API_BASE",
    "QWEN_API_KEY",
    "QWEN_COALESCE",
    "QWEN_HOST_ADAPTATIONS",
    "HOME",
    "USERPROFILE",
    "XDG_CONFIG_HOME",
)
_last: tuple[tuple[str | None, ...], Settings] | None = None


def _as_it_is_now() -> Settings:
    """The settings; made anew when a variable has changed, since that takes 14 us and looking 7."""
    global _last  # noqa: PLW0603  # one process has one environment
    values = tuple(map(os.environ.get, _READ))
    last = _last
    if last is None or last[0] != values:
        last = _last = (values, Settings.from_environment(os.environ))
    return last[1]


def _folder(configured: str | None) -> Path:
    if configured is None:
        import platformdirs  # noqa: PLC0415  # only needed when no folder is set

        return Path(platformdirs.user_config_dir("litellm", appauthor=False)) / "qwen_ai"
    try:
        return Path(configured).expanduser()
    except RuntimeError as error:
        raise ConfigurationError(
            f"QWEN_TOKEN_DIR={configured!r} starts with a home folder that does not exist here; "
            "write the folder's full path."
        ) from error


def is_on(name: str, environ: Mapping[str, str] | None = None) -> bool:
    """Whether a switch is on, as all of ours are by default.

    Args:
        name: The variable.
        environ: The variables to read; `os.environ` by default.
    """
    source = os.environ if environ is None else environ
    return source.get(name, "").strip().lower() not in _OFF
