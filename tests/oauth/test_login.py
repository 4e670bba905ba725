from __future__ import annotations

import itertools
import json
import logging
import threading
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pytest

from litellm_qwen_ai.oauth.credentials import Credentials
from litellm_qwen_ai.oauth.errors import (
    ConfigurationError,
    LoginCancelledError,
    LoginDeniedError,
    LoginError,
    LoginRefusedError,
    LoginTimedOutError,
    StoreError,
)
from litellm_qwen_ai.oauth.login import _Nowhere, device_login, may_prompt
from litellm_qwen_ai.oauth.pending import cancel_login, pending_login, start_login
from litellm_qwen_ai.oauth.protocol import DeviceCode, Pkce
from litellm_qwen_ai.oauth.transport import httpx_poster
from litellm_qwen_ai.stores.files import disk
from litellm_qwen_ai.stores.files.locks import locked
from litellm_qwen_ai.stores.files.login import NOTE_SUFFIX, FileStore

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass
class Prompt:
    """Remembers what a person would have seen."""

    shown: list[DeviceCode] = field(default_factory=list)
    left: list[float] = field(default_factory=list)
    ended: list[bool] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)

    def show(self, code: DeviceCode) -> None:
        self.shown.append(code)

    def waiting(self, seconds_left: float) -> None:
        self.left.append(seconds_left)

    def trouble(self, reason: str) -> None:
        self.troubles.append(reason)

    def done(self, *, approved: bool) -> None:
        self.ended.append(approved)


@pytest.fixture
def prompt() -> Prompt:
    return Prompt()


@pytest.fixture
def log_in(server: Any, clock: Any, prompt: Prompt, store: FileStore) -> Callable[..., Credentials]:
    def run(**changes: Any) -> Credentials:
        settings: dict[str, Any] = {
            "store": store,
            "prompt": prompt,
            "oauth_base_url": server.url,
            "clocks": clock.clocks,
            **changes,
        }
        return device_login(settings.pop("store"), **settings)

    return run


def polls(server: Any) -> list[dict[str, str]]:
    return [one.form for one in server.requests if "device_code" in one.form]


def test_an_approved_login_is_returned_and_stored(
    log_in: Any, server: Any, store: FileStore, clock: Any
) -> None:
    server.approved = True
    login = log_in()
    stored = store.look()
    assert stored is not None
    assert stored.credentials == login
    assert login.resource_url == "portal.qwen.ai"
    assert login.expiry_date == int((clock.now + 21600) * 1000)
    assert store.path.stat().st_mode & 0o777 == 0o600


def test_the_verifier_of_the_poll_belongs_to_the_challenge(log_in: Any, server: Any) -> None:
    server.approved = True
    log_in()
    started = server.requests[0].form
    assert Pkce(polls(server)[0]["code_verifier"]).challenge == started["code_challenge"]
    assert started["code_challenge_method"] == "S256"


def test_without_a_store_nothing_is_written(log_in: Any, server: Any, store: FileStore) -> None:
    server.approved = True
    assert log_in(store=None).access_token
    assert not store.path.parent.exists()


def test_it_waits_before_the_first_poll(log_in: Any, server: Any, clock: Any) -> None:
    server.approved = True
    log_in()
    assert sum(clock.naps) == pytest.approx(5)
    assert len(polls(server)) == 1


def test_pending_and_slow_down_set_the_pace(log_in: Any, server: Any, clock: Any) -> None:
    times: list[float] = []
    server.before_answer = lambda: times.append(clock.mono)
    server.answer_next(200, server.device_code(interval=3))
    server.answer_next(400, {"error": "authorization_pending"})
    server.answer_next(429, {"error": "slow_down"})
    server.answer_next(200, {"access_token": None})
    server.answer_next(400, {"error": "slow_down"})
    server.approved = True
    log_in()
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert gaps == pytest.approx([3, 3, 8, 8, 13])


@pytest.mark.parametrize(
    ("status", "body"), [(429, b""), (500, b""), (504, b"<html>"), (200, b"<html>"), (200, b""), (302, b"")]
)
def test_an_answer_that_decides_nothing_keeps_it_polling(
    log_in: Any, server: Any, status: int, body: bytes
) -> None:
    server.answer_next(200, server.device_code())
    server.answer_next(status, body)
    server.approved = True
    assert log_in().access_token
    assert len(polls(server)) == 2


def test_a_lost_connection_keeps_it_polling(log_in: Any, server: Any) -> None:
    calls: list[str] = []

    def post(request: Any, timeout: float) -> Any:
        calls.append(request.url)
        if len(calls) == 2:
            raise OSError("the network is gone")
        return httpx_poster(request, timeout)

    server.approved = True
    assert log_in(poster=post).access_token
    assert len(calls) == 3


