"""Which members judge a series, how much each says, and how their tails are read.

Chosen from the length of the history and the sampling period alone: they say how much a tail can be trusted and which
shapes matter, and need no labels.

Where the figures come from: members, weights and quantiles were chosen while looking at development series of four
suites: AIOps 2018 (19 series) and WSD (34) for `DENSE`, Microsoft cloud monitoring (32) for `HOURS`, the CloudWatch and
known-cause files of NAB (12) for `FRESH`, by event F1 with one cross-validated threshold a suite and by VUS-PR
(``bench/anomaly.py`` prints both). They are choices among a few dozen round figures, no fit to labels, and optimistic
for those series; NAB has too few events to choose on. How far a tail may lie (`Tail.furthest`) and the lowest surprise
of a member (`Tail.floor`) helped both halves of the series of a suite, or left them; hourly maxima of the other suites'
series gain by the former as well. Who has labels gets weights learned from them, where they say that these are better
(`learned`).
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from aws_auto.ml.anomaly.detect.calibrate import Tail

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

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
#: What a budget of one alarm a week needs on other series: at 2.0 they show 0.03 to 0.3 false alarms a week, three of
#: four series less than one; about ten times fewer for each 0.4 more.
ONE_A_WEEK, DECADE = 2.0, 0.4
#: Episodes over `MILD` that a series has in a usual week. One with ten times fewer (or more) gets a limit that is
#: `OWN_SHARE` of a decade lower (or higher), and no more than `MOST_SHIFT`; a short record counts as `USUAL_WEEKS` more
#: of usual ones. The highest scores of a series say less: they are its incidents.
MILD, MILD_A_WEEK = 1.4, 30.0
USUAL_WEEKS, OWN_SHARE, MOST_SHIFT = 0.5, 0.5, 0.4
#: What comes twice a day is no incident, however strange; but a few are no habit yet.
CROWD_A_WEEK, FEWEST_OF_CROWD, MOST_CROWDED = 14.0, 7, 2.0
#: The highest episodes of a resource may be its incidents: the fifth says how strange its metrics are together. Over
#: the most, only the largest incidents of all would be found.
FIFTH, MOST_RAISED = 5, 1.5
#: With this many points, the middle of the past says enough about the tail, and frequent incidents cannot hide it.
LONG = 3000
HOURLY = 3600.0
#: No learned weights.
USUAL: Mapping[str, Profile] = MappingProxyType({})


@dataclass(frozen=True)
class Profile:
    """A choice.

    Attributes:
        name: for reports.
        weights: member to weight; members without one are not computed.
        tail: quantiles of the calibration.
        memory: points that the calibration remembers.
        gain: what the mean is multiplied by, so that other weights reach a limit as often.
        ease: how much lower the limit is, because labels say that incidents are missed.
    """

    name: str
    weights: Mapping[str, float]
    tail: Tail
    memory: float = 4000.0
    gain: float = 1.0
    ease: float = 0.0


#: Two weeks of 5-minute points and more: the shape of the last minutes decides.
DENSE = Profile(
    "dense",
    {"shape": 4.0, "neighbours": 1.0, "seasonal": 1.0},
    Tail(low=0.5, high=0.9, prior=0.5, weight=300, least=0.5, floor=0.5),
)
#: Hours and days: far from the usual value at this time, and from the last hours.
HOURS = Profile(
    "hours",
    {"shape": 2.0, "seasonal": 1.0, "median": 1.0, "long_median": 1.0},
    Tail(low=0.9, high=0.99, prior=0.8, weight=300, least=0.3, furthest=0.8),
)
#: Little history of frequent points: never seen before, or away from the usual level for long.
FRESH = Profile(
    "fresh",
    {"shape": 1.0, "neighbours": 1.0, "level": 1.0},
    Tail(low=0.9, high=0.99, prior=0.8, weight=300, least=0.3, floor=0.5),
)


def limit(per_week: float, peaks: Floats, weeks: float) -> float:
    """The score that comes up in at most about ``per_week`` false episodes a week.

    What other series show, moved a little by how often the own one is mildly surprising, and raised where it is
    strange all the time.

    Args:
        per_week: budget of false alarms.
        peaks: highest scores of the episodes over `MILD` in some weeks of the series, highest first.
        weeks: how many.
    """
    rate = (len(peaks) + USUAL_WEEKS * MILD_A_WEEK) / (weeks + USUAL_WEEKS)
    own = float(np.clip(OWN_SHARE * DECADE * np.log10(rate / MILD_A_WEEK), -MOST_SHIFT, MOST_SHIFT))
    least = ONE_A_WEEK - DECADE * float(np.log10(max(per_week, 1e-6))) + own
    crowd = max(int(CROWD_A_WEEK * weeks), FEWEST_OF_CROWD)
    if crowd < len(peaks):
        least = max(least, min(float(peaks[crowd]), least + MOST_CROWDED))
    return least


def raised(per_week: float, peaks: Floats, weeks: float) -> float:
    """How much higher the limits of a resource with many metrics have to be for one budget of all of them.

    Args:
        per_week: budget of false alarms.
        peaks: highest scores of the episodes of the resource in some weeks, each in excess of its metric's limit for
            this budget, highest first.
        weeks: how many.
    """
    allowed = per_week * weeks
    rank = max(float(FIFTH), allowed)
    place = int(np.ceil(rank)) - 1
    if place >= len(peaks):
        return 0.0
    return float(np.clip(peaks[place] + DECADE * np.log10(rank / allowed), 0.0, MOST_RAISED))


def choose(step: float, points: int, *, mixes: Mapping[str, Profile] = USUAL) -> Profile:
    """The profile for a sampling period in seconds and a number of training points.

    Args:
        step: the period.
        points: how many have a value.
        mixes: profiles with learned weights, by the name of the one that they replace.
    """
    usual = DENSE if points >= LONG else HOURS if step >= HOURLY else FRESH
    return mixes.get(usual.name, usual)
