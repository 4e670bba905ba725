"""What every place must do, whatever it is: see oauth/door.py, quota/meter.py and stores/place.py."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from litellm_qwen_ai.oauth.credentials import Credentials
from litellm_qwen_ai.oauth.door import StoredCredentials, Taken
from litellm_qwen_ai.oauth.errors import LoginExpiredError, StoreError
from litellm_qwen_ai.oauth.pending import PendingLogin, poll_login, start_login
from litellm_qwen_ai.oauth.session import Session
from litellm_qwen_ai.quota.tally import THROTTLED, Refusal, Tally
from tests.stores.places import HARNESSES, Memory, default_login

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from litellm_qwen_ai.oauth.door import Store, Turn
    from tests.stores.places import Harness

NOW = 1_800_000_000.0
OLD = Credentials(access_token="old-access", refresh_token="old-refresh", expiry_date=int(NOW + 9) * 1000)
KEY = Credentials(access_token="sk-key", plan="coding-intl", resource_url="http://10.0.0.7/v1")
NEW = Credentials(access_token="new-access", refresh_token="new-refresh", expiry_date=int(NOW + 99) * 1000)
OTHER = Credentials(access_token="other-access", refresh_token="other-refresh", expiry_date=int(NOW) * 1000)


@pytest.fixture(params=list(HARNESSES))
def harness(request: pytest.FixtureRequest, tmp_path: Path) -> Harness:
    return HARNESSES[request.param](tmp_path)


@pytest.fixture
def here(harness: Harness) -> Store:
    return default_login(harness)


@pytest.fixture
def there(harness: Harness) -> Store:
    """The same place, as another process sees it."""
    return default_login(harness)


def seen(store: Store, known: StoredCredentials | None = None) -> StoredCredentials:
    found = store.look(known)
    assert found is not None
    return found


def taken(store: Store) -> Turn:
    turn = store.turn(seen(store))
    assert not isinstance(turn, (StoredCredentials, Taken)), turn
    assert turn is not None
    return turn


# --- looking, saving, forgetting ---


def test_where_nothing_was_saved_there_is_nothing(here: Store) -> None:
    assert (here.look(), here.note(), here.guard(), here.mode(), here.delete()) == (None,) * 5


def test_what_one_saves_the_other_sees(here: Store, there: Store) -> None:
    here.save(OLD)
    first = seen(there)
    assert first.credentials == OLD
    here.save(NEW)
    second = seen(there, first)
    assert second.credentials == NEW
    assert second.version != first.version
    assert there.guard()


def test_a_key_is_kept_as_a_login_is(here: Store, there: Store) -> None:
    here.save(OLD)
    login = seen(there)
    here.save(KEY)
    first = seen(there, login)
    assert first.credentials == KEY
    assert first.credentials.is_key
    assert seen(there, first) is first
    assert there.guard()
    there.save(KEY.model_copy(update={"access_token": "sk-other"}))
    second = seen(here)
    assert second.credentials.is_key
    assert second.credentials.access_token == "sk-other"  # made up
    assert here.put_back(first).credentials == second.credentials  # type: ignore[union-attr]  # the newer one stays
    assert here.delete()
    assert there.look(first) is None


def test_a_key_that_is_kept_while_a_login_is_renewed_wins(here: Store, there: Store) -> None:
    here.save(OLD)
    with taken(here) as turn:
        there.save(KEY)
        found = turn.put(NEW)
    assert found is not None
    assert found.credentials == KEY
    assert seen(here).credentials == seen(there).credentials == KEY


def test_what_has_not_changed_is_the_known_object_itself(here: Store) -> None:
    here.save(OLD)
    known = seen(here)
    assert here.look(known) is known


def test_a_login_is_forgotten_for_everybody(here: Store, there: Store) -> None:
    here.save(OLD)
    known = seen(there)
    assert here.delete()
    assert there.look(known) is None
    assert there.turn(known) is None
    assert there.put_back(known) is None
    assert there.look() is None
    assert here.delete() is None


def test_a_login_after_a_logout_counts(here: Store, there: Store) -> None:
    here.save(OLD)
    known = seen(there)
    here.delete()
    here.save(OTHER)
    assert seen(there, known).credentials == OTHER


def test_two_handles_of_one_place_have_one_key(harness: Harness, here: Store, there: Store) -> None:
    assert here.key == there.key
    assert here.key != harness.place().login("alice").key


def test_no_words_of_a_place_hold_a_secret(harness: Harness, here: Store) -> None:
    here.save(OLD)
    told = f"{here!r} {here.describe()} {here.guard()} {harness.place()!r} {harness.place().describe()}"
    assert not [secret for secret in ("old-access", "old-refresh") if secret in told]


# --- the turn ---


def test_one_has_the_turn_and_the_other_is_told_who(here: Store, there: Store) -> None:
    here.save(OLD)
    known = seen(there)
    with taken(here):
        answer = there.turn(known)
        assert isinstance(answer, Taken)
        assert "30 s" in answer.text(30)
    with taken(there):
        pass


def test_a_turn_that_brings_nothing_changes_nothing(here: Store, there: Store) -> None:
    here.save(OLD)
    with taken(here) as turn:
        turn.expect()
        turn.catch(b"{}")
        assert turn.caught == 2
    assert seen(there).credentials == OLD


def test_what_a_turn_brings_the_other_sees(here: Store, there: Store) -> None:
    here.save(OLD)
    known = seen(there)
    with taken(here) as turn:
        put = turn.put(NEW)
        assert put is not None
        assert put.credentials is NEW
    assert seen(there, known).credentials == NEW
    assert here.look(put) is put


def test_whoever_asks_late_gets_the_newer_login_instead_of_the_turn(here: Store, there: Store) -> None:
    here.save(OLD)
    known = seen(there)
    with taken(here) as turn:
        turn.put(NEW)
    late = there.turn(known)
    assert isinstance(late, StoredCredentials)
    assert late.credentials == NEW


def test_a_new_login_wins_over_a_renewal_of_the_old_one(harness: Harness, here: Store, there: Store) -> None:
    here.save(OLD)
    with taken(here) as turn:
        harness.write_behind(OTHER)
        put = turn.put(NEW)
        assert put is not None
        assert put.credentials == OTHER
    assert seen(there).credentials == OTHER


def test_a_logout_wins_over_a_renewal(harness: Harness, here: Store, there: Store) -> None:
    here.save(OLD)
    with taken(here) as turn:
        harness.remove_behind()
        assert turn.put(NEW) is None
    assert there.look() is None


def test_a_refusal_stands_unless_somebody_has_renewed_meanwhile(harness: Harness, here: Store) -> None:
    here.save(OLD)
    with taken(here) as turn:
        assert turn.refused("HTTP 400.") is None
        harness.write_behind(NEW)
        newer = turn.refused("HTTP 400.")
        assert newer is not None
        assert newer.credentials == NEW


# --- what goes wrong ---


def test_a_lost_write_is_seen_and_put_back(harness: Harness, here: Store, there: Store) -> None:
    here.save(OLD)
    with taken(here) as turn:
        known = turn.put(NEW)
        assert known is not None
    harness.lose_last_write(OLD)
    behind = seen(here, known)
    assert (behind.credentials, behind.unsaved) == (NEW, True)
    written = here.put_back(behind)
    assert written is not None
    assert (written.credentials, written.unsaved) == (NEW, False)
    assert seen(there).credentials == NEW


def test_putting_back_yields_to_a_newer_login(harness: Harness, here: Store, there: Store) -> None:
    here.save(OLD)
    with taken(here) as turn:
        known = turn.put(NEW)
    harness.lose_last_write(OLD)
    behind = seen(here, known)
    there.save(OTHER)
    kept = here.put_back(behind)
    assert kept is not None
    assert kept.credentials == OTHER
    assert seen(there).credentials == OTHER


def test_where_nothing_can_be_written_everything_says_so_and_stays(harness: Harness, here: Store) -> None:
    here.save(OLD)
    harness.refuse_writes()
    with pytest.raises(StoreError):
        here.ping()
    with pytest.raises(StoreError):  # the turn is refused, or takes the answer and cannot keep it
        renew(here)
    assert seen(here).credentials == OLD


def renew(store: Store) -> None:
    with taken(store) as turn:
        turn.put(NEW)


# --- notes ---


def test_a_note_is_swapped_by_whoever_knows_the_old_one(here: Store, there: Store) -> None:
    assert here.swap_note(None, b"one")
    assert there.note() == b"one"
    assert not there.swap_note(None, b"two")
    assert not there.swap_note(b"zero", b"two")
    assert there.swap_note(b"one", b"two")
    assert here.note() == b"two"
    assert here.swap_note(b"two", None)
    assert there.note() is None


def test_of_many_who_note_at_once_one_succeeds(harness: Harness) -> None:
    won: list[int] = []

    def work(number: int) -> None:
        if default_login(harness).swap_note(None, str(number).encode()):
            won.append(number)

    in_threads(work, 8)
    assert [str(number).encode() for number in won] == [default_login(harness).note()]


def test_a_note_is_no_login(harness: Harness, here: Store) -> None:
    here.swap_note(None, b"one")
    assert here.look() is None
    harness.place().login("alice").swap_note(None, b"two")
    assert harness.place().accounts() == ["alice"]


# --- accounts and counts ---


def test_the_place_knows_its_accounts(harness: Harness) -> None:
    place = harness.place()
    assert place.accounts() == []
    for name in ("zoe", None, "bob"):
        place.login(name).save(OLD)
    assert harness.place().accounts() == ["bob", "zoe"]
    place.login("zoe").delete()
    assert harness.place().accounts() == ["bob"]
    assert seen(place.login("bob")).credentials == OLD


def test_the_counts_of_all_add_up(harness: Harness) -> None:
    harness.place().login(None).save(OLD)
    here, there = (harness.place().counters(None) for _ in range(2))
    assert not here.read()

    def counted(times: int) -> Tally:
        new = Tally()
        new.add([NOW] * times)
        return new

    assert here.add(counted(2), NOW)
    assert there.add(counted(3), NOW)
    assert [one.read().last_minute(NOW) for one in (here, there)] == [5, 5]
    refused = Tally()
    refused.refuse(Refusal(NOW, None, THROTTLED))
    assert here.add(refused, NOW)
    assert there.read().usage(NOW).limited
    assert not harness.place().counters("alice").read()


# --- sessions on top ---


def in_threads(work: Callable[[int], object], count: int) -> None:
    threads = [threading.Thread(target=work, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)


@pytest.fixture
def sessions(harness: Harness, server: Any, clock: Any) -> Callable[[], Session]:
    return lambda: Session(default_login(harness), oauth_base_url=server.url, clocks=clock.clocks)


def login(server: Any, clock: Any, seconds_left: float) -> Credentials:
    tokens = server.tokens()
    return Credentials(
        access_token=tokens["access_token"],
        refresh_token=tokens["refresh_token"],
        expiry_date=int((clock.now + seconds_left) * 1000),
    )


def test_many_sessions_with_a_dead_token_renew_once(harness: Harness, server: Any, clock: Any) -> None:
    default_login(harness).save(login(server, clock, -1).model_copy(update={"expiry_date": 1}))
    served: list[str] = []

    def work(
        _: int,
    ) -> None:  # with real clocks: with the test's, whoever waits would be done waiting at once
        served.append(Session(default_login(harness), oauth_base_url=server.url).get().access_token)

    in_threads(work, 6)
    assert len(served) == 6
    assert (len(set(served)), server.refreshes, server.reused) == (1, 1, 0)


def test_a_dead_login_is_said_to_have_ended(here: Store, sessions: Any, server: Any, clock: Any) -> None:
    here.save(login(server, clock, -1))
    server.tokens()
    with pytest.raises(LoginExpiredError):
        sessions().get()
    assert len(server.requests) == 1


def test_whoever_renewed_without_asking_saves_us_from_a_refusal(
    harness: Harness, here: Store, server: Any, clock: Any
) -> None:
    here.save(login(server, clock, -1))
    theirs: list[Credentials] = []

    def renewed_elsewhere() -> None:
        server.before_answer = lambda: None
        theirs.append(login(server, clock, 9000))

    server.before_answer = renewed_elsewhere
    written = threading.Event()
    real_sleep = clock.clocks.sleep

    def sleep(seconds: float) -> None:
        real_sleep(seconds)
        if theirs and not written.is_set():
            written.set()
            harness.write_behind(theirs[0])

    session = Session(
        default_login(harness),
        oauth_base_url=server.url,
        clocks=type(clock.clocks)(clock.time, clock.monotonic, sleep),
    )
    assert session.get() == theirs[0]
    assert written.is_set()


def test_a_session_puts_back_what_the_place_has_lost(
    harness: Harness, there: Store, sessions: Any, server: Any, clock: Any
) -> None:
    old = login(server, clock, -1)
    there.save(old)
    session = sessions()
    renewed = session.get()
    harness.lose_last_write(old)
    clock.pass_time(100)  # no place is looked at more rarely
    assert session.get() == renewed
    assert eventually(lambda: seen(there).credentials == renewed)
    assert (server.refreshes, server.reused) == (1, 0)


def eventually(holds: Callable[[], bool]) -> bool:
    """Whether it comes to hold; a look runs in a thread of its own."""
    for thread in threading.enumerate():
        if thread.name in {"qwen-ai-look", "qwen-ai-renew"}:  # others listen for as long as they live
            thread.join(30)
    return holds()


def test_a_login_started_here_is_finished_there(here: Store, there: Store, server: Any, clock: Any) -> None:
    started = start_login(here, oauth_base_url=server.url, clocks=clock.clocks)
    assert start_login(there, oauth_base_url=server.url, clocks=clock.clocks) == started
    clock.pass_time(5)
    assert isinstance(poll_login(here, clocks=clock.clocks), PendingLogin)
    server.approved = True
    clock.pass_time(5)
    finished = poll_login(there, clocks=clock.clocks)
    assert isinstance(finished, Credentials)
    assert seen(here).credentials == finished
    assert here.note() is None


# --- a place that takes its time, or none at all ---


def test_no_call_with_a_live_token_waits_for_a_slow_place(
    tmp_path: Path, server: Any, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("litellm_qwen_ai.oauth.session.LOOK_PATIENCE", 0.0)
    memory = Memory(tmp_path)
    store = default_login(memory)
    live = login(server, clock, 9000)
    store.save(live)
    session = Session(store, oauth_base_url=server.url, clocks=clock.clocks)
    assert session.get() == live
    asked, go_on = threading.Event(), threading.Event()

    def takes_its_time() -> None:
        asked.set()
        assert go_on.wait(60), "the test never let the place answer"

    memory.shared.before_look = takes_its_time
    clock.pass_time(1)
    assert session.get() == live
    assert asked.wait(60), "nobody looked"
    clock.pass_time(100)
    assert [session.get() for _ in range(10)] == [live] * 10
    go_on.set()


def test_a_place_that_is_gone_costs_nothing_while_the_token_lives(
    tmp_path: Path, server: Any, clock: Any
) -> None:
    memory = Memory(tmp_path)
    store = default_login(memory)
    live = login(server, clock, 9000)
    store.save(live)
    session = Session(store, oauth_base_url=server.url, clocks=clock.clocks)
    session.get()
    memory.shared.gone = True
    clock.pass_time(8000)
    assert session.get() == live
    clock.pass_time(2000)
    with pytest.raises(StoreError, match="cannot be reached"):
        session.get()
    assert server.requests == []
