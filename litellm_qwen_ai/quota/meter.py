"""The quota meter: how many requests each account has sent, and whether the server has had enough.

Counting is one `append` in memory. A daemon thread, alive only while something has been sent in the last
minute, adds what is new to the account's counters, every `INTERVAL` seconds and once at exit, so that all
processes add up. A process that is killed loses what it has counted since. Counters that cannot be written
cost the sum with other processes, nothing else: no call ever waits for the meter or fails because of it.

Only requests with a login are counted: a key's limits are its owner's affair.
"""

from __future__ import annotations

import atexit
import logging
import threading
import time
from collections import Counter, deque
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from litellm_qwen_ai.names import LOGGER
from litellm_qwen_ai.oauth.errors import StoreError
from litellm_qwen_ai.oauth.flight import renew_in_child
from litellm_qwen_ai.quota.tally import (
    LATEST,
    LONGEST_TEXT,
    QUOTA_SPENT,
    THROTTLED,
    Failure,
    LaterCountsError,
    Refusal,
    Tally,
)

if TYPE_CHECKING:
    from collections.abc import Callable

INTERVAL = 3.0  # seconds between two writes
_MOST_PENDING = 100_000  # requests in memory between two turns
#: LiteLLM gives every header that it does not know this prefix, sooner or later: with it, the name is one.
_HEADER = "llm_provider-x-qwen-ratelimit-"
_log = logging.getLogger(LOGGER)


class Counters(Protocol):
    """The place in which the counts of all processes of one account add up.

    A method that cannot work raises `StoreError`, and `LaterCountsError` where a later version keeps counts,
    which it does not touch; the meter lives with either.
    """

    def read(self) -> Tally:
        """What all processes have counted; the caller may change it."""

    def add(self, new: Tally, now: float) -> bool:
        """Add to what is there; False if that was not possible just now: the caller tries again.

        Args:
            new: What has been counted since the last time.
            now: The time, in epoch seconds: what is too old for any answer may be forgotten.
        """


