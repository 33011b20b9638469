"""The demand forecaster on histories of every length and shape, and with settings of its own."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from aws_auto.errors import NotEnoughData, SchemaError, UsageError
from aws_auto.frame import MetricFrame
from aws_auto.ml.forecast.ahead import Ahead, Event
from aws_auto.ml.recipes import catalog
from aws_auto.ml.recipes.demand import knowing
from aws_auto.ml.recipes.demand_settings import DemandSettings
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


EVENTS = tuple(
    Event(START + timedelta(hours=24 * day + hour), START + timedelta(hours=24 * day + hour + 4), "sale", "a")
    for day, hour in zip(range(2, 40, 2), [3, 9, 14, 20, 6, 11, 17] * 3, strict=False)
)


def with_sales(days):
    """Resource a is hit by each sale; nothing in the hours before tells."""
    frame = load(24 * days, resources=("a", "b"), noise=0.02).data
    for event in EVENTS:
        hit = (pl.col("resource_id") == "a") & pl.col("timestamp").is_between(event.start, event.end, closed="left")
        frame = frame.with_columns(
            request_count=pl.when(hit).then(pl.col("request_count") + 500).otherwise(pl.col("request_count"))
        )
    return MetricFrame.of(frame)


def error_in_the_first_hour_of_sales(events, members):
    recipe = catalog.get("demand-forecaster").configured(DemandSettings(ahead=Ahead(events=events), members=members))
    frame = with_sales(22)
    files = recipe.fit(frame.between(end=START + timedelta(days=18)), seed=0).files
    answers = recipe.load(files).predict(frame.data).filter(pl.col("resource_id") == "a")
    late = [e.start for e in EVENTS if e.start > START + timedelta(days=18)]
    said = answers.filter(pl.col("forecast_from").is_in(late)).sort("timestamp")["expected_1h"]
    truth = frame.data.filter((pl.col("resource_id") == "a") & pl.col("timestamp").is_in(late))["request_count"]
    return float((said - truth).abs().mean())


def test_an_event_that_was_announced_is_forecast_before_it_comes():
    told = error_in_the_first_hour_of_sales(EVENTS, ("straight", "rules"))
    assert told < 100
    assert error_in_the_first_hour_of_sales((), ("rules",)) > 300


@pytest.fixture(scope="module")
def named():
    """Trained on a column of the user's own, with holidays and an event."""
    frame = MetricFrame.of(load(24 * 12).data.rename({"request_count": "jobs_waiting"}))
    settings = DemandSettings(
        metric="jobs_waiting",
        ahead=Ahead(events=EVENTS[:3], country="DE", tz="Europe/Berlin"),
        members=("rules", "cold"),
    )
    recipe = catalog.get("demand-forecaster").configured(settings)
    return frame, recipe.fit(frame, seed=0)


def test_any_column_may_be_the_demand_and_the_report_says_what_is_known_ahead(named):
    frame, model = named
    predictor = catalog.get("demand-forecaster").load(model.files)
    assert predictor.metric == "jobs_waiting"
    assert predictor.settings["kind"] == "mean"
    notes = " ".join(model.report.notes)
    assert "jobs_waiting, averaged over the hour" in notes
    assert "3 events are known" in notes
    assert "public holidays of DE" in notes
    assert predictor.predict(frame.data)["expected_1h"].tail(1).is_not_null().all()


def test_events_announced_later_are_added_to_a_model_that_knows_events(named):
    _, model = named
    predictor = catalog.get("demand-forecaster").load(model.files)
    later = knowing(predictor, EVENTS[2:5])
    assert len(DemandSettings.restored(later.settings).ahead.events) == 5
    assert later.forecaster is predictor.forecaster


def test_a_model_that_saw_no_event_refuses_them(young):
    predictor = catalog.get("demand-forecaster").load(young.files)
    with pytest.raises(UsageError, match="trained without events"):
        knowing(predictor, EVENTS)


