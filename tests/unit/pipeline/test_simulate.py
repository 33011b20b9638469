"""What is played, what is assumed, and what is refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from aws_auto.errors import NotEnoughData, SchemaError, UsageError
from aws_auto.ml.scaling.replay_trace import trace
from aws_auto.pipeline import simulate as use_case
from aws_auto.pipeline.ports import Batch, Window
from aws_auto.pipeline.simulate import Fleet
from fakes import NOW, memory_workspace

START = datetime(2026, 1, 5, tzinfo=UTC)


def history(days=14, *, per_hour=4, **options):
    rng = np.random.default_rng(1)
    t = np.arange(days * 24 * per_hour)
    load = (200 + 100 * np.sin(2 * np.pi * t / (24 * per_hour))) * (1 + 0.03 * rng.standard_normal(len(t)))
    step = timedelta(hours=1) / per_hour
    rows = pl.DataFrame({"timestamp": [START + step * int(k) for k in t], "load": load})
    return trace(rows, name="web request_count", **options)


@pytest.fixture
def lake():
    """A workspace whose lake holds a balancer, busier, and a fleet whose instances are counted."""
    ws, n = memory_workspace(), 200
    times = [NOW - timedelta(minutes=15) * (n - k) for k in range(n)]
    rows = pl.concat(
        [
            pl.DataFrame(
                {
                    "resource_id": [name] * n,
                    "timestamp": times,
                    "request_count": [load] * n,
                    "instance_count": pl.Series([count] * n, dtype=pl.Float64),
                    "cpu_utilization": pl.Series([40.0] * n, dtype=pl.Float64),
                    "hourly_cost": [0.4] * n,
                }
            )
            for name, load, count in (("alb", 900.0, None), ("web", 800.0, 4.0))
        ]
    )
    window = Window(times[0], NOW)
    ws.lake.write(Batch(dataset="metrics", rows=rows, window=window))
    return ws, window


def test_the_newest_days_are_played_beside_the_optimum():
    found = use_case.simulate(history(28), Fleet(capacity=20.0, price=0.1))
    assert [row.policy for row in found.rows] == ["target tracking", "AWS-like prediction", "aws-auto"]
    assert found.end - found.start == timedelta(days=7)
    assert found.learned == timedelta(days=21)
    for row in found.rows:
        assert row.instance_hours >= found.optimum_hours
        assert row.usd_month == pytest.approx(0.1 * 730 / 168 * row.instance_hours)
        assert row.kept == (row.violated <= 0.005)
    assert found.rows[-1].over_optimum < found.rows[0].over_optimum
    low, high = found.rows[-1].saving_low, found.rows[-1].saving_high
    assert low <= 1 - found.rows[-1].instance_hours / found.rows[0].instance_hours <= high
    assert found.optimum_usd_month == pytest.approx(0.1 * 730 / 168 * found.optimum_hours)


def test_a_short_history_is_played_for_a_third_of_it_and_that_is_said():
    found = use_case.simulate(history(9), Fleet(capacity=20.0))
    assert found.end - found.start == timedelta(days=3)
    assert "3.0 days are played, not 7.0 days: the history is short" in found.notes
    assert found.price is None
    assert {row.usd_month for row in found.rows} == {None}


def test_a_history_too_short_says_what_is_needed():
    with pytest.raises(NotEnoughData, match=r"is 4.0 days long; a replay needs 4.0 days to learn from and 1.0 days"):
        use_case.simulate(history(4), Fleet())


def test_without_a_capacity_the_peak_is_put_at_forty_instances_and_that_is_said():
    found = use_case.simulate(history(), Fleet())
    assert found.capacity == pytest.approx(np.quantile(history().values, 0.999) / 40)
    assert any("the peak is put at 40 instances" in note for note in found.notes)


def test_a_boot_counts_in_whole_steps_upwards():
    quick, slow = (use_case.simulate(history(7), Fleet(capacity=20.0, boot=timedelta(minutes=m))) for m in (15, 16))
    assert slow.optimum_hours > quick.optimum_hours
    assert "a boot of 0:16:00 counts as whole steps of 0:15:00" in slow.notes
    assert not any("boot" in note for note in quick.notes)


def test_what_is_known_in_advance_reaches_the_policy():
    day = timedelta(days=1)
    events = ((START - day, START - day / 2), (START + 8 * day, START + 8.5 * day))
    told = use_case._events(history(), Fleet(events=events))
    assert told.sum() == 48
    assert told[8 * 96]
    assert use_case.simulate(history(), Fleet(capacity=20.0, events=events)).rows


@pytest.mark.parametrize(
    ("fleet", "where"),
    [
        (Fleet(capacity=0.0), "--capacity"),
        (Fleet(price=-1.0), "--price"),
        (Fleet(minimum=3, maximum=2), "--max"),
    ],
)
def test_what_makes_no_sense_is_refused_with_its_flag(fleet, where):
    with pytest.raises(UsageError) as refused:
        use_case.simulate(history(), fleet)
    assert refused.value.where == where


def test_the_busiest_fleet_of_the_lake_is_taken_with_what_its_instances_carry_and_cost(lake):
    ws, window = lake
    found = use_case.load_of_lake(ws, window, metric="request_count", resource=None)
    assert found.name == "web request_count"
    assert found.capacity == pytest.approx(400.0)
    assert found.price == pytest.approx(0.1)
    assert found.notes == ("web is the busiest resource; choose another with --resource",)
    chosen = use_case.load_of_lake(ws, window, metric="request_count", resource="alb")
    assert (chosen.values[0], chosen.capacity, chosen.notes) == (900.0, None, ())


def test_what_the_history_says_is_used_unless_the_user_says_otherwise():
    known = history(capacity=20.0, price=0.2)
    found = use_case.simulate(known, Fleet())
    assert (found.capacity, found.price) == (20.0, 0.2)
    assert any("at 80 % CPU" in note for note in found.notes)
    said = use_case.simulate(known, Fleet(capacity=30.0, price=0.5))
    assert (said.capacity, said.price, said.notes) == (30.0, 0.5, said.notes)
    assert not any("CPU" in note for note in said.notes)


def test_a_metric_or_resource_that_is_not_there_names_those_that_are(lake):
    ws, window = lake
    with pytest.raises(SchemaError, match="there are cpu_utilization, hourly_cost, instance_count, request_count"):
        use_case.load_of_lake(ws, window, metric="bananas", resource=None)
    with pytest.raises(SchemaError, match="those that have it: alb, web"):
        use_case.load_of_lake(ws, window, metric="request_count", resource="db")


def test_an_empty_lake_says_where_a_load_may_come_from():
    with pytest.raises(NotEnoughData, match="holds no metrics"):
        use_case.load_of_lake(memory_workspace(), Window(START, NOW), metric="request_count", resource=None)


def test_a_table_of_times_and_load_is_a_history():
    table = pl.DataFrame({"timestamp": [f"2026-01-01T00:{m:02}:00Z" for m in range(0, 60, 5)], "load": range(12)})
    found = use_case.load_of_table(table, name="load.csv")
    assert found.values.tolist() == list(range(12))
    assert found.period == timedelta(minutes=5)


def test_a_table_without_a_load_is_refused():
    with pytest.raises(SchemaError, match="has no load") as caught:
        use_case.load_of_table(pl.DataFrame({"timestamp": ["2026-01-01T00:00:00Z"], "y": [1.0]}), name="x")
    assert (caught.value.where, caught.value.hint) == ("x", "there is timestamp, y")
    with pytest.raises(SchemaError, match="not numbers"):
        use_case.load_of_table(pl.DataFrame({"timestamp": ["2026-01-01T00:00:00Z"], "load": ["a"]}), name="x")


def test_a_table_without_rows_is_named():
    with pytest.raises(NotEnoughData, match=r"load.csv: has no rows"):
        use_case.load_of_table(pl.DataFrame({"timestamp": [], "load": []}), name="load.csv")
