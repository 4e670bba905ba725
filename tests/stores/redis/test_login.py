from __future__ import annotations

import re
import socket
from collections.abc import Callable

import pytest

from litellm_qwen_ai.oauth.credentials import Credentials
from litellm_qwen_ai.oauth.door import StoredCredentials, Taken
from litellm_qwen_ai.oauth.errors import CorruptCredentialsError, LoginExpiredError, RefreshError, StoreError
from litellm_qwen_ai.oauth.pending import cancel_login
from litellm_qwen_ai.stores.redis.login import RedisStore
from litellm_qwen_ai.stores.redis.turn import RedisTurn
from tests.logins import NOW, Clock
from tests.valkey import KEY, Machine, Valkey

OTHER_KEY = "A" * 43 + "="
LOGIN = Credentials(access_token="access-0", refresh_token="refresh-0", expiry_date=int((NOW + 60) * 1000))


def renewed(number: int) -> Credentials:
    return Credentials(
        access_token=f"access-{number}",
        refresh_token=f"refresh-{number}",
        expiry_date=int((NOW + 3600) * 1000),
    )


def known(store: RedisStore) -> StoredCredentials:
    found = store.look()
    assert found is not None
    return found


def turn(store: RedisStore) -> RedisTurn:
    asked = store.turn(known(store))
    assert isinstance(asked, RedisTurn)
    return asked


def aged(valkey: Valkey, store: RedisStore, field: str, seconds: float) -> None:
    """Make a moment in the turn lie further back."""
    key = store.keys[1]
    valkey.client.hset(key, field, int(valkey.client.hget(key, field)) - int(seconds * 1000))


def test_an_empty_store_holds_no_login(store: RedisStore) -> None:
    assert store.look() is None
    assert store.delete() is None


def test_what_is_saved_on_one_machine_is_seen_on_another(new_machine: Callable[..., Machine]) -> None:
    saved = new_machine().store().save(LOGIN)
    assert (saved.credentials, saved.saved_at) == (LOGIN, pytest.approx(NOW, abs=2))
    found = known(new_machine().store())
    assert found.version == saved.version
    assert found.credentials.access_token == "access-0"
    assert found.credentials.expiry_date == pytest.approx(LOGIN.expiry_date, abs=2000)
    assert found.saved_at == pytest.approx(NOW, abs=2)


@pytest.mark.parametrize("ahead", [-7200.0, 7200.0])
def test_a_key_is_one_for_a_machine_with_another_clock_too(
    new_machine: Callable[..., Machine], ahead: float
) -> None:
    key = Credentials(access_token="sk-key", plan="beijing", resource_url="https://x.example/v1")
    new_machine().store().save(key)
    other = Clock(now=NOW + ahead)
    found = known(new_machine(clocks=other.clocks).store())
    assert found.credentials == key
    assert found.credentials.is_key


def test_a_look_at_what_is_known_gives_it_back_as_it_is(store: RedisStore) -> None:
    store.save(LOGIN)
    first = known(store)
    assert store.look(first) is first


def test_nothing_readable_lies_in_the_store(store: RedisStore, common: Valkey) -> None:
    store.save(LOGIN)
    store.swap_note(None, b"device-code")
    for key in common.client.scan_iter(f"*{store._shared.prefix}*"):
        content = common.client.dump(key)
        assert b"access-0" not in content
        assert b"refresh-0" not in content
        assert b"device-code" not in content


def test_accounts_do_not_see_each_other(machine: Machine) -> None:
    place = machine.place()
    place.login("alice").save(LOGIN)
    assert place.login("bob").look() is None
    assert place.login(None).look() is None
    assert place.accounts() == ["alice"]


def test_the_list_of_accounts_is_mended(machine: Machine, common: Valkey, prefix: str) -> None:
    place = machine.place()
    place.login("alice").save(LOGIN)
    place.login("carol").swap_note(None, b"waits")
    common.client.sadd(f"{prefix}:accounts", "ghost")
    assert place.accounts() == ["alice", "carol"]
    place.login("alice").delete()
    assert place.accounts() == ["carol"]
    assert common.client.smembers(f"{prefix}:accounts") == {b"carol"}


