"""anomaly-detector: which points lie outside of what each resource's own past says, within a budget of alarms."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from aws_auto.errors import NotEnoughData, SchemaError
from aws_auto.frame import STATISTICS
from aws_auto.ml.anomaly.detector import FleetDetector
from aws_auto.ml.anomaly.ensemble import Ensemble
from aws_auto.ml.anomaly.grid import grids
from aws_auto.ml.anomaly.labels import by_resource
from aws_auto.ml.anomaly.rules import RULES
from aws_auto.ml.anomaly.settings import AnomalySettings
from aws_auto.ml.anomaly.teaching import teach
from aws_auto.ml.evaluation.backtest import split
from aws_auto.ml.recipes import anomaly_trial, recipe
from aws_auto.ml.recipes.anomaly_predictor import AnomalyPredictor
from aws_auto.protocols import Progress, silent
from aws_auto.results import Decision, Field, TrainedModel, TrainReport

if TYPE_CHECKING:
    from collections.abc import Mapping

    import polars as pl

    from aws_auto.frame import MetricFrame
    from aws_auto.ml.anomaly.grid import ResourceGrid
    from aws_auto.ml.anomaly.labels import Labels
    from aws_auto.ml.anomaly.teaching import Taught
    from aws_auto.protocols import Predictor
    from aws_auto.results import BackTest, Quality

LEAST_DAYS = 8
#: Resources that the back-test is made on.
MOST_JUDGED = 100


@dataclass(frozen=True)
class AnomalyDetector:
    """An ensemble of detectors per series, against three simple rules at the same budget of false alarms."""

    name: str = "anomaly-detector"
    feature: str | None = "anomaly-detection"
    summary: str = (
        "finds what no part of a resource's past looks like, by an ensemble of detectors per metric,"
        " within a budget of false alarms"
    )
    settings: AnomalySettings = field(default_factory=AnomalySettings)

    def configured(self, settings: AnomalySettings) -> AnomalyDetector:
        """The same recipe with settings of the user's own; they are stored in what it trains."""
        return replace(self, settings=settings)

    def fit(
        self,
        frame: MetricFrame,
        *,
        seed: int,
        champion: Predictor | None = None,
        simulated: bool = False,
        labels: pl.DataFrame | None = None,
        progress: Progress = silent,
    ) -> TrainedModel:
        """See `aws_auto.protocols.Recipe.fit`.

        Alarms called false do not come again, and the limits of their metrics are lifted beyond them as far as that
        leaves the resource able to hear. Incidents, found or missed, are left out of the calibration and teach which
        members count for how much and how low the limit may be (`aws_auto.ml.anomaly.teaching`), where held-back ones
        say that this is better. The back-test knows what they taught, also those of its own days; the anomalies that
        are put in are none of them.

        Raises:
            NotEnoughData: fewer than eight days.
            SchemaError: there is no metric.
        """
        metrics = watched(frame)
        fleet = grids(frame.data, metrics)
        if frame.span is None:
            raise NotEnoughData("there are no rows", where=self.name)
        calibrate, test = borders(*(int(moment.timestamp()) for moment in frame.span))
        known = {name: grid.cut(None, test) for name, grid in fleet.items() if grid.first < test}
        said = by_resource(labels) if labels is not None and len(labels) else {}
        judged = drawn(known, seed)
        progress("learn from labels", 0, len(RULES) + 3)
        taught = teach(fleet, said, until=calibrate, settings=self.settings, seed=seed)
        fit = partial(FleetDetector.fit, until=calibrate, settings=self.settings, labels=said, mixes=taught.mixes)
        contenders = {}
        for i, kind in enumerate((Ensemble.kind, *RULES)):
            progress(f"fit: {kind}", i, len(RULES) + 3)
            contenders[kind] = fit(kind, known if kind == Ensemble.kind else judged)
        progress("back-test on injected anomalies", len(RULES) + 1, len(RULES) + 3)
        held = {name: fleet[name] for name in judged}
        origin = recipe.lineage(frame, seed=seed, simulated=simulated)
        since, beside = _fresh(champion, datetime.fromtimestamp(test, UTC), origin.end)
        former = champion.detector if isinstance(champion, AnomalyPredictor) else None
        trial = anomaly_trial.run(
            held,
            contenders,
            former if since is not None else None,
            start=test,
            seed=seed,
            settings=self.settings,
            fresh_from=since,
        )
        decision, reason = decide(trial.backtests, champion)
        rule = trial.backtests[0].baseline_name
        if decision is not Decision.PROMOTE and taught.mixes:
            keep = former if decision is Decision.KEEP_CHAMPION else None
            rival = keep or fit(rule, {name: fleet[name] for name in taught.resources})
            decision, reason = by_labels(taught, rival, fleet, self.settings, decision, reason)
        progress("learn from everything", len(RULES) + 2, len(RULES) + 3)
        if decision is Decision.SIMPLE_RULE:
            final = fit(rule, fleet)
        else:
            final = contenders[Ensemble.kind].learned(
                fleet, since=test, settings=self.settings, labels=said, mixes=taught.mixes
            )
        fields = _schema(frame, metrics)
        predictor = AnomalyPredictor(
            recipe=self.name, schema=fields, detector=final, settings=self.settings, trained_until=origin.end
        )
        report = TrainReport(
            recipe=self.name,
            decision=decision,
            reason="; ".join(filter(None, (reason, taught.summary))),
            backtests=trial.backtests,
            calibration=trial.calibration,
            lineage=origin,
            charts=trial.charts,
            notes=(
                f"watches {', '.join(metrics)}",
                f"budget: at most {self.settings.budget_per_week:g} false alarms per resource and week",
                *((f"back-test on {len(judged)} of {len(known)} resources",) if len(judged) < len(known) else ()),
                *_label_note(said, fleet),
                *taught.notes,
                *trial.notes,
                *beside,
            ),
        )
        return recipe.packed(predictor, frame, report, seed=seed)

    @property
    def history(self) -> timedelta:
        """See `aws_auto.protocols.Recipe.history`."""
        return timedelta(0)

    def evaluate(self, files: Mapping[str, bytes], frame: MetricFrame, *, since: datetime) -> Quality | None:  # noqa: ARG002
        """See `aws_auto.protocols.Recipe.evaluate`: None, because no label says which alarm was right."""
        return None

    def load(self, files: Mapping[str, bytes]) -> AnomalyPredictor:
        """See `aws_auto.protocols.Recipe.load`."""
        return AnomalyPredictor.restored(self.name, files)


