"""The Makefile, as somebody meets it who waits."""

from __future__ import annotations

import re
from pathlib import Path

TEXT = (Path(__file__).parents[2] / "Makefile").read_text(encoding="utf-8")
RULES = re.findall(r"^(\S[^:=\n]*):(?!=)[^\n]*\n((?:\t[^\n]*\n)+)", TEXT, re.MULTILINE)


def test_what_installs_in_silence_says_first_what_it_does() -> None:
    silent = {name: recipe for name, recipe in RULES if "pip install --quiet" in recipe}
    assert {"$(READY)", "wheel", "test-newest"} <= set(silent)
    assert not [name for name, recipe in silent.items() if not recipe.startswith("\t@echo ")]


def test_the_fast_loop_and_what_contributing_says_of_tests_name_what_there_is() -> None:
    root = Path(__file__).parents[2]
    quick = re.search(r"^QUICK := (.*)$", TEXT, re.MULTILINE)
    assert quick
    guide = (root / "CONTRIBUTING.md").read_text(encoding="utf-8")
    named = {*quick[1].split(), *re.findall(r"tests/[\w/.]+", guide)}
    assert not [path for path in named if not (root / path).exists()]
    for path, test in re.findall(r"(tests/[\w/.]+)::(\w+)", guide):
        assert f"def {test}(" in (root / path).read_text(encoding="utf-8")
    assert not set(re.findall(r"`make ([\w-]+)", guide)) - set(re.findall(r"^([\w-]+):", TEXT, re.MULTILINE))
