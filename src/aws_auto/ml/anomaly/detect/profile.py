"""Which members judge a series, how much each says, and how their tails are read.

Chosen from the length of the history and the sampling period alone: they say how much a tail can be trusted and which
shapes matter, and need no labels.

Where the figures come from: members, weights and quantiles were chosen while looking at development series of four
suites: AIOps 2018 (19 series) and WSD (34) for `DENSE`, Microsoft cloud monitoring (32) for `HOURS`, the CloudWatch and
known-cause files of NAB (12) for `FRESH`, by event F1 with one cross-validated threshold a suite and by VUS-PR
(``bench/anomaly.py`` prints both). They are choices among a few dozen round figures, no fit to labels, and optimistic
for those series; NAB has too few events to choose on. Weights learned from the labels of other series of a suite
(`learned`) were no better.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from aws_auto.ml.anomaly.detect.calibrate import Tail

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Names of all members that can be weighed, in the order of their rows.
MEMBERS = (
    "shape",
    "neighbours",
    "seasonal",
    "median",
    "long_median",
    "level",
    "residual",
    "reconstruction",
    "slow_shape",
)
#: What a budget of one alarm a week needs on other series: at 1.8 the development suites show 0.3 to 1.0 false alarms a
#: week, and about ten times fewer for each 0.4 more. The best threshold of each suite lies between 1.8 and 2.2.
ONE_A_WEEK, DECADE = 1.8, 0.4
#: Weeks of its own history that count as much as all other series together.
OWN_WEEKS = 4.0
#: With this many points, the middle of the past says enough about the tail, and frequent incidents cannot hide it.
LONG = 3000
HOURLY = 3600.0


@dataclass(frozen=True)
class Profile:
    """A choice.

    Attributes:
        name: for reports.
        weights: member to weight; members without one are not computed.
        tail: quantiles of the calibration.
        memory: points that the calibration remembers.
    """

    name: str
    weights: Mapping[str, float]
    tail: Tail
    memory: float = 4000.0


#: Two weeks of 5-minute points and more: the shape of the last minutes decides.
DENSE = Profile(
    "dense",
    {"shape": 4.0, "neighbours": 1.0, "seasonal": 1.0},
    Tail(low=0.5, high=0.9, prior=0.5, weight=300, least=0.5),
)
#: Hours and days: far from the usual value at this time, and from the last hours.
HOURS = Profile(
    "hours",
    {"shape": 2.0, "seasonal": 1.0, "median": 1.0, "long_median": 1.0},
    Tail(low=0.9, high=0.99, prior=0.8, weight=300, least=0.3),
)
#: Little history of frequent points: never seen before, or away from the usual level for long.
FRESH = Profile(
    "fresh",
    {"shape": 1.0, "neighbours": 1.0, "level": 1.0},
    Tail(low=0.9, high=0.99, prior=0.8, weight=300, least=0.3),
)


def choose(step: float, points: int) -> Profile:
    """The profile for a sampling period in seconds and a number of training points."""
    if points >= LONG:
        return DENSE
    return HOURS if step >= HOURLY else FRESH
