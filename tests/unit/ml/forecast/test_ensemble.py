from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from aws_auto.ml.forecast import adaptive
from aws_auto.ml.forecast.adaptive import Trust
from aws_auto.ml.forecast.demand import HORIZON, DemandPanel
from aws_auto.ml.forecast.ensemble import Blend
from aws_auto.ml.forecast.grid import DAY, HourGrid
from aws_auto.ml.forecast.group import DENSE
from aws_auto.ml.forecast.lines import TIE, own_lines
from aws_auto.ml.forecast.panel import forecaster_of

HOURS = 500
NAMES = ("flat", "gapped", "jumped", "short", "usual", "zero")


def odd_grid(seed=0):
    """One series of every kind that real accounts hold."""
    rng = np.random.default_rng(seed)
    day = 100 * (1.5 + np.sin(np.arange(HOURS) / DAY * 2 * np.pi))
    usual = day * rng.lognormal(0, 0.05, HOURS)
    gapped = np.where(rng.random(HOURS) < 0.4, np.nan, usual)
    gapped[200:240] = np.nan
    jumped = usual + 1000 * (np.arange(HOURS) > 450)
    short = np.where(np.arange(HOURS) < HOURS - 30, np.nan, usual)
    return HourGrid(NAMES, 490_000, np.stack([np.full(HOURS, 7.0), gapped, jumped, short, usual, np.zeros(HOURS)]))


@pytest.fixture(scope="module")
def panel():
    return DemandPanel(odd_grid())


@pytest.fixture(scope="module")
def model(panel):
    return Blend().fit(panel.design(np.arange(24, 400)), floor=0.0, seed=0)


def hours(first, last):
    """Origins that tell the hours from ``first`` to ``last``."""
    return np.arange(first - HORIZON, last + 1)


def told(model, panel, first, last):
    return model.played(panel.design(hours(first, last)))[1]


def test_every_odd_series_gets_a_finite_answer_and_steady_ones_stay_where_they_are(panel, model):
    answers, _ = model.played(panel.design(hours(400, HOURS - 1)))
    last = answers[:, -1]
    assert np.isfinite(last).all()
    assert (np.diff(last, axis=-1) >= 0).all()
    by_name = dict(zip(NAMES, last, strict=True))
    np.testing.assert_allclose(by_name["zero"], 0, atol=1e-6)
    np.testing.assert_allclose(by_name["flat"], 7, rtol=0.05)


def test_after_a_jump_the_new_level_is_forecast(panel, model):
    answers, _ = model.played(panel.design(hours(400, HOURS - 1)))
    assert (answers[NAMES.index("jumped"), -1, :, DENSE.index(0.5)] > 800).all()


def test_a_stored_ensemble_answers_the_same_also_after_it_was_told(panel, model):
    later = told(model, panel, 400, 420)
    again = forecaster_of(*later.parts())
    design = panel.design(np.array([450]))
    np.testing.assert_array_equal(again.quantiles(design), later.quantiles(design))
    assert again.quantiles(design).shape == (len(NAMES), 1, HORIZON, len(DENSE))
    assert again.names == model.names


def test_telling_hours_one_by_one_or_at_once_is_the_same(panel, model):
    answers, at_once = model.played(panel.design(hours(400, 409)))
    one_by_one = model
    for hour in range(400, 410):
        said, one_by_one = one_by_one.played(panel.design(hours(hour, hour)))
        np.testing.assert_allclose(said[:, -1], answers[:, hour - 400 + HORIZON], rtol=1e-5, atol=1e-9)
    np.testing.assert_allclose(one_by_one.trust.loss, at_once.trust.loss, rtol=1e-5)
    np.testing.assert_allclose(one_by_one.trust.width, at_once.trust.width, rtol=1e-5)


