"""The commands on a store that machines share: each machine has a token folder of its own."""

from __future__ import annotations

import functools
import json
import secrets
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from litellm_qwen_ai.cli import exits
from litellm_qwen_ai.oauth import Credentials
from litellm_qwen_ai.sandbox import Sandbox
from litellm_qwen_ai.settings import Settings
from litellm_qwen_ai.stores.redis.limits import Limits
from litellm_qwen_ai.stores.redis.place import RedisPlace
from tests.networks import listening
from tests.valkey import KEY, shared_valkey

pytestmark = pytest.mark.usefixtures("litellm_seen")

PASSWORD = "pass-of-the-store"


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(auto_approve=True, interval=0.1) as running:
        yield running


@pytest.fixture
def on(run: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Any]:
    """Run a command on one of the machines; no secret of the store is ever shown."""
    name, valkey = f"cli-{secrets.token_hex(4)}", shared_valkey()
    valkey.client.execute_command("ACL", "SETUSER", name, "on", f">{PASSWORD}", "~*", "&*", "+@all")
    monkeypatch.setenv("QWEN_STORE", f"redis://{name}:{PASSWORD}@127.0.0.1:{valkey.port}/0")
    monkeypatch.setenv("QWEN_STORE_KEY", KEY)
    monkeypatch.setenv("QWEN_STORE_PREFIX", name)

    def on_machine(machine: str, *arguments: str) -> Any:
        monkeypatch.setenv("QWEN_TOKEN_DIR", str(tmp_path / machine))
        outcome = run(*arguments)
        assert not [one for one in (PASSWORD, KEY) if one in outcome.out + outcome.err]
        return outcome

    return on_machine


def test_a_login_on_one_machine_serves_and_is_forgotten_on_all(on: Any) -> None:
    assert on("a", "status").code == 4
    assert on("a", "login").code == 0
    there = json.loads(on("b", "status", "--json").out)
    assert there["logged_in"]
    assert there["mode"] == "sealed"
    assert on("b", "logout", "--yes").code == 0
    assert on("a", "status").code == 4


@pytest.mark.parametrize("started", [False, True])
def test_a_logout_of_what_the_store_has_just_lost_is_not_undone(on: Any, started: bool) -> None:
    on("a", "login")
    place = RedisPlace(Settings.from_environment())
    store = place.login(None)
    assert store.look()  # a process that runs all along
    shared_valkey().client.delete(*store.keys)
    if started:
        on("b", "login", "--start")
    outcome = on("b", "logout", "--yes")
    assert (outcome.code, "Cancelled" in outcome.out) == ((0, True) if started else (4, False))
    store.refresh()
    assert store.look() is None
    assert on("a", "status").code == exits.NOT_LOGGED_IN
    place.close()


def test_a_login_is_started_on_one_machine_and_completed_on_another(on: Any) -> None:
    assert on("a", "login", "--start", "--account", "alice").code == 0
    assert "alice" in on("b", "accounts").out
    let_poll("alice")
    assert on("b", "login", "--complete", "--account", "alice").code == 0
    listed = json.loads(on("c", "accounts", "--json").out)
    assert (listed[-1]["account"], listed[-1]["state"]) == ("alice", "logged in")


