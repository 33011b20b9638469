from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from aws_auto.frame import MetricFrame
from aws_auto.ml.anomaly.detector import FleetDetector, ResourceDetector
from aws_auto.ml.anomaly.grid import DAY, ResourceGrid, grids
from aws_auto.ml.anomaly.inject import KINDS, inject
from aws_auto.ml.anomaly.rules import RULES
from aws_auto.ml.anomaly.scorers import Residual, fit_scorer, scorer_of
from aws_auto.ml.evaluation.metrics import Rhythm, episodes

START = 1_767_571_200  # Monday 2026-01-05
KINDS_OF_SCORER = (Residual.kind, *RULES)


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
    scorer = fit_scorer(kind, whole)
    again = scorer_of(scorer.to_json())
    np.testing.assert_array_equal(again.judge(whole).expected, scorer.judge(whole).expected)


def test_an_unknown_kind_of_scorer_is_refused():
    with pytest.raises(KeyError):
        scorer_of({"kind": "eval"})


@pytest.mark.parametrize("kind", KINDS_OF_SCORER)
def test_a_constant_or_empty_metric_raises_no_alarm_and_no_error(kind):
    whole = grid()
    nothing = whole.replaced(np.stack([np.full_like(whole.values[0], np.nan), whole.values[1]]))
    ratio, _, _ = ResourceDetector.fit(kind, nothing).calibrated(nothing, nothing.first).ratio(nothing)
    assert (ratio < 0.5).all()


def test_a_spike_is_found_where_it_is_and_names_its_metric():
    whole = grid()
    values = whole.values.copy()
    values[1, 1600] = 70.0
    one = ResourceDetector.fit(Residual.kind, whole.cut(None, START + 15 * DAY)).calibrated(whole, START + 10 * DAY)
    ratio, place, _ = one.ratio(whole.replaced(values))
    assert ratio.argmax() == 1600
    assert place[1600] % 2 == 1


def test_a_slow_ramp_is_seen_by_the_slow_channel():
    whole = grid(missing=0.0)
    values = whole.values.copy()
    values[0, 1600:1632] += np.linspace(0, 25, 32)
    one = ResourceDetector.fit(Residual.kind, whole.cut(None, START + 15 * DAY)).calibrated(whole, START + 10 * DAY)
    ratio, place, _ = one.ratio(whole.replaced(values))
    assert ratio[1600:1634].max() > 2
    assert place[1600 + int(ratio[1600:1634].argmax())] // 2 == 1


def test_the_threshold_keeps_the_budget_on_the_calibration_part():
    fleet = {"a": grid(seed=1), "b": grid(seed=2)}
    border, end = START + 10 * DAY, START + 20 * DAY
    for budget in (0.5, 3.0):
        fitted = FleetDetector.fit(Residual.kind, fleet, until=border, calibrate=(border, end), budget=budget)
        found = 0
        for name, g in fleet.items():
            one = fitted.resources[name]
            alarms = g.times[(one.ratio(g)[0] >= fitted.threshold) & (g.times >= border)]
            found += len(episodes(alarms.astype(float), Rhythm(g.period)))
        assert found <= budget * 2 * 10 / 7


def test_a_larger_budget_never_raises_the_threshold():
    fleet = {"a": grid(seed=1)}
    span = (START + 10 * DAY, START + 20 * DAY)
    fitted = [
        FleetDetector.fit(Residual.kind, fleet, until=span[0], calibrate=span, budget=b).threshold for b in (0.5, 2, 8)
    ]
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
    span = (START + 10 * DAY, START + 15 * DAY)
    fitted = FleetDetector.fit(kind, fleet, until=span[0], calibrate=span, budget=1.0).refitted(fleet)
    ratio, _, _ = fitted.resources["late"].ratio(fleet["late"])
    assert np.isfinite(ratio).all()
    assert (ratio[40:] > 0).any()
