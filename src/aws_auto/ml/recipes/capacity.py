"""capacity-planner: the instances that a demand asks for, and the cheapest fleet for the next hours."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from aws_auto.errors import ArtifactError, NotEnoughData, SchemaError
from aws_auto.frame import RESOURCE, TIMESTAMP
from aws_auto.ml import files
from aws_auto.ml.evaluation import metrics
from aws_auto.ml.evaluation.backtest import Contest, judge, plain_loss, typical_loss
from aws_auto.ml.recipes import charts, recipe
from aws_auto.ml.scaling import capacity
from aws_auto.ml.scaling.capacity import GROUPS, LEVELS, Examples, ExcessModel, Knee
from aws_auto.ml.scaling.performance import about_objective, objectives_of, with_latencies
from aws_auto.ml.scaling.workload import LATENCIES, Layout, workloads
from aws_auto.protocols import Progress, silent
from aws_auto.results import Calibration, Chart, Decision, Field, Quality, TrainedModel, TrainReport

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from aws_auto.frame import MetricFrame
    from aws_auto.protocols import Predictor
    from aws_auto.results import BackTest

    Floats = NDArray[np.float64]

RULE = "proportional scaling"
INPUTS = (
    "request_count",
    "request_count_sum",
    "instance_count",
    "cpu_utilization",
    "error_rate",
    "hourly_cost",
    *LATENCIES,
)
#: An instance too few costs as much as this many too many: the rate of the 90 % quantile.
SCARCE = 9.0


@dataclass(frozen=True, kw_only=True)
class CapacityAnswers:
    """Answers each row with the instances that its requests ask for, from the state of the hour before.

    Columns of the answer: ``workload``, ``expected_instances``, ``low_instances``, ``high_instances`` (80 %, not
    rounded), ``instances`` (whole, enough in nine hours of ten), and ``note`` (why there is no answer).
    """

    recipe: str
    schema: tuple[Field, ...]
    model: ExcessModel
    rival: ExcessModel
    known: Mapping[str, Knee]
    objectives: Mapping[str, float]
    layout: Layout
    trained_until: datetime

    @property
    def is_rule(self) -> bool:
        """True when proportional scaling answers."""
        return self.model.booster is None

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
        schema = dict.fromkeys(("expected", "low", "high"), pl.Float64) | {"instances": pl.Int64}
        try:
            table = self.table(rows)
        except SchemaError:
            table = None
        if table is None or table.is_empty():
            empty = {n if n == "instances" else f"{n}_instances": pl.lit(None, t) for n, t in schema.items()}
            return keys.with_columns(**empty, note=pl.lit("nothing is known of this workload"))
        asked = self.question(table, table.select(RESOURCE, TIMESTAMP, "load"), step=1)
        need = asked["proportional"].to_numpy()[:, None] * np.exp(
            self.model.quantiles(asked[RESOURCE].to_list(), capacity.features(asked))
        )
        answers = asked.select(pl.col(RESOURCE).alias("workload"), TIMESTAMP).with_columns(
            expected_instances=need[:, 1],
            low_instances=need[:, 0],
            high_instances=need[:, 2],
            instances=pl.Series(np.maximum(np.ceil(need[:, 2] - 1e-9), 1).astype(np.int64)),
        )
        return keys.join(answers, on=["workload", TIMESTAMP], how="left", maintain_order="left").with_columns(
            note=pl.when(pl.col("instances").is_null()).then(pl.lit("nothing is known of this workload"))
        )

    def table(self, rows: pl.DataFrame) -> pl.DataFrame:
        """The known workloads in these rows, with latencies.

        Raises:
            SchemaError: there is none.
        """
        found = with_latencies(workloads(rows, self.layout).table)
        return found.filter(pl.col(RESOURCE).is_in(list(self.known)), pl.col("load") > 0)

    def question(self, table: pl.DataFrame, targets: pl.DataFrame, *, step: int) -> pl.DataFrame:
        """See `aws_auto.ml.scaling.capacity.question`, from the hours of this table."""
        hours = capacity.hourly(table, self.known)
        return capacity.question(hours, targets, self.known, self.objectives, step=step)

    def files(self) -> dict[str, bytes]:
        """A bundle that the recipe's ``load`` reads: JSON and a booster in UBJ."""
        parts = {} if self.model.booster is None else {"excess.ubj": files.to_ubj(self.model.booster)}
        body = {
            "schema": [vars(f) for f in self.schema],
            "groups": list(self.model.groups),
            "own": {n: list(q) for n, q in self.rival.own.items()},
            "known": {n: {**vars(k), "price": None if np.isnan(k.price) else k.price} for n, k in self.known.items()},
            "objectives": dict(self.objectives),
            "layout": {"fronts": dict(self.layout.fronts), "periods": dict(self.layout.periods)},
            "trained_until": self.trained_until.isoformat(),
        }
        return files.bundle(self.recipe, body, parts)


