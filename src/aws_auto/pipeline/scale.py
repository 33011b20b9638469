"""Scale: what the next hours ask for, as a plan that AWS could carry out. Advice; applying is a second step."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import polars as pl

from aws_auto.errors import ModelNotFound, UsageError
from aws_auto.frame import RESOURCE
from aws_auto.pipeline.collect import is_simulated
from aws_auto.pipeline.plan import Delete, Plan, Resource, Update, diff
from aws_auto.pipeline.process import process
from aws_auto.protocols import Progress, silent

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from aws_auto.ml.recipes.capacity import CapacityAnswers
    from aws_auto.ml.scaling.aws_plan import Address, Bounds, Request
    from aws_auto.ml.scaling.requirements import DemandForecast, Expected
    from aws_auto.ml.scaling.timeline import CapacityPlan, Constraints
    from aws_auto.pipeline.plan import Change
    from aws_auto.pipeline.ports import Window, Workspace

DEMAND, CAPACITY, PERFORMANCE = "demand-forecaster", "capacity-planner", "performance-predictor"
JOURNAL = "scaling applied"


class Scaling(Protocol):
    """Where fleets are scaled; `aws_auto.pipeline.aws.scaling.AwsScaling` is the real one."""

    def bounds(self, addresses: Iterable[Address]) -> Mapping[Address, Bounds]:
        """Fewest and most instances that are allowed, as they stand without a plan of ours."""
        ...

    def observe(self, addresses: Iterable[Address]) -> Mapping[str, Resource]:
        """What is there, by key."""
        ...

    def apply(self, change: Change) -> None:
        """Do one change."""
        ...


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What shall be planned.

    Attributes:
        horizon: hours ahead, 1 to 24.
        constraints: of every fleet.
        types: instance types that may be chosen beside the present one.
        spot_prices: USD an hour by type that may be bought on spot.
        reclaim: probability that a spot pool is gone within an hour.
        objective_ms: latency that no fleet shall pass; None for the objectives of training.
        addresses: what AWS calls a resource, where its id does not say.
        table_units: capacity units that one request takes, for tables.
        only: these resources alone; empty for all.
    """

    constraints: Constraints
    horizon: int = 4
    types: tuple[str, ...] = ()
    spot_prices: Mapping[str, float] = field(default_factory=dict)
    reclaim: float = 0.05
    objective_ms: float | None = None
    addresses: Mapping[str, Address] = field(default_factory=dict)
    table_units: float = 1.0
    only: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Scaled:
    """The plans of all fleets, and what AWS would be told.

    Attributes:
        at: when it was planned.
        plans: by fleet.
        performance: latency and risk by fleet and hour; empty without a performance predictor.
        made: what AWS would be told, by fleet.
        changes: the same against what is there.
        observed: whether AWS was looked at; else ``changes`` starts from nothing.
        left_out: fleets without a plan, and why.
        notes: what a reader must know.
        versions: of the models that answered.
        simulated: whether the data or a model are simulated.
    """

    at: datetime
    plans: tuple[CapacityPlan, ...]
    performance: Mapping[str, tuple[Expected, ...]]
    made: Mapping[str, tuple[Request, ...]]
    changes: Plan
    observed: bool
    left_out: Mapping[str, str]
    notes: tuple[str, ...]
    versions: Mapping[str, int]
    simulated: bool

    @property
    def usd_difference(self) -> float | None:
        """USD over all hours, planned less as it is; None where a price is unknown."""
        each = [plan.usd_difference for plan in self.plans]
        return None if None in each else float(sum(e for e in each if e is not None))


