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
