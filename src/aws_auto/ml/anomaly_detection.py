"""AnomalyDetectionAI: what is wrong, on the recipe ``anomaly-detector`` that the command line trains as well."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aws_auto.errors import NotFitted, NotYet
from aws_auto.frame import MetricFrame
from aws_auto.ml.recipes import catalog
from aws_auto.protocols import Progress, silent

if TYPE_CHECKING:
    from collections.abc import Sequence

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
            at the alarm threshold, towards 1. ``root_cause_analysis``: by anomaly the metric that deviates most as
            ``primary_cause``; the other keys are None, since nothing more is known yet. ``recommended_actions``: what
            to look at.

        Raises:
            NotFitted: `train` was not called.
        """
        from aws_auto.ml.anomaly.alarms import alarms

        if self._predictor is None:
            raise NotFitted("AnomalyDetectionAI was not trained", hint="call train(metrics_data) first")
        frame = MetricFrame.of(metrics_data)
        found = alarms(self._predictor.predict(frame.data), frame.period())
        return {
            "detected_anomalies": found,
            "severity_scores": {a["anomaly_id"]: a["score"] for a in found},
            "root_cause_analysis": [_deviates_most(a) for a in found],
            "recommended_actions": [_look_at(a) for a in found],
        }

    def perform_root_cause_analysis(self, anomalies: Sequence[Any]) -> list[dict[str, Any]]:
        """Causes across metrics and resources.

        Raises:
            NotYet: always; `detect_anomalies` says which metric deviates most.
        """
        raise NotYet(
            f"root cause analysis is not built yet; {len(anomalies)} anomalies were left as they are",
            hint="detect_anomalies names the metric that deviates most in each anomaly",
        )


def _deviates_most(alarm: dict[str, Any]) -> dict[str, Any]:
    unknown = dict.fromkeys(("contributing_factors", "correlated_metrics", "pattern_match", "confidence_score"))
    return {"anomaly_id": alarm["anomaly_id"], "primary_cause": alarm["metric"], **unknown}


def _look_at(alarm: dict[str, Any]) -> dict[str, Any]:
    return {
        "anomaly_id": alarm["anomaly_id"],
        "action": (
            f"look at {alarm['metric']} of {alarm['resource_id']} at {alarm['peak']:%Y-%m-%d %H:%MZ}:"
            f" {alarm['value']:.4g} where {alarm['low']:.4g} to {alarm['high']:.4g} was expected"
        ),
    }
