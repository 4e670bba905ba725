"""Hostile answers, cell by cell: the error's class, and that the login survives."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from drills import hostile

from litellm_qwen_ai.sandbox import ANSWERS, Sandbox

OAUTH = [(endpoint, name) for endpoint, row in hostile.OAUTH.items() for name in row]


@pytest.fixture(scope="module")
def sandboxes() -> Iterator[tuple[Sandbox, Sandbox]]:
    with hostile.two_sandboxes() as pair:
        yield pair


@pytest.mark.parametrize(("endpoint", "name"), OAUTH)
def test_a_hostile_oauth_answer_ends_as_the_matrix_says(
    sandboxes: tuple[Sandbox, Sandbox], endpoint: str, name: str, tmp_path: Path
) -> None:
    outcome = hostile.oauth_outcome(*sandboxes, endpoint, name, tmp_path / "qwen")
    assert outcome == hostile.OAUTH[endpoint][name]


@pytest.mark.parametrize("form", ["async call", "stream"])  # the drill takes all four
@pytest.mark.parametrize("name", hostile.CHAT)
def test_a_hostile_chat_answer_is_a_mapped_error(
    sandboxes: tuple[Sandbox, Sandbox], form: str, name: str, tmp_path: Path
) -> None:
    sandbox, other = sandboxes
    with hostile.environment(sandbox, tmp_path):
        sandbox.write_credentials(tmp_path)
        assert hostile.chat_outcome(sandbox, other, form, name) == hostile.expected(name, form)


def test_the_matrix_has_a_cell_for_every_answer_that_is_no_refusal() -> None:
    bad_day = {name for name in ANSWERS["device"] if all(name in ANSWERS[one] for one in hostile.OAUTH)}
    told_apart = {"throttled", "server_error", "html_503", "html_504"}  # statuses, tested with the readers
    for endpoint, row in hostile.OAUTH.items():
        assert bad_day - told_apart <= set(row) | {"invalid_client"}, endpoint