def watched(frame: MetricFrame) -> tuple[str, ...]:
    """The metrics that are judged: averages, and another statistic where its average is not there.

    Raises:
        SchemaError: there is none with a value.
    """
    names = {m.name for m in frame.metrics}
    chosen = []
    for metric in frame.metrics:
        stem, _, suffix = metric.name.rpartition("_")
        if suffix in STATISTICS and stem in names:
            continue
        if frame.data[metric.name].count():
            chosen.append(metric.name)
    if not chosen:
        raise SchemaError("there is no metric", where="anomaly-detector", hint="collect CloudWatch metrics first")
    return tuple(chosen)


def borders(first: int, last: int) -> tuple[int, int]:
    """Where calibration and test start in a history from ``first`` to ``last``, all in unix seconds.

    Raises:
        NotEnoughData: fewer than eight days.
    """
    hours = (last - first) // 3600 + 1
    parts = split(hours, day=24, least_days=LEAST_DAYS, where="anomaly-detector", calibrate=0.28, test=0.3)
    return first + parts.calibrate * 3600, first + parts.test * 3600


def _schema(frame: MetricFrame, metrics: tuple[str, ...]) -> tuple[Field, ...]:
    """Any one metric suffices, so none is required by itself."""
    return recipe.schema(frame.data, required=[], optional=metrics)


def _label_note(said: Mapping[str, Labels], fleet: Mapping[str, ResourceGrid]) -> tuple[str, ...]:
    known = [labels for name, labels in said.items() if name in fleet]
    if not known:
        return ()
    wrong, right = sum(len(one.wrong) for one in known), sum(len(one.right) for one in known)
    return (f"labels used: {wrong} alarms called false, {right} incidents",)


def drawn(known: Mapping[str, ResourceGrid], seed: int) -> dict[str, ResourceGrid]:
    """Resources for the back-test: all, or so many of a large fleet that more would say nothing new."""
    names = sorted(known)
    if len(names) > MOST_JUDGED:
        names = sorted(np.random.default_rng(seed).choice(names, MOST_JUDGED, replace=False).tolist())
    return {name: known[name] for name in names}


def decide(tests: tuple[BackTest, ...], champion: Predictor | None) -> tuple[Decision, str]:
    """As every recipe, but a simple rule must be clearly better, because labelled series speak against it.

    The anomalies that were put in tell two detectors apart only on a large account, and the rule is the best of three
    on these very points. On labelled series, each trained alone, event F1 of this verdict against that of whoever has
    the better figure: .42 / .09 on NAB, .70 / .68 on MSCM, .91 / .51 on WSD, .76 / .47 on IOPS
    (``bench/anomaly_alone.py``).
    """
    decision, reason = recipe.decide(
        tests, champion_is_rule=isinstance(champion, AnomalyPredictor) and champion.is_rule
    )
    if decision is Decision.SIMPLE_RULE and tests[0].difference.high >= 0:
        return Decision.PROMOTE, f"{reason}; nor is it clearly worse, and on labelled public series it finds far more"
    return decision, reason


def by_labels(
    taught: Taught,
    rival: FleetDetector,
    fleet: Mapping[str, ResourceGrid],
    settings: AnomalySettings,
    decision: Decision,
    reason: str,
) -> tuple[Decision, str]:
    """The decision for ``rival`` (champion or simple rule), or for what the labels taught where they say so.

    Injected anomalies are found or not at the same number of alarms, and are of the usual kinds; the user's incidents
    say more about the user's account.
    """
    if taught.known_to(rival):
        return decision, reason
    better, why = taught.beats(rival, fleet, settings)
    return (Decision.PROMOTE if better else decision), f"{why}; {reason}"


def _fresh(champion: Predictor | None, border: datetime, end: datetime) -> tuple[int | None, tuple[str, ...]]:
    """Second from which on the champion has seen nothing, as of `recipe.fresh_from`."""
    if champion is None:
        return None, ()
    if not isinstance(champion, AnomalyPredictor):
        return None, ("the champion is of another kind and was not compared",)
    since, said = recipe.fresh_from(champion.trained_until, border=border, end=end)
    return None if since is None else int(since.timestamp()), said
