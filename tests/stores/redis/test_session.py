"""Whole sessions on the store: several machines, one OAuth server that knows each refresh token once."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from litellm_qwen_ai.oauth.clocks import CLOCKS
from litellm_qwen_ai.oauth.credentials import Credentials
from litellm_qwen_ai.oauth.errors import (
    CorruptCredentialsError,
    LockTimeoutError,
    LoginExpiredError,
    NotLoggedInError,
    StoreError,
)
from litellm_qwen_ai.oauth.session import Session
from litellm_qwen_ai.stores.redis.login import RedisStore
from litellm_qwen_ai.stores.redis.turn import RedisTurn
from tests.logins import OAuthServer
from tests.valkey import Machine, Valkey
from tests.waiting import until

PATIENCE = 60.0


@pytest.fixture
def new_machine(new_machine: Callable[..., Machine]) -> Callable[..., Machine]:
    """With the real clocks: they run in threads."""
    return lambda *given, **changes: new_machine(*given, **{"clocks": CLOCKS, **changes})


def login(server: OAuthServer, seconds_left: float = -1.0) -> Credentials:
    tokens = server.tokens()
    return Credentials(
        access_token=tokens["access_token"],
        refresh_token=tokens["refresh_token"],
        expiry_date=int((time.time() + seconds_left) * 1000),
    )


def ask_all(sessions: list[Session], threads: int) -> list[object]:
    """What each thread of each session gets at once: a token, or an error."""
    outcomes: list[object] = []
    start = threading.Barrier(len(sessions) * threads)

    def one(session: Session) -> None:
        start.wait(PATIENCE)
        try:
            outcomes.append(session.get().access_token)
        except Exception as error:  # noqa: BLE001  # what comes is the outcome
            outcomes.append(error)

    running = [threading.Thread(target=one, args=(session,)) for session in sessions for _ in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join(PATIENCE)
    return outcomes


def test_three_machines_with_many_sessions_and_threads_renew_once(
    new_machine: Callable[..., Machine], server: OAuthServer
) -> None:
    machines = [new_machine() for _ in range(3)]
    machines[0].store().save(login(server))
    sessions = [machine.session(server.url) for machine in machines for _ in range(4)]
    outcomes = ask_all(sessions, 5)
    assert len(outcomes) == 60
    assert set(map(type, outcomes)) == {str}
    assert len(set(outcomes)) == 1
    assert (server.refreshes, server.reused) == (1, 0)


def test_a_token_that_the_chat_server_refused_is_renewed_once(
    new_machine: Callable[..., Machine], server: OAuthServer
) -> None:
    machines = [new_machine() for _ in range(3)]
    machines[0].store().save(login(server, 3600))
    sessions = [machine.session(server.url) for machine in machines]
    refused = {session.get().access_token for session in sessions}
    assert len(refused) == 1
    (token,) = refused
    served = {session.get(rejected=token).access_token for session in sessions}
    assert len(served) == 1
    assert token not in served
    assert (server.refreshes, server.reused) == (1, 0)


def test_a_renewal_elsewhere_is_heard_of_at_once(
    new_machine: Callable[..., Machine], server: OAuthServer
) -> None:
    one, other = new_machine(), new_machine()
    one.store().save(login(server, 3600))
    session = other.session(server.url)
    session.get()
    until(lambda: other.places[0]._shared.watcher.is_live, "the other machine listens")
    one.store().save(new := login(server, 3600))
    until(lambda: session.get().access_token == new.access_token, "the new token is served")


def test_a_logout_elsewhere_is_heard_of(new_machine: Callable[..., Machine], server: OAuthServer) -> None:
    one, other = new_machine(), new_machine()
    one.store().save(login(server, 3600))
    session = other.session(server.url)
    session.get()
    one.store().delete()

    def is_told() -> bool:
        try:
            session.get()
        except NotLoggedInError:
            return True
        return False

    until(is_told, "it is told")


@pytest.mark.parametrize("change", ["a renewal", "a logout"])
def test_a_process_that_does_nothing_knows_what_it_heard_when_the_store_is_lost(
    new_machine: Callable[..., Machine], server: OAuthServer, own: Valkey, change: str
) -> None:
    idle = new_machine(own)
    idle.store().save(login(server, 3600))
    store = idle.store()
    session = idle.session(server.url, store)
    session.get()
    until(lambda: idle.places[1]._shared.watcher.is_live, "the idle machine listens")
    before = store.version
    passing = new_machine(own)
    if change == "a logout":
        passing.store().delete()
    else:
        spent = passing.session(server.url).get().access_token
        new = passing.session(server.url).get(rejected=spent).access_token
    passing.close()
    until(lambda: store.version != before, "the other login is seen")
    own.client.flushall()
    store.refresh()
    after = new_machine(own).store().look()
    assert (after.credentials.access_token if after else None) == (None if change == "a logout" else new)


def test_a_login_that_is_told_to_be_older_is_replaced_at_once(
    new_machine: Callable[..., Machine], server: OAuthServer, own: Valkey
) -> None:
    idle = new_machine(own)
    writer = idle.store()
    writer.save(login(server, 3600))
    away = new_machine(own).store()
    away.look()
    writer.save(new := login(server, 3600))
    idle.session(server.url).get()
    until(lambda: idle.places[1]._shared.watcher.is_live, "the idle machine listens")
    own.client.flushall()
    away.refresh()  # puts back the older login, and tells of it
    other = new_machine(own).store()
    until(
        lambda: (found := other.look()) and found.credentials.access_token == new.access_token,
        "the new token is seen",
    )


def test_a_session_that_does_nothing_puts_back_what_a_flush_took(
    new_machine: Callable[..., Machine], server: OAuthServer, own: Valkey
) -> None:
    one = new_machine(own, limits=replace(new_machine(own).limits, pushed=0.05))
    one.store().save(saved := login(server, 3600))
    session = one.session(server.url)
    session.get()
    own.client.flushall()
    other = new_machine(own).store()
    until(other.look, "the login is seen")
    found = other.look()
    assert found is not None
    assert found.credentials.access_token == saved.access_token


def test_while_the_token_lives_no_call_waits_for_a_stopped_store(
    new_machine: Callable[..., Machine], server: OAuthServer, own: Valkey
) -> None:
    one = new_machine(own)
    one.store().save(login(server, 3600))
    session = one.session(server.url)
    session.get()
    own.signal(signal.SIGSTOP)
    session.look_soon()
    for _ in range(20):
        began = time.monotonic()
        session.get()
        assert time.monotonic() - began < 2.0  # half of what the store is given, on a busy machine
    own.signal(signal.SIGCONT)


def test_while_the_token_lives_a_damaged_record_costs_no_call(
    new_machine: Callable[..., Machine], server: OAuthServer, common: Valkey
) -> None:
    one = new_machine()
    one.store().save(login(server, 3600))
    store = one.store()
    session = one.session(server.url, store)
    token = session.get().access_token
    common.client.hset(store.keys[0], "number", "junk")
    session.look_soon()
    assert session.get().access_token == token
    with pytest.raises(CorruptCredentialsError, match="is damaged"):
        session.get(rejected=token)
    assert server.requests == []


def test_without_the_store_nothing_is_sent(
    new_machine: Callable[..., Machine], server: OAuthServer, own: Valkey
) -> None:
    one = new_machine(own)
    one.store().save(login(server))
    session = one.session(server.url)
    own.stop()
    with pytest.raises(StoreError, match=f"127.0.0.1:{own.port}"):
        session.get()
    assert server.requests == []
    own.start()


@pytest.mark.parametrize("fault", ["full", "read-only"])
def test_a_store_that_takes_no_writes_when_the_answer_comes_costs_nothing(
    new_machine: Callable[..., Machine], server: OAuthServer, own: Valkey, fault: str
) -> None:
    one = new_machine(own, limits=replace(new_machine(own).limits, pushed=0.1))
    one.store().save(login(server))
    session = one.session(server.url)

    def break_it() -> None:
        if fault == "full":
            own.client.config_set("maxmemory", "1")
        else:
            own.client.replicaof("127.0.0.1", 1)

    server.before_answer = break_it
    renewed = session.get()
    assert server.refreshes == 1
    assert session.get() == renewed
    left = list((one.folder / "caught").rglob("*.*"))
    assert [path.stat().st_mode & 0o777 for path in left] == [0o600]
    own.client.config_set("maxmemory", "0")
    own.client.replicaof("NO", "ONE")
    other = new_machine(own).store()

    def stored() -> bool:
        found = other.look()
        return found is not None and found.credentials.refresh_token == renewed.refresh_token

    until(stored, "it is stored")
    until(lambda: not list((one.folder / "caught").rglob("*.*")), "nothing is kept")
    assert (server.refreshes, server.reused) == (1, 0)


def test_a_holder_that_died_before_it_sent_costs_no_call_on_its_machine(
    new_machine: Callable[..., Machine], server: OAuthServer
) -> None:
    one = new_machine()
    one.store().save(login(server))
    in_a_process_that_dies(lambda: _takes_the_turn(one.store()))
    assert one.session(server.url).get()
    assert (server.refreshes, server.reused) == (1, 0)


def test_a_holder_that_died_after_the_answer_is_finished_by_its_machine(
    new_machine: Callable[..., Machine], server: OAuthServer
) -> None:
    one = new_machine()
    one.store().save(login(server))

    def dies() -> None:
        store = one.store()
        store.put_renewal = lambda *_: os.kill(os.getpid(), signal.SIGKILL)  # type: ignore[method-assign, assignment]  # the moment
        one.session(server.url, store).get()

    in_a_process_that_dies(dies)
    assert one.session(server.url).get()
    assert (server.refreshes, server.reused) == (1, 0)
    assert not list((one.folder / "caught").rglob("*.*"))


def test_a_holder_that_died_with_its_folder_is_waited_for(
    new_machine: Callable[..., Machine], server: OAuthServer
) -> None:
    one, other = new_machine(), new_machine()
    one.store().save(login(server))
    in_a_process_that_dies(lambda: _takes_the_turn(one.store()))
    with pytest.raises(LockTimeoutError, match="Another process, on"):
        other.session(server.url, lock_timeout=0.1).get()
    assert server.requests == []


def test_a_forked_child_uses_nothing_of_its_parents(
    new_machine: Callable[..., Machine], server: OAuthServer
) -> None:
    one = new_machine()
    one.store().save(login(server, 3600))
    store = one.store()
    session = one.session(server.url, store)
    session.get()
    parent = store._me

    def child() -> None:
        assert store._me != parent
        assert store.look()
        session.get()

    assert in_a_process(child) == 0
    assert store.look()


def test_a_dead_login_is_told_to_all_after_one_question(
    new_machine: Callable[..., Machine], server: OAuthServer
) -> None:
    machines = [new_machine() for _ in range(3)]
    machines[0].store().save(login(server))
    server.tokens()  # the token above is spent
    outcomes = ask_all([machine.session(server.url) for machine in machines], 3)
    assert set(map(type, outcomes)) == {LoginExpiredError}
    assert len(server.refresh_forms()) == 1


def test_a_renewal_takes_few_commands(
    new_machine: Callable[..., Machine], server: OAuthServer, own: Valkey
) -> None:
    machines = [
        new_machine(own, limits=Machine.__dataclass_fields__["limits"].default_factory()) for _ in range(2)
    ]  # type: ignore[misc]  # the real limits
    machines[0].store().save(login(server))
    sessions = [machine.session(server.url) for machine in machines for _ in range(10)]
    for session in sessions:
        session._store.look()  # type: ignore[attr-defined]  # connections and scripts are there
    before = commands(own)
    assert set(map(type, ask_all(sessions, 1))) == {str}
    used = commands(own) - before
    assert used <= 6 * len(sessions), f"{used} commands for {len(sessions)} processes"


def commands(valkey: Valkey) -> int:
    """Scripts that ran; what they do inside is not counted."""
    stats: dict[str, Any] = valkey.client.info("commandstats")
    return sum(stats.get(f"cmdstat_{name}", {"calls": 0})["calls"] for name in ("evalsha", "eval", "sadd"))


def _takes_the_turn(store: RedisStore) -> None:
    known = store.look()
    assert known is not None
    assert isinstance(store.turn(known), RedisTurn)
    os.kill(os.getpid(), signal.SIGKILL)


def in_a_process(work: Callable[[], object]) -> int:
    """Fork, and what the child ends with: its exit code, or minus the signal."""
    pid = os.fork()
    if pid == 0:
        try:
            work()
        except BaseException:  # noqa: BLE001  # the exit code says so
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def in_a_process_that_dies(work: Callable[[], object]) -> None:
    assert in_a_process(work) == -signal.SIGKILL


def test_a_turn_that_is_given_back_is_heard_of_at_once(
    new_machine: Callable[..., Machine], server: OAuthServer
) -> None:
    patient = replace(new_machine().limits, wait=60.0)
    one, other = new_machine(), new_machine(limits=patient)
    one.store().save(login(server))
    store = one.store()
    known = store.look()
    assert known is not None
    held = store.turn(known)
    assert isinstance(held, RedisTurn)
    served: list[str] = []
    session = other.session(server.url)
    waiting = threading.Thread(target=lambda: served.append(session.get().access_token))
    waiting.start()
    until(lambda: session._store._waiting is not None, "it has asked")  # type: ignore[attr-defined]  # it has asked
    until(lambda: other.places[0]._shared.watcher.is_live, "the other machine listens")
    held.__exit__()
    waiting.join(PATIENCE)
    assert served
    assert (server.refreshes, server.reused) == (1, 0)
