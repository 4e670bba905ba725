"""The record of what came: requests, counts, and the answers that are queued for the next ones."""

from __future__ import annotations

import dataclasses
import threading
from collections import defaultdict, deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from litellm_qwen_ai.sandbox.answer_table import ANSWERS
from litellm_qwen_ai.sandbox.answers import Answer, find_answer

if TYPE_CHECKING:
    from litellm_qwen_ai.sandbox.wire import RecordedRequest


@dataclass(slots=True)
class Counts:
    """How often what happened.

    Attributes:
        device_codes: Device codes issued.
        polls: Token polls received.
        logins: Logins completed by a poll.
        refresh_requests: Refreshes asked for, refused ones included.
        refreshes: Refreshes granted.
        chat_requests: Chat calls received, refused ones included.
        chats: Chat calls answered with status 200, streams included.
        streams: Chat streams begun with status 200.
        token_rejections: Chat calls answered with status 401.
        disconnects: Requests whose client went away before the answer was complete.
    """

    device_codes: int = 0
    polls: int = 0
    logins: int = 0
    refresh_requests: int = 0
    refreshes: int = 0
    chat_requests: int = 0
    chats: int = 0
    streams: int = 0
    token_rejections: int = 0
    disconnects: int = 0


class Ledger:
    """Records requests, counts events and hands out queued answers. Safe to use from any thread."""

    def __init__(self, *, keep: int) -> None:
        self._lock = threading.Lock()
        self._requests: deque[RecordedRequest] = deque(maxlen=keep)
        self._counts = Counts()
        self._queued: defaultdict[str, deque[Answer]] = defaultdict(deque)

    def record(self, request: RecordedRequest) -> None:
        """Keep a request; the oldest goes when there are too many."""
        with self._lock:
            self._requests.append(request)

    def requests(self, endpoint: str | None = None) -> list[RecordedRequest]:
        """Return the requests so far, oldest first, of one endpoint or of all."""
        with self._lock:
            return [one for one in self._requests if endpoint in (None, one.endpoint)]

    def count(self, *names: str) -> None:
        """Add one to each of these counts."""
        with self._lock:
            for name in names:
                setattr(self._counts, name, getattr(self._counts, name) + 1)

    def counts(self) -> Counts:
        """Return a copy of the counts."""
        with self._lock:
            return dataclasses.replace(self._counts)

    def clear(self) -> None:
        """Forget the requests, the counts and the queued answers."""
        with self._lock:
            self._requests.clear()
            self._queued.clear()
            self._counts = Counts()

    def answer_next(self, endpoint: str, name: str | Answer, times: int = 1) -> None:
        """Queue an answer.

        Raises:
            ValueError: Unknown endpoint or name, or `times` is not positive.
        """
        answer = find_answer(ANSWERS, endpoint, name)
        if times < 1:
            raise ValueError(f"times must be at least 1, not {times}")
        with self._lock:
            self._queued[endpoint].extend([answer] * times)

    def queued(self) -> dict[str, int]:
        """Return how many answers wait at each endpoint."""
        with self._lock:
            return {endpoint: len(answers) for endpoint, answers in self._queued.items() if answers}

    def take(self, endpoint: str) -> Answer | None:
        """Take the next queued answer of an endpoint."""
        with self._lock:
            answers = self._queued.get(endpoint)
            return answers.popleft() if answers else None
