"""The proposals to LiteLLM can be sent as they stand."""

from __future__ import annotations

import re

import pytest

from tests.docs.pages import ROOT

TESTS = ROOT / "tests" / "upstream"
PAGE = (ROOT / "docs" / "upstream.md").read_text(encoding="utf-8")
SENT, OURSELVES = PAGE.split("\n## For ourselves\n")
PROPOSALS = dict(re.findall(r"^## (\d+)\. [^\n]*\n(.*?)(?=^## |\Z)", SENT, re.MULTILINE | re.DOTALL))


@pytest.mark.parametrize("number", PROPOSALS)
def test_a_proposal_has_all_its_parts_and_nothing_of_ours(number: str) -> None:
    text = PROPOSALS[number]
    assert re.findall(r"^- \*(\w[\w ]*)\.\*", text, re.MULTILINE) == [
        "What happens",
        "Where",
        "Change",
        "Worth",
        "Test",
    ]
    assert not re.search(r"\]\((?!https:)|\bhere\b[:.]|tests/|route/|docs/", text, re.IGNORECASE)


def test_each_has_a_test_and_says_of_it_which_one_it_is() -> None:
    named = {number: re.findall(r"`(test_\w+\.py)`", text) for number, text in PROPOSALS.items()}
    assert sorted(name for names in named.values() for name in names) == sorted(
        path.name for path in TESTS.glob("test_*.py")
    )
    for number, [name] in named.items():
        assert f'reason="docs/upstream.md, {number}"' in (TESTS / name).read_text(encoding="utf-8")


def test_what_the_tests_share_goes_along() -> None:
    shared = re.compile(r"^from tests\.[\w.]+ import (.*)$", re.MULTILINE)
    imported = {
        name
        for path in TESTS.glob("test_*.py")
        for names in shared.findall(path.read_text("utf-8"))
        for name in names.split(", ")
    }
    assert imported
    assert not [name for name in imported if not re.search(rf"`{name}(\(\))?`", SENT)]
    assert "`conftest.py`" in SENT


def test_what_is_done_here_meanwhile_is_said_of_each() -> None:
    rows = re.findall(r"^\| ([\d, ]+) \|", OURSELVES, re.MULTILINE)
    assert sorted(", ".join(rows).split(", "), key=int) == list(PROPOSALS)
