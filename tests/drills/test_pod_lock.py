"""The comparison runs; what it shows is LiteLLM's."""

from __future__ import annotations

from pathlib import Path

from drills import pod_lock


def test_the_comparison_with_litellms_lock_runs(tmp_path: Path) -> None:
    result = pod_lock.stopped(tmp_path)
    assert result.tries == 2
    assert "hold it at once" in result.note
