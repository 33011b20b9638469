"""Machines with an hourly history of CPU, the sizes that they could have, and past decisions to learn from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from aws_auto.frame import RESOURCE, TIMESTAMP
from aws_auto.ml.cost import prices
from aws_auto.ml.cost.rightsizing import CPU, MEMORY, MEMORY_HEADROOM
from aws_auto.ml.cost.rightsizing_model import LOOK_BACK, Windows, earlier

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from aws_auto.ml.cost.prices import Price

    Array = NDArray[np.float64]

DAY = 24
#: Hours that a decision looks back, and ahead.
HOURS = 14 * DAY
#: Hours before a decision that are seen where they are known.
SEEN_HOURS = LOOK_BACK * HOURS
SEEN = 0.9
TYPE, REGION, KIND = "instance_type", "region", "resource_type"
#: One machine each; what a group or a managed service runs on is sized elsewhere.
_KINDS = ("ec2",)


@dataclass(frozen=True, eq=False)
class Machine:
    """One machine.

    Attributes:
        name: its resource id.
        now: what it is.
        first: its first hour, in hours since 1970.
        cpu: the highest CPU of each hour in shares of its capacity, without a gap; nan is unknown.
        memory: the same of memory; None where it is not measured.
    """

    name: str
    now: Price
    first: int
    cpu: Array
    memory: Array | None

    def past(self, hour: int) -> Array | None:
        """Up to eight weeks before that hour; None where too little of the last fortnight is known."""
        end = hour - self.first
        return None if _known(self.cpu, end - HOURS) is None else self.cpu[max(end - SEEN_HOURS, 0) : end]

    def future(self, hour: int) -> Array | None:
        """The fortnight from that hour on; None where too little of it is known."""
        return _known(self.cpu, hour - self.first)

    def ladder(self, hour: int) -> tuple[Price, ...]:
        """Sizes of its family up to the present one, smallest first, that hold the memory of the fortnight before.

        Memory that is not measured is not reduced, so that only the present size is left.
        """
        used = None if self.memory is None else _known(self.memory, hour - HOURS - self.first)
        have = self.now.memory_gib or 0.0
        least = have if used is None else min(have, have * float(np.nanmax(used)) / (1.0 - MEMORY_HEADROOM))
        return tuple(one for one in _smaller(self.now) if (one.memory_gib or 0.0) >= least or one == self.now)

    def shares(self, ladder: Sequence[Price]) -> list[float]:
        """Capacities in shares of the present one."""
        return [(one.vcpu or 0) / (self.now.vcpu or 1) for one in ladder]


@dataclass(frozen=True, eq=False)
class Decisions:
    """Moments at which sizes were chosen: what was known, what came, and the sizes that there were.

    Attributes:
        windows: as `aws_auto.ml.cost.rightsizing_model.learn` wants them.
        ladders: in shares of the present size.
    """

    windows: Windows
    ladders: tuple[tuple[float, ...], ...]

    def __len__(self) -> int:
        """How many."""
        return len(self.windows)


def machines(rows: pl.DataFrame) -> tuple[tuple[Machine, ...], Mapping[str, str]]:
    """Every machine that can be judged, and why the others cannot, by resource id.

    Args:
        rows: the table of a `aws_auto.frame.MetricFrame`, with `TYPE` and one of
            `aws_auto.ml.cost.rightsizing.CPU`.
    """
    column = next((name for name in CPU if name in rows.columns), None)
    if column is None or TYPE not in rows.columns:
        missing = "instance_type" if column else "cpu_utilization_max: its average hides its peaks"
        return (), dict.fromkeys(rows[RESOURCE].unique().sort(), f"needs {missing}")
    memory = next((name for name in MEMORY if name in rows.columns), None)
    values = [pl.col(column).max().alias("cpu"), pl.col(TYPE).drop_nulls().last()]
    values += [pl.col(name).drop_nulls().last() for name in (REGION, KIND) if name in rows.columns]
    values += [pl.col(memory).max().alias("memory")] if memory else []
    hour = (pl.col(TIMESTAMP).dt.epoch("s") // 3600).cast(pl.Int64).alias("hour")
    by_hour = rows.group_by(RESOURCE, hour).agg(values).sort(RESOURCE, "hour")
    found, reasons = [], {}
    for (name,), part in by_hour.group_by(RESOURCE, maintain_order=True):
        one = _machine(str(name), part)
        if isinstance(one, Machine):
            found.append(one)
        else:
            reasons[str(name)] = one
    return tuple(found), reasons


def taught(found: Sequence[Machine], *, until: int | None = None) -> Decisions:
    """Decisions all along the past of these machines whose futures had ended by that hour (since 1970)."""
    by_name = {one.name: one for one in found}
    series = {one.name: one.cpu if until is None else one.cpu[: max(until - one.first, 0)] for one in found}
    windows, names = earlier(series, history=HOURS, horizon=HOURS, per_day=DAY)
    return Decisions(windows, tuple(_capacities(by_name[name]) for name in names))


def newest(found: Sequence[Machine], *, since: int | None = None) -> tuple[Decisions, int]:
    """The newest decision of each machine whose future is over, and the hour of the earliest of them.

    Args:
        found: the machines.
        since: decisions before that hour (since 1970) are left out.
    """
    kept = []
    for one in found:
        hour = one.first + len(one.cpu) - HOURS
        before, after = one.past(hour), one.future(hour)
        if before is not None and after is not None and (since is None or hour >= since):
            kept.append((one, before, after, hour))
    windows = Windows(
        tuple(one.name for one, *_ in kept),
        tuple(before for _, before, _, _ in kept),
        tuple(after for _, _, after, _ in kept),
        DAY,
        history=HOURS,
    )
    return Decisions(windows, tuple(_capacities(one) for one, *_ in kept)), min((k[3] for k in kept), default=0)


def _capacities(one: Machine) -> tuple[float, ...]:
    return tuple(one.shares(_smaller(one.now)))


def _machine(name: str, part: pl.DataFrame) -> Machine | str:
    kinds = part[KIND].drop_nulls().to_list() if KIND in part.columns else []
    if len(kinds) and kinds[-1] not in _KINDS:
        return f"a {kinds[-1]} is no single machine"
    known = part[TYPE].drop_nulls()
    if not len(known):
        return "its instance type is not known"
    if known.n_unique() > 1:
        return "it changed its instance type: metrics from before do not tell of the present one"
    regions = part[REGION].drop_nulls().to_list() if REGION in part.columns else []
    now = prices.lookup(known[-1], regions[-1] if len(regions) else None)
    if now is None:
        return f"no price of {known[-1]} in {regions[-1] if len(regions) else 'an unknown region'} is known"
    if now.burstable or now.gpus or not now.vcpu or not now.memory_gib:
        return f"CPU alone does not say how busy a {known[-1]} is"
    hour = part["hour"].to_numpy()

    def grid(column: str) -> Array:
        whole = np.full(int(hour[-1] - hour[0]) + 1, np.nan)
        whole[hour - hour[0]] = part[column].cast(pl.Float64).fill_null(np.nan).to_numpy() / 100.0
        return whole

    measured = "memory" in part.columns and part["memory"].count() > 0
    return Machine(name, now, int(hour[0]), grid("cpu"), grid("memory") if measured else None)


def _known(values: Array, start: int) -> Array | None:
    if start < 0 or start + HOURS > len(values):
        return None
    part = values[start : start + HOURS]
    return part if np.isfinite(part).sum() >= SEEN * HOURS else None


def _smaller(now: Price) -> tuple[Price, ...]:
    sizes = [
        one
        for one in prices.table().values()
        if one.family == now.family
        and "metal" not in one.instance_type
        and one.vcpu
        and one.vcpu <= (now.vcpu or 0)
        and (one.usd_per_hour < now.usd_per_hour or one == now)
    ]
    return tuple(sorted(sizes, key=lambda one: (one.vcpu or 0, one.usd_per_hour)))
