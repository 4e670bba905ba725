"""One login for a fleet: hosts that share nothing but a Valkey, and what goes wrong with them, it, or Qwen.

The times of the rules are shortened: 1 s stands for 30 s, and 5 s for the 10 minutes that a turn is
respected. The OAuth server rotates strictly, and a refresh token that is used twice ends the login.

What is waited for is an event, with a limit that names itself. `lasts` is a fault, or a look at those who are
left alone, that must take its time: the limits that it shall outlast are those of other processes and of the
store's own clock, which nothing here can move.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import json
import os
import re
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
import timeit
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
from drills.frame import Result, drill
from drills.wire import Wire

from litellm_qwen_ai.oauth import Credentials, FileStore
from litellm_qwen_ai.oauth.session import Session
from litellm_qwen_ai.sandbox import Sandbox
from litellm_qwen_ai.settings import Settings
from litellm_qwen_ai.stores.redis.limits import LIMITS, Limits
from litellm_qwen_ai.stores.redis.login import RedisStore
from litellm_qwen_ai.stores.redis.place import RedisPlace
from tests.logins import OAuthServer
from tests.valkey import KEY, REDIS, Sentinel, Valkey
from tests.waiting import comes_to_hold

GROUP = "Fleet"
MEMBER = Path(__file__).with_name("member.py")
PATIENCE = 30.0  # seconds
SHORT = Limits(
    send=1,
    quiet=1,
    turn=5,
    doubt=5,
    wait=0.1,
    pushed=1,
    alone=0.3,
    ping=0.5,
    answer=PATIENCE,  # a store on a busy machine is none that does not answer
    connect=PATIENCE,
)

SOON_SILENT = replace(SHORT, answer=1, connect=0.5)
LONGER = 3.0  # seconds: longer than every limit of these but the turn's
ALIVE = 0.05  # seconds that a call with a live token may take
ENDED = "LoginExpiredError"
WAITING = "LockTimeoutError"


class Process:
    """A member of the fleet; see `member.py`."""

    def __init__(self, nursery: str, job: dict[str, Any]) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(nursery)
        self._lines = self._socket.makefile("r")
        self._socket.sendall(json.dumps(job).encode() + b"\n")
        self.pid = int(self._lines.readline())

    def tell(self, **said: Any) -> None:
        self._socket.sendall(json.dumps(said).encode() + b"\n")

    def hear(self) -> Any:
        line = self._lines.readline()
        return json.loads(line) if line else None  # it is dead

    def ask(self, threads: int = 1, rejected: str | None = None, rounds: int = 1, pause: float = 0.0) -> None:
        self.tell(do="ask", threads=threads, rejected=rejected, rounds=rounds, pause=pause)

    def get(self, **how: Any) -> list[tuple[str, float]]:
        self.ask(**how)
        return [(got, took) for got, took in self.hear() or []]

    def arm(self, point: str, number: int) -> None:
        self.tell(do="arm", point=point, signal=number)
        assert self.hear()

    def signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def state(self) -> str:
        """What the system says: `T` for stopped."""
        said = subprocess.run(
            ["ps", "-o", "state=", "-p", str(self.pid)], capture_output=True, text=True, check=False
        )
        return said.stdout.strip()[:1]

    def close(self) -> None:
        self.signal(signal.SIGCONT)
        self.signal(signal.SIGKILL)
        self._lines.close()
        self._socket.close()


class Independent:
    """A server that shares no code with the sandbox, where a drill needs no more than tokens and counts."""

    def __init__(self) -> None:
        self._server = OAuthServer()
        self._server.ends_on_reuse = True
        self.oauth_base_url = self._server.url

    def __enter__(self) -> Independent:  # noqa: PYI034  # nothing is made of it
        return self

    def __exit__(self, *_: object) -> None:
        self._server.close()

    def issue_tokens(self, *, lifetime: float) -> dict[str, Any]:
        return self._server.tokens(expires_in=lifetime)

    def accepts_refresh(self, token: str) -> bool:
        return self._server.accepts_refresh(token)

    def refresh(self, token: str) -> int:
        form = {"grant_type": "refresh_token", "refresh_token": token}
        return httpx.post(self.oauth_base_url, data=form).status_code

    def expire_access_tokens(self) -> None:
        """It serves no chat: who was refused is told so by the drill."""

    @property
    def counts(self) -> SimpleNamespace:
        asked = len(self._server.refresh_forms())
        return SimpleNamespace(refresh_requests=asked, refreshes=self._server.refreshes)


@dataclass
class Fleet:
    """A store, an OAuth server and hosts, each with a folder of its own."""

    folder: Path
    valkey: Valkey
    sandbox: Any  # a `Sandbox`, or what a drill needs of one
    limits: Limits = SHORT
    lock_timeout: float = 1.0
    store: str = ""
    prefix: str = field(default_factory=lambda: f"drill-{secrets.token_hex(4)}")
    processes: list[Process] = field(default_factory=list)
    places: list[RedisPlace] = field(default_factory=list)

    def process(self, host: str = "a", *, store: str | None = None) -> Process:
        job = {
            "folder": str(self.folder / host),
            "store": store or self.store or self.valkey.url,
            "key": KEY,
            "prefix": self.prefix,
            "oauth": self.sandbox.oauth_base_url,
            "limits": asdict(self.limits),
            "lock_timeout": self.lock_timeout,
        }
        made = Process(nursery(), job)
        self.processes.append(made)
        return made

    def looker(self, host: str = "outside") -> RedisStore:
        """The store as this process sees it."""
        settings = Settings(
            str(self.folder / host),
            store=self.store or self.valkey.url,
            store_key=KEY,
            store_prefix=self.prefix,
        )
        place = RedisPlace(settings, limits=self.limits)
        self.places.append(place)
        return place.login(None)

    def log_in(self, seconds_left: float = -5.0) -> Credentials:
        """A login of the fleet, with a token that lives so long."""
        tokens = self.sandbox.issue_tokens(lifetime=max(seconds_left, 0.0))
        login = Credentials(
            access_token=tokens["access_token"],
            refresh_token=tokens["refresh_token"],
            expiry_date=int((time.time() + seconds_left) * 1000),
        )
        self.looker().save(login)
        return login

    def is_alive(self) -> bool:
        """Whether what the store holds is a login that the server takes."""
        stored = self.looker().look()
        return stored is not None and self.sandbox.accepts_refresh(stored.credentials.refresh_token or "")

    def verdict(self, served: list[tuple[str, float]], *, sends: int = 1, note: str = "") -> Result:
        """Every call must have got a token, after so many refreshes, and the login must be alive."""
        counts = self.sandbox.counts
        failed = [got for got, _ in served if ":" in got]
        sound = eventually(self.is_alive) and counts.refresh_requests == counts.refreshes == sends
        said = f"{counts.refresh_requests} refresh{'' if counts.refresh_requests == 1 else 'es'}{note}"
        if failed:
            said += f"; {failed[0][:200]}"
        return Result(len(served), len(failed) + (not sound), note=said)


@functools.cache
def nursery(program_file: Path = MEMBER) -> str:
    """The socket of the program that forks members: one for all fleets, as its start takes half a second."""
    folder = tempfile.TemporaryDirectory(prefix="fleet-")  # a socket's path is short
    path = f"{folder.name}/nursery"
    program = subprocess.Popen([sys.executable, str(program_file), path], stdout=subprocess.PIPE, text=True)
    for end in (folder.cleanup, program.wait, program.kill):  # the last comes first
        atexit.register(end)
    assert program.stdout is not None
    assert program.stdout.readline() == "ready\n"
    program.stdout.close()
    return path


def strict_sandbox() -> Sandbox:
    return Sandbox(reuse_detection=True, keep_requests=1000)


@contextlib.contextmanager
def fleet(
    folder: Path,
    *options: str,
    server: Callable[[], Any] = strict_sandbox,
    program: str = "",
    **changes: Any,
) -> Iterator[Fleet]:
    with contextlib.ExitStack() as ends:
        valkey = Valkey(folder / "valkey", *options, program=program)
        ends.callback(valkey.stop)
        sandbox = ends.enter_context(server())
        made = Fleet(folder, valkey, sandbox, **changes)
        ends.callback(lambda: [place.close() for place in made.places])
        ends.callback(lambda: [process.close() for process in made.processes])
        yield made


def eventually(holds: Callable[[], bool]) -> bool:
    """Whether it comes to hold; what cannot be seen meanwhile does not hold yet."""

    def seen() -> bool:
        with contextlib.suppress(Exception):
            return holds()
        return False

    return comes_to_hold(seen, PATIENCE)


def wait_until(holds: Callable[[], bool], what: str) -> None:
    assert eventually(holds), f"{what}: not within {PATIENCE:g} s"


lasts = time.sleep  # seconds


def in_the_end(members: list[Process], rejected: str | None = None) -> list[tuple[str, float]]:
    """What each gets when the fault is over: errors that say so may come first."""
    served: list[tuple[str, float]] = []

    def is_served() -> bool:
        served[:] = [said for member in members for said in member.get(rejected=rejected)]
        return not any(":" in got for got, _ in served)

    eventually(is_served)
    return served


# --- everybody at once ---


def all_at_once(  # noqa: PLR0913  # what a race is made of
    folder: Path,
    processes: int,
    threads: int,
    *,
    rejected: bool,
    server: Callable[[], Any] = strict_sandbox,
    program: str = "",
    most: float = 6.0,
) -> Result:
    """One renewal, seen by all; `most` is the bar of store commands a process."""
    with fleet(folder, server=server, program=program, limits=LIMITS, lock_timeout=30.0) as made:
        login = made.log_in(3600.0 if rejected else -5.0)
        members = [made.process(host) for host in "abc" for _ in range(processes)]
        for member in members:
            member.tell(do="look")
        assert all(member.hear() for member in members)
        if rejected:
            made.sandbox.expire_access_tokens()
        before = commands(made.valkey)
        for member in members:
            member.ask(threads, login.access_token if rejected else None)
        served = [(got, took) for member in members for got, took in member.hear()]
        each = (commands(made.valkey) - before) / len(members)
        result = made.verdict(served, note=f", {each:.1f} store commands a process")
        tokens = {got for got, _ in served}
        if len(tokens) != 1 or each >= most:
            result = Result(result.tries, result.failures + 1, note=result.note)
        return result


def commands(valkey: Valkey) -> int:
    """Commands that the server was sent; what a script does inside is not counted."""
    stats: dict[str, Any] = valkey.client.info("commandstats")
    inside = ("time", "hmget", "hget", "hset", "hdel", "publish", "info", "del")
    ours = sum(
        said["calls"]
        for name, said in stats.items()
        if name.removeprefix("cmdstat_") not in (*inside, "ping")
    )
    return int(ours)


@drill(GROUP, "3 hosts x 10 processes x 20 threads, expired token")
def expired(folder: Path) -> Result:
    return all_at_once(folder, 10, 20, rejected=False)


@drill(GROUP, "3 hosts x 10 x 20, looks valid, server answers 401")
def rejected(folder: Path) -> Result:
    return all_at_once(folder, 10, 20, rejected=True)


@drill(GROUP, "3 hosts x 3 x 20, expired, then looks valid and is refused: a server that is not the sandbox")
def independent(folder: Path) -> Result:
    return each(
        ("expired", "refused"),
        lambda how: all_at_once(folder / how, 3, 20, rejected=how == "refused", server=Independent),
        at_once=1,
    )


# --- the holder stops, or dies ---

HELD = {"while the request is on its way": "arrival", "after the send": "answer"}
POINTS = (
    "before the take",
    "after the take",
    "while the request is on its way",
    "after the send",
    "after the answer",
    "before the put",
)


def holder_at(made: Fleet, point: str, number: int) -> Process:
    """A process that gets the signal at that point of its renewal."""
    holder = made.process("a")
    moment: Any = HELD.get(point)
    if moment is None:
        holder.arm(point, number)
        holder.ask()
    else:
        made.sandbox.hold("refresh", at=moment)
        holder.ask()
        made.sandbox.wait_for_held("refresh", at=moment)
        holder.signal(number)
        made.sandbox.release("refresh", at=moment)
    if number == signal.SIGKILL:
        assert holder.hear() is None, f"the holder went on {point}"
    else:  # who is stopped tells nobody but its parent
        wait_until(lambda: holder.state() == "T", f"the holder is stopped {point}")
    return holder


def stopped(folder: Path, point: str, seconds: float, program: str = "") -> Result:
    with fleet(folder, program=program) as made:
        made.log_in()
        holder = holder_at(made, point, signal.SIGSTOP)
        others = [made.process(host) for host in "abc"]
        for other in others:
            other.ask(threads=3, rounds=int(seconds / 0.5), pause=0.5)
        lasts(seconds)
        holder.signal(signal.SIGCONT)
        during = [got for other in others for got, _ in other.hear()]
        late = holder.hear()
        for other in others:
            late += other.get()
        result = made.verdict([(got, took) for got, took in late])
        ended = sum(got.startswith(ENDED) for got in during)
        return Result(result.tries + len(during), result.failures + ended, note=result.note)


def killed(folder: Path, point: str, *, keeps_folder: bool) -> Result:
    """The next callers are on the dead holder's host, or on others only."""
    with fleet(folder) as made:
        made.log_in()
        holder_at(made, point, signal.SIGKILL)
        sent = point not in {"before the take", "after the take"}
        hopeless = point in HELD or (sent and not keeps_folder)
        others = [made.process(host) for host in ("a" if keeps_folder else "bc")]
        served: list[tuple[str, float]] = []

        def nobody_waits() -> bool:
            served[:] = [said for other in others for said in other.get(threads=3)]
            return not any(got.startswith(WAITING) for got, _ in served)

        if keeps_folder or point == "before the take":
            nobody_waits()  # and had not to
        else:
            wait_until(nobody_waits, "the turn of the dead ends")
        if not hopeless:
            return made.verdict(served)
        told = all(got.startswith(ENDED) for got, _ in served)
        reason = all("refus" in got or "HTTP" in got or "spent" in got for got, _ in served)
        note = f"lost: {made.sandbox.counts.refresh_requests} requests" if told else served[0][0][:200]
        if point == "while the request is on its way" and not told:
            return made.verdict(served, sends=made.sandbox.counts.refreshes)
        once = made.sandbox.counts.refresh_requests == 2
        return Result(len(served), not (told and reason and once), note=note)


