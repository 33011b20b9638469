"""Back-tests: fit on the past, calibrate on what followed, judge on what followed that; and how sure the verdict is."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from aws_auto.errors import NotEnoughData
from aws_auto.results import BackTest, Fresh, Interval

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

DRAWS = 2000
#: A loss of a thousandth of a resource's size is as good as none.
NEGLIGIBLE = 1e-3


#: Turns summed parts, ``(..., parts)``, into figures, ``(...)``.
Statistic = Callable[["Floats"], "Floats"]


@dataclass(frozen=True)
class Split:
    """Three parts in time, as steps: fit ``[0, calibrate)``, calibrate ``[calibrate, test)``, test ``[test, end)``."""

    calibrate: int
    test: int
    end: int


def split(steps: int, *, day: int, least_days: int, where: str, calibrate: float = 1 / 6, test: float = 1 / 3) -> Split:
    """Divide a history of ``steps`` points, ``day`` of them a day, in whole days.

    Args:
        steps: length of the history.
        day: points in a day.
        least_days: fewer are refused.
        where: whose history, for the error.
        calibrate: share of the calibration part, which is 2 to 8 days long.
        test: share of the test part, which is 3 to 14 days long.

    Raises:
        NotEnoughData: fewer than ``least_days`` days.
    """
    days = steps // day
    if days < least_days:
        raise NotEnoughData(
            f"{steps / day:.1f} days of history, at least {least_days} are needed for an honest back-test", where=where
        )
    held_back = steps - max(3, min(14, int(days * test))) * day
    return Split(calibrate=held_back - max(2, min(8, int(days * calibrate))) * day, test=held_back, end=steps)


def rolling_origins(first: int, last: int, every: int) -> NDArray[np.int64]:
    """Origins ``first, first + every, ...`` up to and including ``last``."""
    return np.arange(first, last + 1, every, dtype=np.int64)


def plain_loss(parts: Floats) -> Floats:
    """Mean loss over all points; parts are ``(..., resources, 2)``: sum of losses and number of points."""
    total = parts.sum(axis=-2)
    return np.asarray(total[..., 0] / np.maximum(total[..., 1], 1))


def typical_loss(parts: Floats) -> Floats:
    """Geometric mean over resources of their mean loss, so that no single resource decides.

    A loss under `NEGLIGIBLE` counts as that much. Resources without points are left out.

    Args:
        parts: ``(..., resources, 2)``: sum of losses (in units of the resource's size) and number of points.
    """
    seen = parts[..., 1] > 0
    loss = np.maximum(parts[..., 0] / np.maximum(parts[..., 1], 1), NEGLIGIBLE)
    return np.asarray(np.exp(np.where(seen, np.log(loss), 0.0).sum(axis=-1) / np.maximum(seen.sum(axis=-1), 1)))


def paired_bootstrap(
    ours: Floats,
    other: Floats,
    statistic: Statistic,
    *,
    seed: int,
    block: int = 1,
    level: float = 0.95,
) -> Interval:
    """Interval of ``statistic(ours) - statistic(other)`` over independent units that are drawn for both together.

    Units are drawn with replacement in circular blocks of ``block`` neighbours (Politis and Romano 1992). The
    percentile interval of few units is too narrow; it is widened to the level that makes it as wide as Student's
    interval (Hesterberg 2015, "What Teachers Should Know About the Bootstrap", section 5.3).

    Args:
        ours: summable parts per unit, shape ``(units, ...)``.
        other: the same units, the same parts.
        statistic: turns sums of parts into figures.
        seed: of the draws.
        block: units that belong together.
        level: of the interval.
    """
    n = len(ours)
    if n < 2:
        return Interval(-math.inf, math.inf, level)
    starts = np.random.default_rng(seed).integers(0, n, (DRAWS, -(-n // block)))
    drawn = ((starts[..., None] + np.arange(block)) % n).reshape(DRAWS, -1)[:, :n]
    difference = statistic(ours[drawn].sum(axis=1)) - statistic(other[drawn].sum(axis=1))
    tail = _expanded_tail(n, level)
    low, high = np.quantile(difference, [tail, 1 - tail])
    return Interval(float(low), float(high), level)


@dataclass(frozen=True, kw_only=True)
class Contest:
    """Who is compared on which units: rows of summable parts per independent unit, equal rows for equal units.

    Attributes:
        metric: what is measured.
        unit: of the figures.
        unit_of_n: what the rows are.
        ours: parts of the candidate.
        baselines: of the simple rules.
        statistic: turns summed parts into a figure.
        fresh: parts of ``champion``, ``ours`` and the rules on what the champion has not seen in its training; None
            where there is no champion, or too little that it has not seen.
        lower_is_better: direction.
    """

    metric: str
    unit: str
    unit_of_n: str
    ours: Floats
    baselines: Mapping[str, Floats]
    statistic: Statistic
    fresh: Mapping[str, Floats] | None = None
    lower_is_better: bool = True


def judge(contest: Contest, *, seed: int) -> BackTest:
    """Our figure beside that of the simple rule which did best on these very points, the hardest opponent."""
    sign = 1 if contest.lower_is_better else -1

    def figure(parts: Floats) -> float:
        return float(contest.statistic(parts.sum(axis=0)))

    name = min(contest.baselines, key=lambda rule: (sign * figure(contest.baselines[rule]), rule))
    best, fresh = contest.baselines[name], contest.fresh
    return BackTest(
        metric=contest.metric,
        unit=contest.unit,
        ours=figure(contest.ours),
        baseline=figure(best),
        baseline_name=name,
        fresh=None
        if fresh is None
        else Fresh(
            champion=figure(fresh["champion"]),
            ours=figure(fresh["ours"]),
            baseline=figure(fresh[name]),
            n=len(fresh["ours"]),
        ),
        lower_is_better=contest.lower_is_better,
        difference=paired_bootstrap(contest.ours, best, contest.statistic, seed=seed),
        n=len(contest.ours),
        unit_of_n=contest.unit_of_n,
    )


def _expanded_tail(n: int, level: float) -> float:
    from scipy.special import ndtr, stdtrit

    return float(ndtr(math.sqrt(n / (n - 1)) * stdtrit(n - 1, (1 - level) / 2)))