def test_who_waits_for_anothers_poll_ends_soon_after_it(
    log_in: Any, server: Any, store: FileStore, clock: Any
) -> None:
    start_login(store, oauth_base_url=server.url, clocks=clock.clocks)
    server.approved = True

    def brought_meanwhile(seconds: float) -> None:
        if not clock.naps:  # somebody else's poll is under way, which may take 30 s
            note = store.note()
            waiting = json.loads(note)
            waiting["login"] |= {"polled_at": clock.now, "next_poll_at": clock.now + 35}
            assert store.swap_note(note, json.dumps(waiting).encode())
        elif sum(clock.naps) == 6:  # it has brought the login
            store.save(Credentials(access_token="at-of-the-other"))
            assert store.swap_note(store.note(), None)
        clock.sleep(seconds)

    login = log_in(clocks=replace(clock.clocks, sleep=brought_meanwhile))
    assert login.access_token == "at-of-the-other"
    assert sum(clock.naps) == pytest.approx(10)  # two intervals
    assert polls(server) == []


def test_retry_after_of_a_busy_server_is_waited_for(
    log_in: Any, server: Any, clock: Any, prompt: Prompt
) -> None:
    server.answer_next(200, server.device_code())
    server.answer_next(504, b"<html>")
    server.answer_next(429, b"", Retry_After="40")
    server.approved = True
    log_in()
    assert sum(clock.naps) == pytest.approx(50)
    assert len(prompt.troubles) == 1
    assert len(polls(server)) == 3


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (400, {"error": "expired_token"}, LoginTimedOutError),
        (400, {"error": "access_denied"}, LoginDeniedError),
        (400, {"error": "invalid_grant"}, LoginRefusedError),
        (401, b"", LoginRefusedError),
    ],
)
def test_an_answer_that_ends_it_leaves_a_note_of_how_and_no_secret(  # noqa: PLR0913, PLR0917  # a test's fixtures
    log_in: Any,
    server: Any,
    prompt: Prompt,
    store: FileStore,
    status: int,
    body: Any,
    error: type[LoginError],
) -> None:
    server.answer_next(200, server.device_code())
    server.answer_next(status, body)
    with pytest.raises(error):
        log_in()
    assert prompt.ended == [False]
    left = pending_login(store)  # for all who wait for the same login
    assert left is not None
    assert (left.device_code, left.code_verifier) == ("", "")
    with pytest.raises(error):
        left.raise_end()


def test_nobody_approving_ends_it_when_the_code_dies(
    log_in: Any, server: Any, clock: Any, prompt: Prompt
) -> None:
    server.answer_next(200, server.device_code(expires_in=12))
    with pytest.raises(LoginTimedOutError, match="Nobody approved the login in time"):
        log_in()
    assert sum(clock.naps) == pytest.approx(12)
    assert len(polls(server)) == 2
    assert prompt.left[0] == pytest.approx(12)
    assert prompt.left == sorted(prompt.left, reverse=True)


def test_a_timeout_names_what_the_server_answered_last(log_in: Any, server: Any) -> None:
    server.answer_next(200, server.device_code(expires_in=12))
    server.answer_next(504, b"<html>")
    server.answer_next(504, b"<html>")
    told = "The last answer was no help: HTTP 504 with a web page.* 2026-04-15.*dashscope/"
    with pytest.raises(LoginTimedOutError, match=told):
        log_in()


def test_a_person_is_told_once_that_the_server_is_out_of_order(
    log_in: Any, server: Any, prompt: Prompt
) -> None:
    server.answer_next(200, server.device_code())
    for answer in (b"<html>", b"<html>", b"<html>"):
        server.answer_next(504, answer)
    server.approved = True
    log_in()
    assert len(prompt.troubles) == 1
    assert "HTTP 504 with a web page" in prompt.troubles[0]


def test_a_single_useless_answer_is_nothing_to_tell(log_in: Any, server: Any, prompt: Prompt) -> None:
    server.answer_next(200, server.device_code())
    server.answer_next(504, b"<html>")
    server.answer_next(400, {"error": "authorization_pending"})
    server.answer_next(504, b"<html>")
    server.approved = True
    log_in()
    assert prompt.troubles == []


