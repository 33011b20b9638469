from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from aws_auto.frame import MetricFrame
from aws_auto.ml.features.assemble import build

START = datetime(2026, 1, 1, tzinfo=UTC)


def cost(minutes: list[float], **columns: list) -> dict[str, list]:
    frame = MetricFrame.of(
        {
            "resource_id": ["a"] * len(minutes),
            "timestamp": [START + timedelta(minutes=m) for m in minutes],
            "hourly_cost": [6.0] * len(minutes),
            **columns,
        }
    )
    return build(frame, groups=("cost",)).to_dict(as_series=False)


def test_a_request_costs_what_its_period_costs_shared_among_the_requests() -> None:
    # 6 USD an hour for five minutes is 0.50 USD.
    assert cost([0, 5, 10], request_count=[5.0, 5.0, 50.0])["cost_per_request"] == [
        None,
        pytest.approx(0.1),
        pytest.approx(0.01),
    ]


def test_the_period_of_a_request_count_survives_a_gap() -> None:
    after_two_days = [0, 5, 2 * 24 * 60]
    assert cost(after_two_days, request_count=[5.0] * 3)["cost_per_request"] == [None, *[pytest.approx(0.1)] * 2]


def test_no_requests_and_no_users_have_no_cost_each() -> None:
    built = cost([0, 5], request_count=[0.0, 0.0], active_users=[0.0, 3.0])
    assert built["cost_per_request"] == [None, None]
    assert built["cost_per_user"] == [None, 2.0]


def test_the_daily_cost_trend_is_in_dollars_a_day_per_day() -> None:
    days = range(7)
    minutes = [day * 24 * 60.0 for day in days]
    # The daily bill grows by 2.40 USD a day, so the hourly rate grows by 0.10 USD a day.
    built = cost(minutes, hourly_cost=[1 + 0.1 * day for day in days])
    assert built["daily_cost_trend"] == [None, *[pytest.approx(2.4)] * 6]


def test_the_efficiency_score_is_the_share_of_the_money_that_paid_for_used_capacity() -> None:
    # One hour at 9 USD and 100 % used, one at 1 USD and idle.
    built = cost([0, 60], hourly_cost=[9.0, 1.0], cpu_utilization=[100.0, 0.0], memory_utilization=[100.0, 0.0])
    assert built["cost_efficiency_score"] == [pytest.approx(1.0), pytest.approx(0.9)]


def test_the_efficiency_score_makes_do_with_cpu_where_memory_is_not_reported() -> None:
    assert cost([0], cpu_utilization=[25.0])["cost_efficiency_score"] == [pytest.approx(0.25)]


def test_a_free_resource_has_no_efficiency_score() -> None:
    assert cost([0], hourly_cost=[0.0], cpu_utilization=[25.0])["cost_efficiency_score"] == [None]
