"""What a schedule keeps of the command line that made it."""

from __future__ import annotations

import json
import math
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from aws_auto.cli import training
from aws_auto.cli.alarming import Asked
from aws_auto.cli.ml import app
from aws_auto.cli.options import DataSource
from aws_auto.cli.training import Request
from aws_auto.errors import NotEnoughData, UsageError
from aws_auto.pipeline.ports import Batch, Window
from aws_auto.pipeline.workspace import open_workspace
from aws_auto.protocols import silent

ASKED = Request(
    models=("anomaly-detector",),
    data_source=(DataSource.FILE,),
    path=("/data/m.csv",),
    window="14d",
    seed=3,
    region="eu-west-1",
    alarms=Asked(budget="1 per month", effect=("latency=50",), cool_down="1h"),
)


def test_a_stored_request_is_read_back_as_it_was_asked():
    assert Request.of(ASKED.argv("anomaly-detector")) == ASKED


def test_what_is_said_about_alarms_is_scheduled_with_their_model_only():
    assert "--alarm-budget" not in ASKED.argv("demand-forecaster")


def test_what_is_said_about_alarms_needs_their_model():
    with pytest.raises(UsageError, match="is about anomaly-detector") as caught:
        training.names(replace(ASKED, models=("demand-forecaster",)))
    assert caught.value.where == "--alarm-budget"


def test_a_stored_path_does_not_depend_on_the_folder_that_cron_starts_in(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    stored = Request.of(replace(ASKED, path=("m.csv", "s3://bucket/m.csv")).argv("anomaly-detector"))
    assert stored.path == (str(tmp_path / "m.csv"), "s3://bucket/m.csv")


class Stopped:
    """A clock that tests move."""

    def __init__(self):
        self.at = datetime(2026, 6, 1, 12, tzinfo=UTC)

    def now(self):
        return self.at

    def sleep(self, seconds):
        raise AssertionError("nothing waits here")


@pytest.fixture
def scheduled(tmp_path):
    """A workspace whose weekly training of the anomaly detector is due now, with nothing to train on."""
    clock = Stopped()
    ws = open_workspace(tmp_path / "ws", target="local", environ={}, clock=clock)
    training.schedule(ws, Request(models=("anomaly-detector",)), "weekly")
    clock.at = ws.scheduler.all()[0].next_run
    return ws, clock


def quiet(_what):
    return nullcontext(silent)


def test_a_scheduled_run_that_fails_is_due_again_in_an_hour_and_then_weekly_again(scheduled):
    ws, clock = scheduled
    first = training.train_due(ws, progress=quiet)
    assert [name for name, _ in first.failed] == ["anomaly-detector"]
    assert training.train_due(ws, progress=quiet).failed == ()
    assert ws.scheduler.all()[0].next_run == clock.at + training.RETRY
    clock.at += training.RETRY
    assert len(training.train_due(ws, progress=quiet).failed) == 1


def month_of_cpu(ws, clock):
    span = Window(clock.at - timedelta(days=30), clock.at)
    hours = [span.start + timedelta(hours=h) for h in range(30 * 24)]
    wave = 40 + 10 * np.sin(np.arange(len(hours)) * 2 * np.pi / 24) + np.random.default_rng(0).normal(0, 1, len(hours))
    rows = pl.DataFrame({"resource_id": "i-1", "timestamp": hours, "cpu_utilization": wave})
    ws.lake.write(
        Batch(dataset="metrics", rows=rows.with_columns(pl.col("timestamp").dt.cast_time_unit("us")), window=span)
    )
    return span


def test_a_scheduled_run_that_succeeds_is_due_a_week_later(scheduled):
    ws, clock = scheduled
    month_of_cpu(ws, clock)
    done = training.train_due(ws, progress=quiet)
    assert [t.name for t in done.trained] == ["anomaly-detector"]
    assert ws.scheduler.all()[0].next_run == clock.at + timedelta(days=7)


def test_who_names_no_model_gets_those_that_the_data_allow(scheduled, capsys):
    ws, clock = scheduled
    span = month_of_cpu(ws, clock)
    done = training.train(ws, Request(), span, progress=quiet)
    assert {"anomaly-detector", "demand-forecaster"} <= {t.name for t in done.trained}
    assert "cost-optimizer" in [name for name, _ in done.left_out]
    assert (done.failed, done.exit_code) == ((), 0)
    training.show(ws, done, html=None, as_json=False)
    assert "left out: cost-optimizer: " in capsys.readouterr().err


def test_a_model_that_was_named_and_cannot_be_trained_is_a_failure(scheduled):
    ws, clock = scheduled
    span = month_of_cpu(ws, clock)
    done = training.train(ws, Request(models=("anomaly-detector", "cost-optimizer")), span, progress=quiet)
    assert ([name for name, _ in done.failed], done.left_out, done.exit_code) == (["cost-optimizer"], (), 3)


def test_a_file_of_long_ago_is_trained_on_with_since_which_is_about_one_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    start = datetime(2014, 2, 3, tzinfo=UTC)
    hours = [start + timedelta(hours=i) for i in range(12 * 24)]
    load = [100 + 50 * math.sin(i / 24 * 2 * math.pi) + i % 7 for i in range(len(hours))]
    pl.DataFrame({"resource_id": "web", "timestamp": hours, "request_count": load}).write_csv("old.csv")
    line = ["train-models", "--models", "anomaly-detector", "--data-source", "file", "--path", "old.csv", "--json"]
    told = CliRunner().invoke(app, line)
    assert isinstance(told.exception, NotEnoughData)
    assert "the file reaches from 2014-02-03" in told.stderr
    done = CliRunner().invoke(app, [*line, "--since", "2014-02-01"])
    assert done.exit_code == 0, done.stderr
    found = CliRunner().invoke(app, ["detect", "--since", "2014-02-01", "--json"])
    assert found.exit_code == 0, found.stderr
    assert json.loads(found.stdout)["judged"] > 0
    refused = CliRunner().invoke(app, ["train-models", "--if-due", "--since", "2014-02-01"])
    assert isinstance(refused.exception, UsageError)