def test_a_metric_that_is_not_there_is_refused_with_those_that_are():
    recipe = catalog.get("demand-forecaster").configured(DemandSettings(metric="orders"))
    with pytest.raises(SchemaError, match="none of orders") as caught:
        recipe.fit(load(72), seed=0)
    assert "request_count" in caught.value.hint


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"kind": "median"}, "no way to make hours"),
        ({"members": ("prophet",)}, "no member is called 'prophet'"),
        ({"members": ()}, "needs a member"),
    ],
)
def test_a_setting_that_means_nothing_is_refused(wrong, said):
    with pytest.raises(UsageError, match=said):
        DemandSettings(**wrong)


def test_settings_survive_being_stored():
    settings = DemandSettings(
        metric="x", kind="sum", ahead=Ahead(events=EVENTS, country="US", subdivision="CA", tz="UTC"), members=("rules",)
    )
    assert DemandSettings.restored(settings.to_json()) == settings


@pytest.mark.parametrize("minutes", [5, 15, 60])
def test_any_period_up_to_an_hour_gives_the_same_hours(minutes):
    per_hour = 60 // minutes
    hours = load(60).data
    finer = pl.concat(
        hours.with_columns(pl.col("timestamp") + timedelta(minutes=minutes * i), pl.col("request_count") / per_hour)
        for i in range(per_hour)
    )
    usual, fine = (trained(MetricFrame.of(rows)) for rows in (hours, finer))
    assert fine.report.backtests[0].ours == pytest.approx(usual.report.backtests[0].ours, rel=1e-6)


@pytest.fixture(scope="module")
def odd_answers():
    """The newest answer of one resource of each odd kind, beside usual ones."""
    frame = load(24 * 12).data
    one = frame.filter(pl.col("resource_id") == "a")
    usual, n = one["request_count"].to_numpy(), len(one)
    age = np.arange(n, 0, -1)
    values = {
        "zero": np.zeros(n),
        "constant": np.full(n, 7.0),
        "gaps": np.where(np.random.default_rng(0).random(n) < 0.4, np.nan, usual),
        "level shift": usual + 5000 * (age < 30),
        "one hour": np.where(age <= 1, 5.0, np.nan),
        "five hours": np.where(age <= 5, usual, np.nan),
        "six hours": np.where(age <= 6, usual, np.nan),
        "a day": np.where(age <= 24, usual, np.nan),
        "two days": np.where(age <= 48, usual, np.nan),
    }
    odd = [one.with_columns(resource_id=pl.lit(k), request_count=pl.Series(v)) for k, v in values.items()]
    frame = MetricFrame.of(pl.concat([frame, *odd]))
    recipe = catalog.get("demand-forecaster").configured(DemandSettings(members=("straight", "rules", "cold")))
    answers = recipe.load(recipe.fit(frame, seed=0).files).predict(frame.data)
    return answers.filter(pl.col("timestamp") == pl.col("timestamp").max())


@pytest.mark.parametrize(
    ("kind", "low", "high"),
    [
        ("zero", 0, 1e-6),
        ("constant", 6.9, 7.1),
        ("gaps", 20, 400),
        ("level shift", 4000, 6500),
        ("one hour", None, None),
        ("five hours", None, None),
        ("six hours", 20, 600),
        ("a day", 20, 400),
        ("two days", 20, 400),
    ],
)
def test_every_odd_resource_has_a_defined_answer(odd_answers, kind, low, high):
    last = odd_answers.filter(pl.col("resource_id") == kind)
    if low is None:
        assert last["expected_4h"].item() is None
        assert "too little history" in last["note"].item()
    else:
        assert low <= last["expected_4h"].item() <= high


def test_an_event_announced_ten_hours_ahead_moves_that_hour_and_not_the_others():
    recipe = catalog.get("demand-forecaster").configured(DemandSettings(ahead=Ahead(events=EVENTS), members=("rules",)))
    frame = with_sales(22)
    predictor = recipe.load(recipe.fit(frame, seed=0).files)
    begins = START + timedelta(days=22, hours=9)
    told = knowing(predictor, (Event(begins, begins + timedelta(hours=2), "sale", "a"),))
    usual, moved = (p.quantiles(frame.data, (0.5,), horizon=24) for p in (predictor, told))
    more = (moved["q0.5"] - usual["q0.5"]).to_numpy()
    during = ((usual["resource_id"] == "a") & usual["horizon"].is_in([10, 11])).to_numpy()
    assert (more[during] > 250).all()
    assert (more[~during] == 0).all()
