from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from aws_auto.frame import MetricFrame
from aws_auto.ml import files
from aws_auto.ml.recipes import recipe
from aws_auto.results import BackTest, Decision, Fresh, Interval

START = datetime(2026, 1, 5, tzinfo=UTC)


def figure(ours, baseline, champion=None, low=None, high=None, late=None, **options):
    """``late`` is ours where the champion is compared, when it is another figure than on all points."""
    difference = ours - baseline
    width = Interval(difference if low is None else low, difference if high is None else high)
    return BackTest(
        metric="loss",
        unit="",
        ours=ours,
        baseline=baseline,
        baseline_name="rule",
        fresh=None
        if champion is None
        else Fresh(champion=champion, ours=ours if late is None else late, baseline=baseline, n=3),
        difference=width,
        n=7,
        unit_of_n="days",
        **options,
    )


@pytest.mark.parametrize(
    ("test", "decision"),
    [
        (figure(1, 2), Decision.PROMOTE),
        (figure(1, 2, champion=1.5), Decision.PROMOTE),
        (figure(1, 2, champion=0.9), Decision.KEEP_CHAMPION),
        (figure(1, 2, champion=1.0), Decision.KEEP_CHAMPION),
        (figure(1.8, 2, low=-0.5, high=0.1), Decision.PROMOTE),
        (figure(1.95, 2, low=-0.5, high=0.3), Decision.SIMPLE_RULE),
        (figure(1.95, 2, low=-0.06, high=-0.04), Decision.PROMOTE),
        (figure(2, 2, low=-0.5, high=0.3), Decision.SIMPLE_RULE),
        (figure(2.1, 2, low=-0.5, high=0.6), Decision.SIMPLE_RULE),
        (figure(3, 2), Decision.SIMPLE_RULE),
        (figure(3, 2, champion=2), Decision.KEEP_CHAMPION),
        (figure(3, 2, champion=2.5), Decision.SIMPLE_RULE),
        (figure(1, 2, champion=1.5, late=1.6), Decision.KEEP_CHAMPION),
        (figure(1, 2, champion=0.9, late=0.8), Decision.PROMOTE),
        (figure(0.8, 0.5, lower_is_better=False), Decision.PROMOTE),
        (figure(0.8, 0.5, champion=0.9, lower_is_better=False), Decision.KEEP_CHAMPION),
        (figure(0.4, 0.5, lower_is_better=False), Decision.SIMPLE_RULE),
    ],
)
def test_the_decision_follows_from_ours_the_rule_and_the_champion(test, decision):
    got, reason = recipe.decide([test])
    assert got is decision
    assert "rule" in reason


def test_a_champion_is_compared_on_days_after_its_training_when_there_are_enough():
    border, end = START, START + timedelta(days=9)
    assert recipe.fresh_from(START - timedelta(days=1), border=border, end=end) == (border, ())
    since, said = recipe.fresh_from(START + timedelta(days=2), border=border, end=end)
    assert since > START + timedelta(days=2)
    assert "7.0 of 9.0 held-back days" in said[0]
    since, said = recipe.fresh_from(START + timedelta(days=7), border=border, end=end)
    assert since is None
    assert "2.0 of 9.0 held-back days came after its training, 3 are needed" in said[0]
    assert recipe.fresh_from(end + timedelta(days=1), border=border, end=end)[0] is None


def test_a_blow_up_that_the_typical_resource_does_not_show_is_a_veto():
    decision, reason = recipe.decide([figure(1, 2), figure(9, 2)])
    assert decision is Decision.SIMPLE_RULE
    assert "worse" in reason


def _frame(hours, resources, minutes=60):
    times = [START + timedelta(minutes=minutes * i) for i in range(hours * 60 // minutes)]
    parts = [
        pl.DataFrame({"resource_id": f"r{i}", "timestamp": times, "cpu_utilization": float(i)})
        for i in range(resources)
    ]
    return MetricFrame.of(pl.concat(parts))


def test_the_reference_is_bounded_and_keeps_every_resource_day_and_hour():
    frame = _frame(28 * 24, 10, minutes=5)
    fields = recipe.schema(frame.data, required=["cpu_utilization"])
    sample = files.from_parquet(recipe.reference(frame, fields, seed=1))
    assert 20_000 < len(sample) <= recipe.REFERENCE_ROWS
    assert sample["resource_id"].n_unique() == 10
    assert sample["timestamp"].dt.date().n_unique() == 28
    per_hour = sample.group_by(pl.col("timestamp").dt.hour()).len()["len"]
    assert per_hour.max() / per_hour.min() < 1.1
    steps = sample.filter(pl.col("resource_id") == "r0")["timestamp"].diff().drop_nulls()
    assert steps.n_unique() == 1
    assert recipe.reference(frame, fields, seed=1) == recipe.reference(frame, fields, seed=1)


def test_the_schema_carries_units_and_the_range_seen():
    frame = _frame(48, 3)
    (name, _, cpu) = recipe.schema(frame.data, required=["cpu_utilization"])
    assert name.kind == "text"
    assert (cpu.unit, cpu.low, cpu.high, cpu.required) == ("Percent", 0.0, 2.0, True)