@pytest.mark.parametrize(
    ("status", "body", "told"),
    [
        (401, {"error": "invalid_client"}, "HTTP 401, invalid_client"),
        (200, {"error": "closed", "error_description": "The tier ended"}, "closed: The tier ended"),
        (200, b"<html>captcha", "captcha"),
        (429, b"", "too many requests"),
        (504, b"<html>", "HTTP 504"),
    ],
)
def test_a_login_that_cannot_start_says_why_and_shows_nothing(  # noqa: PLR0913, PLR0917  # a test's fixtures
    log_in: Any, server: Any, prompt: Prompt, status: int, body: Any, told: str
) -> None:
    server.answer_next(status, body)
    with pytest.raises(LoginRefusedError, match=told):
        log_in()
    assert prompt.shown == prompt.ended == []


def test_a_server_that_is_down_is_a_login_error(log_in: Any) -> None:
    with pytest.raises(LoginError, match=r"could not start: no answer from 127\.0\.0\.1:9 ") as caught:
        log_in(oauth_base_url="http://127.0.0.1:9")
    assert caught.value.__suppress_context__


def test_an_oauth_server_that_no_token_may_go_to_is_refused(log_in: Any) -> None:
    with pytest.raises(ConfigurationError):
        log_in(oauth_base_url="http://chat.qwen.ai")


def test_the_caller_can_cancel(log_in: Any, prompt: Prompt, server: Any) -> None:
    server.approved = True
    with pytest.raises(LoginCancelledError):
        log_in(cancelled=lambda: len(prompt.left) == 2)
    assert polls(server) == []
    assert prompt.ended == [False]


@pytest.mark.parametrize("ends", ["cancelled", "finished"])
def test_a_login_that_ends_elsewhere_is_not_taken_for_the_one_before(
    log_in: Any, prompt: Prompt, store: FileStore, monkeypatch: pytest.MonkeyPatch, ends: str
) -> None:
    old = Credentials(access_token="old", refresh_token="r", expiry_date=1)
    new = Credentials(access_token="new", refresh_token="s", expiry_date=2)
    store.save(old)

    def elsewhere(_seconds_left: float) -> None:
        if ends == "finished":
            store.save(new)
        cancel_login(store)

    monkeypatch.setattr(prompt, "waiting", elsewhere)
    if ends == "finished":
        assert log_in().access_token == "new"
        return
    with pytest.raises(
        LoginCancelledError, match=r"^The login was cancelled elsewhere; nothing was changed\.$"
    ):
        log_in()


def test_a_login_that_joined_one_that_waits_leaves_it_when_it_is_cancelled(
    log_in: Any, server: Any, store: FileStore, clock: Any
) -> None:
    waiting = start_login(store, oauth_base_url=server.url, clocks=clock.clocks)
    with pytest.raises(LoginCancelledError):
        log_in(cancelled=lambda: True)
    left = pending_login(store, clocks=clock.clocks)
    assert left is not None
    assert left.same_as(waiting)


