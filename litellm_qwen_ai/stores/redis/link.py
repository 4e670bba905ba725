"""The process's way to the store: connections, and its faults in words."""

from __future__ import annotations

import contextlib
import math
import re
import threading
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from redis import exceptions as faults
from redis.backoff import NoBackoff
from redis.retry import Retry
from redis.sentinel import MasterNotFoundError

from litellm_qwen_ai.oauth.errors import CorruptCredentialsError, ReadOnlyStoreError, StoreError
from litellm_qwen_ai.oauth.flight import renew_in_child
from litellm_qwen_ai.oauth.transport import KEEPALIVE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from litellm_qwen_ai.stores.redis.address import Address
    from litellm_qwen_ai.stores.redis.limits import Limits
    from litellm_qwen_ai.stores.redis.scripts import Script

T = TypeVar("T")
Argument: TypeAlias = "bytes | str | int"
#: The last three are redis-py's too: of a name that no host can have, of a connection that has just ended.
_LOST = (
    *(faults.ConnectionError, faults.TimeoutError, faults.RedisClusterException, OSError),
    *(ValueError, TypeError, AttributeError),
)
#: How a server says that a right is missing, inside of scripts too.
NO_RIGHT = ("NOPERM", "permissions", "can't run this command", "can't access")
#: How a server says that a key holds something else than a command is for.
OTHER_TYPE = "WRONGTYPE"
#: How a server says that it is too old, or keeps a command from everybody.
_TOO_OLD = re.compile(
    "unknown (redis )?command|wrong number of arg|after non deterministic commands|syntax error",
    re.IGNORECASE,
)
NEEDED = "Redis 6.2, Valkey, or later"
"""What the store has to be."""
_LONGEST_REASON = 200  # characters of what a server says


