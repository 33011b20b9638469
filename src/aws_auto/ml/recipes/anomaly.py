"""anomaly-detector: which points lie outside of what each resource's own past says, within a budget of alarms."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from aws_auto.errors import ArtifactError, NotEnoughData, SchemaError
from aws_auto.frame import RESOURCE, STATISTICS, TIME_DTYPE, TIMESTAMP
from aws_auto.ml import files
from aws_auto.ml.anomaly import answers
from aws_auto.ml.anomaly.detector import FleetDetector, ResourceDetector
from aws_auto.ml.anomaly.ensemble import Ensemble
from aws_auto.ml.anomaly.grid import grid_of, grids
from aws_auto.ml.anomaly.labels import by_resource
from aws_auto.ml.anomaly.rules import RULES
from aws_auto.ml.anomaly.settings import AnomalySettings
from aws_auto.ml.anomaly.stream import Memory
from aws_auto.ml.evaluation.backtest import split
from aws_auto.ml.recipes import anomaly_trial, recipe
from aws_auto.ml.recipes.panel import unique
from aws_auto.protocols import Progress, silent
from aws_auto.results import Decision, Field, TrainedModel, TrainReport

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from aws_auto.frame import MetricFrame
    from aws_auto.ml.anomaly.grid import ResourceGrid
    from aws_auto.ml.anomaly.labels import Labels
    from aws_auto.protocols import Predictor
    from aws_auto.results import BackTest, Quality

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

LEAST_DAYS = 8
#: Resources that the back-test is made on.
MOST_JUDGED = 100


@dataclass(frozen=True, kw_only=True)
class AnomalyPredictor:
    """Judges each row from the rows before it and from what was learned of its resource.

    Columns of the answer: ``score`` (r / (1 + r), where r is the deviation in units of the alarm threshold: 0 is as
    expected, 0.5 the threshold, 0.9 nine times the threshold), ``threshold`` (0.5), ``is_anomaly``, ``severity`` (0 at
    the threshold, 0.25 where such a thing is ten times rarer, and so on to 1; `aws_auto.ml.anomaly.detect.level` names
    it), ``metric`` (the one that deviates most), its ``value``, ``expected``, ``low`` and ``high`` (a value lies in
    between unless its score reaches the threshold), and ``note`` (why there is no answer: the resource was not there
    in training, or the row lies in the first part of training, which the model was fitted on, or in an excluded span).
    A row in a maintenance window or in an alarm that was called false has a score and is no anomaly.

    Rows of the later part of training are judged by the state that training had before it came to them, and rows after
    training by the last state, which goes on from there: give it the rows since training, or a few days of them.
    """

    recipe: str
    schema: tuple[Field, ...]
    detector: FleetDetector
    settings: AnomalySettings
    trained_until: datetime

    def configured(self, settings: AnomalySettings) -> AnomalyPredictor:
        """The same model with another budget, minimum effect, maintenance, excluded spans or cool-down."""
        return replace(self, settings=settings)

    def predict(self, rows: pl.DataFrame) -> pl.DataFrame:
        """One answer per row, in the order given; never looks past the row's own time.

        Raises:
            SchemaError: the rows hold none of the metrics.
        """
        self._check(rows)
        asked = _resources(rows)
        return _in_order(rows, asked, [self._judged(part) for part in asked])

    def stream(self, states: Mapping[str, bytes], rows: pl.DataFrame) -> tuple[pl.DataFrame, dict[str, bytes]]:
        """Judge only what is new, for a detection that comes back every few minutes.

        The answers are those of `predict` on all rows since training at once, at the cost of the new rows alone. A row
        that comes after a newer one of its resource was judged, or comes again, may have no score (``note`` says so).

        Args:
            states: what the last call gave, by resource; empty at first. States of another model are not used: its
                resources go on from the end of training, so give rows from `reached` on.
            rows: since the last call.

        Returns:
            Answers as of `predict`, and the states for the next call (tens of kilobytes each).

        Raises:
            SchemaError: the rows hold none of the metrics.
            ArtifactError: a state is damaged.
        """
        self._check(rows)
        asked, after, parts = _resources(rows), self._memories(states), []
        for part in asked:
            name = part[RESOURCE][0]
            one, old = self.detector.resources.get(name), after.get(name)
            if one is None or not one.metrics:
                parts.append(answers.nothing(len(part)))
                continue
            grid = grid_of(part, one.metrics, one.period)
            judged, content = one.scorer.follow(self.settings.without_excluded(grid), old.content if old else None)
            found = self.detector.found(grid, self.settings, judged=judged)
            late = old.until if old else None
            parts.append(answers.columns(grid, one.metrics, found, self.settings, late=late))
            model = old.model if old else self._name(name)
            after[name] = Memory(model=model, until=max(grid.end, late or 0), content=content)
        return _in_order(rows, asked, parts), {name: memory.to_bytes() for name, memory in after.items()}

    def reached(self, states: Mapping[str, bytes]) -> dict[str, datetime]:
        """Until when each resource of the model was judged: the end of training without a state of this model.

        Raises:
            ArtifactError: a state is damaged.
        """
        known = self._memories(states)
        return {
            name: datetime.fromtimestamp(known[name].until, UTC) if name in known else self.trained_until
            for name in self.detector.resources
        }

    def _memories(self, states: Mapping[str, bytes]) -> dict[str, Memory]:
        every = {name: Memory.of(said) for name, said in states.items() if name in self.detector.resources}
        return {name: memory for name, memory in every.items() if memory.model == self._name(name)}

    def _name(self, resource: str) -> str:
        """Of what the model learned of a resource; two trainings on other data give other names."""
        said = [self.trained_until.isoformat(), self.detector.kind, self.detector.resources[resource].to_json()]
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:16]

    def _check(self, rows: pl.DataFrame) -> None:
        known = [f.name for f in self.schema if f.kind == "number"]
        if not set(known) & set(rows.columns) or not {RESOURCE, TIMESTAMP} <= set(rows.columns):
            raise SchemaError(
                f"needs {RESOURCE}, {TIMESTAMP} and some of {', '.join(known)}",
                where=self.recipe,
                hint=f"there is {', '.join(rows.columns)}",
            )

    def band(self, rows: pl.DataFrame, resource: str, metric: str) -> pl.DataFrame:
        """What was expected of one metric at each of the resource's rows: ``timestamp, expected, low, high``.

        Between ``low`` and ``high`` no alarm is raised. Empty for a resource or metric that was not there in training.
        """
        part = unique(rows.filter(pl.col(RESOURCE) == resource))
        one = self.detector.resources.get(resource)
        if one is None or metric not in one.metrics or part.is_empty():
            return pl.DataFrame(
                schema={TIMESTAMP: TIME_DTYPE, **dict.fromkeys(("expected", "low", "high"), pl.Float64)}
            )
        grid = grid_of(part, one.metrics, one.period)
        found, m = self.detector.found(grid, self.settings), one.metrics.index(metric)
        at = np.maximum(grid.column, 0)
        expected, width = found.judged.expected[m, at], found.width[m, at]
        figures = {"expected": expected, "low": expected - width, "high": expected + width}
        return part.select(TIMESTAMP).with_columns(**{k: pl.Series(v).fill_nan(None) for k, v in figures.items()})

    def files(self) -> dict[str, bytes]:
        """A bundle that the recipe's ``load`` reads: one part for each resource whose scorer JSON cannot hold."""
        held = enumerate(one.scorer.content() for _, one in sorted(self.detector.resources.items()))
        return files.bundle(
            self.recipe,
            {
                "schema": [vars(f) for f in self.schema],
                "kind": self.detector.kind,
                "episodes": self.detector.episodes.tolist(),
                "weeks": self.detector.weeks,
                "resources": {name: one.to_json() for name, one in self.detector.resources.items()},
                "settings": self.settings.to_json(),
                "trained_until": self.trained_until.isoformat(),
            },
            {_part(place): content for place, content in held if content},
        )

    @property
    def is_rule(self) -> bool:
        """True when a simple rule answers."""
        return self.detector.kind in RULES

    def _judged(self, part: pl.DataFrame) -> answers.Columns:
        one = self.detector.resources.get(part[RESOURCE][0])
        if one is None or not one.metrics:
            return answers.nothing(len(part))
        grid = grid_of(part, one.metrics, one.period)
        return answers.columns(grid, one.metrics, self.detector.found(grid, self.settings), self.settings)


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
        leaves the resource able to hear; alarms called true are left out of the calibration.

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
        contenders = {}
        for i, kind in enumerate((Ensemble.kind, *RULES)):
            progress(f"fit: {kind}", i, len(RULES) + 3)
            some = known if kind == Ensemble.kind else judged
            contenders[kind] = FleetDetector.fit(kind, some, until=calibrate, settings=self.settings, labels=said)
        progress("back-test on injected anomalies", len(RULES) + 1, len(RULES) + 3)
        held = {name: fleet[name] for name in judged}
        origin = recipe.lineage(frame, seed=seed, simulated=simulated)
        since, beside = _fresh(champion, datetime.fromtimestamp(test, UTC), origin.end)
        rival = champion.detector if isinstance(champion, AnomalyPredictor) and since is not None else None
        trial = anomaly_trial.run(
            held, contenders, rival, start=test, seed=seed, settings=self.settings, fresh_from=since
        )
        decision, reason = decide(trial.backtests, champion)
        progress("learn from everything", len(RULES) + 2, len(RULES) + 3)
        if decision is Decision.SIMPLE_RULE:
            kind = trial.backtests[0].baseline_name
            final = FleetDetector.fit(kind, fleet, until=calibrate, settings=self.settings, labels=said)
        else:
            final = contenders[Ensemble.kind].learned(fleet, since=test, settings=self.settings, labels=said)
        fields = _schema(frame, metrics)
        predictor = AnomalyPredictor(
            recipe=self.name, schema=fields, detector=final, settings=self.settings, trained_until=origin.end
        )
        return TrainedModel(
            recipe=self.name,
            files={**predictor.files(), recipe.REFERENCE: recipe.reference(frame, fields, seed=seed)},
            schema=fields,
            report=TrainReport(
                recipe=self.name,
                decision=decision,
                reason=reason,
                backtests=trial.backtests,
                calibration=trial.calibration,
                lineage=origin,
                charts=trial.charts,
                notes=(
                    f"watches {', '.join(metrics)}",
                    f"budget: at most {self.settings.budget_per_week:g} false alarms per resource and week",
                    *((f"back-test on {len(judged)} of {len(known)} resources",) if len(judged) < len(known) else ()),
                    *_label_note(said, fleet),
                    *trial.notes,
                    *beside,
                ),
            ),
        )

    @property
    def history(self) -> timedelta:
        """See `aws_auto.protocols.Recipe.history`."""
        return timedelta(0)

    def evaluate(self, files: Mapping[str, bytes], frame: MetricFrame, *, since: datetime) -> Quality | None:  # noqa: ARG002
        """See `aws_auto.protocols.Recipe.evaluate`: None, because no label says which alarm was right."""
        return None

    def load(self, files: Mapping[str, bytes]) -> AnomalyPredictor:
        """See `aws_auto.protocols.Recipe.load`."""
        return _load(self.name, files)


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


