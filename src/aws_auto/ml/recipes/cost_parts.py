"""The four models behind `aws_auto.CostOptimizationAI`: each is fitted with a report, and answers about features."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from aws_auto.errors import NotEnoughData, NotFitted, SchemaError
from aws_auto.frame import RESOURCE, TIMESTAMP, like
from aws_auto.ml.cost import cost_forecast_scores as scoring
from aws_auto.ml.cost import usage_patterns
from aws_auto.ml.evaluation.backtest import Contest, judge, plain_loss
from aws_auto.ml.recipes import recipe
from aws_auto.ml.recipes.resource import ResourceOptimizer, answers_now
from aws_auto.results import Calibration, Decision, TrainReport

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from aws_auto.ml.cost.cost_features import CostFeatures
    from aws_auto.ml.cost.cost_forecast_scores import CostScorer, DayScore
    from aws_auto.ml.cost.usage_patterns import UsageClassifier, UsagePattern
    from aws_auto.protocols import Predictor, Progress
    from aws_auto.results import BackTest, Lineage

    Floats = NDArray[np.float64]

TRAIN_FIRST = "call train_cost_optimization_model() first"
HOURS_A_MONTH = 730
#: The detector is tried on days that were made this much dearer.
_INJECTED = 1.5
_HELD_BACK = 60
_MOST_FALSE = 0.01


@dataclass
class CostPredictor:
    """Cost of the coming day by resource; with a bill, of the coming fortnight by service."""

    predictor: Predictor | None = None

    def fit(self, features: CostFeatures, *, seed: int, progress: Progress) -> TrainReport:
        """Train the recipe ``cost-optimizer``, as the command line does.

        Raises:
            NotEnoughData: fewer than ten days, or nothing that costs anything.
            SchemaError: there is no ``hourly_cost``.
        """
        from aws_auto.ml.recipes.cost import CostOptimizer

        model = CostOptimizer().fit(features.frame, seed=seed, progress=progress)
        self.predictor = CostOptimizer().load(model.files)
        return model.report

    def predict(self, features: CostFeatures) -> Any:  # noqa: ANN401 - of the kind that was given
        """With a bill an `aws_auto.ml.cost.cost_forecast.CostForecast`; else a table, one row per row.

        Raises:
            NotFitted: `fit` was not called.
            NotEnoughData: the bill holds fewer than eight whole days.
        """
        from aws_auto.ml.cost.cost_forecast import forecast_cost

        if self.predictor is None:
            raise NotFitted("the cost predictor was not trained", hint=TRAIN_FIRST)
        if features.bill is not None:
            return forecast_cost(features.bill)
        return like(features.given, self.predictor.predict(features.frame.data))


@dataclass
class Optimizer:
    """What could be saved: rules and learned sizes in the order of netting, each resource once."""

    predictor: Predictor | None = None

    def fit(self, features: CostFeatures, *, seed: int, progress: Progress, origin: Lineage) -> TrainReport:
        """Learn sizes (`resource-optimizer`) where there is enough to learn from; the rules need no training."""
        notes = ("champion: rules and learned sizes; no reinforcement learning is part of it",)
        try:
            model = ResourceOptimizer().fit(features.frame, seed=seed, progress=progress)
        except (NotEnoughData, SchemaError) as missing:
            return TrainReport(
                recipe="optimizer",
                decision=Decision.SIMPLE_RULE,
                reason=f"rules alone: {missing.message}",
                backtests=(),
                calibration=(),
                lineage=origin,
                notes=notes,
            )
        self.predictor = ResourceOptimizer().load(model.files)
        report = model.report
        return TrainReport(**{**vars(report), "recipe": "optimizer", "notes": (*report.notes, *notes)})

    def predict(self, features: CostFeatures) -> list[dict[str, Any]]:
        """One dict for each opportunity, dearest first within its kind.

        Keys: ``resources``, ``kind``, ``what``, ``evidence``, ``saving`` (``expected``, ``low``, ``high`` a month and
        ``currency``; None is unknown), ``trouble`` (a probability, None is unknown), ``command``.
        """
        return self._from_bill(features) if features.bill is not None else self._from_metrics(features)

    def _from_bill(self, features: CostFeatures) -> list[dict[str, Any]]:
        from aws_auto.ml.cost.commitments_used import last_moment
        from aws_auto.ml.cost.recommend import recommend

        assert features.bill is not None  # noqa: S101 - the caller looked
        said = recommend(features.bill, now=last_moment(features.bill), metrics=features.frame)
        return [
            {
                "resources": list(one.resources),
                "kind": one.kind,
                "what": one.what,
                "evidence": one.evidence.name,
                "saving": vars(one.saving),
                "trouble": one.trouble,
                "command": one.command,
            }
            for one in said.items
        ]

    def _from_metrics(self, features: CostFeatures) -> list[dict[str, Any]]:
        from aws_auto.ml.cost.idle import idle

        rows = features.frame.data
        found: list[dict[str, Any]] = [
            {
                "resources": [one.resource_id],
                "kind": "idle",
                "what": "stop it, or say why it must run",
                "evidence": f"CPU never above {one.highest_cpu:.1f} % in {one.days:.0f} days",
                "saving": _money(one.monthly_usd, one.monthly_usd),
                "trouble": None,
                "command": None,
            }
            for one in idle(rows)
        ]
        quiet = {name for one in found for name in one["resources"]}
        return [*found, *(one for one in self._sizes(rows) if one["resources"][0] not in quiet)]

    def _sizes(self, rows: pl.DataFrame) -> list[dict[str, Any]]:
        if self.predictor is None:
            return []
        costs = {}
        if "hourly_cost" in rows.columns:
            costs = dict(rows.group_by(RESOURCE).agg(pl.col("hourly_cost").mean() * HOURS_A_MONTH).iter_rows())
        return [
            {
                "resources": [one[RESOURCE]],
                "kind": "rightsize",
                "what": f"make it a {one['size']}: {one['saving']:.0%} less an hour",
                "evidence": "the highest CPU of each hour of 14 days",
                "saving": _money(one["saving"] * cost, one["saving"] * cost)
                if (cost := costs.get(one[RESOURCE]))
                else None,
                "trouble": one["risk"],
                "command": None,
            }
            for one in answers_now(self.predictor, rows)
            if one["saving"] > 0
        ]


@dataclass
class UsageAnalyzer:
    """Idle, steady, periodic, bursty, growing or always-on."""

    classifier: UsageClassifier | None = None

    def fit(self, features: CostFeatures, *, seed: int, origin: Lineage) -> TrainReport:
        """Learn the words from made series; the figures are of other made series, beside a list of thresholds."""
        self.classifier = usage_patterns.UsageClassifier.fit(seed=seed)
        known, labels = usage_patterns.examples(_HELD_BACK, seed=seed + 1)
        share = self.classifier.probabilities(known)
        said = share.argmax(axis=1)
        test = _contest(
            "accuracy", said == labels, "a list of thresholds", usage_patterns.by_rule(known) == labels, seed
        )
        decision, reason = recipe.decide([test])
        stated = Calibration(
            what="patterns that are right",
            nominal=float(share.max(axis=1).mean()),
            observed=float((said == labels).mean()),
            n=len(labels),
        )
        return TrainReport(
            recipe="usage_classifier",
            decision=decision,
            reason=reason,
            backtests=(test,),
            calibration=(stated,),
            lineage=origin,
            notes=("taught and judged on made series: no account has labels", *self._in_both_halves(features)),
        )

    def analyze(self, features: CostFeatures) -> tuple[UsagePattern, ...]:
        """One pattern for each resource; of a resource without 14 days, why there is none.

        Raises:
            NotFitted: `fit` was not called.
        """
        if self.classifier is None:
            raise NotFitted("the usage classifier was not trained", hint=TRAIN_FIRST)
        if not set(usage_patterns.METRICS) & set(features.frame.data.columns):
            return ()
        return self.classifier.analyze(features.frame.data)

    def _in_both_halves(self, features: CostFeatures) -> list[str]:
        times = features.frame.data[TIMESTAMP]
        half = times.min() + (times.max() - times.min()) / 2  # type: ignore[operator]
        rows = features.frame.data
        if self.classifier is None or not set(usage_patterns.METRICS) & set(rows.columns):
            return []
        first, second = (
            {one.resource_id: one.pattern for one in self.classifier.analyze(part) if one.pattern}
            for part in (rows.filter(pl.col(TIMESTAMP) < half), rows.filter(pl.col(TIMESTAMP) >= half))
            if len(part)
        )
        both = [name for name in first if name in second]
        same = sum(first[name] == second[name] for name in both)
        return [f"on your data {same} of {len(both)} resources have one pattern in both halves"] if both else []


@dataclass
class CostAnomalyDetector:
    """How unusual the newest day of each resource is."""

    scorer: CostScorer | None = field(default=None)

    def fit(self, features: CostFeatures, *, seed: int, validation_split: float, origin: Lineage) -> TrainReport:
        """Learn what is usual; judged on the last days, a tenth of them made dearer.

        Raises:
            NotEnoughData: too few whole days.
            SchemaError: there is no ``hourly_cost``.
        """
        table = scoring.daily_table(features.frame.data)
        cut = len(table.days) - max(1, round(validation_split * len(table.days)))
        past = scoring.DailyTable(table.names, table.days[:cut], table.costs[:, :cut])
        trial = scoring.CostScorer.fit(past, seed=seed)
        self.scorer = scoring.CostScorer.fit(table, seed=seed)
        tests = _found(trial, table, past, cut, seed)
        decision, reason = recipe.decide(tests) if tests else (Decision.SIMPLE_RULE, "no day could be made dearer")
        scores, _ = trial.scores(table.costs, range(cut, len(table.days)))
        known = scores[np.isfinite(scores)]
        alarms = Calibration(
            what="days called unusual that were left as they are",
            nominal=_MOST_FALSE,
            observed=float((known >= scoring.UNUSUAL).sum() / max(len(known), 1)),
            n=len(known),
        )
        return TrainReport(
            recipe="anomaly_detector",
            decision=decision,
            reason=reason,
            backtests=tests,
            calibration=(alarms,),
            lineage=origin,
            notes=("an isolation forest beside the residual of a forecast; the score weighs both alike",),
        )

    def predict(self, features: CostFeatures) -> tuple[DayScore, ...]:
        """The newest whole day of each resource, most unusual first; nothing where no cost is known.

        Raises:
            NotFitted: `fit` was not called.
        """
        if self.scorer is None:
            raise NotFitted("the anomaly detector was not trained", hint=TRAIN_FIRST)
        try:
            table = scoring.daily_table(features.frame.data)
        except (NotEnoughData, SchemaError):
            return ()
        return self.scorer.predict(table)


def _found(
    trial: CostScorer, table: scoring.DailyTable, past: scoring.DailyTable, cut: int, seed: int
) -> tuple[BackTest, ...]:
    """Dearer days that were found at one false alarm in a hundred training days, beside the distance from a median."""
    dearer, changed = scoring.injected(table, first=cut, factor=_INJECTED, seed=seed)
    days = range(cut, len(table.days))
    scores, _ = trial.scores(dearer.costs, days)
    theirs = scoring.distances(dearer.costs, days)
    usual = scoring.distances(past.costs, range(scoring.LEARN, cut))
    hit = changed[:, cut:] & np.isfinite(scores)
    if not hit.any():
        return ()
    far = theirs[hit] > np.nanquantile(usual, 1.0 - _MOST_FALSE)
    ours = scores[hit] >= scoring.UNUSUAL
    return (
        _contest(f"days made {_INJECTED:g} times dearer that were found", ours, "distance from the week", far, seed),
    )


def _contest(metric: str, ours: NDArray[np.bool_], name: str, theirs: NDArray[np.bool_], seed: int) -> BackTest:
    def parts(right: NDArray[np.bool_]) -> Floats:
        return np.stack([right.astype(float), np.ones(len(right))], axis=-1)[:, None]

    return judge(
        Contest(
            metric=metric,
            unit="share",
            unit_of_n="series" if metric == "accuracy" else "days",
            ours=parts(ours),
            baselines={name: parts(theirs)},
            statistic=plain_loss,
            lower_is_better=False,
        ),
        seed=seed,
    )


def _money(expected: float, high: float) -> dict[str, Any]:
    return {"expected": expected, "low": 0.0, "high": high, "currency": "USD"}
