"""A store that is a cluster: one of its servers is named, and has half of the accounts."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator

import pytest

from litellm_qwen_ai.oauth.credentials import Credentials
from litellm_qwen_ai.quota.tally import Tally
from litellm_qwen_ai.stores.redis.turn import RedisTurn
from tests.logins import NOW
from tests.valkey import Cluster, Machine

LOGIN = Credentials(access_token="access-0", refresh_token="refresh-0", expiry_date=int((NOW + 60) * 1000))
RENEWED = Credentials(access_token="access-1", refresh_token="refresh-1", expiry_date=int((NOW + 99) * 1000))
#: On both servers, whatever a test's prefix is.
ACCOUNTS = [f"account-{number}" for number in range(8)]
PATIENCE = 60.0


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    running = Cluster(tmp_path_factory.mktemp("cluster"))
    yield running
    running.stop()


@pytest.fixture
def program() -> str:
    """Of the cluster: Valkey's wheel, or what `STORE_SERVER` names."""
    return ""


@pytest.fixture(params=["named", "litellm"])
def machines(
    cluster: Cluster, new_machine: Callable[..., Machine], request: pytest.FixtureRequest
) -> list[Machine]:
    if request.param == "named":
        return [new_machine(node) for node in cluster.nodes]
    ports = [node.port for node in cluster.nodes]
    told = json.dumps([{"host": "127.0.0.1", "port": port} for port in ports])
    return [new_machine(url="litellm", litellm_redis=(("cluster_nodes", told),)) for _ in range(2)]


def test_logins_turns_notes_and_counts_are_shared_on_a_cluster(machines: list[Machine]) -> None:
    here, there = (machine.place() for machine in machines)
    for name in ACCOUNTS:
        one, other = here.login(name), there.login(name)
        assert one.note() is None
        assert one.swap_note(None, b"waits")
        assert other.note() == b"waits"
        assert other.swap_note(b"waits", None)
        one.save(LOGIN)
        known = other.look()
        assert known is not None
        turn = other.turn(known)
        assert isinstance(turn, RedisTurn)
        with turn:
            turn.put(RENEWED)
        found = one.look(known)
        assert found is not None
        assert found.credentials.access_token == "access-1"
        new = Tally()
        new.add([NOW] * 3)
        here.counters(name).add(new, NOW)
        assert there.counters(name).read().seconds == {int(NOW): 3}
    assert here.accounts() == there.accounts() == ACCOUNTS
    assert here.login(ACCOUNTS[0]).delete()
    assert there.login(ACCOUNTS[0]).look() is None
    assert there.accounts() == ACCOUNTS[1:]


def test_word_of_a_change_comes_from_every_server_of_a_cluster(machines: list[Machine]) -> None:
    here, there = (machine.place() for machine in machines)
    heard = {name: threading.Event() for name in ACCOUNTS}
    stores = [there.login(name) for name in ACCOUNTS]  # the watcher keeps none alive
    for store in stores:
        store.watch(heard[store.name].set)
        store.look()
    assert _eventually(lambda: there._shared.watcher.is_live)
    for name in ACCOUNTS:
        here.login(name).save(LOGIN)
    for name in ACCOUNTS:
        assert heard[name].wait(PATIENCE), f"nothing was heard of {name} within {PATIENCE:g} s"


@pytest.mark.parametrize("lacks", ["cluster", "command"])
def test_the_rights_that_doctor_names_are_enough_on_a_cluster(
    cluster: Cluster, new_machine: Callable[..., Machine], lacks: str
) -> None:
    machine = new_machine(url=f"redis://few:pass@127.0.0.1:{cluster.nodes[0].port}/0")

    def allow(*rules: str) -> None:
        for node in cluster.nodes:
            node.client.execute_command("ACL", "SETUSER", "few", "reset", "on", ">pass", *rules)

    allow("~*", "&*", "+@all", f"-{lacks}")
    found = _fix_of_rights(machine)
    _, _, line = (found or "").partition("ACL SETUSER <user> on ><password> ")
    assert line.endswith("+cluster|slots +command")
    allow(*line.split())
    assert _fix_of_rights(machine) is None
    place = machine.place()
    for name in ACCOUNTS:
        store = place.login(name)
        store.save(LOGIN)
        store.ping()
        assert store.swap_note(None, b"note")
    assert place.accounts() == ACCOUNTS


def _fix_of_rights(machine: Machine) -> str | None:
    """What is to be done about our rights, whichever server the accounts of a test are on."""
    place = machine.place()
    found = {name: {one.name: one for one in place.check(name)} for name in ACCOUNTS}
    return next((one["Rights"].fix for one in found.values() if one["Rights"].fix), None)


def _eventually(holds: Callable[[], bool]) -> bool:
    waiting = threading.Event()
    for _ in range(int(PATIENCE / 0.02)):
        if holds():
            return True
        waiting.wait(0.02)
    return False
