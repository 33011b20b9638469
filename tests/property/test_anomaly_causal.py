"""A score depends on nothing that comes after it, whatever arrives: gaps, duplicates, late points, nulls, resets."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aws_auto.ml.anomaly.detect import Detector
from aws_auto.ml.anomaly.detect.profile import DENSE, HOURS, MEMBERS, Profile

ALL = Profile("all", dict.fromkeys(MEMBERS, 1.0), HOURS.tail)
profiles = st.sampled_from((None, DENSE, ALL))
steps = st.sampled_from((60.0, 300.0, 420.0, 3600.0, 86_400.0))
kinds = st.sampled_from(("noise", "constant", "counter", "spiky"))


@st.composite
def series(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, int]:
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    step, n = draw(steps), draw(st.integers(60, 400))
    values = {
        "noise": lambda: rng.normal(10, 1, n),
        "constant": lambda: np.full(n, 3.0),
        "counter": lambda: np.cumsum(rng.poisson(5, n)).astype(float),
        "spiky": lambda: rng.pareto(1.0, n),
    }[draw(kinds)]()
    times = step * np.arange(n) + rng.uniform(-0.2, 0.2, n) * step
    times = times + np.cumsum(np.where(rng.random(n) < 0.01, rng.integers(1, 2000, n), 0)) * step
    values[rng.random(n) < 0.05] = np.nan
    order = np.arange(n)
    for at in rng.integers(1, n, 4):
        order[at] = order[at - 1]
    order = np.where(rng.random(n) < 0.02, np.maximum(order - 3, 0), order)
    return times[order], values[order], draw(st.integers(20, n - 5))


@settings(max_examples=40, deadline=None)
@given(series(), profiles, st.data())
def test_scores_of_a_prefix_are_the_prefix_of_the_scores(data, profile, draw):
    times, values, border = data
    detector = Detector.fit(times[:border], values[:border], profile=profile)
    new_times, new_values = times[border:], values[border:]
    whole = detector.score(new_times, new_values)
    cut = draw.draw(st.integers(0, len(new_times)))
    part, moved = detector.advance(new_times[:cut], new_values[:cut])
    rest = moved.score(new_times[cut:], new_values[cut:])
    for name in ("score", "expected", "low", "high"):
        # Ordinary series agree to 1e-9 (unit test); steep trends after twenty training points lose digits in a sum.
        both = np.r_[getattr(part, name), getattr(rest, name)]
        assert both == pytest.approx(getattr(whole, name), rel=1e-6, abs=1e-6, nan_ok=True)
    assert not np.isinf(whole.score).any()


@settings(max_examples=25, deadline=None)
@given(series(), st.floats(-1e6, 1e6), st.data())
def test_the_future_never_changes_a_score(data, wild, draw):
    times, values, border = data
    detector = Detector.fit(times[:border], values[:border])
    cut = draw.draw(st.integers(border, len(values) - 1))
    other = values.copy()
    other[cut:] = wild
    known = slice(0, cut - border)
    ours = detector.score(times[border:], values[border:]).score[known]
    theirs = detector.score(times[border:], other[border:]).score[known]
    assert theirs == pytest.approx(ours, abs=1e-9, nan_ok=True)