@pytest.mark.parametrize("moment", ["the code is shown", "it waits"])
def test_ctrl_c_passes_through_and_leaves_nothing_behind(
    log_in: Any, prompt: Prompt, store: FileStore, moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(_shown: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(prompt, "show" if moment == "the code is shown" else "waiting", interrupt)
    with pytest.raises(KeyboardInterrupt):
        log_in()
    assert prompt.ended == [False]
    assert {path.suffix for path in store.path.parent.iterdir()} == {".lock"}


def test_ctrl_c_once_the_login_is_noted_leaves_nothing_behind(
    log_in: Any, prompt: Prompt, store: FileStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    noted: list[bytes | None] = []

    def swap_note(old: bytes | None, new: bytes | None) -> bool:
        noted.append(new)
        done = FileStore.swap_note(store, old, new)
        if len(noted) == 1:
            raise KeyboardInterrupt
        return done

    monkeypatch.setattr(store, "swap_note", swap_note)
    with pytest.raises(KeyboardInterrupt):
        log_in()
    assert noted[0]
    assert store.note() is None
    assert prompt.shown == prompt.ended == []


def test_the_note_of_a_login_that_its_caller_keeps_is_swapped_as_at_any_place() -> None:
    place = _Nowhere()
    assert place.swap_note(None, b"waits")
    assert not place.swap_note(None, b"late")
    assert place.note() == b"waits"
    assert place.swap_note(b"waits", None)


@pytest.mark.parametrize("end", [KeyboardInterrupt, LoginCancelledError])
def test_a_note_that_cannot_be_read_any_more_hides_no_cancelling(
    log_in: Any, prompt: Prompt, store: FileStore, end: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    def give_up(_seconds_left: float) -> None:
        disk.beside(store.path, NOTE_SUFFIX).chmod(0o666)
        raise end

    monkeypatch.setattr(prompt, "waiting", give_up)
    with pytest.raises(end):
        log_in()
    with pytest.raises(StoreError):
        pending_login(store)
    assert prompt.ended == [False]


def test_a_login_that_was_cancelled_while_the_server_was_asked_is_shown_to_nobody(
    log_in: Any, prompt: Prompt, server: Any, store: FileStore
) -> None:
    opened: list[str] = []
    with pytest.raises(LoginCancelledError):
        log_in(cancelled=lambda: bool(server.requests), open_browser=opened.append)
    assert len(server.requests) == 1
    assert prompt.shown == prompt.ended == opened == []
    assert store.note() is None


def test_the_browser_opens_the_link_byte_for_byte(log_in: Any, server: Any, prompt: Prompt) -> None:
    server.approved = True
    opened: list[str] = []
    log_in(open_browser=opened.append)
    assert opened == ["https://chat.qwen.ai/authorize?user_code=AB-CD_12&client=qwen-code"]
    assert opened == [prompt.shown[0].link]


def test_a_store_that_cannot_be_written_is_noticed_before_anybody_is_asked(
    log_in: Any, server: Any, store: FileStore
) -> None:
    store.path.mkdir(parents=True)
    with pytest.raises(StoreError, match="no regular file"):
        log_in()
    assert server.requests == []


def test_an_approved_login_is_kept_although_the_lock_stays_held(
    log_in: Any, server: Any, store: FileStore, caplog: pytest.LogCaptureFixture
) -> None:
    server.approved = True
    taken, done = threading.Event(), threading.Event()

    def hold() -> None:
        with locked(disk.beside(store.path, ".lock"), 5, like=store.path):
            taken.set()
            done.wait(30)

    holder = threading.Thread(target=hold)

    def take_the_lock(_url: str) -> None:
        holder.start()
        assert taken.wait(30), "the lock was not taken"

    try:
        with caplog.at_level(logging.WARNING):
            login = log_in(store=FileStore(store.path.parent, patience=0), open_browser=take_the_lock)
    finally:
        done.set()
        holder.join()
    stored = store.look()
    assert stored is not None
    assert stored.credentials == login
    assert "The new login is written all the same" in caplog.text


def test_a_new_login_replaces_the_old_one_wholly(
    log_in: Any, server: Any, logins: Any, store: FileStore
) -> None:
    logins.write(note="of the old login")
    server.approved = True
    log_in()
    assert b"of the old login" not in store.path.read_bytes()


def test_no_secret_reaches_errors_or_logs(log_in: Any, server: Any, caplog: pytest.LogCaptureFixture) -> None:
    echo: list[str] = []

    def note_secrets() -> None:
        echo.extend(one.form.get("code_verifier", "device-code-secret") for one in server.requests)
        if echo and not server.script:
            server.answer_next(400, {"error": "invalid_grant", "error_description": " ".join(echo)})

    server.answer_next(200, server.device_code())
    server.before_answer = note_secrets
    with caplog.at_level(logging.DEBUG), pytest.raises(LoginRefusedError) as caught:
        log_in()
    told = f"{caught.value!r}{caught.getrepr(style='short')}{caplog.text}"
    assert "device-code-secret" not in told
    assert not [secret for secret in echo if secret in told]


class _Stream:
    def __init__(self, *, terminal: bool) -> None:
        self._terminal = terminal

    def isatty(self) -> bool:
        return self._terminal


@pytest.fixture
def terminals(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    def set_up(*, stdin: bool = True, stderr: bool = True) -> None:
        monkeypatch.setattr("sys.stdin", _Stream(terminal=stdin))
        monkeypatch.setattr("sys.stderr", _Stream(terminal=stderr))

    return set_up


@pytest.mark.parametrize(
    ("stdin", "stderr", "may"), [(True, True, True), (False, True, False), (True, False, False)]
)
def test_a_prompt_needs_a_terminal_both_ways(terminals: Any, stdin: bool, stderr: bool, may: bool) -> None:
    terminals(stdin=stdin, stderr=stderr)
    assert may_prompt() is may


async def test_no_prompt_inside_an_event_loop(terminals: Any) -> None:
    terminals()
    assert may_prompt() is False


def test_no_prompt_in_a_worker_thread(terminals: Any) -> None:
    terminals()
    answers: list[bool] = []
    thread = threading.Thread(target=lambda: answers.append(may_prompt()))
    thread.start()
    thread.join()
    assert answers == [False]


def test_no_prompt_without_streams(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", None)
    assert may_prompt() is False
