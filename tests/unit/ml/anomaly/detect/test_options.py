import sys

import numpy as np
import pytest

from aws_auto.errors import MissingExtra, NotEnoughData
from aws_auto.ml.anomaly.detect.options import fit_windows, vote

KINDS = ("isolation_forest", "one_class_svm", "boosted", "autoencoder")


def wave(n=700, seed=0):
    return np.sin(2 * np.pi * np.arange(n) / 24) + np.random.default_rng(seed).normal(0, 0.05, n)


@pytest.fixture(scope="module", params=KINDS)
def fitted(request):
    if request.param == "autoencoder":
        pytest.importorskip("torch", reason="the extra `deep` is not installed")
    return request.param, fit_windows(wave()[:500], request.param)


def test_a_spike_is_the_strangest_point(fitted):
    _, detector = fitted
    values = wave()[500:]
    values[100] += 4
    scores = detector.score(values)
    assert scores.shape == (200,)
    assert 100 <= int(np.argmax(scores)) < 124


def test_a_score_does_not_know_what_comes_after_it(fitted):
    _, detector = fitted
    values = wave()[500:]
    assert detector.score(values[:60]) == pytest.approx(detector.score(values)[:60], abs=1e-6)


def test_the_same_seed_gives_the_same_scores(fitted):
    kind, detector = fitted
    again = fit_windows(wave()[:500], kind)
    assert np.array_equal(again.score(wave()[500:]), detector.score(wave()[500:]))


def test_missing_values_repeat_the_last_one(fitted):
    _, detector = fitted
    values = wave()[500:]
    values[50:53] = np.nan
    assert np.isfinite(detector.score(values)).all()


def test_too_few_values_are_refused():
    with pytest.raises(NotEnoughData, match="too few for windows"):
        fit_windows(np.arange(30.0), "isolation_forest")


def test_without_torch_the_autoencoder_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingExtra, match="autoencoder needs torch"):
        fit_windows(wave(), "autoencoder")


def test_the_vote_is_over_a_threshold_when_most_are():
    a, b, c = np.array([1.0, 9.0]), np.array([9.0, 9.0]), np.array([1.0, 1.0])
    assert vote([a, b, c]).tolist() == [1.0, 9.0]
