"""`Sandbox`, the class that its users start, steer and read."""

from __future__ import annotations

import json
import os
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from litellm_qwen_ai.sandbox.authority import CLIENT_ID, SCOPE, Authority, Rules
from litellm_qwen_ai.sandbox.chat import ChatEndpoint
from litellm_qwen_ai.sandbox.control import Control
from litellm_qwen_ai.sandbox.gates import At, Gates
from litellm_qwen_ai.sandbox.ledger import Counts, Ledger
from litellm_qwen_ai.sandbox.network import Network, listen
from litellm_qwen_ai.sandbox.oauth import AUTHORIZE_PATH, OAuthEndpoints
from litellm_qwen_ai.sandbox.site import Site

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from types import TracebackType

    from typing_extensions import Self

    from litellm_qwen_ai.sandbox.answers import Answer
    from litellm_qwen_ai.sandbox.wire import RecordedRequest


#: What would lead a program elsewhere: another account, server or store. Empty counts as not set.
_LEADS_AWAY = (
    *("QWEN_API_KEY", "QWEN_API_BASE", "QWEN_AUTH_FILE", "QWEN_OAUTH_CLIENT_ID"),
    *("QWEN_STORE", "QWEN_STORE_KEY", "QWEN_STORE_PREFIX"),
)


