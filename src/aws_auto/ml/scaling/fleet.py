"""How many instances of which type, and how many of them on spot: one exact optimisation, not a rule of thumb.

A newsvendor over time. Demand is known as quantiles; every quantile is a scenario. Each offer is a pool of equal
instances: a type, bought on demand or on spot. Cost is the hours of what runs, the hours that a start takes to boot,
and what is short at a price; or, instead of that price, a share of the time in which something may be short at all. A
spot pool is reclaimed as a whole, independently of other pools: the pessimistic reading, and the one that makes
spreading over pools pay. The mixed integer program is solved to optimality by HiGHS (`scipy.optimize.milp`).
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from aws_auto.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Counts = NDArray[np.int64]

#: Pools that may be reclaimed; each doubles the scenarios.
MOST_SPOT_POOLS = 4
#: Demand below what is there by less than this share is rounding.
ROUNDING = 1e-7


@dataclass(frozen=True, kw_only=True)
class Offer:
    """A pool of equal instances that can be had.

    Attributes:
        name: such as ``m7i.large``; with ``purchase`` it names the pool.
        capacity: load that one ready instance carries, in the unit of the demand.
        price: USD an hour of one instance. A spot price is what the user says: none is known here.
        purchase: how it is bought.
        reclaim: probability that the pool is gone while a step lasts, 0 for on-demand.
        most: instances of it at most, None for no bound.
    """

    name: str
    capacity: float
    price: float
    purchase: Literal["on-demand", "spot"] = "on-demand"
    reclaim: float = 0.0
    most: int | None = None


@dataclass(frozen=True, kw_only=True)
class Terms:
    """How time passes, what the fleet must keep to, and what being short means.

    Exactly one of ``shortage_price`` and ``slo`` is given.

    Attributes:
        shortage_price: USD for one unit of load unserved during one hour.
        slo: in each step, the probability that something is short is at most this.
        step_hours: length of a step.
        boot_hours: how long an instance is billed before it is ready.
        least: instances in all, at least.
        most: instances in all, at most; None for no bound.
        spot_share: share of the capacity that may be on spot at most, 0 to 1.
    """

    shortage_price: float | None = None
    slo: float | None = None
    step_hours: float = 1.0
    boot_hours: float = 0.0
    least: int = 1
    most: int | None = None
    spot_share: float = 1.0


@dataclass(frozen=True, kw_only=True)
class FleetPlan:
    """Instances by step and offer, and what they are expected to cost.

    Attributes:
        offers: the pools, in the order of the columns of ``counts``.
        counts: ``(steps, offers)``.
        cost: USD for what runs and boots over all steps.
        short: load x hours expected to be unserved over all steps.
        risk: by step, the probability that something is short.
        gap: relative gap to a proven optimum, 0 when it is proven.
    """

    offers: tuple[Offer, ...]
    counts: Counts = field(repr=False)
    cost: float
    short: float
    risk: tuple[float, ...]
    gap: float

    @property
    def spot_share(self) -> float:
        """Share of the capacity that is on spot, over all steps."""
        carried = self.counts.sum(axis=0) * np.array([o.capacity for o in self.offers])
        spot = np.array([o.purchase == "spot" for o in self.offers])
        return float(carried[spot].sum() / carried.sum()) if carried.sum() else 0.0


def optimise(
    demand: Floats,
    levels: Sequence[float],
    offers: Sequence[Offer],
    terms: Terms,
    *,
    running: Mapping[tuple[str, str], int] | None = None,
    seconds: float = 30.0,
) -> FleetPlan:
    """The cheapest fleet for the next steps.

    Args:
        demand: ``(steps, levels)``: quantiles of the load in each step, ascending.
        levels: their levels, ascending, between 0 and 1.
        offers: pools to choose from.
        terms: see `Terms`.
        running: instances that are there before the first step, by name and purchase.
        seconds: time after which the best fleet so far is taken, with its ``gap``; a price takes milliseconds, a
            promise over many steps and pools may take longer.

    Raises:
        UsageError: the arguments contradict each other, or no fleet fulfils them.
    """
    demand = np.atleast_2d(np.asarray(demand, dtype=np.float64))
    _check(demand, levels, offers, terms)
    worlds = _worlds(demand, levels, offers)
    program = _Program(demand.shape[0], offers, worlds, terms)
    program.friction(running or {})
    program.bounds()
    if terms.shortage_price is not None:
        program.shortage(terms.shortage_price * terms.step_hours)
    else:
        program.promise(terms.slo or 0.0)
    counts, gap = program.solve(seconds)
    return _plan(counts, gap, offers, worlds, terms, running or {})


@dataclass(frozen=True)
class _Worlds:
    """Everything that may happen in a step: each set of reclaimed pools with each of the ``levels`` of demand.

    ``demand (steps, worlds)``, ``there (worlds, offers)``, ``weight (worlds,)``; levels run fastest.
    """

    demand: Floats
    there: Floats
    weight: Floats
    levels: int


def weights(levels: Sequence[float]) -> Floats:
    """The share of the future that each quantile stands for: half way to those below and above it."""
    edges = np.concatenate([[0.0], (np.asarray(levels)[1:] + np.asarray(levels)[:-1]) / 2, [1.0]])
    return np.diff(edges)


def _worlds(demand: Floats, levels: Sequence[float], offers: Sequence[Offer]) -> _Worlds:
    spot = [i for i, offer in enumerate(offers) if offer.reclaim > 0]
    quantile, there, weight = [], [], []
    for gone in itertools.product((False, True), repeat=len(spot)):
        chance = math.prod(offers[i].reclaim if g else 1 - offers[i].reclaim for i, g in zip(spot, gone, strict=True))
        if chance <= 0:
            continue
        left = np.ones(len(offers))
        left[[i for i, g in zip(spot, gone, strict=True) if g]] = 0.0
        for k, share in enumerate(weights(levels)):
            quantile.append(k)
            there.append(left)
            weight.append(chance * share)
    return _Worlds(demand[:, quantile], np.array(there), np.array(weight), len(levels))


class _Program:
    """The mixed integer program: variables are counts and starts by step and offer, then what each mode adds."""

    def __init__(self, steps: int, offers: Sequence[Offer], worlds: _Worlds, terms: Terms) -> None:
        self._steps, self._offers, self._worlds, self._terms = steps, offers, worlds, terms
        self._capacity = np.array([o.capacity for o in offers])
        self._price = np.array([o.price for o in offers])
        self._n = steps * len(offers)
        self._extra = 0
        self._rows: list[tuple[NDArray[np.int64], Floats, float, float]] = []
        self._extra_cost = np.zeros(0)
        self._whole_extra = False

    def _count(self, step: int) -> NDArray[np.int64]:
        return np.arange(step * len(self._offers), (step + 1) * len(self._offers))

    def friction(self, running: Mapping[tuple[str, str], int]) -> None:
        """What is started is at least what is there less what was there."""
        for step, (i, offer) in itertools.product(range(self._steps), enumerate(self._offers)):
            now = step * len(self._offers) + i
            if step:
                self._row([self._n + now, now, now - len(self._offers)], [1.0, -1.0, 1.0], 0.0, np.inf)
            else:
                there = running.get((offer.name, offer.purchase), 0)
                self._row([self._n + now, now], [1.0, -1.0], -float(there), np.inf)

    def bounds(self) -> None:
        """Fleet size and spot share in each step."""
        spot = np.array([o.purchase == "spot" for o in self._offers])
        for step in range(self._steps):
            most = np.inf if self._terms.most is None else float(self._terms.most)
            self._row(self._count(step), np.ones(len(self._offers)), float(self._terms.least), most)
            if spot.any() and self._terms.spot_share < 1:
                share = self._capacity * (spot - self._terms.spot_share)
                self._row(self._count(step), share, -np.inf, 0.0)

    def shortage(self, price: float) -> None:
        """A shortage variable for each step and world: at least the demand less what is there."""
        steps, worlds = self._worlds.demand.shape
        self._extra = steps * worlds
        self._extra_cost = np.tile(self._worlds.weight * price, steps)
        for step, world in itertools.product(range(steps), range(worlds)):
            columns = np.append(self._count(step), 2 * self._n + step * worlds + world)
            carried = np.append(self._capacity * self._worlds.there[world], 1.0)
            self._row(columns, carried, self._worlds.demand[step, world], np.inf)

    def promise(self, slo: float) -> None:
        """A switch for each step and world, on when it may be short; those switched on weigh at most ``slo``.

        The worlds of one set of reclaimed pools are ordered by demand: where one may be short, so may those above it.
        Capacity then is at least the sum of the rises up to the last world that is kept: one row where there were many.
        """
        steps, worlds = self._worlds.demand.shape
        levels = self._worlds.levels
        self._extra, self._whole_extra = steps * worlds, True
        self._extra_cost = np.zeros(self._extra)
        for step in range(steps):
            first = 2 * self._n + step * worlds
            for world in range(0, worlds, levels):
                switches = np.arange(first + world, first + world + levels)
                rises = np.diff(self._worlds.demand[step, world : world + levels], prepend=0.0)
                carried = np.concatenate([self._capacity * self._worlds.there[world], rises])
                self._row(np.append(self._count(step), switches), carried, rises.sum() * (1 - ROUNDING), np.inf)
                for below, above in itertools.pairwise(switches):
                    self._row([above, below], [1.0, -1.0], 0.0, np.inf)
            self._row(np.arange(first, first + worlds), self._worlds.weight, -np.inf, slo + ROUNDING)

    def solve(self, seconds: float) -> tuple[Counts, float]:
        """Counts ``(steps, offers)`` and the gap.

        Raises:
            UsageError: nothing fulfils the constraints.
        """
        from scipy.optimize import Bounds, LinearConstraint, milp

        size = 2 * self._n + self._extra
        once = np.tile(self._price, self._steps)
        cost = np.concatenate([once * self._terms.step_hours, once * self._terms.boot_hours, self._extra_cost])
        most = np.tile([np.inf if o.most is None else float(o.most) for o in self._offers], self._steps)
        extra_most = np.full(self._extra, 1.0 if self._whole_extra else np.inf)
        upper = np.concatenate([most, np.full(self._n, np.inf), extra_most])
        whole = np.concatenate([np.ones(self._n), np.zeros(self._n), np.full(self._extra, float(self._whole_extra))])
        low = np.array([row[2] for row in self._rows])
        high = np.array([row[3] for row in self._rows])
        found = milp(
            cost,
            integrality=whole,
            bounds=Bounds(np.zeros(size), upper),
            constraints=LinearConstraint(self._matrix(size), low, high),
            options={"mip_rel_gap": 0.0, "time_limit": seconds},
        )
        if found.x is None:
            raise UsageError(
                "no fleet of these offers fulfils the bounds",
                where="fleet",
                hint="allow more instances, another type, more spot, or a higher share of short steps",
            )
        counts = np.rint(found.x[: self._n]).astype(np.int64).reshape(self._steps, -1)
        return counts, float(found.mip_gap or 0.0)

    def _matrix(self, size: int) -> Any:  # noqa: ANN401 - a scipy sparse matrix
        from scipy.sparse import csr_array

        lengths = [len(columns) for columns, *_ in self._rows]
        columns = np.concatenate([row[0] for row in self._rows])
        values = np.concatenate([row[1] for row in self._rows])
        starts = np.concatenate([[0], np.cumsum(lengths)])
        return csr_array((values, columns, starts), shape=(len(self._rows), size))

    def _row(self, columns: Sequence[int] | Counts, values: Sequence[float] | Floats, low: float, high: float) -> None:
        self._rows.append((np.asarray(columns, np.int64), np.asarray(values, np.float64), low, high))


def _plan(
    counts: Counts,
    gap: float,
    offers: Sequence[Offer],
    worlds: _Worlds,
    terms: Terms,
    running: Mapping[tuple[str, str], int],
) -> FleetPlan:
    price = np.array([o.price for o in offers])
    first = np.array([[running.get((o.name, o.purchase), 0) for o in offers]])
    started = np.maximum(np.diff(np.concatenate([first, counts]), axis=0), 0)
    carried = counts @ (worlds.there * [o.capacity for o in offers]).T
    lack = np.maximum(worlds.demand - carried, 0.0)
    short = lack > ROUNDING * np.maximum(worlds.demand, 1e-300)
    return FleetPlan(
        offers=tuple(offers),
        counts=counts,
        cost=float(((counts * terms.step_hours + started * terms.boot_hours) * price).sum()),
        short=float((lack * worlds.weight).sum() * terms.step_hours),
        risk=tuple(float(r) for r in (short * worlds.weight).sum(axis=1)),
        gap=gap,
    )


def _check(demand: Floats, levels: Sequence[float], offers: Sequence[Offer], terms: Terms) -> None:
    if (terms.shortage_price is None) == (terms.slo is None):
        raise UsageError("needs a price of shortage or a share of short steps, one of the two", where="fleet")
    if not offers:
        raise UsageError("there is nothing to choose from", where="fleet", hint="give at least one offer")
    if demand.shape[1] != len(levels) or not np.isfinite(demand).all() or (demand < 0).any():
        raise UsageError("demand must be one finite number, not negative, for each step and level", where="fleet")
    if list(levels) != sorted(levels) or not all(0 < level < 1 for level in levels):
        raise UsageError("levels must ascend between 0 and 1", where="fleet")
    for offer in offers:
        if offer.capacity <= 0 or offer.price < 0 or not 0 <= offer.reclaim <= 1:
            raise UsageError(
                "capacity must be positive, the price not negative, the reclaim probability between 0 and 1",
                where=f"{offer.name} {offer.purchase}",
            )
    if sum(offer.reclaim > 0 for offer in offers) > MOST_SPOT_POOLS:
        raise UsageError(
            f"more than {MOST_SPOT_POOLS} pools that may be reclaimed", where="fleet", hint="leave out the dearest ones"
        )