def test_only_one_machine_gets_the_turn(new_machine: Callable[..., Machine]) -> None:
    one, other = new_machine().store(), new_machine().store()
    one.save(LOGIN)
    with turn(one):
        taken = other.turn(known(other))
        assert isinstance(taken, Taken)
        assert re.fullmatch(
            rf"Another process, on {re.escape(socket.gethostname())}.*, has been renewing the login in "
            rf"{re.escape(other.describe())} for 7 s\. It is waited for up to {other.limits.turn:g} s: it "
            r"may have the new tokens already\. If it is stopped, let it go on or end it\.",
            taken.text(7),
        )


def test_a_turn_that_is_left_without_an_answer_is_free_again(new_machine: Callable[..., Machine]) -> None:
    one, other = new_machine().store(), new_machine().store()
    one.save(LOGIN)
    with turn(one):
        pass
    with turn(other):
        pass


def test_what_one_puts_the_other_gets_instead_of_a_turn(new_machine: Callable[..., Machine]) -> None:
    one, other = new_machine().store(), new_machine().store()
    one.save(LOGIN)
    before = known(other)
    with turn(one) as ours:
        put = ours.put(renewed(1))
    assert put is not None
    assert put.credentials == renewed(1)
    found = other.turn(before)
    assert isinstance(found, StoredCredentials)
    assert found.credentials.refresh_token == "refresh-1"
    assert found.version == put.version


def test_a_turn_is_respected_for_ten_minutes_and_no_longer(
    new_machine: Callable[..., Machine], common: Valkey
) -> None:
    one, other = new_machine().store(), new_machine().store()
    one.save(LOGIN)
    with turn(one):
        aged(common, one, "at", 590)
        assert isinstance(other.turn(known(other)), Taken)
        aged(common, one, "at", 20)
        with turn(other):
            pass


def test_who_waits_does_not_ask_the_store_again_and_again(
    new_machine: Callable[..., Machine], common: Valkey, clock: Clock
) -> None:
    one = new_machine().store()
    other = new_machine(waiting=clock.monotonic, limits=one.limits).store()
    one.save(LOGIN)
    other.watch(lambda: None)
    other._shared.watcher.close()
    with turn(one):
        before = known(other)
        first = other.turn(before)
        asked = common.client.info("commandstats")["cmdstat_evalsha"]["calls"]
        assert other.turn(before) is first
        assert common.client.info("commandstats")["cmdstat_evalsha"]["calls"] == asked
        clock.pass_time(5)
        assert other.turn(before) is not first


def test_an_old_turn_is_left_alone_by_who_could_not_reach_the_store_lately(
    new_machine: Callable[..., Machine], common: Valkey, clock: Clock
) -> None:
    one = new_machine().store()
    other = new_machine(waiting=clock.monotonic).store()
    one.save(LOGIN)
    with turn(one):
        before = known(other)
        aged(common, one, "at", 700)
        other._shared.link._cut = True
        known(other)  # it is back
        assert isinstance(other.turn(before), Taken)
        clock.pass_time(31)
        with turn(other):
            pass


def test_a_late_put_of_an_older_renewal_loses(new_machine: Callable[..., Machine], common: Valkey) -> None:
    one, other = new_machine().store(), new_machine().store()
    one.save(LOGIN)
    with turn(one) as late:
        aged(common, one, "at", 700)
        with turn(other) as theirs:
            theirs.put(renewed(2))
        with turn(other) as theirs:
            theirs.put(renewed(3))
        found = late.put(renewed(1))
    assert found is not None
    assert found.credentials.access_token == "access-3"


def test_a_login_made_meanwhile_wins_over_a_renewal(new_machine: Callable[..., Machine]) -> None:
    one, other = new_machine().store(), new_machine().store()
    one.save(LOGIN)
    with turn(one) as ours:
        other.save(renewed(7))
        found = ours.put(renewed(1))
    assert found is not None
    assert found.credentials.access_token == "access-7"


def test_a_logout_meanwhile_wins_over_a_renewal(new_machine: Callable[..., Machine]) -> None:
    one, other = new_machine().store(), new_machine().store()
    one.save(LOGIN)
    with turn(one) as ours:
        assert other.delete() == other.describe()
        assert ours.put(renewed(1)) is None
    assert one.look() is None


def test_a_refusal_is_said_once_and_known_to_all(new_machine: Callable[..., Machine]) -> None:
    one, other = new_machine().store(), new_machine().store()
    one.save(LOGIN)
    with turn(one) as ours:
        assert ours.refused("The token is spent.") is None
    with pytest.raises(LoginExpiredError, match=r"The token is spent\."):
        other.turn(known(other))


