"""Ratios are taken round by round; an exponent says how a cost grows."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.stats import Spread, exponent, medians, ratios, steepest

SIZES = [1.0, 10.0, 100.0, 1000.0]


def test_a_ratio_is_the_median_of_the_rounds_own_ratios() -> None:
    # The machine was ten times slower in the second round: a ratio of medians would say otherwise.
    rounds = [{"base": 1.0, "ours": 0.5}, {"base": 10.0, "ours": 4.0}, {"base": 2.0, "ours": 1.0}]
    assert ratios(rounds, "base") == {"base": Spread(1.0, 1.0, 1.0), "ours": Spread(0.5, 0.4, 0.5)}


def test_a_round_without_the_base_or_the_lane_does_not_count() -> None:
    rounds = [{"base": 2.0}, {"ours": 1.0}, {"base": 0.0, "ours": 1.0}, {"base": 4.0, "ours": 1.0}]
    assert ratios(rounds, "base")["ours"] == Spread(0.25, 0.25, 0.25)
    assert medians(rounds) == {"base": 2.0, "ours": 1.0}


def test_a_lane_that_never_met_the_base_has_no_ratio() -> None:
    assert "ours" not in ratios([{"ours": 1.0}], "base")


def test_the_spread_is_the_quartiles_once_there_are_enough_values() -> None:
    assert Spread.of([1, 2, 3]) == Spread(2, 1, 3)
    assert Spread.of([1, 2, 3, 4, 100]) == Spread(3, 2, 4)


@given(power=st.floats(-2, 3), factor=st.floats(0.001, 1000))
def test_the_exponent_of_a_power_is_that_power(power: float, factor: float) -> None:
    costs = [factor * size**power for size in SIZES]
    assert exponent(SIZES, costs) == pytest.approx(power, abs=1e-6)
    assert steepest(SIZES, costs) == pytest.approx(power, abs=1e-6)


def test_a_steep_end_shows_although_the_whole_looks_flat() -> None:
    costs = [1.0, 1.0, 1.0, 100.0]
    assert math.isclose(steepest(SIZES, costs), 2)
    assert exponent(SIZES, costs) < 1