def scale(
    ws: Workspace, window: Window, asked: Asked, *, where: Scaling | None = None, progress: Progress = silent
) -> Scaled:
    """Plan the next hours from the newest data and the champions.

    Args:
        ws: holds data and champions.
        window: the history that is read; four weeks are best.
        asked: see `Asked`.
        where: AWS, to compare with what is there; None to start from nothing.
        progress: told what is done.

    Raises:
        ModelNotFound: no champion of demand-forecaster or capacity-planner.
        NotEnoughData: the lake holds nothing there, or too little to forecast.
        UsageError: no fleet keeps to the constraints, or a resource is not known.
    """
    from aws_auto.ml.scaling import requirements

    models, versions, simulated = _champions(ws)
    progress("read", 0, 3)
    rows = process(ws, window).frame.data
    progress("forecast and plan", 1, 3)
    forecast = requirements.forecast_demand(models[DEMAND], rows, horizon=asked.horizon)
    planner: CapacityAnswers = models[CAPACITY]
    _check_known(asked, planner, forecast)
    plans = requirements.plan_capacity(
        planner, forecast, constraints=_constraints(planner, rows, asked), only=asked.only
    )
    tables = tuple(_table_plan(name, forecast, asked) for name in asked.addresses if name not in planner.known)
    notes = list(forecast.notes)
    performance: Mapping[str, tuple[Expected, ...]] = {}
    if PERFORMANCE in models:
        own = None if asked.objective_ms is None else dict.fromkeys(planner.known, asked.objective_ms)
        performance = requirements.predict_performance(models[PERFORMANCE], plans, objectives=own)
    else:
        notes.append(f"no champion of {PERFORMANCE}: latency and its risk are unknown")
    progress("compare with AWS" if where else "write requests", 2, 3)
    made, remarks = _requests((*plans.plans, *tables), planner, rows, asked, where, ws.clock.now())
    wanted = [_resource(r) for each in made.values() for r in each]
    addresses = {r.address for each in made.values() for r in each}
    there = where.observe(sorted(addresses)) if where else {}
    return Scaled(
        at=ws.clock.now(),
        plans=(*plans.plans, *tables),
        performance=performance,
        made=made,
        changes=_only_ours(diff(there, wanted)),
        observed=where is not None,
        left_out=plans.left_out,
        notes=(*notes, *remarks),
        versions=versions,
        simulated=simulated or is_simulated(ws),
    )


def apply(ws: Workspace, found: Scaled, where: Scaling, *, progress: Progress = silent) -> int:
    """Do every change of a plan that somebody approved; returns how many were done.

    Raises:
        UsageError: the plan was not compared with what is there.
        AwsCallError: AWS refused; what was done before stands, and the journal holds it.
    """
    if not found.observed:
        raise UsageError("the plan was not compared with what is there", where="--apply", hint="run with --target aws")
    for number, change in enumerate(found.changes.changes):
        one = change.old if isinstance(change, Delete) else change.new
        progress(one.key, number, len(found.changes.changes))
        where.apply(change)
        ws.journal.append(JOURNAL, plan=found.changes.checksum(), change=type(change).__name__, thing=one.key)
    return len(found.changes.changes)


def _champions(ws: Workspace) -> tuple[dict[str, Any], dict[str, int], bool]:
    from aws_auto.ml.recipes import catalog

    models, versions, simulated = {}, {}, False
    for name in (DEMAND, CAPACITY, PERFORMANCE):
        champion = ws.registry.champion(name)
        if champion is None:
            if name == PERFORMANCE:
                continue
            raise ModelNotFound(
                f"no champion of {name}",
                where=str(ws.root),
                hint=f"train first: aws-auto ml train-models --models {DEMAND},{CAPACITY},{PERFORMANCE}",
            )
        models[name] = catalog.get(name).load(ws.registry.files(champion))
        versions[name] = champion.version
        simulated |= bool((champion.report.get("lineage") or {}).get("simulated"))
    return models, versions, simulated


def _check_known(asked: Asked, planner: CapacityAnswers, forecast: DemandForecast) -> None:
    named = {*asked.only, *asked.addresses}
    if unknown := sorted(named - set(planner.known) - set(forecast.demand)):
        raise UsageError(
            f"nothing is known of {', '.join(unknown)}",
            where="--resource" if set(unknown) & set(asked.only) else "--aws",
            hint=f"fleets are {', '.join(sorted(planner.known))}",
        )


