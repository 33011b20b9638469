from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest

from aws_auto.results import BackTest, ColumnDrift, Decision, DriftReport, Interval, as_json


def backtest(low, high, *, lower_is_better=True):
    return BackTest(
        metric="loss", unit="USD", ours=1.0, baseline=2.0, baseline_name="last value", n=20, unit_of_n="days",
        difference=Interval(low, high), lower_is_better=lower_is_better,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("low", "high", "lower_is_better", "beats"),
    [(-2, -1, True, True), (-2, 0.1, True, False), (1, 2, True, False), (1, 2, False, True), (-1, 2, False, False)],
)
def test_the_baseline_is_beaten_only_when_the_whole_interval_says_so(low, high, lower_is_better, beats):
    assert backtest(low, high, lower_is_better=lower_is_better).beats_baseline is beats


def test_the_drift_score_is_the_share_of_judged_columns_that_drifted():
    column = {"distance": 1.0, "threshold": 0.5, "p_value": 0.01, "n_reference": 9, "n_current": 9}
    columns = (ColumnDrift(column="a", drifted=True, **column), ColumnDrift(column="b", drifted=False, **column))
    assert DriftReport(columns=columns).score == 0.5
    assert DriftReport(columns=()).score == 0.0


def test_any_result_becomes_plain_json():
    value = {
        "interval": Interval(1.0, float("nan")),
        "decision": Decision.PROMOTE,
        "at": datetime(2026, 1, 1, tzinfo=UTC),
        "on": date(2026, 1, 1),
        "length": timedelta(minutes=1),
        "numbers": (np.float64(1.5), np.int64(2)),
    }
    assert json.loads(json.dumps(as_json(value))) == {
        "interval": {"low": 1.0, "high": None, "level": 0.95},
        "decision": "promote",
        "at": "2026-01-01T00:00:00+00:00",
        "on": "2026-01-01",
        "length": 60.0,
        "numbers": [1.5, 2],
    }