@dataclass(frozen=True)
class CapacityPlanner:
    """Boosted quantiles of the fleet that each hour needed, against proportional scaling.

    Attributes:
        objective_ms: the latency that no workload shall pass; default one and a quarter of each one's usual latency.
        groups: which of the documented groups of features are looked at.
    """

    objective_ms: float | None = None
    groups: tuple[str, ...] = tuple(GROUPS)
    name: str = "capacity-planner"
    feature: str | None = None
    summary: str = "says how many instances a demand asks for, and plans the cheapest fleet for the next hours"

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
            NotEnoughData: fewer than eight days.
            SchemaError: nothing has requests, instances and CPU.
        """
        found = workloads(frame.data)
        table = with_latencies(found.table)
        objectives = objectives_of(table, self.objective_ms)
        known = capacity.knees(table, objectives)
        if not known:
            raise SchemaError(
                "no fleet: nothing has a request count, instances and CPU together",
                where=self.name,
                hint="collect a fleet with instance_count and cpu_utilization, and the requests in front of it",
            )
        border = recipe.held_back_from(table, where=self.name)
        past = table.filter(pl.col(TIMESTAMP) < border)
        earlier = capacity.knees(past, objectives_of(past, self.objective_ms))
        if not earlier:
            raise NotEnoughData("too few hours with requests, instances and CPU", where=self.name)
        rows = capacity.examples(capacity.hourly(table, earlier), earlier, objectives)
        before = (rows.keys[TIMESTAMP] < border).to_numpy()
        if not before.any() or before.all():
            raise NotEnoughData("too few hours with requests, instances and CPU", where=self.name)
        progress("fit on the past", 0, 2)
        models = {
            "ours": ExcessModel.fit(rows.take(before), groups=self.groups, seed=seed),
            RULE: ExcessModel.fit(rows.take(before), seed=seed, boosted=False),
        }
        notes = [
            about_objective(self.objective_ms),
            "judged with demand known: what is judged is the step to instances",
        ]
        blind = {n: k.utilisation for n, k in known.items() if not k.measured}
        notes += [f"no latency tells how busy {n} may be: {share:.0%} is assumed" for n, share in blind.items()]
        test, origin = rows.take(~before), recipe.lineage(frame, seed=seed, simulated=simulated)
        since = None
        if isinstance(champion, CapacityAnswers) and set(champion.known) >= set(known):
            models["champion"] = champion.model
            since, said = recipe.fresh_from(champion.trained_until, border=border, end=origin.end)
            notes += said
        tests = contests(models, test, earlier, seed=seed, fresh_from=since)
        decision, reason = recipe.decide(
            tests, champion_is_rule=isinstance(champion, CapacityAnswers) and champion.is_rule
        )
        progress("fit on everything", 1, 2)
        everything = capacity.examples(capacity.hourly(table, known), known, objectives)
        rival = ExcessModel.fit(everything, seed=seed, boosted=False)
        seen = [n for n in INPUTS if n in frame.data.columns and frame.data[n].count()]
        fields = recipe.schema(frame.data, required=[], optional=seen)
        predictor = CapacityAnswers(
            recipe=self.name,
            schema=fields,
            model=rival
            if decision is Decision.SIMPLE_RULE
            else ExcessModel.fit(everything, groups=self.groups, seed=seed),
            rival=rival,
            known=known,
            objectives=objectives,
            layout=found.layout,
            trained_until=origin.end,
        )
        report = TrainReport(
            recipe=self.name,
            decision=decision,
            reason=reason,
            backtests=tests,
            calibration=_calibration(models["ours"], test),
            lineage=origin,
            charts=_charts(models, test, earlier),
            notes=tuple(notes),
        )
        return recipe.packed(predictor, frame, report, seed=seed)

    @property
    def history(self) -> timedelta:
        """See `aws_auto.protocols.Recipe.history`: work of the last day, and of the same hour of yesterday."""
        return timedelta(days=2)

    def evaluate(self, given: Mapping[str, bytes], frame: MetricFrame, *, since: datetime) -> Quality | None:
        """See `aws_auto.protocols.Recipe.evaluate`."""
        predictor = self.load(given)
        try:
            table = predictor.table(frame.data)
        except SchemaError:
            return None
        rows = capacity.examples(capacity.hourly(table, predictor.known), predictor.known, predictor.objectives)
        new = (rows.keys[TIMESTAMP] >= since).to_numpy()
        if not new.any():
            return None
        models = {"ours": predictor.model, RULE: predictor.rival}
        return Quality(backtest=contests(models, rows.take(new), predictor.known, seed=0)[0])

    def load(self, given: Mapping[str, bytes]) -> CapacityAnswers:
        """See `aws_auto.protocols.Recipe.load`."""
        body, parts = files.open_bundle(given, self.name)
        try:
            own = {n: tuple(q) for n, q in body["own"].items()}
            booster = files.from_ubj(parts["excess.ubj"]) if "excess.ubj" in parts else None
            groups = tuple(body["groups"])
            return CapacityAnswers(
                recipe=self.name,
                schema=tuple(Field(**f) for f in body["schema"]),
                model=ExcessModel(booster, groups, own),
                rival=ExcessModel(None, groups, own),
                known={
                    n: Knee(**{**k, "price": np.nan if k["price"] is None else k["price"]})
                    for n, k in body["known"].items()
                },
                objectives=body["objectives"],
                layout=Layout(**body["layout"]),
                trained_until=datetime.fromisoformat(body["trained_until"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ArtifactError(
                f"does not hold what a model of {self.name} holds: {error}", where=files.META
            ) from error


def contests(
    models: Mapping[str, ExcessModel],
    test: Examples,
    known: Mapping[str, Knee],
    *,
    seed: int,
    fresh_from: datetime | None = None,
) -> tuple[BackTest, ...]:
    """Quantile loss of the need, then what whole instances at the 90 % quantile cost in idle and missing ones.

    Args:
        models: ``ours``, the rules, and perhaps ``champion``.
        test: what they are judged on.
        known: workloads.
        seed: of the interval.
        fresh_from: where that begins which the champion has not seen; None leaves it out.
    """
    names = test.keys[RESOURCE].to_list()
    usual = np.array([known[n].usual_instances for n in names])
    proportional, need = test.keys["proportional"].to_numpy(), test.keys["need"].to_numpy()
    spread: dict[str, Floats] = {}
    whole: dict[str, Floats] = {}
    for name, model in models.items():
        said = proportional[:, None] * np.exp(model.quantiles(names, test.inputs))
        spread[name] = metrics.pinball(need / usual, said / usual[:, None], LEVELS)
        fleet = np.maximum(np.ceil(said[:, LEVELS.index(0.9)] - 1e-9), 1)
        off = fleet - np.maximum(np.ceil(need - 1e-9), 1)
        whole[name] = np.where(off < 0, -SCARCE * off, off) / usual
    words = (
        ("quantile loss of the instances needed, typical workload", "share of usual instances", spread, typical_loss),
        (f"instances idle, and {SCARCE:g} times those missing", "share of usual instances", whole, plain_loss),
    )
    new = np.zeros(len(need), bool) if fresh_from is None else (test.keys[TIMESTAMP] >= fresh_from).to_numpy()
    tests = []
    for metric, unit, losses, statistic in words:
        parts = {name: _by_day(loss, test) for name, loss in losses.items() if name != "champion"}
        contest = Contest(
            metric=metric,
            unit=unit,
            unit_of_n="held-back days",
            ours=parts.pop("ours"),
            baselines=parts,
            statistic=statistic,
            fresh={n: _by_day(loss[new], test.take(new)) for n, loss in losses.items()} if new.any() else None,
        )
        tests.append(judge(contest, seed=seed))
    return tuple(tests)


def _by_day(loss: Floats, test: Examples) -> Floats:
    """Sum and count by held-back day and workload, ``(days, workloads, 2)``."""
    _, day = np.unique(test.keys[TIMESTAMP].dt.date().to_numpy(), return_inverse=True)
    _, who = np.unique(test.keys[RESOURCE].to_numpy(), return_inverse=True)
    out = np.zeros((day.max() + 1, who.max() + 1, 2))
    np.add.at(out[..., 0], (day, who), loss)
    np.add.at(out[..., 1], (day, who), 1.0)
    return out


def _calibration(model: ExcessModel, test: Examples) -> tuple[Calibration, ...]:
    said = model.quantiles(test.keys[RESOURCE].to_list(), test.inputs)
    return tuple(
        Calibration(
            what=f"need at or below the {level:.1%} quantile",
            nominal=level,
            observed=float((test.excess <= said[:, i]).mean()),
            n=len(test.excess),
        )
        for i, level in enumerate(LEVELS)
    )


def _charts(models: Mapping[str, ExcessModel], test: Examples, known: Mapping[str, Knee]) -> tuple[Chart, ...]:
    biggest = max(known, key=lambda n: known[n].usual_instances)
    mine = test.of(biggest) & (test.keys["step"] == 1).to_numpy()
    shown = test.take(mine)
    scale = shown.keys["proportional"].to_numpy()[:, None]
    quantiles = scale * np.exp(models["ours"].quantiles([biggest] * len(shown.excess), shown.inputs))
    days = sorted(set(test.keys[TIMESTAMP].dt.date()))
    names = test.keys[RESOURCE].to_list()
    losses = {
        name: plain_loss(_by_day(metrics.pinball(test.excess, models[key].quantiles(names, test.inputs), LEVELS), test))
        for name, key in (("ours", "ours"), (RULE, RULE))
    }
    return (
        charts.band(
            f"Instances that each hour needed: {biggest}",
            times=shown.keys[TIMESTAMP].to_list(),
            truth=shown.keys["need"].to_numpy(),
            quantiles=quantiles[:, :3],
            y_title="instances",
            note="held-back hours, asked about an hour before with their demand known",
            name="needed, with 80 % interval",
        ),
        charts.daily("Quantile loss per day", days=days, losses=losses, y_title="log of need over proportional"),
        charts.promised("Calibration", _calibration(models["ours"], test)),
    )
