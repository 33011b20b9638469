from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from aws_auto.errors import NotEnoughData, SchemaError
from aws_auto.frame import MetricFrame
from aws_auto.ml.cost import cost_forecast_scores as scoring
from aws_auto.ml.cost.cost_features import CostFeatures
from aws_auto.ml.features.feature_set import cost_features

START = datetime(2026, 3, 2, tzinfo=UTC)


def table(days=30, **columns):
    times = [START + timedelta(hours=h) for h in range(days * 24)]
    return pl.DataFrame({"resource_id": "r", "timestamp": times, **columns})


def test_every_listed_feature_is_computed_or_said_to_be_unavailable_and_why():
    found = CostFeatures.of(table(hourly_cost=0.5, cpu_utilization=10.0, active_users=None))
    assert list(found) == list(cost_features)
    assert len(found) == 4
    for name, wanted in cost_features.items():
        assert list(found.available[name]) == wanted
        for feature in wanted:
            assert found.available[name][feature] is (feature in found[name].columns)
            assert found.available[name][feature] is not (feature in found.unavailable)
    assert found.available["cost_features"]["cost_per_user"] is False
    assert found.unavailable["cost_per_user"] == "has no value in these rows"
    assert found.unavailable["cost_per_request"] == "needs request_count"
    assert found.available["temporal_features"] == dict.fromkeys(cost_features["temporal_features"], True)
    assert "hourly_cost" in found.columns()


def test_users_that_are_known_give_a_cost_for_each():
    found = CostFeatures.of(table(hourly_cost=0.5, active_users=10.0).to_pandas())
    assert found["cost_features"]["cost_per_user"][0] == pytest.approx(0.05)
    assert isinstance(found.frame, MetricFrame)


def test_a_bill_may_come_as_exported_or_in_our_words(make):
    ours = make.usage("a", resource="i-1", cost=1.0).bill
    assert CostFeatures.of(table(hourly_cost=1.0), bill=ours).bill is ours
    focus = pl.DataFrame(
        {
            "BilledCost": ["1.5"],
            "EffectiveCost": ["1.5"],
            "BillingCurrency": ["USD"],
            "ChargePeriodStart": ["2026-03-01T00:00:00Z"],
            "ChargePeriodEnd": ["2026-03-01T01:00:00Z"],
            "BillingPeriodStart": ["2026-03-01T00:00:00Z"],
            "ChargeCategory": ["Usage"],
            "ServiceName": ["Glue"],
            "ProviderName": ["AWS"],
        }
    )
    try:
        assert CostFeatures.of(table(hourly_cost=1.0), bill=focus).bill["billed_cost"].to_list() == [1.5]
    except SchemaError as missing:  # a column that FOCUS requires
        pytest.fail(str(missing))
    with pytest.raises(SchemaError, match="no bill"):
        CostFeatures.of(table(hourly_cost=1.0), bill=pl.DataFrame({"a": [1]}))


# --- how unusual a day is


def costs(days=40, seed=0, resources=3):
    rng = np.random.default_rng(seed)
    per_day = 24.0 * (1 + np.arange(resources))[:, None] * (1 + 0.03 * rng.standard_normal((resources, days)))
    days_of = tuple((START + timedelta(days=d)).date() for d in range(days))
    return scoring.DailyTable(tuple("abc"[:resources]), days_of, per_day)


def test_a_day_that_costs_twice_is_unusual_and_others_are_not():
    usual = costs()
    scorer = scoring.CostScorer.fit(usual, seed=0)
    dear = scoring.DailyTable(usual.names, usual.days, usual.costs.copy())
    dear.costs[1, -1] *= 2.0
    first, *others = scorer.predict(dear)
    assert first.resource_id == "b"
    assert first.unusual
    assert first.score >= 0.99
    assert first.cost == pytest.approx(2.0 * first.expected, rel=0.2)
    assert not any(one.unusual for one in others)


def test_made_dearer_days_are_those_that_are_said():
    dear, changed = scoring.injected(costs(), first=30, factor=2.0, seed=1)
    assert changed[:, :30].sum() == 0
    assert changed.any()
    np.testing.assert_allclose(dear.costs[changed], 2.0 * costs().costs[changed])
    np.testing.assert_allclose(dear.costs[~changed], costs().costs[~changed])


def test_days_with_few_hours_are_unknown_and_unknown_days_have_no_score():
    rows = table(days=12, hourly_cost=1.0).filter(
        (pl.col("timestamp").dt.day() != 9) | (pl.col("timestamp").dt.hour() < 10)
    )
    found = scoring.daily_table(rows)
    assert np.isnan(found.costs[0, 7])
    assert found.costs[0, 0] == pytest.approx(24.0)
    scorer = scoring.CostScorer.fit(found, seed=0)
    scores, expected = scorer.scores(found.costs, [3, 7, 11])
    assert np.isnan(scores[0, :2]).all()
    assert expected[0, 2] == pytest.approx(24.0)


def test_too_short_a_past_is_refused():
    with pytest.raises(SchemaError, match="hourly_cost"):
        scoring.daily_table(table(cpu_utilization=1.0))
    with pytest.raises(NotEnoughData, match="no whole day"):
        scoring.daily_table(table(days=1, hourly_cost=1.0).head(5))
    with pytest.raises(NotEnoughData, match="at least 7"):
        scoring.CostScorer.fit(costs(days=6), seed=0)


def test_a_resource_of_yesterday_has_a_cost_and_no_score():
    young = costs()
    young.costs[2, :-1] = np.nan
    scorer = scoring.CostScorer.fit(costs(), seed=0)
    one = next(s for s in scorer.predict(young) if s.resource_id == "c")
    assert one.score is None
    assert one.expected is None
    assert not one.unusual