def each(points: Any, once: Callable[[str], Result], at_once: int = 6) -> Result:
    with ThreadPoolExecutor(at_once) as pool:
        results = dict(zip(points, pool.map(once, points), strict=True))
    notes = dict.fromkeys(f"{result.note}" for result in results.values())
    bad = [f"{point}: {result.note}" for point, result in results.items() if result.failures]
    return Result(
        sum(result.tries for result in results.values()),
        sum(result.failures for result in results.values()),
        note="; ".join(bad or notes),
    )


@drill(GROUP, "the holder is stopped for longer than every limit but its turn's, at six points, then goes on")
def stops(folder: Path) -> Result:
    return each(POINTS, lambda point: stopped(folder / point, point, LONGER))


@drill(GROUP, "the holder is killed at six points, its folder stays")
def kills_with_folder(folder: Path) -> Result:
    return each(POINTS, lambda point: killed(folder / point, point, keeps_folder=True))


@drill(GROUP, "the holder is killed at six points, and its host is gone")
def kills_with_host(folder: Path) -> Result:
    return each(POINTS, lambda point: killed(folder / point, point, keeps_folder=False))


# --- the OAuth server ---


@drill(GROUP, "the OAuth server takes longer than the limit to send")
def slow_server(folder: Path) -> Result:
    with fleet(folder, lock_timeout=PATIENCE) as made:
        made.log_in()
        made.sandbox.hold("refresh", at="answer")
        members = [made.process(host) for host in "abc"]
        for member in members:
            member.ask(threads=3)
        made.sandbox.wait_for_held("refresh", at="answer")
        lasts(LONGER)
        made.sandbox.release("refresh", at="answer")
        return made.verdict([(got, took) for member in members for got, took in member.hear()])


