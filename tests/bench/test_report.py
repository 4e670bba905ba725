"""The table says what was measured, and which target was reached."""

from __future__ import annotations

import inspect
import platform
from typing import Any

import pytest

from bench import measure
from bench.lanes import BASE, FLOOR, LANES, OURS
from bench.report import as_markdown, as_text, growth, last, machine, summary, table, targets, verdict
from bench.scenarios import FULL, QUICK_LANES, ROWS, Job, quick

BY_KEY = {row.key: row for row in ROWS}


def _results(**figures: list[dict[str, float]]) -> dict[str, Any]:
    rows = summary({name.replace("_", "-"): rounds for name, rounds in figures.items()})
    upstream = {"kind": "C", "requests_per_second": 30000, "chunks_per_second": 2000000}
    return {"machine": "one", "upstream": upstream, "rounds": 1, "remarks": [], "rows": rows}


@pytest.mark.parametrize(
    ("ratio", "said"), [(0.45, "aim"), (0.46, "must"), (0.55, "must"), (0.551, "missed"), (0.2, "aim")]
)
def test_less_reaches_a_target(ratio: float, said: str) -> None:
    results = _results(sync_call=[{BASE: 1.0, OURS: ratio}])
    assert verdict(BY_KEY["sync-call"], results["rows"]["sync-call"]) == said


@pytest.mark.parametrize(("rate", "said"), [(2.2, "aim"), (1.8, "must"), (1.79, "missed")])
def test_more_calls_a_second_reach_a_target(rate: float, said: str) -> None:
    results = _results(calls_32=[{BASE: 100.0, OURS: 100 * rate}])
    assert verdict(BY_KEY["calls-32"], results["rows"]["calls-32"]) == said


@pytest.mark.parametrize(("seconds", "said"), [(2e-7, "aim"), (2e-6, "must"), (4e-6, "missed")])
def test_a_token_is_held_to_figures_not_to_ratios(seconds: float, said: str) -> None:
    results = _results(token=[{OURS: seconds}])
    assert verdict(BY_KEY["token"], results["rows"]["token"]) == said


def test_the_table_has_a_line_for_each_row_and_a_column_for_each_lane_that_was_measured() -> None:
    results = _results(sync_call=[{BASE: 0.002, OURS: 0.001, FLOOR: 0.0005}])
    heading, line = table(results)
    assert heading == ["Measure", BASE, OURS, FLOOR, "must", "aim", "reached"]
    assert line == ["call, sync CPU", "2,000 us", "0.50", "0.25", "0.55", "0.45", "must"]


@pytest.mark.parametrize(
    ("rounds", "says"),
    [
        (1, "median of 1 rounds (no spread)"),
        (3, "3 rounds (the least and the greatest)"),
        (5, "(its quartiles; the"),
    ],
)
def test_a_spread_is_called_what_it_is(rounds: int, says: str) -> None:
    results = {**_results(sync_call=[{BASE: 1.0, OURS: 0.5}] * rounds), "rounds": rounds}
    assert says in as_text(results)
    assert ("(0.50-0.50)" in as_markdown(results)) is (rounds > 1)


def test_a_lane_without_a_figure_leaves_its_cell_empty() -> None:
    results = _results(sync_call=[{BASE: 1.0, OURS: 1.0}], async_call=[{BASE: 1.0, OURS: 1.0, FLOOR: 1.0}])
    assert table(results)[1][3] == ""
    assert "30,000 requests/s" in as_text(results)


def test_every_row_is_measured_by_something() -> None:
    jobs = {row for job in FULL for row in job.rows.values()}
    probes = {"token", "opens", "oauth-key", "import", "memory", "memory-slow"}
    probes |= {"first-call", "first-renewal", "store-look", "store-seen"}
    proxies = {"proxy-cpu", "proxy-rate", "proxy-first-byte", "proxy-call"}
    assert jobs | probes | proxies == set(BY_KEY)


@pytest.mark.parametrize("job", FULL, ids=lambda job: next(iter(job.rows.values())))
def test_every_job_can_be_asked_of_a_lanes_process(job: Job) -> None:
    inspect.signature(getattr(measure, job.what)).bind("client", **job.for_lane())


@pytest.mark.parametrize(
    ("row", "aim"),
    [
        ("sync-call-heard", 0.45),
        ("async-call-heard", 0.50),
        ("first-content-sync", 0.60),
        ("first-content", 0.50),
    ],
)
def test_a_row_is_held_to_what_is_hoped_of_it(row: str, aim: float) -> None:
    assert verdict(BY_KEY[row], _results(**{row: [{BASE: 1.0, OURS: aim}]})["rows"][row]) == "aim"
    assert verdict(BY_KEY[row], _results(**{row: [{BASE: 1.0, OURS: aim + 0.01}]})["rows"][row]) == "must"
    assert verdict(BY_KEY[row], _results(**{row: [{BASE: 1.0, OURS: 1.01}]})["rows"][row]) == "missed"


def test_quick_measures_the_same_rows_in_fewer_lanes() -> None:
    assert [job.rows for job in quick()] == [job.rows for job in FULL]
    assert {lane for job in quick() for lane in job.lanes} == set(QUICK_LANES)


def test_the_committed_results_are_a_full_run() -> None:
    results = last()
    assert set(results["rows"]) == set(BY_KEY)
    assert set(results["rows"]["async-call"]["medians"]) == {lane.name for lane in LANES}
    assert set(results["growth"]["curves"]) == {"conversation", "tools", "stream", "streams", "accounts"}
    assert all(row.title in as_markdown(results) and row.title in targets(results) for row in ROWS)
    assert "kB" in growth(results)


def test_the_machine_line_names_no_host_and_no_path() -> None:
    said = machine()
    assert "litellm" in said
    assert platform.node() not in said
    assert "/" not in said
