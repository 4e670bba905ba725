"""The comparison runs; what it shows is LiteLLM's."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from drills import locks

pytest.importorskip("fastapi", reason="the extra proxy brings what LiteLLM imports")
pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="the processes are forked")


@pytest.mark.parametrize("way", locks.PEERS)
def test_the_comparison_with_a_lock_of_litellms_runs(tmp_path: Path, way: str) -> None:
    result = locks.stopped(tmp_path, way)
    assert result.tries == 2
    assert "hold it at once" in result.note


def test_the_comparison_on_a_silent_store_runs(tmp_path: Path) -> None:
    assert locks.silent(tmp_path).tries == 2
