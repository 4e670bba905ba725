"""The places that the contract is held against: files, a real Valkey, one that does as a test tells it."""

from __future__ import annotations

import contextlib
import secrets
import threading
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol

from litellm_qwen_ai.oauth.door import StoredCredentials, Taken
from litellm_qwen_ai.oauth.errors import ReadOnlyStoreError, StoreError
from litellm_qwen_ai.quota.tally import Tally
from litellm_qwen_ai.settings import Settings
from litellm_qwen_ai.stores.files.place import Folder
from litellm_qwen_ai.stores.redis.place import RedisPlace
from tests.valkey import KEY, shared_valkey

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator
    from pathlib import Path

    from typing_extensions import Self

    from litellm_qwen_ai.oauth.credentials import Credentials
    from litellm_qwen_ai.oauth.door import Store, TurnAnswer
    from litellm_qwen_ai.stores.place import Place


class Harness(Protocol):
    """A place, and what can happen to it behind everybody's back."""

    def place(self) -> Place:
        """The place as one more process sees it."""

    def lose_last_write(self, before: Credentials) -> None:
        """Put the place back to where it held `before`, as a restored backup would."""

    def write_behind(self, credentials: Credentials) -> None:
        """Renew the login without asking for a turn, as Qwen Code does."""

    def remove_behind(self) -> None:
        """Log out without asking for a turn."""

    def refuse_writes(self) -> None:
        """From now on nothing can be written."""


