from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from aws_auto.cli import training
from aws_auto.cli.demanding import Asked
from aws_auto.cli.ml import app
from aws_auto.errors import SchemaError, UsageError


def events(tmp_path, text="start,end,name\n2026-11-27T06:00:00Z,2026-11-27T09:00:00Z,sale\n"):
    path = tmp_path / "events.csv"
    path.write_text(text)
    return str(path)


def test_flags_become_settings_of_the_recipe(tmp_path):
    settings = Asked(metric="orders", period="1d", country="DE", events=events(tmp_path)).recipe().settings
    assert settings.metric == "orders"
    assert settings.hours == 24
    assert settings.ahead.country == "DE"
    assert [event.name for event in settings.ahead.events] == ["sale"]


def test_a_schedule_repeats_the_flags_of_its_own_model_only(tmp_path):
    asked = Asked(metric="orders", period="6h", country="DE", events=events(tmp_path))
    request = training.Request(models=("demand-forecaster",), demand=asked)
    assert training.Request.of(request.argv("demand-forecaster")).demand == asked
    assert "--country" not in request.argv("cost-optimizer")


def test_no_flags_are_no_settings():
    assert Asked().argv() == ()
    assert training.names(training.Request(models=("cost-optimizer",))) == ("cost-optimizer",)


@pytest.mark.parametrize(
    ("asked", "error", "said"),
    [
        (Asked(country="XX"), UsageError, "no holidays are known for the country 'XX'"),
        (Asked(period="often"), UsageError, "'often' is not a duration"),
        (Asked(period="5h"), UsageError, "no step is 5h long"),
        (Asked(events="nowhere.csv"), SchemaError, "no such file"),
        (Asked(metric="orders"), UsageError, "is about demand-forecaster"),
    ],
)
def test_what_cannot_be_used_is_told_before_anything_is_pulled(asked, error, said):
    with pytest.raises(error, match=said):
        training.names(training.Request(models=("cost-optimizer",), demand=asked))


def test_a_month_of_daily_points_is_trained_from_the_command_line(tmp_path):
    days = np.arange(30)
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    times = [today - timedelta(days=int(29 - day)) for day in days]
    orders = 100.0 * np.where(days % 7 >= 5, 0.5, 1.0)
    pl.DataFrame({"resource_id": "shop", "timestamp": times, "orders": orders}).write_csv(tmp_path / "orders.csv")
    home = ["--workspace", str(tmp_path / "w"), "--target", "local"]
    source = ["--data-source", "file", "--path", str(tmp_path / "orders.csv")]
    asked = ["--models", "demand-forecaster", "--demand-metric", "orders", "--demand-period", "1d"]
    done = CliRunner().invoke(app, ["train-models", *asked, *source, *home, "--json"])
    assert done.exit_code == 0, done.output
    report = json.loads(done.stdout)["trained"][0]["version"]["report"]
    assert report["backtests"][0]["unit_of_n"] == "held-back blocks of 6 days"
    assert "30 days are too few to fit, 80 are needed" in " ".join(report["notes"])
