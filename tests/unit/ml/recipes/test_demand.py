"""The demand forecaster on histories of every length and shape, and with settings of its own."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from aws_auto.errors import NotEnoughData
from aws_auto.frame import MetricFrame
from aws_auto.ml.recipes import catalog
from aws_auto.results import Decision

START = datetime(2026, 3, 2, tzinfo=UTC)


def load(hours, *, resources=("a", "b", "c"), noise=0.05, seed=4):
    """Hourly requests with a daily rhythm and a wander that naive rules follow badly."""
    rng = np.random.default_rng(seed)
    t = np.arange(hours)
    frames = []
    for i, name in enumerate(resources):
        wander = np.zeros(hours)
        for h in range(1, hours):
            wander[h] = 0.9 * wander[h - 1] + rng.normal(0, noise)
        values = 100 * (i + 1) * np.exp(wander) * (1.5 + np.sin(2 * np.pi * t / 24))
        times = [START + timedelta(hours=int(h)) for h in t]
        frames.append(pl.DataFrame({"resource_id": name, "timestamp": times, "request_count": values}))
    return MetricFrame.of(pl.concat(frames))


def trained(frame, **options):
    return catalog.get("demand-forecaster").fit(frame, seed=0, **options)


@pytest.fixture(scope="module")
def young():
    return trained(load(72))


def test_three_days_give_the_shipped_booster_judged_on_the_second_half(young):
    report = young.report
    assert report.decision is Decision.PROMOTE
    assert report.backtests[0].n == 6
    assert report.backtests[0].unit_of_n == "held-back blocks of 6 hours"
    assert any("3.0 days are too few to fit" in note for note in report.notes)


def test_a_young_model_answers_and_is_stored(young):
    frame = load(72)
    recipe = catalog.get("demand-forecaster")
    answers = recipe.load(young.files).predict(frame.data).group_by("resource_id").last()
    assert answers["expected_4h"].null_count() == 0
    table = recipe.load(young.files).quantiles(frame.data, (0.5, 0.95), horizon=24)
    assert len(table) == 72


def test_with_less_than_two_days_nothing_can_be_judged_and_the_reason_is_said():
    with pytest.raises(NotEnoughData, match="47 hours of history, at least 48 are needed"):
        trained(load(47))


def test_two_days_are_enough():
    assert trained(load(48)).report.backtests[0].n >= 3
