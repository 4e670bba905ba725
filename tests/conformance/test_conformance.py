"""The parts of `make conformance`, without the suites themselves."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

FOLDER = Path(__file__).parent
SUITE = """
import pytest

def test_works(): pass
def test_breaks(): raise ValueError("the reason\\nand more")
@pytest.mark.skip(reason="not here")
def test_skips(): pass
def test_key(client): assert client == "sk-of-the-proxy"
"""
CONFTEST = """
import pytest

api_key = "My API Key"

@pytest.fixture
def client():
    return api_key
"""


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(FOLDER)
    for name in ("table", "suites"):  # tests/clients has a module of the first name
        monkeypatch.delitem(sys.modules, name, raising=False)
    found = importlib.import_module("table")
    monkeypatch.delitem(sys.modules, "table")
    return found


def test_the_plugin_gives_a_suite_the_proxys_key_and_writes_each_outcome(tmp_path: Path) -> None:
    (tmp_path / "test_suite.py").write_text(SUITE)
    (tmp_path / "conftest.py").write_text(CONFTEST)
    report = tmp_path / "results.json"
    subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "plugin", "-q", "test_suite.py"],
        cwd=tmp_path,
        env={
            **os.environ,
            "PYTHONPATH": str(FOLDER),
            "CONFORMANCE_RESULTS": str(report),
            "CONFORMANCE_PROXY_KEY": "sk-of-the-proxy",
        },
        capture_output=True,
        check=False,
        timeout=120,
    )
    found = json.loads(report.read_text())
    assert found["test_suite.py::test_works"] == ["passed", ""]
    assert found["test_suite.py::test_breaks"] == ["failed", "ValueError: the reason"]
    assert found["test_suite.py::test_skips"][0] == "skipped"
    assert found["test_suite.py::test_key"] == ["passed", ""]


def _row(table: ModuleType, ours: dict[str, str], other: dict[str, str], **more: object) -> object:
    suite = table.Suite("shoes", "1.0", "laces", "proxy", (), (), **more)
    results = {
        route: {f"test_a.py::{name}": (outcome, "why") for name, outcome in found.items()}
        for route, found in ((table.OURS, ours), (table.OTHER, other))
    }
    return table.Row(suite, results, litellm="1.2.3")


def test_what_fails_at_both_routes_is_not_ours(table: ModuleType) -> None:
    row = _row(table, {"one": "failed", "two": "passed"}, {"one": "failed", "two": "failed"})
    assert (row.only_here, row.only_there) == ({}, ["two"])  # type: ignore[attr-defined]  # of another module
    page = table.page([row])
    assert "| shoes 1.0, laces | proxy | 1.2.3 | 1 / 1 / 0 | 0 / 2 / 0 | - |" in page
    assert "fails only at `dashscope/`: `two`." in page


def test_what_fails_only_here_is_named_and_unexpected_unless_it_is_known(table: ModuleType) -> None:
    outcomes = {"one": "failed", "two": "failed"}, {"one": "passed", "two": "passed"}
    row = _row(table, *outcomes, known={"two": "It is the moon"})
    assert list(row.unexpected) == ["one"]  # type: ignore[attr-defined]  # of another module
    page = table.page([row])
    assert "- **shoes**: `one`. why." in page
    assert "- **shoes**: `two`. It is the moon." in page
    assert "ONLY HERE: one: why" in table.plain([row])


@pytest.mark.usefixtures("table")
def test_the_page_is_of_the_suites_that_are_pinned() -> None:
    page = (FOLDER.parents[1] / "docs" / "conformance.md").read_text(encoding="utf-8")
    suites = sys.modules["suites"].SUITES
    assert not [
        one for one in suites if f"| {one.package} {one.version}, {one.title} | {one.way} |" not in page
    ]
    known = {name for one in suites for name in one.known}
    assert not [name for name in known if f"`{name}`" not in page]
