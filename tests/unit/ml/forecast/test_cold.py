from __future__ import annotations

import hashlib
import json
from importlib import resources

import numpy as np
import pytest

from aws_auto.errors import ArtifactError
from aws_auto.ml.forecast.cold import BOOSTER, FOLDER, HEAD, LEAST_HOURS, LOOK_BACK, Cold, Short, loaded, shipped
from aws_auto.ml.forecast.demand import HORIZON, DemandPanel
from aws_auto.ml.forecast.ensemble import YOUNG, Blend
from aws_auto.ml.forecast.grid import DAY, HourGrid
from aws_auto.ml.forecast.group import DENSE

MIDDLE = DENSE.index(0.5)


def rhythm(hours, level=100.0):
    return level * (1.5 + np.sin(np.arange(hours) / DAY * 2 * np.pi))


def window(values):
    return np.concatenate([np.full(LOOK_BACK - len(values), np.nan), values])[None]


def test_what_ships_is_what_was_released_and_small():
    folder = resources.files(FOLDER)
    data = (folder / BOOSTER).read_bytes()
    head = json.loads((folder / HEAD).read_text())
    assert hashlib.sha256(data).hexdigest() == head["sha256"]
    assert len(data) < 300_000
    assert all(name.startswith(("vm/aws_", "vm/azurevm_", "web/")) for name in head["series"])


def test_a_file_that_was_changed_is_refused(tmp_path):
    folder = resources.files(FOLDER)
    for name in (BOOSTER, HEAD):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    loaded(tmp_path)
    with (tmp_path / BOOSTER).open("ab") as file:
        file.write(b"!")
    with pytest.raises(ArtifactError, match="not the file that was released"):
        loaded(tmp_path)


@pytest.mark.parametrize("hours", [0, 1, LEAST_HOURS - 1])
def test_under_six_hours_nothing_is_said(hours):
    assert np.isnan(shipped().after(window(rhythm(hours)))).all()


@pytest.mark.parametrize("hours", [LEAST_HOURS, 12, 23, 24, 25, 47, 48, 72, LOOK_BACK])
def test_from_six_hours_on_there_are_finite_quantiles_that_do_not_cross(hours):
    answers = shipped().after(window(rhythm(hours)))
    assert answers.shape == (1, HORIZON, len(DENSE))
    assert np.isfinite(answers).all()
    assert (np.diff(answers, axis=-1) >= 0).all()
    assert (answers >= 0).all()


def test_two_days_are_enough_to_follow_the_daily_rhythm():
    values = rhythm(48 + HORIZON)
    answers = shipped().after(window(values[:48]))
    np.testing.assert_allclose(answers[0, :, MIDDLE], values[48:], rtol=0.1)


@pytest.mark.parametrize("values", [np.zeros(48), np.full(48, 7.0), np.full(48, 1e12), -rhythm(48)])
def test_zero_constant_huge_and_negative_series_are_answered_near_themselves(values):
    answers = shipped().after(window(values))[0, :, MIDDLE]
    np.testing.assert_allclose(answers, values[24 : 24 + HORIZON], rtol=0.2, atol=1e-6)


def test_gaps_and_one_wild_hour_do_not_blow_up():
    values = rhythm(72)
    values[30:50:2] = np.nan
    values[60] = 1e9
    short = Short.of(window(values))
    assert np.isfinite(short.base).all()
    assert np.isfinite(shipped().after(window(values))).all()


def test_the_answer_grows_with_the_series():
    one, thousand = (shipped().after(window(rhythm(48, level))) for level in (1.0, 1000.0))
    np.testing.assert_allclose(thousand, 1000 * one, rtol=1e-4)


def test_a_stored_booster_answers_the_same():
    again = Cold.of_parts(*shipped().parts())
    np.testing.assert_array_equal(again.after(window(rhythm(60))), shipped().after(window(rhythm(60))))


def test_an_ensemble_answers_with_it_alone_where_a_series_is_too_young_for_the_others():
    values = np.full((2, 300), np.nan)
    values[0] = rhythm(300)
    values[1, 290:] = rhythm(10)
    panel = DemandPanel(HourGrid(("old", "new"), 490_000, values))
    model = Blend(("rules", *YOUNG)).fit(panel.design(np.arange(24, 280)), floor=0.0, seed=0)
    design = panel.design(np.array([292, 299]))
    answers = model.quantiles(design)
    assert np.isfinite(answers[0]).all()
    assert np.isnan(answers[1, 0]).all()
    np.testing.assert_array_equal(answers[1, 1], shipped().after(window(rhythm(10)))[0])
    played, _ = model.played(panel.design(np.arange(290, 300)))
    np.testing.assert_array_equal(played[1, -1], answers[1, 1])
