"""Smaller sizes are said only where CPU peaks and memory allow them, and why not elsewhere."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from aws_auto.ml.cost import prices
from aws_auto.ml.cost.rightsizing import MEMORY_HEADROOM, sizings

START = datetime(2026, 5, 1, tzinfo=UTC)
NOW = "m6i.2xlarge"


def metrics(
    peaks: dict[str, float], *, days: int = 28, memory: float | None = 20.0, column: str = "cpu_utilization_max"
):
    """Machines that repeat one calm day with one busy hour."""
    hours = 24 * days
    parts = []
    for name, peak in peaks.items():
        cpu = np.where(np.arange(hours) % 24 == 10, peak, peak / 3)
        values = {"timestamp": [START + timedelta(hours=h) for h in range(hours)], "resource_id": [name] * hours}
        values[column] = cpu.tolist()
        if memory is not None:
            values["memory_utilization_max"] = [memory] * hours
        parts.append(pl.DataFrame(values))
    return pl.concat(parts)


def fleet(n: int, peak: float = 18.0) -> dict[str, float]:
    return {f"i-{k:03d}": peak for k in range(n)}


def asked(frame: pl.DataFrame, kind: str = NOW, *, region: str | None = "us-east-1", risk: float = 0.1):
    return sizings(frame, dict.fromkeys(frame["resource_id"].unique(), kind), region=region, seed=0, risk=risk)


def reasons(found) -> str:
    return "; ".join(one.reason for one in found.abstained)


def test_a_machine_with_room_gets_the_cheapest_size_that_holds_its_peak():
    found = asked(metrics(fleet(20)))
    assert {one.to for one in found.items} == {"m6i.large"}
    first = found.items[0]
    assert first.saving == prices.table()[NOW].usd_per_hour - prices.table()["m6i.large"].usd_per_hour
    assert first.saving_share == pytest.approx(0.75)
    assert 0 < first.trouble <= 0.1
    assert "of this fleet" in first.trouble_from


def test_memory_in_use_is_a_hard_constraint():
    found = asked(metrics(fleet(20), memory=35.0))
    needed = prices.table()[NOW].memory_gib * 0.35 / (1 - MEMORY_HEADROOM)
    assert {one.to for one in found.items} == {"m6i.xlarge"}
    assert prices.table()["m6i.large"].memory_gib < needed <= prices.table()["m6i.xlarge"].memory_gib
    full = asked(metrics(fleet(20), memory=45.0))
    assert not full.items
    assert "with its memory no cheaper size" in reasons(full)


def test_memory_that_is_not_measured_is_never_reduced_and_that_is_said():
    found = asked(metrics(fleet(20), memory=None))
    assert {one.to for one in found.items} == {"r6i.xlarge"}
    assert all("not measured and is not reduced" in one.memory for one in found.items)


def test_a_busy_machine_is_left_alone_with_the_probability_that_speaks_against_it():
    found = asked(metrics(fleet(20, peak=90.0)))
    assert not found.items
    assert "too small in the next fortnight" in reasons(found)


def test_the_average_alone_says_nothing():
    found = asked(metrics(fleet(3), column="cpu_utilization"))
    assert not found.items
    assert "only the average" in reasons(found)


def test_less_than_a_fortnight_says_nothing():
    found = asked(metrics(fleet(3), days=10))
    assert not found.items
    assert "240 of the last 336 hours" in reasons(found)


def test_a_fortnight_without_a_second_one_to_measure_by_says_nothing():
    found = asked(metrics(fleet(20), days=20))
    assert not found.items
    assert "cannot be measured yet" in reasons(found)


def test_a_small_fleet_cannot_prove_a_small_risk():
    found = asked(metrics(fleet(3)), risk=0.05)
    assert not found.items


def test_burstable_unpriced_and_other_regions_are_refused_with_their_reason():
    frame = metrics(fleet(2))
    assert "share with credits" in reasons(asked(frame, "t3.large"))
    assert "no price of m6i.2xlarge in eu-west-1" in reasons(asked(frame, region="eu-west-1"))


def test_the_evidence_is_the_daily_maximum_of_the_days_that_were_looked_at():
    line = asked(metrics(fleet(20))).items[0].evidence
    assert len(line.x) == 28
    assert line.x[-1] == datetime(2026, 5, 28, tzinfo=UTC).date()
    assert line.y == (18.0,) * 28
    assert len(asked(metrics(fleet(20), days=70)).items[0].evidence.x) == 56