def test_a_refusal_after_a_loss_is_in_doubt_for_ten_minutes(
    new_machine: Callable[..., Machine], common: Valkey
) -> None:
    one, other = new_machine().store(), new_machine().store()
    one.save(LOGIN)
    common.client.hset(one.keys[1], "run", "another")
    assert isinstance(one.turn(known(one)), Taken)  # the store was restarted
    aged(common, one, "lost", 31)
    with turn(one) as ours, pytest.raises(RefreshError, match="has lost data"):
        ours.refused("No.")
    with pytest.raises(RefreshError, match="has lost data"):
        other.turn(known(other))
    aged(common, one, "lost", 570)
    with pytest.raises(LoginExpiredError):
        other.turn(known(other))


def test_a_new_login_ends_refusal_doubt_and_quiet(machine: Machine, common: Valkey) -> None:
    store = machine.store()
    store.save(LOGIN)
    common.client.hset(store.keys[1], "run", "another")
    assert isinstance(store.turn(known(store)), Taken)
    store.save(renewed(1))
    with turn(store):
        pass


def test_a_refusal_means_nothing_when_somebody_has_put_a_newer_login(
    new_machine: Callable[..., Machine],
) -> None:
    one, other = new_machine().store(), new_machine().store()
    one.save(LOGIN)
    with turn(one) as ours:
        other.save(renewed(5))
        found = ours.refused("No.")
    assert found is not None
    assert found.credentials.access_token == "access-5"


def test_after_a_flush_whoever_knows_the_login_puts_it_back(
    new_machine: Callable[..., Machine], own: Valkey
) -> None:
    one, other = new_machine(own).store(), new_machine(own).store()
    one.save(LOGIN)
    before = known(one)
    own.client.flushall()
    assert other.look() is None
    behind = one.look(before)
    assert behind is not None
    assert behind.unsaved
    back = one.put_back(behind)
    assert back is not None
    assert not back.unsaved
    assert known(other).credentials.access_token == "access-0"


def test_after_a_flush_nobody_sends_until_it_has_been_quiet(
    new_machine: Callable[..., Machine], own: Valkey
) -> None:
    one, other = new_machine(own).store(), new_machine(own).store()
    one.save(LOGIN)
    own.client.flushall()
    one.look()
    aged(own, one, "lost", 3)
    for store in (one, other):
        taken = store.turn(known(store))
        assert isinstance(taken, Taken)
        assert 3 <= (taken.seconds or 0) < 30
        assert re.fullmatch(
            f"The store {re.escape(store._shared.describe())} has been back, after a restart or a loss of "
            r"data, for 25 s\. Nothing is renewed for 30 s: somebody may hold newer tokens\. Try again\.",
            taken.text(25),
        )
    aged(own, one, "lost", 31)
    with turn(one):
        pass


def test_after_a_flush_a_logout_is_not_undone(new_machine: Callable[..., Machine], own: Valkey) -> None:
    one, away = new_machine(own).store(), new_machine(own).store()
    one.save(LOGIN)
    before = known(away)
    one.delete()
    own.client.flushall()
    assert one.look() is None  # puts the trace of the logout back
    assert away.look(before) is None


def test_after_a_flush_an_older_login_does_not_come_over_a_new_one(
    new_machine: Callable[..., Machine], own: Valkey
) -> None:
    one, other = new_machine(own).store(), new_machine(own).store()
    one.save(LOGIN)
    for number in range(3):
        with turn(one) as ours:
            ours.put(renewed(number))
    own.client.flushall()
    other.save(renewed(9))
    found = one.put_back(known(other))
    assert found is not None
    assert found.credentials.access_token == "access-9"


def test_a_flush_during_a_renewal_loses_nothing(new_machine: Callable[..., Machine], own: Valkey) -> None:
    one, other = new_machine(own).store(), new_machine(own).store()
    one.save(LOGIN)
    with turn(one) as ours:
        own.client.flushall()
        ours.put(renewed(1))
    assert known(other).credentials.access_token == "access-1"


def test_an_older_copy_that_was_restored_is_replaced(
    new_machine: Callable[..., Machine], common: Valkey
) -> None:
    one, other = new_machine().store(), new_machine().store()
    one.save(LOGIN)
    backup = common.client.dump(one.keys[0])
    with turn(one) as ours:
        ours.put(renewed(1))
    common.client.restore(one.keys[0], 0, backup, replace=True)
    one.look()
    assert known(other).credentials.access_token == "access-1"


