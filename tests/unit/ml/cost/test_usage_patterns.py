from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from aws_auto.errors import ArtifactError, SchemaError
from aws_auto.ml.cost import usage_patterns
from aws_auto.ml.cost.usage_patterns import PATTERNS, UsageClassifier, by_rule, examples
from aws_auto.ml.cost.usage_patterns_made import made
from aws_auto.ml.cost.usage_patterns_shape import NAMES, shape

START = datetime(2026, 3, 2, tzinfo=UTC)


@pytest.fixture(scope="module")
def model():
    return UsageClassifier.fit(seed=0)


def rows(hours, *, resource="r", metric="cpu_utilization"):
    return pl.DataFrame(
        {
            "resource_id": resource,
            "timestamp": [START + timedelta(hours=h) for h in range(len(hours))],
            metric: hours,
        }
    ).with_columns(pl.col(metric).fill_nan(None))


def office(days=28, top=40.0):
    hour = np.arange(days * 24)
    busy = (hour % 24 >= 9) & (hour % 24 < 18) & (hour // 24 % 7 < 5)
    return np.where(busy, top, 1.0) + np.random.default_rng(0).normal(0, 0.2, len(hour)).clip(-0.5, 0.5)


def test_series_that_it_was_not_taught_are_named_rightly_and_better_than_by_thresholds(model):
    known, labels = examples(30, seed=77)
    said = model.probabilities(known).argmax(axis=1)
    assert (said == labels).mean() >= 0.93
    assert (said == labels).mean() > (by_rule(known) == labels).mean()


def test_office_hours_on_a_machine_that_never_stops_are_always_on(model):
    (one,) = model.analyze(rows(office()))
    assert one.pattern == "always-on"
    assert one.probability > 0.5
    assert one.metric == "cpu_utilization"
    assert one.days == 28


def test_a_percentage_that_never_reaches_five_is_idle_whatever_its_shape(model):
    (one,) = model.analyze(rows(office(top=4.0)))
    assert (one.pattern, one.probability) == ("idle", 1.0)
    assert "never passed" in one.why


def test_requests_have_no_capacity_so_only_none_at_all_is_idle(model):
    busy, none = np.full(20 * 24, 3.0), np.zeros(20 * 24)
    table = pl.concat([rows(busy, resource="busy", metric="request_count"), rows(none, metric="request_count")])
    found = {one.resource_id: one.pattern for one in model.analyze(table)}
    assert found == {"busy": "steady", "r": "idle"}


def test_under_a_fortnight_or_with_holes_nothing_is_said_and_what_is_needed_is(model):
    short = rows(office(days=10), resource="short")
    holes = np.where(np.random.default_rng(1).random(28 * 24) < 0.4, np.nan, 10.0)
    for one in model.analyze(pl.concat([short, rows(holes, resource="holes")])):
        assert one.pattern is None
        assert one.probability is None
        assert "14 days" in one.why


def test_only_the_last_sixty_days_count(model):
    hours = np.concatenate([np.full(100 * 24, 50.0), np.full(60 * 24, 1.0)])
    (one,) = model.analyze(rows(hours))
    assert one.pattern == "idle"
    assert one.days == 60


def test_without_a_usage_metric_there_is_nothing_to_look_at(model):
    with pytest.raises(SchemaError, match="cpu_utilization"):
        model.analyze(rows(np.ones(400), metric="hourly_cost"))


def test_a_stored_forest_says_the_same_and_foreign_files_are_refused(model):
    known, _ = examples(3, seed=5)
    again = UsageClassifier.load(model.files())
    np.testing.assert_array_equal(again.probabilities(known), model.probabilities(known))
    broken = {**model.files(), "forest.skops": b"\x80\x04pickle"}
    with pytest.raises(ArtifactError):
        UsageClassifier.load(broken)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_the_shape_does_not_depend_on_unit_or_time_zone(pattern):
    hours = made(pattern, days=28, rng=np.random.default_rng(3))
    plain = shape(hours, percent=False)
    np.testing.assert_allclose(shape(hours * 1000.0, percent=False), plain, rtol=1e-6)
    shifted = shape(np.roll(hours, 9), percent=False)
    keep = [i for i, name in enumerate(NAMES) if "trend" not in name and name != "bursts"]
    np.testing.assert_allclose(shifted[keep], plain[keep], atol=0.25)


def test_made_series_have_the_level_and_holes_that_were_drawn():
    rng = np.random.default_rng(0)
    for pattern in PATTERNS:
        hours = made(pattern, days=20, rng=rng)
        assert len(hours) == 480
        assert np.nanmin(hours) >= 0.0
        assert np.nanmax(hours) <= 100.0


def test_the_same_seed_teaches_the_same_forest(model):
    assert usage_patterns.UsageClassifier.fit(seed=0).files() == model.files()


def test_a_rhythm_of_holes_and_a_series_of_zeros_have_a_shape_too():
    hours = np.where(np.arange(20 * 24) % 24 < 12, np.nan, 10.0)
    assert np.isfinite(shape(hours, percent=True)).all()
    known = np.full(20 * 24, np.nan)
    known[::30] = 5.0
    assert np.isfinite(shape(known, percent=True)).all()
    np.testing.assert_array_equal(shape(np.zeros(20 * 24), percent=True)[:2], 0.0)
