from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from aws_auto.errors import NotEnoughData, SchemaError, UsageError
from aws_auto.frame import TIME_DTYPE, MetricFrame
from aws_auto.ml.anomaly.labels import by_resource
from aws_auto.ml.recipes.anomaly import AnomalyDetector
from aws_auto.pipeline.feedback import INCIDENTS, KEYS, Verdict, feedback, missed, verdicts
from aws_auto.pipeline.ports import Batch, Window
from aws_auto.pipeline.train import train
from aws_auto.pipeline.workspace import open_workspace
from fakes import FakeClock, memory_workspace

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def ws():
    """A day of metrics of one resource, and an alarm."""
    made = memory_workspace()
    times = pl.Series([NOW - HOUR * k for k in range(24)], dtype=TIME_DTYPE)
    rows = pl.DataFrame({"resource_id": "web-1", "timestamp": times, "cpu_utilization": 50.0})
    span = Window(NOW - HOUR * 24, NOW + HOUR)
    made.lake.write(Batch(dataset="metrics", rows=rows, window=span, keys=KEYS))
    alarm = rows.head(1).select(
        *KEYS, end=pl.col("timestamp"), metric=pl.lit("cpu_utilization"), anomaly_id=pl.lit("x")
    )
    made.lake.write(Batch(dataset=INCIDENTS, rows=alarm, window=span, keys=KEYS, final=False))
    return made


def incidents(*hours, resource="web-1"):
    starts = [NOW - HOUR * hour for hour in hours]
    return pl.DataFrame({"resource_id": resource, "timestamp": starts, "end": [s + HOUR for s in starts]})


def test_missed_incidents_are_kept_beside_the_verdicts_on_alarms(ws):
    feedback(ws, "x", Verdict.TRUE)
    assert missed(ws, incidents(5, 10)) == 2
    said = verdicts(ws).sort("timestamp")
    assert said["verdict"].to_list() == ["missed", "missed", "true"]
    assert said["resource_id"].unique().to_list() == ["web-1"]
    assert (said["end"] - said["timestamp"]).to_list() == [HOUR, HOUR, timedelta(0)]
    assert said["said_at"].null_count() == 0


def test_an_incident_may_start_or_have_a_timestamp(ws):
    assert missed(ws, incidents(5).rename({"timestamp": "start"})) == 1
    assert verdicts(ws)["timestamp"].to_list() == incidents(5)["timestamp"].to_list()


def test_the_same_incident_again_replaces_what_was_said(ws):
    missed(ws, incidents(5))
    twice = pl.concat([incidents(5), incidents(5)]).with_columns(note=pl.Series(["old", "new"]))
    assert missed(ws, twice) == 1
    assert verdicts(ws)["note"].to_list() == ["new"]


def test_an_incident_without_metrics_is_refused_by_name_and_time(ws):
    for table in (incidents(5, resource="web-9"), incidents(500)):
        with pytest.raises(UsageError, match="no metrics of 'web-") as caught:
            missed(ws, table)
        assert "UTC" in caught.value.hint
    with pytest.raises(UsageError, match="no metrics"):
        missed(memory_workspace(), incidents(5))
    assert verdicts(ws).is_empty()


def test_a_table_of_something_else_is_refused(ws):
    with pytest.raises(SchemaError, match="has no end") as caught:
        missed(ws, incidents(5).drop("end"), where="i.csv")
    assert caught.value.where == "i.csv"
    with pytest.raises(UsageError, match="no incident"):
        missed(ws, incidents(5).head(0))


def test_the_next_training_gets_what_was_missed(tmp_path):
    class Listener(AnomalyDetector):
        """Only listens."""

        def fit(self, frame, *, labels=None, **_):
            heard.append(labels)
            raise NotEnoughData("that was all", where="test", hint="")

    heard = []
    made = open_workspace(tmp_path / "w", target="local", environ={}, clock=FakeClock(NOW))
    times = pl.Series([NOW - HOUR * k for k in range(24)], dtype=TIME_DTYPE)
    rows = pl.DataFrame({"resource_id": "web-1", "timestamp": times, "cpu_utilization": 50.0})
    made.lake.write(Batch(dataset="metrics", rows=rows, window=Window(NOW - HOUR * 24, NOW + HOUR), keys=KEYS))
    missed(made, incidents(5, 10))
    train(made, [Listener()], MetricFrame.of(rows))
    (labels,) = heard
    first, second = sorted(int((NOW - HOUR * hour).timestamp()) for hour in (5, 10))
    assert by_resource(labels)["web-1"].right == ((first, first + 3600), (second, second + 3600))
