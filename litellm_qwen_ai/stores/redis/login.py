"""One login in Redis or Valkey, for any number of machines. `docs/fleet.md` says what it survives.

This process remembers the newest state that it has seen. Whenever the store turns out to hold an older one,
as after a flush, a restore or a failover, the newer state is put back.
"""

from __future__ import annotations

import contextlib
import math
import random
import secrets
import socket
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from litellm_qwen_ai.names import login_command, logout_command
from litellm_qwen_ai.oauth.credentials import Credentials
from litellm_qwen_ai.oauth.door import StoredCredentials, Taken
from litellm_qwen_ai.oauth.errors import CorruptCredentialsError, RefreshError, StoreError, ended
from litellm_qwen_ai.oauth.flight import renew_in_child
from litellm_qwen_ai.oauth.rotation import merged_answer
from litellm_qwen_ai.stores.files.disk import mark
from litellm_qwen_ai.stores.redis import scripts
from litellm_qwen_ai.stores.redis.catcher import Catchers, drop
from litellm_qwen_ai.stores.redis.state import NOTHING, State
from litellm_qwen_ai.stores.redis.turn import RedisTurn
from litellm_qwen_ai.stores.redis.watch import TURN

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from litellm_qwen_ai.oauth.door import TurnAnswer
    from litellm_qwen_ai.stores.files.answer import AnswerFile
    from litellm_qwen_ai.stores.redis.link import Argument
    from litellm_qwen_ai.stores.redis.scripts import Script
    from litellm_qwen_ai.stores.redis.shared import Shared

NOTE_KEPT = 86_400  # seconds: longer than any code lives
_TRIES = 5  # how often others may change the login while we read and write it
_CLOCKS_AGREE = 2000  # ms
_SHOWN = 100  # characters of a text that another machine wrote


