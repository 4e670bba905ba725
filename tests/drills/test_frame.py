from __future__ import annotations

from pathlib import Path

import pytest
from drills import frame
from drills.frame import Drill, Result, Row


def row(failures: int = 0, worst: float | None = None, bar: float | None = None, peer: str = "") -> Row:
    result = Result(tries=1000, failures=failures, worst=worst, note="1 refresh")
    return Row(Drill("Races", "threads", lambda folder: result, bar, peer), result)


@pytest.mark.parametrize(
    ("one", "failed"),
    [
        (row(), False),
        (row(failures=1), True),
        (row(worst=0.9, bar=1.0), False),
        (row(worst=1.0, bar=1.0), True),
        (row(failures=9, worst=9.0, bar=1.0, peer="another"), False),
    ],
)
def test_a_failure_or_a_slow_try_of_ours_fails_the_run(one: Row, *, failed: bool) -> None:
    assert one.failed is failed


def test_a_drill_that_breaks_off_fails_and_the_others_go_on() -> None:
    def broken(folder: Path) -> Result:
        raise OSError(f"no {folder.name}")

    told: list[str] = []
    rows = frame.run([Drill("A", "broken", broken), Drill("A", "sound", row().drill.run)], told.append)
    assert [one.failed for one in rows] == [True, False]
    assert "FAILED" in told[0]
    assert "OSError: no drill-" in told[1]


def test_a_drill_that_was_only_too_slow_is_run_once_more_and_says_so() -> None:
    times = iter((2.0, 0.5, 3.0, 4.0))

    def run(_folder: Path) -> Result:
        return Result(tries=1, failures=0, worst=next(times), note="1 refresh")

    once = Drill("A", "slow", run, bar=1.0)
    first, second = frame.run([once, once], lambda _: None)
    assert not first.failed
    assert first.result.note == "1 refresh; second run, the first took 2000 ms"
    assert second.failed


def test_a_drill_gets_an_empty_folder_that_is_removed() -> None:
    seen: list[Path] = []

    def look(folder: Path) -> Result:
        seen.append(folder)
        (folder / "left").write_text("x")
        return Result(tries=len(list(folder.iterdir())), failures=0)

    assert frame.run([Drill("A", "look", look)], lambda _: None)[0].result.tries == 1
    assert not seen[0].exists()


def test_the_table_has_a_column_for_the_peer_only_where_there_is_one() -> None:
    alone = frame.table([row(worst=0.0004)])
    assert "| threads | 1,000 | 0 | 0.40 ms | 1 refresh |" in alone
    both = frame.table([row(worst=0.25, bar=1.0), row(failures=7, peer="another")])
    assert "| ours | threads | 1,000 | 0 | 250 ms (bar 1000) | 1 refresh |" in both
    assert "| another | threads | 1,000 | 7 | - | 1 refresh |" in both


def test_the_page_names_the_kind_of_machine_and_no_path() -> None:
    text = frame.page([row()], 12.0, "# Drills\n")
    assert "12 s for everything" in text
    assert str(Path.cwd()) not in text
