"""A file of typed uses of the public names: type-checked, never run."""

from __future__ import annotations

from typing import Any, assert_type

from aws_auto import (
    AdvancedFeatureEngineering,
    AnomalyDetectionAI,
    AwsAutoError,
    CostOptimizationAI,
    MetricFrame,
    PredictiveScalingAI,
)
from aws_auto.results import TrainReport


def frames(table: Any) -> None:
    frame = MetricFrame.of(table, columns={"InstanceId": "resource_id"}, require=["cpu_utilization"])
    assert_type(frame, MetricFrame)
    assert_type(frame.resources, tuple[str, ...])
    AdvancedFeatureEngineering(tz="Europe/Berlin", country="DE").create_time_features(table)


def doors(table: Any) -> None:
    assert_type(AnomalyDetectionAI().train(table, seed=1), TrainReport)
    assert_type(AnomalyDetectionAI().detect_anomalies(table), dict[str, Any])
    CostOptimizationAI()
    PredictiveScalingAI()


def errors() -> int:
    try:
        frames(None)
    except AwsAutoError as error:
        return error.exit_code
    return 0
