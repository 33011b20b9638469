"""Smaller sizes for machines: the cheapest one that CPU and memory leave at no more than a stated risk.

Only the maximum (or a high percentile) of CPU counts: an average hides the peaks that a smaller size would cut. Memory
is a hard constraint; where it is not measured it is never reduced, which within a family of fixed proportion leaves
only the family's siblings with more memory for each virtual CPU.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from aws_auto.frame import RESOURCE, TIMESTAMP
from aws_auto.ml.cost.findings import Abstained, Sizing
from aws_auto.ml.cost.price_book import SHIPPED
from aws_auto.ml.cost.rightsizing_model import LEAST_MACHINES, LOOK_BACK, Fleet, Windows, earlier, learn
from aws_auto.results import Line

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from aws_auto.ml.cost.price_book import Book
    from aws_auto.ml.cost.prices import Price
    from aws_auto.ml.cost.rightsizing_model import Array

#: What is read, best first. All are of one hour or less.
CPU = ("cpu_utilization_max", "cpu_utilization_p99")
MEMORY = ("memory_utilization_max", "memory_utilization_p99")
RISK = 0.05
#: Free memory that stays on the new size: the documented default of AWS Compute Optimizer.
MEMORY_HEADROOM = 0.2
HISTORY = timedelta(days=14)
_HOURS = 14 * 24
SEEN = 0.9


@dataclass(frozen=True)
class Sizings:
    """Smaller sizes, dearest saving first, the machines that nothing is said of, and how many decisions taught."""

    items: tuple[Sizing, ...]
    abstained: tuple[Abstained, ...]
    learned_from: int = 0


def sizings(
    metrics: pl.DataFrame,
    types: Mapping[str, str],
    *,
    region: str | None,
    seed: int,
    risk: float = RISK,
    book: Book = SHIPPED,
) -> Sizings:
    """A smaller size for each machine that has one at that risk.

    Args:
        metrics: the table of a `aws_auto.frame.MetricFrame`.
        types: instance type by resource id; the machines that are asked for.
        region: where they run.
        seed: of the forest.
        risk: the probability of trouble that may be taken, for each machine.
        book: what prices are known.
    """
    column = next((name for name in CPU if name in metrics.columns), None)
    if column is None:
        return Sizings((), tuple(_no_cpu(name, metrics) for name in sorted(types)))
    found = Machines(metrics, column, types, region, book)
    asked = found.machines()
    if not asked:
        return Sizings((), tuple(found.abstained))
    windows, ladders = _past(asked)
    if not len(windows):
        collect = "28 days of cpu_utilization_max: 14 to decide from, 14 to measure how often that goes wrong"
        reason = "no machine has 28 days of history: how often a smaller size fails here cannot be measured yet"
        said = (
            Abstained(what=f"{one.resource} ({one.now.instance_type})", reason=reason, collect=collect) for one in asked
        )
        return Sizings((), (*found.abstained, *said))
    fleet = learn(windows, ladders, risk=risk, seed=seed)
    judged = [_judge(one, fleet, risk) for one in asked]
    items = [one for one in judged if isinstance(one, Sizing)]
    items.sort(key=lambda one: (-one.saving, one.resource_id))
    silent = (*found.abstained, *(one for one in judged if isinstance(one, Abstained)))
    return Sizings(tuple(items), silent, learned_from=len(windows))


@dataclass(frozen=True, eq=False)
class Machine:
    """One machine with enough history: hourly CPU in shares of its capacity, newest last; nan is missing."""

    resource: str
    now: Price
    ladder: tuple[Price, ...]
    cpu: Array
    memory: float | None
    until: datetime

    @property
    def shares(self) -> list[float]:
        """Capacity of each size, in shares of the present one."""
        return [(one.vcpu or 0) / (self.now.vcpu or 1) for one in self.ladder]


class Machines:
    """Which machines can be judged; ``abstained`` says why the others cannot."""

    def __init__(
        self, metrics: pl.DataFrame, column: str, types: Mapping[str, str], region: str | None, book: Book
    ) -> None:
        self.column, self.types, self.region, self.prices = column, types, region, book.types(region)
        self.memory = next((name for name in MEMORY if name in metrics.columns), None)
        kept = metrics.filter(pl.col(RESOURCE).is_in(list(types)))
        values = [pl.col(column).max().alias("cpu")]
        if self.memory:
            values.append(pl.col(self.memory).max().alias("memory"))
        hours = kept.group_by(RESOURCE, pl.col(TIMESTAMP).dt.truncate("1h")).agg(values).sort(RESOURCE, TIMESTAMP)
        self.hours = {str(name): rows for (name,), rows in hours.group_by(RESOURCE, maintain_order=True)}
        self.abstained: list[Abstained] = []

    def machines(self) -> list[Machine]:
        """Those that can be judged, by id."""
        return [one for name in sorted(self.types) if (one := self._one(name)) is not None]

    def _one(self, name: str) -> Machine | None:
        kind = self.types[name]
        now = self.prices.get(kind)
        reason = _unpriced(now, kind, self.region) or _short(self.hours.get(name), self.column)
        if now is None or reason:
            self._abstain(name, reason, "14 days of cpu_utilization_max, and a price of that type in that region")
            return None
        rows = self.hours[name]
        memory = self._memory(rows)
        ladder = _ladder(now, memory, self.prices.values())
        if len(ladder) == 1:
            no_memory = memory is None
            why = "its memory is not measured and must not be reduced, and" if no_memory else "with its memory"
            self._abstain(name, f"{why} no cheaper size is left in its family", ", ".join(MEMORY))
            return None
        return Machine(name, now, ladder, _grid(rows), memory, rows[TIMESTAMP].max())  # type: ignore[arg-type]

    def _memory(self, rows: pl.DataFrame) -> float | None:
        """The highest share of memory in the fortnight; None where it is not measured for nine hours of ten."""
        if self.memory is None:
            return None
        last = rows.filter(pl.col(TIMESTAMP) > pl.col(TIMESTAMP).max() - HISTORY)["memory"].drop_nulls()
        return float(last.max()) / 100.0 if len(last) >= SEEN * _HOURS else None  # type: ignore[arg-type]

    def _abstain(self, name: str, reason: str, collect: str) -> None:
        self.abstained.append(Abstained(what=f"{name} ({self.types[name]})", reason=reason, collect=collect))


def _no_cpu(name: str, metrics: pl.DataFrame) -> Abstained:
    average = "cpu_utilization" in metrics.columns
    reason = "only the average of its CPU is known, which hides its peaks" if average else "its CPU is not known"
    return Abstained(what=name, reason=reason, collect="cpu_utilization_max: the statistic Maximum of CPUUtilization")


def _unpriced(now: Price | None, kind: str, region: str | None) -> str:
    if now is None:
        return (
            f"no price of {kind} in {region or 'an unknown region'} is known (aws-auto ml prices refresh asks for it)"
        )
    if now.burstable:
        return "its CPU is a share with credits: what it may use for how long is not in these metrics"
    if now.gpus or not now.vcpu or not now.memory_gib:
        return "its use of graphics processors is not measured" if now.gpus else f"the size of {kind} is not known"
    return ""


def _short(rows: pl.DataFrame | None, column: str) -> str:
    """Why that history is not enough; empty where it is."""
    if rows is None:
        return "no metric of it is known"
    known = rows.filter(pl.col("cpu").is_not_null())
    last = known.filter(pl.col(TIMESTAMP) > rows[TIMESTAMP].max() - HISTORY)  # type: ignore[operator]
    if len(last) >= SEEN * _HOURS:
        return ""
    return f"{column} is known for {len(last)} of the last {_HOURS} hours; {SEEN:.0%} of 14 days are needed"


def _ladder(now: Price, memory: float | None, known: Iterable[Price]) -> tuple[Price, ...]:
    """Sizes no dearer than the present one that hold its memory, smallest first; of siblings where that is unknown."""
    have = now.memory_gib or 0.0
    least = have if memory is None else min(have, have * memory / (1.0 - MEMORY_HEADROOM))
    families = {now.family} if memory is not None else {now.family, *_siblings(now)}
    sizes = [
        one
        for one in known
        if one.family in families
        and "metal" not in one.instance_type
        and one.vcpu
        and one.vcpu <= (now.vcpu or 0)
        and (one.memory_gib or 0.0) >= least
        and (one.usd_per_hour < now.usd_per_hour or one == now)
    ]
    return tuple(sorted(sizes, key=lambda one: (one.vcpu or 0, one.usd_per_hour)))


def _siblings(now: Price) -> Sequence[str]:
    """``c6i``, ``m6i`` and ``r6i`` have the same processor and differ in memory for each virtual CPU."""
    kind, rest = now.family[:1], now.family[1:]
    return [other + rest for other in "cmr"] if kind in "cmr" else []


def _grid(rows: pl.DataFrame) -> Array:
    """Hours without a gap, up to the last."""
    first, last = rows[TIMESTAMP].min(), rows[TIMESTAMP].max()
    every = pl.DataFrame({TIMESTAMP: pl.datetime_range(first, last, "1h", eager=True)})  # type: ignore[arg-type]
    whole = every.cast({TIMESTAMP: rows.schema[TIMESTAMP]}).join(rows, on=TIMESTAMP, how="left", maintain_order="left")
    return whole["cpu"].cast(pl.Float64).fill_null(np.nan).to_numpy() / 100.0


def _past(machines: Sequence[Machine]) -> tuple[Windows, list[list[float]]]:
    """Decisions of which the fortnight that followed is over."""
    by_name = {one.resource: one for one in machines}
    series = {name: one.cpu for name, one in by_name.items()}
    windows, names = earlier(series, history=_HOURS, horizon=_HOURS, per_day=24)
    return windows, [by_name[name].shares for name in names]


def _judge(one: Machine, fleet: Fleet, risk: float) -> Sizing | Abstained | None:
    """The cheapest size at that risk; None where that is the present one."""
    (troubles,) = fleet.trouble([one.cpu], [one.shares])
    allowed = [
        (price.usd_per_hour, float(trouble), price)
        for price, trouble in zip(one.ladder, troubles, strict=True)
        if trouble <= risk and price != one.now
    ]
    if not allowed:
        least = min(float(trouble) for price, trouble in zip(one.ladder, troubles, strict=True) if price != one.now)
        return Abstained(
            what=f"{one.resource} ({one.now.instance_type})",
            reason=f"even the safest cheaper size is too small in the next fortnight with a probability of {least:.0%}",
            collect="a longer history, if its load has fallen",
        )
    usd, trouble, to = min(allowed, key=lambda item: (item[0], item[1], item[2].instance_type))
    saving = one.now.usd_per_hour - usd
    return Sizing(
        resource_id=one.resource,
        now=one.now.instance_type,
        to=to.instance_type,
        saving=saving,
        saving_share=saving / one.now.usd_per_hour,
        trouble=trouble,
        trouble_from=_measured(fleet),
        memory=_memory(one, to),
        evidence=_daily(one),
    )


def _measured(fleet: Fleet) -> str:
    n = fleet.ruled.n
    if fleet.forest is None:
        why = "" if fleet.ours else f"; under {LEAST_MACHINES} machines no model is learned"
        return f"the rule {fleet.rule} on {n} past decisions of this fleet, {fleet.ruled.violating:.1%} failed{why}"
    return f"a model of {n} past decisions of this fleet, checked on machines that it had not seen"


def _memory(one: Machine, to: Price) -> str:
    if one.memory is None:
        return f"its memory is not measured and is not reduced: {one.now.memory_gib:g} to {to.memory_gib:g} GiB"
    used = one.memory * (one.now.memory_gib or 0.0)
    return f"at most {used:.1f} GiB of memory were used in 14 days; {to.instance_type} has {to.memory_gib:g} GiB"


def _daily(one: Machine) -> Line:
    days = one.cpu[len(one.cpu) % 24 :].reshape(-1, 24)[-14 * LOOK_BACK :]
    kept = [(k, float(np.nanmax(day))) for k, day in enumerate(days) if np.isfinite(day).any()]
    first = one.until - timedelta(hours=24 * len(days) - 1)
    return Line(
        name="highest CPU of a day, % of the present size",
        x=tuple((first + timedelta(days=k)).date() for k, _ in kept),
        y=tuple(100.0 * top for _, top in kept),
    )
