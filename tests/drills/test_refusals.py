"""The short form of the drills on refusals."""

from __future__ import annotations

from pathlib import Path

from drills import refusals


def test_a_newer_token_that_is_dead_too_is_renewed(tmp_path: Path) -> None:
    assert refusals.two_dead_tokens(tmp_path, 2).failures == 0


def test_a_server_that_hangs_up_is_asked_as_often_as_it_is_allowed() -> None:
    assert refusals.sent_as_often_as_asked([0, 1]).failures == 0


def test_an_oauth_server_that_asks_for_a_moment_gets_it(tmp_path: Path) -> None:
    assert refusals.given_a_moment(tmp_path, [503]).failures == 0