def _resources(rows: pl.DataFrame) -> list[pl.DataFrame]:
    return unique(rows).partition_by(RESOURCE, maintain_order=True)


def _in_order(rows: pl.DataFrame, asked: Sequence[pl.DataFrame], parts: Sequence[answers.Columns]) -> pl.DataFrame:
    """The answers in the order of the rows."""
    keys = (
        pl.concat([part.select(RESOURCE, TIMESTAMP) for part in asked]) if asked else rows.select(RESOURCE, TIMESTAMP)
    )
    return rows.select(RESOURCE, TIMESTAMP).join(
        answers.table(keys, parts), on=[RESOURCE, TIMESTAMP], how="left", maintain_order="left"
    )


def _label_note(said: Mapping[str, Labels], fleet: Mapping[str, ResourceGrid]) -> tuple[str, ...]:
    known = [labels for name, labels in said.items() if name in fleet]
    if not known:
        return ()
    wrong, right = sum(len(one.wrong) for one in known), sum(len(one.right) for one in known)
    return (f"{wrong} alarms called false and {right} called true were used",)


def drawn(known: Mapping[str, ResourceGrid], seed: int) -> dict[str, ResourceGrid]:
    """Resources for the back-test: all, or so many of a large fleet that more would say nothing new."""
    names = sorted(known)
    if len(names) > MOST_JUDGED:
        names = sorted(np.random.default_rng(seed).choice(names, MOST_JUDGED, replace=False).tolist())
    return {name: known[name] for name in names}


