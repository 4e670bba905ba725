"""What a login needs of the place that keeps it. The places themselves are in `stores/`.

A place keeps one login and one *note*, some bytes about a login that waits for approval. Nobody outside knows
whether it is a file or a server. Order among logins is the place's affair: whatever is put there, the newer
login wins, and a place that has lost a write says so when it is looked at.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeAlias

from litellm_qwen_ai.oauth.protocol import Catcher

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from typing_extensions import Self

    from litellm_qwen_ai.oauth.credentials import Credentials


@dataclass(frozen=True, slots=True)
class StoredCredentials:
    """A login as a place holds it.

    Attributes:
        credentials: The login.
        version: Changes with every write; compare it with `==`, nothing else.
        saved_at: When it was written, in epoch seconds, if the place knows.
        unsaved: The place holds less than this: it took no write, or has lost one.
    """

    credentials: Credentials
    version: object
    saved_at: float | None = None
    unsaved: bool = False


@dataclass(frozen=True, slots=True)
class Taken:
    """Somebody else is renewing the login.

    Attributes:
        holder: Who or what it is, as the start of a sentence: `Another process`.
        doing: What it does: `has held /x/oauth_creds.json.lock`.
        advice: What a person can do about one that is stuck; a sentence or two.
        seconds: Since when, if the place knows; else the caller's own waiting counts.
    """

    holder: str
    doing: str
    advice: str
    seconds: float | None = None

    def text(self, waited: float) -> str:
        """A message for whoever has waited that many seconds for it."""
        return f"{self.holder} {self.doing} for {max(waited, self.seconds or 0.0):.0f} s. {self.advice}"


class Turn(Catcher, Protocol):
    """The right to renew a login: nobody else who asks for a turn does so meanwhile. A context manager.

    It catches the server's answer, so that new tokens outlive this process. Leaving the context without `put`
    gives the turn back and keeps nothing.
    """

    @property
    def caught(self) -> int:
        """How many bytes `catch` was given since `expect`."""

    def patience(self) -> float | None:
        """Asked right before each send: the seconds that an answer may take; None if the turn is lost."""

    def put(self, credentials: Credentials) -> StoredCredentials | None:
        """Put the renewed login in the place of the one that the turn was taken for.

        Returns:
            What the place holds now: these, or a newer login that somebody put there meanwhile; None after a
            logout.

        Raises:
            StoreError: It could not be written.
        """

    def refused(self, reason: str) -> StoredCredentials | None:
        """Note that the server takes the refresh token no more, and why: its words, as a sentence.

        Returns:
            The newer login that somebody has put there meanwhile; None if the refusal stands.

        Raises:
            StoreError: The place cannot be read.
        """

    def __enter__(self) -> Self: ...
    def __exit__(self, *exc: object) -> None: ...


TurnAnswer: TypeAlias = "Turn | StoredCredentials | Taken | None"


class LoginStore(Protocol):
    """What a device login needs of the place that will keep it.

    A method that cannot work raises `StoreError`. None of them asks the OAuth server anything.
    """

    @property
    def login_command(self) -> str:
        """What a person runs to log in here, for messages."""

    def look(self, known: StoredCredentials | None = None) -> StoredCredentials | None:
        """What is stored; None when there is nothing. May take its time: ask in a thread that may wait.

        Args:
            known: The newest login that the caller has seen here.

        Returns:
            `known` itself if that is what is stored; a copy of it with `unsaved` set if the place holds less.
        """

    def save(self, credentials: Credentials) -> StoredCredentials:
        """Write a new login, whatever is there; what is no login is put aside, not destroyed."""

    def note(self) -> bytes | None:
        """The note about a login that waits for approval, or None."""

    def swap_note(self, old: bytes | None, new: bytes | None) -> bool:
        """Replace the note in one step if it is still `old`; None stands for no note. True if it was."""

    def ping(self, patience: float | None = None) -> None:
        """Make sure that a login could be written now, without writing one.

        Args:
            patience: Seconds to wait for somebody else's write; None is the place's own limit.
        """


class Store(LoginStore, Protocol):
    """A place that keeps one login: what a `Session` needs of it, besides what is in `LoginStore`."""

    @property
    def key(self) -> Hashable:
        """What tells this place from others; two objects for one place have equal keys."""

    @property
    def look_interval(self) -> float:
        """Seconds between two looks, as things stand."""

    def describe(self) -> str:
        """The place, for messages; no secret is in it."""

    def guard(self) -> str | None:
        """How the stored login is kept from others, for messages: `mode 0600`; None when there is none."""

    def mode(self) -> str | None:
        """What `guard` says, as one word for programs: `0600`; None when there is no login."""

    def turn(self, known: StoredCredentials) -> TurnAnswer:
        """Ask for the turn to renew a login; does not wait for somebody else's.

        Returns:
            The turn; or a newer login, which makes it needless; or who has it; or None after a logout.
        """

    def put_back(self, known: StoredCredentials) -> StoredCredentials | None:
        """Write a login that the place did not take or has lost, unless it holds a newer one.

        Returns:
            What the place holds now; None after a logout.
        """

    def delete(self) -> str | None:
        """Forget the login, for everybody; what was removed, for messages, or None if nothing was there."""

    def watch(self, changed: Callable[[], None]) -> None:
        """Have `changed` called, in any thread, when somebody else has changed the login.

        A place that cannot tell never calls it.
        """
