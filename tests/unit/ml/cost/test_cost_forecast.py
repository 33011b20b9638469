from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from aws_auto.errors import NotEnoughData, SchemaError, UsageError
from aws_auto.ml.cost import cost_forecast_bands as bands
from aws_auto.ml.cost import cost_forecast_boosted as boosted
from aws_auto.ml.cost import cost_forecast_members as members
from aws_auto.ml.cost import cost_forecast_trial as trial
from aws_auto.ml.cost.cost_forecast import forecast_cost
from aws_auto.ml.cost.cost_forecast_series import OTHERS, daily_costs
from aws_auto.results import as_json

START = datetime(2026, 3, 2, tzinfo=UTC)  # a Monday
FIRST = date(2026, 3, 2)


def weekly(days, *, low=10.0, high=30.0):
    return np.array([[high if d % 7 < 5 else low for d in range(days)]])


def noisy(days, *, seed=0, level=20.0, spread=2.0, series=1):
    return level + np.random.default_rng(seed).normal(0, spread, (series, days))


# --- a bill as series


def test_the_parts_add_up_to_the_bill(make):
    bill = (
        make.usage("a", resource="i-1", cost=1.0, sub_account_id="1")
        .usage("b", resource="i-2", cost=2.0, sub_account_id="2", service_name="AWS Glue")
        .bill
    )
    for by, names in (("total", 1), ("service", 2), ("account", 2)):
        (group,), apart, _ = daily_costs(bill, by)
        assert len(group.names) == names
        assert group.costs.sum() == pytest.approx(bill["effective_cost"].sum())
        assert apart == ()
    assert group.days[0] == FIRST
    assert len(group.days) == 28


def test_a_month_of_a_fee_is_spread_over_its_days_and_is_no_rise_on_the_first(make):
    fee = {
        "timestamp": datetime(2026, 4, 1, tzinfo=UTC),
        "charge_period_end": datetime(2026, 5, 1, tzinfo=UTC),
        "charge_category": "Purchase",
        "charge_frequency": "Recurring",
        "billed_cost": 300.0,
        "service_name": "Amazon Elastic Compute Cloud",
    }
    bill = (
        make.usage("a", resource="i-1", cost=1.0, days=44)
        .line(**fee)
        .bill.with_columns(effective_cost=pl.lit(None, pl.Float64))
    )
    (group,), _, _ = daily_costs(bill, "total")
    assert group.basis == "billed"
    assert group.spread == 300.0
    april = [cost for day, cost in zip(group.days, group.costs[0], strict=True) if day.month == 4]
    np.testing.assert_allclose(april, 24.0 + 10.0)


def test_a_tax_is_spread_over_the_days_billed_so_far(make):
    tax = {
        "timestamp": START,
        "charge_period_end": datetime(2026, 4, 1, tzinfo=UTC),
        "charge_category": "Tax",
        "charge_frequency": "Recurring",
        "billed_cost": 14.0,
        "effective_cost": 14.0,
    }
    bill = make.usage("a", resource="i-1", cost=1.0, days=14).line(**tax).bill
    (group,), _, _ = daily_costs(bill, "total")
    assert group.costs.sum() == pytest.approx(14 * 24 + 14.0)
    np.testing.assert_allclose(group.costs[0], 25.0, atol=0.1)


def test_credits_refunds_and_one_time_payments_are_listed_and_not_forecast(make):
    lines = (("Credit", -50.0, "One-Time"), ("Adjustment", -5.0, "One-Time"), ("Purchase", 700.0, "One-Time"))
    for category, amount, frequency in lines:
        make.line(
            timestamp=START,
            charge_period_end=START + timedelta(hours=1),
            charge_category=category,
            charge_frequency=frequency,
            billed_cost=amount,
        )
    bill = make.usage("a", resource="i-1", cost=1.0, effective_cost=None).bill
    bill = bill.with_columns(effective_cost=pl.lit(None, pl.Float64))
    (group,), apart, _ = daily_costs(bill, "total")
    assert group.costs.max() == pytest.approx(24.0)
    assert {(one.category, one.amount) for one in apart} == {(c, a) for c, a, _ in lines}
    assert apart[0].first == FIRST


def test_amortised_costs_that_are_rounded_in_the_file_are_not_used(make):
    bill = make.usage("a", resource="i-1", cost=0.4).bill.with_columns(pl.col("effective_cost").round(0))
    (group,), _, _ = daily_costs(bill, "total")
    assert group.basis == "billed"
    assert group.costs[0, 0] == pytest.approx(9.6)


