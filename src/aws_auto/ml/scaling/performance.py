"""Latency and the risk of breaking its objective, for any load and any number of instances.

One network says how likely a latency is passed, for every latency: the bound itself is one of its inputs. Quantiles of
latency and the risk of breaking an objective, whichever it is, are then the same answer read in two directions, and
both are monotone: more load never helps, more instances never hurt. (The bound as an input is the way of distribution
regression: Foresi and Peracchi 1995.)
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from aws_auto.frame import RESOURCE, TIMESTAMP
from aws_auto.ml.scaling.monotone import MonotoneNet
from aws_auto.ml.scaling.situation import FACTS, Situation, Usual

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

#: The state of a workload is seen this long before the moment that is asked about: a plan is made ahead.
LAG = timedelta(hours=1)
#: An older state is none.
STALE = timedelta(hours=3)
#: Without a setting, the objective is this multiple of the usual latency.
SLOWER = 1.25
#: What an objective is about: the first of these that a workload has.
JUDGED = ("latency_p95", "latency_p99", "latency")
#: What stands for the usual request: the first of these.
MIDDLE = ("latency_p50", "latency")
KINDS = ("middle", "judged")
#: Rows that one fit looks at: all rare ones, and so many others.
MOST_ROWS = 4000
BOUNDS = 25
CHUNK = 20_000
#: How much more the objective weighs than other bounds: it is what is asked for most.
RATIO = 4.0
#: A latency (milliseconds) that nothing reaches.
NO_OBJECTIVE = 1e12


def with_latencies(table: pl.DataFrame) -> pl.DataFrame:
    """The table with ``middle`` and ``judged``: for each workload the latency columns that stand for them."""

    def first(names: Sequence[str]) -> pl.Expr:
        there = [n for n in names if n in table.columns]
        own = [pl.when(pl.col(n).is_not_null().any().over(RESOURCE)).then(pl.lit(n)) for n in there]
        which = pl.coalesce(*own) if own else pl.lit(None, pl.String)
        values = [pl.when(which == n).then(pl.col(n)) for n in there]
        return pl.coalesce(*values) if values else pl.lit(None, pl.Float64)

    middle = pl.coalesce(first(MIDDLE), first(JUDGED))
    return table.with_columns(middle=middle, judged=first(JUDGED))


def situations(
    asked: pl.DataFrame, seen: pl.DataFrame, objectives: Mapping[str, float], *, lag: timedelta = LAG
) -> Situation:
    """What the network is asked.

    Args:
        asked: ``resource_id, timestamp, load, instances``; any order.
        seen: a table of workloads with `with_latencies`, from which the state ``lag`` before each moment is taken.
        objectives: milliseconds by resource; NaN for others.
        lag: see above; zero where nothing of the row itself is foretold.
    """
    state = seen.select(
        RESOURCE,
        pl.col(TIMESTAMP).alias("seen_at"),
        pl.col("load").alias("load_before"),
        pl.col("instances").alias("instances_before"),
        "cpu",
        "memory",
        "errors",
        *KINDS,
    ).sort("seen_at")
    rows = (
        asked.select(RESOURCE, TIMESTAMP, "load", "instances")
        .with_row_index("place")
        .with_columns(at=pl.col(TIMESTAMP) - lag)
        .sort("at")
        .join_asof(
            state,
            left_on="at",
            right_on="seen_at",
            by=RESOURCE,
            strategy="backward",
            tolerance=STALE,
            check_sortedness=False,  # sorted by time two lines above; Polars cannot see it through the groups
        )
        .sort("place")
    )
    figures = ("load", "instances", "load_before", "instances_before", "cpu", "memory", "errors", *KINDS)
    column = {n: rows[n].cast(pl.Float64).fill_null(np.nan).to_numpy() for n in figures}
    resource = rows[RESOURCE].to_numpy().astype(object)
    return Situation(
        resource=resource,
        load=column["load"],
        instances=column["instances"],
        load_before=column["load_before"],
        instances_before=column["instances_before"],
        cpu=column["cpu"],
        memory=column["memory"],
        errors=column["errors"],
        latency=np.stack([column[k] for k in KINDS], axis=1),
        objective=np.array([objectives.get(str(n), np.nan) for n in resource]),
        about=KINDS.index("judged"),
    )


def objectives_of(table: pl.DataFrame, given: float | None = None) -> dict[str, float]:
    """Milliseconds for each workload with a latency: as ``given``, else `SLOWER` times the median of what is judged."""
    known = table.group_by(RESOURCE).agg(pl.col("judged").median()).drop_nulls().sort(RESOURCE)
    usual = {name: SLOWER * value for name, value in known.iter_rows() if value > 0}
    return usual if given is None else dict.fromkeys(usual, given)


def about_objective(given: float | None) -> str:
    """For a report."""
    if given is not None:
        return f"the objective is {given:g} ms"
    return "no objective was given: it is one and a quarter of each workload's usual latency"


@dataclass(frozen=True)
class PerformanceModel:
    """Two networks, for the latency in the middle and for the judged one, and what they know of each resource.

    Attributes:
        usual: see `Usual`; its latency columns are those of `KINDS`.
        nets: by kind, the probability that a bound is passed; its last input is the bound, in logs over the usual.
        bounds: by kind, the bounds between which quantiles are looked for, ascending.
    """

    usual: Usual
    nets: Mapping[str, MonotoneNet]
    bounds: Mapping[str, Floats]

    @classmethod
    def fit(cls, rows: Situation, truth: Floats, *, seed: int) -> PerformanceModel:
        """Learn from latencies ``truth`` (NaN where unknown), ``(n, kinds)``, in milliseconds."""
        known = np.isfinite(truth).all(axis=1) & (truth > 0).all(axis=1) & np.isfinite(rows.objective)
        rows, truth = rows.take(known), truth[known]
        breach = (truth[:, rows.about] > rows.objective).astype(float)
        usual = Usual.fit(rows, breach)
        bare = cls(usual, {}, {})
        nets, bounds = {}, {}
        for kind in range(len(KINDS)):
            over = np.log(truth[:, kind]) - bare._log_usual(rows, kind)
            rng = np.random.default_rng([seed, kind])
            place, weight = _chosen(over, breach, rng)
            part, y = rows.take(place), over[place]
            drawn = rng.choice(over, len(y)) + rng.normal(0, 0.05, len(y))
            wanted = np.log(part.objective) - bare._log_usual(part, kind)
            bound = np.concatenate([wanted, drawn])
            inputs, sign = bare._inputs(part.take(np.tile(np.arange(len(y)), 2)), bound)
            event = (np.tile(y, 2) > bound).astype(float)
            nets[KINDS[kind]] = MonotoneNet.fit(
                inputs, sign, event, seed=seed, weight=np.concatenate([weight * RATIO, weight])
            )
            low, high = np.quantile(over, [0.001, 0.999])
            bounds[KINDS[kind]] = np.linspace(low - 0.3, high + 0.3, BOUNDS)
        return cls(usual, nets, bounds)

    def risk(self, rows: Situation) -> Floats:
        """Probability that the judged latency passes the objective of the row, ``(n,)``; NaN without an objective."""
        return self.passes(rows, rows.about, rows.objective)

    def passes(self, rows: Situation, kind: int, bound: Floats) -> Floats:
        """Probability that the latency of that kind passes ``bound`` (milliseconds), ``(n,)``."""
        out = np.full(len(rows), np.nan)
        known = np.isfinite(bound) & (bound > 0) & np.isfinite(rows.load)
        part = rows.take(known)
        if len(part):
            over = np.log(bound[known]) - self._log_usual(part, kind)
            out[known] = self.nets[KINDS[kind]].probability(self._inputs(part, over)[0])
        return out

    def quantiles(self, rows: Situation, kind: int, levels: Sequence[float]) -> Floats:
        """Quantiles of the latency of that kind in milliseconds, ``(n, levels)``; NaN where the load is unknown."""
        out = np.full((len(rows), len(levels)), np.nan)
        known = np.flatnonzero(np.isfinite(rows.load))
        for start in range(0, len(known), CHUNK):
            at = known[start : start + CHUNK]
            out[at] = self._quantiles(rows.take(at), kind, levels)
        return out

    def calibrated_as(self, earlier: PerformanceModel, rows: Situation, truth: Floats) -> PerformanceModel:
        """With the correction of risk that ``earlier``, which was not fitted on these rows, needs on them."""
        kind = rows.about
        known = np.isfinite(truth[:, kind]) & np.isfinite(rows.objective) & np.isfinite(rows.load)
        part = rows.take(known)
        bound = np.log(part.objective) - earlier._log_usual(part, kind)
        event = (truth[known, kind] > part.objective).astype(float)
        held = earlier.nets[KINDS[kind]].calibrated(earlier._inputs(part, bound)[0], event)
        net = replace(self.nets[KINDS[kind]], slope=held.slope, offset=held.offset)
        return replace(self, nets={**self.nets, KINDS[kind]: net})

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return {
            "usual": self.usual.to_json(),
            "nets": {k: n.to_json() for k, n in self.nets.items()},
            "bounds": {k: b.tolist() for k, b in self.bounds.items()},
        }

    @classmethod
    def from_json(cls, said: Mapping[str, Any]) -> PerformanceModel:
        """The inverse of `to_json`."""
        return cls(
            Usual.from_json(said["usual"]),
            {k: MonotoneNet.from_json(n) for k, n in said["nets"].items()},
            {k: np.asarray(b, float) for k, b in said["bounds"].items()},
        )

    def _quantiles(self, rows: Situation, kind: int, levels: Sequence[float]) -> Floats:
        bounds = self.bounds[KINDS[kind]]
        inputs, _ = self.usual.inputs(_with_objective(rows))
        tall = np.repeat(inputs, len(bounds), axis=0)
        logit = self.nets[KINDS[kind]].logits(np.column_stack([tall, np.tile(bounds, len(rows))]))
        passing = logit.reshape(len(rows), len(bounds))
        wanted = [np.log((1 - level) / level) for level in levels]
        over = np.stack([[np.interp(-w, -row, bounds) for w in wanted] for row in passing])
        return np.asarray(np.exp(over + self._log_usual(rows, kind)[:, None]))

    def _inputs(self, rows: Situation, over: Floats) -> tuple[Floats, Floats]:
        inputs, sign = self.usual.inputs(_with_objective(rows))
        return np.column_stack([inputs, over]), np.append(sign, -1.0)

    def _log_usual(self, rows: Situation, kind: int) -> Floats:
        return np.log(self.usual.fact(rows, FACTS + kind))


def _with_objective(rows: Situation) -> Situation:
    """Nearness to an objective is an input; without one the latency counts as far below."""
    return replace(rows, objective=np.where(np.isfinite(rows.objective), rows.objective, NO_OBJECTIVE))


def _chosen(over: Floats, breach: Floats, rng: np.random.Generator) -> tuple[NDArray[np.int64], Floats]:
    """At most `MOST_ROWS` rows, breaches before others, with weights that undo the choice."""
    rare, common = np.flatnonzero(breach > 0), np.flatnonzero(breach == 0)
    few = rng.choice(rare, min(len(rare), MOST_ROWS // 4), replace=False)
    rest = rng.choice(common, min(len(common), MOST_ROWS - len(few)), replace=False)
    place = np.sort(np.concatenate([few, rest]))
    weight = np.where(breach[place] > 0, len(rare) / max(len(few), 1), len(common) / max(len(rest), 1))
    assert len(place) <= len(over)  # noqa: S101 - rows are drawn, never made
    return place, weight
