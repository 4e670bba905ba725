"""The races in short; at full size they are `make drills`."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from drills import logins, races
from drills.races import Field

from litellm_qwen_ai.oauth import FileStore

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="the racers fork")
THREADS = Field(processes=8, callers=8)
TASKS = Field(processes=8, callers=50, tasks=True)


@pytest.mark.parametrize("who", [THREADS, TASKS], ids=["threads", "tasks"])
def test_an_expired_token_makes_one_refresh(tmp_path: Path, who: Field) -> None:
    result = races.on_an_expired_token(who, tmp_path, reuse_detection=True)
    assert (result.tries, result.failures) == (who.calls, 0)
    assert result.note == "1 refresh, 1 request"
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {0o600}


@pytest.mark.parametrize("who", [THREADS, TASKS], ids=["threads", "tasks"])
def test_a_rejected_token_makes_one_refresh(tmp_path: Path, who: Field) -> None:
    result = races.on_a_rejected_token(who, tmp_path)
    assert (result.failures, result.note) == (0, "1 refresh, 1 request")


def test_a_server_that_stumbles_twice_costs_no_call(tmp_path: Path) -> None:
    result = races.on_an_expired_token(THREADS, tmp_path, stumbles=2)
    assert (result.failures, result.note) == (0, "1 refresh, 3 requests")


def test_a_slow_server_gets_one_refresh(tmp_path: Path) -> None:
    result = races.on_a_slow_server(THREADS, tmp_path, seconds=0.05)
    assert (result.failures, result.note) == (0, "1 refresh, 1 request")


def test_a_race_that_goes_wrong_is_a_failure(tmp_path: Path) -> None:
    with races.timed_sandbox() as timed:
        timed.sandbox.write_credentials(tmp_path, lifetime=-5)
        said = races.race(Field(1, 2), tmp_path, timed.sandbox.url)
        said["served"][0][0] = "another token"
        assert races.judged(Field(1, 2), timed, said, FileStore(tmp_path)).failures == 1
        timed.sandbox.revoke()
        assert races.judged(Field(1, 2), timed, said, FileStore(tmp_path)).failures == 2


def test_logins_at_once_leave_one_whole_login(tmp_path: Path) -> None:
    assert logins.logins_at_once(tmp_path, 2).failures == 0


def test_a_login_during_a_refresh_stays(tmp_path: Path) -> None:
    assert logins.login_during_a_refresh(tmp_path, Field(2, 4)).failures == 0


def test_a_logout_during_a_refresh_stays_a_logout(tmp_path: Path) -> None:
    assert logins.logout_during_a_refresh(tmp_path, Field(2, 4), 0.0).failures == 0
