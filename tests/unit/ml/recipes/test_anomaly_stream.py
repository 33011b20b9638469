"""What telemetry does to a detection that comes back every few minutes: nothing raises, nothing storms."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from aws_auto.ml.anomaly.answers import LATE
from aws_auto.ml.anomaly.detector import FleetDetector
from aws_auto.ml.anomaly.ensemble import Ensemble
from aws_auto.ml.anomaly.grid import grids
from aws_auto.ml.anomaly.settings import AnomalySettings
from aws_auto.ml.recipes.anomaly_predictor import AnomalyPredictor
from aws_auto.results import Field

START = datetime(2026, 3, 2, tzinfo=UTC)
STEP, PER_DAY, TRAINED = timedelta(minutes=15), 96, 20
END = START + TRAINED * timedelta(days=1)
METRICS = ("cpu_utilization", "request_count", "latency", "error_count")
SETTINGS = AnomalySettings()


def rows(days=TRAINED + 10):
    """A day, a counter that grows, a constant and a metric without a value."""
    n = days * PER_DAY
    rng = np.random.default_rng(0)
    wave = np.sin(np.arange(n) / PER_DAY * 2 * np.pi)
    return pl.DataFrame(
        {
            "resource_id": "a",
            "timestamp": [START + STEP * k for k in range(n)],
            "cpu_utilization": 40 + 20 * wave + rng.normal(0, 1, n),
            "request_count": np.cumsum(rng.poisson(1000, n)).astype(float),
            "latency": np.full(n, 7.0),
            "error_count": pl.Series([None] * n, dtype=pl.Float64),
        }
    ).with_columns(pl.col("timestamp").dt.cast_time_unit("us"))


@pytest.fixture(scope="module")
def predictor():
    known = rows().filter(pl.col("timestamp") < END)
    border = int((START + timedelta(days=13)).timestamp())
    return AnomalyPredictor(
        recipe="anomaly-detector",
        schema=tuple(Field(name=name, kind="number") for name in METRICS),
        detector=FleetDetector.fit(Ensemble.kind, grids(known, METRICS), until=border, settings=SETTINGS),
        settings=SETTINGS,
        trained_until=END,
    )


@pytest.fixture(scope="module")
def new():
    return rows().filter(pl.col("timestamp") >= END)


def changed(table, since, **columns):
    """The table with other values from a moment on."""
    there = pl.col("timestamp") >= since
    return table.with_columns(**{k: pl.when(there).then(v).otherwise(k) for k, v in columns.items()})


def both(predictor, table, parts):
    """One batch, and the same in parts that go on from one another; both sorted, without rows that came late."""
    whole = predictor.predict(table)
    states, answers = {}, []
    for part in parts:
        told, states = predictor.stream(states, part)
        answers.append(told.filter(pl.col("note").ne_missing(LATE)))
    return whole.sort("timestamp"), pl.concat(answers).sort("timestamp")


def equal(one, other):
    assert one.select("timestamp", "is_anomaly", "metric", "note").equals(
        other.select("timestamp", "is_anomaly", "metric", "note")
    )
    for column in ("score", "expected", "low", "high"):
        np.testing.assert_allclose(one[column].to_numpy(), other[column].to_numpy(), rtol=1e-5, err_msg=column)


@pytest.mark.parametrize(
    "table",
    [
        pytest.param(lambda new: new, id="as it is"),
        pytest.param(lambda new: new.gather_every(3), id="missing points"),
        pytest.param(lambda new: new.filter(~pl.col("timestamp").dt.day().is_in([24, 25, 26])), id="a gap of days"),
        pytest.param(
            lambda new: changed(new, END + timedelta(days=2), request_count=pl.col("request_count") - 1.9e6),
            id="a reset",
        ),
        pytest.param(
            lambda new: changed(new, END + timedelta(days=1), cpu_utilization=pl.lit(None, pl.Float64)), id="all null"
        ),
        pytest.param(lambda new: changed(new, END + timedelta(days=1), cpu_utilization=pl.lit(50.0)), id="constant"),
        pytest.param(
            lambda new: changed(new, END + timedelta(days=1), cpu_utilization=pl.col("cpu_utilization").shift(4)),
            id="an hour later, as after daylight saving",
        ),
        pytest.param(
            lambda new: changed(new, END + timedelta(days=1), cpu_utilization=90 - pl.col("cpu_utilization") / 2),
            id="a new season",
        ),
    ],
)
def test_a_stream_of_any_data_is_the_batch(predictor, new, table):
    given = table(new)
    parts = [given.slice(at, 37) for at in range(0, len(given), 37)]
    equal(*both(predictor, given, parts))


def test_rows_that_come_twice_or_late_change_no_answer_of_the_others(predictor, new):
    parts = [new.slice(at, 40) for at in range(0, len(new), 40)]
    again = [pl.concat([parts[i - 1].tail(5), part]) if i else part for i, part in enumerate(parts)]
    whole, streamed = both(predictor, new, again)
    equal(whole, streamed.unique("timestamp", keep="last").sort("timestamp"))


def test_a_counter_is_judged_by_its_growth_and_shown_where_it_should_have_come_to(predictor, new):
    before = new.filter(pl.col("timestamp") < END + timedelta(days=2))["request_count"].max()
    reset = changed(new, END + timedelta(days=2), request_count=pl.col("request_count") - before)
    jump = changed(reset, END + timedelta(days=4), request_count=pl.col("request_count") + 50_000)
    only = jump.select("resource_id", "timestamp", "request_count")
    answers = predictor.predict(only)
    told = answers.filter("is_anomaly")["timestamp"].to_list()
    assert END + timedelta(days=4) in told
    assert END + timedelta(days=2) not in told
    calm = answers.filter(~pl.col("is_anomaly"))
    assert calm.select(pl.col("value").is_between(pl.col("low") - 1e-6, pl.col("high") + 1e-6).all()).item()
    assert calm.select(((pl.col("value") - pl.col("expected")).abs() < 500).mean()).item() > 0.99


def test_an_hour_of_daylight_saving_is_no_storm_and_becomes_normal(predictor, new):
    moved = changed(new, END + timedelta(days=1), cpu_utilization=pl.col("cpu_utilization").shift(4))
    told = predictor.predict(moved).filter("is_anomaly")
    assert told["timestamp"].dt.date().n_unique() <= 2
    assert told.filter(pl.col("timestamp") > END + timedelta(days=5)).is_empty()


def test_a_new_season_is_told_and_then_learned(predictor, new):
    turned = changed(new, END + timedelta(days=1), cpu_utilization=90 - pl.col("cpu_utilization") / 2)
    told = predictor.predict(turned).filter("is_anomaly")["timestamp"]
    assert told.min() == END + timedelta(days=1)
    assert (told > END + timedelta(days=8)).sum() <= 4