class Sandbox:
    """A Qwen on the loopback interface: OAuth endpoints, an approval page and chat.

    Use it as a context manager, or call `start()` and `stop()`. It runs in its own thread with its own event
    loop; every method may be called from any thread while it runs.

    Args:
        host: The address to listen on.
        port: The port; 0 takes a free one.
        auto_approve: Approve every device code as it is issued.
        token_lifetime: Seconds an access token lives.
        device_lifetime: Seconds a device code lives.
        interval: Seconds between polls, sent and enforced. None sends none, as Qwen does, and enforces the
            five of RFC 8628; 0 sends none and enforces nothing. A fraction makes logins in tests quick.
        reuse_detection: A refresh token used twice kills every token of its login.
        client_id: The only OAuth client that is known.
        api_keys: Static keys that chat takes as bearer, without the portal's rules.
        resource_url: The base URL for chat in token answers; chat takes tokens under its host's name only, as
            Qwen does. None for the sandbox's own, under any name.
        obedient: Do what a prompt says and no more, as suites for real models expect: repeat the words that
            it asks for, call a tool once, give a schema the prompt's own values.
        clock: Seconds since the epoch; codes and tokens expire by it.
        keep_requests: How many requests are recorded before the oldest go.
        on_answer: Called in the server's thread after each request, with its record.
    """

    def __init__(  # noqa: PLR0913  # one keyword for each thing a test may want different
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        auto_approve: bool = False,
        token_lifetime: float = 21_600,
        device_lifetime: float = 900,
        interval: float | None = None,
        reuse_detection: bool = False,
        client_id: str = CLIENT_ID,
        api_keys: Sequence[str] = ("sk-sandbox",),
        resource_url: str | None = None,
        obedient: bool = False,
        clock: Callable[[], float] = time.time,
        keep_requests: int = 10_000,
        on_answer: Callable[[RecordedRequest], None] | None = None,
    ) -> None:
        self._host = host
        self._port = port
        self._client_id = client_id
        self.api_keys = tuple(api_keys)
        self._resource_url = resource_url
        self._obedient = obedient
        self._clock = clock
        self._ahead = 0.0
        self._on_answer = on_answer
        self._ledger = Ledger(keep=keep_requests)
        self._gates = Gates()
        rules = Rules(client_id, token_lifetime, device_lifetime, interval, auto_approve, reuse_detection)
        self._authority = Authority(rules, clock=self.now)
        self._network: Network | None = None
        self._url: str | None = None

    # -- running ---------------------------------------------------------------

    def __enter__(self) -> Self:
        return self if self._network is not None else self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> Self:
        """Listen and serve; returns when requests are accepted.

        Raises:
            OSError: The address cannot be listened on.
            RuntimeError: It runs already.
        """
        if self._network is not None:
            raise RuntimeError("This sandbox is running already")
        # Bound here, not in the thread: a port in use is the caller's error, and the URL is known at once.
        listener = listen(self._host, self._port)
        self._url = _url_of(self._host, listener.getsockname()[1])
        self._network = Network(
            self._build_site(self._url),
            gates=self._gates,
            ledger=self._ledger,
            now=self.now,
            on_answer=self._on_answer,
        )
        self._network.start(listener)
        return self

    def stop(self) -> None:
        """Stop serving, break what is open and end the thread. Harmless when it does not run."""
        if self._network is not None:
            self._network.stop()
            self._network = None

    @property
    def url(self) -> str:
        """The sandbox's address, without a trailing slash.

        Raises:
            RuntimeError: It has not been started.
        """
        if self._url is None:
            raise RuntimeError("The sandbox has no address before it is started")
        return self._url

    @property
    def oauth_base_url(self) -> str:
        """What `QWEN_OAUTH_BASE_URL` must be."""
        return self.url

    @property
    def api_base(self) -> str:
        """The base URL for chat."""
        return f"{self.url}/v1"

    def environment(self, token_dir: str | os.PathLike[str] | None = None) -> dict[str, str]:
        """Return the environment variables that lead a program here.

        Those that would lead it elsewhere are empty, which counts as not set: a user's key, or a store, whose
        real logins a test would change. So is `QWEN_API_BASE`: the `resource_url` of tokens leads chat here.

        Args:
            token_dir: A directory for `QWEN_TOKEN_DIR`; None leaves that variable out, and with it the user's
                own directory in place.
        """
        found = {**dict.fromkeys(_LEADS_AWAY, ""), "QWEN_OAUTH_BASE_URL": self.oauth_base_url}
        if self._client_id != CLIENT_ID:
            found["QWEN_OAUTH_CLIENT_ID"] = self._client_id
        if token_dir is not None:
            found["QWEN_TOKEN_DIR"] = os.fspath(token_dir)
        return found

    # -- approving and tokens --------------------------------------------------

    def approve(self, user_code: str | None = None) -> str:
        """Approve a device code, as a person would on the page.

        Args:
            user_code: The user code; None for the newest that waits.

        Returns:
            The user code.

        Raises:
            LookupError: No such code waits.
        """
        return self._authority.decide(user_code, "approved")

    def deny(self, user_code: str | None = None) -> str:
        """Deny a device code; otherwise like `approve`."""
        return self._authority.decide(user_code, "denied")

    def pending_codes(self) -> list[str]:
        """Return the user codes that wait for a decision, oldest first."""
        return [grant.user_code for grant in self._authority.pending()]

    def issue_tokens(self, *, lifetime: float | None = None, scope: str = SCOPE) -> dict[str, Any]:
        """Issue the tokens of a new login without the device flow.

        Args:
            lifetime: Seconds the access token lives; None for `token_lifetime`. 0 or less: it is expired.
            scope: Their scope. Chat does not look at it: what Qwen says to one without its own is not known.

        Returns:
            What a credentials file holds; `expiry_date` is in epoch milliseconds.
        """
        answer = self._authority.issue(scope=scope, lifetime=lifetime)
        expires_in = answer.pop("expires_in")
        resource_url = self._resource_url or self.api_base
        return {**answer, "resource_url": resource_url, "expiry_date": int((self.now() + expires_in) * 1000)}

    def write_credentials(
        self,
        directory: str | os.PathLike[str],
        file_name: str = "oauth_creds.json",
        *,
        lifetime: float | None = None,
        **more: Any,
    ) -> Path:
        """Write the tokens of a new login as a credentials file, mode 0600 in a directory of mode 0700.

        Args:
            directory: Where; made if it is missing.
            file_name: The file's name.
            lifetime: As for `issue_tokens`.
            more: Further members for the file, which win.

        Returns:
            The file's path.
        """
        path = Path(directory, file_name)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        text = json.dumps({**self.issue_tokens(lifetime=lifetime), **more}, indent=2)
        handle, temporary = tempfile.mkstemp(dir=path.parent)  # mkstemp makes it 0600
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        Path(temporary).replace(path)
        return path

    def accepts(self, access_token: str) -> bool:
        """Say whether chat takes this access token now."""
        return self._authority.accepts(access_token)

    def accepts_refresh(self, refresh_token: str) -> bool:
        """Say whether a refresh with this refresh token would be granted."""
        return self._authority.accepts_refresh(refresh_token)

    def secrets_issued(self) -> set[str]:
        """Return every secret so far: tokens, device codes, and the PKCE verifiers that came in.

        For tests that search logs, errors and files: none of these may be found there.
        """
        sent = (one.form.get("code_verifier") for one in self.requests)
        return self._authority.secrets_issued() | {verifier for verifier in sent if verifier}

    def expire_access_tokens(self) -> int:
        """Let every access token expire now; refresh tokens live on.

        Returns:
            How many were alive.
        """
        return self._authority.expire_access_tokens()

    def revoke(self) -> None:
        """Kill every access and refresh token."""
        self._authority.revoke()

    def now(self) -> float:
        """Return the sandbox's time, in seconds since the epoch."""
        return self._clock() + self._ahead

    def advance(self, seconds: float) -> None:
        """Move the sandbox's clock, and only that, forward (or back)."""
        self._ahead += seconds

    # -- answers, holding and what came in -------------------------------------

    def answer_next(self, endpoint: str, name: str | Answer, times: int = 1) -> None:
        """Give this answer to the next requests at an endpoint instead of the usual one.

        Args:
            endpoint: `device`, `token`, `refresh`, `chat` or `models`.
            name: A name of `ANSWERS[endpoint]`, or an `Answer` of your own.
            times: For how many requests. What is queued before comes first.

        Raises:
            ValueError: There is no such endpoint or name; the message lists what there is.
        """
        self._ledger.answer_next(endpoint, name, times)

    def hold(self, endpoint: str, *, at: At = "arrival") -> None:
        """Make the requests of an endpoint wait from now on.

        Args:
            endpoint: `device`, `token`, `refresh`, `chat` or `models`.
            at: `arrival` holds them before they have any effect, `answer` when all is done but the answer not
                sent (the old refresh token is dead by then), `chunk` before each chunk of a stream.
        """
        self._gates.gate(endpoint, at).hold()

    def release(self, endpoint: str, *, at: At = "arrival") -> None:
        """Let the held requests of an endpoint go, and do not hold any more."""
        self._gates.gate(endpoint, at).release()

    def let_through(self, endpoint: str, count: int = 1, *, at: At = "arrival") -> None:
        """Let `count` held requests (or chunks) go and keep holding."""
        self._gates.gate(endpoint, at).let_through(count)

    def wait_for_held(
        self, endpoint: str, count: int = 1, *, at: At = "arrival", timeout: float = 10.0
    ) -> None:
        """Block until `count` requests are held.

        Raises:
            TimeoutError: It took longer than `timeout` seconds.
        """
        gate = self._gates.gate(endpoint, at)
        if not gate.wait_for(count, timeout):
            raise TimeoutError(
                f"{gate.waiting} of {count} requests are held at {endpoint} ({at}) after {timeout:g} s"
            )

    @contextmanager
    def holding(self, endpoint: str, *, at: At = "arrival") -> Iterator[None]:
        """Hold an endpoint for the length of a `with` block."""
        self.hold(endpoint, at=at)
        try:
            yield
        finally:
            self.release(endpoint, at=at)

    @property
    def requests(self) -> list[RecordedRequest]:
        """All requests so far, oldest first, those to `/sandbox/` left out."""
        return self._ledger.requests()

    def requests_to(self, endpoint: str) -> list[RecordedRequest]:
        """Return the requests to one endpoint, oldest first."""
        return self._ledger.requests(endpoint)

    @property
    def counts(self) -> Counts:
        """How often what happened so far."""
        return self._ledger.counts()

    def clear(self) -> None:
        """Forget the requests, the counts and the queued answers; tokens stay."""
        self._ledger.clear()

    def _build_site(self, url: str) -> Site:
        oauth = OAuthEndpoints(
            self._authority,
            resource_url=self._resource_url or f"{url}/v1",
            authorize_url=f"{url}{AUTHORIZE_PATH}",
        )
        return Site(
            url=url,
            authority=self._authority,
            ledger=self._ledger,
            oauth=oauth,
            chat=ChatEndpoint(
                self._authority,
                api_keys=frozenset(self.api_keys),
                home=self._resource_url,
                obedient=self._obedient,
            ),
            control=Control(self, self._ledger),
        )


def _url_of(host: str, port: int) -> str:
    reached = {"0.0.0.0": "127.0.0.1", "": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  # not bound here
    return f"http://[{reached}]:{port}" if ":" in reached else f"http://{reached}:{port}"