def test_a_day_that_is_not_over_is_left_out_and_said(make):
    bill = make.usage("a", resource="i-1", cost=1.0, days=20).bill.filter(
        pl.col("timestamp") < START + timedelta(days=19, hours=7)
    )
    (group,), _, notes = daily_costs(bill, "total")
    assert group.days[-1] == FIRST + timedelta(days=18)
    assert any("is not over" in note for note in notes)


def test_a_last_day_with_few_lines_may_be_restated_and_that_is_said(make):
    for i in range(10):
        make.usage("a", resource=f"i-{i}", cost=1.0, days=20 if i < 2 else 19)
    _, _, notes = daily_costs(make.bill, "total")
    assert any("restated" in note for note in notes)


def test_a_day_without_any_line_is_unknown_and_not_free(make):
    bill = make.usage("a", resource="i-1", cost=1.0).bill
    hole = pl.col("timestamp").dt.date() == FIRST + timedelta(days=9)
    (group,), _, _ = daily_costs(bill.filter(~hole), "total")
    assert np.isnan(group.costs[0, 9])
    said = forecast_cost(bill.filter(~hole), by="total")
    assert any("unknown, not free" in note for note in said.notes)
    assert said.series[0].past[9] is None
    assert said.series[0].expected[0] == pytest.approx(24.0)


def test_small_series_are_forecast_together(make):
    make.usage("a", resource="i-1", cost=100.0, service_name="big")
    for i in range(5):
        make.usage("a", resource="i-2", cost=0.001, service_name=f"small {i}")
    (group,), _, _ = daily_costs(make.bill, "service")
    assert group.names == ("big", OTHERS)
    assert group.costs[1, 0] == pytest.approx(0.12)


def test_every_currency_is_its_own(make):
    bill = make.usage("a", resource="i-1", cost=1.0).usage("a", resource="i-2", cost=5.0, billing_currency="EUR").bill
    said = forecast_cost(bill, by="service")
    assert {one.currency for one in said.series} == {"USD", "EUR"}
    assert said.parts["EUR"] == pytest.approx(14 * 120.0)


def test_tags_group_and_an_unknown_tag_is_refused_with_those_that_are_there(make):
    bill = make.usage("a", resource="i-1", cost=1.0).bill
    bill = bill.with_columns(tag_cost_center=pl.when(pl.col("timestamp").dt.hour() < 12).then(pl.lit("web")))
    (group,), _, _ = daily_costs(bill, "tag:CostCenter")
    assert set(group.names) == {"web", "(no CostCenter)"}
    with pytest.raises(UsageError) as caught:
        daily_costs(bill, "tag:team")
    assert "cost_center" in caught.value.hint
    with pytest.raises(UsageError, match="no way to group"):
        daily_costs(bill, "team")


def test_without_usage_or_a_whole_day_there_is_no_series(make):
    bill = make.usage("a", resource="i-1", cost=1.0).bill
    with pytest.raises(NotEnoughData, match="no usage"):
        daily_costs(bill.with_columns(charge_category=pl.lit("Tax")), "total")
    with pytest.raises(NotEnoughData, match="no whole day"):
        daily_costs(bill.filter(pl.col("timestamp") < START + timedelta(hours=5)), "total")
    with pytest.raises(SchemaError, match="service_name"):
        daily_costs(bill.drop("service_name"), "total")


# --- members


def test_a_level_is_an_exponentially_weighted_mean_of_the_past():
    past = noisy(40)
    said = members.forecasts(past, 3)[0, members.NAMES.index("level, slow")]
    weights = [0.8**age for age in range(40)][::-1]
    assert said == pytest.approx(np.full(3, np.dot(past[0], weights) / sum(weights)))


def test_weekdays_that_agree_are_kept_and_those_that_do_not_are_not():
    profile = members.weekdays(weekly(28))[0]
    assert profile[5] < 0.6
    assert profile[0] > 1.0
    np.testing.assert_allclose(members.weekdays(noisy(28, seed=3)), 1.0, atol=0.12)
    np.testing.assert_array_equal(members.weekdays(noisy(9)), 1.0)


@pytest.mark.parametrize("back", [0.0, 60.0])
def test_a_step_is_found_where_it_was(back):
    past = noisy(40, spread=0.5)
    past[:, 30:] += back - 10.0
    assert members.last_step(past)[0] == 30
    assert members.last_step(noisy(40, spread=0.5))[0] == 0
    since = members.NAMES.index("level and weekdays since the last step")
    assert members.forecasts(past, 1)[0, since, 0] == pytest.approx(10.0 + back, abs=1.0)


# --- choosing