class Meter:
    """Counts the requests of one account; safe to use from any thread.

    Args:
        counters: Where the counts of all processes add up.
        keeper: Gives it its turns; None: whoever holds the meter calls `turn`.
        clock: The time of day, in epoch seconds.
    """

    def __init__(
        self, counters: Counters, *, keeper: Keeper | None = None, clock: Callable[[], float] = time.time
    ) -> None:
        self._counters = counters
        self._keeper = keeper
        self._clock = clock
        self._saved = Tally()
        self._told = False
        self._after_fork()
        renew_in_child(self)

    def _after_fork(self) -> None:
        """A child starts from nothing: what its parent has not written yet, its parent will write."""
        self._mutex = threading.Lock()  # held during a turn's file work: nothing on a call's way waits for it
        self._pending: deque[float] = deque(maxlen=_MOST_PENDING)
        #: None: the server has accepted a request, which ends the refusal before it.
        self._news: deque[Refusal | Failure | None] = deque(maxlen=_MOST_PENDING)
        self._unsaved = Tally()
        self._since_start: Counter[str] = Counter()
        self._asleep = True
        self._limited = False
        self._minute = self._day = 0

    def sent(self) -> None:
        """Count a request; on every call's way, so it takes no lock and looks at no file."""
        self._pending.append(self._clock())
        if self._asleep:
            self._wake()

    def accepted(self) -> None:
        """The server has answered a request with 200: a refusal before it is over."""
        if self._limited:
            self._limited = False
            self._news.append(None)

    def refused(self, reason: str | None, seconds: float | None) -> None:
        """The server has refused a request, and perhaps named the seconds to wait.

        Of all reasons only `throttled` and `quota_spent` count.
        """
        if reason not in {THROTTLED, QUOTA_SPENT}:
            return
        now = self._clock()
        until = None if seconds is None else min(now + seconds, LATEST - 1)
        self._limited = True
        self._note(Refusal(now, until, reason))

    def failed(self, error: Exception, *, login_ended: bool = False) -> None:
        """Note an error, whose text holds no secret, for whoever looks after the account. See `Failure`."""
        # LiteLLM's exceptions begin with their own name.
        text = str(error).removeprefix(f"litellm.{type(error).__name__}: ")
        if len(text) > LONGEST_TEXT:
            text = text[: LONGEST_TEXT - 2].rsplit(" ", 1)[0] + " …"
        self._note(Failure(self._clock(), text, login_ended))

    def _note(self, news: Refusal | Failure) -> None:
        self._news.append(news)
        if self._asleep:
            self._wake()

    def headers(self) -> dict[str, str]:
        """The counts as response headers; what other processes have sent is in them as of the last turn."""
        new = len(self._pending)
        return {
            _HEADER + "used-requests-minute": str(self._minute + new),
            _HEADER + "used-requests-day": str(self._day + new),
        }

    def counted(self) -> Tally:
        """All that is known now, here and of other processes; reads the file if it has changed."""
        with self._mutex:
            self._take()
            self._read()
            return self._known()

    def since_start(self) -> Counter[str]:
        """What this process alone has counted: requests as `sent`, and refusals by reason."""
        with self._mutex:
            self._take()
            return Counter(self._since_start)

    def turn(self) -> bool:
        """Write what is new and read what others have written; never raises. Not on a call's way.

        True if another turn is needed, because requests of the last minute are still to be forgotten.
        """
        with self._mutex:
            self._take()
            self._write()
            self._read()
            self._asleep = not self._minute
        if self._asleep and (self._pending or self._news):
            self._asleep = False  # counted just now, by somebody who did not see us fall asleep
        return not self._asleep

    @property
    def is_asleep(self) -> bool:
        """Whether the next request has to ask for turns."""
        return self._asleep

    def _wake(self) -> None:
        self._asleep = False
        if self._mutex.acquire(blocking=False):
            try:
                self._sum_up()  # the sums may be of yesterday
            finally:
                self._mutex.release()
        if self._keeper is not None:
            self._keeper.keep(self)

    def _sum_up(self) -> None:
        known, now = self._known(), self._clock()
        self._minute, self._day = known.last_minute(now), known.today(now)
        if known.refusal is not None and not known.refusal.over:
            self._limited = True

    def _known(self) -> Tally:
        known = self._saved.copy()
        known.merge(self._unsaved)
        return known

    def _take(self) -> None:
        """Put what was counted since the last turn into the books."""
        sent = [self._pending.popleft() for _ in range(len(self._pending))]
        self._since_start["sent"] += len(sent)
        self._unsaved.add(sent)
        while self._news:
            news = self._news.popleft()
            if isinstance(news, Refusal):
                self._since_start[news.reason] += 1
                self._unsaved.refuse(news)
            elif isinstance(news, Failure):
                self._unsaved.failure = news
            elif (last := self._known().refusal) is not None:
                self._unsaved.refusal = replace(last, over=True)
        self._unsaved.prune(self._clock())
        self._sum_up()  # the headers add these sums to what is pending

    def _read(self) -> None:
        try:
            self._saved = self._counters.read()
        except StoreError as error:
            self._tell("read", error)
        self._sum_up()

    def _write(self) -> None:
        try:
            if self._unsaved and self._counters.add(self._unsaved, self._clock()):
                self._unsaved = Tally()
        except StoreError as error:
            self._tell("written", error)

    def _tell(self, what: str, error: StoreError) -> None:
        """Most of it passes; what only an update mends is said once."""
        lasts = isinstance(error, LaterCountsError) and not self._told
        self._told = self._told or lasts
        _log.log(logging.WARNING if lasts else logging.DEBUG, "The quota meter cannot be %s. %s", what, error)


class Keeper:
    """The thread that gives each busy meter its turns; it ends when none is busy, or `wait` says so."""

    def __init__(self, wait: Callable[[float], object] | None = None) -> None:
        self._given_wait = wait
        atexit.register(self.close)
        self._after_fork()
        renew_in_child(self)

    def _after_fork(self) -> None:
        self._lock = threading.Lock()
        self._busy: set[Meter] = set()
        self._thread: threading.Thread | None = None
        self._ended = threading.Event()

    def keep(self, meter: Meter) -> None:
        """Give the meter its turns from now on."""
        with self._lock:
            self._busy.add(meter)
            if self._thread is not None:
                return
            self._thread = threading.Thread(target=self._run, name="qwen-ai-meter", daemon=True)
            try:
                self._thread.start()
            except RuntimeError:  # the interpreter is shutting down: what is counted now is not kept
                self._thread = None

    def close(self) -> None:
        """A last turn for every meter, at exit."""
        self._ended.set()
        for meter in list(self._busy):
            meter.turn()

    def _run(self) -> None:
        wait = self._given_wait or self._ended.wait
        while not wait(INTERVAL):
            done = {meter for meter in list(self._busy) if not meter.turn()}
            with self._lock:
                self._busy -= {meter for meter in done if meter.is_asleep}
                if not self._busy:
                    self._thread = None
                    return


KEEPER = Keeper()
"""The process's one keeper."""
