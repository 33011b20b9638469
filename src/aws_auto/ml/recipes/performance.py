"""performance-predictor: latency of each workload, and the risk of breaking its objective, by load and instances."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from aws_auto.errors import ArtifactError, NotEnoughData, SchemaError
from aws_auto.frame import RESOURCE, TIMESTAMP
from aws_auto.ml import files
from aws_auto.ml.recipes import recipe
from aws_auto.ml.recipes.performance_trial import charts_of, contests_of, promised_of
from aws_auto.ml.scaling.performance import (
    JUDGED,
    KINDS,
    LAG,
    STALE,
    PerformanceModel,
    about_objective,
    objectives_of,
    situations,
    with_latencies,
)
from aws_auto.ml.scaling.performance_rules import RULES, RuleModel
from aws_auto.ml.scaling.workload import LATENCIES, Layout, workloads
from aws_auto.protocols import Progress, silent
from aws_auto.results import Decision, Field, Quality, TrainedModel, TrainReport

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from aws_auto.frame import MetricFrame
    from aws_auto.ml.scaling.situation import Situation
    from aws_auto.protocols import Predictor

    Floats = NDArray[np.float64]

#: Fewer breaches, or rows with a latency, teach nothing.
LEAST_BREACHES = 20
LEAST_ROWS = 500
#: Of what is judged, and of what is learned from, at most; every k-th row beyond that.
MOST_JUDGED = 20_000
MOST_LEARNED = 200_000
INPUTS = ("request_count", "request_count_sum", "instance_count", "cpu_utilization", "memory_utilization", "error_rate")
#: The level of each answer where the judged latency is a 95th percentile, and where it is a mean.
PERCENTILES = {"p50": ("middle", 0.5), "p95": ("judged", 0.5), "p99": ("judged", 0.95)}
MEANS = {"p50": ("middle", 0.5), "p95": ("judged", 0.95), "p99": ("judged", 0.99)}


@dataclass(frozen=True, kw_only=True)
class PerformanceAnswers:
    """Answers each row with the latency to expect under its load and instances, given the state an hour before.

    Columns of the answer: ``workload`` (a balancer's rows are answered for the fleet behind it), ``p50_latency``,
    ``p95_latency``, ``p99_latency`` (milliseconds), ``objective``, ``breach_probability`` (that the judged latency
    passes it), and ``note`` (why there is no answer). Where the source has 95th percentiles, ``p95`` is the one to
    expect and ``p99`` the one that 19 of 20 periods stay below; where it has means only, the three are quantiles of
    the mean over periods. An hour of history in the rows sharpens the answer; without it the usual state is assumed.
    """

    recipe: str
    schema: tuple[Field, ...]
    model: PerformanceModel | RuleModel
    rival: RuleModel
    layout: Layout
    objectives: Mapping[str, float]
    judged: Mapping[str, str]
    trained_until: datetime

    @property
    def is_rule(self) -> bool:
        """True when a simple rule answers."""
        return isinstance(self.model, RuleModel)

    def predict(self, rows: pl.DataFrame) -> pl.DataFrame:
        """One answer per row, in the order given; never looks past the row's own time.

        Raises:
            SchemaError: there is no request count.
        """
        if not {RESOURCE, TIMESTAMP} <= set(rows.columns) or not set(INPUTS[:2]) & set(rows.columns):
            raise SchemaError(
                f"needs {RESOURCE}, {TIMESTAMP} and request_count", where=self.recipe, hint=f"there is {rows.columns}"
            )
        keys = rows.select(RESOURCE, TIMESTAMP).with_columns(workload=pl.col(RESOURCE).replace(self.layout.behind))
        try:
            seen = with_latencies(workloads(rows, self.layout).table)
        except SchemaError:
            seen = None
        if seen is None:
            answers = self._table(keys.select(pl.col("workload").alias(RESOURCE), TIMESTAMP).clear(), None)
        else:
            answers = self._table(seen.select(RESOURCE, TIMESTAMP), situations(seen, seen, self.objectives))
        return keys.join(
            answers.rename({RESOURCE: "workload"}), on=["workload", TIMESTAMP], how="left", maintain_order="left"
        ).with_columns(note=pl.when(pl.col("p50_latency").is_null()).then(pl.lit("the row's requests are unknown")))

    def answer(self, asked: Situation, objectives: Mapping[str, float] | None = None) -> pl.DataFrame:
        """The figures of `predict` for situations, one row each; see `situations`.

        Args:
            asked: what is to be served, with what, in which state.
            objectives: milliseconds by workload instead of those of training.
        """
        objective = asked.objective
        if objectives is not None:
            own = np.array([objectives.get(str(n), np.nan) for n in asked.resource])
            objective = np.where(np.isfinite(own), own, objective)
        by_mean = np.array([self.judged.get(str(n)) not in JUDGED[:2] for n in asked.resource])
        levels = {(k, level) for said in (PERCENTILES, MEANS) for k, level in said.values()}
        figures = {
            (k, level): self.model.quantiles(asked, KINDS.index(k), [level])[:, 0] for k, level in sorted(levels)
        }
        said = np.stack([np.where(by_mean, figures[MEANS[p]], figures[PERCENTILES[p]]) for p in PERCENTILES])
        said = np.maximum.accumulate(said, axis=0)
        columns = {f"{p}_latency": pl.Series(v).fill_nan(None) for p, v in zip(PERCENTILES, said, strict=True)}
        return pl.DataFrame(
            columns
            | {
                "objective": pl.Series(objective).fill_nan(None),
                "breach_probability": pl.Series(self.model.passes(asked, asked.about, objective)).fill_nan(None),
            }
        )

    def files(self) -> dict[str, bytes]:
        """A bundle that the recipe's ``load`` reads: plain JSON, no pickle."""
        body = {
            "schema": [vars(f) for f in self.schema],
            "kind": "rule" if self.is_rule else "network",
            "model": self.model.to_json(),
            "rival": self.rival.to_json(),
            "layout": {"fronts": dict(self.layout.fronts), "periods": dict(self.layout.periods)},
            "objectives": dict(self.objectives),
            "judged": dict(self.judged),
            "trained_until": self.trained_until.isoformat(),
        }
        return files.bundle(self.recipe, body, {})

    def _table(self, keys: pl.DataFrame, asked: Situation | None) -> pl.DataFrame:
        names = [f"{p}_latency" for p in PERCENTILES] + ["objective", "breach_probability"]
        if asked is None:
            return keys.with_columns(pl.lit(None, pl.Float64).alias(n) for n in names)
        return keys.hstack(self.answer(asked))


@dataclass(frozen=True)
class PerformancePredictor:
    """A monotone network on load, instances and state, against latency as usual and as an hour ago.

    Attributes:
        objective_ms: the latency that no workload shall pass; default one and a quarter of each one's usual latency.
    """

    objective_ms: float | None = None
    name: str = "performance-predictor"
    feature: str | None = None
    summary: str = "foretells p50, p95 and p99 latency and the risk of breaking the objective, by load and instances"

    def fit(
        self,
        frame: MetricFrame,
        *,
        seed: int,
        champion: Predictor | None = None,
        simulated: bool = False,
        labels: pl.DataFrame | None = None,  # noqa: ARG002 - of alarms, and this raises none
        progress: Progress = silent,
    ) -> TrainedModel:
        """See `aws_auto.protocols.Recipe.fit`.

        Raises:
            NotEnoughData: fewer than eight days, or latency that hardly ever rises.
            SchemaError: no request count with a latency.
        """
        found = workloads(frame.data)
        if not found.latencies:
            raise SchemaError(
                f"no latency: none of {', '.join(LATENCIES)} beside a request count",
                where=self.name,
                hint="collect the load balancer's response times",
            )
        table = with_latencies(found.table)
        border = recipe.held_back_from(table, where=self.name)
        past = table.filter(pl.col(TIMESTAMP) < border)
        objectives = objectives_of(past, self.objective_ms)
        test = every(table.filter(pl.col(TIMESTAMP) >= border, pl.col("judged").is_not_null()), MOST_JUDGED)
        asked = situations(test, table, objectives)
        progress("fit on the past", 0, 2)
        learned = every(past, MOST_LEARNED)
        rows, known = situations(learned, past, objectives), truth_of(learned)
        self._refuse_if_quiet(rows, known)
        trial = PerformanceModel.fit(rows, known, seed=seed)
        answers: dict[str, PerformanceModel | RuleModel] = {
            "ours": trial,
            **{name: RuleModel.fit(name, rows, known) for name in RULES},
        }
        notes = [about_objective(self.objective_ms), *_fronts(found.layout)]
        since, origin = None, recipe.lineage(frame, seed=seed, simulated=simulated)
        if isinstance(champion, PerformanceAnswers):
            answers["champion"] = champion.model
            since, said = recipe.fresh_from(champion.trained_until, border=border, end=origin.end)
            notes += said
        tests = contests_of(answers, asked, test, seed=seed, fresh_from=since)
        decision, reason = recipe.decide(
            tests, champion_is_rule=isinstance(champion, PerformanceAnswers) and champion.is_rule
        )
        progress("fit on everything", 1, 2)
        learned = every(table, MOST_LEARNED)
        everything, truth = situations(learned, table, objectives), truth_of(learned)
        rival = RuleModel.fit(tests[0].baseline_name, everything, truth)
        final = PerformanceModel.fit(everything, truth, seed=seed).calibrated_as(trial, asked, truth_of(test))
        seen = [n for n in (*INPUTS, *LATENCIES) if n in frame.data.columns and frame.data[n].count()]
        fields = recipe.schema(frame.data, required=[], optional=seen)
        predictor = PerformanceAnswers(
            recipe=self.name,
            schema=fields,
            model=rival if decision is Decision.SIMPLE_RULE else final,
            rival=rival,
            layout=found.layout,
            objectives=objectives_of(table, self.objective_ms),
            judged=judged_columns(table),
            trained_until=origin.end,
        )
        report = TrainReport(
            recipe=self.name,
            decision=decision,
            reason=reason,
            backtests=tests,
            calibration=promised_of(trial, asked, truth_of(test)),
            lineage=origin,
            charts=charts_of(answers, tests[0].baseline_name, asked, test),
            notes=tuple(notes),
        )
        return recipe.packed(predictor, frame, report, seed=seed)

    @property
    def history(self) -> timedelta:
        """See `aws_auto.protocols.Recipe.history`: the state of an hour ago."""
        return LAG + STALE

    def evaluate(self, given: Mapping[str, bytes], frame: MetricFrame, *, since: datetime) -> Quality | None:
        """See `aws_auto.protocols.Recipe.evaluate`."""
        predictor = self.load(given)
        try:
            table = with_latencies(workloads(frame.data, predictor.layout).table)
        except SchemaError:
            return None
        new = every(table.filter(pl.col(TIMESTAMP) >= since, pl.col("judged").is_not_null()), MOST_JUDGED)
        asked = situations(new, table, predictor.objectives)
        if not np.isfinite(asked.objective).any():
            return None
        tests = contests_of({"ours": predictor.model, predictor.rival.name: predictor.rival}, asked, new, seed=0)
        return Quality(backtest=tests[0])

    def load(self, given: Mapping[str, bytes]) -> PerformanceAnswers:
        """See `aws_auto.protocols.Recipe.load`."""
        body, _ = files.open_bundle(given, self.name)
        try:
            return PerformanceAnswers(
                recipe=self.name,
                schema=tuple(Field(**f) for f in body["schema"]),
                model=(RuleModel if body["kind"] == "rule" else PerformanceModel).from_json(body["model"]),
                rival=RuleModel.from_json(body["rival"]),
                layout=Layout(**body["layout"]),
                objectives=body["objectives"],
                judged=body["judged"],
                trained_until=datetime.fromisoformat(body["trained_until"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ArtifactError(
                f"does not hold what a model of {self.name} holds: {error}", where=files.META
            ) from error

    def _refuse_if_quiet(self, rows: Situation, truth: Floats) -> None:
        judged = truth[:, rows.about]
        known = np.isfinite(judged) & np.isfinite(rows.objective)
        breaches = int((judged > rows.objective)[known].sum())
        if known.sum() < LEAST_ROWS or breaches < LEAST_BREACHES:
            raise NotEnoughData(
                f"latency passed its objective in {breaches} of {int(known.sum())} rows, at least {LEAST_BREACHES} of"
                f" {LEAST_ROWS} are needed to learn when it does",
                where=self.name,
            )


def truth_of(table: pl.DataFrame) -> Floats:
    """Latencies of the kinds, NaN where unknown, ``(n, kinds)``."""
    return np.asarray(table.select(pl.col(k).cast(pl.Float64).fill_null(np.nan) for k in KINDS).to_numpy())


def judged_columns(table: pl.DataFrame) -> dict[str, str]:
    """Which latency column is judged, by workload."""
    there = [n for n in JUDGED if n in table.columns]
    own = table.group_by(RESOURCE).agg(pl.col(n).count() for n in there).sort(RESOURCE)
    return {row[RESOURCE]: n for row in own.iter_rows(named=True) for n in reversed(there) if row[n]}


def every(table: pl.DataFrame, most: int) -> pl.DataFrame:
    """Every k-th row, so that at most ``most`` are left."""
    return table.gather_every(max(-(-len(table) // most), 1))


def _fronts(layout: Layout) -> list[str]:
    return [f"{fleet} is judged by the latency of {front}" for fleet, front in sorted(layout.fronts.items())]