def test_a_turn_that_was_slept_over_is_asked_for_again(
    new_machine: Callable[..., Machine], common: Valkey, clock: Clock
) -> None:
    one = new_machine(waiting=clock.monotonic).store()
    other = new_machine().store()
    one.save(LOGIN)
    with turn(one) as ours:
        assert ours.patience() == pytest.approx(570)
        clock.pass_time(29)
        assert ours.patience() == pytest.approx(541)
        clock.pass_time(2)
        assert ours.patience() == pytest.approx(570)
        clock.pass_time(31)
        aged(common, one, "at", 700)
        with turn(other) as theirs:
            theirs.put(renewed(4))
        assert ours.patience() is None


def test_a_record_of_another_account_is_not_believed(machine: Machine, common: Valkey) -> None:
    place = machine.place()
    alice, bob = place.login("alice"), place.login("bob")
    alice.save(LOGIN)
    common.client.restore(bob.keys[0], 0, common.client.dump(alice.keys[0]))
    with pytest.raises(CorruptCredentialsError, match="bob"):
        bob.look()


def test_another_key_is_an_error_and_never_no_login(new_machine: Callable[..., Machine]) -> None:
    new_machine().store().save(LOGIN)
    other = new_machine().store(store_key=OTHER_KEY)
    with pytest.raises(CorruptCredentialsError, match="QWEN_STORE_KEY"):
        other.look()


def test_a_wrong_key_keeps_nobody_from_logging_out_or_in_anew(new_machine: Callable[..., Machine]) -> None:
    one, other = new_machine(), new_machine().place(store_key=OTHER_KEY)
    for account in (None, "alice"):
        one.store(account).save(LOGIN)
    assert other.login(None).delete()
    other.login("alice").save(renewed(1))
    assert one.store().look() is None
    assert known(one.place(store_key=OTHER_KEY).login("alice")).credentials.access_token == "access-1"


#: What `QWEN_STORE_KEY` and `LITELLM_SALT_KEY` say, before, between and after.
OLD, NEW = {"store_key": KEY}, {"store_key": OTHER_KEY}
SALT = {"store_key": None, "salt_key": "sk-salt"}
WAYS = {
    "a key for another": [OLD, {"store_key": f"{KEY},{OTHER_KEY}"}, {"store_key": f"{OTHER_KEY},{KEY}"}, NEW],
    "the salt for a key": [
        SALT,
        {**SALT, "store_key": f"litellm,{OTHER_KEY}"},
        {**SALT, "store_key": f"{OTHER_KEY},litellm"},
        NEW,
    ],
    "a key for the salt": [
        OLD,
        {**SALT, "store_key": f"{KEY},litellm"},
        {**SALT, "store_key": f"litellm,{KEY}"},
        SALT,
    ],
}


@pytest.mark.parametrize("way", WAYS)
def test_a_key_is_changed_while_processes_with_the_one_before_and_the_one_after_run(
    new_machine: Callable[..., Machine], way: str
) -> None:
    steps = WAYS[way]
    machines = [new_machine() for _ in steps]
    machines[0].store("idle", **steps[0]).save(LOGIN)
    running = machines[0].store(**steps[0])
    running.save(LOGIN)
    number = 0
    for machine, keys in zip(machines[1:], steps[1:], strict=True):
        started = machine.store(**keys)
        for renews, looks in ((running, started), (started, running)):
            known(renews)
            number += 1
            with turn(renews) as ours:
                ours.put(renewed(number))
            assert known(looks).credentials.access_token == f"access-{number}"
        running = started
        (key,) = (one for one in machine.place(**keys).check(None) if one.name == "Key")
        if keys is steps[2]:
            assert (key.state, key.text[-4:]) == ("warn", "idle")
            for account in (None, "idle"):  # what the command `accounts` does
                known(machine.store(account, **keys))
            (key,) = (one for one in machine.place(**keys).check(None) if one.name == "Key")
            assert (key.state, key.text) == ("ok", "all logins are sealed with the first key: 2")
        elif keys is not steps[-1]:
            assert key.state == "ok"
    assert known(machines[-1].store("idle", **steps[-1])).credentials.access_token == "access-0"