@drill(GROUP, "the OAuth server is not there, then is")
def absent_server(folder: Path) -> Result:
    with fleet(folder) as made:
        made.log_in()
        url = made.sandbox.url
        made.sandbox.stop()
        members = [made.process(host) for host in "abc"]
        refused = [got for member in members for got, _ in member.get()]
        wrong = sum(
            not got.startswith("RefreshError") and not got.startswith("LockTimeout") for got in refused
        )
        made.sandbox._port = int(url.rpartition(":")[2])  # the same address
        made.sandbox.start()
        result = made.verdict(in_the_end(members))
        return Result(result.tries + len(refused), result.failures + wrong, note=result.note)


# --- the store ---


def restarted(made: Fleet) -> None:
    made.valkey.restart()


def paused(made: Fleet) -> None:
    made.valkey.client.client_pause(800)
    lasts(0.8)


def stopped_server(made: Fleet) -> None:
    made.valkey.signal(signal.SIGSTOP)
    lasts(2 * SOON_SILENT.answer)
    made.valkey.signal(signal.SIGCONT)


def full(made: Fleet) -> None:
    made.valkey.client.config_set("maxmemory", "1")
    lasts(2)
    made.valkey.client.config_set("maxmemory", "0")


def read_only(made: Fleet) -> None:
    made.valkey.client.replicaof("127.0.0.1", 1)
    lasts(2)
    made.valkey.client.replicaof("NO", "ONE")


