"""What smaller sizes would have saved and throttled on a user's own past: ours, a fixed rule, and who knows the future.

Every fortnight of the past is decided on as the advice would have been on its first day, with nothing but what was
known then, and judged on the fortnight that followed. The fixed rule is our reading of what AWS Compute Optimizer
documents as its defaults (99.5 % quantile, 20 % headroom), not its output. All three choose from the same sizes, which
leave the measured memory free and are never larger than the present one. Money is at list price for the hours that a
machine ran.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from aws_auto.frame import RESOURCE, TIMESTAMP
from aws_auto.ml.cost.price_book import SHIPPED
from aws_auto.ml.cost.rightsizing import CPU, HISTORY, RISK, SEEN, Machine, Machines, sizings
from aws_auto.ml.cost.rightsizing_model import MOST_ABOVE, Rule, peak_need
from aws_auto.results import Interval

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from aws_auto.ml.cost.price_book import Book
    from aws_auto.ml.cost.rightsizing_model import Array

#: A fortnight to decide from, one to learn from what came of earlier decisions, one to judge by.
LEAST = 3 * HISTORY
COMPUTE_OPTIMIZER = Rule(0.995, 0.2)
OURS, RULE, CLAIRVOYANT = "ours", "Compute-Optimizer-like rule", "clairvoyant"
_MOST_FOLDS = 12
_BOOTSTRAPS, _LEVEL = 400, 0.95
_TINY = 1e-9


@dataclass(frozen=True, kw_only=True)
class SizeReplay:
    """What one way of choosing sizes did.

    Attributes:
        saved_usd: at list price, over all judged fortnights.
        saving: share of the list price of the judged hours.
        throttled: share of decisions after which the CPU was above the new size in more than 0.5 % of the hours.
        unmet_cpu_hours: vCPU hours of demand above the chosen sizes.
        interval_saving: of ``saving``, over machines.
        interval_throttled: of ``throttled``, over machines.
    """

    method: str
    saved_usd: float
    saving: float
    throttled: float
    unmet_cpu_hours: float
    interval_saving: Interval
    interval_throttled: Interval


@dataclass(frozen=True, kw_only=True)
class SizesReplayed:
    """All three ways on the same decisions, and ours less the rule with its interval; else ``why`` there is none."""

    methods: tuple[SizeReplay, ...]
    decisions: int
    machines: int
    first: datetime | None
    last: datetime | None
    saving_difference: Interval | None
    throttled_difference: Interval | None
    why: str = ""


@dataclass(frozen=True, eq=False)
class _Judged:
    """One decision: usd of the judged hours at the present size, and of each way saved usd, throttled, unmet hours."""

    machine: str
    usd: float
    ways: Mapping[str, tuple[float, bool, float]]


def replay_sizes(
    metrics: pl.DataFrame,
    types: Mapping[str, tuple[str, str | None]],
    *,
    seed: int,
    risk: float = RISK,
    book: Book = SHIPPED,
) -> SizesReplayed:
    """Replay every fortnight that has two fortnights before it.

    Args:
        metrics: the table of a `aws_auto.frame.MetricFrame`.
        types: instance type and region by resource id.
        seed: of the forests and the bootstrap.
        risk: the probability of trouble that may be taken.
        book: what prices are known.
    """
    column = next((name for name in CPU if name in metrics.columns), None)
    rows = metrics.filter(pl.col(RESOURCE).is_in(list(types)))
    if column is None or rows.is_empty():
        return _nothing("no CPU maximum of a machine on the bill is known")
    rows = rows.filter(pl.col(column).is_not_null())
    if rows.is_empty():
        return _nothing("no CPU maximum of a machine on the bill is known")
    first: datetime = rows[TIMESTAMP].min()  # type: ignore[assignment]
    last: datetime = rows[TIMESTAMP].max()  # type: ignore[assignment]
    days = (last - first) / timedelta(days=1)
    if days < LEAST.days - 1:
        return _nothing(f"{days:.0f} days of CPU maximum are known; {LEAST.days} are needed")
    judged: list[_Judged] = []
    moments = [
        last - k * HISTORY for k in range(1, _MOST_FOLDS + 1) if last - k * HISTORY - first >= 2 * HISTORY * SEEN
    ]
    for moment in moments:
        for region in sorted({place or "" for _, place in types.values()}):
            here = {name: kind for name, (kind, place) in types.items() if (place or "") == region}
            judged += _decided(rows, column, here, region or None, moment, seed=seed, risk=risk, book=book)
    if not judged:
        return _nothing("no machine has its history, a price and a smaller size at any of these moments")
    return _summed(judged, moments, seed)


def _decided(
    rows: pl.DataFrame,
    column: str,
    types: Mapping[str, str],
    region: str | None,
    moment: datetime,
    *,
    seed: int,
    risk: float,
    book: Book,
) -> list[_Judged]:
    """Every machine that could be decided on at that moment, with what came."""
    before = rows.filter(pl.col(TIMESTAMP) <= moment)
    found = sizings(before, types, region=region, seed=seed, risk=risk, book=book)
    if found.learned_from == 0:
        return []
    chosen = {one.resource_id: one.to for one in found.items}
    after = rows.filter(pl.col(TIMESTAMP) > moment, pl.col(TIMESTAMP) <= moment + HISTORY)
    hour = pl.col(TIMESTAMP).dt.truncate("1h")
    hours = after.group_by(RESOURCE, hour).agg(pl.col(column).max().alias("cpu"))
    futures = {str(name): part["cpu"].to_numpy() / 100.0 for (name,), part in hours.group_by(RESOURCE)}
    least = SEEN * (HISTORY / timedelta(hours=1))
    return [
        _judge(one, futures[one.resource], chosen.get(one.resource, one.now.instance_type))
        for one in Machines(before, column, types, region, book).machines()
        if len(futures.get(one.resource, ())) >= least
    ]


def _judge(one: Machine, future: Array, ours: str) -> _Judged:
    """What each way chose, and what it would have come to."""
    past = one.cpu[-int(HISTORY / timedelta(hours=1)) :]
    picks = {
        OURS: next(place for place, price in enumerate(one.ladder) if price.instance_type == ours),
        RULE: _cheapest(one, COMPUTE_OPTIMIZER.need(past)),
        CLAIRVOYANT: _cheapest(one, peak_need(future)),
    }
    ways = {}
    for name, place in picks.items():
        above = np.maximum(future - one.shares[place], 0.0)
        saved = (one.now.usd_per_hour - one.ladder[place].usd_per_hour) * len(future)
        throttled = bool((above > _TINY).mean() > MOST_ABOVE)
        ways[name] = (saved, throttled, float(above.sum()) * (one.now.vcpu or 0))
    return _Judged(one.resource, one.now.usd_per_hour * len(future), ways)


def _cheapest(one: Machine, need: float) -> int:
    """The cheapest size with that capacity; the present one where none has it."""
    enough = [
        (price.usd_per_hour, place)
        for place, (price, share) in enumerate(zip(one.ladder, one.shares, strict=True))
        if share >= need - _TINY
    ]
    return min(enough)[1] if enough else one.ladder.index(one.now)


def _summed(judged: Sequence[_Judged], moments: Sequence[datetime], seed: int) -> SizesReplayed:
    machines = sorted({one.machine for one in judged})
    groups = [np.flatnonzero([one.machine == name for one in judged]) for name in machines]
    usd = np.array([one.usd for one in judged])
    saved = {way: np.array([one.ways[way][0] for one in judged]) for way in judged[0].ways}
    hit = {way: np.array([one.ways[way][1] for one in judged], float) for way in judged[0].ways}
    rng = np.random.default_rng(seed)
    drawn = [np.concatenate([groups[k] for k in rng.integers(0, len(groups), len(groups))]) for _ in range(_BOOTSTRAPS)]

    def interval(of: Callable[[Array], float]) -> Interval:
        low, high = np.quantile([of(rows) for rows in drawn], [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2])
        return Interval(float(low), float(high), _LEVEL)

    methods = tuple(
        SizeReplay(
            method=way,
            saved_usd=float(saved[way].sum()),
            saving=float(saved[way].sum() / usd.sum()),
            throttled=float(hit[way].mean()),
            unmet_cpu_hours=sum(one.ways[way][2] for one in judged),
            interval_saving=interval(lambda rows, way=way: float(saved[way][rows].sum() / usd[rows].sum())),  # type: ignore[misc]
            interval_throttled=interval(lambda rows, way=way: float(hit[way][rows].mean())),  # type: ignore[misc]
        )
        for way in saved
    )
    return SizesReplayed(
        methods=methods,
        decisions=len(judged),
        machines=len(machines),
        first=min(moments),
        last=max(moments) + HISTORY,
        saving_difference=interval(lambda rows: float((saved[OURS] - saved[RULE])[rows].sum() / usd[rows].sum())),
        throttled_difference=interval(lambda rows: float((hit[OURS] - hit[RULE])[rows].mean())),
    )


def _nothing(why: str) -> SizesReplayed:
    nothing = {"saving_difference": None, "throttled_difference": None, "first": None, "last": None}
    return SizesReplayed(methods=(), decisions=0, machines=0, why=why, **nothing)
