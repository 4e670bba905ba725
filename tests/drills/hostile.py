"""Hostile and broken answers: each of them on each endpoint, through the real client and the real sandbox.

`OAUTH` and `CHAT` say how each ends. An outcome is the name of an error's class, or what was achieved in
spite of it; `!` marks an end of the login, which none of them may bring.
"""

from __future__ import annotations

import asyncio
import os
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from drills.frame import Result, drill

from litellm_qwen_ai.oauth import FileStore, device_login
from litellm_qwen_ai.oauth.clocks import Clocks
from litellm_qwen_ai.oauth.errors import ConfigurationError, QwenAuthError
from litellm_qwen_ai.oauth.network import TransportError
from litellm_qwen_ai.oauth.protocol import DeviceCode, OAuthRequest
from litellm_qwen_ai.oauth.session import Session
from litellm_qwen_ai.oauth.transport import httpx_poster
from litellm_qwen_ai.sandbox import Answer, Sandbox

GROUP = "Hostile answers"
DRIP = 1.0  # seconds that a call is given while an answer drips in
FORMS = ("call", "async call", "stream", "async stream")
_ANYWHERE = (
    *("html_502", "captcha_html", "empty", "not_json", "json_list", "invalid_utf8", "deeply_nested"),
    *("huge", "packed", "redirect", "cut", "cut_body", "elsewhere"),
)
_UNUSABLE = ("token_with_line_end", "token_with_nul", "token_not_ascii", "token_of_wrong_type")
_NOWHERE = ("private_resource_url", "password_in_resource_url", "plain_http_resource_url")
_ABSURD = ("negative_lifetime", "endless_lifetime")
_STREAMED = ("stream", "async stream")

OAUTH: Mapping[str, Mapping[str, str]] = {
    "device": {
        **dict.fromkeys((*_ANYWHERE, "error_in_200", "missing_fields", "wrong_types"), "LoginRefusedError"),
        **dict.fromkeys(("cut", "cut_body"), "LoginError"),
        "wrong_pages": "LoginRefusedError",
        **dict.fromkeys(_ABSURD, "logged in"),
    },
    "token": {
        **dict.fromkeys(_ANYWHERE, "logged in"),
        **dict.fromkeys((*_UNUSABLE, "error_in_200"), "LoginRefusedError"),
        **dict.fromkeys((*_ABSURD, "string_lifetime", "without_lifetime"), "logged in"),
        **dict.fromkeys(_NOWHERE, "logged in, no chat"),
    },
    "refresh": {
        **dict.fromkeys((*_ANYWHERE, *_UNUSABLE, "error_in_200"), "RefreshError"),
        **dict.fromkeys((*_ABSURD, "string_lifetime", "without_lifetime", *_NOWHERE), "renewed"),
    },
}
CHAT: Mapping[str, str] = {
    **dict.fromkeys(
        ("empty_200", "html_200", "not_json_200", "truncated_200", "no_choices_200"), "InternalServerError"
    ),
    **dict.fromkeys(
        ("wrong_types_200", "json_list_200", "invalid_utf8_200", "deeply_nested_200"), "InternalServerError"
    ),
    **dict.fromkeys(("huge_200", "packed_200"), "InternalServerError"),
    **dict.fromkeys(
        ("list_chunk", "deep_chunk", "wrong_types_chunk", "invalid_utf8_chunk"), "InternalServerError"
    ),
    **dict.fromkeys(("huge_line", "garbage_chunk", "html_stream", "empty_stream"), "InternalServerError"),
    "huge_503": "ServiceUnavailableError",
    "html_502": "BadGatewayError",
    "error_in_200": "RateLimitError",
    **dict.fromkeys(("redirect", "elsewhere", "cut"), "APIConnectionError"),
}
_CUT = ("empty_200", "empty_stream")  # a stream that ends before it begins was cut, for all that is known


def expected(name: str, form: str) -> str:
    """The class of the error that ends a call."""
    return "APIConnectionError" if name in _CUT and form in _STREAMED else CHAT[name]


class Watch:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.slept, self.began = 0.0, time.time()

    @property
    def clocks(self) -> Clocks:
        return Clocks(lambda: self.began + self.slept, lambda: self.slept, self.sleep)

    def sleep(self, seconds: float) -> None:
        self.slept += seconds


class Nobody:
    """A login prompt that shows nothing."""

    def show(self, code: DeviceCode) -> None:
        """Nothing."""

    def waiting(self, seconds_left: float) -> None:
        """Nothing."""

    def done(self, *, approved: bool) -> None:
        """Nothing."""


@contextmanager
def two_sandboxes() -> Iterator[tuple[Sandbox, Sandbox]]:
    """The one that is asked, and the one that a redirect leads to."""
    with Sandbox(interval=0, auto_approve=True) as sandbox, Sandbox() as other:
        yield sandbox, other


