"""The replay: a real load against a fleet with boot delay and whole instances, and the least that it could have cost.

A fleet of equal instances; one carries ``capacity`` load. A started instance is billed at once and ready after ``boot``
steps; stopping is immediate, booting instances go first. A step is violated when its load exceeds what is ready.
Every figure is beside the exact clairvoyant optimum, which knows the load.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from aws_auto.ml.scaling.policy import ScalingPolicy

    Floats = NDArray[np.float64]
    Counts = NDArray[np.int64]

#: A load above capacity by less than this share is rounding, not a violation.
ROUNDING = 1e-9


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What a fleet is made of and how time passes.

    Attributes:
        capacity: load that one ready instance carries, in the unit of the load; positive.
        boot: whole steps from the start of an instance until it is ready; 0 or more.
        steps_per_hour: 12 for five-minute steps, 1 for hourly ones.
        minimum: instances at least.
        maximum: instances at most, None for no bound.
    """

    capacity: float
    boot: int
    steps_per_hour: float
    minimum: int = 1
    maximum: int | None = None

    @property
    def day(self) -> int:
        """Steps in a day."""
        return max(1, round(24 * self.steps_per_hour))

    def need(self, load: Floats) -> Counts:
        """Instances that just carry each load, within the bounds."""
        whole = np.ceil(np.asarray(load, dtype=np.float64) / self.capacity - ROUNDING).astype(np.int64)
        return np.clip(whole, self.minimum, self.maximum)

    def bounded(self, wish: float) -> int:
        """A wish as a whole number of instances within the bounds."""
        whole = max(math.ceil(wish - ROUNDING), self.minimum)
        return whole if self.maximum is None else min(whole, self.maximum)


@dataclass(frozen=True, kw_only=True)
class Played:
    """What a policy did on a load.

    Attributes:
        hours: instance-hours billed.
        optimum: instance-hours of the clairvoyant optimum.
        violated: share of steps with more load than was ready, 0 to 1.
        unserved: share of the load that was above what was ready, 0 to 1.
        short: instance-hours that were missing: the load above what was ready, over capacity.
        actions: how often the fleet was told another size.
        ready: instances ready in each step.
        billed: instances billed in each step, booting ones included.
    """

    hours: float
    optimum: float
    violated: float
    unserved: float
    short: float
    actions: int
    ready: Counts = field(repr=False, compare=False)
    billed: Counts = field(repr=False, compare=False)

    @property
    def over(self) -> float:
        """Cost over the optimum as a share: 0.3 is 30 % more."""
        return self.hours / self.optimum - 1 if self.optimum else 0.0


def play(load: Floats, before: Floats, setting: Setting, policy: ScalingPolicy) -> Played:
    """One policy on one load. The future is nowhere in the memory that the policy sees.

    Args:
        load: what is played, one value a step, finite and not negative.
        before: the load of the steps before it, oldest first; the policy may learn from it.
        setting: the fleet.
        policy: asked once a step.
    """
    n, past = len(load), len(before)
    seen = np.concatenate([before, np.full(n, np.nan)])
    shown = seen.view()
    shown.flags.writeable = False
    fleet = setting.bounded(1.3 * load[0] / setting.capacity) if n else 0
    booting: list[int] = []
    ready, billed = np.zeros(n, np.int64), np.zeros(n, np.int64)
    actions = 0
    for t in range(n):
        while booting and booting[0] <= t:
            booting.pop(0)
            fleet += 1
        now = fleet + len(booting)
        wanted = setting.bounded(policy.want(t, shown[: past + t], now))
        actions += wanted != now
        if wanted > now:
            booting += [t + setting.boot] * (wanted - now)
        else:
            gone = min(len(booting), now - wanted)
            del booting[len(booting) - gone :]
            fleet -= now - wanted - gone
        if setting.boot == 0:
            fleet, booting = fleet + len(booting), []
        ready[t], billed[t] = fleet, fleet + len(booting)
        seen[past + t] = load[t]
    return judged(load, setting, ready=ready, billed=billed, actions=actions)


def judged(load: Floats, setting: Setting, *, ready: Counts, billed: Counts, actions: int) -> Played:
    """The figures of a fleet that was ``ready`` and ``billed`` like this while that load came."""
    lack = np.maximum(load - ready * setting.capacity, 0.0)
    violated = load > ready * setting.capacity * (1 + ROUNDING) + ROUNDING
    total = float(load.sum())
    return Played(
        hours=float(billed.sum()) / setting.steps_per_hour,
        optimum=optimum(load, setting) / setting.steps_per_hour,
        violated=float(violated.mean()) if len(load) else 0.0,
        unserved=float(lack.sum()) / total if total else 0.0,
        short=float(lack.sum()) / setting.capacity / setting.steps_per_hour,
        actions=actions,
        ready=ready,
        billed=billed,
    )


def optimum(load: Floats, setting: Setting) -> int:
    """Fewest instance-steps that carry the load, known in advance; what exceeds ``maximum`` is left unserved.

    The first, second, ... instance are problems of their own: each must be on wherever the need reaches it, and across
    a gap it either stays on, for the gap, or stops and boots again, for the boot. The first start is paid for as well.
    """
    need = setting.need(load)
    total = 0
    for rank in range(1, int(need.max(initial=0)) + 1):
        edges = np.flatnonzero(np.diff(np.concatenate([[0], need >= rank, [0]])))
        start, end = edges[::2], edges[1::2]
        gap = start[1:] - end[:-1]
        total += int((end - start).sum() + setting.boot * len(start))
        total += int(np.where(gap <= setting.boot, gap - setting.boot, 0).sum())
    return total


def least_cost(load: Floats, setting: Setting, price: float) -> float:
    """Least instance-steps plus priced shortage, the load known in advance: the bound where being short has a price.

    The value of the first, second, ... instance in a step is the part of the load that only it serves, so that each is
    a problem of its own: on or off in every step, with a boot at every start. Dynamic programming over the steps, all
    instances at once; the first ``minimum`` are always on.

    Args:
        load: what comes.
        setting: the fleet.
        price: instance-steps for one instance's load unserved during one step.
    """
    need = np.asarray(load, dtype=np.float64) / setting.capacity
    most = int(np.ceil(need.max(initial=0)))
    ranks = np.arange(max(most, setting.minimum) if setting.maximum is None else setting.maximum)
    serves = np.clip(need[:, None] - ranks, 0.0, 1.0) * price
    beyond = np.maximum(need - len(ranks), 0.0).sum() * price
    on, off = np.full(len(ranks), float(setting.boot)), np.zeros(len(ranks))
    for lost in serves:
        on, off = np.minimum(on, off + setting.boot) + 1.0, np.minimum(on, off) + lost
    best = np.minimum(on, off)
    best[: setting.minimum] = len(load) + setting.boot
    return float(best.sum() + beyond)
