"""The duties of a source, kept by every source that needs no account."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from aws_auto.pipeline.collect import collect
from aws_auto.pipeline.local.sample import SampleSource
from aws_auto.pipeline.local.sources import CurSource, FocusSource, LogFileSource, MetricsFileSource
from aws_auto.pipeline.ports import Window
from fakes import FakeClock, MemoryLake, memory_workspace

DAY = Window(datetime(2026, 2, 10, tzinfo=UTC), datetime(2026, 2, 11, tzinfo=UTC))

FILES = {
    "cur": (
        CurSource,
        (
            "bill_billing_period_start_date,line_item_usage_start_date,line_item_line_item_type,line_item_unblended_cost\n"
            "2026-02-01T00:00:00Z,2026-02-10T01:00:00Z,Usage,1.5\n"
            "2026-02-01T00:00:00Z,2026-02-20T01:00:00Z,Usage,2.5\n"
        ),
    ),
    "focus": (
        FocusSource,
        (
            "BillingPeriodStart,ChargePeriodStart,ChargeCategory,BilledCost,BillingCurrency\n"
            "2026-02-01T00:00:00Z,2026-02-10T01:00:00Z,Usage,1.5,USD\n"
        ),
    ),
    "metrics": (
        MetricsFileSource,
        (
            "resource_id,timestamp,cpu_utilization,region\n"
            "i-1,2026-02-10T01:00:00Z,5,eu-west-1\n"
            "i-1,2026-02-11T00:00:00Z,6,eu-west-1\n"
        ),
    ),
    "logs": (LogFileSource, "2026-02-10T01:00:00Z INFO ok\n2026-02-11T00:00:00Z ERROR no\n"),
}


@pytest.fixture(params=[*FILES, "sample"])
def source(request, tmp_path):
    if request.param == "sample":
        return SampleSource(seed=7, clock=FakeClock())
    kind, text = FILES[request.param]
    path = tmp_path / ("app.log" if kind is LogFileSource else "table.csv")
    path.write_text(text)
    return kind(str(path))


def test_rows_lie_in_the_window_that_their_batch_speaks_for(source):
    batches = list(source.pull(DAY))
    assert batches
    for batch in batches:
        times = batch.rows["timestamp"]
        assert times.dtype == pl.Datetime("us", "UTC")
        assert times.is_between(batch.window.start, batch.window.end, closed="left").all()


def test_a_key_is_a_column_and_holds_the_time(source):
    for batch in source.pull(DAY):
        assert set(batch.keys) <= set(batch.rows.columns)
        assert not batch.keys or "timestamp" in batch.keys


def test_a_second_pull_gives_the_same_rows(source):
    once, twice = ([batch.rows for batch in source.pull(DAY)] for _ in range(2))
    assert all(a.equals(b) for a, b in zip(once, twice, strict=True))


def test_a_span_is_delivered_only_when_all_of_it_is(source):
    """Killed after a final batch, the run that follows would never ask for what came after it."""
    final_until = None
    for batch in source.pull(DAY):
        assert final_until is None or batch.window.start >= final_until
        if batch.final:
            final_until = batch.window.end
    assert final_until is not None


def test_an_estimate_makes_no_paid_call(source):
    estimate = source.estimate(DAY)
    assert (estimate.calls, estimate.price_usd) == (0, 0.0)
    assert estimate.lines


def test_what_was_collected_is_not_asked_for_again(source):
    ws = memory_workspace(lake=MemoryLake())
    first = collect(ws, source, DAY)
    rows = dict(ws.lake.datasets())
    second = collect(ws, source, DAY)
    assert first.rows > 0
    assert second.rows == 0
    assert ws.lake.datasets() == rows


def test_a_source_says_whether_its_figures_are_real(source):
    assert source.simulated == (source.name == "sample")
    assert source.name in source.scope


def test_a_restated_bill_replaces_and_never_adds(tmp_path):
    ws = memory_workspace(lake=MemoryLake())
    path = tmp_path / "bill.csv"
    for cost, rows in (("1.5", 2), ("9.5", 2)):
        path.write_text(FILES["cur"][1].replace("1.5", cost))
        assert collect(ws, CurSource(str(path)), DAY).rows == rows
    assert sorted(ws.lake.scan("billing").collect()["billed_cost"].to_list()) == [2.5, 9.5]


def test_a_day_later_only_the_new_day_is_simulated():
    clock = FakeClock(datetime(2026, 2, 11, tzinfo=UTC))
    ws = memory_workspace(clock=clock, lake=MemoryLake())
    source = SampleSource(seed=7, clock=clock)
    week = Window(clock.now() - timedelta(days=7), clock.now())
    collect(ws, source, week)
    clock.moment += timedelta(days=1)
    report = collect(ws, source, Window(week.start, clock.now()))
    assert report.pulled == (Window(week.end, clock.now()),)
