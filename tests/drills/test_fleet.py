"""The fleet's drills in short; at full size they are `make drills`."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from drills import fleet

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="the members of a fleet are forked")

#: Store commands a process: who waits on a busy machine looks more often. `make drills` has the bar.
BUSY = 20.0


def test_a_fleet_with_an_expired_token_renews_once(tmp_path: Path) -> None:
    assert fleet.all_at_once(tmp_path, 2, 4, rejected=False, most=BUSY).failures == 0


def test_a_fleet_with_a_refused_token_renews_once(tmp_path: Path) -> None:
    assert fleet.all_at_once(tmp_path, 2, 4, rejected=True, most=BUSY).failures == 0


@pytest.mark.parametrize("rejected", [False, True])
def test_a_server_that_is_not_the_sandbox_counts_the_same(tmp_path: Path, rejected: bool) -> None:
    result = fleet.all_at_once(tmp_path, 2, 4, rejected=rejected, server=fleet.Independent, most=BUSY)
    assert result.failures == 0
    assert result.note.startswith("1 refresh,")


def test_that_server_ends_a_login_whose_spent_token_comes_again(tmp_path: Path) -> None:
    with fleet.fleet(tmp_path, server=fleet.Independent) as made:
        spent = made.log_in().refresh_token
        made.process().get()
        assert made.is_alive()
        assert made.sandbox.refresh(spent) == 400
        assert not made.is_alive()


def test_a_store_that_never_answers_is_named_and_nothing_is_sent(tmp_path: Path) -> None:
    result = fleet.silent(tmp_path)
    assert (result.failures, result.note) == (0, "1 refresh")


@pytest.mark.parametrize("point", ["after the take", "after the send"])
def test_a_holder_that_stops_and_goes_on_costs_nothing(tmp_path: Path, point: str) -> None:
    result = fleet.stopped(tmp_path, point, 1.5)
    assert (result.failures, result.note) == (0, "1 refresh")


@pytest.mark.parametrize("point", ["after the take", "before the put"])
def test_a_holder_that_is_killed_is_finished_by_its_host(tmp_path: Path, point: str) -> None:
    result = fleet.killed(tmp_path, point, keeps_folder=True)
    assert (result.failures, result.note) == (0, "1 refresh")


@pytest.mark.parametrize("fault", ["flushed", "restarted without its data", "read-only"])
def test_a_store_that_fails_between_the_send_and_the_put_costs_nothing(tmp_path: Path, fault: str) -> None:
    result = fleet.store_fails(tmp_path, fault, during=True)
    assert (result.failures, result.note) == (0, "1 refresh")