def decide(tests: tuple[BackTest, ...], champion: Predictor | None) -> tuple[Decision, str]:
    """As every recipe, but where few data leave it open the evidence of labelled series counts (``bench/anomaly.py``).

    The anomalies that were put in tell two detectors apart only on a large account, and the rule is the best of three
    on these very points. So the rule wins where it finds more, not where the difference is only unsure.
    """
    decision, reason = recipe.decide(
        tests, champion_is_rule=isinstance(champion, AnomalyPredictor) and champion.is_rule
    )
    if decision is Decision.SIMPLE_RULE and tests[0].ours > tests[0].baseline:
        return Decision.PROMOTE, f"{reason}; on labelled public series the detector finds more at fewer false alarms"
    return decision, reason


def _fresh(champion: Predictor | None, border: datetime, end: datetime) -> tuple[int | None, tuple[str, ...]]:
    """Second from which on the champion has seen nothing, as of `recipe.fresh_from`."""
    if champion is None:
        return None, ()
    if not isinstance(champion, AnomalyPredictor):
        return None, ("the champion is of another kind and was not compared",)
    since, said = recipe.fresh_from(champion.trained_until, border=border, end=end)
    return None if since is None else int(since.timestamp()), said


def _load(name: str, given: Mapping[str, bytes]) -> AnomalyPredictor:
    body, parts = files.open_bundle(given, name)
    try:
        return AnomalyPredictor(
            recipe=name,
            schema=tuple(Field(**f) for f in body["schema"]),
            detector=FleetDetector(
                body["kind"],
                {
                    n: ResourceDetector.restored(said, parts.get(_part(place), b""))
                    for place, (n, said) in enumerate(sorted(body["resources"].items()))
                },
                np.asarray(body["episodes"], np.int64),
                float(body["weeks"]),
            ),
            settings=AnomalySettings.restored(body["settings"]),
            trained_until=datetime.fromisoformat(body["trained_until"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ArtifactError(
            f"does not hold what a model of {name} holds: {error}",
            where=files.META,
            hint=f"train it again: aws-auto ml train-models --models {name}",
        ) from error


def _part(place: int) -> str:
    return f"detectors-{place:05d}.bin"
