"""Slow, obvious twins of the theta method for all origins of a series, and the one of statsforecast beside it."""

from __future__ import annotations

import math

import numpy as np
import pytest

from aws_auto.ml.forecast import theta as fast
from aws_auto.ml.forecast.grid import DAY

STEPS = (1, 2, 3, 4)


def mean(values):
    known = [v for v in values if not math.isnan(v)]
    return sum(known) / len(known) if known else math.nan


def slow_term(y, t, origin, cycle, ratio):
    """The season at column ``t`` before it is centred, from what was known at ``origin``."""

    def value(i):
        return y[i] if 0 <= i <= origin else math.nan

    def trailing(i):
        window = [value(j) for j in range(i - cycle + 1, i + 1)]
        return mean(window) if sum(not math.isnan(v) for v in window) >= max(int(fast.MOST * cycle), 1) else math.nan

    def about(i):
        half = cycle // 2
        return trailing(i + half) if cycle % 2 else (trailing(i + half) + trailing(i + half - 1)) / 2

    apart = []
    first = math.ceil((max(STEPS) + cycle // 2) / cycle)
    for back in range(first, first + fast.CYCLES):
        i = t - back * cycle
        level = about(i) if i >= 0 else math.nan
        if ratio:
            raw = value(i) / level if level > 0 else math.nan
            apart.append(min(max(raw, 1 / fast.STEEPEST), fast.STEEPEST) if not math.isnan(raw) else raw)
        else:
            apart.append(value(i) - level)
    return mean(apart)


def slow_season(y, t, origin, cycle, ratio):
    terms = [slow_term(y, i, origin, cycle, ratio) if i >= 0 else math.nan for i in range(t - cycle + 1, t + 1)]
    known = sum(not math.isnan(x) for x in terms)
    if known < max(int(fast.MOST * cycle), 1) or math.isnan(terms[-1]):
        return 1.0 if ratio else 0.0
    return terms[-1] / mean(terms) if ratio else terms[-1] - mean(terms)


def slow_theta(y, plain, origin, cycle, ratio, weight, horizon):
    """One forecast by the formula of Hyndman and Billah 2003 from the series without its season."""
    level, count = 0.0, 0.0
    for x in plain[: origin + 1]:
        level, count = (1 - weight) * level, (1 - weight) * count
        if not math.isnan(x):
            level, count = level + weight * x, count + weight
    seen = [(t, plain[t]) for t in range(origin + 1) if not math.isnan(plain[t]) and t > origin - fast.CYCLES * cycle]
    slope = float(np.polyfit(*zip(*seen, strict=True), 1)[0]) if len(seen) >= fast.LEAST_CYCLES * cycle else 0.0
    line = level / count + slope / 2 * (horizon - 1 + 1 / weight) if count else math.nan
    season = slow_season(y, origin + horizon, origin, cycle, ratio)
    return line * season if ratio else line + season


def slow_choice(y, origin, cycle):
    """Season and weight whose forecasts of the next hour did best of late, and what they say."""
    loss, said = {}, {}
    for ratio in (False, True):
        seasons = [slow_season(y, t, t, cycle, ratio) for t in range(origin + 1)]
        plain = [v / s if ratio else v - s for v, s in zip(y, seasons, strict=False)]
        for weight in fast.WEIGHTS:
            total = count = 0.0
            for o in range(origin):
                error = abs(y[o + 1] - slow_theta(y, plain, o, cycle, ratio, weight, 1))
                if not math.isnan(error):
                    fade = 0.5 ** ((origin - o - 1) / (fast.HALF_LIFE * cycle))
                    total, count = total + fade * error, count + fade
            loss[ratio, weight] = total / count
            said[ratio, weight] = [slow_theta(y, plain, origin, cycle, ratio, weight, h) for h in STEPS]
    best = min(loss, key=loss.__getitem__)
    return best, said[best]


@pytest.mark.parametrize(("grows", "cycle"), [(False, 3), (False, 6), (True, 6), (True, 7)])
def test_each_origin_has_the_theta_forecast_of_the_season_and_weight_that_did_best_of_late(grows, cycle):
    rng = np.random.default_rng(cycle)
    t = np.arange(50)
    swing = np.sin(2 * np.pi * t / cycle)
    y = (5 + 2 * t) * (1.5 + swing) if grows else 40 + 3 * t + 20 * swing
    y = y * rng.lognormal(0, 0.01, len(t))
    y[[4, 17, 18, 33]] = np.nan
    answers = fast.theta(y[None], STEPS, cycle=cycle)[:, 0]
    for origin in (5, 3 * cycle, 34, 49):
        (ratio, _), said = slow_choice(y, origin, cycle)
        np.testing.assert_allclose(answers[:, origin], said, rtol=1e-9)
    assert ratio is grows


@pytest.mark.parametrize("seed", range(3))
def test_on_a_seasonal_series_it_says_what_the_theta_of_statsforecast_says(seed):
    models = pytest.importorskip("statsforecast.models", reason="the extra forecast is not installed")
    rng = np.random.default_rng(seed)
    t = np.arange(21 * DAY + 200)
    wander = np.cumsum(rng.normal(0, 0.01, len(t)))
    y = 100 * (1.5 + np.sin(2 * np.pi * t / DAY)) * np.exp(wander + rng.normal(0, 0.02, len(t)))
    said = fast.theta(y[None], STEPS, cycle=DAY)[:, 0]
    apart = []
    for origin in range(21 * DAY, len(t) - 4, 7):
        theirs = models.OptimizedTheta(season_length=DAY).forecast(y[origin - 21 * DAY + 1 : origin + 1], 4)["mean"]
        apart.append(np.abs(said[:, origin] - theirs) / np.abs(theirs))
    assert np.median(apart) < 0.02
