"""From an alarm to its cause: what the door and the detection both ask of the root cause room."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from aws_auto.frame import RESOURCE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aws_auto.frame import MetricFrame
    from aws_auto.ml.anomaly.root_cause.results import RootCause
    from aws_auto.ml.anomaly.root_cause.topology import Topology

#: A resource with too few points to have a period.
DEFAULT_PERIOD = 300.0


def cause_of(frame: MetricFrame, alarm: Mapping[str, Any], *, topology: Topology | None = None) -> RootCause:
    """The cause of one alarm (as `aws_auto.ml.anomaly.alarms.alarms` gives it) from the metrics of all resources."""
    from aws_auto.ml.anomaly.root_cause.analyse import analyse

    # The end of an incident is exclusive; an alarm of a single point lasts one period.
    period = timedelta(seconds=frame.period().get(alarm[RESOURCE], DEFAULT_PERIOD))
    incident = (alarm[RESOURCE], alarm["metric"], alarm["start"], alarm["end"] + period)
    return analyse(frame, incident, topology=topology)


def documented(anomaly_id: str, cause: RootCause) -> dict[str, Any]:
    """A cause in the words and keys of the specification."""
    first, match = cause.primary_cause, cause.pattern_match
    return {
        "anomaly_id": anomaly_id,
        "primary_cause": {"resource_id": first.resource, "metric": first.metric} if first else None,
        "contributing_factors": [
            {RESOURCE: f.resource, "metric": f.metric, "weight": f.weight, "direction": f.direction, "why": f.why}
            for f in cause.contributing_factors
        ],
        "correlated_metrics": [
            {RESOURCE: c.resource, "metric": c.metric, "correlation": c.correlation, "lag_s": c.lag.total_seconds()}
            for c in cause.correlated_metrics
        ],
        "pattern_match": {"name": match.name, "title": match.title, "score": match.score} if match else None,
        "confidence_score": cause.confidence_score,
        "notes": list(cause.notes),
    }
