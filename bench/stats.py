"""From rounds of figures to ratios with their spread, and from growth to an exponent."""

from __future__ import annotations

import itertools
import math
import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True, slots=True)
class Spread:
    """A median and the quartiles around it; with fewer than four values, the least and the greatest."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """The spread of some values.

        Args:
            values: At least one.
        """
        if len(values) < 4:  # noqa: PLR2004  # too few for quartiles
            return cls(statistics.median(values), min(values), max(values))
        low, median, high = statistics.quantiles(values, n=4, method="inclusive")
        return cls(median, low, high)


def ratios(rounds: Sequence[Mapping[str, float]], base: str) -> dict[str, Spread]:
    """Each lane's spread of per-round ratios to the base lane; rounds without both are left out.

    Args:
        rounds: In each round, the figure of each lane by its name.
        base: The lane to divide by.
    """
    lanes = dict.fromkeys(lane for one in rounds for lane in one)
    found = {
        lane: [one[lane] / one[base] for one in rounds if lane in one and one.get(base)] for lane in lanes
    }
    return {lane: Spread.of(values) for lane, values in found.items() if values}


def medians(rounds: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Each lane's median over the rounds."""
    lanes = dict.fromkeys(lane for one in rounds for lane in one)
    return {lane: statistics.median(one[lane] for one in rounds if lane in one) for lane in lanes}


def exponent(sizes: Sequence[float], costs: Sequence[float]) -> float:
    """The k of cost = c * size**k, by least squares on logarithms: 1 is linear, 0 does not grow.

    Args:
        sizes: At least two different ones, all above zero.
        costs: The cost at each size, above zero.
    """
    x, y = [math.log(size) for size in sizes], [math.log(cost) for cost in costs]
    mean_x, mean_y = statistics.fmean(x), statistics.fmean(y)
    along = sum((one - mean_x) * (other - mean_y) for one, other in zip(x, y, strict=True))
    return along / sum((one - mean_x) ** 2 for one in x)


def steepest(sizes: Sequence[float], costs: Sequence[float]) -> float:
    """The greatest exponent between neighbouring sizes: a part that grows faster hides in no mean."""
    points = list(zip(sizes, costs, strict=True))
    return max(exponent(*zip(one, two, strict=True)) for one, two in itertools.pairwise(points))