def hostile(sandbox: Sandbox, other: Sandbox, endpoint: str, name: str, times: int) -> None:
    """Queue an answer; `elsewhere` is a redirect that a careless client could follow with its secrets."""
    answer: str | Answer = name
    if name == "elsewhere":
        path = "/v1/chat/completions" if endpoint == "chat" else "/api/v1/oauth2/token"
        answer = Answer(status=307, body=b"", headers={"location": other.url + path})
    sandbox.answer_next(endpoint, answer, times)


def oauth_outcome(sandbox: Sandbox, other: Sandbox, endpoint: str, name: str, folder: Path) -> str:
    """How a login, or a refresh, ends after such an answer; checks that nothing was lost.

    Raises:
        AssertionError: A login that should survive did not, or something went elsewhere.
    """
    store = FileStore(folder)
    act = _renew if endpoint == "refresh" else _log_in
    outcome = act(sandbox, other, endpoint, name, store)
    assert not other.requests, "a redirect was followed"
    return outcome


def _log_in(sandbox: Sandbox, other: Sandbox, endpoint: str, name: str, store: FileStore) -> str:
    before = sandbox.write_credentials(store.path.parent).read_bytes()
    hostile(sandbox, other, endpoint, name, 1)
    watch = Watch()
    try:
        login = device_login(store, prompt=Nobody(), oauth_base_url=sandbox.url, clocks=watch.clocks)
    except QwenAuthError as error:
        assert store.path.read_bytes() == before, "the login that was there is lost"
        return type(error).__name__
    assert sandbox.accepts(login.access_token)
    assert 1 <= login.seconds_left(time.time()) <= 31 * 86_400
    try:
        return "logged in" if login.api_base else "no base URL"
    except ConfigurationError:
        return "logged in, no chat"


def _renew(sandbox: Sandbox, other: Sandbox, endpoint: str, name: str, store: FileStore) -> str:
    sandbox.write_credentials(store.path.parent, lifetime=-1)
    hostile(sandbox, other, endpoint, name, 3 if name in (*_ANYWHERE, "error_in_200") else 1)
    watch = Watch()
    session = Session(store, oauth_base_url=sandbox.url, clocks=watch.clocks)
    try:
        login = session.get()
    except QwenAuthError as error:
        outcome = type(error).__name__
    else:
        assert sandbox.accepts(login.access_token)
        assert login.api_base == sandbox.api_base
        return "renewed"
    assert store.path.exists(), "the file is gone"
    watch.sleep(60)
    try:
        assert sandbox.accepts(session.get().access_token)
    except QwenAuthError:
        return outcome + "!"
    return outcome


def chat_outcome(sandbox: Sandbox, other: Sandbox, form: str, name: str) -> str:
    """How a call ends after such an answer; checks that the next one is answered.

    Needs the environment of the sandbox and a login.

    Raises:
        AssertionError: The next call is not answered, or something went elsewhere.
    """
    import openai  # noqa: PLC0415  # this module is loaded by drills that need none of it

    hostile(sandbox, other, "chat", name, 2)  # a broken connection is tried once more, come what may
    try:
        said = ask(form, max_retries=0)
    except openai.OpenAIError as error:
        # LiteLLM wraps what comes out of a stream, for Router's sake.
        outcome = type(getattr(error, "original_exception", None) or error).__name__
    else:
        outcome = f"answered: {said!r:.60}"
    finally:
        sandbox.clear()
    assert not other.requests, "a redirect was followed"
    assert ask(form, max_retries=0)
    return outcome


def ask(form: str, **more: Any) -> str:
    """The text of an answer, by one of LiteLLM's four ways."""
    import litellm  # noqa: PLC0415  # as above

    call = {"model": "qwen_ai/coder-model", "messages": [{"role": "user", "content": "hi"}], **more}
    if form in _STREAMED:
        call["stream"] = True
    if "async" in form:
        return asyncio.run(_aask(call))
    answer = litellm.completion(**call)
    chunks = list(answer) if "stream" in form else [answer]
    return "".join(_text(chunk) for chunk in chunks)


async def _aask(call: dict[str, Any]) -> str:
    import litellm  # noqa: PLC0415  # as above

    try:
        answer = await litellm.acompletion(**call)
        chunks = [chunk async for chunk in answer] if call.get("stream") else [answer]
        return "".join(_text(chunk) for chunk in chunks)
    finally:
        await litellm.close_litellm_async_clients()


def _text(answer: Any) -> str:
    choice = answer.choices[0] if answer.choices else None
    said = getattr(choice, "delta", None) or getattr(choice, "message", None)
    return getattr(said, "content", None) or ""