def flushed(made: Fleet) -> None:
    made.valkey.client.flushall()


FAULTS = {
    "restarted with its data": (restarted, ("--appendonly", "yes", "--appendfsync", "always")),
    "restarted without its data": (restarted, ()),
    "paused": (paused, ()),
    "deaf": (stopped_server, ()),
    "out of memory": (full, ()),
    "read-only": (read_only, ()),
    "flushed": (flushed, ()),
}


def store_fails(folder: Path, fault: str, *, during: bool, program: str = "") -> Result:
    """Between renewals, while calls with a live token go on; or between a renewal's send and its put."""
    work, options = FAULTS[fault]
    with fleet(folder, *options, program=program, lock_timeout=PATIENCE, limits=SOON_SILENT) as made:
        login = made.log_in(3600.0)
        members = [made.process(host) for host in "abc"]
        served = [said for member in members for said in member.get()]
        slow = 0.0
        if during:
            made.sandbox.expire_access_tokens()
            made.sandbox.hold("refresh", at="answer")
            members[0].ask(rejected=login.access_token)
            made.sandbox.wait_for_held("refresh", at="answer")
            work(made)
            made.sandbox.release("refresh", at="answer")
            served += [(got, took) for got, took in members[0].hear()]
        else:
            for member in members:
                member.ask(threads=2, rounds=40, pause=0.05)
            work(made)
            for member in members:
                said = [(got, took) for got, took in member.hear()]
                served += said
                slow = max(slow, *(took for _, took in said))
            made.sandbox.expire_access_tokens()
        eventually(made.is_alive)
        result = made.verdict(served + in_the_end(members, login.access_token))
        return Result(result.tries, result.failures, slow or None, result.note)


