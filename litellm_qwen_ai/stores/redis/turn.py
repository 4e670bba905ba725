"""The turn to renew a login in the store: sent in time, caught on this machine, put by comparison."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Protocol

from litellm_qwen_ai.oauth.errors import StoreError
from litellm_qwen_ai.stores.files import disk
from litellm_qwen_ai.stores.files.answer import AnswerFile
from litellm_qwen_ai.stores.redis.state import NOTHING

if TYPE_CHECKING:
    from collections.abc import Callable

    from typing_extensions import Self

    from litellm_qwen_ai.oauth.credentials import Credentials
    from litellm_qwen_ai.oauth.door import StoredCredentials
    from litellm_qwen_ai.stores.redis.limits import Limits
    from litellm_qwen_ai.stores.redis.state import State


class _Home(Protocol):
    """What a turn needs of the store that gave it."""

    @property
    def limits(self) -> Limits: ...
    @property
    def elapsed(self) -> Callable[[], float]: ...
    def take_again(self, state: State) -> bool: ...
    def give_back(self, spent: str) -> None: ...
    def turn_ended(self, turn: AnswerFile, *, keep: bool) -> None: ...
    def put_renewal(self, old: State, credentials: Credentials) -> StoredCredentials | None: ...
    def note_refusal(self, state: State, reason: str) -> StoredCredentials | None: ...


class RedisTurn(AnswerFile):
    """See `door.Turn`. Without a file to catch the answer in, all else still works.

    Args:
        store: Whose login is renewed.
    """

    def __init__(self, store: _Home) -> None:
        super().__init__()
        self._store, self._state, self._asked = store, NOTHING, 0.0
        self._settled = self._keep = False

    def begin(self, state: State, asked: float) -> None:
        """It is ours, for the login in this state; `asked` is by the store's clock for waiting."""
        self._state, self._asked = state, asked
        if self._fd is not None:
            with contextlib.suppress(OSError):
                disk.blank(self._fd, disk.RESERVE)
                os.fsync(self._fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        try:
            if not self._settled:
                with contextlib.suppress(StoreError):  # else it ends by its age
                    self._store.give_back(self._state.mark)
        finally:
            self._store.turn_ended(self, keep=self._keep)

    def patience(self) -> float | None:
        """See `door.Turn.patience`: after a pause or a sleep the turn is asked for again."""
        age = self._store.elapsed() - self._asked
        limits = self._store.limits
        if age > limits.send:
            asked = self._store.elapsed()
            if not self._store.take_again(self._state):
                return None
            self._asked, age = asked, self._store.elapsed() - asked
        # It must end before the turn does.
        return max(limits.turn - limits.send - age, 0.0)

    def put(self, credentials: Credentials) -> StoredCredentials | None:
        """See `door.Turn.put`."""
        self._settled = self._keep = True
        stored = self._store.put_renewal(self._state, credentials)
        self._keep = False
        return stored

    def refused(self, reason: str) -> StoredCredentials | None:
        """See `door.Turn.refused`. A `RefreshError`: it is not certain that the login has ended."""
        self._settled = True
        return self._store.note_refusal(self._state, reason)
