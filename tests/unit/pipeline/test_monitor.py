from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from aws_auto.config import document
from aws_auto.errors import ModelNotFound
from aws_auto.ml.drift.test import BlockDriftTest
from aws_auto.pipeline import monitor
from aws_auto.pipeline.monitor import Health, ModelHealth
from aws_auto.pipeline.ports import Batch, Window
from aws_auto.pipeline.serve.capture import ingest_truth
from aws_auto.pipeline.workspace import open_workspace
from aws_auto.results import (
    BackTest,
    Decision,
    Field,
    Interval,
    Lineage,
    Quality,
    TrainedModel,
    TrainReport,
    as_json,
)

NOW = datetime(2026, 6, 1, tzinfo=UTC)
DAY = timedelta(days=1)
RULES = """
model_monitoring:
  metrics:
    - name: data_drift_score
      threshold: 0.3
      auto_retrain_trigger: true
    - name: model_latency
      threshold: 200ms
      scaling_trigger: true
  alerting:
    escalation_rules:
      - condition: drift_score > 0.5 for 2 of 3
        action: immediate_alert
"""


class FixedClock:
    def now(self):
        return NOW

    def sleep(self, seconds):
        raise AssertionError("nothing waits here")


def cpu(start, days, *, shift=0.0, seed=0):
    n = 288 * days
    k = np.arange(n)
    values = 40 + 15 * np.sin(2 * np.pi * k / 288) + np.random.default_rng(seed).normal(0, 3, n) + shift
    times = [start + timedelta(minutes=5 * int(i)) for i in k]
    return pl.DataFrame({"resource_id": "i-1", "timestamp": times, "cpu_utilization": values}).with_columns(
        pl.col("timestamp").dt.cast_time_unit("us")
    )


def model(reference):

    parquet = io.BytesIO()
    reference.write_parquet(parquet)
    return TrainedModel(
        recipe="anomaly-detector",
        files={"reference.parquet": parquet.getvalue()},
        schema=(
            Field(name="resource_id", kind="text"),
            Field(name="timestamp", kind="time"),
            Field(name="cpu_utilization", kind="number"),
        ),
        report=TrainReport(
            recipe="anomaly-detector",
            decision=Decision.PROMOTE,
            reason="for a test",
            backtests=(),
            calibration=(),
            lineage=Lineage(
                data_fingerprint="0", rows=1, resources=1, start=NOW - 30 * DAY, end=NOW - DAY, seed=0, versions={}
            ),
        ),
    )


@pytest.fixture
def ws(tmp_path):
    return open_workspace(tmp_path / "ws", target="local", environ={}, clock=FixedClock())


@pytest.fixture
def trained(ws):
    version = ws.registry.register("anomaly-detector", model(cpu(NOW - 29 * DAY, 28)))
    ws.registry.promote("anomaly-detector", version.version, reason="first")
    return ws


def fill(ws, rows):
    ws.lake.write(Batch(dataset="metrics", rows=rows, window=Window(NOW - 2 * DAY, NOW)))


def check(ws, rules=RULES):
    loaded = document.loads(rules).model_monitoring if rules else None
    return monitor.check(ws, Window(NOW - DAY, NOW), rules=loaded, drift=BlockDriftTest())


def test_without_a_champion_there_is_nothing_to_monitor(ws):
    with pytest.raises(ModelNotFound, match="no model to monitor"):
        check(ws)


def test_a_day_like_the_others_is_healthy(trained):
    fill(trained, cpu(NOW - DAY, 1, seed=5))
    (health,) = check(trained).models
    assert health.status is Health.HEALTHY
    assert health.readings["data_drift_score"] == 0.0


def test_a_shifted_day_is_drift_and_its_rule_asks_for_a_retrain(trained):
    fill(trained, cpu(NOW - DAY, 1, shift=20))
    report = check(trained)
    (health,) = report.models
    assert health.status is Health.DRIFT
    assert report.trouble
    (breach,) = health.breaches
    assert breach.rule == "data_drift_score above 0.3"
    assert breach.actions == ("schedule_retrain",)
    (alert,) = report.alerts
    assert "cpu_utilization" in alert.text


def test_a_rule_over_several_runs_waits_for_them(trained):
    fill(trained, cpu(NOW - DAY, 1, shift=20))
    first, second = check(trained), check(trained)
    assert [b.actions for b in first.models[0].breaches] == [("schedule_retrain",)]
    assert ("immediate_alert",) in [b.actions for b in second.models[0].breaches]
    assert second.alerts[0].severity == "critical"


def test_an_empty_window_is_not_enough_data_and_no_trouble(trained):
    report = check(trained)
    (health,) = report.models
    assert health.status is Health.UNKNOWN
    assert not report.trouble
    assert "the lake holds no metrics" in health.notes[0]


def test_what_is_too_little_to_be_judged_is_said_with_what_is_needed(trained):
    fill(trained, cpu(NOW - DAY, 1).tail(100))
    (health,) = check(trained).models
    assert health.status is Health.UNKNOWN
    (note,) = [n for n in health.notes if n.startswith("drift: ")]
    assert note.startswith("drift: cpu_utilization not judged: 100 current and 8064 reference values, at least 200")