def store_fails_each(folder: Path, *, during: bool) -> Result:
    results: dict[str, Result] = {}

    def once(fault: str) -> Result:
        results[fault] = store_fails(folder / fault, fault, during=during)
        return results[fault]

    whole = each(FAULTS, once, at_once=4 if during else 1)
    worst = max((result.worst or 0.0 for result in results.values()), default=0.0)
    return Result(whole.tries, whole.failures, worst or None, whole.note)


@drill(
    GROUP,
    "the store fails in seven ways between renewals; time: the longest call with a live token",
    bar=ALIVE,
)
def store_between(folder: Path) -> Result:
    return store_fails_each(folder, during=False)


@drill(GROUP, "the store fails in seven ways between the send and the put")
def store_during(folder: Path) -> Result:
    return store_fails_each(folder, during=True)


def restored_from(folder: Path, newer: str) -> bool:
    """Whether what came after the backup is there again: a renewal, a login or a logout."""
    with fleet(folder) as made:
        first = made.log_in(3600.0).access_token
        member, key = made.process(), f"{{{made.prefix}:_default}}:login"
        member.get()
        backup = made.valkey.client.dump(key)
        wanted = ""
        if newer == "renewal":
            ((wanted, _),) = member.get(rejected=first)
        elif newer == "login":
            wanted = made.log_in(3600.0).access_token
        else:
            made.looker().delete()
        wait_until(lambda: all(got != first for got, _ in member.get()), f"the newer {newer} is seen")
        made.valkey.client.restore(key, 0, backup, replace=True)
        back = eventually(lambda: _access(made) == wanted)
        return back and made.sandbox.counts.refresh_requests == (newer == "renewal")


@drill(GROUP, "an older copy of the store is restored: an older renewal, an older login, before a logout")
def restored(folder: Path) -> Result:
    whole = [restored_from(folder / newer, newer) for newer in ("renewal", "login", "logout")]
    return Result(3, whole.count(False), note="the newer state is put back")


def _access(made: Fleet) -> str:
    stored = made.looker().look()
    return stored.credentials.access_token if stored else ""


