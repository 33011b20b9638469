"""``model_monitoring``: what is watched on served models, who is told, and what is done about it."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from aws_auto.config.conditions import ALIASES, Condition
from aws_auto.config.model import MisfitError, Model, one_of, unique
from aws_auto.config.quantities import Threshold, shown

Channel = Literal["slack", "email", "pagerduty"]
Action = Literal["immediate_alert", "schedule_retrain", "rollback", "scale", "freeze", "ticket"]

#: Metrics of models that the specification names. Others may be named; one that is nearly one of these is refused.
METRICS = (
    "data_drift_score",
    "error_rate",
    "model_latency",
    "prediction_accuracy",
    "prediction_drift_score",
    *ALIASES,
)


def _metric(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_.]{0,80}", value):
        raise MisfitError(f"{shown(value)} is not the name of a metric such as prediction_accuracy")
    return one_of(METRICS, value, "known metric")


def _condition(value: Condition) -> Condition:
    for comparison in value.comparisons:
        one_of(METRICS, comparison.metric, "known metric")
    return value


class WatchedMetric(Model):
    """One metric, its limit, and what happens beyond it."""

    name: Annotated[str, AfterValidator(_metric)]
    threshold: Threshold
    alert_on_degradation: bool = False
    auto_retrain_trigger: bool = False
    scaling_trigger: bool = False

    @property
    def canonical(self) -> str:
        """The metric's full name."""
        return ALIASES.get(self.name, self.name)


class EscalationRule(Model):
    """When the condition holds, the action is taken."""

    condition: Annotated[Condition, AfterValidator(_condition)]
    action: Action


class Alerting(Model):
    """Who is told, and what is done."""

    channels: tuple[Channel, ...] = ()
    escalation_rules: tuple[EscalationRule, ...] = ()

    @model_validator(mode="after")
    def _channels_once(self) -> Self:
        unique(list(self.channels), "the channel", under=("channels",), key=None)
        return self


class ModelMonitoring(Model):
    """The whole of ``model_monitoring``."""

    metrics: tuple[WatchedMetric, ...] = Field(default=(), description="watched on every served model")
    alerting: Alerting = Alerting()

    @model_validator(mode="after")
    def _metrics_once(self) -> Self:
        seen: dict[str, str] = {}
        for position, metric in enumerate(self.metrics):
            if metric.canonical in seen:
                first = seen[metric.canonical]
                raise MisfitError(
                    f"the metric {metric.name!r} stands here a second time, first as {first!r}",
                    at=("metrics", position, "name"),
                )
            seen[metric.canonical] = metric.name
        return self
