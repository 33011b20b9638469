from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from aws_auto.errors import ArtifactError
from aws_auto.frame import MetricFrame
from aws_auto.ml.anomaly.detector import FleetDetector, ResourceDetector
from aws_auto.ml.anomaly.ensemble import Ensemble
from aws_auto.ml.anomaly.grid import DAY, ResourceGrid, grids
from aws_auto.ml.anomaly.inject import KINDS, inject
from aws_auto.ml.anomaly.labels import Labels, by_resource
from aws_auto.ml.anomaly.rules import RULES
from aws_auto.ml.anomaly.scorers import fit_scorer, scorer_of
from aws_auto.ml.evaluation.metrics import Rhythm, episodes

START = 1_767_571_200  # Monday 2026-01-05
KINDS_OF_SCORER = (Ensemble.kind, *RULES)


def grid(days=20, period=900, seed=0, missing=0.03):
    rng = np.random.default_rng(seed)
    times = START + period * np.arange(days * DAY // period)
    daily = 50 + 20 * np.sin(times / DAY * 2 * np.pi)
    values = np.stack([daily + rng.normal(0, 2, len(times)), np.full(len(times), 7.0)])
    values[0, rng.random(len(times)) < missing] = np.nan
    return ResourceGrid("a", period, START, ("cpu_utilization", "latency"), values, np.arange(len(times)))


@pytest.mark.parametrize("kind", KINDS_OF_SCORER)
def test_no_scorer_looks_ahead(kind):
    whole = grid()
    scorer = fit_scorer(kind, whole.cut(None, START + 10 * DAY))
    full = scorer.judge(whole)
    for end in (1000, 1500):
        part = whole.cut(None, int(whole.times[end]))
        alone = scorer.judge(part)
        np.testing.assert_allclose(alone.expected, full.expected[..., :end], rtol=1e-9, atol=1e-7)
        np.testing.assert_allclose(alone.scale, full.scale[..., :end], rtol=1e-9, atol=1e-7)


@pytest.mark.parametrize("kind", KINDS_OF_SCORER)
def test_a_stored_scorer_judges_the_same(kind):
    whole = grid()
    _, scorer = fit_scorer(kind, whole.cut(None, START + 10 * DAY)).learn(whole.cut(None, START + 15 * DAY))
    again = scorer_of(scorer.to_json(), scorer.content())
    np.testing.assert_array_equal(again.judge(whole).expected, scorer.judge(whole).expected)
    np.testing.assert_array_equal(
        again.judge(whole).deviation(whole.values), scorer.judge(whole).deviation(whole.values)
    )


@pytest.mark.parametrize("kind", KINDS_OF_SCORER)
def test_the_same_grid_gives_the_same_bytes(kind):
    one, two = (fit_scorer(kind, grid()) for _ in range(2))
    assert one.content() == two.content()
    assert one.to_json() == two.to_json()


def test_an_unknown_kind_of_scorer_is_refused():
    with pytest.raises(ValueError, match="no scorer called 'eval'"):
        scorer_of({"kind": "eval"}, b"")


def test_detectors_of_other_sizes_than_listed_are_refused():
    scorer = fit_scorer(Ensemble.kind, grid())
    for damaged in (b"", scorer.content()[:9], scorer.content()[:-1]):
        with pytest.raises(ArtifactError, match="no anomaly detector"):
            scorer_of(scorer.to_json(), damaged)


def test_a_damaged_detector_is_refused():
    scorer = fit_scorer(Ensemble.kind, grid())
    with pytest.raises(ArtifactError, match="no anomaly detector"):
        scorer_of(scorer.to_json(), bytes(len(scorer.content())))


def test_rows_of_training_are_judged_as_if_they_came_later():
    whole = grid()
    border, end = START + 10 * DAY, START + 15 * DAY
    fitted = fit_scorer(Ensemble.kind, whole.cut(None, border))
    held, learned = fitted.learn(whole.cut(None, end))
    judged = learned.judge(whole)
    inside, after = (whole.times >= border) & (whole.times < end), whole.times >= end
    np.testing.assert_array_equal(judged.surprise[:, inside], held.surprise[:, inside[: held.surprise.shape[1]]])
    np.testing.assert_allclose(judged.surprise[:, after], fitted.judge(whole).surprise[:, after])
    assert np.isnan(judged.surprise[:, whole.times < border]).all()


def test_a_metric_that_is_too_new_for_the_first_part_is_fitted_on_the_rest():
    whole = grid()
    values = whole.values.copy()
    values[0, whole.times < START + 12 * DAY] = np.nan
    young, end = whole.replaced(values), START + 15 * DAY
    _, learned = fit_scorer(Ensemble.kind, young.cut(None, START + 10 * DAY)).learn(young.cut(None, end))
    judged = np.isfinite(learned.judge(young).surprise[0])
    assert not judged[young.times < end].any()
    assert judged[young.times >= end].mean() > 0.9


@pytest.mark.parametrize("kind", KINDS_OF_SCORER)
def test_a_constant_or_empty_metric_raises_no_alarm_and_no_error(kind):
    whole = grid()
    nothing = whole.replaced(np.stack([np.full_like(whole.values[0], np.nan), whole.values[1]]))
    one, held = ResourceDetector.fit(kind, nothing, until=START + 10 * DAY)
    assert (held < 0.5).all()
    assert (one.ratio(nothing)[0] < 0.5).all()


def altered(row, columns, values):
    """The grid with something new after fifteen days, and what a detector that knows those days says of it."""
    whole = grid(missing=0.0)
    changed = whole.values.copy()
    changed[row, columns] = values(changed[row, columns])
    one, _ = ResourceDetector.fit(Ensemble.kind, whole.cut(None, START + 15 * DAY), until=START + 10 * DAY)
    strange = whole.replaced(changed)
    return one, strange, one.ratio(strange)


def test_a_spike_is_found_where_it_is_and_names_its_metric():
    _, _, (ratio, place, _) = altered(1, slice(1600, 1601), lambda _: 70.0)
    assert ratio.argmax() == 1600
    assert place[1600] == 1


def test_a_slow_ramp_is_seen():
    _, _, (ratio, place, _) = altered(0, slice(1600, 1632), lambda usual: usual + np.linspace(0, 25, 32))
    assert ratio[1600:1634].max() > 2
    assert place[1600 + int(ratio[1600:1634].argmax())] == 0


@pytest.mark.parametrize("threshold", [0.5, 1.0, 3.0])
def test_a_value_lies_outside_the_range_exactly_where_it_is_an_alarm(threshold):
    one, strange, (_, _, judged) = altered(0, slice(1600, 1632), lambda usual: usual + np.linspace(0, 25, 32))
    limit = threshold * one.quiet
    alarm = judged.deviation(strange.values) >= limit[:, None]
    distance, width = np.abs(strange.values - judged.expected), judged.width(strange.values, limit)
    known = np.isfinite(judged.expected)
    assert np.isfinite(width[known]).all()
    assert (alarm & (distance > 0)).any()
    assert (distance >= width)[alarm].all()
    assert (distance <= width)[known & ~alarm].all()


def test_the_threshold_keeps_the_budget_on_the_calibration_part():
    fleet = {"a": grid(seed=1), "b": grid(seed=2)}
    border = START + 10 * DAY
    for budget in (0.5, 3.0):
        fitted = FleetDetector.fit(Ensemble.kind, fleet, until=border, budget=budget)
        found = 0
        for name, g in fleet.items():
            one = fitted.resources[name]
            alarms = g.times[(one.ratio(g)[0] >= fitted.threshold) & (g.times >= border)]
            found += len(episodes(alarms.astype(float), Rhythm(g.period)))
        assert found <= budget * 2 * 10 / 7


def test_a_larger_budget_never_raises_the_threshold():
    fleet = {"a": grid(seed=1)}
    border = START + 10 * DAY
    fitted = [FleetDetector.fit(Ensemble.kind, fleet, until=border, budget=b).threshold for b in (0.5, 2, 8)]
    assert fitted == sorted(fitted, reverse=True)


def test_injected_anomalies_change_only_their_own_span_and_metric():
    whole = grid()
    altered, events, kinds = inject(whole, np.array([40.0, 0.0]), np.random.default_rng(0))
    assert set(kinds) <= set(KINDS)
    assert len(events) == len(kinds) > 4
    changed = np.flatnonzero(np.nan_to_num(altered.values[0]) != np.nan_to_num(whole.values[0]))
    inside = np.zeros(whole.values.shape[1], dtype=bool)
    for first, last in events:
        inside |= (whole.times >= first) & (whole.times <= last)
    assert inside[changed].all()
    assert (altered.values[1] == whole.values[1]).all()
    assert np.nanmin(altered.values) >= 0


def test_a_series_without_variation_gets_no_anomaly():
    _, events, _ = inject(grid(), np.zeros(2), np.random.default_rng(0))
    assert events.shape == (0, 2)


def test_rows_find_their_columns_across_a_gap():
    times = [datetime(2026, 1, 5, tzinfo=UTC) + timedelta(minutes=5 * i) for i in (0, 1, 2, 6)]
    frame = MetricFrame.of(
        pl.DataFrame({"resource_id": "a", "timestamp": times, "latency": [1.0, 2, 3, 4], "empty": None})
    )
    (one,) = grids(frame.data, ["latency", "empty"]).values()
    assert one.metrics == ("latency",)
    assert one.column.tolist() == [0, 1, 2, 6]
    assert one.values[0, [0, 1, 2, 6]].tolist() == [1, 2, 3, 4]


@pytest.mark.parametrize("kind", KINDS_OF_SCORER)
def test_a_resource_that_appeared_after_the_calibration_is_fitted_in_the_end(kind):
    late = grid(seed=3).cut(START + 18 * DAY, None)
    fleet = {"a": grid(seed=1), "late": ResourceGrid("late", 900, late.first, late.metrics, late.values, late.column)}
    fitted = FleetDetector.fit(kind, fleet, until=START + 10 * DAY, budget=1.0)
    ratio, _, _ = fitted.resources["late"].ratio(fleet["late"])
    assert np.isfinite(ratio).all()
    assert (ratio[100:] > 0).any()


def labelled(fleet, labels, kind=Ensemble.kind):
    return FleetDetector.fit(kind, fleet, until=START + 10 * DAY, budget=3.0, labels=labels)


def with_incidents(count):
    """Forty days whose first metric is far too high for an hour and a half, several times after the tenth."""
    whole = grid(days=40, missing=0.0)
    values, spans = whole.values.copy(), []
    for number in range(count):
        first = (12 + 4 * number) * DAY // 900
        values[0, first : first + 6] += 60
        spans.append((int(whole.times[first]), int(whole.times[first + 5])))
    return whole.replaced(values), tuple(spans)


@pytest.mark.parametrize("kind", KINDS_OF_SCORER)
def test_an_alarm_called_false_does_not_come_again(kind):
    strange, spans = with_incidents(1)
    called = set(strange.times[Labels(wrong=spans).wrongly(strange)])
    plain, told = (labelled({"a": strange}, {"a": said}, kind) for said in (Labels(), Labels(wrong=spans)))
    assert called & set(plain.alarms(strange, START))
    assert not called & set(told.alarms(strange, START))
    assert told.resources["a"].quiet[0] > plain.resources["a"].quiet[0]


def test_incidents_called_true_do_not_hide_the_next_one():
    strange, spans = with_incidents(5)
    unsaid, told = labelled({"a": strange}, {}), labelled({"a": strange}, {"a": Labels(right=spans)})
    least_before, least_after = (one.threshold * one.resources["a"].quiet[0] for one in (unsaid, told))
    assert least_after < 0.5 * least_before
    assert {first for first, _ in spans} <= set(told.alarms(strange, START))


def test_a_word_about_one_resource_leaves_the_others_as_they_were():
    strange, spans = with_incidents(1)
    quiet = grid(seed=4)
    fleet = {"a": strange, "b": ResourceGrid("b", 900, quiet.first, quiet.metrics, quiet.values, quiet.column)}
    plain, told = labelled(fleet, {}), labelled(fleet, {"a": Labels(wrong=spans), "gone": Labels(wrong=spans)})
    np.testing.assert_array_equal(told.resources["b"].quiet, plain.resources["b"].quiet)


def test_verdicts_become_labels_of_their_resource_and_ignore_says_nothing():
    at = datetime(2026, 1, 5, tzinfo=UTC)
    said = by_resource(
        pl.DataFrame(
            {
                "resource_id": ["a", "a", "b"],
                "timestamp": [at, at + timedelta(hours=1), at],
                "end": [at, at + timedelta(hours=2), at],
                "verdict": ["true", "false", "ignore"],
            }
        )
    )
    assert said == {"a": Labels(right=((START, START),), wrong=((START + 3600, START + 7200),))}
