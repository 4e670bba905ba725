"""The quota meter: cheap to count, added up across processes, never in a call's way."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import filelock
import pytest

from litellm_qwen_ai.accounts import account_of
from litellm_qwen_ai.quota.meter import Keeper, Meter
from litellm_qwen_ai.quota.tally import Usage
from litellm_qwen_ai.settings import Settings
from litellm_qwen_ai.stores.files.counters import FileCounters

NOW = 1_800_000_000.0


class Clock:
    now = NOW

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "tokens").mkdir()
    return tmp_path / "tokens" / "meter" / "alice.json"


def used(meter: Meter, now: float = NOW) -> Usage:
    return meter.counted().usage(now)


@pytest.fixture
def meter(path: Path, clock: Clock) -> Meter:
    return Meter(FileCounters(path), clock=clock)


def test_each_account_has_a_file_beside_its_login(tmp_path: Path) -> None:
    settings = Settings.from_environment({"QWEN_TOKEN_DIR": str(tmp_path), "QWEN_AUTH_FILE": "team.json"})
    meters = [account_of(settings, name).meter for name in (None, "alice", "bob", "alice")]
    assert meters[1] is meters[3]
    for meter in meters:
        meter.sent()
        meter.turn()
    files = {file.name: FileCounters(file) for file in (tmp_path / "meter").glob("*.json")}
    assert {name: sum(file.read().hours.values()) for name, file in files.items()} == {
        "team.json": 1,
        "alice.json": 2,
        "bob.json": 1,
    }


def test_counting_touches_no_file_until_the_next_turn(meter: Meter, path: Path) -> None:
    meter.sent()
    assert not path.parent.exists()
    assert used(meter).requests_last_minute == 1
    meter.turn()
    assert FileCounters(path).read().last_minute(NOW) == 1
    if os.name == "posix":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_the_counts_of_several_meters_of_a_file_add_up(meter: Meter, path: Path, clock: Clock) -> None:
    other = Meter(FileCounters(path), clock=clock)
    for counted in (meter, meter, other):
        counted.sent()
        counted.turn()
    assert used(meter).requests_today == used(other).requests_today == 3


def test_the_headers_count_what_is_known_at_once(meter: Meter, path: Path, clock: Clock) -> None:
    other = Meter(FileCounters(path), clock=clock)
    other.sent()
    other.turn()
    meter.sent()
    meter.turn()
    meter.sent()
    assert meter.headers() == {
        "llm_provider-x-qwen-ratelimit-used-requests-minute": "3",
        "llm_provider-x-qwen-ratelimit-used-requests-day": "3",
    }


def test_looking_at_the_counts_takes_nothing_from_the_headers(meter: Meter, path: Path, clock: Clock) -> None:
    other = Meter(FileCounters(path), clock=clock)
    other.sent()
    other.turn()
    meter.sent()
    meter.counted()
    meter.sent()
    assert meter.headers()["llm_provider-x-qwen-ratelimit-used-requests-day"] == "3"


def test_the_headers_of_the_first_call_after_a_pause_do_not_show_the_last_minute_before_it(
    meter: Meter, clock: Clock
) -> None:
    meter.sent()
    assert meter.turn()
    clock.now += 61
    assert not meter.turn(), "nothing is left to do"
    assert meter.is_asleep
    clock.now += 30 * 3600
    meter.sent()
    assert meter.headers()["llm_provider-x-qwen-ratelimit-used-requests-minute"] == "1"
    assert meter.headers()["llm_provider-x-qwen-ratelimit-used-requests-day"] == "1"


def test_a_refusal_lasts_until_the_server_accepts_a_request_in_whatever_process(
    meter: Meter, path: Path, clock: Clock
) -> None:
    meter.sent()
    meter.refused("quota_spent", None)
    meter.turn()
    other = Meter(FileCounters(path), clock=clock)
    assert used(other).limited
    other.sent()
    other.turn()
    other.accepted()
    other.turn()
    assert not used(meter).limited
    assert used(meter).refused_today == 1


def test_a_named_wait_is_kept_and_an_endless_one_does_no_harm(meter: Meter) -> None:
    meter.refused("throttled", 42.0)
    usage = used(meter)
    assert (usage.limited_until, usage.limited_until_source) == ("2027-01-15T08:00:42+00:00", "server")
    meter.refused("throttled", 1e300)
    assert used(meter).limited


def test_a_refusal_after_an_accepted_request_counts_although_neither_was_written(meter: Meter) -> None:
    meter.refused("throttled", None)
    meter.accepted()
    meter.refused("throttled", None)
    assert used(meter).limited
    meter.accepted()
    assert not used(meter).limited


def test_the_last_failure_is_known_to_other_processes_and_kept_short(
    meter: Meter, path: Path, clock: Clock
) -> None:
    meter.failed(ValueError("first"))
    clock.now += 1
    meter.failed(ValueError("word " * 1000), login_ended=True)
    assert not meter.is_asleep
    meter.turn()
    failure = Meter(FileCounters(path), clock=clock).counted().failure
    assert failure is not None
    assert (failure.at, failure.login_ended) == (NOW + 1, True)
    assert failure.text == "word " * 119 + "…"


@pytest.mark.parametrize("reason", [None, "content_policy", "server_error"])
def test_other_refusals_say_nothing_of_the_quota(meter: Meter, reason: str | None) -> None:
    meter.refused(reason, 5.0)
    assert used(meter).refused_today == 0


@pytest.mark.parametrize("damage", [b"", b"{", b"\xff\xfe", b"[1]", b"x" * 300_000])
def test_a_damaged_file_costs_its_counts_and_nothing_else(meter: Meter, path: Path, damage: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(damage)
    meter.sent()
    assert used(meter).requests_today == 1
    meter.turn()
    assert FileCounters(path).read().today(NOW) == 1


def test_counts_of_a_later_version_are_left_alone_and_told_of_once(
    meter: Meter, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    meter.sent()
    meter.turn()
    later = b'{"format":2,"days":{"20000":7}}'
    path.write_bytes(later)
    for _ in range(2):
        meter.sent()
        meter.turn()
    assert used(meter).requests_today == 3
    assert path.read_bytes() == later
    [told] = [one.getMessage() for one in caplog.records]
    assert f"A later version of litellm-qwen-ai keeps the counts in {path} (format 2)" in told


def test_without_a_place_to_write_the_process_counts_for_itself(tmp_path: Path, clock: Clock) -> None:
    gone = Meter(FileCounters(tmp_path / "no-such-folder" / "meter" / "alice.json"), clock=clock)
    (tmp_path / "meter").write_text("a file is in the way")
    blocked = Meter(FileCounters(tmp_path / "meter" / "alice.json"), clock=clock)
    for meter in (gone, blocked):
        meter.sent()
        meter.turn()
        meter.sent()
        meter.turn()
        assert used(meter).requests_today == 2
    assert not (tmp_path / "no-such-folder").exists()


def test_what_cannot_be_written_is_not_kept_for_ever(tmp_path: Path, clock: Clock) -> None:
    meter = Meter(FileCounters(tmp_path / "no-such-folder" / "meter" / "alice.json"), clock=clock)
    for _ in range(100):
        meter.sent()
        meter.turn()
        clock.now += 3600
    counted = meter.counted()
    assert (len(counted.seconds), len(counted.hours)) == (0, 47)


def test_a_lock_that_is_held_delays_the_writing_and_not_the_counting(
    meter: Meter, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("litellm_qwen_ai.stores.files.counters.LOCK_TIMEOUT", 0.0)
    path.parent.mkdir()
    with filelock.FileLock(f"{path}.lock"):
        meter.sent()
        meter.turn()
        assert not path.exists()
        meter.sent()
        assert meter.headers()["llm_provider-x-qwen-ratelimit-used-requests-day"] == "2"
    meter.turn()
    assert FileCounters(path).read().today(NOW) == 2


def test_what_a_killed_writer_left_is_overwritten(meter: Meter, path: Path) -> None:
    path.parent.mkdir()
    path.with_name(path.name + ".new").write_text("half")
    meter.sent()
    meter.turn()
    assert FileCounters(path).read().today(NOW) == 1
    assert sorted(entry.name for entry in path.parent.iterdir() if not entry.name.endswith(".lock")) == [
        path.name
    ]


def test_many_threads_lose_no_count(meter: Meter, path: Path) -> None:
    start = threading.Barrier(5)

    def count() -> None:
        start.wait(30)
        for _ in range(1000):
            meter.sent()

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    start.wait(30)
    while any(thread.is_alive() for thread in threads):
        meter.turn()
    meter.turn()
    assert FileCounters(path).read().today(NOW) == 4000


def test_the_keepers_thread_ends_when_nothing_is_left_to_do_and_comes_back(path: Path, clock: Clock) -> None:
    turns: list[float] = []
    gate = threading.Semaphore(0)

    def wait(seconds: float) -> bool:
        turns.append(seconds)
        assert gate.acquire(timeout=30)
        return False

    keeper = Keeper(wait)
    meter = Meter(FileCounters(path), keeper=keeper, clock=clock)
    for _ in range(2):
        meter.sent()
        (thread,) = [
            t for t in threading.enumerate() if t.name == "qwen-ai-meter" and t._target == keeper._run
        ]  # type: ignore[attr-defined]  # of Thread
        clock.now += 61
        gate.release()
        thread.join(30)
        assert not thread.is_alive()
        assert meter.is_asleep
    assert FileCounters(path).read().today(clock.now) == 2
    assert turns == [3.0, 3.0]
    keeper.close()


SCRIPT = """
import sys
from litellm_qwen_ai.accounts import account_of
from litellm_qwen_ai.settings import Settings
meter = account_of(Settings.from_environment({"QWEN_TOKEN_DIR": sys.argv[1]}), "alice").meter
for _ in range(int(sys.argv[2])):
    meter.sent()
"""


def _count_in_a_process(folder: Path, script: str = SCRIPT) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", script, str(folder), "100"])


def test_short_lived_processes_count_at_their_exit_and_add_up(tmp_path: Path) -> None:
    processes = [_count_in_a_process(tmp_path) for _ in range(3)]
    assert [process.wait(60) for process in processes] == [0, 0, 0]
    written = json.loads((tmp_path / "meter" / "alice.json").read_text())
    assert sum(written["hours"].values()) == 300


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_counts_its_own_and_not_its_parents(tmp_path: Path) -> None:
    script = SCRIPT + (
        "import os\n"
        "child = os.fork()\n"
        "if child:\n"
        "    sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))\n"
        "for _ in range(7):\n"
        "    meter.sent()\n"
    )
    assert _count_in_a_process(tmp_path, script).wait(60) == 0
    written = json.loads((tmp_path / "meter" / "alice.json").read_text())
    assert sum(written["hours"].values()) == 107


def test_the_meter_needs_nothing_heavy() -> None:
    heavy = ("litellm", "httpx", "click")
    code = f"import sys, litellm_qwen_ai.quota.meter; print([m for m in {heavy!r} if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