class RedisStore:
    """A `Store` in the Redis or Valkey that `QWEN_STORE` names, for any number of machines: docs/fleet.md.

    Args:
        shared: What all accounts have in common.
        account: Its name; None is the default one.
    """

    def __init__(self, shared: Shared, account: str | None) -> None:
        self._shared, self._account = shared, account
        self.name = shared.name_of(account)
        self.limits, self.elapsed = shared.limits, shared.elapsed
        self.login_command = login_command(account)
        self.keys = [shared.key(account, "login"), shared.key(account, "turn")]
        self._note_key = shared.key(account, "note")
        self._catchers = Catchers(shared.folder, self.name)
        self._newest = NOTHING
        self._stored = NOTHING.version  # of what the store has answered last
        self._changed: list[Callable[[], None]] = []
        self._open: AnswerFile | None = None  # of the turn that is ours
        self._kept: list[AnswerFile] = []  # with tokens that the store has not taken yet
        self._after_fork()
        renew_in_child(self)

    def _after_fork(self) -> None:
        self._me = secrets.token_hex(16)
        self._mutex = threading.Lock()  # held for a few assignments
        self._waiting: Taken | None = None
        self._ask_again = -math.inf
        parents, self._open = self._open, None
        if parents is not None:
            parents.close(keep=True)  # the lock must end with the parent

    def __repr__(self) -> str:
        return f"RedisStore({self.describe()!r})"

    @property
    def key(self) -> Hashable:
        """The store, the prefix and the account."""
        return ("redis", self._shared.link.address.shown, self._shared.prefix, self._account)

    def describe(self) -> str:
        """The store without its password, the prefix and the account."""
        return f"{self._shared.describe()} ({self._shared.prefix}:{self.name})"

    @property
    def look_interval(self) -> float:
        """Long while the store tells of changes. Else jittered: a fleet must not look all at once."""
        if self._shared.watcher.is_live:
            return self.limits.pushed
        return self.limits.alone * random.uniform(0.8, 1.2)  # noqa: S311  # no secret hangs on it

    @property
    def version(self) -> tuple[int, int]:
        """The version of the newest state that this process knows."""
        return self._newest.version

    def look(self, known: StoredCredentials | None = None) -> StoredCredentials | None:
        """See `Store.look`: one question. What no key opens is a `CorruptCredentialsError`."""
        if self._changed:
            self._shared.watcher.start()
        stored = self._ask(scripts.LOOK)[1]
        if stored.record:
            self._seal_anew(stored, stored.record)
        newest = self._newest
        if stored.version < newest.version:
            if known is not None and newest.credentials is not None:
                return newest.stored(unsaved=True) if known.version != newest.version else _marked(known)
            with contextlib.suppress(StoreError):  # the next look tries again
                self._put(newest)
                newest = self._newest
        if known is not None and known.version == newest.version and newest.credentials is not None:
            return _marked(known, unsaved=False)
        return newest.stored()

    def turn(self, known: StoredCredentials) -> TurnAnswer:
        """See `Store.turn`. A refresh token that was refused already is told as `note_refusal` does."""
        self._shared.watcher.start()
        if self._changed and self._waiting is not None and self.elapsed() < self._ask_again:
            return self._waiting  # word comes when it is over
        self._waiting = None
        spent = mark(known.credentials.refresh_token or "")
        # What this process knows to be newer may not be stored; and a dead process may have left something.
        if self._newest.version != known.version or self._finish(known, spent):
            newest = self._newest
            return newest.stored() if newest.version == self._stored else self._put(newest)
        with contextlib.ExitStack() as unless_ours:
            turn = RedisTurn(self)
            self._catchers.open_for(turn, spent, self._me)
            unless_ours.callback(turn.close)
            for _ in range(_TRIES):
                asked, state = self.elapsed(), self._newest
                if state.version != known.version:
                    return state.stored()
                word, more = self._take(state)
                if word == "go":
                    unless_ours.pop_all()
                    turn.begin(state, asked)
                    self._open = turn
                    return turn
                if word == "behind":
                    self._put(state)
                elif word != "newer":
                    return self._not_ours(word, more)
        return Taken("Another process", "has changed the login again and again", "Try again.")

    def put_back(self, known: StoredCredentials) -> StoredCredentials | None:
        """See `Store.put_back`."""
        del known  # what this process knows is at least that
        return self._put(self._newest)

    def guard(self) -> str | None:
        """How the stored login is kept from others."""
        return self.mode()

    def mode(self) -> str | None:
        """The same: it is one word."""
        return "sealed" if self._newest.credentials is not None else None

    def save(self, credentials: Credentials) -> StoredCredentials:
        """See `LoginStore.save`."""
        return StoredCredentials(credentials, self._by_hand(credentials), self._now())

    def delete(self) -> str | None:
        """See `Store.delete`. It is noted even where nothing is: others may be about to put a login back."""
        try:
            was = self.look() is not None
        except CorruptCredentialsError:
            was = True
        self._by_hand(None)
        self._catchers.drop()
        self._shared.list_account(self._account, there=False)
        return self.describe() if was else None

    def note(self) -> bytes | None:
        """See `LoginStore.note`. What no key opens is a `CorruptCredentialsError`."""
        sealer = self._shared.sealer
        try:
            sealed = self._shared.link.send("GET", self._note_key)
            if sealed is None:
                return None
            note, anew = sealer.open(sealed, *self._note_is), sealer.sealed_anew(sealed, *self._note_is)
        except CorruptCredentialsError as error:
            raise CorruptCredentialsError(
                f"A login waits for approval in {self.describe()}, and cannot be opened: {error}. Or "
                f"replace it: `{self.login_command} --force`; `{logout_command(self._account)}` removes it "
                "together with the login."
            ) from None
        if anew is not None:  # the first key must do alone some day
            with contextlib.suppress(StoreError):
                self._swap(sealed, anew)
        return note

    def swap_note(self, old: bytes | None, new: bytes | None) -> bool:
        """See `LoginStore.swap_note`. What no key opens counts as empty here: so it can be removed."""
        sealed = b""
        try:
            sealed = self._shared.link.send("GET", self._note_key)
            there = None if sealed is None else self._shared.sealer.open(sealed, *self._note_is)
        except CorruptCredentialsError:
            there = b""
        if there != old:
            return False
        if new is None:
            return self._swap(sealed or b"", b"")
        self._shared.list_account(self._account, there=True)
        return self._swap(sealed or b"", self._shared.sealer.seal(new, *self._note_is))

    def ping(self, patience: float | None = None) -> None:
        """See `LoginStore.ping`: writes a key that ends by itself."""
        del patience  # nobody is waited for
        self._shared.link.send("SET", self._shared.key(self._account, "probe"), "", "PX", 1000)

    def watch(self, changed: Callable[[], None]) -> None:
        """See `Store.watch`."""
        self._changed.append(changed)
        self._shared.watcher.add(self)

    def refresh(self) -> bool:
        """Look, and put back what the store has lost; False if that must be tried again."""
        before = self._newest.version
        stored = self._ask(scripts.LOOK)[1]
        if stored.version < self._newest.version:
            try:
                self._put(self._newest)
            except StoreError:
                return False
        if self._newest.version != before:
            self.tell()
        return True

    def tell(self) -> None:
        """The login has changed, or may have: whoever waits looks again."""
        self._waiting = None
        for changed in self._changed:
            changed()

    def take_again(self, state: State) -> bool:
        """Whether a turn is still ours, or is ours again."""
        return self._take(state)[0] == "go"

    def give_back(self, spent: str, name: str | None = None) -> None:
        """Give back a turn: ours, or that of a dead process of this machine."""
        self._refuse(name or self._me, spent, "")

    def turn_ended(self, turn: AnswerFile, *, keep: bool) -> None:
        """The turn is over; what was caught is kept as long as the store does not have it."""
        self._open = None
        turn.close(keep=keep)
        if keep:
            self._kept.append(turn)

    def put_renewal(self, old: State, credentials: Credentials) -> StoredCredentials | None:
        """Put a renewed login; if the store does not take it, this process still knows it."""
        state = self._sealed(credentials, old.number, old.n + 1)
        self._see(state)
        return self._put(state)

    def note_refusal(self, state: State, reason: str) -> StoredCredentials | None:
        """Note that the server takes a refresh token no more; the newer login, if there is one.

        Raises:
            RefreshError: The store has lost data lately, or others have changed the login: it may live.
        """
        word, _, more = self._refuse(self._me, state.mark, reason)
        if self._newest.version > state.version:
            return self._newest.stored()
        self._check_doubt(more[0], reason)
        if word == "other":
            raise RefreshError(
                f"The server refused the refresh token ({reason.rstrip('.')}), but another process has "
                f"changed the login in {self.describe()} meanwhile. Try again."
            )
        return None

    @property
    def _where(self) -> tuple[str, str]:
        return self._shared.prefix, self.name

    @property
    def _note_is(self) -> tuple[str, ...]:
        return (*self._where, "note")

    def _now(self) -> float:
        return self._shared.clocks.now()

    def _finish(self, known: StoredCredentials, spent: str) -> bool:
        """Finish what dead processes of this machine left; True if one of them had new tokens."""
        finished = False
        for left in self._catchers.left(spent):
            new = None
            if left.answer:
                new = merged_answer(known.credentials, left.answer, left.at, self._now())
            if new is not None:
                self.put_renewal(self._newest, new)
                finished = True
            else:
                self.give_back(spent, left.name)
            drop(left.path)
        return finished

    def _take(self, state: State) -> tuple[str, list[Any]]:
        """Ask for the turn to spend the token of this state: `scripts.TAKE` has the answers."""
        times = _milliseconds(self.limits.turn), _milliseconds(self.limits.quiet)
        may_take_over = int(not self._shared.link.was_cut)
        who = self._me, socket.gethostname()
        word, _, more = self._ask(scripts.TAKE, *who, *state.version, may_take_over, *times)
        return word, more

    def _not_ours(self, word: str, more: list[Any]) -> Taken:
        """Why it is not our turn.

        Raises:
            QwenAuthError: It will not be.
        """
        if word == "refused":
            reason = _printable(more[0])
            self._check_doubt(more[1], reason)
            raise ended(self.describe(), self.login_command, reason)
        if word == "wait":
            age = int(more[1]) / 1000
            taken = Taken(
                f"Another process, on {_printable(more[0])},",
                f"has been renewing the login in {self.describe()}",
                f"It is waited for up to {self.limits.turn:g} s: it may have the new tokens already. "
                "If it is stopped, let it go on or end it.",
                age,
            )
        else:
            taken = Taken(
                f"The store {self._shared.describe()}",
                "has been back, after a restart or a loss of data,",
                f"Nothing is renewed for {self.limits.quiet:g} s: somebody may hold newer tokens. Try again.",
                int(more[0]) / 1000,
            )
        self._waiting, self._ask_again = taken, self.elapsed() + self.limits.wait
        return taken

    def _refuse(self, name: str, spent: str, reason: str) -> tuple[str, State, list[Any]]:
        """End a turn with what the server said: nothing, and it is given back."""
        word = self._shared.channel, f"{self.name} {TURN}"
        return self._ask(scripts.REFUSED, name, spent, reason, *word, urgent=True)

    def _check_doubt(self, lost: int | None, reason: str) -> None:
        """Raise `RefreshError` if the store has lost something lately; `lost` is how long ago, in ms."""
        left = self.limits.doubt - int(lost) / 1000 if lost is not None else 0.0
        if left > 0:
            raise RefreshError(
                f"The server refused the refresh token ({reason.rstrip('.')}), but the store "
                f"{self._shared.describe()} has lost data: another process may hold a newer one. If none "
                f"puts it back within {left:.0f} s, the login has ended; `{self.login_command}` mends that.",
                retry_after=min(left, self.limits.quiet),
            )

    def _by_hand(self, credentials: Credentials | None) -> tuple[int, int]:
        """Put a new login, or the trace of a logout: newer than whatever is there; returns its version."""
        for _ in range(_TRIES):
            answer = self._shared.link.run(scripts.LOOK, self.keys, urgent=True)
            number = max(int(answer[1]), int(answer[2] or 0) + 1, self._newest.number + 1)
            state = State(number, 0) if credentials is None else self._sealed(credentials, number, 0)
            self._put(state, by_hand=True)
            if self._newest.version == state.version:
                return state.version
        raise StoreError(f"The login in {self.describe()} was changed by others again and again. Try again.")

    def _sealed(self, credentials: Credentials, number: int, n: int) -> State:
        record = self._shared.sealer.seal(credentials.to_json(), *self._where, number, n)
        return State(number, n, record, mark(credentials.refresh_token or ""), self._now(), credentials)

    def _put(self, state: State, *, by_hand: bool = False) -> StoredCredentials | None:
        """Put a state, unless the store has a newer one; what is there now."""
        now = self._now()
        age = now - state.saved_at if state.saved_at else 0.0
        left = state.credentials.expiry_date / 1000 - now if state.credentials else 0.0
        record = state.record or b"", state.mark, _milliseconds(age), _milliseconds(left), int(by_hand)
        message = self._shared.channel, "{} {} {}".format(self.name, *state.version)
        word, _, _ = self._ask(scripts.PUT, *state.version, *record, *message, urgent=True)
        while self._kept:  # the store has these tokens, or newer ones
            self._kept.pop().drop()
        if word == "put":
            self._see(state)
            self._stored = state.version
            if state.credentials is not None:
                self._shared.list_account(self._account, there=True)
        return self._newest.stored()

    def _ask(self, script: Script, *given: Argument, urgent: bool = False) -> tuple[str, State, list[Any]]:
        """Run a script on the login and its turn: its word, the state that it found, what the word needs."""
        before = self._now()
        answer = self._shared.link.run(script, self.keys, *given, urgent=urgent)
        word, now, number, n, record, spent, written, ends, *more = answer
        word = word.decode()
        if word == "damaged":
            raise CorruptCredentialsError(
                f"{self.describe()} is damaged: the key {more[0].decode()} holds what is none of ours. "
                f"`{self.login_command} --force` replaces it."
            )
        self._stored = version = int(number or 0), int(n or 0)
        if word == "put":  # what it found is no more
            return word, NOTHING, more
        newest = self._newest
        same = version == newest.version and (spent or b"").decode() == newest.mark
        if same or version < newest.version:
            return word, newest if same else State(*version), more
        credentials = None
        if record:
            credentials = self._opened(record, *version)
            # Whoever wrote it may have another clock: the store's tells how long it lives.
            dies_at = max(0, int(before * 1000) + int(ends) - now)
            if not credentials.is_key and abs(dies_at - credentials.expiry_date) > _CLOCKS_AGREE:
                credentials = credentials.model_copy(update={"expiry_date": dies_at})
        saved_at = before - (now - int(written or now)) / 1000
        state = State(*version, record, (spent or b"").decode(), saved_at, credentials)
        self._see(state)
        return word, state, more

    def _see(self, state: State) -> None:
        with self._mutex:
            if state.version >= self._newest.version:
                self._newest, self._waiting = state, None

    def _seal_anew(self, state: State, record: bytes) -> None:
        """With the first key, if another one opened it: accounts that nobody uses are never renewed."""
        anew = self._shared.sealer.sealed_anew(record, *self._where, *state.version)
        if anew is not None:
            with contextlib.suppress(StoreError):  # the next look tries again
                self._shared.link.run(scripts.SEAL, self.keys[:1], record, anew)
                with self._mutex:
                    if self._newest is state:
                        self._newest = replace(state, record=anew)

    def _opened(self, record: bytes, number: int, n: int) -> Credentials:
        try:
            return Credentials.from_json(self._shared.sealer.open(record, *self._where, number, n))
        except CorruptCredentialsError as error:
            raise CorruptCredentialsError(
                f"{self.describe()}: {error}. Or log in anew: `{self.login_command} --force`."
            ) from None

    def _swap(self, old: bytes, new: bytes) -> bool:
        return bool(self._shared.link.run(scripts.SWAP, [self._note_key], old, new, NOTE_KEPT))


def _marked(known: StoredCredentials, *, unsaved: bool = True) -> StoredCredentials:
    return known if known.unsaved == unsaved else replace(known, unsaved=unsaved)


def _milliseconds(seconds: float) -> int:
    return int(seconds * 1000)


def _printable(text: bytes) -> str:
    return "".join(char for char in text.decode("utf-8", "replace")[:_SHOWN] if char.isprintable())
