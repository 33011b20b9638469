from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from aws_auto.frame import MetricFrame
from aws_auto.ml.features.assemble import build

START = datetime(2026, 1, 1, tzinfo=UTC)


def built(group: str, hours: int, **columns: list) -> dict[str, list]:
    times = [START + timedelta(hours=h) for h in range(hours)]
    frame = MetricFrame.of({"resource_id": ["a"] * hours, "timestamp": times, **columns})
    return build(frame, groups=(group,)).to_dict(as_series=False)


def test_headroom_is_taken_from_the_maximum_statistic_where_there_is_one() -> None:
    average = built("utilization", 2, cpu_utilization=[20.0, 10.0])
    assert average["cpu_utilization_headroom_24h"] == [80.0, 80.0]
    peak = built("utilization", 2, cpu_utilization=[20.0, 10.0], cpu_utilization_max=[30.0, 95.0])
    assert peak["cpu_utilization_headroom_24h"] == [70.0, 5.0]


def test_idle_and_busy_shares_count_the_known_points_of_a_day() -> None:
    shares = built("utilization", 4, cpu_utilization=[4.9, 5.0, None, 80.1])
    assert shares["cpu_utilization_idle_share_24h"] == [1.0, 0.5, 0.5, pytest.approx(1 / 3)]
    assert shares["cpu_utilization_busy_share_24h"] == [0.0, 0.0, 0.0, pytest.approx(1 / 3)]


def test_no_variation_around_zero_is_unknown_not_infinite() -> None:
    usage = built("usage", 3, cpu_utilization=[0.0, 0.0, 0.0])
    assert usage["cpu_utilization_volatility_24h"] == [None, None, None]
    rolling = built("rolling", 3, cpu_utilization=[2.0, 2.0, 2.0])
    assert rolling["cpu_utilization_zscore_7d"] == [None, None, None]


def test_the_cpu_memory_ratio_keeps_the_specifications_small_term() -> None:
    assert built("usage", 1, cpu_utilization=[5.0], memory_utilization=[0.0])["cpu_memory_ratio"] == [5.0 / 1e-6]
