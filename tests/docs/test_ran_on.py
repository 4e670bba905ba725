"""The versions that README.md names are those that a complete run has noted."""

from __future__ import annotations

import json
import platform
import re
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.docs.pages import README, ROOT, generator

generate = generator()
RAN = json.loads((ROOT / "docs" / "ran_on.json").read_text(encoding="utf-8"))


def test_readme_names_what_was_noted() -> None:
    assert generate.versions() in README.read_text(encoding="utf-8")
    assert all(name in generate.versions() for names in RAN.values() for name in names)


def test_the_oldest_and_every_supported_python_are_among_them() -> None:
    pinned = re.search(r"^litellm==(.*)$", (ROOT / "tests" / "oldest.txt").read_text("utf-8"), re.MULTILINE)
    assert pinned is not None
    assert RAN["litellm"][0] == pinned[1]
    named = re.findall(r"Python :: (3\.\d+)\"", (ROOT / "pyproject.toml").read_text("utf-8"))
    assert named == [python.rpartition(".")[0] for python in RAN["python"]]


def test_environments_are_asked_for_their_versions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran_on = generate.ran_on
    monkeypatch.setattr(ran_on, "RECORD", tmp_path / "ran_on.json")
    newest, oldest = tmp_path / ".venv", tmp_path / ".venv-oldest"
    for venv in (newest, oldest):
        venv.symlink_to(sys.prefix)
    ran_on.note([newest])
    here = {"python": [platform.python_version()], "litellm": [version("litellm")]}
    assert json.loads(ran_on.RECORD.read_text("utf-8")) == {**here, "proxy": here["litellm"]}
    ran_on.note([oldest])
    assert json.loads(ran_on.RECORD.read_text("utf-8")) == {**here, "proxy": []}
    assert sorted(["1.110.2", "1.91.0"], key=ran_on.number) == ["1.91.0", "1.110.2"]
