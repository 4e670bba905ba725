"""A pytest plugin for the suites' environments: gives clients the proxy's key, and writes the results.

It imports nothing of the project, and nothing of a suite.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

_RESULTS = Path(os.environ["CONFORMANCE_RESULTS"])
_WORST = ("failed", "skipped", "passed")
_found: dict[str, tuple[str, str]] = {}


def pytest_collection_finish(session: pytest.Session) -> None:
    """Put the proxy's key in the place of the made-up one that a suite's conftest.py holds."""
    for plugin in session.config.pluginmanager.get_plugins():
        if isinstance(getattr(plugin, "api_key", None), str):
            plugin.api_key = os.environ["CONFORMANCE_PROXY_KEY"]


def pytest_collectreport(report: pytest.CollectReport) -> None:
    """A file that cannot be collected is a failure too."""
    if report.failed:
        _note(report.nodeid, "failed", str(report.longrepr))
    elif report.skipped:
        _note(report.nodeid, "skipped", str(report.longrepr))


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Of a test's three phases the worst counts."""
    if report.when == "call" or not report.passed:
        _note(report.nodeid, report.outcome, "" if report.passed else _last_line(report))


def pytest_sessionfinish() -> None:
    """Write what came of each test as JSON: its name, the outcome and the reason."""
    _RESULTS.write_text(json.dumps(_found), encoding="utf-8")


def _note(name: str, outcome: str, reason: str) -> None:
    before = _found.get(name)
    if before is None or _WORST.index(outcome) < _WORST.index(before[0]):
        _found[name] = (outcome, reason)


def _last_line(report: pytest.TestReport) -> str:
    crash = getattr(report.longrepr, "reprcrash", None)
    text = crash.message if crash else str(report.longrepr)
    return text.strip().splitlines()[0] if text.strip() else ""
