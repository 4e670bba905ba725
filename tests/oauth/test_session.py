from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import signal
import threading
import time
import traceback
from typing import TYPE_CHECKING, Any

import pytest

from litellm_qwen_ai.oauth.clocks import Clocks
from litellm_qwen_ai.oauth.credentials import Credentials
from litellm_qwen_ai.oauth.door import StoredCredentials
from litellm_qwen_ai.oauth.errors import (
    ConfigurationError,
    CorruptCredentialsError,
    LockTimeoutError,
    LoginExpiredError,
    NotLoggedInError,
    QwenAuthError,
    ReadOnlyStoreError,
    RefreshError,
    StoreError,
)
from litellm_qwen_ai.oauth.session import MAX_PAUSE, Session
from litellm_qwen_ai.stores.files import disk
from litellm_qwen_ai.stores.files.locks import locked
from litellm_qwen_ai.stores.files.login import FileStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def settle(name: str = "qwen-ai-renew") -> None:
    """Wait for a renewal (or a look) that was started in the background."""
    for thread in threading.enumerate():
        if thread.name == name:
            thread.join(30)


def on_disk(store: FileStore) -> Credentials:
    stored = store.look()
    assert stored is not None
    return stored.credentials


class CountingStore(FileStore):
    looks = 0
    loads = 0

    def look(self, known: StoredCredentials | None = None) -> StoredCredentials | None:
        stored = super().look(known)
        self.looks += 1
        self.loads += stored is not known
        return stored


# --- the fast way ---


def test_a_fresh_token_is_served_without_network(session: Session, logins: Any, server: Any) -> None:
    login = logins.write()
    assert session.get() == login
    assert server.requests == []


def test_a_fresh_token_costs_at_most_one_look_a_second(
    new_session: Any, logins: Any, clock: Any, store: FileStore
) -> None:
    logins.write()
    counting = CountingStore(store.path.parent)
    session = new_session(store=counting)
    for _ in range(100):
        session.get()
        clock.pass_time(0.05)
    assert counting.loads == 1
    assert counting.looks <= 5


def test_a_login_by_another_process_is_picked_up_within_a_second(
    session: Session, logins: Any, clock: Any
) -> None:
    logins.write()
    session.get()
    other = logins.write()
    clock.pass_time(1)
    assert session.get() == other


def test_what_was_read_before_a_write_of_ours_does_not_undo_it(
    new_session: Any, logins: Any, clock: Any, store: FileStore
) -> None:
    ours = Credentials(access_token="ours", refresh_token="r", expiry_date=int((clock.now + 9000) * 1000))

    class Slow(FileStore):
        def look(self, known: StoredCredentials | None = None) -> StoredCredentials | None:
            read = super().look(known)
            if known is not None:  # between the reading and what follows from it
                session._publish(StoredCredentials(ours, object(), clock.now))
            return read

    session = new_session(store=Slow(store.path.parent))
    logins.write()
    session.get()
    for _ in range(2):
        logins.write()
        clock.pass_time(1)
        assert session.get() == ours


def test_a_logout_by_another_process_is_noticed(
    session: Session, logins: Any, clock: Any, store: FileStore
) -> None:
    logins.write()
    session.get()
    store.path.unlink()
    clock.pass_time(1)
    with pytest.raises(NotLoggedInError, match="Run `litellm-qwen-ai login`"):
        session.get()


def test_without_a_login_nothing_is_made_and_the_command_is_named(session: Session, store: FileStore) -> None:
    with pytest.raises(NotLoggedInError, match=r"there is no .*oauth_creds\.json"):
        session.get()
    assert session.peek() is None
    assert not store.path.parent.exists()


def test_peek_shows_what_is_stored_and_asks_nobody(session: Session, logins: Any, server: Any) -> None:
    login = logins.write(seconds_left=-5)
    assert session.peek() == login
    assert server.requests == []


@pytest.mark.parametrize("url", ["http://chat.qwen.ai", "https://me:pw@chat.qwen.ai", "chat.qwen.ai"])
def test_an_oauth_server_that_no_token_may_go_to_is_refused(store: FileStore, url: str) -> None:
    with pytest.raises(ConfigurationError, match="OAuth server's address"):
        Session(store, oauth_base_url=url)


# --- the two windows ---