def failed_over(folder: Path, wait: float) -> Result:
    """The replica that takes over has not got the last renewal; one process that has seen it lives."""
    with contextlib.ExitStack() as ends:
        made = ends.enter_context(fleet(folder, lock_timeout=PATIENCE, limits=SOON_SILENT))
        made.valkey.client.execute_command(
            "ACL", "SETUSER", "follower", "on", ">follows", "+@all", "~*", "&*"
        )
        options = ("--replicaof", f"127.0.0.1 {made.valkey.port}", "--masteruser", "follower")
        replica = Valkey(folder / "replica", *options, "--masterauth", "follows")
        ends.callback(replica.stop)

        def follows() -> bool:
            return bool(replica.client.info("replication")["master_link_status"] == "up")

        wait_until(follows, "the replica follows")
        sentinel = Sentinel(folder / "sentinel", made.valkey)
        ends.callback(sentinel.stop)
        wait_until(sentinel.knows_a_replica, "the sentinel knows the replica")
        made.store = sentinel.url
        login = made.log_in(3600.0)
        here, there = made.process("a"), made.process("b")
        served = here.get() + there.get()
        wait_until(follows, "the replica follows")
        there.signal(signal.SIGSTOP)  # it shall not hear of the renewal
        made.valkey.client.execute_command("ACL", "DELUSER", "follower")  # the replica gets nothing any more
        made.sandbox.expire_access_tokens()
        served += here.get(rejected=login.access_token)
        here.signal(signal.SIGSTOP)  # it has the newest login, and is not there when the other one asks
        made.valkey.kill()
        wait_until(lambda: sentinel.primary() == replica.port, "the replica takes over")
        lasts(wait)
        there.signal(signal.SIGCONT)
        there.ask(rejected=login.access_token, rounds=4, pause=0.1)
        lasts(SHORT.quiet / 2)
        here.signal(signal.SIGCONT)
        ended = sum(got.startswith(ENDED) for got, _ in there.hear())
        served += in_the_end([there], login.access_token)
        result = made.verdict(served)
        return Result(result.tries, result.failures + ended, note=result.note)


@drill(GROUP, "sentinels fail over to a replica without the last renewal, at once and later")
def failover(folder: Path) -> Result:
    return each(
        ("at once", "later"), lambda name: failed_over(folder / name, 0.0 if name == "at once" else LONGER)
    )


@drill(GROUP, "two of three hosts cannot see the store: they send nothing, and come back")
def split(folder: Path) -> Result:
    with fleet(folder, limits=SOON_SILENT) as made:
        made.log_in()
        wire = Wire(made.valkey.port)
        away = [made.process(host, store=f"redis://127.0.0.1:{wire.port}/0") for host in "bc"]
        for member in away:
            member.tell(do="look")
        assert all(member.hear() for member in away)
        wire.cut()
        there = made.process("a")
        cut_off = [got for member in away for got, _ in member.get()]
        wrong = sum("cannot be used just now" not in got for got in cut_off)
        served = there.get()
        wire.mend()
        served += in_the_end(away)
        result = made.verdict(served)
        wire.close()
        return Result(result.tries + len(cut_off), result.failures + wrong, note=result.note)


@drill(
    GROUP,
    "the way to the store goes deaf for some seconds; time: the longest call with a live token",
    bar=ALIVE,
)
def deaf(folder: Path) -> Result:
    with fleet(folder, limits=SOON_SILENT) as made:
        login = made.log_in(3600.0)
        wire = Wire(made.valkey.port)
        member = made.process(store=f"redis://127.0.0.1:{wire.port}/0")
        member.get()
        wire.go_deaf()
        served = member.get(threads=2, rounds=60, pause=0.05)
        wire.mend()
        slow = max(took for _, took in served)
        made.sandbox.expire_access_tokens()
        result = made.verdict(served + in_the_end([member], login.access_token))
        wire.close()
        return Result(result.tries, result.failures, slow, result.note)


SILENT = 5.0  # seconds, of limits that are shortened: an answer is waited for 1 s


