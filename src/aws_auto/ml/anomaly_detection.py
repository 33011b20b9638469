"""AnomalyDetectionAI: what is wrong, on the recipe ``anomaly-detector`` that the command line trains as well."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from aws_auto.errors import NotFitted, UsageError
from aws_auto.frame import RESOURCE, TIMESTAMP, MetricFrame, like, to_polars
from aws_auto.ml.anomaly.settings import AnomalySettings
from aws_auto.ml.recipes.anomaly import AnomalyDetector
from aws_auto.protocols import Progress, silent

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import polars as pl

    from aws_auto.ml.anomaly.models import NamedModel
    from aws_auto.ml.anomaly.root_cause.results import RootCause
    from aws_auto.ml.anomaly.root_cause.topology import Topology
    from aws_auto.ml.recipes.anomaly_predictor import AnomalyPredictor
    from aws_auto.results import TrainReport

#: The models that the specification names beside the ensemble.
SINGLE = ("univariate", "multivariate", "time_series")
#: Episodes of two models this far apart are about the same thing.
NEAR = timedelta(hours=1)


class AnomalyEnsemble:
    """The recipe's detector under its documented name: it raises the alarms.

    Attributes:
        predictor: what was trained, None before.
        confidence_score: share of anomalies put into held-back data that it found in the recipe's back-test.
        unavailable: why it cannot judge, empty when it can.
    """

    def __init__(self, predictor: AnomalyPredictor | None = None, confidence_score: float | None = None) -> None:
        self.predictor = predictor
        self.confidence_score = confidence_score
        self.unavailable = "" if predictor else "it was not fitted"

    @property
    def threshold(self) -> float | None:
        """Of the scores that `predict` gives; None when it cannot judge."""
        from aws_auto.ml.anomaly.answers import THRESHOLD

        return None if self.unavailable else THRESHOLD

    def predict(self, rows: pl.DataFrame) -> pl.DataFrame:
        """See `aws_auto.ml.recipes.anomaly_predictor.AnomalyPredictor.predict`.

        Raises:
            NotFitted: it was not trained.
        """
        if self.predictor is None:
            raise NotFitted("AnomalyDetectionAI was not trained", hint="call train(metrics_data) first")
        return self.predictor.predict(rows)


class AnomalyDetectionAI:
    """Finds points that lie outside of what a resource's own past says.

    Train on at least eight days (`train`), then ask about new data (`detect_anomalies`). Data are pandas or Polars
    tables, or a `MetricFrame`, with ``resource_id``, ``timestamp`` and metrics.

    Attributes:
        settings: budget of false alarms, minimum effect, excluded spans, maintenance, cool-down.
        anomaly_models: the documented four by name. The ensemble raises the alarms; the others are fitted beside it
            because people ask for them, and vote.
    """

    def __init__(self, settings: AnomalySettings | None = None, *, models: Sequence[str] = SINGLE) -> None:
        """Choose settings, and which single models are fitted beside the ensemble (about a second per series).

        Raises:
            UsageError: there is no model of that name.
        """
        from aws_auto.ml.anomaly.models import documented_models

        known = documented_models()
        if unknown := [name for name in models if name not in known]:
            raise UsageError(f"no model is called {unknown[0]!r}", where="models", hint=f"there are {', '.join(known)}")
        self.settings = settings or AnomalySettings()
        self.anomaly_models: dict[str, NamedModel | AnomalyEnsemble] = {
            **{name: known[name] for name in known if name in models},
            "ensemble": AnomalyEnsemble(),
        }
        self._frame: MetricFrame | None = None
        self._causes: dict[str, RootCause] = {}

    def train(
        self,
        metrics_data: Any,  # noqa: ANN401 - pandas must not be imported to be named
        *,
        labels: Any = None,  # noqa: ANN401 - same
        seed: int = 0,
        progress: Progress = silent,
    ) -> TrainReport:
        """Train the recipe and the single models; the report holds the back-test against the best simple rule.

        Args:
            metrics_data: at least eight days.
            labels: what people said: ``resource_id, timestamp`` (start), ``end, verdict`` (true, false, or missed for
                an incident that raised no alarm). A false alarm does not come again; incidents teach which members
                count for how much and how low the limit may be, where held-back ones say that this is better. What was
                decided, and on what evidence, is in the notes of the report.
            seed: of every random choice.
            progress: told how far it is.

        Raises:
            NotEnoughData: fewer than eight days.
            SchemaError: a key column or every metric is missing.
        """
        from aws_auto.ml.anomaly.grid import grids
        from aws_auto.ml.recipes.anomaly import watched

        frame = MetricFrame.of(metrics_data)
        recipe = AnomalyDetector().configured(self.settings)
        said = None if labels is None else _as_labels(labels)
        model = recipe.fit(frame, seed=seed, labels=said, progress=progress)
        fleet = grids(frame.data, watched(frame))
        for name, single in self.anomaly_models.items():
            if not isinstance(single, AnomalyEnsemble):
                progress(f"fit: {single.what}", 0, 1)
                self.anomaly_models[name] = single.fitted(fleet, self.settings, seed=seed)
        self.anomaly_models["ensemble"] = AnomalyEnsemble(recipe.load(model.files), model.report.backtests[0].ours)
        return model.report

    def detect_anomalies(self, metrics_data: Any) -> dict[str, Any]:  # noqa: ANN401 - pandas or Polars
        """Alarms in this data, one per episode; points are judged from the rows before them.

        Returns:
            ``detected_anomalies``: dicts with ``anomaly_id``, ``resource_id``, ``start``, ``end``, ``peak``, ``score``,
            ``severity``, ``metric``, ``value``, ``expected``, ``low``, ``high`` at the peak, and ``votes``.
            ``severity_scores``: by anomaly id, 0 at the alarm threshold, a quarter more for each time that such a thing
            is ten times rarer. ``root_cause_analysis``: see `perform_root_cause_analysis`. ``recommended_actions``:
            dicts with ``anomaly_id``, ``action``, ``command``, ``risk``; never executed here. ``models``: by name of
            `anomaly_models` a dict with ``anomalies`` (episodes), ``scores`` (a table of the kind that was given),
            ``threshold`` (of the scores: what the budget allowed in data that the model had not learned from),
            ``confidence`` (share of anomalies put into held-back data that it found) and ``unavailable`` (why it says
            nothing).

        Raises:
            NotFitted: `train` was not called.
        """
        ensemble = self.anomaly_models["ensemble"]
        if ensemble.unavailable:
            raise NotFitted("AnomalyDetectionAI was not trained", hint="call train(metrics_data) first")
        self._frame, self._causes = MetricFrame.of(metrics_data), {}
        frame = self._frame
        results = {name: self._result(model, frame, metrics_data) for name, model in self.anomaly_models.items()}
        found = self.ensemble_voting(results)
        return {
            "detected_anomalies": found,
            "severity_scores": self.calculate_severity_scores(found),
            "root_cause_analysis": self.perform_root_cause_analysis(found),
            "recommended_actions": self.generate_remediation_recommendations(found),
            "models": results,
        }

    def ensemble_voting(self, anomaly_results: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
        """The alarms of the ensemble, each with ``votes``: the names of the models that found it.

        A majority of the single models is no condition: on labelled series it finds less at more false alarms.

        Args:
            anomaly_results: the ``models`` of `detect_anomalies`.
        """
        return [
            {**alarm, "votes": [name for name, said in anomaly_results.items() if _agrees(alarm, said["anomalies"])]}
            for alarm in anomaly_results["ensemble"]["anomalies"]
        ]

    def calculate_severity_scores(self, anomalies: Sequence[Mapping[str, Any]]) -> dict[str, float]:
        """Severity by anomaly id, see `detect_anomalies`."""
        return {a["anomaly_id"]: a["severity"] for a in anomalies}

    def generate_remediation_recommendations(self, anomalies: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """What a person can do about each anomaly, see `detect_anomalies`.

        Raises:
            NotFitted: `detect_anomalies` was not called.
        """
        return [
            {"anomaly_id": a["anomaly_id"], "action": do.title, "command": do.command, "risk": do.risk}
            for a in anomalies
            for do in self._cause(a).recommended_actions
        ]

    def perform_root_cause_analysis(
        self, anomalies: Sequence[Mapping[str, Any]], *, topology: Topology | None = None
    ) -> list[dict[str, Any]]:
        """Why these anomalies happened, from the metrics of all resources that `detect_anomalies` was given.

        Args:
            anomalies: of ``detected_anomalies``.
            topology: who calls whom; without one it is read from the resources' facts and learned.

        Returns:
            For each anomaly ``anomaly_id``, ``primary_cause`` (resource and metric, None when nothing else left its
            usual range), ``contributing_factors`` (weights sum to one), ``correlated_metrics`` (a positive lag leads),
            ``pattern_match`` (None when no known pattern fits), ``confidence_score`` (how often the first resource is
            right at such evidence, measured on simulated incidents) and ``notes``.

        Raises:
            NotFitted: `detect_anomalies` was not called.
        """
        from aws_auto.ml.anomaly.explain import documented

        self._known_frame()
        return [documented(a["anomaly_id"], self._cause(a, topology=topology)) for a in anomalies]

    def analyze_feature_importance(self, anomaly: Mapping[str, Any]) -> dict[str, Any]:
        """``primary_cause`` and ``contributing_factors`` of one anomaly, as of `perform_root_cause_analysis`."""
        return self._part(anomaly, "primary_cause", "contributing_factors")

    def analyze_correlations(self, anomaly: Mapping[str, Any]) -> dict[str, Any]:
        """``correlated_metrics`` of one anomaly, as of `perform_root_cause_analysis`."""
        return self._part(anomaly, "correlated_metrics")

    def match_known_patterns(self, anomaly: Mapping[str, Any]) -> dict[str, Any]:
        """``pattern_match`` of one anomaly, as of `perform_root_cause_analysis`."""
        return self._part(anomaly, "pattern_match")

    def _part(self, anomaly: Mapping[str, Any], *keys: str) -> dict[str, Any]:
        (cause,) = self.perform_root_cause_analysis([anomaly])
        return {key: cause[key] for key in keys}

    def _cause(self, anomaly: Mapping[str, Any], *, topology: Topology | None = None) -> RootCause:
        from aws_auto.ml.anomaly.explain import cause_of

        frame, name = self._known_frame(), str(anomaly["anomaly_id"])
        if topology is not None:
            return cause_of(frame, anomaly, topology=topology)
        if name not in self._causes:
            self._causes[name] = cause_of(frame, anomaly)
        return self._causes[name]

    def _known_frame(self) -> MetricFrame:
        if self._frame is None:
            raise NotFitted("there are no metrics to look for causes in", hint="call detect_anomalies(metrics) first")
        return self._frame

    def _result(self, model: NamedModel | AnomalyEnsemble, frame: MetricFrame, given: Any) -> dict[str, Any]:  # noqa: ANN401
        from aws_auto.ml.anomaly.alarms import alarms, spans

        if model.unavailable or model.threshold is None:
            return {
                "anomalies": [],
                "scores": None,
                "threshold": None,
                "confidence": None,
                "unavailable": model.unavailable,
            }
        scores = model.predict(frame.data)
        ours = isinstance(model, AnomalyEnsemble)
        periods, cool_down = frame.period(), self.settings.cool_down
        return {
            "anomalies": alarms(scores, periods, cool_down=cool_down)
            if ours
            else spans(scores, periods, model.threshold),
            "scores": like(given, scores.select(RESOURCE, TIMESTAMP, "score")),
            "threshold": model.threshold,
            "confidence": model.confidence_score,
            "unavailable": "",
        }


def _agrees(alarm: Mapping[str, Any], others: Sequence[Mapping[str, Any]]) -> bool:
    """Whether one of the other episodes lies in the alarm or less than an hour beside it."""
    return any(
        other[RESOURCE] == alarm[RESOURCE]
        and other["start"] <= alarm["end"] + NEAR
        and other["end"] >= alarm["start"] - NEAR
        for other in others
    )


def _as_labels(labels: Any) -> pl.DataFrame:  # noqa: ANN401 - pandas or Polars
    from aws_auto.ml.anomaly.labels import spans_of

    return spans_of(to_polars(labels), where="labels", beside=("verdict",))