def test_a_series_that_never_moves_is_forecast_by_its_last_value():
    found = trial.run(np.full((1, 60), 7.0), ahead=14)
    assert found.weights[0, 0] == 1.0
    np.testing.assert_allclose(found.expected, 7.0)
    assert found.covered[0] == 1.0


def test_a_walk_that_remembers_nothing_is_forecast_by_its_last_value():
    walk = 1000.0 + np.cumsum(np.random.default_rng(1).normal(0, 5, (1, 400)), axis=1)[:, -120:]
    found = trial.run(walk, ahead=14)
    assert found.loss[0] <= 1.1 * found.loss_of_last[0]


def test_noise_around_a_level_and_weekdays_are_forecast_better_than_by_the_last_value():
    for costs in (noisy(90), weekly(90) + noisy(90, level=0.0, spread=0.5)):
        found = trial.run(costs, ahead=14)
        assert found.loss[0] < 0.8 * found.loss_of_last[0]
        assert found.weights[0, 0] < 0.1
    assert found.expected[0, 5] > 20.0 > found.expected[0, 0]  # day 90 is a Saturday
    assert found.weights.sum(axis=1) == pytest.approx(1.0)


def test_after_a_collapse_the_new_level_is_forecast_within_days():
    costs = noisy(60, level=100.0)
    costs[:, 55:] = noisy(5, level=20.0, spread=0.5)
    assert trial.run(costs, ahead=14).expected[0, 0] < 30.0


def test_nothing_is_forecast_from_later_days():
    costs = noisy(70, series=3)
    later = np.concatenate([costs, np.full((3, 5), 1e6)], axis=1)
    whole, part = trial.run(later[:, :70], ahead=7), trial.run(costs, ahead=7)
    np.testing.assert_array_equal(whole.expected, part.expected)
    np.testing.assert_array_equal(whole.high, part.high)


def test_intervals_hold_about_as_often_as_promised():
    inside = []
    for seed in range(12):
        costs = noisy(100, seed=seed, series=4) + np.cumsum(noisy(100, seed=seed + 50, level=0, spread=0.3), axis=1)
        found = trial.run(costs[:, :86], ahead=14)
        assert (found.low <= found.expected).all()
        assert (found.expected <= found.high).all()
        inside.append((costs[:, 86:] >= found.low) & (costs[:, 86:] <= found.high))
    assert 0.74 <= np.mean(inside) <= 0.9


def test_a_day_farther_away_is_never_better_known():
    found = trial.run(noisy(80), ahead=14)
    assert (np.diff(found.high - found.expected) >= -1e-9).all()


LONG_AGO = np.array([-10_000])


def test_what_no_error_is_known_of_is_wider_by_the_square_root_of_time():
    wrong = np.full((4, 1, 8), np.nan)
    for i in range(3):
        wrong[i, 0, : 3 - i] = 1.0 - 2.0 * (i % 2)
    found = bands.of_days(wrong, np.array([10, 11, 12, 13]), np.ones((4, 1, 8)), LONG_AGO)
    assert found.high[0, 7] == pytest.approx(found.high[0, 4] * np.sqrt(8 / 5))


def test_without_any_known_error_the_band_of_a_long_past_is_the_rounding_of_a_bill():
    found = bands.of_days(np.full((2, 1, 3), np.nan), np.array([8, 9]), np.full((2, 1, 3), 100.0), LONG_AGO)
    assert 0 < found.high.max() < 1.0
    assert np.isnan(found.covered).all()


def test_a_few_errors_on_one_side_widen_the_band_on_the_other_and_many_do_not():
    few, many = (one_sided(n) for n in (8, 300))
    assert few.low[0, 0] < -0.5
    assert few.high[0, 0] > 0.5
    assert -many.low[0, 0] < 0.5 * many.high[0, 0]


def one_sided(n):
    wrong = np.random.default_rng(0).uniform(0.5, 1.5, (n, 1, 1))
    wrong[-1] = np.nan
    return bands.of_days(wrong, np.arange(10, 10 + n), np.full((n, 1, 1), 100.0), LONG_AGO)


def test_after_a_collapse_the_cost_is_not_thought_to_rise_by_what_it_fell():
    wrong = np.full((12, 1, 1), -1.0)
    wrong[:6] = -90.0
    wrong[-1] = np.nan
    forecast = np.full((12, 1, 1), 5.0)
    found = bands.of_days(wrong, np.arange(10, 22), forecast, LONG_AGO)
    assert found.high[0, 0] <= 5.0 * 3.0
    assert found.high[0, 0] > 0.5