@drill(
    GROUP,
    "the store takes connections and never answers, from the start and in the middle; time: until it is told",
    bar=SILENT,
)
def silent(folder: Path) -> Result:
    """To one process it has never answered, to the other one it did once; neither has a live token."""
    with fleet(folder, limits=SOON_SILENT) as made:
        login = made.log_in(3600.0)
        wire = Wire(made.valkey.port)
        address = f"redis://127.0.0.1:{wire.port}/0"
        known = made.process("a", store=address)
        served = known.get()
        wire.go_deaf()
        made.sandbox.expire_access_tokens()
        members = [known, made.process("b", store=address)]
        for member in members:
            member.ask(threads=3, rejected=login.access_token)
        told = [(got, took) for member in members for got, took in member.hear()]
        wrong = sum("cannot be used just now" not in got for got, _ in told)
        sent = made.sandbox.counts.refresh_requests
        wire.mend()
        result = made.verdict(served + in_the_end(members, login.access_token))
        wire.close()
        slow = max(took for _, took in told)
        return Result(result.tries + len(told), result.failures + wrong + sent, slow, result.note)


# --- another server ---


def on_redis(folder: Path) -> Result:
    """What depends most on the server: its scripts, its pushes, and how it fails."""
    ways: dict[str, Callable[[Path], Result]] = {
        "expired": lambda at: all_at_once(at, 3, 20, rejected=False, program=REDIS),
        "refused": lambda at: all_at_once(at, 3, 20, rejected=True, program=REDIS),
        "stopped": lambda at: stopped(at, "after the send", LONGER, REDIS),
        **{
            fault: lambda at, fault=fault: store_fails(at, fault, during=True, program=REDIS)  # type: ignore[misc]  # a default, for the loop
            for fault in FAULTS
        },
    }
    whole = each(ways, lambda way: ways[way](folder / way.replace(" ", "-")), at_once=4)
    return Result(
        whole.tries,
        whole.failures,
        note=f"{_version(REDIS)}; {whole.note if whole.failures else '1 refresh each'}",
    )


def _version(program: str) -> str:
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"v=([\d.]+)", said)
    return f"Redis {found[1]}" if found else said.strip()


if Path(REDIS).exists():
    drill(
        GROUP,
        "on Debian's Redis: 3 hosts x 3 x 20, a stopped holder, seven faults of the store in a renewal",
    )(on_redis)


# --- what it costs ---

HASTE = 20


def idle(folder: Path, processes: int, minutes: float) -> Result:
    """A minute takes three seconds here: pings and looks come twenty times as often."""
    limits = replace(LIMITS, ping=LIMITS.ping / HASTE, pushed=LIMITS.pushed / HASTE)
    with fleet(folder, limits=limits) as made:
        made.log_in(3600.0)
        members = [made.process(str(number % 3)) for number in range(processes)]
        for member in members:
            member.get()
        wait_until(lambda: _subscribers(made) == processes, "all have subscribed")
        lasts(1.0)  # the read after each subscribe
        before = _all_commands(made.valkey)
        lasts(60.0 * minutes / HASTE)
        rate = (_all_commands(made.valkey) - before) / (60.0 * minutes)
        return Result(processes, int(not 0 < rate < 10), note=f"{rate:.1f} store commands a second in all")


def _subscribers(made: Fleet) -> int:
    said = made.valkey.client.pubsub_numsub(f"{made.prefix}:changes")
    return int(said[0][1])


def _all_commands(valkey: Valkey) -> int:
    stats: dict[str, Any] = valkey.client.info("commandstats")
    return sum(stats.get(f"cmdstat_{name}", {"calls": 0})["calls"] for name in ("evalsha", "eval", "ping"))


@drill(GROUP, "50 idle processes for two minutes")
def idle_fleet(folder: Path) -> Result:
    return idle(folder, 50, 2.0)


@drill(GROUP, "a hot look-up, beside one with files; time: the difference", bar=0.3e-6)
def hot(folder: Path) -> Result:
    with fleet(folder, limits=LIMITS) as made:
        login = made.log_in(3600.0)
        FileStore(folder / "files").save(login)
        sessions = [
            Session(store, oauth_base_url=made.sandbox.oauth_base_url)
            for store in (made.looker(), FileStore(folder / "files"))
        ]
        for session in sessions:
            session.get()
        before = _all_commands(made.valkey)
        times = [min(timeit.repeat(session.get, number=20_000, repeat=7)) / 20_000 for session in sessions]
        used = _all_commands(made.valkey) - before
        note = f"{times[0] * 1e6:.2f} us, files {times[1] * 1e6:.2f} us"
        return Result(40_000, int(used > 2), max(0.0, times[0] - times[1]), note)
