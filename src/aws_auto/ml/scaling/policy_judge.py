"""Which knob: how dear a violated step is, or which quantile is held, judged on what each would have done."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from aws_auto.ml.scaling.replay import Setting

    Floats = NDArray[np.float64]
    Indices = NDArray[np.int64]

#: Knobs of a promise: the price of a violated step, in steps of the mean fleet.
PRICES = np.geomspace(0.5, 5000.0, 33)
#: Knobs where being short has a price: quantiles of the load that are held.
QUANTILES = 1 - np.geomspace(0.5, 0.0005, 33)
#: Price over width, on which the best margin of a promise is tabulated.
RATIOS = np.geomspace(0.1, 1e6, 71)
#: A promise is aimed at with this share of it: what is promised is a bound, and the future differs from the past.
AIM = 0.8
#: Before there is anything to judge, price x promised share is this many steps of the mean fleet.
PRIOR = 0.1
#: Days judged before the judgement is believed; weight of a judged day halves with this many.
LEAST_DAYS = 2
HALF_LIFE_DAYS = 7.0
#: Days over which what was promised and not used, or overdrawn, is made up for, and how far that may move the aim.
BUDGET_DAYS = 7
BUDGET_BOUNDS = (0.5, 2.0)


@dataclass(frozen=True, kw_only=True)
class Slo:
    """A promise: at most this share of the steps has more load than is ready."""

    share: float = 0.005


@dataclass(frozen=True, kw_only=True)
class ShortagePrice:
    """What load that is not served costs: instance-hours for one instance's load unserved during one hour, above 1."""

    price: float


Goal = Slo | ShortagePrice


def margins(errors: Floats, goal: Goal) -> Floats:
    """How many widths above the level are held.

    Args:
        errors: past errors over their width.
        goal: what is wanted.

    Returns:
        For a promise by `RATIOS`: the margin ``k`` of least ``k x width + price x P(error > k)``. The wider the error,
        the smaller the margin: violations are allowed where they save most. For a price of shortage by `QUANTILES`.
    """
    errors = np.sort(errors)
    if isinstance(goal, ShortagePrice):
        return np.quantile(errors, QUANTILES)
    beyond = (len(errors) - 1 - np.arange(len(errors))) / len(errors)
    tail, beyond = errors[len(errors) // 2 :], beyond[len(errors) // 2 :]
    return np.array([tail[np.argmin(tail + ratio * beyond)] for ratio in RATIOS])


def margin(table: Floats, knobs: Indices, price_over_width: Floats, goal: Goal) -> Floats:
    """The margins of these knobs ``(rows, knobs)``; ``price_over_width (rows, 1)`` is the mean load over the width."""
    if isinstance(goal, ShortagePrice):
        return table[knobs]
    return np.interp(np.log(PRICES[knobs] * price_over_width), np.log(RATIOS), table)


def first_knob(goal: Goal) -> int:
    """What is used before there is a past to judge by."""
    if isinstance(goal, ShortagePrice):
        return int(np.argmin(np.abs(QUANTILES - (1 - 1 / goal.price))))
    return int(np.argmin(np.abs(np.log(PRICES * goal.share / PRIOR))))


def judge(load: Floats, wishes: Floats, used: Indices, setting: Setting, goal: Goal) -> int:
    """The knob of least cost that keeps the goal on the judged steps; the most cautious where none does.

    Args:
        load: of the judged steps, oldest first.
        wishes: sizes that each knob wanted, ``(steps, knobs)``.
        used: the knob that was in use in each step.
        setting: the fleet.
        goal: what is wanted.
    """
    steps = len(load)
    if steps < LEAST_DAYS * setting.day:
        return first_knob(goal)
    ready = wishes.copy()
    for late in range(1, setting.boot + 1):
        ready[late:] = np.minimum(ready[late:], wishes[:-late])
    lack = load[:, None] / setting.capacity - ready
    weight = 0.5 ** (np.arange(steps, 0, -1) / (HALF_LIFE_DAYS * setting.day))
    weight /= weight.sum()
    cost = weight @ wishes
    if isinstance(goal, ShortagePrice):
        return int(np.argmin(cost + goal.price * (weight @ np.maximum(lack, 0.0))))
    violated = lack > 1e-9
    recent = np.arange(max(steps - BUDGET_DAYS * setting.day, 0), steps)
    spent = float(violated[recent, used[recent]].mean())
    kept = weight @ violated <= allowed(goal, spent)
    return int(np.argmin(np.where(kept, cost, np.inf))) if kept.any() else wishes.shape[1] - 1


def allowed(goal: Slo, spent: float) -> float:
    """The share to aim at: more where the last days left some of it unused, less where they overdrew it."""
    aim = AIM * goal.share
    return float(np.clip(2 * aim - spent, BUDGET_BOUNDS[0] * aim, BUDGET_BOUNDS[1] * aim))
