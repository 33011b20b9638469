"""AnomalyDetectionAI: what is wrong, on the recipe ``anomaly-detector`` that the command line trains as well."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aws_auto.errors import NotFitted
from aws_auto.frame import MetricFrame
from aws_auto.ml.recipes import catalog
from aws_auto.protocols import Progress, silent

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aws_auto.ml.anomaly.root_cause.topology import Topology
    from aws_auto.protocols import Predictor
    from aws_auto.results import TrainReport


class AnomalyDetectionAI:
    """Finds points that lie outside of what a resource's own past says.

    Train on at least eight days (`train`), then ask about new data (`detect_anomalies`). Data are pandas or Polars
    tables, or a `MetricFrame`, with ``resource_id``, ``timestamp`` and metrics.
    """

    def __init__(self) -> None:
        self._recipe = catalog.get("anomaly-detector")
        self._predictor: Predictor | None = None
        self._frame: MetricFrame | None = None

    def train(
        self,
        metrics_data: Any,  # noqa: ANN401 - pandas must not be imported to be named
        *,
        seed: int = 0,
        progress: Progress = silent,
    ) -> TrainReport:
        """Train the recipe; the report holds the back-test against the best simple rule.

        Raises:
            NotEnoughData: fewer than eight days.
            SchemaError: a key column or every metric is missing.
        """
        model = self._recipe.fit(MetricFrame.of(metrics_data), seed=seed, progress=progress)
        self._predictor = self._recipe.load(model.files)
        return model.report

    def detect_anomalies(self, metrics_data: Any) -> dict[str, Any]:  # noqa: ANN401 - pandas or Polars
        """Alarms in this data, one per episode; points are judged from the rows before them.

        Returns:
            ``detected_anomalies``: dicts with ``anomaly_id``, ``resource_id``, ``start``, ``end``, ``peak``, ``score``,
            ``metric``, ``value``, ``expected``, ``low``, ``high`` at the peak. ``severity_scores``: by anomaly id, 0.5
            at the alarm threshold, towards 1. ``root_cause_analysis``: see `perform_root_cause_analysis`.
            ``recommended_actions``: dicts with ``anomaly_id``, ``action``, ``command``, ``risk``; never executed here.

        Raises:
            NotFitted: `train` was not called.
        """
        from aws_auto.ml.anomaly.alarms import alarms
        from aws_auto.ml.anomaly.explain import cause_of, documented

        if self._predictor is None:
            raise NotFitted("AnomalyDetectionAI was not trained", hint="call train(metrics_data) first")
        self._frame = frame = MetricFrame.of(metrics_data)
        found = alarms(self._predictor.predict(frame.data), frame.period())
        causes = [cause_of(frame, alarm) for alarm in found]
        return {
            "detected_anomalies": found,
            "severity_scores": {a["anomaly_id"]: a["score"] for a in found},
            "root_cause_analysis": [documented(a["anomaly_id"], c) for a, c in zip(found, causes, strict=True)],
            "recommended_actions": [
                {"anomaly_id": a["anomaly_id"], "action": do.title, "command": do.command, "risk": do.risk}
                for a, c in zip(found, causes, strict=True)
                for do in c.recommended_actions
            ],
        }

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
        from aws_auto.ml.anomaly.explain import cause_of, documented

        if self._frame is None:
            raise NotFitted("there are no metrics to look for causes in", hint="call detect_anomalies(metrics) first")
        return [documented(a["anomaly_id"], cause_of(self._frame, a, topology=topology)) for a in anomalies]
