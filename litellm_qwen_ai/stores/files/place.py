"""A folder of logins: the default account's file, `<name>.json` for each other one, and their counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from litellm_qwen_ai.names import login_command
from litellm_qwen_ai.stores.files import disk
from litellm_qwen_ai.stores.files.checks import check
from litellm_qwen_ai.stores.files.counters import FOLDER, FileCounters
from litellm_qwen_ai.stores.files.login import NOTE_SUFFIX, FileStore

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from litellm_qwen_ai.stores.finding import Finding


class Folder:
    """See `stores.place.Place`. The folder need not be there; `auth_file` is the default account's file."""

    def __init__(self, path: Path, auth_file: str) -> None:
        self._path = path
        self._auth_file = auth_file

    def __repr__(self) -> str:
        return f"Folder({self.describe()!r})"

    def describe(self) -> str:
        """The folder's path."""
        return str(self._path)

    def login(self, account: str | None) -> FileStore:
        """The file of an account."""
        file = self._auth_file if account is None else f"{account}.json"
        return FileStore(self._path, file, login_command=login_command(account))

    def counters(self, account: str | None) -> FileCounters:
        """The counts of an account."""
        return FileCounters(self._path / FOLDER / f"{self.login(account).path.stem}.json")

    def check(self, account: str | None) -> Iterator[Finding]:
        """The folder, the file, and what an interrupted renewal has left."""
        return check(self.login(account))

    def accounts(self) -> list[str]:
        """The names of all files that could be an account's, that of the default one aside."""
        files = set()
        with disk.store_errors("look into", self._path, writing=False):
            for path in disk.entries(self._path):
                file = path.name.removesuffix(NOTE_SUFFIX)
                if file.endswith(".json") and file != self._auth_file:
                    files.add(file.removesuffix(".json"))
        return sorted(files)
