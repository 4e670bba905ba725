"""The clocks in short; at full size they are `make drills`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from drills import clocks
from drills.clocks import HOUR, Host
from drills.frame import Result

STORIES: dict[str, Callable[[Path, int], Result]] = {
    "an hour ahead": partial(clocks.off_by, HOUR),
    "an hour behind": partial(clocks.off_by, -HOUR),
    "jumping": clocks.jumping,
    "suspended": partial(clocks.suspended, clock_stands=False),
    "suspended, clock too": partial(clocks.suspended, clock_stands=True),
    "short-lived, ahead": partial(clocks.short_lived, HOUR),
    "short-lived, behind": partial(clocks.short_lived, -HOUR),
    "two hosts": clocks.two_hosts,
}


@pytest.mark.parametrize("name", STORIES)
def test_a_wrong_clock_costs_one_refusal_at_most_and_makes_no_storm(tmp_path: Path, name: str) -> None:
    result = STORIES[name](tmp_path, 9 if name.startswith("suspended") else 80)
    assert result.failures == 0, result.note


def test_a_storm_is_found(tmp_path: Path) -> None:
    def script(hosts: list[Host], _number: int) -> None:
        hosts[0].pass_time(clocks.LIFETIME)

    assert clocks.told(tmp_path, 5, script, apart=1e9).failures == 4
