import numpy as np
import pytest

from aws_auto.ml.simulate.noise import held, normal, red, uniform


@pytest.mark.parametrize("kind", [uniform, normal, red])
@pytest.mark.parametrize("first", [1000, 1001, 1003, 1500])
def test_a_draw_is_the_same_whoever_asks(kind, first):
    long = kind(7, "a", 990, 600)
    short = kind(7, "a", first, 50)
    np.testing.assert_array_equal(short, long[first - 990 : first - 940])


def test_streams_and_seeds_differ():
    draws = [uniform(7, "a", 0, 100), uniform(7, "b", 0, 100), uniform(8, "a", 0, 100)]
    assert all(abs(np.corrcoef(draws[i], draws[j])[0, 1]) < 0.4 for i, j in [(0, 1), (0, 2), (1, 2)])


def test_uniform_draws_fill_the_unit_interval_evenly():
    draws = uniform(7, "a", 0, 20_000)
    assert 0.0 <= draws.min() < 0.001
    assert 0.999 < draws.max() < 1.0
    assert draws.mean() == pytest.approx(0.5, abs=0.01)


def test_normal_draws_have_mean_zero_and_variance_one():
    draws = normal(7, "a", 0, 20_000)
    assert draws.mean() == pytest.approx(0.0, abs=0.03)
    assert draws.std() == pytest.approx(1.0, abs=0.03)


@pytest.mark.parametrize("phi", [0.6, 0.9])
def test_red_noise_has_unit_variance_and_the_autocorrelation_asked_for(phi):
    draws = red(7, "a", 10_000, 40_000, phi=phi)
    assert draws.std() == pytest.approx(1.0, abs=0.08)
    assert np.corrcoef(draws[1:], draws[:-1])[0, 1] == pytest.approx(phi, abs=0.03)


def test_held_draws_are_constant_over_equal_indices_and_empty_for_none():
    draws = held(7, "a", np.array([5, 5, 6, 6, 9]))
    assert draws[0] == draws[1] != draws[2] == draws[3]
    assert draws[4] == held(7, "a", np.array([9]))[0]
    assert len(held(7, "a", np.array([], dtype=np.int64))) == 0