@contextmanager
def environment(sandbox: Sandbox, folder: Path) -> Iterator[None]:
    """The settings that lead to a sandbox, for a while."""
    wanted = sandbox.environment(folder)
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextmanager
def dripping(start: bytes) -> Iterator[str]:
    """A server whose answer begins with `start` and then comes as a space every 50 ms, for ever."""
    listener = socket.create_server(("127.0.0.1", 0))
    over = threading.Event()

    def drip() -> None:
        while not over.is_set():
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=_drip, args=(connection, start, over), daemon=True).start()

    threading.Thread(target=drip, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        over.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def _drip(connection: socket.socket, start: bytes, over: threading.Event) -> None:
    with connection:
        connection.recv(65536)
        try:
            connection.sendall(start)
            while not over.wait(0.05):
                connection.sendall(b" ")
        except OSError:
            return


# -- the drills ------------------------------------------------------------


@drill(GROUP, "three OAuth endpoints: error class, and the login survives")
def oauth(folder: Path) -> Result:
    wrong, worst, cells = [], 0.0, 0
    with two_sandboxes() as (sandbox, other):
        for endpoint, row in OAUTH.items():
            for name, due in row.items():
                begun = time.monotonic()
                outcome = oauth_outcome(sandbox, other, endpoint, name, folder / f"{endpoint}-{name}")
                worst = max(worst, time.monotonic() - begun)
                cells += 1
                wrong += [f"{endpoint} {name}: {outcome}"] * (outcome != due)
    return Result(
        cells, len(wrong), worst, "; ".join(wrong) or "HTML to header injection; none followed elsewhere"
    )


@drill(GROUP, "chat, in four forms: a mapped error, and the next call is answered")
def chat(folder: Path) -> Result:
    import litellm  # noqa: F401, PLC0415  # seconds that belong to no cell

    wrong, worst, cells = [], 0.0, 0
    with two_sandboxes() as (sandbox, other), environment(sandbox, folder):
        sandbox.write_credentials(folder)
        for name in CHAT:
            for form in FORMS:
                begun = time.monotonic()
                outcome = chat_outcome(sandbox, other, form, name)
                worst = max(worst, time.monotonic() - begun)
                cells += 1
                wrong += [f"{form} {name}: {outcome}"] * (outcome != expected(name, form))
    return Result(cells, len(wrong), worst, "; ".join(wrong) or "no text taken from an error")


@drill(GROUP, "an answer that drips in for ever, with a timeout of 1 s", bar=2 * DRIP + 1)
def drip(folder: Path) -> Result:  # noqa: ARG001  # one shape for all
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n"
    slow = {"OAuth, in the headers": b"HTTP/1.1 200 OK\r\nX-Slow: ", "OAuth, in the body": head}
    took, wrong = [], []
    for name, start in slow.items():
        begun = time.monotonic()
        with dripping(start) as url:
            try:
                httpx_poster(OAuthRequest(f"{url}/api/v1/oauth2/token", {}, {"a": "b"}), DRIP)
            except TransportError:
                took.append(time.monotonic() - begun)
            else:
                wrong.append(name)
    for form in ("call", "async call"):
        begun = time.monotonic()
        with dripping(head) as url:
            outcome = _drip_outcome(form, url)
        took.append(time.monotonic() - begun)
        wrong += [f"{form}: {outcome}"] * (outcome != "Timeout")
    return Result(len(slow) + 2, len(wrong), max(took), "; ".join(wrong) or "each ended by its deadline")


def _drip_outcome(form: str, url: str) -> str:
    try:
        return ask(form, max_retries=0, timeout=DRIP, api_base=f"{url}/v1", api_key="sk-made-up")
    except Exception as error:  # noqa: BLE001  # named in the row
        return type(error).__name__


@drill(GROUP, "the fuzz corpus and all answers of the sandbox, replayed")
def replay(folder: Path) -> Result:  # noqa: ARG001  # as above
    from fuzz.seeds import corpus, seeds  # noqa: PLC0415  # imports LiteLLM
    from fuzz.targets import TARGETS  # noqa: PLC0415  # as above

    kept = Path(__file__).parents[1] / "fuzz" / "corpus"
    sizes, wrong, worst, tries = [], 0, 0.0, 0
    begun_with = seeds()
    for name, target in TARGETS.items():
        inputs = [path.read_bytes() for path in corpus(kept / name)]
        sizes.append(f"{name} {len(inputs)}")
        for data in [*inputs, *begun_with[name]]:
            begun = time.monotonic()
            tries += 1
            try:
                target(data)
            except Exception:  # noqa: BLE001  # counted
                wrong += 1
            worst = max(worst, time.monotonic() - begun)
    return Result(tries, wrong, worst, f"corpus: {', '.join(sizes)}; `make fuzz` looks for more")
