from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl

from aws_auto.frame import MetricFrame
from aws_auto.ml.cost.idle import idle


def table(cpu, days=15, resource="a", cost=0.1):
    times = [datetime(2026, 1, 5, tzinfo=UTC) + timedelta(hours=i) for i in range(days * 24)]
    columns = {"resource_id": resource, "timestamp": times, "cpu_utilization_max": cpu, "hourly_cost": cost}
    return MetricFrame.of(pl.DataFrame(columns)).data


def test_a_fortnight_under_five_per_cent_is_idle_and_priced_by_the_month():
    (found,) = idle(table(3.0))
    assert (found.resource_id, found.highest_cpu) == ("a", 3.0)
    assert round(found.monthly_usd, 6) == 73.0


def test_one_busy_hour_a_short_history_or_no_cost_is_no_evidence():
    busy = [3.0] * 359 + [50.0]
    assert idle(table(busy)) == []
    assert idle(table(3.0, days=10)) == []
    assert idle(table(3.0, cost=0.0)) == []


def test_an_average_without_its_maximum_is_no_evidence():
    assert idle(table(3.0).rename({"cpu_utilization_max": "cpu_utilization"})) == []


def test_a_maximum_that_is_mostly_missing_is_no_evidence():
    cpu = [3.0] * 200 + [None] * 160
    assert idle(table(cpu)) == []
