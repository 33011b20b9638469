from __future__ import annotations

import sys

import numpy as np
import pytest

from aws_auto.errors import ArtifactError, MissingExtra
from aws_auto.ml.forecast.demand import HORIZON, SEQUENCE, DemandPanel
from aws_auto.ml.forecast.ensemble import CHOICE, USUAL, Blend, Ensemble
from aws_auto.ml.forecast.grid import DAY, HourGrid
from aws_auto.ml.forecast.group import DENSE
from aws_auto.ml.forecast.lstm import PART, Inputs, Lstm

torch = pytest.importorskip("torch", reason="the extra deep is not installed")


def grid(hours=500, rows=3, seed=0):
    rng = np.random.default_rng(seed)
    day = 100 * (1.5 + np.sin(np.arange(hours) / DAY * 2 * np.pi))
    values = day * rng.lognormal(0, 0.05, (rows, hours))
    return HourGrid(tuple(f"r{i}" for i in range(rows)), 490_000, values)


@pytest.fixture(scope="module")
def panel():
    return DemandPanel(grid())


@pytest.fixture(scope="module")
def fitted(panel):
    return Lstm.fit(panel.design(np.arange(24, 400)), seed=0)


def test_it_reads_a_day_and_says_four_hours_of_quantiles_that_do_not_cross(panel, fitted):
    design = panel.design(np.arange(420, 430))
    mask = design.answerable()[..., 0]
    assert Inputs.of(design, mask).sequence.shape[1] == SEQUENCE == 24
    answers = fitted.members(design)
    assert answers.shape == (1, 3, 10, HORIZON, len(DENSE))
    assert (np.diff(answers, axis=-1) > 0).all()


def test_it_learns_a_daily_rhythm(panel, fitted):
    design = panel.design(np.arange(420, 480))
    middle = design.center[..., None] + fitted.members(design)[0, ..., DENSE.index(0.5)] * design.scale[..., None]
    off = np.abs(middle - design.truth).mean()
    assert off < np.abs(design.rules["last value"] - design.truth).mean() / 2


def test_the_same_seed_gives_the_same_weights_and_leaves_the_callers_generator_alone(panel):
    design = panel.design(np.arange(24, 120))
    torch.manual_seed(5)
    before = torch.rand(1)
    torch.manual_seed(5)
    first = Lstm.fit(design, seed=1).parts()
    assert torch.rand(1) == before
    assert Lstm.fit(design, seed=1).parts() == first
    assert Lstm.fit(design, seed=2).parts()[1] != first[1]


def test_a_stored_net_answers_the_same_and_holds_plain_numbers_only(panel, fitted):
    body, files = fitted.parts()
    design = panel.design(np.array([450]))
    np.testing.assert_array_equal(Lstm.of_parts(body, files).members(design), fitted.members(design))
    assert len(files[PART]) == 4 * sum(int(np.prod(shape)) for shape in body["shapes"].values())


def test_a_file_that_was_cut_short_is_refused(fitted):
    body, files = fitted.parts()
    with pytest.raises(ArtifactError, match="bytes, not"):
        Lstm.of_parts(body, {PART: files[PART][:-4]})


@pytest.mark.parametrize("factor", [0.0, 1e-9, 1e12])
def test_no_window_makes_it_explode(fitted, factor):
    wild = grid(seed=3)
    wild.values[0, 440:] *= 1e6
    wild.values[1, 430:440] = 0
    wild.values[2, ::2] = np.nan
    design = DemandPanel(HourGrid(wild.resources, wild.first, wild.values * factor)).design(np.arange(430, 480))
    answers = fitted.members(design)
    known = design.answerable()
    assert np.isfinite(answers[0, known]).all()
    reach = np.stack([np.abs(table) for table in (*design.rules.values(), *design.points.values())])
    bound = np.nanmax(reach, axis=(0, 2, 3))[:, None, None, None] + 100 * design.scale[..., None, None]
    said = design.center[..., None, None] + answers[0] * design.scale[..., None, None]
    assert (np.abs(said) <= bound)[known].all()


def test_a_history_too_short_to_answer_is_left_open(fitted):
    values = np.full((1, 60), np.nan)
    values[0, 50:] = 5.0
    answers = fitted.members(DemandPanel(HourGrid(("new",), 490_000, values)).design(np.array([59])))
    assert np.isnan(answers).all()


def test_a_later_fit_goes_on_from_the_earlier_one(panel):
    blend = Blend(("rules", "lstm"))
    first = blend.fit(panel.design(np.arange(24, 300)), floor=0.0, seed=0)
    design = panel.design(np.arange(24, 400))
    on, anew = (blend.fit(design, floor=0.0, seed=0, before=before) for before in (first, None))
    assert on.groups[-1].parts()[1] != anew.groups[-1].parts()[1]
    assert on.names[-1] == "LSTM"
    assert Ensemble.of_parts(*on.parts()).names == on.names


def test_without_torch_the_rest_of_the_ensemble_stands_and_the_net_says_what_it_needs(panel, monkeypatch):
    assert Blend.usual().members == CHOICE
    monkeypatch.setitem(sys.modules, "torch", None)
    assert Blend.usual().members == USUAL
    with pytest.raises(MissingExtra, match="fitting the LSTM needs torch") as caught:
        Lstm.fit(panel.design(np.arange(24, 60)), seed=0)
    assert "aws-auto[deep]" in caught.value.hint
