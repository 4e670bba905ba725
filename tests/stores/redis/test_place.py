from __future__ import annotations

import base64
import contextlib
import itertools
import logging
import pickle
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from redis import exceptions as faults

from litellm_qwen_ai.oauth.clocks import CLOCKS, Clocks
from litellm_qwen_ai.oauth.credentials import Credentials
from litellm_qwen_ai.oauth.errors import ConfigurationError, CorruptCredentialsError, StoreError
from litellm_qwen_ai.proxy.accounts import view
from litellm_qwen_ai.quota.tally import QUOTA_SPENT, THROTTLED, Failure, LaterCountsError, Refusal, Tally
from litellm_qwen_ai.settings import Settings
from litellm_qwen_ai.stores.place import place_of
from litellm_qwen_ai.stores.redis.address import Address, address_of
from litellm_qwen_ai.stores.redis.limits import Limits
from litellm_qwen_ai.stores.redis.link import Link
from litellm_qwen_ai.stores.redis.sealing import Sealer, sealer_of
from tests.logins import Clock
from tests.networks import listening
from tests.valkey import KEY, Machine, Sentinel, Valkey, free_port
from tests.waiting import until

LOGIN = Credentials(access_token="access-0", refresh_token="refresh-0", expiry_date=1)
NOW = 1_700_000_000.0


# --- the key ---


def test_what_is_sealed_opens_only_where_it_belongs() -> None:
    sealer = Sealer([b"k" * 32])
    sealed = sealer.seal(b"secret", "prefix", "alice", 5, 1)
    assert sealer.open(sealed, "prefix", "alice", 5, 1) == b"secret"
    for where in (("prefix", "bob", 5, 1), ("prefix", "alice", 5, 2), ("other", "alice", 5, 1)):
        with pytest.raises(CorruptCredentialsError):
            sealer.open(sealed, *where)


@pytest.mark.parametrize(
    "change", [lambda s: s[:-1], lambda s: b"\x02" + s[1:], lambda _: b"", lambda s: s[:9]]
)
def test_what_was_changed_is_not_opened(change: Callable[[bytes], bytes]) -> None:
    sealer = Sealer([b"k" * 32])
    with pytest.raises(CorruptCredentialsError):
        sealer.open(change(sealer.seal(b"secret", "x")), "x")


@pytest.mark.parametrize(
    ("key", "fault"),
    [
        (base64.b64encode(b"k" * 31).decode(), "key 1 has 31 bytes instead of 32"),
        (f"{KEY},not-a-key!", "key 2 is no base64"),
        (f"{KEY},", "key 2 has 0 bytes"),
        (f'"{KEY}"', "key 1 stands in quotes"),
    ],
)
def test_a_key_that_is_none_is_told_and_not_shown(key: str, fault: str) -> None:
    with pytest.raises(ConfigurationError, match=fault) as raised:
        sealer_of(Settings(store="redis://a", store_key=key))
    assert key[:8] not in str(raised.value)


def test_without_a_key_the_error_says_how_to_make_one() -> None:
    with pytest.raises(ConfigurationError, match=r"os\.urandom\(32\)"):
        sealer_of(Settings(store="redis://a"))


def test_litellms_salt_makes_a_key_but_only_where_none_is_given() -> None:
    told = {"QWEN_STORE": "redis://a", "LITELLM_SALT_KEY": "sk-salt"}
    one, same = (sealer_of(Settings.from_environment(told)) for _ in range(2))
    assert same.open(one.seal(b"x", 1), 1) == b"x"
    assert Settings.from_environment({**told, "QWEN_STORE_KEY": KEY}).salt_key is None


def test_a_key_that_is_made_from_a_salt_that_is_not_there_is_told() -> None:
    with pytest.raises(ConfigurationError, match="key 2 is litellm, but LITELLM_SALT_KEY is not set"):
        sealer_of(Settings(store="redis://a", store_key=f"{KEY},litellm"))


# --- the settings ---


