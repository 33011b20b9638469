"""The documented words of scaling: what a configuration means, and how plans are told in plain values."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from aws_auto.errors import UsageError
from aws_auto.ml.scaling.requirements import PRESENT
from aws_auto.ml.scaling.timeline import Constraints

if TYPE_CHECKING:
    from aws_auto.ml.recipes.demand_settings import DemandSettings
    from aws_auto.ml.scaling.requirements import CapacityPlans, Expected
    from aws_auto.protocols import Recipe

#: The documented configuration: what each part is when nothing else is said.
DOCUMENTED: Mapping[str, Mapping[str, Any]] = {
    "demand_forecasting": {
        "model_type": "LSTM",
        "sequence_length": 24,
        "forecast_horizon": 4,
        "features": ("historical_demand", "time_features", "external_events", "seasonal_patterns"),
    },
    "capacity_planning": {
        "model_type": "Gradient_Boosting",
        "features": ("predicted_demand", "current_capacity", "performance_metrics", "cost_constraints"),
    },
    "performance_prediction": {
        "model_type": "Neural_Network",
        "features": ("resource_allocation", "workload_characteristics", "infrastructure_state"),
    },
}


def recipes_of(config: Mapping[str, Any] | None, demand: DemandSettings | None = None) -> dict[str, Recipe]:
    """The recipe of each part; of a configuration, only the parts that it names.

    Args:
        config: see `DOCUMENTED`.
        demand: column, events and holidays of the demand.

    Raises:
        UsageError: a part, a key or a value that is not offered; the error says what is.
    """
    from aws_auto.ml.recipes.capacity import CapacityPlanner
    from aws_auto.ml.recipes.demand import DemandForecaster
    from aws_auto.ml.recipes.performance import PerformancePredictor

    wanted = dict(DOCUMENTED) if config is None else dict(config)
    for part, said in wanted.items():
        _check(part, said)
    groups = tuple(wanted.get("capacity_planning", {}).get("features", DOCUMENTED["capacity_planning"]["features"]))
    made: dict[str, Recipe] = {
        "demand_forecasting": DemandForecaster() if demand is None else DemandForecaster().configured(demand),
        "capacity_planning": CapacityPlanner(groups=groups),
        "performance_prediction": PerformancePredictor(),
    }
    return {part: recipe for part, recipe in made.items() if part in wanted}


def running_of(capacity: Mapping[str, Any]) -> dict[str, dict[tuple[str, str], int]]:
    """Instances by name and purchase for each fleet; a bare number is of the type that runs.

    Raises:
        UsageError: it is no number, or no pool.
    """
    out = {}
    for fleet, said in capacity.items():
        if isinstance(said, Mapping):
            out[str(fleet)] = {_pool(str(pool)): int(many) for pool, many in said.items()}
        elif not isinstance(said, int) or isinstance(said, bool) or said < 0:
            raise UsageError(f"{said!r} is no number of instances", where=f"capacity.{fleet}")
        else:
            out[str(fleet)] = {PRESENT: said}
    return out


def constraints_of(said: Any) -> Constraints | dict[str, Constraints] | None:  # noqa: ANN401 - see ScalingState
    """One `Constraints` for all fleets, or one by fleet.

    Raises:
        UsageError: it is neither.
    """
    if said is None or isinstance(said, Constraints):
        return said
    if not isinstance(said, Mapping):
        raise UsageError(f"{type(said).__name__} holds no constraints", where="constraints")
    names = {f.name for f in dataclasses.fields(Constraints)}
    if set(said) <= names:
        return Constraints(**said)
    out = {}
    for fleet, one in said.items():
        own = constraints_of(one)
        if not isinstance(own, Constraints):
            raise UsageError(
                f"{fleet} is neither a constraint nor a fleet with constraints",
                where="constraints",
                hint=f"constraints are {', '.join(sorted(names))}",
            )
        out[str(fleet)] = own
    return out


def timeline(plans: CapacityPlans) -> list[dict[str, Any]]:
    """A row for each fleet and hour, in order of time."""
    rows = []
    for plan in plans.plans:
        before = sum(plan.now.values())
        for step in plan.steps:
            change = step.total - before
            rows.append(
                {
                    "resource_id": plan.resource,
                    "start": step.start,
                    "launch": step.launch,
                    "action": "scale_out" if change > 0 else "scale_in" if change < 0 else "hold",
                    "from": before,
                    "to": step.total,
                    "instances": dict(step.instances),
                    "expected_demand": step.expected,
                    "shortage_probability": step.short,
                }
            )
            before = step.total
    return sorted(rows, key=lambda r: (r["start"], r["resource_id"]))


def cost_impact(plans: CapacityPlans) -> dict[str, dict[str, float | None]]:
    """USD by fleet over all hours of the plan; None where a price is unknown."""
    return {
        plan.resource: {
            "usd_as_it_is": None if plan.usd_now is None else plan.usd_now * len(plan.steps),
            "usd_planned": plan.usd,
            "usd_difference": plan.usd_difference,
            "hours": float(len(plan.steps)),
        }
        for plan in plans.plans
    }


def intervals(plans: CapacityPlans, performance: Mapping[str, tuple[Expected, ...]]) -> dict[str, list[dict[str, Any]]]:
    """80 % intervals of demand (requests a second), instances needed and p95 latency, by fleet and hour."""
    out = {}
    for plan in plans.plans:
        told = performance.get(plan.resource) or (None,) * len(plan.steps)
        out[plan.resource] = [
            {
                "start": step.start,
                "demand": step.demand,
                "instances": step.need,
                "p95_latency": None if hour is None else hour.p95_interval,
            }
            for step, hour in zip(plan.steps, told, strict=True)
        ]
    return out


def _check(part: str, said: Mapping[str, Any]) -> None:
    if part not in DOCUMENTED:
        raise UsageError(f"no part is called {part!r}", where="training_config", hint=f"there are {[*DOCUMENTED]}")
    known = DOCUMENTED[part]
    for key, value in said.items():
        where = f"training_config.{part}.{key}"
        if key not in known:
            raise UsageError("is no setting", where=where, hint=f"there are {', '.join(known)}")
        if key == "features":
            if unknown := sorted(set(value) - set(known[key])):
                raise UsageError(f"{', '.join(unknown)} is not offered", where=where, hint=f"there are {known[key]}")
            if part != "capacity_planning" and set(value) != set(known[key]):
                raise UsageError("all of them are used", where=where, hint=f"leave it out, or name {known[key]}")
            if not value:
                raise UsageError("a model needs at least one", where=where)
        elif value != known[key]:
            raise UsageError(f"{value!r} is not offered", where=where, hint=f"write {known[key]!r}, or leave it out")


def _pool(text: str) -> tuple[str, str]:
    """``m6i.large`` or ``m6i.large spot`` as name and purchase."""
    name, _, purchase = text.partition(" ")
    if purchase not in ("", "on-demand", "spot"):
        raise UsageError(
            f"{text!r} is no pool of instances", where="capacity", hint="write m6i.large or m6i.large spot"
        )
    return name, purchase or "on-demand"
