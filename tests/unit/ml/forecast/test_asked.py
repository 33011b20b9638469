"""What a stored forecaster says long after its training: told a bounded number of hours, whatever else is asked."""

from __future__ import annotations

import numpy as np
import pytest

from aws_auto.ml.forecast.asked import MEMORY, told_answers
from aws_auto.ml.forecast.demand import DemandPanel
from aws_auto.ml.forecast.ensemble import Blend
from aws_auto.ml.forecast.grid import DAY, HourGrid
from aws_auto.ml.forecast.group import DENSE

FITTED, HOURS = 300, 900


@pytest.fixture(scope="module")
def panel():
    rng = np.random.default_rng(0)
    wave = 100 * (1.5 + np.sin(np.arange(HOURS) / DAY * 2 * np.pi))
    return DemandPanel(HourGrid(("a", "b"), 490_000, wave * rng.lognormal(0, 0.1, (2, HOURS))))


class Counted:
    """An ensemble of rules that counts the origins it is told."""

    every_hour = True
    levels = DENSE

    def __init__(self, model):
        self.model, self.told = model, 0

    def quantiles(self, design):
        return self.model.quantiles(design)

    def played(self, design):
        self.told += design.truth.shape[1]
        return self.model.played(design)


@pytest.fixture
def model(panel):
    return Counted(Blend(("rules",)).fit(panel.design(np.arange(48, FITTED - 4)), floor=0.0, seed=0))


def test_an_answer_does_not_depend_on_which_others_are_asked(panel, model):
    asked = np.array([290, 299, 300, 301, 395, 396, 397, 600, 899])
    together = told_answers(model, panel, asked, since=FITTED)
    for place, origin in enumerate(asked):
        alone = told_answers(model, panel, np.array([origin]), since=FITTED)
        np.testing.assert_allclose(alone[:, 0], together[:, place], rtol=1e-12)


def test_the_cost_of_an_answer_is_bounded_however_long_ago_the_training_was(panel, model):
    told_answers(model, panel, np.array([HOURS - 1]), since=FITTED)
    assert MEMORY <= model.told <= 2 * MEMORY + panel.reach


def test_an_answer_knows_every_hour_of_its_memory_and_those_before_do_not_matter(panel, model):
    origin = FITTED + 5 * MEMORY + 7
    usual = told_answers(model, panel, np.array([origin]), since=FITTED)
    design = panel.design(np.arange(FITTED + 4 * MEMORY - panel.reach, origin + 1))
    np.testing.assert_array_equal(usual[:, 0], model.played(design)[0][:, -1])
    assert not np.allclose(usual, model.quantiles(panel.design(np.array([origin]))))


def test_until_a_span_has_passed_all_hours_since_the_training_count(panel, model):
    origin = FITTED + 2 * MEMORY - 1
    said = told_answers(model, panel, np.array([origin]), since=FITTED)
    every, _ = model.played(panel.design(np.arange(FITTED - panel.reach, origin + 1)))
    np.testing.assert_array_equal(said[:, 0], every[:, -1])
