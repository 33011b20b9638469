from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
import typer
from typer.testing import CliRunner

from aws_auto.cli import forecasting
from aws_auto.errors import NotEnoughData, UsageError
from aws_auto.ml.simulate.account import simulate
from aws_auto.pipeline.forecast_cost import CostOutlook, forecast_cost
from aws_auto.pipeline.ports import Batch, Window
from aws_auto.pipeline.web.cost_outlook import mixture, outlook_report
from aws_auto.pipeline.workspace import open_workspace

NOW = datetime(2026, 6, 1, tzinfo=UTC)
SPAN = Window(NOW - timedelta(days=35), NOW)


class FixedClock:
    def now(self):
        return NOW

    def sleep(self, seconds):
        raise AssertionError("nothing waits here")


@pytest.fixture(scope="module")
def ws(tmp_path_factory):
    """A workspace with the simulated bill of 35 days and nothing else."""
    made = open_workspace(tmp_path_factory.mktemp("w") / "w", target="local", environ={}, clock=FixedClock())
    bill = simulate(SPAN.start, SPAN.end, seed=7).billing
    made.lake.write(Batch(dataset="billing", rows=bill, window=SPAN, keys=()))
    return made


@pytest.fixture(scope="module")
def found(ws):
    return forecast_cost(ws, SPAN, by="service", horizon=7)


def test_without_a_bill_the_next_step_is_said(tmp_path):
    empty = open_workspace(tmp_path / "w", target="local", environ={}, clock=FixedClock())
    with pytest.raises(NotEnoughData, match="no bill") as caught:
        forecast_cost(empty, SPAN, by="total", horizon=14)
    assert "forecast-cost --data-source cur" in caught.value.hint


def test_the_bill_of_the_lake_is_forecast_by_the_day_after_its_last(ws, found):
    assert isinstance(found, CostOutlook)
    assert found.forecast.series[0].name == "Amazon Elastic Compute Cloud"
    assert found.forecast.series[0].days[0] == NOW.date()
    assert len(found.forecast.series[0].days) == 7
    bill = ws.lake.scan("billing", SPAN).collect()
    last = bill.filter(pl.col("charge_category") == "Usage", pl.col("timestamp") >= NOW - timedelta(days=7))
    assert found.forecast.totals[0].expected[0] == pytest.approx(last["effective_cost"].sum() / 7, rel=0.25)


def test_the_page_says_simulated_draws_every_series_and_lists_what_is_not_forecast(found):
    page = outlook_report(CostOutlook(forecast=found.forecast, simulated=True))
    assert "Simulated data" in page
    for one in found.forecast.series:
        assert one.name in page
    assert "On the bill and not forecast" in page
    assert "Its parts add up to" in page
    assert page.count('class="plot"') == len(found.forecast.series) + 1


def test_a_page_of_the_total_alone_has_one_picture(ws):
    page = outlook_report(forecast_cost(ws, SPAN, by="total", horizon=7))
    assert page.count('class="plot"') == 1
    assert "Its parts add up to" not in page


def test_a_mixture_is_named_by_its_heaviest_members(found):
    words = {mixture(one) for one in found.forecast.series}
    assert "last value" in words
    assert all(re.fullmatch(r"[^%]+|.+ \d+%(; .+ \d+%)*(; others)?", text) for text in words)


# --- the command


@pytest.fixture
def run(ws, monkeypatch):
    app = typer.Typer()
    asked = []

    @app.callback()
    def root():
        """More than one command, as in aws-auto ml."""

    app.command("forecast-cost")(forecasting.forecast_cost)
    monkeypatch.setattr(forecasting, "opened", lambda *_: ws)
    monkeypatch.setattr(forecasting, "collected", lambda *words, **_: asked.append(words))

    def call(*words):
        return CliRunner().invoke(app, ["forecast-cost", *words]), asked

    return call


def test_the_table_names_each_series_and_the_talk_compares_parts_and_total(run):
    result, asked = run("--window", "35d", "--horizon", "7")
    assert result.exit_code == 0, result.output
    assert "Amazon Relational Database Service" in result.stdout
    assert "next 7 days (80 %)" in result.stdout
    assert "June 2026 (80 %)" in result.stdout
    assert "its parts add up to" in result.stderr
    assert "not forecast: credit" in result.stderr
    assert "next: aws-auto ml recommend" in result.stderr
    assert len(asked) == 1


def test_json_csv_and_report_hold_the_same_days(run, tmp_path):
    table, page = tmp_path / "o.csv", tmp_path / "o.html"
    result, _ = run("--since", "2026-05-01", "--by", "total", "--json", "--csv", str(table), "--report", str(page))
    assert result.exit_code == 0, result.output
    (one,) = json.loads(result.stdout)["forecast"]["series"]
    rows = pl.read_csv(table)
    assert rows["day"].to_list() == one["days"]
    assert rows["expected"].to_list() == pytest.approx(one["expected"], abs=1e-4)
    assert page.read_text().startswith("<!doctype html>")


def test_csv_of_parts_holds_the_total_as_well(run, tmp_path):
    result, _ = run("--window", "35d", "--by", "tag:team", "--csv", str(tmp_path / "o.csv"))
    assert result.exit_code == 0, result.output
    assert {"total", "data", "shop"} <= set(pl.read_csv(tmp_path / "o.csv")["series"])


def test_an_unknown_tag_is_refused_with_those_that_are_there(run):
    result, _ = run("--by", "tag:owner")
    assert isinstance(result.exception, UsageError)
    assert "environment, team" in result.exception.hint