def test_what_is_said_of_one_series_does_not_depend_on_the_others(panel, model):
    alone = DemandPanel(HourGrid(("usual",), panel.grid.first, panel.grid.values[[NAMES.index("usual")]]))
    beside, _ = model.played(panel.design(hours(400, 450)))
    by_itself, _ = model.played(alone.design(hours(400, 450)))
    np.testing.assert_allclose(by_itself[0], beside[NAMES.index("usual")], rtol=1e-5, atol=1e-9)


def test_telling_changes_trust_and_nothing_else(panel, model):
    later = told(model, panel, 400, 450)
    assert later.groups is model.groups
    assert later.trust.seen[NAMES.index("usual")] > 10
    assert not np.allclose(later.trust.weights(), model.trust.weights())


def test_a_stranger_is_answered_with_what_is_true_of_all(model):
    grid = odd_grid(seed=3)
    strangers = DemandPanel(HourGrid(tuple(f"new {n}" for n in NAMES), grid.first, grid.values))
    answers, later = model.played(strangers.design(hours(400, HOURS - 60)))
    assert np.isfinite(answers[NAMES.index("usual")]).all()
    assert later.trust.resources == model.trust.resources


def one_step(members, truth):
    """What is known of one series after these hours; members say the same at all levels of a spread of one."""
    spread = np.linspace(-0.5, 0.5, len(DENSE))
    said = np.stack([np.asarray(m, float) for m in members])[:, None, :, None, None] + spread
    truth = np.asarray(truth, float)[None, :, None]
    return adaptive.played(
        Trust.fresh(("a",), len(members)), said, truth, np.ones(truth.shape[:2]), steps=(1,), levels=DENSE
    )[1]


def test_the_member_that_was_right_is_believed():
    trust = one_step([np.zeros(40), np.full(40, 3.0), np.full(40, -3.0)], np.zeros(40))
    assert trust.weights()[0, 0] > 0.99
    assert (trust.width < 0).all()
    assert (trust.width >= adaptive.NARROWEST).all()


def test_intervals_that_are_missed_grow_up_to_a_bound():
    trust = one_step([np.zeros(400)], np.full(400, 50.0))
    np.testing.assert_allclose(trust.width, adaptive.WIDEST)


def test_hours_without_truth_change_nothing():
    known = np.arange(60.0) % 7
    later = np.concatenate([known, np.full(20, np.nan)])
    members = [np.zeros(80), np.full(80, 2.0)]
    told, again = one_step([m[:60] for m in members], known), one_step(members, later)
    # The hour of the last origin of the shorter one has not come yet.
    whole = one_step([m[:61] for m in members], later[:61])
    assert whole.to_json() == again.to_json()
    assert told.seen < again.seen


def test_fewer_origins_than_steps_tell_nothing():
    trust = replace(Trust.fresh(("a",), 2), seen=np.array([3.0]), loss=np.array([[1.0, 2.0]]))
    members = np.zeros((2, 1, 3, 4, len(DENSE)))
    answers, after = adaptive.played(
        trust, members, np.ones((1, 3, 4)), np.ones((1, 3)), steps=(1, 2, 3, 4), levels=DENSE
    )
    assert answers.shape == (1, 3, 4, len(DENSE))
    assert after.to_json() == trust.to_json()


def test_own_lines_follow_their_series_and_a_series_without_truth_has_the_line_of_all():
    rng = np.random.default_rng(0)
    base = rng.normal(size=(2, 200 * int(TIE), 1, 2))
    target = base[..., 0] * 3.0
    target[1] = np.nan
    common = np.array([[1.0, 0.0, 0.0]])
    own = own_lines(common, base, target)
    np.testing.assert_allclose(own[0, 0], [3, 0, 0], atol=0.1)
    np.testing.assert_array_equal(own[1], common)


def test_origins_of_each_resources_own_give_the_same_design_as_common_ones(panel):
    own = np.stack([np.arange(300, 303) + row for row in range(len(NAMES))])
    mixed = panel.design_at(own)
    for row in range(len(NAMES)):
        alone = panel.design(own[row])
        np.testing.assert_array_equal(mixed.base[row], alone.base[row])
        np.testing.assert_array_equal(mixed.truth[row], alone.truth[row])
