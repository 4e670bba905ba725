"""What a process does when the store tells it of a change."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from litellm_qwen_ai.stores.redis.limits import LIMITS
from litellm_qwen_ai.stores.redis.watch import TURN, Watcher

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.valkey import Machine, Valkey

SECONDS = 30  # for what takes one: far less than the minute between two looks


class Login:
    """One that can be looked at, but for the time that `fails` says; it counts, and hears what it is told."""

    name = "alice"
    version = (1, 1)

    def __init__(self, fails: int) -> None:
        self._fails = fails
        self.looks = [threading.Event() for _ in range(4)]
        self.looked = 0
        self.told = threading.Event()

    def refresh(self) -> bool:
        self.looked += 1
        self.looks[self.looked].set()
        return self.looked != self._fails

    def tell(self) -> None:
        self.told.set()


@pytest.fixture
def machine(new_machine: Callable[..., Machine], own: Valkey) -> Machine:
    return new_machine(own)


@pytest.fixture
def watcher(machine: Machine) -> Iterator[Watcher]:
    shared = machine.place()._shared
    made = Watcher(shared.link, shared.channel, replace(LIMITS, ping=0.1))
    yield made
    made.close()


def told(machine: Machine, watcher: Watcher, login: Login, words: str) -> None:
    """Have the store tell of a change, once somebody listens."""
    watcher.add(login)
    watcher.start()
    assert login.looks[1].wait(SECONDS), "nobody looked at the login when the watching began"
    shared = machine.place()._shared
    shared.link.send("PUBLISH", shared.channel, words)


def test_a_change_that_cannot_be_read_at_once_is_looked_for_again_soon(
    machine: Machine, watcher: Watcher, own: Valkey
) -> None:
    login = Login(fails=2)
    told(machine, watcher, login, "alice 1 2")
    before = [one["id"] for one in own.client.client_list(_type="pubsub")]
    assert login.looks[3].wait(SECONDS), "nobody looked again"
    assert login.told.is_set()
    assert [one["id"] for one in own.client.client_list(_type="pubsub")] == before, "it connected anew"


def test_a_change_that_was_read_is_no_news_to_who_waits(machine: Machine, watcher: Watcher) -> None:
    login = Login(fails=0)
    told(machine, watcher, login, "alice 1 2")
    assert login.looks[2].wait(SECONDS), "nobody looked at the change"
    assert not login.told.is_set()


def test_a_turn_that_ended_is_told_and_not_looked_at(machine: Machine, watcher: Watcher) -> None:
    login = Login(fails=0)
    told(machine, watcher, login, f"alice {TURN}")
    assert login.told.wait(SECONDS), "nobody was told"
    assert login.looked == 1


def test_what_is_known_or_another_accounts_is_not_looked_at(machine: Machine, watcher: Watcher) -> None:
    login = Login(fails=0)
    told(machine, watcher, login, "alice 1 1")
    shared = machine.place()._shared
    shared.link.send("PUBLISH", shared.channel, "bob 1 2")
    shared.link.send("PUBLISH", shared.channel, f"alice {TURN}")
    assert login.told.wait(SECONDS), "nobody was told"
    assert login.looked == 1


@pytest.mark.parametrize(
    ("words", "done"),
    [("alice 1 1", True), ("bob 1 2", True), (f"alice {TURN}", True), ("alice 1 2", False), ("alice", False)],
)
def test_only_a_change_that_could_not_be_read_is_to_be_looked_for_again(
    watcher: Watcher, words: str, done: bool
) -> None:
    login = Login(fails=1)
    watcher.add(login)
    assert watcher._told(words.encode()) is done


def test_a_store_that_speaks_need_not_prove_that_it_can(machine: Machine, own: Valkey) -> None:
    def pings() -> int:
        count: int = own.client.info("commandstats").get("cmdstat_ping", {}).get("calls", 0)
        return count

    shared, login = machine.place()._shared, Login(fails=0)
    watcher, before = Watcher(shared.link, shared.channel, replace(LIMITS, ping=600.0)), pings()
    try:
        told(machine, watcher, login, f"alice {TURN}")
        assert login.told.wait(SECONDS), "nobody was told"
    finally:
        watcher.close()
    assert pings() == before


def test_what_is_closed_starts_no_more(watcher: Watcher) -> None:
    watcher.close()
    watcher.start()
    assert watcher._thread is None