def _constraints(planner: CapacityAnswers, rows: pl.DataFrame, asked: Asked) -> dict[str, Constraints]:
    """With the pools that may be chosen, for each fleet."""
    import dataclasses

    from aws_auto.ml.scaling.requirements import offers_of, present_offer

    out = {}
    for name, knee in planner.known.items():
        out[name] = asked.constraints
        if (asked.types or asked.spot_prices) and (not asked.only or name in asked.only):
            present = present_offer(rows, name, knee.price)
            region = _last(rows, name, "region")
            offers = offers_of(present, region, asked.types, asked.spot_prices, reclaim=asked.reclaim)
            out[name] = dataclasses.replace(asked.constraints, offers=offers)
    return out


def _table_plan(name: str, forecast: DemandForecast, asked: Asked) -> CapacityPlan:
    """Capacity units of a table, from the requests that are forecast for it."""
    from aws_auto.ml.scaling.fleet import Offer
    from aws_auto.ml.scaling.timeline import plan_fleet

    unit = Offer(name="capacity unit", capacity=1.0, price=float("nan"))
    return plan_fleet(
        name,
        starts=forecast.starts[name],
        demand=forecast.demand[name],
        need=forecast.demand[name] * asked.table_units,
        reactive=0.0,
        running={},
        constraints=asked.constraints,
        offers=(unit,),
        notes=(f"one request is taken as {asked.table_units:g} capacity units",),
    )


def _requests(
    plans: Iterable[CapacityPlan],
    planner: CapacityAnswers,
    rows: pl.DataFrame,
    asked: Asked,
    where: Scaling | None,
    now: datetime,
) -> tuple[dict[str, tuple[Request, ...]], list[str]]:
    from aws_auto.ml.scaling.aws_plan import address_of, requests

    made, remarks = {}, []
    for plan in plans:
        address, remark = asked.addresses.get(plan.resource), ""
        if address is None:
            address, remark = address_of(plan.resource, _last(rows, plan.resource, "resource_type"))
        if remark:
            remarks.append(remark)
        if address is None:
            continue
        if len(plan.resources) > 1 and address.kind == "autoscaling":
            remarks.append(f"{plan.resource}: how instances divide among types is set in the group's mixed policy")
        bounds = where.bounds([address]).get(address) if where else None
        if where and bounds is None:
            remarks.append(f"{address} is not there, or not known to automatic scaling yet")
        knee = planner.known.get(plan.resource)
        made[plan.resource] = requests(plan, address, knee, asked.constraints, now=now, bounds=bounds)
    if made and not where:
        remarks.append("AWS was not looked at: a higher minimum there would be lowered; compare with --target aws")
    return made, remarks


def _resource(made: Request) -> Resource:
    return Resource(kind=made.kind, name=f"{made.address}/{made.name}", properties=made.body)


def _only_ours(plan: Plan) -> Plan:
    """Without deletions of anything but scheduled actions: a target or a policy that is not wanted now may be later.

    A floor that somebody set higher on purpose is no reason to lower it: a scalable target keeps its bounds where they
    already allow the plan.
    """
    kept: list[Change] = []
    for change in plan.changes:
        if isinstance(change, Delete) and not change.old.kind.endswith("::ScheduledAction"):
            continue
        if isinstance(change, Update) and change.new.kind.endswith("::ScalableTarget") and _allows(change):
            continue
        kept.append(change)
    return Plan(changes=tuple(kept), observed=plan.observed, notes=plan.notes)


def _allows(change: Update) -> bool:
    old, new = change.old.properties, change.new.properties
    return bool(old["MaxCapacity"] >= new["MaxCapacity"])


def _last(rows: pl.DataFrame, name: str, column: str) -> str | None:
    if column not in rows.columns:
        return None
    known = rows.filter(pl.col(RESOURCE) == name)[column].drop_nulls()
    return str(known[-1]) if len(known) else None
