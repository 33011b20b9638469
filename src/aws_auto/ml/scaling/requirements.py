"""From demand to instances to latency: the three models asked one after the other, for every fleet."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from aws_auto.errors import NotEnoughData, UsageError
from aws_auto.frame import RESOURCE, TIMESTAMP
from aws_auto.ml.cost.prices import lookup
from aws_auto.ml.forecast.grid import named
from aws_auto.ml.scaling import capacity
from aws_auto.ml.scaling.fleet import Offer, weights
from aws_auto.ml.scaling.performance import situations, with_latencies
from aws_auto.ml.scaling.timeline import LEVELS, CapacityPlan, Constraints, mixed, plan_fleet
from aws_auto.ml.scaling.workload import workloads
from aws_auto.results import Interval

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from numpy.typing import NDArray

    from aws_auto.ml.recipes.capacity import CapacityAnswers
    from aws_auto.ml.recipes.panel import PanelPredictor
    from aws_auto.ml.recipes.performance import PerformanceAnswers

    Floats = NDArray[np.float64]

#: Moments of the newest hour that the present need is read from.
RECENT = 3
#: Stands for the pool that a fleet consists of now.
PRESENT = ("", "")
COUNTS = ("request_count", "request_count_sum")


@dataclass(frozen=True)
class DemandForecast:
    """Requests a second in the next hours.

    Attributes:
        starts: of the hours, by resource.
        demand: quantiles at `LEVELS`, ``(steps, levels)``, by resource.
        rows: what it was made from.
        notes: which resources could not be forecast, and why.
    """

    starts: Mapping[str, tuple[datetime, ...]]
    demand: Mapping[str, Floats] = field(repr=False)
    rows: pl.DataFrame = field(repr=False)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Expected:
    """Latency and risk of one hour of a plan.

    Attributes:
        start: of the hour.
        p50: milliseconds at the expected demand; None, like the others, where it cannot be said.
        p95: see there.
        p99: see there.
        p95_interval: p95 at the low and the high demand of the 80 % interval.
        objective: milliseconds.
        breach: probability that a moment of this hour breaks the objective, over all demands.
    """

    start: datetime
    p50: float | None
    p95: float | None
    p99: float | None
    p95_interval: Interval | None
    objective: float | None
    breach: float | None


@dataclass(frozen=True)
class CapacityPlans:
    """The plans of all fleets, and why some have none."""

    plans: tuple[CapacityPlan, ...]
    left_out: Mapping[str, str]
    rows: pl.DataFrame = field(repr=False)

    @property
    def resources(self) -> dict[str, dict[str, dict[str, int]]]:
        """Instances by fleet and pool."""
        return {plan.resource: plan.resources for plan in self.plans}


def forecast_demand(model: PanelPredictor, rows: pl.DataFrame, *, horizon: int) -> DemandForecast:
    """Ask the demand forecaster.

    Raises:
        UsageError: the model forecasts something else than requests an hour, or not so far ahead.
        NotEnoughData: no resource can be forecast.
    """
    if model.metric not in COUNTS:
        raise UsageError(
            f"the demand forecaster was trained on {model.metric}, and instances are planned for requests",
            where="demand-forecaster",
            hint="train it on data with request_count",
        )
    if model.hours > 1:
        raise UsageError(
            f"the demand forecaster forecasts {named(model.hours, many=True)}, and instances are planned for hours:"
            f" what the busiest hour of a {named(model.hours)} needs cannot be told from all of it",
            where="demand-forecaster",
            hint="train it on points an hour apart or less",
        )
    table = model.quantiles(rows, LEVELS, horizon=horizon)
    if table.is_empty():
        raise NotEnoughData("no resource has enough history to be forecast", where="demand-forecaster")
    starts, demand = {}, {}
    for part in table.sort(RESOURCE, TIMESTAMP).partition_by(RESOURCE, maintain_order=True):
        name = part[RESOURCE][0]
        starts[name] = tuple(part[TIMESTAMP].to_list())
        quantiles = part.select(pl.col(f"q{level:g}") for level in LEVELS).to_numpy()
        demand[name] = np.maximum.accumulate(np.maximum(quantiles, 0.0), axis=1) / 3600.0
    silent = sorted(set(rows[RESOURCE]) - set(demand))
    notes = (f"{len(silent)} resources have no requests to forecast",) if silent else ()
    return DemandForecast(starts, demand, rows, notes)


def plan_capacity(
    model: CapacityAnswers,
    forecast: DemandForecast,
    *,
    running: Mapping[str, Mapping[tuple[str, str], int]] | None = None,
    constraints: Mapping[str, Constraints] | Constraints | None = None,
    only: Sequence[str] = (),
) -> CapacityPlans:
    """A plan for every fleet that the planner knows and whose demand is forecast.

    Args:
        model: the capacity planner.
        forecast: of demand.
        running: instances by name and purchase (or `PRESENT`) for each fleet; default as the newest rows say.
        constraints: for all, or by fleet; default none.
        only: these fleets; empty for all.
    """
    table = model.table(forecast.rows)
    plans, left_out = [], {}
    for name in sorted(set(only) & set(model.known) if only else model.known):
        source = next((r for r in (name, model.layout.fronts.get(name)) if r in forecast.demand), None)
        mine = table.filter(pl.col(RESOURCE) == name)
        if source is None or mine.is_empty():
            left_out[name] = "its demand could not be forecast" if source is None else "it sent no metrics of late"
            continue
        rules = constraints if isinstance(constraints, Constraints) else (constraints or {}).get(name)
        plans.append(_planned(model, forecast, name, source, mine, running, rules or Constraints()))
    return CapacityPlans(tuple(plans), left_out, forecast.rows)


def predict_performance(
    model: PerformanceAnswers,
    plans: CapacityPlans,
    *,
    profile: pl.DataFrame | None = None,
    objectives: Mapping[str, float] | None = None,
) -> dict[str, tuple[Expected, ...]]:
    """Latency and risk of each hour of each plan.

    Args:
        model: the performance predictor.
        plans: what is to serve which demand.
        profile: rows of metrics that say how the workloads are now; default those of the forecast.
        objectives: milliseconds by fleet, instead of those of training.
    """
    seen = with_latencies(workloads(plans.rows if profile is None else profile, model.layout).table)
    return {plan.resource: _expected(model, plan, seen, objectives) for plan in plans.plans}


def present_offer(rows: pl.DataFrame, name: str, price: float) -> Offer:
    """What the fleet consists of now, as one pool; the price as paid, else as listed, else NaN."""

    def last(column: str) -> str | None:
        known = rows.filter(pl.col(RESOURCE) == name)[column].drop_nulls() if column in rows.columns else pl.Series()
        return str(known[-1]) if len(known) else None

    kind = last("instance_type") or {"ecs": "task"}.get(last("resource_type") or "", "instance")
    listed = lookup(kind, last("region"))
    usd = price if math.isfinite(price) and price > 0 else (listed.usd_per_hour if listed else math.nan)
    spot = last("purchase_option") == "spot"
    return Offer(name=kind, capacity=1.0, price=usd, purchase="spot" if spot else "on-demand")


def offers_of(
    present: Offer, region: str | None, types: Sequence[str], spot_prices: Mapping[str, float], *, reclaim: float
) -> tuple[Offer, ...]:
    """Pools of these types beside the present one; an instance of another type carries as much as its vCPUs say.

    Raises:
        UsageError: a type whose price or size is not known.
    """
    mine = lookup(present.name, region)
    found = {(present.name, present.purchase): present}
    for name in dict.fromkeys([*types, *spot_prices]):
        facts = lookup(name, region)
        if facts is None or facts.vcpu is None or mine is None or mine.vcpu is None:
            raise UsageError(
                f"size or price of {name} beside {present.name} is not known in {region}",
                where="--types" if name in types else "--spot-price",
                hint="aws-auto ml prices lists the types that are known",
            )
        size = facts.vcpu / mine.vcpu
        if name in types:
            found.setdefault((name, "on-demand"), Offer(name=name, capacity=size, price=facts.usd_per_hour))
        if name in spot_prices:
            pool = Offer(name=name, capacity=size, price=spot_prices[name], purchase="spot", reclaim=reclaim)
            found[(name, "spot")] = pool
    return tuple(found.values())


def _planned(
    model: CapacityAnswers,
    forecast: DemandForecast,
    name: str,
    source: str,
    mine: pl.DataFrame,
    running: Mapping[str, Mapping[tuple[str, str], int]] | None,
    rules: Constraints,
) -> CapacityPlan:
    known, starts, demand = model.known[name], forecast.starts[source], forecast.demand[source]
    need = _need(model, name, mine, starts, demand)
    present = present_offer(forecast.rows, name, known.price)
    offers = rules.offers or _pools(forecast.rows, name, present, rules)
    newest = mine.sort(TIMESTAMP).tail(RECENT)
    there = round(newest["instances"].drop_nulls()[-1]) if newest["instances"].count() else 0
    now = dict((running or {}).get(name) or {PRESENT: there})
    if PRESENT in now:
        now[present.name, present.purchase] = now.pop(PRESENT)
    busy = newest.select((pl.col("cpu") / 100 * pl.col("instances")).max()).item()
    return plan_fleet(
        name,
        starts=starts,
        demand=demand,
        need=need,
        reactive=0.0 if busy is None else float(busy) / known.utilisation,
        running=now,
        constraints=rules,
        offers=offers,
        notes=[
            *([] if known.measured else [f"no latency tells how busy it may be: {known.utilisation:.0%} is assumed"]),
            *(["another type is taken to carry what its vCPUs say; memory is not looked at"] if rules.offers else []),
            *(["that its spot instances may be reclaimed is not counted"] if present.purchase == "spot" else []),
        ],
    )


def _pools(rows: pl.DataFrame, name: str, present: Offer, rules: Constraints) -> tuple[Offer, ...]:
    """The present pool; where not all of it may stay on spot, the same type on demand beside it."""
    if present.purchase != "spot" or rules.spot_share >= 1:
        return (present,)
    regions = rows.filter(pl.col(RESOURCE) == name)["region"].drop_nulls() if "region" in rows.columns else pl.Series()
    listed = lookup(present.name, str(regions[-1]) if len(regions) else None)
    if listed is None:
        raise UsageError(
            f"the price of {present.name} on demand is not known", where=name, hint="allow it to be on spot"
        )
    return (present, Offer(name=present.name, capacity=1.0, price=listed.usd_per_hour))


def _need(model: CapacityAnswers, name: str, mine: pl.DataFrame, starts: Sequence[datetime], demand: Floats) -> Floats:
    """Quantiles at `LEVELS` of present instances needed, ``(steps, levels)``."""
    proportional, excess = [], []
    schema = {TIMESTAMP: mine.schema[TIMESTAMP]}
    for step, start in enumerate(starts, 1):
        targets = pl.DataFrame({TIMESTAMP: [start] * len(LEVELS)}, schema=schema).with_columns(
            pl.lit(name).alias(RESOURCE), load=pl.Series(demand[step - 1])
        )
        asked = model.question(mine, targets, step=step).with_columns(step=min(step, capacity.STEPS[-1]))
        proportional.append(asked["proportional"].to_numpy())
        excess.append(model.model.quantiles([name] * len(LEVELS), capacity.features(asked)))
    return mixed(np.stack(proportional), np.stack(excess), capacity.LEVELS)


def _expected(
    model: PerformanceAnswers, plan: CapacityPlan, seen: pl.DataFrame, objectives: Mapping[str, float] | None
) -> tuple[Expected, ...]:
    share = weights(LEVELS)
    out = []
    for s, step in enumerate(plan.steps):
        asked = pl.DataFrame(
            {TIMESTAMP: [step.start] * len(LEVELS)}, schema={TIMESTAMP: seen.schema[TIMESTAMP]}
        ).with_columns(
            pl.lit(plan.resource).alias(RESOURCE), load=pl.Series(plan.demand[s]), instances=pl.lit(step.capacity)
        )
        said = model.answer(situations(asked, seen, model.objectives), objectives)
        middle = said.row(LEVELS.index(0.5), named=True)
        risk = said["breach_probability"]
        low, high = (float(np.interp(p, LEVELS, said["p95_latency"].to_numpy())) for p in (0.1, 0.9))
        out.append(
            Expected(
                start=step.start,
                p50=middle["p50_latency"],
                p95=middle["p95_latency"],
                p99=middle["p99_latency"],
                p95_interval=Interval(low, high, 0.8),
                objective=middle["objective"],
                breach=float(share @ risk.to_numpy()) if not risk.null_count() else None,
            )
        )
    return tuple(out)
