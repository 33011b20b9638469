"""How many instances a demand asks for: the smallest fleet that would have kept each hour's latency.

What an instance is able to carry is read from the fleet's own past. Work is conserved (the utilisation law): twice the
instances are half as busy. So the busy instances of an hour's worst moment, over the utilisation up to which latency
held its objective (the *knee*), is the fleet that this hour needed, whatever fleet there was. Proportional scaling says
the same with a constant: requests times the usual work of one, over the knee. What is learned is by how much an hour
differs from that: heavier requests, releases, peaks within the hour.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from aws_auto.frame import RESOURCE, TIMESTAMP

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

#: The knee where latency tells nothing: a usual target of target tracking.
DEFAULT_KNEE = 0.6
LEAST_KNEE, MOST_KNEE = 0.3, 0.85
#: Latency holds where at most this share of rows passes its objective.
HELD = 0.05
LEAST_ROWS = 20
LEVELS = (0.1, 0.5, 0.9, 0.975)
STEPS = (1, 2, 3, 4)
ROUNDS = 60
#: Less than this share of the usual load is as good as none.
LEAST_LOAD = 1e-3
#: The documented groups of features, and what belongs to each.
GROUPS: Mapping[str, tuple[str, ...]] = {
    "predicted_demand": ("demand", "rise", "step", "hour", "weekday"),
    "current_capacity": ("instances", "utilisation"),
    "performance_metrics": ("work", "work_day", "worked_then", "latency", "errors"),
    "cost_constraints": ("price",),
}
#: A work or price further from the usual than this many times says nothing that was seen.
FURTHEST = 10.0


@dataclass(frozen=True, kw_only=True)
class Knee:
    """One workload: utilisation up to which latency holds, busy instances for one request a second, price.

    Attributes:
        utilisation: between 0 and 1.
        work: usual busy instances for one request a second.
        usual_load: requests a second.
        usual_instances: instances.
        price: USD an hour of one instance, NaN where unknown.
        measured: False where latency told nothing and the default stands.
    """

    utilisation: float
    work: float
    usual_load: float
    usual_instances: float
    price: float
    measured: bool

    def proportional(self, load: Floats) -> Floats:
        """Instances by proportional scaling, not rounded."""
        return np.asarray(load * self.work / self.utilisation)


def knees(rows: pl.DataFrame, objectives: Mapping[str, float]) -> dict[str, Knee]:
    """The knee of each workload that counts its instances and knows how busy they are.

    Args:
        rows: as `hourly` takes them.
        objectives: milliseconds by workload.
    """
    out = {}
    for part in rows.filter(_usable()).sort(RESOURCE, TIMESTAMP).partition_by(RESOURCE, maintain_order=True):
        name = part[RESOURCE][0]
        busy = part["cpu"].to_numpy() / 100
        load, many = part["load"].to_numpy(), part["instances"].to_numpy()
        work = np.median(busy * many / load)
        objective = objectives.get(name, np.nan)
        slow = part["judged"].cast(pl.Float64).fill_null(np.nan).to_numpy() > objective
        knee = _knee(busy, slow) if np.isfinite(objective) else None
        price = part.select((pl.col("cost") / pl.col("instances")).median()).item()
        out[name] = Knee(
            utilisation=DEFAULT_KNEE if knee is None else knee,
            work=float(work),
            usual_load=float(np.median(load)),
            usual_instances=float(np.median(many)),
            price=float("nan") if price is None else float(price),
            measured=knee is not None,
        )
    return out


def hourly(rows: pl.DataFrame, known: Mapping[str, Knee]) -> pl.DataFrame:
    """One row an hour and workload: what it was asked, and the fleet that its worst moment needed.

    Args:
        rows: a table of workloads with `with_latencies`.
        known: by workload; others are left out.

    Returns:
        ``resource_id, timestamp`` (start of the hour), ``load`` (mean), ``need`` (instances, not rounded), ``work``
        (busy instances for a request a second), ``instances``, ``utilisation``, ``latency``, ``errors``, ``price``.
    """
    knee = pl.col(RESOURCE).replace_strict({n: k.utilisation for n, k in known.items()}, return_dtype=pl.Float64)
    busy = pl.col("cpu") / 100 * pl.col("instances")
    return (
        rows.filter(_usable() & pl.col(RESOURCE).is_in(list(known)))
        .with_columns(busy=busy)
        .group_by(RESOURCE, pl.col(TIMESTAMP).dt.truncate("1h"))
        .agg(
            pl.col("load").mean(),
            need=(pl.col("busy") / knee).max(),
            work=pl.col("busy").mean() / pl.col("load").mean(),
            instances=pl.col("instances").last(),
            utilisation=(pl.col("cpu") / 100).mean(),
            latency=pl.col("judged").mean(),
            errors=pl.col("errors").mean(),
            price=(pl.col("cost") / pl.col("instances")).mean(),
        )
        .sort(RESOURCE, TIMESTAMP)
    )


@dataclass(frozen=True)
class Examples:
    """Questions and answers of the planner: ``inputs (n, features)``, NaN where unknown; ``excess (n,)`` in logs."""

    inputs: Floats
    excess: Floats
    keys: pl.DataFrame

    def of(self, name: str) -> NDArray[np.bool_]:
        """A mask of the rows of that workload."""
        return np.asarray((self.keys[RESOURCE] == name).to_numpy())

    def take(self, rows: NDArray[np.bool_]) -> Examples:
        """Those rows."""
        return Examples(self.inputs[rows], self.excess[rows], self.keys.filter(pl.Series(rows)))


def examples(
    hours: pl.DataFrame, known: Mapping[str, Knee], objectives: Mapping[str, float], *, steps: Sequence[int] = STEPS
) -> Examples:
    """Every hour as a target, asked about 1 to 4 hours before, with its demand known.

    ``keys`` holds ``resource_id``, ``timestamp`` (of the target), ``step``, ``proportional`` and ``need``.
    """
    targets = hours.select(RESOURCE, TIMESTAMP, "load", "need")
    parts = [question(hours, targets, known, objectives, step=step) for step in steps]
    rows = pl.concat(parts).drop_nulls(["need", "work"]).sort(RESOURCE, TIMESTAMP, "step")
    excess = rows.select((pl.col("need") / pl.col("proportional")).clip(1 / FURTHEST, FURTHEST).log()).to_series()
    keys = rows.select(RESOURCE, TIMESTAMP, "step", "proportional", "need")
    return Examples(features(rows), excess.to_numpy(), keys)


def question(
    hours: pl.DataFrame,
    targets: pl.DataFrame,
    known: Mapping[str, Knee],
    objectives: Mapping[str, float],
    *,
    step: int,
) -> pl.DataFrame:
    """What is known ``step`` hours before each target; null where that hour is missing.

    Args:
        hours: as `hourly` gives them, up to those hours.
        targets: ``resource_id, timestamp`` (any moment of the hour) and ``load``, further columns are kept.
        known: by workload.
        objectives: milliseconds by workload.
        step: 1 to 4.

    Returns:
        The targets in their order, with ``proportional`` and every feature of `GROUPS`.
    """

    def fact(values: Mapping[str, float]) -> pl.Expr:
        return pl.col(RESOURCE).replace_strict(dict(values), default=None, return_dtype=pl.Float64)

    usual_load = fact({n: k.usual_load for n, k in known.items()})
    usual_work = fact({n: k.work for n, k in known.items()})
    many = fact({n: k.usual_instances for n, k in known.items()})
    price = fact({n: k.price for n, k in known.items()})
    knee = fact({n: k.utilisation for n, k in known.items()})
    day = hours.rolling(TIMESTAMP, period="24h", group_by=RESOURCE).agg(work_day=pl.col("work").mean())
    state = hours.join(day, on=[RESOURCE, TIMESTAMP]).select(
        RESOURCE,
        at=pl.col(TIMESTAMP) + pl.duration(hours=step),
        load_then="load",
        instances=(pl.col("instances") / many).log(),
        utilisation="utilisation",
        work=(pl.col("work") / usual_work).log(),
        work_day=(pl.col("work_day") / usual_work).log(),
        latency=(pl.col("latency") / fact(objectives)).log(),
        errors=pl.col("errors").log1p(),
        price=(pl.col("price") / price).log(),
    )
    before = hours.select(
        RESOURCE,
        at=pl.col(TIMESTAMP) + pl.duration(hours=24),
        worked_then=(pl.col("need") * knee / (pl.col("load") * usual_work)).log(),
    )
    asked = targets.with_columns(at=pl.col(TIMESTAMP).dt.truncate("1h"))
    for facts in (state, before):
        asked = asked.join(facts, on=[RESOURCE, "at"], how="left", maintain_order="left")
    return asked.with_columns(
        proportional=pl.col("load") * usual_work / knee,
        demand=(pl.col("load") / usual_load).clip(LEAST_LOAD).log(),
        rise=(pl.col("load") / pl.col("load_then")).clip(LEAST_LOAD).log(),
        step=pl.lit(step, pl.Int64),
        hour=pl.col("at").dt.hour(),
        weekday=pl.col("at").dt.weekday(),
    ).drop("at", "load_then")


def features(asked: pl.DataFrame) -> Floats:
    """The columns of `GROUPS`, NaN where unknown, ``(n, features)``."""
    names = [n for group in GROUPS.values() for n in group]
    found = asked.select(pl.col(names).cast(pl.Float64).fill_null(np.nan)).to_numpy()
    return np.where(np.isfinite(found), found, np.nan)  # the logarithm of nothing is unknown


@dataclass(frozen=True)
class ExcessModel:
    """Quantiles at `LEVELS` of what an hour needs over proportional scaling, in logs: boosted, or a constant.

    Attributes:
        booster: an ``xgboost.Booster``; None for the simple rule.
        groups: the groups of `GROUPS` that it looks at.
        own: the rule's quantiles by workload, and under the empty name those for strangers.
    """

    booster: Any
    groups: tuple[str, ...]
    own: Mapping[str, tuple[float, ...]]

    @classmethod
    def fit(
        cls, rows: Examples, *, groups: Sequence[str] = tuple(GROUPS), seed: int, boosted: bool = True
    ) -> ExcessModel:
        """Learn; with ``boosted`` off, only the constants of proportional scaling."""
        own = {name: _quantiles(rows.excess[rows.of(name)]) for name in sorted(set(rows.keys[RESOURCE]))}
        own[""] = _quantiles(rows.excess)
        bare = cls(None, tuple(groups), own)
        if not boosted:
            return bare
        import xgboost

        settings = {
            "objective": "reg:quantileerror",
            "quantile_alpha": np.array(LEVELS),
            "max_depth": 3,
            "eta": 0.1,
            "min_child_weight": 20,
            "subsample": 0.8,
            "seed": seed,
            "nthread": 1,
        }
        data = xgboost.DMatrix(bare.seen(rows.inputs), rows.excess)
        return cls(xgboost.train(settings, data, ROUNDS), tuple(groups), own)

    def quantiles(self, names: Sequence[str], inputs: Floats) -> Floats:
        """``(n, levels)``, ascending."""
        if self.booster is None:
            return np.array([self.own.get(n, self.own[""]) for n in names])
        import xgboost

        said = self.booster.predict(xgboost.DMatrix(self.seen(inputs)))
        return np.asarray(np.sort(said.reshape(len(inputs), len(LEVELS)), axis=1), float)

    def seen(self, inputs: Floats) -> Floats:
        """The columns of the groups that it looks at."""
        columns = [g in self.groups for g, names in GROUPS.items() for _ in names]
        return np.asarray(inputs[:, columns])


def _quantiles(values: Floats) -> tuple[float, ...]:
    return tuple(map(float, np.quantile(values, LEVELS)))


def _usable() -> pl.Expr:
    return (pl.col("load") > 0) & (pl.col("instances") > 0) & (pl.col("cpu") > 0)


def _knee(busy: Floats, slow: NDArray[np.bool_]) -> float | None:
    """The largest utilisation below the first bin of five per cent in which latency does not hold; None unseen."""
    edges = np.arange(0.0, 1.0001, 0.05)
    held = None
    for low, high in itertools.pairwise(edges):
        inside = (busy >= low) & (busy < high)
        if inside.sum() < LEAST_ROWS:
            continue
        if slow[inside].mean() > HELD and low >= LEAST_KNEE:
            return float(np.clip(low, LEAST_KNEE, MOST_KNEE))
        held = high
    # Latency never gave way: what was not seen is not promised.
    return None if held is None else float(np.clip(held, LEAST_KNEE, MOST_KNEE))