def test_a_login_that_waits_under_another_key_is_told(on: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert on("a", "login", "--start").code == 0
    monkeypatch.setenv("QWEN_STORE_KEY", "A" * 43 + "=")
    for command in (["login", "--complete"], ["login", "--start"], ["status"]):
        outcome = on("b", *command)
        assert outcome.code == exits.ERROR
        said = " ".join((outcome.out + outcome.err).split())
        assert "A login waits for approval" in said
        assert "QWEN_STORE_KEY does not fit" in said
    assert on("b", "logout", "--yes").code == exits.DONE
    assert on("b", "login", "--start").code == exits.DONE


@pytest.mark.parametrize("command", [["login", "--force"], ["login", "--start", "--force"]])
@pytest.mark.parametrize("damaged", [False, True])
def test_what_waits_and_cannot_be_read_is_replaced_when_that_is_asked_for(
    on: Any, monkeypatch: pytest.MonkeyPatch, command: list[str], damaged: bool
) -> None:
    on("a", "login", "--start")
    store = RedisPlace(Settings.from_environment()).login(None)
    there = store.note()
    if damaged:
        key = store.keys[0].replace(":login", ":note")
        shared_valkey().client.delete(key)
        shared_valkey().client.rpush(key, "junk")
    else:
        monkeypatch.setenv("QWEN_STORE_KEY", "A" * 43 + "=")
    asked = [argument for argument in command if argument != "--force"]
    outcome = on("b", *asked)
    assert outcome.code == exits.ERROR
    assert "login --force`" in " ".join(outcome.err.split())
    if not damaged:
        assert store.note() == there  # not without being asked
    assert on("b", *command).code == exits.DONE
    assert on("b", "status").code == (exits.DONE if command == ["login", "--force"] else exits.NOT_LOGGED_IN)


def test_what_waits_and_can_be_read_is_kept_when_a_login_is_forced(on: Any) -> None:
    code = json.loads(on("a", "login", "--start", "--json").out)["user_code"]
    assert json.loads(on("b", "login", "--start", "--force", "--json").out)["user_code"] == code


@pytest.mark.parametrize("command", [["status"], ["login"], ["login", "--start"], ["accounts"], ["logout"]])
def test_a_store_that_is_too_old_is_told(
    on: Any, monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    def speak(connection: socket.socket) -> None:
        while piece := connection.recv(65536):
            connection.sendall(
                b"-ERR unknown command\r\n" * piece.count(b"\r\n*") or b"-ERR unknown command\r\n"
            )

    with listening(speak) as port:
        monkeypatch.setenv("QWEN_STORE", f"redis://127.0.0.1:{port}/0")
        outcome = on("a", *command)
    assert outcome.code == exits.ERROR
    assert "It has to be Redis 6.2, Valkey, or later" in " ".join(outcome.err.split())


@pytest.mark.parametrize("field", ["number", "n"])
def test_a_damaged_login_is_told_and_replaced(on: Any, field: str) -> None:
    on("a", "login")
    store = RedisPlace(Settings.from_environment()).login(None)
    shared_valkey().client.hset(store.keys[0], field, "junk")
    for command in ("status", "doctor", "login"):
        outcome = on("a", command)
        assert outcome.code == exits.ERROR
        assert "is damaged" in " ".join((outcome.out + outcome.err).split())
        assert "Traceback" not in outcome.err
    assert on("a", "login", "--force").code == exits.DONE
    assert on("b", "status").code == exits.DONE


def let_poll(account: str) -> None:
    """Let the OAuth server be asked at once about a login that waits: no test waits for its interval."""
    place = RedisPlace(Settings.from_environment())
    store = place.login(account)
    note = store.note()
    assert note is not None
    waiting = json.loads(note)
    waiting["login"]["next_poll_at"] = 0.0
    assert store.swap_note(note, json.dumps(waiting).encode())
    place.close()


def test_a_file_is_taken_over_into_the_store(on: Any, sandbox: Sandbox, tmp_path: Path) -> None:
    file = sandbox.write_credentials(tmp_path / "old")
    assert on("a", "login", "--import", str(file)).code == 0
    assert Credentials.from_json(file.read_bytes())
    assert on("b", "status").code == 0


def test_doctor_looks_at_the_store(on: Any) -> None:
    on("a", "login")
    outcome = on("b", "doctor")
    assert outcome.code == 0
    for name in ("Store", "Rights", "Server", "Key", "Login"):
        assert f"ok    {name}" in outcome.out


@pytest.mark.parametrize("command", ["status", "login", "doctor"])
@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("QWEN_STORE", f"redis://:{PASSWORD}@127.0.0.1:1/0", "redis://127.0.0.1:1/0 cannot be used just now"),
        ("QWEN_STORE", f"http://:{PASSWORD}@127.0.0.1:1", "QWEN_STORE is no address"),
        ("QWEN_STORE", f"redis://u:12/{PASSWORD}@127.0.0.1:1", "percent-encoded (@ is %40, / is %2F"),
        ("QWEN_STORE", f"redis://:{PASSWORD}@127.0.0.1:1?db=x", "option db is no number"),
        (
            "QWEN_STORE",
            f"redis+sentinel://:{PASSWORD}@127.0.0.1:1/fleet",
            "No sentinel of redis+sentinel://127",
        ),
        ("QWEN_STORE_KEY", "", "QWEN_STORE needs QWEN_STORE_KEY"),
        ("QWEN_STORE_KEY", "c2hvcnQ=", "has 5 bytes instead of 32"),
        ("QWEN_STORE_KEY", "A" * 43 + "=", "QWEN_STORE_KEY does not fit"),
    ],
)
def test_what_is_wrong_with_the_store_is_said_with_exit_code_1(  # noqa: PLR0913, PLR0917  # a test's fixtures
    on: Any, monkeypatch: pytest.MonkeyPatch, command: str, name: str, value: str, says: str
) -> None:
    on("a", "login")
    monkeypatch.setenv(name, value)
    outcome = on("b", command)
    assert outcome.code == 1
    assert says in " ".join((outcome.out + outcome.err).split())
    assert "Traceback" not in outcome.err