@pytest.mark.parametrize(
    ("lifetime", "seconds_left", "refreshes"),
    [
        (21600, 901, 0),
        (21600, 900, 1),
        (21600, 31, 1),
        (100, 21, 0),
        (100, 20, 1),
        (10, 2.5, 0),
        (10, 1.5, 1),
    ],
)
def test_the_old_token_is_served_while_one_flight_renews_it(  # noqa: PLR0913, PLR0917  # a test's fixtures
    session: Session, logins: Any, server: Any, lifetime: float, seconds_left: float, refreshes: int
) -> None:
    login = logins.write(seconds_left=seconds_left, lifetime=lifetime)
    gate = threading.Event()
    server.before_answer = lambda: gate.wait(60)
    assert [session.get() for _ in range(3)] == [login] * 3
    gate.set()
    settle()
    assert server.refreshes == refreshes
    assert (session.get() != login) == bool(refreshes)


@pytest.mark.parametrize(
    ("lifetime", "seconds_left"), [(21600, 30), (21600, 0), (21600, -9000), (100, 2), (1, 0.02)]
)
def test_a_token_about_to_die_is_renewed_before_it_is_served(
    session: Session, logins: Any, server: Any, lifetime: float, seconds_left: float
) -> None:
    login = logins.write(seconds_left=seconds_left, lifetime=lifetime)
    renewed = session.get()
    assert renewed.access_token != login.access_token
    assert server.refreshes == 1


