"""The demand forecaster on points of any distance: hours out of minutes, parts of days, days, weeks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from aws_auto.errors import NotEnoughData, UsageError
from aws_auto.frame import MetricFrame
from aws_auto.ml.forecast.ahead import Ahead, Event
from aws_auto.ml.recipes import catalog
from aws_auto.ml.recipes.demand_settings import DemandSettings, usual_step
from aws_auto.ml.scaling.requirements import forecast_demand
from aws_auto.results import Decision

START = datetime(2026, 3, 2, tzinfo=UTC)  # a Monday
METRIC = "orders"


def points(count, hours, *, names=("a", "b", "c"), metric=METRIC, noise=0.04, events=()):
    """Points so many hours apart with the rhythm of a day and a week, and a wander that naive rules follow badly."""
    rng = np.random.default_rng(5)
    times = [START + timedelta(hours=hours * i) for i in range(count)]
    since = np.arange(count) * hours
    rhythm = (1.5 + np.sin(2 * np.pi * since / 24)) * np.where(since // 24 % 7 >= 5, 0.6, 1.0)
    frames = []
    for size, name in enumerate(names, 1):
        wander = np.zeros(count)
        for i in range(1, count):
            wander[i] = 0.8 * wander[i - 1] + rng.normal(0, noise)
        values = 100 * size * np.exp(wander) * rhythm
        for event in events:
            values = values + 400 * size * np.array([event.start <= t < event.end for t in times])
        frames.append(pl.DataFrame({"resource_id": name, "timestamp": times, metric: values}))
    return MetricFrame.of(pl.concat(frames))


def trained(frame, **settings):
    recipe = catalog.get("demand-forecaster").configured(DemandSettings(metric=METRIC, **settings))
    return recipe.fit(frame, seed=0)


def loaded(model):
    return catalog.get("demand-forecaster").load(model.files)


@pytest.fixture(scope="module")
def daily():
    frame = points(150, 24)
    return frame, trained(frame)


def test_a_point_a_day_is_forecast_in_days_and_judged_in_weeks(daily):
    frame, model = daily
    test = model.report.backtests[0]
    assert test.unit_of_n == "held-back weeks"
    assert test.n == 7
    assert test.baseline_name in {"last value", "same day last week", "mean of four weeks"}
    assert model.report.decision is Decision.PROMOTE
    answer = loaded(model).predict(frame.data).filter(pl.col("resource_id") == "a").row(-1, named=True)
    assert answer["forecast_from"] == frame.data["timestamp"].max() + timedelta(days=1)
    assert 0 < answer["low_4d"] < answer["expected_4d"] < answer["high_4d"]


def test_the_report_of_days_says_what_a_step_is_and_which_member_is_not_used(daily):
    notes = " ".join(daily[1].report.notes)
    assert f"{METRIC}, averaged over the day" in notes
    assert "steps are days of UTC: instances cannot be planned from them" in notes
    assert "the booster that ships with aws-auto knows hours only and is no member" in notes


def test_the_monitor_judges_a_model_of_days_on_the_days_since(daily):
    frame, model = daily
    found = catalog.get("demand-forecaster").evaluate(model.files, frame, since=START + timedelta(days=120))
    assert found.backtest.n == 3
    assert found.accuracy > 0.8


def test_weekdays_are_told_from_weekends_a_week_ahead(daily):
    frame, model = daily
    table = loaded(model).quantiles(frame.data, (0.5,), horizon=7).filter(pl.col("resource_id") == "a")
    assert table["horizon"].to_list() == [1, 2, 3, 4, 5, 6, 7]
    assert table["timestamp"].diff().drop_nulls().unique().to_list() == [timedelta(days=1)]
    weekend = table["timestamp"].dt.weekday() >= 6
    assert table.filter(weekend)["q0.5"].max() < 0.8 * table.filter(~weekend)["q0.5"].min()
    with pytest.raises(UsageError, match="no forecast 8 days ahead: this model looks 1 to 7 days ahead"):
        loaded(model).quantiles(frame.data, (0.5,), horizon=8)


def test_days_are_the_same_from_hours_where_days_are_asked_for():
    """The mean of an hour is that of the day, so 24 equal points a day are one a day."""
    frame = points(40, 24)
    model = trained(frame)
    hours = pl.concat(frame.data.with_columns(pl.col("timestamp") + timedelta(hours=h)) for h in range(24))
    fine = trained(MetricFrame.of(hours), hours=24)
    assert fine.report.backtests[0].ours == pytest.approx(model.report.backtests[0].ours, rel=1e-9)
    assert "points 1 h apart make one value for each day" in fine.report.notes
    late = loaded(fine).predict(MetricFrame.of(hours).data)["forecast_from"].max()
    assert late == frame.data["timestamp"].max() + timedelta(days=1)


@pytest.mark.parametrize(
    ("hours", "steps", "units"), [(3, "12h", "days"), (12, "48h", "days"), (168, "4w", "blocks of 4 weeks")]
)
def test_other_periods_have_steps_of_their_own(hours, steps, units):
    frame = points(120, hours)
    model = trained(frame, members=("rules",))
    assert model.report.backtests[0].unit_of_n == f"held-back {units}"
    answer = loaded(model).predict(frame.data).tail(1)
    assert answer[f"expected_{steps}"].item() > 0
    begins = answer["forecast_from"].item() - answer["timestamp"].item()
    assert begins == timedelta(hours=hours)


def test_a_period_between_those_of_a_day_is_made_the_next_longer_one():
    assert usual_step(points(40, 5).data, METRIC) == 6
    assert usual_step(points(40, 36).data, METRIC) == 168


def test_points_that_come_a_little_late_still_come_every_hour():
    frame = points(40, 1).data.with_columns(pl.col("timestamp") + pl.int_range(pl.len()) * timedelta(seconds=2))
    assert usual_step(frame, METRIC) == 1


def test_a_point_a_month_is_too_few():
    with pytest.raises(NotEnoughData, match="comes every 30 days; a forecast needs a point a week or more"):
        trained(points(40, 720))


def test_a_month_of_days_is_answered_by_weighed_rules_and_says_so():
    frame = points(30, 24)
    model = trained(frame)
    assert any("30 days are too few to fit, 80 are needed" in note for note in model.report.notes)
    assert model.report.backtests[0].unit_of_n == "held-back blocks of 6 days"
    answers = loaded(model).predict(frame.data)
    assert answers.group_by("resource_id").last()["expected_4d"].null_count() == 0


def test_fifteen_days_are_too_few_to_judge_and_the_reason_is_said():
    with pytest.raises(NotEnoughData, match="15 days of history, at least 16 are needed"):
        trained(points(15, 24))


def test_the_period_of_most_series_is_the_step_and_coarser_ones_are_named():
    hourly = points(48, 1, names=("a", "b"))
    mixed = MetricFrame.of(pl.concat([hourly.data, points(3, 24, names=("daily",)).data]))
    model = trained(mixed)
    assert "1 resources have no point each hour and are not forecast: daily" in model.report.notes
    answers = loaded(model).predict(mixed.data)
    last = answers.group_by("resource_id").last().sort("resource_id")
    assert last["expected_4h"].is_null().to_list() == [False, False, True]
    assert "too little history" in last["note"].to_list()[-1]


def test_of_two_periods_as_frequent_the_longer_one_serves_both():
    mixed = MetricFrame.of(pl.concat([points(24 * 20, 1, names=("a",)).data, points(20, 24, names=("b",)).data]))
    model = trained(mixed)
    assert loaded(model).hours == 24
    answers = loaded(model).predict(mixed.data).group_by("resource_id").last()
    assert answers["expected_1d"].null_count() == 0


def test_a_day_with_fewer_than_half_of_its_hours_is_unknown_and_counts_are_filled_up():
    frame = points(24 * 20, 1, metric="request_count").data
    thin = frame.filter((pl.col("timestamp").dt.day() != 10) | (pl.col("timestamp").dt.hour() < 6))
    most = frame.filter((pl.col("timestamp").dt.day() != 10) | (pl.col("timestamp").dt.hour() < 18))
    recipe = catalog.get("demand-forecaster").configured(DemandSettings(hours=24))
    chosen = recipe.settings.chosen(MetricFrame.of(frame)).to_json()
    predictor = loaded(recipe.fit(MetricFrame.of(frame), seed=0))
    known = [predictor.panel_of(rows, chosen).grid.values[0, 8] for rows in (thin, most)]
    assert np.isnan(known[0])
    of_day = frame.filter((pl.col("resource_id") == "a") & (pl.col("timestamp").dt.day() == 10))["request_count"]
    assert known[1] == pytest.approx(24 * of_day.head(18).mean())


def test_odd_daily_series_have_a_defined_answer():
    usual = points(90, 24).data
    one = usual.filter(pl.col("resource_id") == "a")
    values, n = one[METRIC].to_numpy(), len(one)
    age = np.arange(n, 0, -1)
    odd = {
        "zero": np.zeros(n),
        "constant": np.full(n, 7.0),
        "gaps": np.where(np.random.default_rng(0).random(n) < 0.4, np.nan, values),
        "level shift": values + 5000 * (age <= 10),
    }
    rows = [one.with_columns(pl.Series(METRIC, v), resource_id=pl.lit(k)) for k, v in odd.items()]
    frame = MetricFrame.of(pl.concat([usual, *rows]))
    last = loaded(trained(frame, members=("straight", "rules"))).predict(frame.data).group_by("resource_id").last()
    said = dict(last.select("resource_id", "expected_4d").iter_rows())
    assert said["zero"] == pytest.approx(0, abs=1e-6)
    assert said["constant"] == pytest.approx(7, abs=0.1)
    assert 50 < said["gaps"] < 300
    assert 4000 < said["level shift"] < 6500


def test_a_member_that_is_not_there_is_named_in_the_report():
    notes = trained(points(90, 24), members=("rules", "theta")).report.notes
    assert any(note.startswith("the ensemble has no member straight, lstm") for note in notes)


def test_a_net_without_a_whole_window_to_learn_from_harms_no_answer():
    """Every fourth point is missing, so no four in a row are known."""
    frame = points(240, 24, names=("a",)).data.filter(pl.int_range(pl.len()) % 4 != 0)
    answer = loaded(trained(MetricFrame.of(frame), members=("rules", "lstm"))).predict(frame).tail(1)
    assert 20 < answer["expected_1d"].item() < 400


def test_three_days_of_a_series_are_too_few_to_answer_and_seven_are_enough(daily):
    frame, model = daily
    one = frame.data.filter(pl.col("resource_id") == "a")
    three, seven = (loaded(model).predict(one.tail(days)).row(-1, named=True) for days in (3, 7))
    assert three["expected_1d"] is None
    assert "too little history" in three["note"]
    assert seven["expected_1d"] > 0


def test_an_event_of_an_hour_moves_its_day():
    days = [START + timedelta(days=int(d)) for d in (9, 24, 38, 52, 67, 80, 94, 110, 123, 137, 151)]
    events = tuple(Event(d, d + timedelta(hours=1), "sale") for d in days)
    frame = points(151, 24, events=events)
    told = loaded(trained(frame, ahead=Ahead(events=events), members=("straight",)))
    expected = told.predict(frame.data).filter(pl.col("resource_id") == "a")["expected_1d"]
    assert expected[-1] > expected[-8] + 200


def test_instances_are_not_planned_from_days():
    frame = points(40, 24, metric="request_count")
    model = catalog.get("demand-forecaster").fit(frame, seed=0)
    with pytest.raises(UsageError, match="forecasts days, and instances are planned for hours"):
        forecast_demand(loaded(model), frame.data, horizon=4)


def test_a_champion_of_another_period_is_not_compared(daily):
    _, model = daily
    hourly = points(24 * 12, 1)
    recipe = catalog.get("demand-forecaster").configured(DemandSettings(metric=METRIC, members=("rules",)))
    report = recipe.fit(hourly, seed=0, champion=loaded(model)).report
    assert "the champion forecasts days and was not compared" in report.notes
    assert report.backtests[0].fresh is None


def test_a_step_that_no_day_is_made_of_is_refused():
    with pytest.raises(UsageError, match="5 hours are no length of a step"):
        DemandSettings(hours=5)