def test_the_settings_choose_the_place() -> None:
    settings = Settings.from_environment(
        {
            "QWEN_STORE": "redis://:secret-pass@127.0.0.1:1/0",
            "QWEN_STORE_KEY": KEY,
            "QWEN_STORE_PREFIX": "other",
        }
    )
    store = place_of(settings).login("alice")
    assert store.describe() == "redis://127.0.0.1:1/0 (other:alice)"
    assert place_of(settings) is place_of(settings)
    assert "secret" not in repr(settings) + repr(place_of(settings)) + repr(store)


@pytest.mark.parametrize("prefix", ["a{b", "a b", "a*", "a?", "a[b]", "a\\b", "a\nb"])
def test_a_prefix_that_cannot_be_part_of_a_key_is_told(prefix: str) -> None:
    with pytest.raises(ConfigurationError, match="QWEN_STORE_PREFIX"):
        place_of(Settings(store="redis://a", store_key=KEY, store_prefix=prefix))


def test_an_extra_that_is_not_installed_is_told() -> None:
    code = (
        "import sys; sys.modules['cryptography'] = None\n"
        "from litellm_qwen_ai.settings import Settings\n"
        "from litellm_qwen_ai.stores.place import place_of\n"
        f"try: place_of(Settings(store='redis://a', store_key={KEY!r}))\n"
        "except Exception as error: print(type(error).__name__, error)"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.startswith("ConfigurationError QWEN_STORE needs")
    assert "pip install 'litellm-qwen-ai[redis]'" in out.stdout


def test_without_the_setting_nothing_of_redis_is_imported(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "from litellm_qwen_ai.settings import Settings\n"
        "from litellm_qwen_ai.accounts import account_of\n"
        f"account_of(Settings({str(tmp_path)!r})).session\n"
        "print([name for name in sys.modules if name.split('.')[0] in ('redis', 'cryptography')])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


# --- faults of the store ---


def told(work: Callable[[], object]) -> str:
    with pytest.raises(StoreError) as raised:
        work()
    shown = "".join(traceback.format_exception(raised.value)) + repr(pickle.loads(pickle.dumps(raised.value)))  # noqa: S301  # our own
    assert "secret-pass" not in shown
    assert raised.value.__cause__ is None
    assert raised.value.__context__ is None
    return str(raised.value)


def test_a_store_that_is_not_there_is_named_with_host_and_port(new_machine: Callable[..., Machine]) -> None:
    port = free_port()
    store = new_machine(url=f"redis://:secret-pass@127.0.0.1:{port}/0").store()
    text = told(store.look)
    assert f"redis://127.0.0.1:{port}/0" in text
    assert "refused" in text


@pytest.mark.parametrize("host", ["a..example", "x" * 70])
def test_a_host_that_cannot_be_looked_up_is_told(new_machine: Callable[..., Machine], host: str) -> None:
    text = told(new_machine(url=f"redis://:secret-pass@{host}/0").store().look)
    assert f"redis://{host}:6379/0 cannot be used just now" in text


def test_sentinels_without_a_primary_are_told_in_one_sentence(
    new_machine: Callable[..., Machine], own: Valkey, tmp_path: Path
) -> None:
    sentinel, gone = Sentinel(tmp_path / "sentinel", own), free_port()
    try:
        for asked, service in ((f"127.0.0.1:{sentinel.port}", "other"), (f"127.0.0.1:{gone}", "fleet")):
            url = f"redis+sentinel://:secret-pass@{asked}/{service}/0?sentinel_password=secret-pass-too"
            text = told(new_machine(url=url).store().look)
            assert text.startswith(
                f"No sentinel of redis+sentinel://{asked}/{service}/0 names a primary for "
            )
            assert f"the service {service!r}" in text
            assert "client" not in text.lower()
    finally:
        sentinel.stop()


def test_a_wrong_password_is_told(new_machine: Callable[..., Machine], own: Valkey) -> None:
    own.client.config_set("requirepass", "right")
    assert "Check the user and password" in told(
        new_machine(url=f"redis://:secret-pass@127.0.0.1:{own.port}/0").store().look
    )


def test_a_replica_is_told(new_machine: Callable[..., Machine], own: Valkey) -> None:
    store = new_machine(own).store()
    own.client.replicaof("127.0.0.1", 1)
    assert "read-only replica" in told(lambda: store.save(LOGIN))
    assert "read-only replica" in told(store.ping)


def test_a_full_store_is_told(new_machine: Callable[..., Machine], own: Valkey) -> None:
    store = new_machine(own).store()
    own.client.config_set("maxmemory", "1")
    assert "is full" in told(lambda: store.save(LOGIN))
    assert "is full" in told(store.ping)


# --- a silent store: it takes connections, and says nothing ---

SILENT = Limits(answer=0.3, wait=0.05, alone=600.0)


@pytest.fixture
def asked() -> list[bytes]:
    """What the silent store was sent, by connection."""
    return []


@pytest.fixture
def silent(asked: list[bytes]) -> Iterator[str]:
    def speak(connection: socket.socket) -> None:
        while piece := connection.recv(65536):
            asked.append(piece)

    with listening(speak) as port:
        yield f"redis://:secret-pass@127.0.0.1:{port}/0"


def test_who_has_waited_for_a_silent_store_has_waited_for_all(
    new_machine: Callable[..., Machine], silent: str, asked: list[bytes]
) -> None:
    place = new_machine(url=silent, limits=SILENT).place()
    works = (place.login("alice").look, place.login(None).note, place.login(None).ping, place.accounts)
    works += (place.counters(None).read, lambda: place.login(None).swap_note(None, b"x"))  # type: ignore[assignment]  # any
    for work in works:
        assert "no answer within 0.3 s" in told(work)
    assert len(asked) == 1
    assert [(one.name, one.state) for one in place.check(None)] == [("Store", "fail")]


def test_a_host_that_takes_no_connection_is_waited_for_half_as_long(
    new_machine: Callable[..., Machine],
) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full, contextlib.ExitStack() as held:
        for _ in range(8):  # nobody accepts them, so the next one gets no answer to its first packet
            one = held.enter_context(socket.socket())
            one.setblocking(False)
            one.connect_ex(full.getsockname())
        url = f"redis://127.0.0.1:{full.getsockname()[1]}/0"
        place = new_machine(url=url, limits=Limits(connect=0.3, wait=0.05, alone=600.0)).place()
        assert "no answer within 0.3 s" in told(place.login(None).look)
        assert "no answer within 0.3 s" in told(place.accounts)


def test_a_connection_that_was_lost_after_long_listening_silences_nobody(own: Valkey) -> None:
    now = 0.0

    def hear(_pubsub: Any) -> None:
        nonlocal now
        now = 3600.0
        raise faults.ConnectionError("gone")

    link = Link(address_of(own.url, {}), Limits(), lambda: now)
    told(lambda: link.listen("changes", hear))
    assert link.send("PING")
    link.close()


def test_threads_that_come_first_use_one_client(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    link, both, make = machine.place()._shared.link, threading.Barrier(2, timeout=30), Address.client

    def client(address: Address, **options: Any) -> Any:
        both.wait()
        return make(address, **options)

    monkeypatch.setattr(Address, "client", client)
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lambda _: link._client, range(2)))
    assert found == [link._client] * 2


def test_who_listens_keeps_the_connection_when_another_thread_makes_a_new_client(machine: Machine) -> None:
    link = machine.place()._shared.link

    def hear(pubsub: Any) -> Any:
        assert pubsub.get_message(timeout=30)["type"] == "subscribe"
        link._made = None  # as for a server that turns out to be part of a cluster
        link.send("PING")
        return pubsub.connection._sock is not None

    assert link.listen(f"{machine.prefix}:changes", hear)


def test_what_may_be_lost_is_tried_all_the_same(new_machine: Callable[..., Machine], own: Valkey) -> None:
    store = new_machine(own, limits=SILENT).store()
    store.save(LOGIN)
    own.signal(signal.SIGSTOP)
    told(store.look)
    own.signal(signal.SIGCONT)
    told(store.look)  # for now nobody waits again
    store.save(LOGIN)
    store.look()  # it has answered


def test_word_from_a_store_that_was_silent_ends_the_silence(
    new_machine: Callable[..., Machine], own: Valkey
) -> None:
    place = new_machine(own, limits=SILENT).place()
    store = place.login(None)
    store.save(LOGIN)
    own.signal(signal.SIGSTOP)
    told(store.look)
    own.signal(signal.SIGCONT)
    store.watch(lambda: None)
    place._shared.watcher.start()
    until(lambda: place._shared.watcher.is_live, "it is heard of")
    assert store.look()


# --- a store that is too old: it does not know what is asked of it ---


@pytest.fixture(
    params=[
        "ERR unknown command `EVALSHA`, with args beginning with: ",
        "ERR Error running script: Write commands not allowed after non deterministic commands",
        "ERR Error running script: Wrong number of args calling Redis command From Lua script",
        "ERR syntax error",
    ]
)
def old(request: pytest.FixtureRequest) -> Iterator[str]:
    """Answers each command with that error."""
    refusal = f"-{request.param}\r\n".encode()

    def speak(connection: socket.socket) -> None:
        while piece := connection.recv(65536):
            connection.sendall(refusal * len(re.findall(rb"\*\d+\r\n", piece)))

    with listening(speak) as port:
        yield f"redis://127.0.0.1:{port}/0"


def test_a_store_that_is_too_old_is_told_with_the_version_that_is_needed(
    new_machine: Callable[..., Machine], old: str
) -> None:
    store = new_machine(url=old).store()
    for work in (store.look, lambda: store.save(LOGIN), store.note, lambda: store.swap_note(None, b"x")):
        text = told(work)
        assert f"The store {old} does not know a command that is needed (" in text
        assert "It has to be Redis 6.2, Valkey, or later" in text
    (found,) = new_machine(url=old).place().check(None)
    assert (found.name, found.state, found.fix) == ("Store", "fail", "Make it reachable, or mend QWEN_STORE")
    assert "Redis 6.2" in found.text


# --- the list of accounts ---


def test_a_list_of_accounts_of_another_type_is_told_and_left_as_it_is(
    machine: Machine, common: Valkey, prefix: str
) -> None:
    common.client.set(f"{prefix}:accounts", "another program's")
    store = machine.store("alice")
    store.save(LOGIN)
    assert store.look()
    with pytest.raises(CorruptCredentialsError) as raised:
        machine.place().accounts()
    text = str(raised.value)
    assert f"The key {prefix}:accounts of redis://" in text
    assert f"QWEN_STORE_PREFIX another value; else remove it there: redis-cli DEL {prefix}:accounts." in text
    found = findings(machine)
    assert (found["Key"][0], found["Rights"][0]) == ("fail", "ok")
    assert f"DEL {prefix}:accounts" in found["Key"][1]
    assert common.client.get(f"{prefix}:accounts") == b"another program's"


# --- doctor ---


def findings(machine: Machine) -> dict[str, tuple[str, str]]:
    return {one.name: (one.state, f"{one.text} {one.fix}") for one in machine.place().check(None)}


def test_doctor_finds_a_good_store_good(new_machine: Callable[..., Machine], own: Valkey) -> None:
    own.client.config_set("appendonly", "yes")
    machine = new_machine(own)
    machine.store().save(LOGIN)
    before = sorted(own.client.keys())
    found = findings(machine)
    assert sorted(own.client.keys()) == before
    found.pop("Clock")  # the tests' own is years behind
    assert {name: state for name, (state, _) in found.items()} == {
        "Store": "ok", "Rights": "ok", "Server": "ok", "Key": "ok"
    }  # fmt: skip
    assert found["Store"][1] == f"{own.url} answers in 0.0 ms None"
    assert found["Rights"][1] == "all that is needed None"
    assert found["Key"][1] == "all logins are sealed with the first key: 1 None"


def test_doctor_names_a_slow_store_two_clocks_and_an_open_way(
    new_machine: Callable[..., Machine], clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = itertools.count(0.0, 0.06)
    monkeypatch.setattr("litellm_qwen_ai.stores.redis.address.is_loopback", lambda _host: False)
    found = findings(new_machine(clocks=Clocks(clock.time, lambda: next(seconds), clock.sleep)))
    assert found["Store"][0] == "warn"
    assert found["Store"][1].endswith(" answers in 60.0 ms Keep it near the proxies")
    assert found["TLS"] == (
        "warn",
        (
            "the way to the store is not encrypted; logins are sealed, the password is not "
            "Use rediss:// where others can listen"
        ),
    )
    assert re.fullmatch(
        r"this machine and the store are \d{8,} s apart; logins do not mind Let NTP set both clocks",
        found["Clock"][1],
    )


@pytest.mark.parametrize(("apart", "told"), [(-90, True), (0, False), (90, True)])
def test_doctor_tells_of_a_clock_that_is_wrong_by_more_than_a_minute(
    new_machine: Callable[..., Machine], apart: int, told: bool
) -> None:
    clocks = replace(CLOCKS, now=lambda: time.time() + apart)
    assert ("Clock" in findings(new_machine(clocks=clocks))) is told


@pytest.mark.parametrize(
    ("info", "said"),
    [
        ({}, [("Server", "fail", "Redis 0", "Use Redis 6.2, Valkey, or later")]),
        ({"redis_version": "6.2.0"}, [("Server", "ok", "Redis 6.2.0", None)]),
        ({"redis_version": "7.2.4", "valkey_version": "9.0.1"}, [("Server", "ok", "Valkey 9.0.1", None)]),
        (
            {"redis_version": "6.1.9", "connected_slaves": "0", "aof_enabled": "1"},
            [("Server", "fail", "Redis 6.1.9", "Use Redis 6.2, Valkey, or later")],
        ),
        (
            {"redis_version": "7", "role": "slave", "connected_slaves": "1"},
            [
                ("Server", "ok", "Redis 7", None),
                (
                    "Replicas",
                    "fail",
                    "this is a replica",
                    "Name the primary in QWEN_STORE, or its sentinels",
                ),
            ],
        ),
        (
            {"redis_version": "7", "role": "master", "connected_slaves": "1"},
            [
                ("Server", "ok", "Redis 7", None),
                (
                    "Replicas",
                    "ok",
                    "1 connected; a failover may lose the last writes unless min-replicas-to-write is 1",
                    None,
                ),
            ],
        ),
        (
            {"redis_version": "7", "maxmemory_policy": "allkeys-lfu", "maxmemory": "9", "aof_enabled": "0"},
            [
                ("Server", "ok", "Redis 7", None),
                (
                    "Eviction",
                    "warn",
                    "the policy allkeys-lfu may evict a login; whoever knows it puts it back",
                    "CONFIG SET maxmemory-policy volatile-lru",
                ),
                (
                    "Persistence",
                    "warn",
                    "no append-only file: a restart loses writes, until whoever knows the login puts it back",
                    "CONFIG SET appendonly yes",
                ),
            ],
        ),
        (
            {"redis_version": "7", "maxmemory_policy": "allkeys-lru", "maxmemory": "0"},
            [("Server", "ok", "Redis 7", None)],
        ),
        (
            {"redis_version": "7", "maxmemory_policy": "volatile-lru", "maxmemory": "9"},
            [("Server", "ok", "Redis 7", None)],
        ),
    ],
)
def test_doctor_says_what_the_servers_own_words_mean(
    machine: Machine,
    monkeypatch: pytest.MonkeyPatch,
    info: dict[str, str],
    said: list[tuple[str, str, str, str | None]],
) -> None:
    monkeypatch.setattr("litellm_qwen_ai.stores.redis.checks._info", lambda _: info)
    found = [(one.name, one.state, one.text, one.fix) for one in machine.place().check(None)]
    assert [one for one in found if one[0] not in {"Store", "Clock", "Rights", "Key"}] == said


def test_doctor_says_which_key_opens_what(new_machine: Callable[..., Machine], common: Valkey) -> None:
    machine, other = new_machine(), "A" * 43 + "="

    def key(**more: str) -> tuple[str, str, str | None]:
        (found,) = [one for one in machine.place(**more).check(None) if one.name == "Key"]
        return found.state, found.text, found.fix

    assert key() == ("ok", "nothing is sealed yet", None)
    machine.place().login(None).save(LOGIN)
    machine.place().login("alice").save(LOGIN)
    machine.place().login("alice").swap_note(None, b"waits")
    assert key() == ("ok", "all logins are sealed with the first key: 3", None)
    names = "the default account, alice, alice (one that waits for approval)"
    assert key(store_key=f"{other},{KEY}") == (
        "warn",
        f"still sealed with an older key: the logins of {names}",
        "Run litellm-qwen-ai accounts, which seals them anew; keep the older key till then",
    )
    assert key(store_key=other) == (
        "fail",
        f"QWEN_STORE_KEY does not fit the logins of {names}: sealed with another key",
        "Give every machine the same QWEN_STORE_KEY, or log in to them anew",
    )
    login, turn = machine.store("alice").keys[:2]
    note = machine.store("alice")._note_key
    common.client.set(turn, "junk")
    common.client.delete(note)
    common.client.hset(note, "not", "ours")
    (damage,) = [one for one in machine.place().check(None) if one.name == "Damage"]
    assert (damage.state, damage.text, damage.fix) == (
        "fail",
        f"what is stored is none of ours, or was damaged: alice ({turn}), alice ({note})",
        "Log in to them anew with login --force, or log out of them",
    )
    assert login != turn
    assert key() == ("ok", "all logins are sealed with the first key: 1", None)


def test_doctor_names_what_is_wrong_with_a_store(new_machine: Callable[..., Machine], own: Valkey) -> None:
    own.client.config_set("maxmemory", "1gb")
    own.client.config_set("maxmemory-policy", "allkeys-lru")
    new_machine(own).store().save(LOGIN)
    found = findings(new_machine(own, prefix=new_machine(own).prefix))
    assert found["Eviction"][0] == found["Persistence"][0] == found["Clock"][0] == "warn"
    place = new_machine(own).place(store_key="A" * 43 + "=")
    (key,) = (one for one in place.check(None) if one.name == "Key")
    assert key.state == "fail"
    assert "does not fit the logins of the default account" in key.text


def test_doctor_says_where_to_write_if_the_store_is_a_replica(
    new_machine: Callable[..., Machine], own: Valkey
) -> None:
    machine = new_machine(own)
    own.client.execute_command("REPLICAOF", "127.0.0.1", "1")
    found = findings(machine)
    own.client.execute_command("REPLICAOF", "NO", "ONE")
    assert found["Replicas"] == (
        "fail", "this is a replica Name the primary in QWEN_STORE, or its sentinels"
    )  # fmt: skip
    assert found["Writes"][0] == "fail"
    assert found["Writes"][1].endswith("Mend that at the store: nothing can be renewed until then")


def test_doctor_tells_what_a_failover_to_a_replica_may_lose(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("litellm_qwen_ai.stores.redis.checks._info", lambda _: {"connected_slaves": "2"})
    state, text = findings(machine)["Replicas"]
    assert (state, text[:42]) == ("ok", "2 connected; a failover may lose the last ")


@pytest.mark.parametrize(
    ("version", "state"),
    [("7.x-cloud", "ok"), ("7.4-rc1", "ok"), ("6.0.16", "fail"), ("unstable", "ok"), ("6.2", "ok")],
)
def test_a_version_of_a_server_may_have_words_in_it(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, version: str, state: str
) -> None:
    monkeypatch.setattr(
        "litellm_qwen_ai.stores.redis.checks._info", lambda _: {"redis_version": version, "aof_enabled": "1"}
    )
    found = findings(machine)["Server"]
    assert (found[0], version in found[1]) == (state, True)


def test_the_rights_that_doctor_names_are_enough(new_machine: Callable[..., Machine], own: Valkey) -> None:
    own.client.execute_command("ACL", "SETUSER", "few", "on", ">secret-pass", "+ping")
    machine = new_machine(url=f"redis://few:secret-pass@127.0.0.1:{own.port}/0")
    found = findings(machine)
    assert "Rights" in found, found
    state, text = found["Rights"]
    assert state == "fail"
    assert "ACL SETUSER <user> on ><password> " in text
    own.client.execute_command("ACL", "SETUSER", "few", "~*", "&*", "+evalsha", "+eval", "+time", "+hmget")
    state, text = findings(machine)["Rights"]
    assert state == "fail"
    assert re.match(
        r"The store redis://\S+ refuses us: .*; `litellm-qwen-ai doctor` says which ones are ", text
    )
    assert (
        f"At the store: ACL SETUSER <user> on ><password> ~{{{machine.prefix}:* ~{machine.prefix}:accounts "
        f"resetchannels &{machine.prefix}:changes +eval +"
    ) in text
    _, _, line = text.partition("ACL SETUSER <user> on ><password> ")
    assert "cluster" not in line
    own.client.execute_command("ACL", "SETUSER", "few", "reset", "on", ">secret-pass", *line.split())
    assert findings(machine)["Rights"][0] == "ok"
    store = machine.store("alice")
    store.save(LOGIN)
    store.swap_note(None, b"note")
    store.ping()
    machine.place().counters("alice").add(_counted(1), NOW)
    assert machine.place().accounts() == ["alice"]
    assert store.delete()


def test_doctor_finds_each_right_that_is_missing(new_machine: Callable[..., Machine], own: Valkey) -> None:
    machine = new_machine(url=f"redis://few:secret-pass@127.0.0.1:{own.port}/0")
    (rights,) = (one for one in new_machine(own).place().check(None) if one.name == "Rights")
    assert rights.state == "ok"
    keys = [f"~{{{machine.prefix}:*", f"~{machine.prefix}:accounts", f"&{machine.prefix}:changes"]
    needed = (
        "eval evalsha time get set del exists expire hget hset hdel hmget hgetall hexists hincrby publish "
        "subscribe sadd srem smembers"
    )
    for missing in needed.split():
        given = [f"+{command}" for command in f"{needed} info ping".split() if command != missing]
        own.client.execute_command(
            "ACL", "SETUSER", "few", "reset", "on", ">secret-pass", "resetchannels", *keys, *given
        )
        own.client.script_flush()
        assert findings(machine)["Rights"][0] == "fail", missing
    assert not own.client.keys("*_doctor*")


def test_doctor_tries_the_keys_of_each_kind_and_no_others(
    new_machine: Callable[..., Machine], own: Valkey
) -> None:
    machine = new_machine(url=f"redis://few:secret-pass@127.0.0.1:{own.port}/0")
    kinds = ("login", "turn", "use", "note")
    for missing in (*kinds, None):
        keys = [f"~{{{machine.prefix}:*:{kind}" for kind in kinds if kind != missing]
        keys += [f"~{machine.prefix}:accounts", f"&{machine.prefix}:changes", "+@all"]
        own.client.execute_command(
            "ACL", "SETUSER", "few", "reset", "on", ">secret-pass", "resetchannels", *keys
        )
        assert findings(machine)["Rights"][0] == ("fail" if missing else "ok"), missing


def test_a_full_store_is_no_lack_of_rights(new_machine: Callable[..., Machine], own: Valkey) -> None:
    machine = new_machine(own)
    machine.store().save(LOGIN)
    own.client.config_set("maxmemory", "1")
    try:
        found = findings(machine)
    finally:
        own.client.config_set("maxmemory", "0")
    assert found["Writes"][0] == "fail"
    assert "Rights" not in found
    assert "ACL" not in found["Writes"][1]


def test_the_page_tells_of_a_key_that_does_not_fit(new_machine: Callable[..., Machine]) -> None:
    machine = new_machine(clocks=CLOCKS)
    machine.store().save(LOGIN)
    seen = view(machine.settings(store_key="A" * 43 + "="), None)
    assert seen["state"] == "unusable"
    assert "QWEN_STORE_KEY does not fit" in seen["last_error"]["text"]
    assert "login --force" in seen["last_error"]["text"]


def test_a_store_that_forbids_info_works_without_the_rule_of_losses(
    new_machine: Callable[..., Machine], own: Valkey
) -> None:
    own.client.execute_command("ACL", "SETUSER", "few", "on", ">pass", "~*", "&*", "+@all", "-info")
    machine = new_machine(url=f"redis://few:pass@127.0.0.1:{own.port}/0")
    store = machine.store()
    store.save(LOGIN)
    own.client.delete(store.keys[1])
    known = store.look()
    assert known is not None
    with store.turn(known):  # type: ignore[union-attr]  # the turn
        pass
    assert "INFO is forbidden" in findings(machine)["Server"][1]


# --- counts ---


def _counted(times: int, at: float = NOW) -> Tally:
    new = Tally()
    new.add([at] * times)
    return new


def test_counts_add_up_over_machines_and_old_ones_go(new_machine: Callable[..., Machine]) -> None:
    here, there = (new_machine().place().counters("alice") for _ in range(2))
    here.add(_counted(2), NOW)
    there.add(_counted(3), NOW)
    assert here.read().seconds == {int(NOW): 5}
    here.add(_counted(1, NOW + 100), NOW + 100)
    assert there.read().seconds == {int(NOW) + 100: 1}
    assert sum(there.read().hours.values()) == 6


def test_of_two_refusals_and_failures_the_later_one_stands(new_machine: Callable[..., Machine]) -> None:
    here, there = (new_machine().place().counters(None) for _ in range(2))
    for counters, at, reason in ((here, NOW, THROTTLED), (there, NOW - 5, QUOTA_SPENT)):
        new = Tally()
        new.refuse(Refusal(at, None, reason))
        new.failure = Failure(at, reason)
        counters.add(new, NOW)
    total = here.read()
    assert total.refusal == Refusal(NOW, None, THROTTLED)
    assert total.failure == Failure(NOW, THROTTLED)
    assert sum(total.refused.values()) == 2


def test_what_is_no_count_counts_as_none(
    machine: Machine, common: Valkey, prefix: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    counters = machine.place().counters(None)
    counters.add(_counted(1), NOW)
    common.client.hset(f"{{{prefix}:_default}}:use", "refusal", "{")
    assert not counters.read()


@pytest.mark.parametrize(
    "junk", [("hset", "refusal", "{"), ("hset", "h1", "x"), ("hset", "format", "x"), ("rpush", "x")]
)
def test_what_is_no_count_is_replaced_by_the_next_ones(
    machine: Machine, common: Valkey, prefix: str, junk: tuple[str, ...]
) -> None:
    counters, key = machine.place().counters(None), f"{{{prefix}:_default}}:use"
    common.client.execute_command(junk[0], key, *junk[1:])
    counters.add(_counted(2), NOW)
    assert counters.read().seconds == {int(NOW): 2}


def test_counts_of_a_later_version_are_left_alone(machine: Machine, common: Valkey, prefix: str) -> None:
    counters, key = machine.place().counters(None), f"{{{prefix}:_default}}:use"
    counters.add(_counted(2), NOW)
    common.client.hset(key, mapping={"format": 2, "days:20000": 7})
    later = common.client.hgetall(key)
    for work in (counters.read, lambda: counters.add(_counted(1), NOW)):
        with pytest.raises(LaterCountsError, match=rf"counts in {re.escape(key)} \(format 2\)"):
            work()
    assert common.client.hgetall(key) == later