class Link:
    """Safe to use from any thread; a forked child makes connections of its own.

    Every method that talks to the store raises `StoreError` if it cannot be reached or refuses, and
    `CorruptCredentialsError` if the first key holds something of another type. Who has just waited for a
    silent store has waited for all: for a while the others are told at once.

    Args:
        address: Where the store is.
        limits: How long to wait for it.
        elapsed: Seconds on a clock that never jumps.
    """

    def __init__(self, address: Address, limits: Limits, elapsed: Callable[[], float]) -> None:
        self.address = address
        self._limits, self._elapsed = limits, elapsed
        self.is_cluster = bool(address.nodes) and address.service is None  # or it turns out to be one
        self._cut = False
        self._back_since = self._silent_until = -math.inf
        self._silence = ""
        self._after_fork()
        renew_in_child(self)

    def _after_fork(self) -> None:
        self._making = threading.Lock()
        self._made: Any = None

    def close(self) -> None:
        """End the connections; the next use makes new ones."""
        made, self._made = self._made, None
        if made is not None:
            made.close()

    @property
    def was_cut(self) -> bool:
        """Whether the store could not be reached a short while ago: then others may be ahead of us."""
        return self._cut or self._elapsed() - self._back_since < self._limits.quiet

    def run(self, script: Script, keys: Sequence[str], *arguments: Argument, urgent: bool = False) -> Any:
        """Run a script, in one step; `urgent`: something may be lost, so try though the store was silent."""
        given = len(keys), *keys, *arguments

        def run() -> Any:
            try:
                return self._client.evalsha(script.sha, *given)
            except faults.NoScriptError:
                return self._client.eval(script.text, *given)

        return self._attempt(run, keys[0], urgent=urgent)

    def send(self, command: str, key: str = "", *more: Argument) -> Any:
        """Send a command, about a key if it has one, and return its answer."""
        given = (key, *more) if key else more
        return self._attempt(lambda: self._client.execute_command(command, *given), key)

    def send_all(self, commands: Sequence[tuple[Argument, ...]]) -> list[Any]:
        """Send commands at once, each about one key, and return their answers.

        Where a key holds something else than its command is for, the answer is an exception.
        """

        def send() -> list[Any]:
            client = self._client  # held: one that nobody holds ends its connections, in use or not
            with client.pipeline(transaction=False) as pipeline:
                for command in commands:
                    pipeline.execute_command(*command)
                answers: list[Any] = pipeline.execute(raise_on_error=False)
            for answer in answers:
                if isinstance(answer, Exception) and OTHER_TYPE not in str(answer):
                    raise answer
            return answers

        return self._attempt(send)

    def listen(self, channel: str, hear: Callable[[Any], T]) -> T:
        """Subscribe on a connection of its own; `hear` gets redis-py's `PubSub`, and ends it by returning."""

        def listen() -> T:
            client = self._client  # held, as above
            with contextlib.closing(client.pubsub()) as pubsub:
                pubsub.subscribe(channel)
                return hear(pubsub)

        return self._attempt(listen, urgent=True, waits=False)

    def reached(self) -> None:
        """The store has answered."""
        self._silent_until = -math.inf
        if self._cut:
            self._cut, self._back_since = False, self._elapsed()

    @property
    def _client(self) -> Any:
        made = self._made
        if made is None:
            new = self._new_client()  # of a cluster it connects: nobody waits for another's
            with self._making:  # the first one stays: others use it already
                if self._made is None:
                    self._made = new
                made = self._made
        return made

    def _new_client(self) -> Any:
        limits = self._limits
        options: dict[str, Any] = {
            "socket_timeout": limits.answer,
            "socket_connect_timeout": limits.connect,
            # A connection that has died since its last use says nothing about the store: once more.
            "retry": Retry(NoBackoff(), 1, supported_errors=(faults.ConnectionError,)),
            "protocol": 2,
        }
        if "unix_socket_path" not in self.address.options:
            options.update(socket_keepalive=True, socket_keepalive_options=KEEPALIVE)
        return self.address.client(is_cluster=self.is_cluster, **options)

    def _attempt(
        self, work: Callable[[], T], key: str = "", *, urgent: bool = False, waits: bool = True
    ) -> T:
        """Do something with the store, about a key perhaps; redis-py's errors become ours.

        `waits`: it takes long only if the store is silent, and not because it listens.
        """
        began = self._elapsed()
        if began < self._silent_until and not urgent:
            raise StoreError(self._silence)
        try:
            try:
                done = work()
            except faults.ResponseError as refusal:
                # Part of a cluster: a client for clusters follows by itself. redis-py 5 has but the text.
                if not (isinstance(refusal, faults.MovedError) or str(refusal).startswith("MOVED ")):
                    raise
                self.is_cluster, self._made = True, None
                done = work()
        except (faults.RedisError, *_LOST) as found:
            error = self._in_words(found, key)
            if isinstance(found, _LOST):
                self._cut, now = True, self._elapsed()
                if waits and now - began > self._limits.wait:
                    self._silence, self._silent_until = str(error), now + self._limits.alone
        else:
            self.reached()
            return done
        raise error  # outside of `except`: redis-py's errors lead to the connection, and that to the password

    def _in_words(self, error: Exception, key: str) -> StoreError:  # noqa: PLR0911  # one for each fault
        text, store = str(error), f"The store {self.address.shown}"
        reason = self.address.without_secrets(text)[:_LONGEST_REASON].rstrip(".")
        reason = "".join(char for char in reason if char.isprintable())
        if isinstance(error, (faults.AuthenticationError, faults.NoPermissionError)) or any(
            words in text for words in NO_RIGHT
        ):
            return StoreError(
                f"{store} refuses us: {reason}. Check the user and password in QWEN_STORE and the user's "
                "rights; `litellm-qwen-ai doctor` says which ones are needed."
            )
        if isinstance(error, faults.ReadOnlyError) or "READONLY" in text:
            return ReadOnlyStoreError(
                f"{store} is a read-only replica. Name the primary in QWEN_STORE, or its sentinels."
            )
        if isinstance(error, faults.OutOfMemoryError) or "OOM " in text:
            return StoreError(
                f"{store} is full (maxmemory) and takes no writes. Give it more memory, or let it evict keys "
                "that end by themselves only (maxmemory-policy volatile-lru)."
            )
        if isinstance(error, MasterNotFoundError):
            return StoreError(
                f"No sentinel of {self.address.shown} names a primary for the service "
                f"{self.address.service!r}. Check that name, that the sentinels can be reached from here and "
                "see the primary, and that sentinel_password in QWEN_STORE is right if they want one."
            )
        if OTHER_TYPE in text:
            return CorruptCredentialsError(
                f"The key {key} of {self.address.shown} holds something of another type than ours "
                f"({OTHER_TYPE}): another program has written it. If one uses such names, give "
                "QWEN_STORE_PREFIX another value"
            )
        if _TOO_OLD.search(text):
            return StoreError(
                f"{store} does not know a command that is needed ({reason}). It has to be {NEEDED}, with all "
                "commands; `litellm-qwen-ai doctor` looks at it."
            )
        if not isinstance(error, _LOST):
            return StoreError(f"{store} refuses: {reason}. `litellm-qwen-ai doctor` looks at it.")
        if isinstance(error, faults.TimeoutError):
            seconds = self._limits.connect if "connecting" in text else self._limits.answer
            reason = f"no answer within {seconds:g} s"
        return StoreError(
            f"{store} cannot be used just now: {reason}. While it cannot, no login is renewed; tokens in "
            "memory serve until they end. Check that it runs and can be reached from here."
        )
