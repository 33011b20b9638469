"""The recipes on real series of the development data beside the checkout."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from aws_auto.frame import MetricFrame
from aws_auto.ml.recipes import catalog
from aws_auto.results import Decision

DATA = Path(__file__).resolve().parents[4] / ".." / "shared" / "data"
END = datetime(2026, 11, 23, tzinfo=UTC)

pytestmark = [
    pytest.mark.shared,
    pytest.mark.skipif(not DATA.is_dir(), reason="the development data does not lie beside the checkout"),
]


def aligned(table: pl.DataFrame, resource: str, time: str, value: str, metric: str) -> MetricFrame:
    """All series moved by whole weeks so that they end in the same one: a fleet is one window of time."""
    rows = table.select(resource_id=resource, timestamp=pl.col(time).cast(pl.Datetime("us")), **{metric: value})
    rows = rows.with_columns(pl.col("timestamp").dt.replace_time_zone("UTC"))
    weeks = (pl.lit(END) - pl.col("timestamp").max().over("resource_id")).dt.total_hours() // 168
    return MetricFrame.of(rows.with_columns(pl.col("timestamp") + weeks * pl.duration(hours=168)))


@pytest.mark.slow
def test_real_web_demand_is_forecast_better_than_by_any_naive_rule_and_the_interval_holds():
    panel = pl.read_parquet(DATA / "demand" / "hourly_panel.parquet").filter(pl.col("group") == "web")
    frame = aligned(panel, "unique_id", "ds", "y", "request_count")
    report = catalog.get("demand-forecaster").fit(frame, seed=0).report
    assert report.decision is Decision.PROMOTE
    assert report.backtests[0].ours < 0.8 * report.backtests[0].baseline
    assert report.calibration[0].observed == pytest.approx(0.8, abs=0.05)


@pytest.mark.parametrize(
    ("suite", "prefix"),
    [
        ("wsd", ""),  # by its labels: event F1 0.91 against 0.62 of a rolling median
        ("nab", "realAWS"),  # by its labels: 0.54 against 0.36, which a few days of eight series cannot show
    ],
)
def test_the_back_test_without_labels_agrees_with_the_labels(suite, prefix):
    table = pl.read_parquet(DATA / "anomaly" / f"{suite}.parquet").filter(pl.col("series").str.starts_with(prefix))
    frame = aligned(table, "series", "timestamp", "value", "latency")
    report = catalog.get("anomaly-detector").fit(frame.between(frame.span[1] - timedelta(days=30)), seed=0).report
    assert report.decision is Decision.PROMOTE