def test_where_nothing_can_be_written_a_login_is_sealed_anew_once_something_can(
    new_machine: Callable[..., Machine], own: Valkey
) -> None:
    machine = new_machine(own)
    machine.store().save(LOGIN)
    both = machine.store(store_key=f"{OTHER_KEY},{KEY}")
    own.client.replicaof("127.0.0.1", 1)
    assert known(both).credentials.access_token == "access-0"
    own.client.replicaof("NO", "ONE")
    both.look()
    assert known(machine.store(store_key=OTHER_KEY)).credentials.access_token == "access-0"


def test_a_note_is_swapped_in_one_step(new_machine: Callable[..., Machine]) -> None:
    one, other = new_machine().store(), new_machine().store()
    assert one.swap_note(None, b"first")
    assert not other.swap_note(None, b"second")
    assert other.note() == b"first"
    assert other.swap_note(b"first", b"third")
    assert not one.swap_note(b"first", None)
    assert one.swap_note(b"third", None)
    assert one.note() is None


# --- a clock that was set back ---


def test_a_turn_from_the_future_is_respected_for_ten_minutes_and_no_longer(
    new_machine: Callable[..., Machine], common: Valkey
) -> None:
    one, other = new_machine().store(), new_machine().store()
    one.save(LOGIN)
    with turn(one):
        aged(common, one, "at", -86_400)  # the store's clock was a day ahead
        taken = other.turn(known(other))
        assert isinstance(taken, Taken)
        assert taken.seconds == 0
        aged(common, one, "at", 601)
        with turn(other):
            pass


def test_a_loss_in_the_future_stops_renewals_no_longer_than_one_now(
    new_machine: Callable[..., Machine], common: Valkey
) -> None:
    one = new_machine().store()
    one.save(LOGIN)
    common.client.hset(one.keys[1], "run", "another")
    assert isinstance(one.turn(known(one)), Taken)
    aged(common, one, "lost", -86_400)
    assert isinstance(one.turn(known(one)), Taken)
    aged(common, one, "lost", 31)
    with turn(one) as ours:
        aged(common, one, "lost", -86_400)
        with pytest.raises(RefreshError, match=r"within \d{3} s"):
            ours.refused("No.")


# --- a record that is none ---

DAMAGE: dict[str, list[tuple[str, ...]]] = {
    "no count": [("hset", "n", "junk")],
    "no number": [("hset", "number", "junk")],
    "no mark": [("hset", "mark", "\udcff")],
    "half": [("hdel", "ends")],
    "something else": [("del",), ("set", "junk")],
}


def damage(valkey: Valkey, store: RedisStore, how: str) -> None:
    for command, *given in DAMAGE[how]:
        arguments = [text.encode("utf-8", "surrogateescape") for text in given]
        valkey.client.execute_command(command, store.keys[0], *arguments)


@pytest.mark.parametrize("how", DAMAGE)
def test_a_damaged_record_is_an_error_and_never_no_login(machine: Machine, common: Valkey, how: str) -> None:
    store = machine.store("alice")
    store.save(LOGIN)
    before = known(store)
    damage(common, store, how)
    for fresh in (store, machine.store("alice")):
        with pytest.raises(
            CorruptCredentialsError, match=r"is damaged.*:alice}:login holds.*login --account alice --force"
        ):
            fresh.look()
    with pytest.raises(CorruptCredentialsError):
        store.turn(before)
    assert machine.place().accounts() == ["alice"]
    found = {one.name: one for one in machine.place().check("alice")}
    assert found["Damage"].text.endswith(f"alice ({store.keys[0]})")
    assert machine.store("alice").delete()
    assert store.look() is None
    damage(common, store, how if how != "half" else "something else")
    store.save(renewed(1))
    assert known(machine.store("alice")).credentials == renewed(1)


@pytest.mark.parametrize("replaced_by", ["login", "logout"])
def test_a_turn_of_another_type_is_told_and_replaced(
    machine: Machine, common: Valkey, replaced_by: str
) -> None:
    store = machine.store("alice")
    store.save(LOGIN)
    with turn(store) as ours:
        common.client.set(store.keys[1], "junk")
        works: list[Callable[[], object]] = [
            store.look,
            lambda: store.turn(StoredCredentials(LOGIN, store.version)),
            lambda: ours.put(renewed(1)),
            lambda: ours.refused("No."),
        ]
        for work in works:
            with pytest.raises(
                CorruptCredentialsError,
                match=r"is damaged.*:alice}:turn holds.*login --account alice --force",
            ):
                work()
    found = {one.name: one for one in machine.place().check("alice")}
    assert found["Damage"].text.endswith(f"alice ({store.keys[1]})")
    fresh = machine.store("alice")
    if replaced_by == "logout":
        assert fresh.delete()
        assert store.look() is None
    else:
        fresh.save(renewed(2))
        with turn(store) as ours:
            ours.put(renewed(3))
    assert "Damage" not in {one.name for one in machine.place().check("alice")}


