from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np
import polars as pl
import pytest

from aws_auto.errors import ArtifactError
from aws_auto.frame import MetricFrame
from aws_auto.ml.anomaly.detector import FleetDetector
from aws_auto.ml.anomaly.ensemble import Ensemble
from aws_auto.ml.anomaly.grid import DAY, ResourceGrid, grids
from aws_auto.ml.anomaly.inject import KINDS, inject
from aws_auto.ml.anomaly.labels import Labels, by_resource
from aws_auto.ml.anomaly.rules import LEAST_QUIET, RULES
from aws_auto.ml.anomaly.scorers import fit_scorer, scorer_of
from aws_auto.ml.anomaly.settings import AnomalySettings
from aws_auto.ml.evaluation.metrics import Rhythm, episodes

START = 1_767_571_200  # Monday 2026-01-05
KINDS_OF_SCORER = (Ensemble.kind, *RULES)
USUAL = AnomalySettings()


def grid(days=20, period=900, seed=0, missing=0.03):
    rng = np.random.default_rng(seed)
    times = START + period * np.arange(days * DAY // period)
    daily = 50 + 20 * np.sin(times / DAY * 2 * np.pi)
    values = np.stack([daily + rng.normal(0, 2, len(times)), np.full(len(times), 7.0)])
    values[0, rng.random(len(times)) < missing] = np.nan
    return ResourceGrid("a", period, START, ("cpu_utilization", "latency"), values, np.arange(len(times)))


def learned(scorer, whole):
    return scorer.learn(whole, np.ones(whole.values.shape[1], bool))


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
    scorer = learned(fit_scorer(kind, whole.cut(None, START + 10 * DAY)), whole.cut(None, START + 15 * DAY))[1]
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
    held, after_it = learned(fitted, whole.cut(None, end))
    judged = after_it.judge(whole)
    inside, after = (whole.times >= border) & (whole.times < end), whole.times >= end
    np.testing.assert_array_equal(judged.surprise[:, inside], held.surprise[:, inside[: held.surprise.shape[1]]])
    np.testing.assert_allclose(judged.surprise[:, after], fitted.judge(whole).surprise[:, after])
    assert np.isnan(judged.surprise[:, whole.times < border]).all()


def test_a_metric_that_is_too_new_for_the_first_part_is_fitted_on_the_rest():
    whole = grid()
    values = whole.values.copy()
    values[0, whole.times < START + 12 * DAY] = np.nan
    young, end = whole.replaced(values), START + 15 * DAY
    _, after_it = learned(fit_scorer(Ensemble.kind, young.cut(None, START + 10 * DAY)), young.cut(None, end))
    judged = np.isfinite(after_it.judge(young).surprise[0])
    assert not judged[young.times < end].any()
    assert judged[young.times >= end].mean() > 0.9


@pytest.mark.parametrize("kind", KINDS_OF_SCORER)
def test_a_constant_or_empty_metric_raises_no_alarm_and_no_error(kind):
    whole = grid()
    nothing = whole.replaced(np.stack([np.full_like(whole.values[0], np.nan), whole.values[1]]))
    fitted = FleetDetector.fit(kind, {"a": nothing}, until=START + 10 * DAY, settings=USUAL)
    assert (fitted.found(nothing, USUAL).ratio < 0.5).all()


def altered(row, columns, values):
    """The grid with something new after fifteen days, and what a detector that knows those days says of it."""
    whole = grid(missing=0.0)
    changed = whole.values.copy()
    changed[row, columns] = values(changed[row, columns])
    known = {"a": whole.cut(None, START + 15 * DAY)}
    fitted = FleetDetector.fit(Ensemble.kind, known, until=START + 10 * DAY, settings=USUAL)
    strange = whole.replaced(changed)
    return fitted, strange, fitted.found(strange, USUAL)


def test_a_spike_is_found_where_it_is_and_names_its_metric():
    _, _, found = altered(1, slice(1600, 1601), lambda _: 70.0)
    assert found.ratio.argmax() == 1600
    assert found.metric[1600] == 1
    assert found.severity[1600] == 1


def test_a_slow_ramp_is_seen():
    _, _, found = altered(0, slice(1600, 1632), lambda usual: usual + np.linspace(0, 25, 32))
    assert found.ratio[1600:1634].max() > 2
    assert found.metric[1600 + int(found.ratio[1600:1634].argmax())] == 0


@pytest.mark.parametrize("budget", [0.01, 1.0, 100.0])
def test_a_value_lies_outside_the_range_exactly_where_it_is_an_alarm(budget):
    fitted, strange, _ = altered(0, slice(1600, 1632), lambda usual: usual + np.linspace(0, 25, 32))
    found = fitted.found(strange, AnomalySettings(budget_per_week=budget))
    limits = fitted.limits("a", budget)
    alarm = found.judged.deviation(strange.values) >= limits[:, None]
    distance = np.abs(strange.values - found.judged.expected)
    known = np.isfinite(found.judged.expected)
    assert np.isfinite(found.width[known]).all()
    assert (alarm & (distance > 0)).any()
    assert (distance >= found.width)[alarm].all()
    assert (distance <= found.width)[known & ~alarm].all()


@pytest.mark.parametrize("kind", KINDS_OF_SCORER)
def test_the_budget_is_kept_on_days_without_an_incident(kind):
    fleet = {"a": grid(seed=1), "b": grid(seed=2)}
    border = START + 10 * DAY
    for budget in (0.5, 3.0):
        fitted = FleetDetector.fit(kind, fleet, until=border, settings=USUAL)
        settings = AnomalySettings(budget_per_week=budget)
        found = sum(len(episodes(fitted.alarms(g, border, settings), Rhythm(g.period))) for g in fleet.values())
        assert found <= budget * 2 * 10 / 7


@pytest.mark.parametrize("kind", KINDS_OF_SCORER)
def test_a_larger_budget_never_raises_a_limit(kind):
    fitted = FleetDetector.fit(kind, {"a": grid(seed=1)}, until=START + 10 * DAY, settings=USUAL)
    limits = [fitted.limits("a", budget) for budget in (0.5, 2, 8, 1000)]
    assert all((low >= high).all() for low, high in pairwise(limits))
    assert (limits[0] > limits[-1]).all()


def test_metrics_of_one_resource_share_its_budget():
    whole = grid(missing=0.0)
    single = ResourceGrid("a", 900, START, whole.metrics[:1], whole.values[:1], whole.column)
    both, alone = (
        FleetDetector.fit(Ensemble.kind, {"a": g}, until=START + 10 * DAY, settings=USUAL) for g in (whole, single)
    )
    assert both.limits("a", 1.0)[0] == pytest.approx(alone.limits("a", 1.0 / 2**0.5)[0])


def restless(metrics, *, seed=3, days=20):
    """Metrics that all have a burst of their own now and then, on another day than the others."""
    rng = np.random.default_rng(seed)
    values = 50 + rng.normal(0, 1, (metrics, days * DAY // 900))
    for row in values:
        for start in rng.integers(0, len(row) - 8, 2 * days // 7):
            row[start : start + 4] += rng.uniform(8, 14)
    names = tuple(f"m{i}" for i in range(metrics))
    return ResourceGrid("a", 900, START, names, values, np.arange(values.shape[1]))


def test_many_metrics_with_troubles_of_their_own_come_nearer_to_the_budget_of_their_resource():
    whole = restless(24)
    fitted = FleetDetector.fit(
        Ensemble.kind, {"a": whole.cut(None, START + 13 * DAY)}, until=START + 6 * DAY, settings=USUAL
    )
    one = fitted.resources["a"]
    apart = replace(fitted, resources={"a": replace(one, scorer=replace(one.scorer, peaks=np.zeros(0), weeks=0.0))})
    later, rhythm = START + 13 * DAY, Rhythm(900)
    found = [len(episodes(each.alarms(whole, later, USUAL), rhythm)) for each in (fitted, apart)]
    assert found[0] < 0.6 * found[1]
    assert (fitted.limits("a", 1.0) > apart.limits("a", 1.0)).all()
    budgets = [fitted.limits("a", budget) for budget in (0.1, 0.5, 1.0, 2.0, 3.0, 5.0, 6.0, 8.0, 50.0)]
    assert all((low >= high).all() for low, high in pairwise(budgets))


def test_what_metrics_did_together_is_stored_and_added_to():
    whole = restless(12)
    scorer = fit_scorer(Ensemble.kind, whole.cut(None, START + 6 * DAY))
    first = learned(scorer, whole.cut(None, START + 13 * DAY))[1]
    again = scorer_of(first.to_json(), first.content())
    assert again.usual(1.0) == pytest.approx(first.usual(1.0))
    second = learned(first, whole)[1]
    assert second.weeks == pytest.approx(2.0)
    assert len(second.peaks) > len(first.peaks) > 0


def test_a_nightly_job_becomes_routine_and_its_growth_does_not():
    whole = grid(missing=0.0)
    values = whole.values.copy()
    for day in range(20):
        values[0, day * 96 + 20 : day * 96 + 24] += 60
    values[0, 19 * 96 + 20 : 19 * 96 + 24] += 200
    nightly = whole.replaced(values)
    fitted = FleetDetector.fit(
        Ensemble.kind, {"a": nightly.cut(None, START + 15 * DAY)}, until=START + 10 * DAY, settings=USUAL
    )
    alarms = fitted.alarms(nightly, START + 10 * DAY, USUAL)
    assert len(alarms)
    assert set((alarms - START) // DAY) == {19}


def test_what_deviates_less_than_the_minimum_effect_raises_no_alarm():
    fitted, strange, usual = altered(1, slice(1600, 1601), lambda _: 8.0)
    some = AnomalySettings(minimum_effect={"latency": 1.5})
    found = fitted.found(strange, some)
    assert usual.alarm[1600]
    assert not found.alarm[1600]
    assert (found.ratio[1600] < 1) & (found.width[1, 1600] >= 1.5)
    assert fitted.found(strange, AnomalySettings(minimum_effect={"latency": 0.5})).alarm[1600]


def span(grid, first, last):
    return tuple(datetime.fromtimestamp(int(grid.times[at]), UTC) for at in (first, last))


def test_nothing_is_raised_in_a_maintenance_window_and_nothing_judged_in_an_excluded_span():
    fitted, strange, usual = altered(1, slice(1600, 1604), lambda _: 70.0)
    there = (span(strange, 1600, 1603),)
    quiet, gone = (fitted.found(strange, AnomalySettings(**{n: there})) for n in ("maintenance", "excluded"))
    assert usual.alarm[1600]
    assert not quiet.alarm[1600:1604].any()
    assert quiet.ratio[1600] == usual.ratio[1600]
    assert np.isnan(gone.judged.expected[:, 1600:1604]).all()
    assert not gone.alarm[1600:1604].any()


@pytest.mark.parametrize("kind", KINDS_OF_SCORER)
def test_excluded_spans_teach_nothing(kind):
    whole = grid(missing=0.0)
    values = whole.values.copy()
    values[:, 300:700] = 1e6
    some = AnomalySettings(excluded=(span(whole, 300, 699),))
    holes = whole.replaced(np.where(values == 1e6, np.nan, values))
    with_noise, without = (
        FleetDetector.fit(kind, {"a": g}, until=START + 10 * DAY, settings=some)
        for g in (whole.replaced(values), holes)
    )
    np.testing.assert_array_equal(with_noise.found(whole, some).ratio, without.found(whole, some).ratio)


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
    fitted = FleetDetector.fit(kind, fleet, until=START + 10 * DAY, settings=USUAL)
    ratio = fitted.found(fleet["late"], USUAL).ratio
    assert np.isfinite(ratio).all()
    assert (ratio[100:] > 0).any()


@pytest.mark.parametrize("kind", RULES)
def test_a_rule_keeps_its_budget_for_resources_that_ended_before_or_began_after_the_calibration(kind):
    whole = grid()
    for until in (whole.end + DAY, whole.first - DAY):
        fitted = FleetDetector.fit(kind, {"a": whole}, until=until, settings=USUAL)
        assert fitted.weeks == pytest.approx(10 / 7, abs=0.01)
        half = whole.first + (whole.end - whole.first) // 2
        alarms = episodes(fitted.alarms(whole, half, USUAL), Rhythm(whole.period))
        assert len(alarms) <= fitted.weeks


def labelled(fleet, labels, kind=Ensemble.kind):
    return FleetDetector.fit(
        kind, fleet, until=START + 10 * DAY, settings=AnomalySettings(budget_per_week=3.0), labels=labels
    )


def with_incidents(count):
    """Forty days whose first metric is far too high for an hour and a half, several times after the tenth."""
    whole = grid(days=40, missing=0.0)
    values, spans = whole.values.copy(), []
    for number in range(count):
        first = (12 + 4 * number) * DAY // 900
        values[0, first : first + 6] += 60
        spans.append((int(whole.times[first]), int(whole.times[first + 5])))
    return whole.replaced(values), tuple(spans)


SAID = AnomalySettings(budget_per_week=3.0)


@pytest.mark.parametrize("kind", KINDS_OF_SCORER)
def test_an_alarm_called_false_does_not_come_again(kind):
    strange, spans = with_incidents(1)
    called = set(strange.times[Labels(wrong=spans).wrongly(strange)])
    plain, told = (labelled({"a": strange}, {"a": said}, kind) for said in (Labels(), Labels(wrong=spans)))
    assert called & set(plain.alarms(strange, START, SAID))
    assert not called & set(told.alarms(strange, START, SAID))
    assert told.limits("a", 3.0)[0] > plain.limits("a", 3.0)[0]


@pytest.mark.parametrize("kind", KINDS_OF_SCORER)
def test_one_huge_false_alarm_does_not_make_a_resource_deaf(kind):
    strange, spans = with_incidents(1)
    values = strange.values.copy()
    first = int(np.searchsorted(strange.times, spans[0][0]))
    values[0, first : first + 6] += 1e7
    plain, told = (
        labelled({"a": strange.replaced(values)}, {"a": said}, kind) for said in (Labels(), Labels(wrong=spans))
    )
    assert (told.limits("a", 3.0) <= 2.5 * plain.limits("a", 3.0)).all()
    assert told.limits("a", 3.0)[1] == pytest.approx(plain.limits("a", 3.0)[1], rel=0.02)


def test_incidents_called_true_do_not_hide_the_next_one():
    strange, spans = with_incidents(5)
    unsaid, told = labelled({"a": strange}, {}), labelled({"a": strange}, {"a": Labels(right=spans)})
    assert told.limits("a", 3.0)[0] < unsaid.limits("a", 3.0)[0]
    assert {first for first, _ in spans} <= set(told.alarms(strange, START, SAID))


def test_a_word_about_one_resource_leaves_the_others_as_they_were():
    strange, spans = with_incidents(1)
    quiet = grid(seed=4)
    fleet = {"a": strange, "b": ResourceGrid("b", 900, quiet.first, quiet.metrics, quiet.values, quiet.column)}
    plain, told = labelled(fleet, {}), labelled(fleet, {"a": Labels(wrong=spans), "gone": Labels(wrong=spans)})
    np.testing.assert_array_equal(told.limits("b", 3.0), plain.limits("b", 3.0))


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


@pytest.mark.parametrize("kind", KINDS_OF_SCORER)
def test_damaged_memory_of_a_stream_is_refused_and_an_old_one_forgotten(kind):
    whole = grid()
    scorer = learned(fit_scorer(kind, whole.cut(None, START + 10 * DAY)), whole.cut(None, START + 15 * DAY))[1]
    new = whole.cut(START + 15 * DAY, START + 16 * DAY)
    _, memory = scorer.follow(new, None)
    later = replace(new, first=new.first + 30 * DAY)
    assert np.isfinite(scorer.follow(later, memory)[0].expected).any()
    if memory:
        with pytest.raises(ArtifactError):
            scorer.follow(later, memory[:-2])


@pytest.mark.parametrize("kind", RULES)
def test_a_rule_without_columns_to_calibrate_on_has_the_least_quiet(kind):
    whole = grid()
    _, scorer = fit_scorer(kind, whole).learn(whole, np.zeros(whole.values.shape[1], bool))
    assert scorer.usual(1.0).tolist() == [LEAST_QUIET, LEAST_QUIET]
