"""From labels to alarms: an account whose incidents the usual detector is deaf to, and a person who says so."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from aws_auto.frame import MetricFrame
from aws_auto.ml.anomaly.alarms import alarms
from aws_auto.ml.recipes.anomaly import AnomalyDetector
from aws_auto.results import Decision

START = datetime(2026, 1, 5, tzinfo=UTC)
STEP, PER_DAY, DAYS = timedelta(minutes=15), 96, 42
END = START + timedelta(days=28)
#: A drift of three deviations within an hour: no point is far from the ones before it.
LENGTH, HEIGHT = 16, 3.0


def account():
    """Three resources with a drift every third day, and every drift as an incident that was missed."""
    n = DAYS * PER_DAY
    rows, incidents = [], []
    for r in range(3):
        rng = np.random.default_rng((0, r))
        values = 50 + 12 * np.sin(np.arange(n) / PER_DAY * 2 * np.pi) + rng.normal(0, 1, n)
        for day in range(1 + r, DAYS - 1, 3):
            at = day * PER_DAY + int(rng.integers(PER_DAY // 2))
            sign = 1 if rng.random() < 0.5 else -1
            values[at : at + LENGTH] += sign * HEIGHT * np.minimum(np.arange(LENGTH) / (LENGTH / 3), 1)
            incidents.append((f"r{r}", START + STEP * at, START + STEP * (at + LENGTH - 1)))
        times = [START + STEP * k for k in range(n)]
        rows.append(pl.DataFrame({"resource_id": f"r{r}", "timestamp": times, "latency": values}))
    table = pl.concat(rows).with_columns(pl.col("timestamp").dt.cast_time_unit("us"))
    said = pl.DataFrame(incidents, schema=["resource_id", "timestamp", "end"], orient="row")
    return table, said.with_columns(verdict=pl.lit("missed"))


TABLE, SAID = account()
PAST, FUTURE = TABLE.filter(pl.col("timestamp") < END), TABLE.filter(pl.col("timestamp") >= END)
KNOWN, LATER = SAID.filter(pl.col("end") < END), SAID.filter(pl.col("timestamp") >= END)


def fitted(labels, champion=None):
    return AnomalyDetector().fit(MetricFrame.of(PAST), seed=0, labels=labels, champion=champion)


def found(predictor):
    """How many of the later incidents raise an alarm, and how many alarms have nothing to do with one."""
    told = alarms(predictor.predict(FUTURE), {f"r{r}": STEP.total_seconds() for r in range(3)})
    late = timedelta(hours=1)
    near = [
        [a["resource_id"] == r and a["start"] <= end + late and a["end"] >= start for a in told]
        for r, start, end, _ in LATER.iter_rows()
    ]
    return sum(map(any, near)), sum(not any(one) for one in zip(*near, strict=True))


@pytest.fixture(scope="module")
def usual():
    return fitted(None)


@pytest.fixture(scope="module")
def taught():
    return fitted(KNOWN)


@pytest.fixture(scope="module")
def predictor(taught):
    return AnomalyDetector().load(taught.files)


def test_who_labels_what_was_missed_gets_a_detector_that_finds_it(usual, predictor):
    before, _ = found(AnomalyDetector().load(usual.files))
    after, other = found(predictor)
    assert len(LATER) == 13
    assert before <= 2
    assert after >= 10
    assert other <= 9  # six are the budget of the labelled past: one a week for each resource


def test_the_report_says_what_was_learned_on_how_many_incidents_and_with_what_figures(taught):
    weights, limit = (
        next(n for n in taught.report.notes if word in n) for word in ("weights are learned", "lower limit")
    )
    assert "seasonal" in weights
    assert "of 21 held-back incidents" in weights
    assert "difference" in weights
    assert "of 21 incidents at" in limit
    assert "21 labelled incidents taught weights and limit of fresh series" in taught.report.reason
    assert any(note.startswith("6 labels lie where the members learn") for note in taught.report.notes)


def test_what_was_learned_is_in_the_files_and_in_everything_that_answers(predictor):
    profiles = [d.profile for one in predictor.detector.resources.values() for d in one.scorer.late]
    assert {max(p.weights, key=p.weights.get) for p in profiles} == {"seasonal"}
    assert {p.weights["seasonal"] for p in profiles} == {0.75}
    assert min(p.ease for p in profiles) > 0
    whole, states, parts = predictor.predict(FUTURE), {}, []
    for day in range(DAYS - 28):
        since = END + timedelta(days=day)
        new = FUTURE.filter(pl.col("timestamp").is_between(since, since + timedelta(days=1), closed="left"))
        answers, states = predictor.stream(states, new)
        parts.append(answers)
    streamed = pl.concat(parts).sort("resource_id", "timestamp")
    assert streamed["is_anomaly"].to_list() == whole["is_anomaly"].to_list()
    np.testing.assert_allclose(streamed["score"].to_numpy(), whole["score"].to_numpy(), rtol=1e-6)


def test_the_same_labels_give_the_same_files(taught):
    assert fitted(KNOWN).files == taught.files


def test_too_few_labels_change_nothing_and_the_report_says_how_many_are_needed(usual):
    few = fitted(KNOWN.tail(3))
    assert any("3 labelled incidents, at least 5 are needed" in note for note in few.report.notes)
    assert found(AnomalyDetector().load(few.files)) == found(AnomalyDetector().load(usual.files))


def test_labels_that_lead_nowhere_leave_the_usual_weights(usual):
    wrong = KNOWN.with_columns(pl.col("timestamp", "end") + timedelta(hours=6))
    misled = fitted(wrong)
    assert any("the usual weights stay: such learned from the other labels found" in n for n in misled.report.notes)
    profiles = {
        tuple(d.profile.weights.items())
        for model in (usual, misled)
        for one in AnomalyDetector().load(model.files).detector.resources.values()
        for d in one.scorer.late
    }
    assert len(profiles) == 1


def with_limit(predictor, ease):
    """The same detector as a champion of an earlier day, with another limit."""

    def other(one):
        late = tuple(replace(d, profile=replace(d.profile, ease=ease)) for d in one.scorer.late)
        return replace(one, scorer=replace(one.scorer, late=late))

    resources = {name: other(one) for name, one in predictor.detector.resources.items()}
    detector = replace(predictor.detector, resources=resources)
    return replace(predictor, detector=detector, trained_until=START + timedelta(days=19))


def test_labels_speak_for_a_lower_limit_where_injected_anomalies_leave_the_champion(predictor):
    (own,) = {d.profile.ease for one in predictor.detector.resources.values() for d in one.scorer.late}
    deaf = fitted(KNOWN, with_limit(predictor, 0.0)).report
    assert deaf.decision is Decision.PROMOTE
    assert "labels: it finds" in deaf.reason
    assert "the champion has" in deaf.reason
    equal = fitted(KNOWN, with_limit(predictor, own)).report
    assert equal.decision is Decision.KEEP_CHAMPION
    assert "labels:" not in equal.reason
