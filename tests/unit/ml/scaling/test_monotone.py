from __future__ import annotations

import json

import numpy as np
import pytest

from aws_auto.ml.scaling.monotone import MonotoneNet

SIGN = np.array([1.0, -1.0, 0.0])


@pytest.fixture(scope="module")
def problem():
    """Likelier with the first input, rarer with the second, likeliest in the middle of the third."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(1500, 3))
    chance = 1 / (1 + np.exp(-(2 * x[:, 0] - 2 * x[:, 1] + 3 * (np.abs(x[:, 2]) < 0.7) - 1.5)))
    return x, (rng.random(1500) < chance).astype(float), chance


@pytest.fixture(scope="module")
def net(problem):
    x, event, _ = problem
    return MonotoneNet.fit(x, SIGN, event, seed=0)


def test_it_learns_what_no_straight_line_can_say(net, problem):
    x, _, chance = problem
    said = net.probability(x)
    assert np.abs(said - chance).mean() < 0.07
    middle, edge = np.array([[0.0, 0.0, 0.0]]), np.array([[0.0, 0.0, 2.0], [0.0, 0.0, -2.0]])
    assert net.probability(middle)[0] > net.probability(edge).max() + 0.3


@pytest.mark.parametrize("calibrated", [False, True])
def test_more_of_a_rising_input_never_lowers_and_more_of_a_falling_one_never_raises_the_answer(
    net, problem, calibrated
):
    x, event, _ = problem
    model = net.calibrated(x[:400], 1 - event[:400]) if calibrated else net
    rng = np.random.default_rng(1)
    at = rng.normal(0, 3, (4000, 3))
    further = np.abs(rng.normal(0, 3, 4000))
    for column in (0, 1):
        moved = at.copy()
        moved[:, column] += further
        change = model.logits(moved) - model.logits(at)
        assert (SIGN[column] * change >= -1e-9).all()


def test_an_input_that_never_changes_and_one_far_out_of_reach_give_finite_answers():
    x = np.array([[5.0, 0.0], [5.0, 1.0], [5.0, 2.0], [5.0, 3.0]])
    net = MonotoneNet.fit(x, np.zeros(2), np.array([0.0, 0.0, 1.0, 1.0]), seed=0)
    assert np.isfinite(net.logits(np.array([[1e12, -1e12]]))).all()


def test_rows_of_weight_nought_are_not_learned_from(problem):
    x, event, _ = problem
    weight = (np.arange(len(x)) < 700).astype(float)
    some = MonotoneNet.fit(x, SIGN, np.where(weight > 0, event, 1 - event), seed=0, weight=weight)
    assert np.corrcoef(some.logits(x), MonotoneNet.fit(x, SIGN, event, seed=0).logits(x))[0, 1] > 0.9


def test_calibration_moves_the_level_to_what_came_and_keeps_the_order(net, problem):
    x, event, _ = problem
    rarer = event * (np.arange(len(event)) % 4 == 0)
    moved = net.calibrated(x, rarer)
    assert moved.probability(x).mean() == pytest.approx(rarer.mean(), abs=0.02)
    assert (np.argsort(moved.logits(x)) == np.argsort(net.logits(x))).all()


def test_a_stored_net_answers_the_same_and_the_seed_decides_everything(net, problem):
    x, event, _ = problem
    stored = MonotoneNet.from_json(json.loads(json.dumps(net.to_json())))
    assert (stored.logits(x) == net.logits(x)).all()
    assert MonotoneNet.fit(x, SIGN, event, seed=0).to_json() == net.to_json()
