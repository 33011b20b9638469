"""One alarm per episode, and quiet after it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from aws_auto.ml.anomaly.alarms import alarms, spans

START = datetime(2026, 1, 5, tzinfo=UTC)
PERIODS = {"a": 300.0}


def answers(*points):
    """Hour and severity of points that raise an alarm."""
    return pl.DataFrame(
        {
            "resource_id": "a",
            "timestamp": [START + timedelta(hours=hour) for hour, _ in points],
            "is_anomaly": True,
            "score": [0.5 + severity / 4 for _, severity in points],
            "severity": [severity for _, severity in points],
            "metric": "latency",
            "value": 1.0,
            "expected": 0.0,
            "low": 0.0,
            "high": 0.5,
        },
        schema_overrides={"timestamp": pl.Datetime("us", "UTC"), "severity": pl.Float64},
    )


def starts(found):
    return [(a["start"] - START) / timedelta(hours=1) for a in found]


def test_points_within_an_hour_are_one_alarm_with_the_facts_of_the_worst():
    (one,) = alarms(answers((0, 0.1), (0.5, 0.9), (1.2, 0.2)), PERIODS)
    assert one["severity"] == 0.9
    assert one["peak"] == START + timedelta(hours=0.5)
    assert one["anomaly_id"] == "a@2026-01-05T00:00:00Z"


@pytest.mark.parametrize(("second", "told"), [(0.1, [0, 12]), (0.3, [0, 12]), (0.4, [0, 3, 12]), (1.0, [0, 3, 12])])
def test_after_an_alarm_only_a_worse_one_is_told_until_it_has_cooled_down(second, told):
    table = answers((0, 0.1), (3, second), (12, 0.1))
    assert starts(alarms(table, PERIODS, cool_down=timedelta(hours=6))) == told
    assert starts(alarms(table, PERIODS)) == [0, 3, 12]


def test_spans_of_scores_say_where_and_how_high():
    table = answers((0, 0.0), (0.5, 0.4), (5, 0.2)).select("resource_id", "timestamp", "score")
    found = spans(table, PERIODS, 0.5)
    assert [(a["resource_id"], a["score"]) for a in found] == [("a", 0.6), ("a", 0.55)]
    assert found[0]["end"] - found[0]["start"] == timedelta(minutes=30)
    assert spans(table, PERIODS, 0.9) == []
