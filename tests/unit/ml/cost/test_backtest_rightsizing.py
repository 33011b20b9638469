"""A replay decides on what was known then; a load that grew afterwards is throttled by who could not know it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from aws_auto.frame import MetricFrame
from aws_auto.ml.cost import prices
from aws_auto.ml.cost.backtest_rightsizing import CLAIRVOYANT, OURS, RULE, replay_sizes

START = datetime(2026, 3, 2, tzinfo=UTC)
KIND = "m6i.2xlarge"
USD = prices.table()[KIND].usd_per_hour
TYPES = {f"i-{k}": (KIND, "us-east-1") for k in range(8)}


def metrics(peaks, *, days=70, memory=20.0, column="cpu_utilization_max"):
    """A flat load of that peak a machine; a pair is the peak of all but the last fortnight, and of the last."""
    hours = np.arange(days * 24)
    frames = []
    for k, peak in enumerate(peaks):
        before, after = peak if isinstance(peak, tuple) else (peak, peak)
        cpu = np.where(hours < (days - 14) * 24, before, after) - 0.5 * (hours % 24 != 10)
        moments = [START + timedelta(hours=int(h)) for h in hours]
        facts = {column: cpu, "memory_utilization_max": np.full(len(hours), memory)}
        frames.append(pl.DataFrame({"resource_id": [f"i-{k}"] * len(hours), "timestamp": moments, **facts}))
    return MetricFrame.of(pl.concat(frames)).data


def by_method(found):
    return {one.method: one for one in found.methods}


@pytest.fixture(scope="module")
def steady():
    return replay_sizes(metrics([10.0] * 8), TYPES, seed=0, risk=0.15)


def test_a_steady_fleet_is_seen_through_by_all(steady):
    ways = by_method(steady)
    small = prices.table()["m6i.large"].usd_per_hour
    for way in (OURS, RULE, CLAIRVOYANT):
        assert ways[way].saving == pytest.approx(1 - small / USD)
        assert ways[way].throttled == 0.0
        assert ways[way].unmet_cpu_hours == 0.0
    assert ways[OURS].saved_usd == pytest.approx(steady.decisions * 336 * (USD - small))
    assert (steady.saving_difference.low, steady.saving_difference.high) == (0.0, 0.0)


def test_every_fortnight_with_two_before_it_is_judged(steady):
    assert steady.machines == 8
    assert steady.decisions == 8 * 3
    assert (steady.first, steady.last) == (START + timedelta(days=28, hours=-1), START + timedelta(days=70, hours=-1))


def test_a_load_that_grew_later_is_throttled_and_only_the_clairvoyant_keeps_the_size():
    found = replay_sizes(metrics([(10.0, 95.0)] * 2 + [10.0] * 6), TYPES, seed=0, risk=0.15)
    ways = by_method(found)
    assert ways[OURS].throttled == pytest.approx(2 / 24)
    assert ways[CLAIRVOYANT].throttled == 0.0
    assert ways[OURS].unmet_cpu_hours == pytest.approx(2 * (14 * 24 * (0.945 - 0.25) + 14 * 0.005) * 8)
    assert ways[OURS].saving > ways[CLAIRVOYANT].saving
    assert ways[OURS].interval_throttled.low <= ways[OURS].throttled <= ways[OURS].interval_throttled.high


def test_a_fleet_too_small_to_show_so_low_a_risk_keeps_its_sizes_at_first():
    ways = by_method(replay_sizes(metrics([10.0] * 8), TYPES, seed=0, risk=0.05))
    assert ways[OURS].saving == pytest.approx(0.75 * 2 / 3)
    assert ways[RULE].saving == pytest.approx(0.75)


def test_headroom_of_the_rule_costs_what_a_busy_fleet_does_not_use():
    found = replay_sizes(metrics([45.0] * 8), TYPES, seed=0, risk=0.15)
    ways = by_method(found)
    assert ways[RULE].saving == 0.0
    assert ways[CLAIRVOYANT].saving == pytest.approx(0.5)
    assert ways[OURS].saving > ways[RULE].saving
    assert found.saving_difference.low > 0.0


@pytest.mark.parametrize(
    ("data", "types", "why"),
    [
        (metrics([10.0], days=35), TYPES, "35 days of CPU maximum are known; 42 are needed"),
        (metrics([10.0], column="cpu_utilization"), TYPES, "no CPU maximum"),
        (metrics([10.0]), {}, "no CPU maximum of a machine"),
        (metrics([10.0]).with_columns(cpu_utilization_max=pl.lit(None, pl.Float64)), TYPES, "no CPU maximum"),
        (metrics([10.0]), {"i-0": ("strange.large", "us-east-1")}, "no machine has its history"),
    ],
)
def test_what_cannot_be_replayed_says_why(data, types, why):
    found = replay_sizes(data, types, seed=0, risk=0.15)
    assert found.methods == ()
    assert why in found.why


def test_a_machine_that_is_off_half_of_the_time_is_not_judged():
    data = metrics([10.0] * 8).filter((pl.col("resource_id") != "i-7") | (pl.col("timestamp").dt.hour() < 12))
    assert replay_sizes(data, TYPES, seed=0, risk=0.15).machines == 7