# --- notes and keys ---


def test_a_note_of_another_type_is_told_and_can_be_removed(machine: Machine, common: Valkey) -> None:
    store = machine.store("alice")
    key = store.keys[0].replace(":login", ":note")
    common.client.rpush(key, "junk")
    with pytest.raises(CorruptCredentialsError, match=r":alice}:note of .* another type.*alice --force"):
        store.note()
    found = {one.name: one for one in machine.place().check("alice")}
    assert "Damage" not in found  # nobody has listed the account
    common.client.sadd(store._shared.names_key, "alice")
    found = {one.name: one for one in machine.place().check("alice")}
    assert found["Damage"].text.endswith(f"alice ({key})")
    assert not store.swap_note(None, b"waits")
    assert cancel_login(store)
    assert store.swap_note(None, b"waits")
    assert store.note() == b"waits"


def test_a_note_that_no_key_opens_is_an_error_and_can_be_removed(new_machine: Callable[..., Machine]) -> None:
    one, other = new_machine().store("alice"), new_machine().place(store_key=OTHER_KEY)
    one.swap_note(None, b"waits")
    store = other.login("alice")
    with pytest.raises(CorruptCredentialsError, match=r"QWEN_STORE_KEY does not fit.*logout --account alice"):
        store.note()
    (key,) = (found for found in other.check(None) if found.name == "Key")
    assert "alice (one that waits for approval)" in key.text
    assert cancel_login(store)
    assert one.note() is None


def test_a_note_is_sealed_anew_with_the_first_key(new_machine: Callable[..., Machine]) -> None:
    new_machine().store("alice").swap_note(None, b"waits")
    both = new_machine().place(store_key=f"{OTHER_KEY},{KEY}")
    (key,) = (found for found in both.check(None) if found.name == "Key")
    assert (key.state, "alice" in key.text) == ("warn", True)
    assert both.login("alice").note() == b"waits"
    assert new_machine().store("alice", store_key=OTHER_KEY).note() == b"waits"


# --- rights that are missing ---


@pytest.mark.parametrize("right", ["hmget", "get"])
def test_a_right_to_read_that_is_missing_is_no_damage(
    new_machine: Callable[..., Machine], own: Valkey, right: str
) -> None:
    own.client.execute_command("ACL", "SETUSER", "few", "on", ">pass", "~*", "&*", "+@all", f"-{right}")
    few = new_machine(url=f"redis://few:pass@127.0.0.1:{own.port}/0")
    work = few.store().look if right == "hmget" else few.store().note
    with pytest.raises(StoreError, match="refuses us") as raised:
        work()
    assert not isinstance(raised.value, CorruptCredentialsError)
    assert "Rights" in {one.name for one in few.place().check(None) if one.state == "fail"}


@pytest.mark.parametrize("right", ["del", "hset", "hdel", "expire"])
def test_a_right_that_is_missing_leaves_nothing_half_done(
    new_machine: Callable[..., Machine], own: Valkey, right: str
) -> None:
    new_machine(own).store().save(LOGIN)
    own.client.execute_command("ACL", "SETUSER", "few", "on", ">pass", "~*", "&*", "+@all", f"-{right}")
    few = new_machine(url=f"redis://few:pass@127.0.0.1:{own.port}/0")
    works: list[Callable[[], object]] = [] if right == "expire" else [few.store().delete]
    if right in {"del", "hset"}:
        works.append(lambda: few.store().save(renewed(1)))
    for work in works:
        with pytest.raises(StoreError, match="refuses us"):
            work()
        assert known(new_machine(own).store()).credentials.access_token == "access-0"
    assert "Rights" in {one.name for one in few.place().check(None) if one.state == "fail"}
    left = own.client.keys("*_doctor*")
    assert not [key for key in left if own.client.ttl(key) < 0]
