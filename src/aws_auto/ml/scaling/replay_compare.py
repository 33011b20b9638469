"""Ways of deciding a fleet's size side by side on one load: each tuned on the same past, played on what came after.

The two that every user of AWS knows have one knob, their target. It is the cheapest that kept the promise on the
history before the played part, so that they are not beaten for want of tuning.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from aws_auto.ml.scaling.policy import AwsLike, ScalingPolicy, TargetTracking
from aws_auto.ml.scaling.policy_judge import Goal, ShortagePrice, Slo
from aws_auto.ml.scaling.policy_newsvendor import Newsvendor
from aws_auto.ml.scaling.replay import Played, Setting, play
from aws_auto.results import Interval

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Flags = NDArray[np.bool_]

#: Targets that are tried, as shares of capacity.
TARGETS = (0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)
#: Days of history on which they are tried, and that come before without being judged.
TUNED_DAYS = 21
REACTIVE = "target tracking"
AWS = "AWS-like prediction"
OURS = "aws-auto"
DRAWS = 1000


@dataclass(frozen=True, kw_only=True)
class Compared:
    """One way of deciding, played.

    Attributes:
        policy: its name.
        knob: its target, or what ours chose last; see `Newsvendor.knob`.
        played: what it did.
        saving: instance-hours less than target tracking, as a share of them, over days; None for target tracking and
            where under three days were played.
    """

    policy: str
    knob: float
    played: Played
    saving: Interval | None = field(default=None)


def compare(
    load: Floats,
    before: Floats,
    setting: Setting,
    *,
    goal: Goal | None = None,
    events: Flags | None = None,
    seed: int = 0,
) -> tuple[Compared, ...]:
    """Target tracking, AWS-like prediction and ours, in this order.

    Args:
        load: what is played.
        before: the history before it.
        setting: the fleet.
        goal: the promise, or the price of shortage, for which each is tuned on ``before``.
        events: what is known in advance, over ``before`` and ``load``.
        seed: of the bootstrap over days.
    """
    goal = goal or Slo()
    done = []
    for name, make in ((REACTIVE, TargetTracking), (AWS, AwsLike)):
        target = tuned(make, before, setting, goal)
        done.append(
            Compared(policy=name, knob=target, played=play(load, before, setting, make(setting, target=target)))
        )
    ours = Newsvendor(setting, goal=goal, events=events)
    played = play(load, before, setting, ours)
    done.append(Compared(policy=OURS, knob=ours.knob, played=played))
    base = done[0].played
    rest = [
        Compared(policy=c.policy, knob=c.knob, played=c.played, saving=saved(base, c.played, setting, seed=seed))
        for c in done[1:]
    ]
    return (done[0], *rest)


def tuned(make: Callable[..., ScalingPolicy], history: Floats, setting: Setting, goal: Goal) -> float:
    """The target of least cost on the history: the cheapest that kept the promise, or the most cautious."""
    cut = max(min(len(history) // 3, len(history) - setting.day), len(history) - TUNED_DAYS * setting.day)
    before, load = history[:cut], history[cut:]
    tried = [(target, play(load, before, setting, make(setting, target=target))) for target in TARGETS]
    if isinstance(goal, ShortagePrice):
        price = goal.price
        return min(tried, key=lambda one: one[1].hours + price * one[1].short)[0]
    kept = [one for one in tried if one[1].violated <= goal.share]
    return min(kept, key=lambda one: one[1].hours)[0] if kept else TARGETS[0]


def saved(base: Played, other: Played, setting: Setting, *, seed: int) -> Interval | None:
    """Interval of the share of instance-hours saved, by drawing whole days anew; None with fewer than three."""
    days = len(base.billed) // setting.day
    rng = np.random.default_rng(seed)
    if days < 3:
        return None
    sums = [one.billed[: days * setting.day].reshape(days, -1).sum(axis=1) for one in (base, other)]
    drawn = rng.integers(0, days, (DRAWS, days))
    before, after = (one[drawn].sum(axis=1) for one in sums)
    low, high = np.quantile(1 - after / before, [0.025, 0.975])
    return Interval(low=float(low), high=float(high))
