"""Slow, obvious twins of the vectorised parts of detection."""

from __future__ import annotations

import numpy as np
import pytest

from aws_auto.ml.anomaly.detect.neighbours import NEAREST, SMOOTH, Coded, Neighbours
from aws_auto.ml.anomaly.detect.routine import NEAR, ORDINARY, Routine
from aws_auto.ml.anomaly.detect.season import DAYS, Season
from aws_auto.ml.anomaly.detect.view import PAST, View
from aws_auto.ml.anomaly.detect.windows import Reconstruction, Shape


def view_of(z, first=0, per_day=24):
    nothing = np.full(len(z), np.nan)
    return View(np.r_[np.full(PAST, z[0]), z], np.ones(len(z)), first, per_day, nothing, nothing, nothing)


def half(value):
    """The same to the precision that is kept of a season."""
    return pytest.approx(value, rel=1e-3, abs=1e-3)


def wave(n, seed=0):
    return np.sin(2 * np.pi * np.arange(n) / 24) + np.random.default_rng(seed).normal(0, 0.2, n)


def test_the_season_is_the_median_of_the_last_week_around_the_same_time():
    z = wave(24 * 12)
    season = Season.of(24)
    usual, yesterday, last_week = season.advance(z, np.ones(len(z)), 0)
    for t in range(len(z)):
        near = [z[t - 24 * d + j] for d in range(1, DAYS + 1) for j in (-1, 0, 1) if t - 24 * d + j >= 0]
        assert usual[t] == half(np.median(near)) if near else np.isnan(usual[t])
        assert yesterday[t] == half(z[t - 24]) if t >= 24 else np.isnan(yesterday[t])
        assert last_week[t] == half(z[t - 24 * 7]) if t >= 24 * 7 else np.isnan(last_week[t])


def test_the_season_of_minutes_is_that_of_ten_minute_means():
    z = wave(1440 * 2 + 7)
    usual, _, _ = Season.of(1440).advance(z, np.ones(len(z)), 0)
    moment = 144 + 30
    means = [z[10 * m : 10 * m + 10].mean() for m in (moment - 144 - 1, moment - 144, moment - 144 + 1)]
    assert usual[10 * moment : 10 * moment + 10] == half(np.full(10, np.median(means)))


def test_shape_is_the_mahalanobis_distance_per_point_and_expects_the_conditional_mean():
    z = wave(600)
    shape = Shape()
    view = view_of(z)
    shape.fit(view)
    distance, expected = shape.advance(view, learn=False)
    mean, covariance = shape.moments.mean_and_covariance()
    inverse = np.linalg.inv(covariance)
    for t in (30, 100, 599):
        window = z[t - 11 : t + 1] - mean
        assert distance[t] == pytest.approx(np.sqrt(window @ inverse @ window / 12))
        weights = np.linalg.solve(covariance[:-1, :-1], covariance[:-1, -1])
        assert expected[t] == pytest.approx(mean[-1] + weights @ window[:-1])


def test_reconstruction_is_what_six_components_leave():
    z = wave(500)
    member = Reconstruction()
    view = view_of(z)
    member.fit(view)
    found = member.advance(view, learn=False)
    mean, covariance = member.moments.mean_and_covariance()
    values, vectors = np.linalg.eigh(covariance)
    top = vectors[:, np.argsort(-values)[:6]]
    for t in (40, 200, 499):
        window = z[t - 23 : t + 1] - mean
        left = window - top @ (top.T @ window)
        assert found[t] == pytest.approx(abs(left[-1]) + np.sqrt((left**2).mean()))


@pytest.mark.parametrize("coarse", [1, 2])
def test_neighbours_give_the_distance_to_the_fifth_nearest_window_of_the_past(coarse):
    z = wave(700)
    member = Neighbours.of(24, coarse=coarse, most=64)
    member.fit(view_of(z))
    new = wave(40, seed=1)
    view = View(np.r_[z, new][-PAST - 40 :], np.ones(40), 700, 24, *[np.full(40, np.nan)] * 3)
    found = member.advance(view, learn=True)
    member = Neighbours.of(24, coarse=coarse, most=64)
    member.fit(view_of(z))
    both = np.r_[z, new]
    for i in range(8):
        window = both[700 + i - 24 * coarse + 1 : 700 + i + 1].reshape(24, coarse).mean(axis=1)
        far = sorted(np.sqrt(((past - window) ** 2).sum() + SMOOTH**2) - SMOOTH for past in member.past.windows)
        assert found[i] == pytest.approx(far[NEAREST - 1], abs=1e-6)


def test_neighbours_keep_a_bounded_past_that_is_renewed():
    z = wave(3000)
    member = Neighbours.of(24, most=64)
    member.fit(view_of(z[:1500]))
    before = member.past.codes
    member.advance(View(z[1500 - PAST :], np.ones(1500), 1500, 24, *[np.full(1500, np.nan)] * 3), learn=True)
    assert len(member.past.codes) == 64
    assert (member.past.codes != before).any(axis=1).sum() > 10


def test_a_kept_window_is_off_by_less_than_a_step_of_its_own_range():
    windows = np.random.default_rng(0).normal(0, 2, (50, 24)) * np.geomspace(1e-3, 4, 50)[:, None]
    kept = Coded.of(windows).windows
    assert (np.abs(kept - windows) <= np.ptp(windows, axis=1)[:, None] / 255).all()
    assert Coded.of(np.full((2, 24), 3.5)).windows == pytest.approx(3.5)


def test_routine_is_what_was_as_strange_at_this_hour_on_most_of_the_last_seven_days():
    rng = np.random.default_rng(1)
    days, per_day = 12, 48
    score, above = rng.exponential(0.6, days * per_day), rng.random(days * per_day) < 0.5
    score[20::per_day], above[20::per_day] = 5.0, True
    found = Routine.of(per_day).advance(score, above, np.ones(len(score)), 0)
    for t in range(len(score)):
        highest = []
        for day in range(1, 8):
            near = [t - day * per_day + j for j in range(-NEAR, NEAR + 1)]
            highest.append(max([score[k] for k in near if k >= 0 and above[k] == above[t]], default=-3.0))
        assert found[t] == pytest.approx(max(np.median(highest) - ORDINARY, 0), abs=5e-3)
    assert found[20 + 5 * per_day] == pytest.approx(3.5, abs=0.01)
    assert found[20 + 3 * per_day] == 0


def test_routine_is_the_same_however_slots_arrive():
    rng = np.random.default_rng(2)
    score, above, seen = rng.exponential(1, 3000), rng.random(3000) < 0.5, (rng.random(3000) < 0.9).astype(float)
    whole = Routine.of(288).advance(score, above, seen, 0)
    one = Routine.of(288)
    parts = [one.advance(score[a : a + 7], above[a : a + 7], seen[a : a + 7], a) for a in range(0, 3000, 7)]
    np.testing.assert_array_equal(np.concatenate(parts), whole)
