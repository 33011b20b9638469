"""The monitor's readings as CloudWatch metrics, for dashboards and alarms that live there.

A metric for each reading of each model. Price: 0.30 USD a month for a metric that is written in each hour (the first
10 000, us-east-1, CloudWatch pricing page as of 2026-11-24, not checked against a bill); calls cost 0.01 USD per 1 000.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from aws_auto.pipeline.aws.calls import Caller

#: What the call of this file needs; the condition key ``cloudwatch:namespace`` can hold it to one namespace.
PERMISSIONS = ("cloudwatch:PutMetricData",)
USD_PER_METRIC_AND_MONTH = 0.30
#: API reference, PutMetricData.
METRICS_PER_CALL = 1000
UNITS = {"model_latency": "Seconds"}


def publish(
    caller: Caller,
    readings: Mapping[str, Mapping[str, float | None]],
    *,
    at: datetime,
    namespace: str,
    dimension: str,
) -> int:
    """Write the readings that are known; returns how many metrics that are.

    Args:
        caller: calls AWS.
        readings: by model and name; None is unknown and is not written.
        at: when they were taken.
        namespace: of the metrics.
        dimension: the name of the dimension that holds the model's.

    Raises:
        CredentialsError: AWS does not know us.
        AwsCallError: AWS refused.
    """
    data = [
        {
            "MetricName": name,
            "Dimensions": [{"Name": dimension, "Value": model}],
            "Timestamp": at,
            "Value": value,
            "Unit": UNITS.get(name, "None"),
        }
        for model, mine in readings.items()
        for name, value in mine.items()
        if value is not None
    ]
    for start in range(0, len(data), METRICS_PER_CALL):
        part = data[start : start + METRICS_PER_CALL]
        caller.call("cloudwatch", "PutMetricData", {"Namespace": namespace, "MetricData": part})
    return len(data)