def test_a_short_past_without_a_change_is_no_promise_and_a_long_one_is():
    ends = {}
    for days in (14, 28, 200):
        found = trial.run(np.full((1, days), 100.0), ahead=14)
        ends[days] = found.high[0] - 100.0
        assert found.high[0] + found.low[0] == pytest.approx(np.full(14, 200.0))
    assert ends[14][13] == pytest.approx(10.0 * np.log(0.5 / 0.2), rel=0.01)
    assert ends[28][13] == pytest.approx(10.0 * np.log(14 / 42 / 0.2), rel=0.01)
    assert ends[14][0] < 0.2
    assert ends[200][13] < 0.2


def test_a_sum_of_which_one_error_is_known_is_wider_than_that_error():
    wrong = np.full((9, 1, 7), np.nan)
    wrong[0] = 1.0
    wrong[1, 0, :6] = 1.0
    origins = np.arange(10, 19)
    found = bands.of_sums(wrong, origins, np.full((9, 1, 7), 100.0), LONG_AGO)
    assert found.high[0, 0] > 2.0 * 7.0
    assert found.low[0, 0] == pytest.approx(-found.high[0, 0])


def test_trees_need_something_to_learn_from_and_then_find_what_the_others_do_not():
    rng = np.random.default_rng(0)
    spiky = 10.0 + 40.0 * (rng.random((6, 90)) < 0.2)
    origins = np.arange(20, 91)
    said = np.stack([members.forecasts(spiky[:, :o], 7) for o in origins])
    longer = np.concatenate([spiky, np.full((6, 7), np.nan)], axis=1)
    truth = np.stack([longer[:, o : o + 7] for o in origins])
    answers = boosted.forecasts(spiky, said, truth, origins, seed=0)
    assert np.isnan(answers[0]).all()
    assert 9.0 < np.median(answers[-1]) < 14.0


# --- the door


def test_every_series_says_what_it_is_forecast_by_and_why(make):
    bill = make.usage("a", resource="i-1", cost=lambda d: 1.0 + (d % 7 < 5), days=80).bill
    said = forecast_cost(bill, by="service")
    (one,) = said.series
    assert one.days[0] == FIRST + timedelta(days=80)
    assert len(one.expected) == len(one.low) == len(one.high) == 14
    assert "against" in one.why
    assert one.loss < one.loss_of_last
    assert one.origins == 70
    assert sum(one.weights.values()) > 0.8
    assert said.totals[0].name == "total"
    assert said.parts["USD"] == pytest.approx(sum(one.expected))
    assert as_json(said)["series"][0]["days"][0] == "2026-05-21"


def test_the_month_holds_what_is_spent_and_what_is_to_come(make):
    bill = make.usage("a", resource="i-1", cost=1.0, days=80).bill  # to 20 May
    ahead, month, thirty = forecast_cost(bill, by="total").series[0].sums
    assert ahead.expected == pytest.approx(14 * 24.0)
    assert month.what == "May 2026"
    assert month.spent == pytest.approx(20 * 24.0)
    assert month.expected == pytest.approx(31 * 24.0)
    assert thirty.expected == pytest.approx(30 * 24.0)
    for one in (ahead, month, thirty):
        assert one.interval.low <= one.expected <= one.interval.high


def test_a_sum_of_more_days_is_less_well_known(make):
    rng = np.random.default_rng(5)
    bill = make.usage("a", resource="i-1", cost=lambda _: rng.uniform(1, 2), days=70).bill
    ahead, _, thirty = forecast_cost(bill, by="total").series[0].sums
    assert thirty.interval.high - thirty.interval.low > 2 * (ahead.interval.high - ahead.interval.low)


def test_few_days_are_forecast_with_a_warning_and_fewer_are_refused(make):
    bill = make.usage("a", resource="i-1", cost=lambda d: 1.0 + d % 2, days=9).bill
    said = forecast_cost(bill, by="total", horizon=3)
    assert any("hardly known" in note for note in said.notes)
    assert said.series[0].expected[0] > 0
    with pytest.raises(NotEnoughData, match="5 whole days"):
        forecast_cost(bill.filter(pl.col("timestamp") < START + timedelta(days=5)), by="total")
    with pytest.raises(UsageError, match="200 days ahead"):
        forecast_cost(bill, by="total", horizon=200)


def test_a_series_of_yesterday_has_no_past_to_judge(make):
    bill = (
        make.usage("a", resource="i-1", cost=1.0, days=30)
        .usage("b", resource="i-2", cost=50.0, days=2, start=START + timedelta(days=28), service_name="new")
        .bill
    )
    new = next(one for one in forecast_cost(bill, by="service").series if one.name == "new")
    assert "too short to judge" in new.why
    assert new.loss is None
    assert new.expected[0] > 500.0