def test_reference_rows_inside_the_window_are_left_out_of_the_comparison(ws):
    both = pl.concat([cpu(NOW - 29 * DAY, 28), cpu(NOW - DAY, 1, shift=20)])
    ws.registry.promote("anomaly-detector", ws.registry.register("anomaly-detector", model(both)).version, reason="x")
    fill(ws, cpu(NOW - DAY, 1, shift=20))
    (health,) = check(ws).models
    assert health.status is Health.DRIFT
    assert any("288 reference rows lie in the window" in n for n in health.notes)


def test_without_rules_nothing_is_breached_but_drift_is_still_told(trained):
    fill(trained, cpu(NOW - DAY, 1, shift=20))
    report = check(trained, rules=None)
    assert report.models[0].breaches == ()
    assert len(report.alerts) == 1


def answered(ws, predictions, latency_ms, times=None):
    answers = pl.DataFrame(
        {
            "timestamp": times or [NOW - timedelta(hours=1)] * len(predictions),
            "model": "anomaly-detector",
            "version": 1,
            "request_id": [f"request {i}" for i in range(len(predictions))],
            "row": 0,
            "features": '{"resource_id":"i-1","cpu_utilization":1.0}',
            "prediction": predictions,
            "latency_ms": latency_ms,
            "extrapolated": False,
        }
    ).with_columns(pl.col("timestamp").dt.cast_time_unit("us"))
    ws.lake.write(
        Batch(
            dataset="predictions",
            rows=answers,
            window=Window(NOW - 9 * DAY, NOW),
            keys=("timestamp", "request_id", "row"),
            final=False,
        )
    )


def test_captured_answers_give_latency_and_their_rule(trained):
    answered(trained, ['{"score":0.1}'] * 2, [100.0, 500.0])
    fill(trained, cpu(NOW - DAY, 1, seed=5))
    (health,) = check(trained).models
    assert health.readings["model_latency"] == pytest.approx(0.48)
    assert health.status is Health.DEGRADED
    assert [b.actions for b in health.breaches] == [("scale",)]


def test_the_readings_are_those_that_the_dashboard_draws(trained):
    from aws_auto.pipeline.web.grafana import PANELS

    fill(trained, cpu(NOW - DAY, 1, seed=5))
    (health,) = check(trained).models
    assert set(health.readings) == {panel.metric for panel in PANELS}


@pytest.mark.parametrize(
    "words", ["expected", "expected_1h", "expected_24h"], ids=["one value", "the nearest of several steps", "a day"]
)
def test_observed_values_beside_captured_answers_give_accuracy(trained, words):
    answered(trained, [f'{{"{words}":{value},"expected_4h":99.0}}' for value in (8.0, 24.0)], [1.0, 1.0])
    observed = pl.DataFrame({"request_id": ["request 0", "request 1"], "observed": [10.0, 20.0]})
    assert ingest_truth(trained, observed).stored == 2
    fill(trained, cpu(NOW - DAY, 1, seed=5))
    (health,) = check(trained).models
    assert health.readings["prediction_accuracy"] == pytest.approx(1 - 6 / 30)


def hourly_answers(level):
    """Ten answers an hour for three days, the values of the last day around ``level``, and their times."""
    rng = np.random.default_rng(3)
    hours = [NOW - timedelta(hours=h) for h in range(72, 0, -1) for _ in range(10)]
    values = [rng.normal(level if time >= NOW - DAY else 10, 1) for time in hours]
    return [f'{{"forecast_from":"{t}","expected_1h":{v}}}' for t, v in zip(hours, values, strict=True)], hours


@pytest.mark.parametrize(("level", "drifted"), [(10, []), (14, ["expected_1h"])])
def test_answers_drift_by_their_values_and_not_by_the_time_that_they_are_about(trained, level, drifted):
    predictions, times = hourly_answers(level)
    answered(trained, predictions, [1.0] * len(times), times)
    fill(trained, cpu(NOW - DAY, 1, seed=5))
    (health,) = check(trained).models
    assert [c.column for c in health.prediction_drift.columns] == ["expected_1h"]
    assert [c.column for c in health.prediction_drift.columns if c.drifted] == drifted


def quality(low, high):
    test = BackTest(
        metric="loss", unit="USD", ours=2.0, baseline=1.0, baseline_name="last value", n=20, unit_of_n="days",
        difference=Interval(low, high),
    )  # fmt: skip
    return Quality(backtest=test, accuracy=0.5)


@pytest.mark.parametrize(("low", "high", "status"), [(0.5, 1.5, Health.DEGRADED), (-0.5, 1.5, Health.HEALTHY)])
def test_a_model_is_degraded_when_the_simple_rule_is_surely_better(low, high, status):
    health = ModelHealth(model="m", version=1, simulated=False, readings={}, quality=quality(low, high))
    assert health.status is status


def test_every_run_is_written_down_with_its_readings(trained):
    fill(trained, cpu(NOW - DAY, 1, seed=5))
    check(trained)
    (entry,) = trained.journal.entries(monitor.KIND)
    assert entry.detail["status"] == "healthy"
    assert as_json(entry.detail["readings"])["data_drift_score"] == 0.0
