"""The plan of a fleet for the next hours: how many of which instances, from when, at what price and risk.

Demand is uncertain, and so is what a demand asks for; both meet in the quantiles of the instances needed. From these
the cheapest fleet is solved exactly (`aws_auto.ml.scaling.fleet`). Around that solution stand three guards: the fleet
never falls below what the present load needs while it lasts, it does not shrink before the lower need has stood for a
while, and it shrinks by at most a share at a time.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np

from aws_auto.errors import UsageError
from aws_auto.ml.scaling.fleet import Offer, Terms, optimise
from aws_auto.results import Interval

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Counts = NDArray[np.int64]

#: Quantiles of the need that a fleet is solved for.
LEVELS = (0.05, 0.2, 0.35, 0.5, 0.65, 0.8, 0.9, 0.95, 0.975, 0.99)


@dataclass(frozen=True, kw_only=True)
class Constraints:
    """What a plan must keep to.

    Attributes:
        least: instances at least.
        most: instances at most; None for no bound.
        slo: share of hours in which the fleet may be short.
        boot: from the start of an instance until it serves.
        hold: how long a lower need must stand before the fleet shrinks.
        shrink: share of the fleet that may go in one hour.
        spot_share: share of the capacity that may be on spot.
        budget: USD an hour; a plan above it says by how much, and keeps the promise; None for no bound.
        offers: what can be had, its ``capacity`` in units of one present instance; empty for the present type.
    """

    least: int = 1
    most: int | None = None
    slo: float = 0.05
    boot: timedelta = timedelta(minutes=5)
    hold: timedelta = timedelta(hours=1)
    shrink: float = 0.5
    spot_share: float = 1.0
    budget: float | None = None
    offers: tuple[Offer, ...] = ()

    def __post_init__(self) -> None:
        if self.least < 0 or (self.most is not None and self.most < max(self.least, 1)):
            raise UsageError(f"{self.least} to {self.most} instances is no range", where="constraints")
        if not 0 < self.slo < 1 or not 0 < self.shrink <= 1 or not 0 <= self.spot_share <= 1:
            raise UsageError("slo, shrink and spot share are shares between 0 and 1", where="constraints")


@dataclass(frozen=True, kw_only=True)
class Step:
    """One hour of the plan.

    Attributes:
        start: of the hour.
        launch: when instances must be started to serve from ``start`` on.
        demand: requests a second: 80 % interval and, as its middle, ``expected``.
        expected: the middle of the demand.
        need: present instances needed: 80 % interval.
        instances: by pool, such as ``m6i.large on-demand``.
        total: instances in all.
        capacity: the same in present instances.
        short: probability that the fleet is too small in the worst moment of the hour.
        usd: price of the hour; None where a price is unknown.
    """

    start: datetime
    launch: datetime
    demand: Interval
    expected: float
    need: Interval
    instances: Mapping[str, int]
    total: int
    capacity: float
    short: float
    usd: float | None


@dataclass(frozen=True, kw_only=True)
class CapacityPlan:
    """The plan of one workload.

    Attributes:
        resource: the fleet.
        now: instances that run, by pool.
        reactive: present instances that the newest load needs.
        steps: hour by hour.
        most: instances that automatic scaling may go up to.
        usd_now: price of an hour as it is; None where unknown.
        need: quantiles of present instances needed at `LEVELS`, ``(steps, levels)``.
        demand: quantiles of requests a second at `LEVELS`, ``(steps, levels)``.
        notes: what a reader must know.
    """

    resource: str
    now: Mapping[str, int]
    reactive: float
    steps: tuple[Step, ...]
    most: int
    usd_now: float | None
    need: Floats = field(repr=False, compare=False)
    demand: Floats = field(repr=False, compare=False)
    notes: tuple[str, ...] = ()

    @property
    def resources(self) -> dict[str, dict[str, int]]:
        """By pool: the fewest and the most instances of the plan, and those of its first hour."""
        pools = sorted({*self.now, *(pool for step in self.steps for pool in step.instances)})
        return {
            pool: {
                "min": min(step.instances.get(pool, 0) for step in self.steps),
                "max": max(step.instances.get(pool, 0) for step in self.steps),
                "now": self.now.get(pool, 0),
                "next": self.steps[0].instances.get(pool, 0),
            }
            for pool in pools
        }

    @property
    def usd(self) -> float | None:
        """Price of all hours; None where a price is unknown."""
        prices = [step.usd for step in self.steps]
        return None if None in prices else float(sum(p for p in prices if p is not None))

    @property
    def usd_difference(self) -> float | None:
        """Price of all hours, less that of the fleet as it is; None where a price is unknown."""
        if self.usd is None or self.usd_now is None:
            return None
        return self.usd - self.usd_now * len(self.steps)


def plan_fleet(  # noqa: PLR0913 - one call, every argument named
    resource: str,
    *,
    starts: Sequence[datetime],
    demand: Floats,
    need: Floats,
    reactive: float,
    running: Mapping[tuple[str, str], int],
    constraints: Constraints,
    offers: Sequence[Offer],
    notes: Sequence[str] = (),
) -> CapacityPlan:
    """The cheapest fleet that keeps to the constraints, hour by hour.

    Args:
        resource: the fleet.
        starts: of the hours.
        demand: quantiles at `LEVELS`, ``(steps, levels)``.
        need: the same of present instances needed.
        reactive: present instances that the newest load needs.
        running: instances by name and purchase.
        constraints: see `Constraints`.
        offers: pools, ``capacity`` in present instances; a price of NaN is unknown.
        notes: added to those of the plan.

    Raises:
        UsageError: no fleet keeps to the constraints.
    """
    said = list(notes)
    priced = all(math.isfinite(o.price) for o in offers)
    if not priced and len(offers) > 1:
        raise UsageError("types can only be chosen among when each has a price", where=resource, hint="give the prices")
    pools = [o if priced else replace(o, price=1.0) for o in offers]
    had = np.array([running.get((o.name, o.purchase), 0) for o in offers], dtype=np.int64)
    solved = optimise(
        _wanted(need, reactive, pools, constraints, said), LEVELS, pools, _terms(constraints), running=running
    )
    size, price = np.array([o.capacity for o in offers]), np.array([o.price for o in offers])
    counts = guarded(solved.counts, had, size, constraints)
    _judge_budget(counts @ price, constraints, said)
    capacity = counts @ size
    each: dict[tuple[str, str], float] = {(o.name, o.purchase): o.price for o in offers}
    usd_now = math.fsum(many * each.get(pool, math.nan) for pool, many in running.items())
    steps = tuple(
        Step(
            start=start,
            launch=start - constraints.boot,
            demand=_shown(demand[s]),
            expected=float(demand[s, LEVELS.index(0.5)]),
            need=_shown(need[s]),
            instances={pool_name(o): int(c) for o, c in zip(offers, counts[s], strict=True) if c},
            total=int(counts[s].sum()),
            capacity=float(capacity[s]),
            short=exceeding(need[s], float(capacity[s])),
            usd=float(counts[s] @ price) if priced else None,
        )
        for s, start in enumerate(starts)
    )
    largest = max(o.capacity for o in offers)
    top = int(max(math.ceil(need[:, -1].max() / largest), counts.sum(axis=1).max(), constraints.least, 1))
    return CapacityPlan(
        resource=resource,
        now={f"{name} {how}": many for (name, how), many in running.items()},
        reactive=reactive,
        steps=steps,
        most=top if constraints.most is None else min(constraints.most, top),
        usd_now=usd_now if math.isfinite(usd_now) else None,
        need=need,
        demand=demand,
        notes=tuple(said),
    )


def exceeding(quantiles: Floats, value: float) -> float:
    """Probability that what these quantiles at `LEVELS` describe lies above ``value``; between 0.5 and 99.5 %."""
    if value >= quantiles[-1]:
        return (1 - LEVELS[-1]) / 2
    if value < quantiles[0]:
        return 1 - LEVELS[0] / 2
    return float(1 - np.interp(value, quantiles, LEVELS))


def mixed(demand_need: Floats, excess: Floats, levels: Sequence[float]) -> Floats:
    """Quantiles at `LEVELS` of the need, where demand and what it asks for are both uncertain and independent.

    Args:
        demand_need: proportional instances at the demand's quantiles (at `LEVELS`), ``(steps, LEVELS)``.
        excess: quantiles at ``levels`` of the log of need over proportional, ``(steps, LEVELS, levels)``.
        levels: of the last axis.
    """
    fine = np.linspace(0.01, 0.99, 50)
    out = np.empty_like(demand_need)
    for s in range(len(out)):
        points = [np.interp(fine, LEVELS, demand_need[s])[:, None]]
        each = np.stack([np.interp(fine, levels, e) for e in excess[s]])
        # Between two quantiles of demand the answer to the nearer one stands.
        nearest = np.abs(fine[:, None] - np.array(LEVELS)).argmin(axis=1)
        points.append(np.exp(each[nearest]))
        out[s] = np.quantile(points[0] * points[1], LEVELS)
    return out


def guarded(counts: Counts, had: Counts, size: Floats, constraints: Constraints) -> Counts:
    """Scale-in later and slower than the need falls; scale-out is never held back.

    An hour keeps the most capacity that the hours of ``hold`` before it had, and at least what ``shrink`` leaves of the
    hour before; what is missing to that stays as it was. A bound on the fleet goes before both.

    Args:
        counts: instances that are wanted, ``(steps, pools)``.
        had: those that run, ``(pools,)``.
        size: what one instance of each pool carries, ``(pools,)``.
        constraints: see `Constraints`.
    """
    hold = math.ceil(constraints.hold / timedelta(hours=1))
    wanted = np.vstack([np.tile(had, (hold, 1)), counts]) @ size
    out = counts.copy()
    for s in range(len(counts)):
        before = out[s - 1] if s else had
        left = np.ceil(before * (1 - constraints.shrink)) @ size
        missing = max(wanted[s : s + hold + 1].max(), left) - counts[s] @ size
        for pool in np.flatnonzero(before > counts[s]):
            kept = min(int(before[pool] - counts[s, pool]), math.ceil(max(missing, 0.0) / size[pool] - 1e-9))
            out[s, pool] += kept
            missing -= kept * size[pool]
        if constraints.most is not None and out[s].sum() > constraints.most:
            out[s] = counts[s]
    return out


def pool_name(offer: Offer) -> str:
    """Such as ``m6i.large on-demand``."""
    return f"{offer.name} {offer.purchase}"


def _terms(constraints: Constraints) -> Terms:
    return Terms(
        slo=constraints.slo,
        boot_hours=constraints.boot / timedelta(hours=1),
        least=constraints.least,
        most=constraints.most,
        spot_share=constraints.spot_share,
    )


def _wanted(need: Floats, reactive: float, pools: Sequence[Offer], constraints: Constraints, said: list[str]) -> Floats:
    """The need that the fleet is solved for: in the first hour at least the present one, and within the bound."""
    wanted = need.copy()
    # What serves now must not be taken away while its load lasts: the forecast may be wrong about the present.
    wanted[0] = np.maximum(wanted[0], reactive)
    if constraints.most is None:
        return wanted
    ceiling = constraints.most * max(o.capacity for o in pools)
    promised = np.array([np.interp(1 - constraints.slo, LEVELS, row) for row in wanted])
    if hours := int((promised > ceiling).sum()):
        said.append(
            f"the bound of {constraints.most} instances is too low for the promise in {hours} of {len(need)} hours"
        )
    return np.minimum(wanted, ceiling)


def _judge_budget(usd: Floats, constraints: Constraints, said: list[str]) -> None:
    budget = constraints.budget
    if budget is None or not np.isfinite(usd).all():
        return
    if hours := int((usd > budget + 1e-9).sum()):
        said.append(
            f"the budget of {budget:g} USD an hour does not pay for the promise in {hours} of {len(usd)} hours:"
            f" up to {float(usd.max()):.2f} USD an hour are needed"
        )


def _shown(quantiles: Floats) -> Interval:
    low, high = np.interp((0.1, 0.9), LEVELS, quantiles)
    return Interval(float(low), float(high), 0.8)
