"""The distances read from a sketch against the same from sorted samples in full."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from aws_auto.ml.drift.sketch import NumberBins, jensen_shannon, kolmogorov_smirnov, psi, wasserstein

RNG = np.random.default_rng(0)
SAMPLES = {
    "normal": (RNG.normal(size=5000), RNG.normal(0.4, 1.2, 900)),
    "lognormal": (RNG.lognormal(0, 1, 5000), RNG.lognormal(0.3, 1, 900)),
    "integers": (RNG.poisson(3, 5000).astype(float), RNG.poisson(4, 900).astype(float)),
    "half constant": (
        np.where(RNG.random(5000) < 0.5, 0, RNG.random(5000)),
        np.where(RNG.random(900) < 0.3, 0, RNG.random(900)),
    ),
}


def histograms(x, y):
    bins = NumberBins.of(x, y)
    return bins, *(np.bincount(bins.index(v), minlength=len(bins)) / len(v) for v in (x, y))


@pytest.mark.parametrize("name", SAMPLES)
def test_wasserstein_is_close_to_that_of_the_sorted_samples(name):
    x, y = SAMPLES[name]
    bins, p, q = histograms(x, y)
    exact = stats.wasserstein_distance(y, x)
    assert wasserstein(p, q, bins.widths) == pytest.approx(exact, rel=0.06)


@pytest.mark.parametrize("name", SAMPLES)
def test_kolmogorov_smirnov_is_close_to_that_of_the_sorted_samples(name):
    x, y = SAMPLES[name]
    _, p, q = histograms(x, y)
    assert kolmogorov_smirnov(p, q) == pytest.approx(stats.ks_2samp(x, y).statistic, abs=0.015)


def test_jensen_shannon_is_zero_for_equal_and_one_for_disjoint_histograms():
    assert jensen_shannon(np.array([0.2, 0.8]), np.array([0.2, 0.8])) == pytest.approx(0)
    assert jensen_shannon(np.array([1.0, 0.0]), np.array([0.0, 1.0])) == pytest.approx(1)


def test_psi_on_ten_bins_is_the_textbook_sum():
    p, q = np.full(10, 0.1), np.array([0.19, 0.01, *[0.1] * 8])
    assert psi(p, q) == pytest.approx((0.19 - 0.1) * np.log(1.9) + (0.01 - 0.1) * np.log(0.1))


def test_a_constant_has_room_on_either_side():
    bins = NumberBins.of(np.full(10, 5.0), np.array([4.0, 6.0]))
    assert bins.index(np.array([4.0, 5.0, 6.0])).tolist() == [0, 1, 2]
    assert bins.widths.tolist() == [1.0, 1.0]