def test_many_threads_on_a_dead_token_make_one_refresh(session: Session, logins: Any, server: Any) -> None:
    logins.write(seconds_left=-1)
    start = threading.Barrier(20)
    served: list[str] = []

    def work() -> None:
        start.wait(60)
        served.append(session.get().access_token)

    threads = [threading.Thread(target=work) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert server.refreshes == 1
    assert len(served) == 20
    assert len(set(served)) == 1


# --- what a refresh writes ---


def test_a_refresh_is_on_disk_and_unknown_keys_survive(
    session: Session, logins: Any, server: Any, store: FileStore, clock: Any
) -> None:
    logins.write(seconds_left=-1, account={"name": "alice", "none": None}, scope="openid")
    renewed = session.get()
    assert on_disk(store) == renewed
    written = json.loads(store.path.read_text())
    assert written["account"] == {"name": "alice", "none": None}
    assert written["scope"] == "openid"
    assert written["expiry_date"] == int((clock.now + 21600) * 1000)
    assert server.refresh_forms()[0]["client_id"] == "f0304373b74a44d2b584a3fb70ca9e56"


def test_what_the_answer_lacks_stays_as_it_was(session: Session, logins: Any, server: Any) -> None:
    login = logins.write(seconds_left=-1, scope="openid", resource_url="old.example")
    server.answer_next(200, {"access_token": "new-access", "expires_in": 60})
    renewed = session.get()
    assert renewed.access_token == "new-access"
    assert renewed.refresh_token == login.refresh_token
    assert (renewed.scope, renewed.resource_url) == ("openid", "old.example")


@pytest.mark.parametrize("hostile", ["http://evil.example", "https://me:pw@evil.example", "a b", 7])
def test_an_endpoint_that_no_token_may_go_to_is_not_taken_over(
    session: Session, logins: Any, server: Any, hostile: Any
) -> None:
    logins.write(seconds_left=-1, resource_url="portal.qwen.ai")
    server.answer_next(200, server.tokens(resource_url=hostile))
    assert session.get().api_base == "https://portal.qwen.ai/v1"


def test_the_new_token_is_not_renewed_at_once(session: Session, logins: Any, server: Any, clock: Any) -> None:
    logins.write(seconds_left=-1)
    first = session.get()
    clock.pass_time(3600)
    assert session.get() == first
    assert server.refreshes == 1


# --- a token that the chat server rejects ---


def test_a_rejected_token_is_renewed_although_it_looks_alive(
    session: Session, logins: Any, server: Any
) -> None:
    login = logins.write()
    session.get()
    renewed = session.get(rejected=login.access_token)
    assert renewed.access_token != login.access_token
    assert server.refreshes == 1
    assert session.get() == renewed


def test_a_late_rejection_of_an_old_token_does_not_renew_again(
    session: Session, logins: Any, server: Any
) -> None:
    login = logins.write()
    session.get()
    renewed = session.get(rejected=login.access_token)
    assert session.get(rejected=login.access_token) == renewed
    assert server.refreshes == 1


def test_a_siblings_newer_token_is_adopted_instead(session: Session, logins: Any, server: Any) -> None:
    login = logins.write()
    session.get()
    sibling = logins.write()
    assert session.get(rejected=login.access_token) == sibling
    assert server.requests == []


def test_a_new_session_told_of_a_rejection_renews_what_is_stored(
    session: Session, logins: Any, server: Any
) -> None:
    login = logins.write()
    assert session.get(rejected=login.access_token).access_token != login.access_token
    assert server.refreshes == 1


def test_a_rejected_token_is_not_served_when_the_server_stumbles(
    session: Session, logins: Any, server: Any
) -> None:
    login = logins.write()
    session.get()
    for _ in range(3):
        server.answer_next(503)
    with pytest.raises(RefreshError):
        session.get(rejected=login.access_token)
    with pytest.raises(RefreshError):
        session.get()


def test_a_refresh_that_brings_the_rejected_token_again_is_an_error(
    session: Session, logins: Any, server: Any, store: FileStore
) -> None:
    login = logins.write()
    server.answer_next(200, server.tokens(access_token=login.access_token))
    with pytest.raises(RefreshError, match="a refresh brought the same one"):
        session.get(rejected=login.access_token)
    assert len(server.requests) == 1
    assert on_disk(store).refresh_token != login.refresh_token


# --- a login that is dead ---


def test_a_refused_login_is_asked_once_and_the_file_is_kept(  # noqa: PLR0913, PLR0917  # a test's fixtures
    session: Session, logins: Any, server: Any, store: FileStore, caplog: pytest.LogCaptureFixture, clock: Any
) -> None:
    logins.write(seconds_left=-1)
    server.tokens()  # the stored refresh token is no longer the valid one
    before = store.path.read_bytes()
    with caplog.at_level(logging.WARNING):
        for _ in range(5):
            with pytest.raises(LoginExpiredError, match="Invalid refresh token or client_id") as caught:
                session.get()
            clock.pass_time(60)
    assert "Run `litellm-qwen-ai login`" in str(caught.value)
    assert len(server.requests) == 1
    assert store.path.read_bytes() == before
    assert len(caplog.records) == 1


def test_a_new_login_ends_a_dead_one(session: Session, logins: Any, server: Any, clock: Any) -> None:
    logins.write(seconds_left=-1)
    server.tokens()
    with pytest.raises(LoginExpiredError):
        session.get()
    login = logins.write()
    clock.pass_time(1)
    assert session.get() == login


def test_a_refused_login_serves_its_token_while_it_lives(
    session: Session, logins: Any, server: Any, clock: Any
) -> None:
    login = logins.write(seconds_left=100)
    server.tokens()
    assert session.get() == login
    settle()
    clock.pass_time(99)
    assert session.get() == login
    clock.pass_time(1)
    with pytest.raises(LoginExpiredError):
        session.get()
    assert len(server.requests) == 1


def test_a_refusal_is_checked_against_what_another_program_wrote_meanwhile(
    session: Session, logins: Any, server: Any, store: FileStore, clock: Any
) -> None:
    logins.write(seconds_left=-1)
    other = Credentials(
        access_token="theirs", refresh_token="theirs-r", expiry_date=int((clock.now + 9000) * 1000)
    )

    def renewed_by_a_program_without_our_lock() -> None:
        store.path.write_bytes(other.to_json())

    server.before_answer = renewed_by_a_program_without_our_lock
    server.answer_next(400, {"error": "invalid_grant"})
    assert session.get() == other


def test_a_refused_token_gives_way_to_a_valid_one_that_was_written_meanwhile(
    session: Session, logins: Any, server: Any, store: FileStore
) -> None:
    logins.write(seconds_left=-1)
    theirs = server.tokens()  # from here on the stored refresh token is the wrong one

    def written_by_a_program_without_our_lock() -> None:
        server.before_answer = lambda: None
        other = Credentials(access_token="theirs", refresh_token=theirs["refresh_token"], expiry_date=1)
        store.path.write_bytes(other.to_json())

    server.before_answer = written_by_a_program_without_our_lock
    assert session.get() == on_disk(store)
    assert (server.refreshes, len(server.requests)) == (1, 2)


class SlowStore(FileStore):
    """From when it is told so, the first who looks reads at once, and is answered when the test says."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.slow, self.read, self.go_on = False, threading.Event(), threading.Event()

    def look(self, known: StoredCredentials | None = None) -> StoredCredentials | None:
        stored = super().look(known)
        if self.slow and not self.read.is_set():
            self.read.set()
            assert self.go_on.wait(30), "the test never let the look go on"
        return stored

    def begin_to_look(self, session: Session, clock: Any) -> Credentials:
        """Returns what a call got that came when a look was due, while that look goes on."""
        self.slow = True
        clock.pass_time(1)
        got = session.get()
        assert self.read.wait(30), "nobody looked"
        return got


def test_a_live_token_does_not_wait_for_a_place_that_takes_its_time(
    new_session: Any, logins: Any, store: FileStore, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = SlowStore(store.path.parent)
    session = new_session(store=place)
    monkeypatch.setattr("litellm_qwen_ai.oauth.session.LOOK_PATIENCE", 0.0)
    login = logins.write()
    assert session.get() == login
    assert place.begin_to_look(session, clock) == login
    clock.pass_time(100)
    assert [session.get() for _ in range(3)] == [login] * 3
    place.go_on.set()


def test_whoever_comes_during_a_look_gives_it_what_is_left_of_its_time(
    new_session: Any, logins: Any, store: FileStore, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = SlowStore(store.path.parent)
    session = new_session(store=place)
    monkeypatch.setattr("litellm_qwen_ai.oauth.session.LOOK_PATIENCE", 0.0)
    logins.write()
    session.get()
    place.begin_to_look(session, clock)
    monkeypatch.setattr("litellm_qwen_ai.oauth.session.LOOK_PATIENCE", 30.0)
    left = []
    for _ in range(3):
        clock.pass_time(12)
        left.append(session._patience(session._held, None))
    place.go_on.set()
    assert left == pytest.approx([18, 6, 0])


def test_an_older_reading_does_not_undo_a_renewal(  # noqa: PLR0913, PLR0917  # a test's fixtures
    new_session: Any,
    logins: Any,
    server: Any,
    store: FileStore,
    clock: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    place = SlowStore(store.path.parent)
    session = new_session(store=place)
    logins.write(seconds_left=1000)
    login = session.get()
    monkeypatch.setattr("litellm_qwen_ai.oauth.session.LOOK_PATIENCE", 0.0)
    assert place.begin_to_look(session, clock) == login
    clock.pass_time(900)
    assert session.get() == login  # and a renewal begins
    settle()
    place.go_on.set()
    settle("qwen-ai-look")
    assert session.get() == on_disk(store) != login
    assert server.refreshes == 1


def test_a_login_written_during_a_refresh_wins(
    session: Session, logins: Any, server: Any, store: FileStore, clock: Any
) -> None:
    logins.write(seconds_left=-1)
    other = Credentials(
        access_token="theirs", refresh_token="theirs-r", expiry_date=int((clock.now + 9000) * 1000)
    )
    server.before_answer = lambda: store.path.write_bytes(other.to_json())
    assert session.get() == other
    assert on_disk(store) == other


def test_a_logout_during_a_refresh_stays_a_logout(
    session: Session, logins: Any, server: Any, store: FileStore
) -> None:
    logins.write(seconds_left=-1)
    server.before_answer = store.path.unlink
    with pytest.raises(NotLoggedInError):
        session.get()
    assert not store.path.exists()


def test_a_login_without_refresh_token_ends_with_its_access_token(
    session: Session, logins: Any, server: Any, clock: Any
) -> None:
    login = logins.write(seconds_left=10, refresh_token=None)
    assert session.get() == login
    clock.pass_time(10)
    with pytest.raises(LoginExpiredError, match="without a refresh token"):
        session.get()
    assert server.requests == []


# --- trouble that passes ---

TRANSIENT: dict[str, tuple[int, Any]] = {
    "500": (500, {"error": "invalid_grant"}),
    "504 HTML": (504, b"<html>"),
    "429": (429, b""),
    "redirect": (302, b""),
    "captcha": (200, b"<html>"),
    "empty": (200, b""),
    "error in a 200": (200, {"error": "invalid_request"}),
    "no token": (200, {"access_token": None}),
}


@pytest.mark.parametrize("kind", TRANSIENT)
def test_a_passing_fault_serves_the_old_token_while_it_lives(
    session: Session, logins: Any, server: Any, kind: str, store: FileStore
) -> None:
    login = logins.write(seconds_left=100)
    server.answer_next(*TRANSIENT[kind])
    assert session.get() == login
    settle()
    assert [session.get() for _ in range(5)] == [login] * 5
    settle()
    assert len(server.requests) == 1
    assert on_disk(store) == login


@pytest.mark.parametrize("kind", TRANSIENT)
def test_a_passing_fault_on_a_dead_token_is_tried_three_times_then_an_error(
    session: Session, logins: Any, server: Any, kind: str, clock: Any
) -> None:
    logins.write(seconds_left=-1)
    for _ in range(3):
        server.answer_next(*TRANSIENT[kind])
    with pytest.raises(RefreshError, match="The login is kept") as caught:
        session.get()
    assert clock.naps == [0.1, 0.3]
    assert caught.value.retry_after is None
    with pytest.raises(RefreshError) as again:
        session.get()
    assert again.value.retry_after == 1
    assert len(server.requests) == 3


def test_a_server_that_stumbles_twice_costs_no_call(
    session: Session, logins: Any, server: Any, clock: Any
) -> None:
    login = logins.write(seconds_left=-1)
    server.answer_next(500)
    server.answer_next(502, b"<html>")
    assert session.get().access_token != login.access_token
    assert clock.naps == [0.1, 0.3]


UNUSABLE: dict[str, Any] = {
    "line end": "a\r\nX-Injected: 1",
    "NUL": "a\x00b",
    "not ASCII": "a\u2028\u00e9",
    "a list": ["a"],
    "null": None,
}


@pytest.mark.parametrize("kind", UNUSABLE)
def test_an_unusable_access_token_does_not_cost_the_new_refresh_token(  # noqa: PLR0913, PLR0917  # a test's fixtures
    session: Session, logins: Any, server: Any, clock: Any, store: FileStore, kind: str
) -> None:
    login = logins.write(seconds_left=-1)
    successor = server.tokens()["refresh_token"]
    server.answer_next(200, {"access_token": UNUSABLE[kind], "refresh_token": successor, "expires_in": 60})
    with pytest.raises(RefreshError, match=r"one that cannot be used\. The login is kept"):
        session.get()
    assert on_disk(store) == login.model_copy(update={"refresh_token": successor})
    clock.pass_time(1)
    assert session.get() == on_disk(store)
    assert [form["refresh_token"] for form in server.refresh_forms()] == [login.refresh_token, successor]


def test_an_unusable_access_token_leaves_the_old_one_its_life(
    session: Session, logins: Any, server: Any, store: FileStore
) -> None:
    login = logins.write(seconds_left=100)
    server.answer_next(200, {"access_token": "a\r\nb", "refresh_token": "successor"})
    session.get()
    settle()
    assert session.get().access_token == login.access_token
    assert on_disk(store).refresh_token == "successor"


def test_an_unusable_answer_after_a_rejection_keeps_the_new_refresh_token(
    session: Session, logins: Any, server: Any, clock: Any
) -> None:
    login = logins.write()
    session.get()
    successor = server.tokens()["refresh_token"]
    server.answer_next(200, {"access_token": "a\x00b", "refresh_token": successor})
    with pytest.raises(RefreshError, match="cannot be used"):
        session.get(rejected=login.access_token)
    clock.pass_time(1)
    assert session.get(rejected=login.access_token).access_token != login.access_token
    assert server.reused == 0


def test_two_unusable_tokens_leave_the_login_as_it_was(
    session: Session, logins: Any, server: Any, store: FileStore
) -> None:
    login = logins.write(seconds_left=-1)
    for _ in range(3):
        server.answer_next(200, {"access_token": "a\nb", "refresh_token": "c\nd"})
    with pytest.raises(RefreshError):
        session.get()
    assert on_disk(store) == login


def test_a_server_that_is_down_is_named(new_session: Any, logins: Any) -> None:
    logins.write(seconds_left=-1)
    with pytest.raises(RefreshError, match=r"no answer from 127\.0\.0\.1:9 \("):
        new_session(oauth_base_url="http://127.0.0.1:9").get()


@pytest.mark.parametrize("status", [429, 503])
def test_a_server_that_asks_for_a_moment_gets_it(
    session: Session, logins: Any, server: Any, clock: Any, status: int
) -> None:
    logins.write(seconds_left=-1)
    server.answer_next(status, b"", Retry_After="1")
    assert session.get().access_token in server.secrets
    assert clock.naps == [1.0]


def test_a_login_without_refresh_token_that_comes_while_we_wait_is_not_renewed(
    new_session: Any, logins: Any, server: Any, store: FileStore, clock: Any
) -> None:
    login = logins.write(seconds_left=-1)
    poor = login.model_copy(update={"access_token": "poor", "refresh_token": None})

    def sleep(seconds: float) -> None:
        clock.sleep(seconds)
        store.path.write_bytes(poor.to_json())

    with held_by_another(store), pytest.raises(LoginExpiredError, match="without a refresh token"):
        new_session(clocks=Clocks(clock.time, clock.monotonic, sleep)).get()
    assert server.requests == []


def test_a_refused_token_that_was_only_adopted_is_renewed(session: Session, logins: Any, server: Any) -> None:
    first = logins.write()
    assert session.get() == first
    second = logins.write()
    adopted = session.get(rejected=first.access_token)
    assert adopted == second
    assert not session.has_renewed(adopted)
    renewed = session.get(rejected=second.access_token)
    assert renewed not in {first, second}
    assert session.has_renewed(renewed)
    assert server.refreshes == 1


def test_retry_after_is_honoured(session: Session, logins: Any, server: Any, clock: Any) -> None:
    logins.write(seconds_left=-1)
    server.answer_next(429, b"", Retry_After="120")
    with pytest.raises(RefreshError) as caught:
        session.get()
    assert caught.value.retry_after == 120
    assert clock.naps == []
    clock.pass_time(119)
    with pytest.raises(RefreshError) as again:
        session.get()
    assert again.value.retry_after == pytest.approx(1)
    clock.pass_time(1)
    assert session.get().access_token
    assert len(server.requests) == 2


def test_pauses_grow_to_a_bound_and_end_with_success(
    session: Session, logins: Any, server: Any, clock: Any
) -> None:
    logins.write(seconds_left=-1)
    pauses = []
    for _ in range(7):
        for _ in range(3):
            server.answer_next(503)
        with pytest.raises(RefreshError):
            session.get()
        with pytest.raises(RefreshError) as caught:
            session.get()
        pauses.append(caught.value.retry_after)
        clock.pass_time(caught.value.retry_after or 0)
    assert pauses == pytest.approx([1, 2, 4, 8, 16, MAX_PAUSE, MAX_PAUSE])
    assert session.get().access_token
    assert (session.renewals, session.failed_renewals) == (1, 7)


def test_renewals_that_keep_failing_are_told_once_and_at_the_first(
    session: Session, logins: Any, server: Any, clock: Any, caplog: pytest.LogCaptureFixture
) -> None:
    logins.write(seconds_left=-1)
    for _ in range(3):
        for _ in range(3):
            server.answer_next(503)
        with pytest.raises(RefreshError) as caught:
            session.get()
        assert [record.getMessage() for record in caplog.records] == [str(caught.value)]
        clock.pass_time(MAX_PAUSE)


def test_a_slow_failure_is_not_repeated(new_session: Any, logins: Any, server: Any, clock: Any) -> None:
    logins.write(seconds_left=-1)
    server.before_answer = lambda: clock.pass_time(25)
    server.answer_next(504)
    with pytest.raises(RefreshError):
        new_session().get()
    assert len(server.requests) == 1


# --- a store in trouble ---


def test_a_corrupt_file_is_an_error_of_its_own_and_kept(session: Session, store: FileStore) -> None:
    store.path.parent.mkdir()
    store.path.write_bytes(b"{ half")
    store.path.chmod(0o600)
    with pytest.raises(CorruptCredentialsError):
        session.get()
    assert store.path.read_bytes() == b"{ half"


def test_a_file_torn_by_somebody_else_does_not_stop_a_live_token(
    session: Session, logins: Any, store: FileStore, clock: Any
) -> None:
    login = logins.write()
    session.get()
    store.path.write_bytes(b"{ half")
    clock.pass_time(1)
    assert session.get() == login


class ReadOnlyStore(FileStore):
    """What a read-only mount answers; `FileStore`'s own tests show that it does."""

    mended = False

    def _locked(self, timeout: float) -> Any:
        if self.mended:
            return super()._locked(timeout)
        raise ReadOnlyStoreError(f"Cannot lock {self.path}: Read-only file system ({timeout}).")


def test_in_a_read_only_folder_the_new_token_lives_in_memory_with_one_warning(  # noqa: PLR0913, PLR0917  # a test's fixtures
    new_session: Any,
    logins: Any,
    server: Any,
    store: FileStore,
    clock: Any,
    caplog: pytest.LogCaptureFixture,
) -> None:
    login = logins.write(seconds_left=-1)
    session = new_session(store=ReadOnlyStore(store.path.parent))
    with caplog.at_level(logging.WARNING):
        renewed = session.get()
        clock.pass_time(100)
        assert session.get() == renewed
        assert session.get(rejected=renewed.access_token) != renewed
    assert server.refreshes == 2
    assert server.reused == 0
    assert on_disk(store) == login
    assert [record.getMessage()[:55] for record in caplog.records] == [
        "A renewed Qwen login is kept in memory only and ends wi"
    ]


def test_a_touched_read_only_file_does_not_bring_back_the_spent_token(
    new_session: Any, logins: Any, server: Any, store: FileStore, clock: Any
) -> None:
    logins.write(seconds_left=-1)
    session = new_session(store=ReadOnlyStore(store.path.parent))
    renewed = session.get()
    os.utime(store.path, (5, 5))
    clock.pass_time(1)
    assert session.get() == renewed
    assert server.refreshes == 1


def test_what_could_not_be_saved_is_saved_once_the_folder_takes_it(
    new_session: Any, logins: Any, server: Any, store: FileStore, clock: Any
) -> None:
    logins.write(seconds_left=-1)
    place = ReadOnlyStore(store.path.parent)
    session = new_session(store=place)
    renewed = session.get()
    clock.pass_time(1)
    assert session.get() == renewed
    assert on_disk(store) != renewed
    place.mended = True
    clock.pass_time(60)
    assert session.get() == renewed
    assert on_disk(store) == renewed
    # From here on it is as if it had been saved at once.
    other = logins.write()
    clock.pass_time(1)
    assert session.get() == other
    assert server.refreshes == 1


def test_what_could_not_be_saved_yields_to_a_login_written_meanwhile(
    new_session: Any, logins: Any, store: FileStore, clock: Any
) -> None:
    logins.write(seconds_left=-1)
    place = ReadOnlyStore(store.path.parent)
    session = new_session(store=place)
    session.get()

    other = logins.write()
    place.mended = True
    clock.pass_time(60)
    assert session.get() == on_disk(store) == other


def full(_fd: int, _data: bytes) -> None:
    raise OSError(28, "No space left on device")


def test_on_a_full_disk_no_refresh_token_is_spent(
    session: Session, logins: Any, server: Any, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    login = logins.write(seconds_left=-1)

    with monkeypatch.context() as patch:
        patch.setattr(disk, "_write_all", full)
        with pytest.raises(StoreError, match="Make room there"):
            session.get()
    assert server.requests == []
    clock.pass_time(1)
    assert session.get().refresh_token != login.refresh_token


def test_on_a_full_disk_a_live_token_is_served(
    session: Session, logins: Any, server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    login = logins.write(seconds_left=200)

    monkeypatch.setattr(disk, "_write_all", full)
    assert session.get() == login
    settle()
    assert session.get() == login
    assert server.requests == []


def test_a_write_that_fails_after_the_refresh_loses_nothing(  # noqa: PLR0913, PLR0917  # a test's fixtures
    session: Session,
    new_session: Any,
    logins: Any,
    server: Any,
    store: FileStore,
    clock: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    logins.write(seconds_left=-1)

    def broken(_fd: int) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        server.before_answer = lambda: patch.setattr(os, "fsync", broken)
        renewed = session.get()
    server.before_answer = lambda: None
    assert session.get() == renewed
    # Another process finds the answer under the lock, instead of spending the old token again.
    (caught,) = store.path.parent.glob("*.answer")
    os.utime(caught, (clock.now, clock.now))
    assert new_session().get() == renewed
    assert on_disk(store) == renewed
    assert (server.refreshes, server.reused) == (1, 0)


@contextlib.contextmanager
def held_by_another(store: FileStore) -> Iterator[None]:
    taken, done = threading.Event(), threading.Event()

    def hold() -> None:
        store.path.parent.mkdir(exist_ok=True)
        with locked(disk.beside(store.path, ".lock"), 5, like=store.path):
            taken.set()
            done.wait(30)

    thread = threading.Thread(target=hold)
    thread.start()
    assert taken.wait(60)
    try:
        yield
    finally:
        done.set()
        thread.join()


def test_a_lock_held_for_ever_is_an_error_within_its_time(
    session: Session, logins: Any, server: Any, store: FileStore, clock: Any
) -> None:
    logins.write(seconds_left=-1)
    with held_by_another(store), pytest.raises(LockTimeoutError, match=r"process has held .* for 30 s"):
        session.get()
    assert sum(clock.naps) == pytest.approx(30, abs=0.1)
    assert server.requests == []


def test_a_lock_held_for_ever_does_not_delay_a_live_token(
    session: Session, logins: Any, store: FileStore, clock: Any
) -> None:
    login = logins.write(seconds_left=100)
    with held_by_another(store):
        assert session.get() == login
        settle()
        assert session.get() == login
    assert clock.naps == []


def test_who_waits_for_the_lock_leaves_as_soon_as_a_sibling_has_renewed(
    new_session: Any, logins: Any, server: Any, store: FileStore, clock: Any
) -> None:
    login = logins.write(seconds_left=-1)
    sibling = login.model_copy(
        update={"access_token": "siblings", "expiry_date": int((clock.now + 9000) * 1000)}
    )

    def sleep(seconds: float) -> None:
        clock.sleep(seconds)
        if len(clock.naps) == 3:
            store.path.write_bytes(sibling.to_json())

    with held_by_another(store):
        assert new_session(clocks=Clocks(clock.time, clock.monotonic, sleep)).get() == sibling
    assert len(clock.naps) == 3
    assert server.requests == []


# --- clocks ---


def test_a_clock_that_jumps_ahead_costs_one_refresh(
    session: Session, logins: Any, server: Any, clock: Any
) -> None:
    logins.write(seconds_left=1800)
    session.get()
    clock.now += 3600
    for _ in range(10):
        session.get()
        clock.pass_time(1)
    assert server.refreshes == 1


def test_a_clock_that_jumps_back_uses_a_dead_token_for_one_rejection_only(
    session: Session, logins: Any, server: Any, clock: Any
) -> None:
    login = logins.write(seconds_left=60, lifetime=60)
    session.get()
    clock.mono += 120
    clock.now -= 3600
    assert session.get() == login
    renewed = session.get(rejected=login.access_token)
    clock.pass_time(1)
    assert session.get() == renewed
    assert server.refreshes == 1


def test_a_lifetime_that_makes_no_sense_is_no_refresh_storm(
    session: Session, logins: Any, server: Any, clock: Any
) -> None:
    logins.write(seconds_left=-1)
    server.expires_in = -5
    for _ in range(10):
        session.get()
        clock.pass_time(10)
    assert server.refreshes == 1


# --- secrets ---

FAILURES: dict[str, Callable[[Any], None]] = {
    "refused with an echo": lambda server: server.answer_next(
        400, {"error": "invalid_grant", "error_description": " ".join(server.secrets)}
    ),
    "HTML with an echo": lambda server: server.answer_next(500, " ".join(server.secrets).encode()),
    "garbage": lambda server: server.answer_next(200, b"\xff" + " ".join(server.secrets).encode()),
}


@pytest.mark.parametrize("kind", FAILURES)
def test_no_secret_in_errors_logs_or_reprs(
    session: Session, logins: Any, server: Any, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    logins.write(seconds_left=-1)
    FAILURES[kind](server)
    FAILURES[kind](server)
    FAILURES[kind](server)
    with caplog.at_level(logging.DEBUG), pytest.raises(QwenAuthError) as caught:
        session.get()
    told = f"{caught.value!r}{caught.getrepr(style='short', showlocals=False)}{caplog.text}{session!r}"
    assert server.secrets
    assert not [secret for secret in server.secrets if secret in told]


# --- other processes ---


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child_goes_on_by_itself(session: Session, logins: Any, server: Any) -> None:
    login = logins.write()
    session.get()
    session._mutex.acquire()  # another thread of the parent may be inside at the moment of the fork
    child = os.fork()
    if child == 0:  # pragma: no cover  # another process
        signal.alarm(30)  # a child that hangs must not hang the test
        code = 2  # whatever happens, this process must not go on as a second pytest
        try:
            renewed = session.get(rejected=login.access_token)
            code = 0 if renewed.access_token != login.access_token else 1
        except BaseException:  # noqa: BLE001  # told on stderr; the parent sees the code
            os.write(2, traceback.format_exc().encode())
        finally:
            os._exit(code)
    session._mutex.release()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert session.get(rejected=login.access_token).access_token != login.access_token
    assert server.refreshes == 1


def test_with_its_own_clocks_a_session_serves_now(server: Any, store: FileStore) -> None:
    tokens = server.tokens()
    expiry = int((time.time() + 21600) * 1000)
    store.save(
        Credentials(
            access_token=tokens["access_token"], refresh_token=tokens["refresh_token"], expiry_date=expiry
        )
    )
    session = Session(store, oauth_base_url=server.url)
    assert session.get().access_token == tokens["access_token"]
    assert session.get(rejected=tokens["access_token"]).access_token != tokens["access_token"]


# --- a key instead of a login ---


def a_key(text: str = "sk-sp-first-0123456789") -> Credentials:
    return Credentials(access_token=text, plan="custom", resource_url="http://10.0.0.7:8000/v1")


def test_a_key_is_served_for_ever_and_no_server_is_asked(
    session: Session, store: FileStore, server: Any, clock: Any
) -> None:
    store.save(a_key())
    assert session.get() == a_key()
    clock.pass_time(1e9)
    assert session.get() == a_key()
    assert server.requests == []


def test_a_changed_key_is_served_within_a_second(session: Session, store: FileStore, clock: Any) -> None:
    store.save(a_key())
    session.get()
    store.save(a_key("sk-sp-second-0123456789"))
    clock.pass_time(store.look_interval)
    assert session.get() == a_key("sk-sp-second-0123456789")


def test_a_refused_key_is_looked_after_once_and_comes_back_if_it_is_the_same(
    session: Session, store: FileStore, server: Any
) -> None:
    store.save(a_key())
    first = session.get().access_token
    assert session.get(rejected=first) == a_key()  # its refusal is the caller's to tell
    assert session.get() == a_key()  # another address may take it
    store.save(a_key("sk-sp-second-0123456789"))
    assert session.get(rejected=first) == a_key("sk-sp-second-0123456789")  # without waiting for a second
    assert asyncio.run(session.aget(rejected=first)) == a_key("sk-sp-second-0123456789")
    assert server.requests == []


def test_a_key_and_a_login_take_each_others_place(
    session: Session, store: FileStore, logins: Any, server: Any, clock: Any
) -> None:
    login = logins.write()
    session.get()
    renewed = session.get(rejected=login.access_token)
    store.save(a_key(renewed.access_token))  # whatever it looks like
    clock.pass_time(1)
    assert session.get(rejected=renewed.access_token).is_key
    again = logins.write()
    clock.pass_time(1)
    assert session.get() == again
    assert server.refreshes == 1