def test_a_key_that_does_not_fit_is_told_and_keeps_nobody_from_logging_out(
    on: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    on("a", "login")
    monkeypatch.setenv("QWEN_STORE_KEY", "A" * 43 + "=")
    listed = on("b", "accounts")
    assert listed.code == exits.NOT_LOGGED_IN
    assert "unusable" in listed.out
    assert "QWEN_STORE_KEY does not fit" in listed.err
    assert on("b", "logout").code == exits.CANCELLED  # it asks
    assert "Removed redis://" in on("b", "logout", "--yes").out
    monkeypatch.setenv("QWEN_STORE_KEY", KEY)
    assert on("a", "status").code == exits.NOT_LOGGED_IN


def test_a_login_replaces_one_that_the_key_does_not_fit(on: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    on("a", "login")
    monkeypatch.setenv("QWEN_STORE_KEY", "A" * 43 + "=")
    assert on("b", "login", "--force").code == exits.DONE
    assert on("b", "status").code == exits.DONE


@pytest.mark.parametrize("command", [["status"], ["accounts"], ["login"], ["login", "--start"], ["logout"]])
def test_a_command_asks_a_silent_store_once(
    on: Any, monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    asked: list[bytes] = []

    def speak(connection: socket.socket) -> None:
        while piece := connection.recv(65536):
            asked.append(piece)

    quick = functools.partial(RedisPlace, limits=Limits(answer=0.3, wait=0.05))
    monkeypatch.setattr("litellm_qwen_ai.stores.redis.place.RedisPlace", quick)
    with listening(speak) as port:
        monkeypatch.setenv("QWEN_STORE", f"redis://:{PASSWORD}@127.0.0.1:{port}/0")
        outcome = on("a", *command)
    assert outcome.code == exits.ERROR
    assert "no answer within 0.3 s" in " ".join(outcome.err.split())
    assert len(asked) == 1


@pytest.mark.parametrize("command", ["status", "doctor"])
def test_which_redis_of_litellm_is_meant_is_said(
    on: Any, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setenv("REDIS_HOST", "127.0.0.1")
    monkeypatch.setenv("REDIS_PORT", str(shared_valkey().port))
    monkeypatch.setenv("QWEN_STORE", "litellm")
    said = " ".join(on("a", command).out.split())
    assert f"redis://127.0.0.1:{shared_valkey().port}/0" in said
    assert "which commands cannot see" in said


@pytest.mark.parametrize("command", ["status", "doctor"])
def test_a_redis_that_only_a_proxys_config_names_has_to_be_named_for_commands(
    on: Any, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setenv("QWEN_STORE", "litellm")
    outcome = on("a", command)
    assert outcome.code == 1
    assert "which commands cannot see: they need the variables" in " ".join(
        (outcome.out + outcome.err).split()
    )


def test_status_calls_a_store_a_store(on: Any) -> None:
    said = on("a", "status").out
    assert said.startswith("Store       redis://127.0.0.1:")
    assert "File" not in said
