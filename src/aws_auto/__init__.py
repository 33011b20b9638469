"""aws-auto: learns from what AWS knows about an estate.

The documented classes are imported when they are first named, so that ``import aws_auto`` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aws_auto.errors import AwsAutoError
    from aws_auto.frame import MetricFrame
    from aws_auto.ml.anomaly_detection import AnomalyDetectionAI
    from aws_auto.ml.cost_optimization import CostOptimizationAI
    from aws_auto.ml.feature_engineering import AdvancedFeatureEngineering
    from aws_auto.ml.predictive_scaling import PredictiveScalingAI, ScalingState

__all__ = [
    "AdvancedFeatureEngineering",
    "AnomalyDetectionAI",
    "AwsAutoError",
    "CostOptimizationAI",
    "MetricFrame",
    "PredictiveScalingAI",
    "ScalingState",
]

_HOMES = {
    "AdvancedFeatureEngineering": "aws_auto.ml.feature_engineering",
    "AnomalyDetectionAI": "aws_auto.ml.anomaly_detection",
    "AwsAutoError": "aws_auto.errors",
    "CostOptimizationAI": "aws_auto.ml.cost_optimization",
    "MetricFrame": "aws_auto.frame",
    "PredictiveScalingAI": "aws_auto.ml.predictive_scaling",
    "ScalingState": "aws_auto.ml.predictive_scaling",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - any public name
    if name not in _HOMES:
        raise AttributeError(f"module 'aws_auto' has no attribute {name!r}; there: {', '.join(__all__)}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return [*globals(), *__all__]