class Files:
    """A folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "qwen"
        self._file = self.folder / "oauth_creds.json"

    def place(self) -> Place:
        return Folder(self.folder, "oauth_creds.json")

    def lose_last_write(self, before: Credentials) -> None:
        self._file.write_bytes(before.to_json())

    def write_behind(self, credentials: Credentials) -> None:
        self._file.write_bytes(credentials.to_json())

    def remove_behind(self) -> None:
        self._file.unlink()

    def refuse_writes(self) -> None:
        lock = self._file.with_name("oauth_creds.json.lock")
        lock.unlink(missing_ok=True)
        lock.symlink_to("/nowhere/at/all")


class Redis:
    """A real Valkey, with a prefix and a user of its own."""

    def __init__(self, folder: Path) -> None:
        self._server, name = shared_valkey(), f"contract-{secrets.token_hex(4)}"
        self._user("reset", "on", ">pass", "~*", "&*", "+@all", name=name)
        self._name = name
        self._settings = Settings(
            str(folder),
            store=f"redis://{name}:pass@127.0.0.1:{self._server.port}/0",
            store_key=KEY,
            store_prefix=name,
        )

    def _user(self, *rules: str, name: str) -> None:
        self._server.client.execute_command("ACL", "SETUSER", name, *rules)

    def place(self) -> RedisPlace:
        return RedisPlace(self._settings)

    def lose_last_write(self, before: Credentials) -> None:
        store = self.place().login(None)
        store.look()
        number, n = store.version
        old = store._sealed(before, number, n - 1)
        fields = {"n": n - 1, "record": old.record, "mark": old.mark, "ends": before.expiry_date}
        self._server.client.hset(store.keys[0], mapping=fields)

    def write_behind(self, credentials: Credentials) -> None:
        self.place().login(None).save(credentials)

    def remove_behind(self) -> None:
        self.place().login(None).delete()

    def refuse_writes(self) -> None:
        self._user("-hset", "-set", name=self._name)


@dataclass
class Shared:
    """What all handles of a place in memory share."""

    records: dict[str | None, tuple[int, Credentials]] = field(default_factory=dict)
    notes: dict[str | None, bytes] = field(default_factory=dict)
    counts: dict[str | None, Tally] = field(default_factory=dict)
    turns: dict[str | None, threading.Lock] = field(default_factory=dict)
    number: int = 0
    read_only: bool = False
    gone: bool = False
    before_look: Callable[[], object] = lambda: None
    mutex: Any = field(default_factory=threading.RLock)


class Memory:
    """A deliberately awkward place: it orders logins by number, and does what a test tells it to."""

    def __init__(self, _folder: Path) -> None:
        self.shared = Shared()

    def place(self) -> Place:
        return MemoryPlace(self.shared)

    def lose_last_write(self, before: Credentials) -> None:
        number, _ = self.shared.records[None]
        self.shared.records[None] = number - 1, before

    def write_behind(self, credentials: Credentials) -> None:
        self.shared.number += 1
        self.shared.records[None] = self.shared.number, credentials

    def remove_behind(self) -> None:
        self.shared.records.pop(None)

    def refuse_writes(self) -> None:
        self.shared.read_only = True


class MemoryPlace:
    def __init__(self, shared: Shared) -> None:
        self._shared = shared

    def describe(self) -> str:
        return "a place in memory"

    def login(self, account: str | None) -> MemoryStore:
        return MemoryStore(self._shared, account)

    def counters(self, account: str | None) -> MemoryCounters:
        return MemoryCounters(self._shared, account)

    def check(self, account: str | None) -> Iterator[Any]:
        del account
        yield from ()

    def accounts(self) -> list[str]:
        return sorted(name for name in {*self._shared.records, *self._shared.notes} if name is not None)


class MemoryCounters:
    def __init__(self, shared: Shared, account: str | None) -> None:
        self._shared, self._account = shared, account

    def read(self) -> Tally:
        return self._shared.counts.get(self._account, Tally()).copy()

    def add(self, new: Tally, now: float) -> bool:
        if self._shared.read_only:
            raise ReadOnlyStoreError("A place in memory takes no writes.")
        with self._shared.mutex:
            total = self.read()
            total.merge(new)
            total.prune(now)
            self._shared.counts[self._account] = total
        return True


class MemoryStore:
    login_command = "litellm-qwen-ai login"
    look_interval = 1.0

    def __init__(self, shared: Shared, account: str | None) -> None:
        self._shared, self._account = shared, account

    @property
    def key(self) -> Hashable:
        return id(self._shared), self._account

    def describe(self) -> str:
        return "a place in memory"

    def guard(self) -> str | None:
        return self.mode()

    def mode(self) -> str | None:
        return "in memory" if self._account in self._shared.records else None

    def look(self, known: StoredCredentials | None = None) -> StoredCredentials | None:
        self._shared.before_look()
        if self._shared.gone:
            raise StoreError("A place in memory cannot be reached. Try again.")
        record = self._shared.records.get(self._account)
        if record is None:
            return None
        number, credentials = record
        if known is None or not isinstance(known.version, int) or known.version < number:
            return StoredCredentials(credentials, number)
        if known.version > number:
            return replace(known, unsaved=True)
        if known.unsaved or known.credentials == credentials:
            return known
        return StoredCredentials(credentials, number)

    def turn(self, known: StoredCredentials) -> TurnAnswer:
        lock = self._shared.turns.setdefault(self._account, threading.Lock())
        if not lock.acquire(blocking=False):
            stored = self.look(known)
            return Taken("Somebody", "has had the turn", "Wait.") if stored is known else stored
        with contextlib.ExitStack() as held:
            held.callback(lock.release)
            stored = self.look(known)
            if stored is not known and not (stored is not None and stored.unsaved):
                return stored
            return MemoryTurn(self, known, held.pop_all())

    def put_back(self, known: StoredCredentials) -> StoredCredentials | None:
        with self._shared.mutex:
            stored = self.look(known)
            if stored is None or not stored.unsaved:
                return stored
            return self.write(known.credentials)

    def write(self, credentials: Credentials) -> StoredCredentials:
        if self._shared.read_only:
            raise ReadOnlyStoreError("A place in memory takes no writes.")
        with self._shared.mutex:
            self._shared.number += 1
            self._shared.records[self._account] = self._shared.number, credentials
            return StoredCredentials(credentials, self._shared.number)

    def save(self, credentials: Credentials) -> StoredCredentials:
        return self.write(credentials)

    def delete(self) -> str | None:
        return "the login" if self._shared.records.pop(self._account, None) else None

    def note(self) -> bytes | None:
        return self._shared.notes.get(self._account)

    def swap_note(self, old: bytes | None, new: bytes | None) -> bool:
        with self._shared.mutex:
            if self.note() != old:
                return False
            self._shared.notes.pop(self._account, None)
            if new is not None:
                self._shared.notes[self._account] = new
            return True

    def ping(self, patience: float | None = None) -> None:
        del patience
        if self._shared.read_only:
            raise ReadOnlyStoreError("A place in memory takes no writes.")

    def watch(self, changed: Callable[[], None]) -> None:
        pass


class MemoryTurn:
    def __init__(self, store: MemoryStore, known: StoredCredentials, held: contextlib.ExitStack) -> None:
        self._store, self._known, self._held = store, known, held
        self.caught = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._held.close()

    def expect(self) -> None:
        self.caught = 0

    def catch(self, piece: bytes) -> None:
        self.caught += len(piece)

    def patience(self) -> float | None:
        return 30.0

    def put(self, credentials: Credentials) -> StoredCredentials | None:
        stored = self._store.look(self._known)
        if stored is None or not (stored is self._known or stored.unsaved):
            return stored
        return self._store.write(credentials)

    def refused(self, reason: str) -> StoredCredentials | None:
        del reason
        stored = self._store.look(self._known)
        return None if stored is self._known else stored


HARNESSES: dict[str, type[Files | Redis | Memory]] = {"files": Files, "redis": Redis, "memory": Memory}


def default_login(harness: Harness) -> Store:
    """The default account's login, as one more process sees it."""
    return harness.place().login(None)
