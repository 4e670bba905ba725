"""Counts in a file; what every place must do with them is in tests/stores/test_contract.py."""

from __future__ import annotations

from typing import TYPE_CHECKING

from litellm_qwen_ai.quota.tally import Tally
from litellm_qwen_ai.stores.files.counters import FileCounters

if TYPE_CHECKING:
    from pathlib import Path

NOW = 1_800_000_000.0
DAY = 86_400.0


def one(moment: float) -> Tally:
    new = Tally()
    new.add([moment])
    return new


def test_what_no_answer_needs_any_more_is_forgotten_with_the_next_count(tmp_path: Path) -> None:
    counters = FileCounters(tmp_path / "meter" / "alice.json")
    assert counters.add(one(NOW - 3 * DAY), NOW - 3 * DAY)
    assert counters.add(one(NOW), NOW)
    kept = FileCounters(tmp_path / "meter" / "alice.json").read()
    assert (list(kept.seconds), list(kept.hours)) == ([int(NOW)], [int(NOW) // 3600])


def test_a_file_that_holds_no_counts_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "meter" / "alice.json"
    path.parent.mkdir()
    path.write_text("no counts")
    counters = FileCounters(path)
    assert not counters.read()
    assert counters.add(one(NOW), NOW)
    assert counters.read().last_minute(NOW) == 1
