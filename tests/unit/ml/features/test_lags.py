from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl

from aws_auto.frame import MetricFrame
from aws_auto.ml.features import lags
from aws_auto.ml.features.assemble import build
from aws_auto.ml.features.feature import Feature

START = datetime(2026, 1, 1, tzinfo=UTC)


def test_a_lag_is_by_time_so_a_missing_point_is_unknown() -> None:
    frame = MetricFrame.of(
        {
            "resource_id": ["a", "a", "a", "b"],
            "timestamp": [START + timedelta(hours=h) for h in (0, 1, 3, 4)],
            "cpu_utilization": [1.0, 2.0, 3.0, 4.0],
        }
    )
    assert build(frame, groups=("lag",))["cpu_utilization_lag_1h"].to_list() == [None, 1.0, None, None]


def test_positions_are_looked_up_only_for_features_that_read_them() -> None:
    assert lags.needs_positions(lags.features(["cpu_utilization"]))
    assert not lags.needs_positions([Feature("x", ("x",), pl.col("x"))])
