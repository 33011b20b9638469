"""A fleet's own past says how likely a size is too small."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from aws_auto.errors import NotEnoughData
from aws_auto.ml.cost.rightsizing_model import (
    LEAST_MACHINES,
    LOOK_BACK,
    RULES,
    Rule,
    Windows,
    earlier,
    features,
    learn,
    outcome,
    peak_need,
    place,
)

SIZES = (0.25, 0.5, 1.0, 2.0)


def fleet(machines: int, *, seed: int = 0, days: int = 14) -> Windows:
    """Half are steady; the other half double their peak in the fortnight that follows, and were uneven before."""
    rng = np.random.default_rng(seed)
    past, future = [], []
    for k in range(machines):
        grows = k % 2 == 0
        level = rng.uniform(0.1, 0.3)
        noise = level * (0.3 if grows else 0.02)
        past.append(np.clip(level + noise * rng.standard_normal(24 * days), 0, 1))
        future.append(past[-1] * (2.2 if grows else 1.0))
    return Windows(tuple(f"m{k}" for k in range(machines)), tuple(past), tuple(future), 24)


def test_the_peak_need_is_exceeded_in_at_most_half_a_per_cent_of_the_samples():
    demand = np.random.default_rng(0).random(1000)
    need = peak_need(demand)
    assert (demand > need).sum() == 5
    assert (demand >= need).sum() == 6


def test_missing_samples_do_not_count_as_calm_ones():
    assert peak_need(np.array([0.5, np.nan, 0.7])) == 0.7


def test_headroom_leaves_that_share_of_the_capacity_free():
    assert Rule(1.0, 0.2).need(np.array([0.1, 0.4])) == pytest.approx(0.5)


def test_the_smallest_size_that_is_enough_is_taken_and_the_largest_where_none_is():
    assert [place(SIZES, need) for need in (0.1, 0.25, 0.26, 9.0)] == [0, 0, 1, 3]


def test_trouble_never_grows_with_capacity():
    windows = fleet(60)
    learned = learn(windows, [SIZES] * 60, risk=0.05, seed=1)
    for one in learned.trouble(windows.past[:10], [np.geomspace(0.02, 8, 40)] * 10):
        assert (np.diff(one) <= 1e-12).all()


def test_a_forest_is_used_where_it_tells_machines_apart_that_no_rule_does():
    windows = fleet(80)
    learned = learn(windows, [SIZES] * 80, risk=0.1, seed=1)
    assert learned.forest is not None
    assert learned.ours is not None
    later = fleet(200, seed=5)
    said = np.array(learned.trouble(later.past, [[0.5]] * 200))
    assert said[::2].mean() > 0.3 + said[1::2].mean()


def test_the_rule_stays_where_the_next_fortnight_is_the_last_one():
    rng = np.random.default_rng(3)
    past = tuple(np.full(336, rng.uniform(0.05, 0.9)) for _ in range(60))
    learned = learn(Windows(tuple(map(str, range(60))), past, past, 24), [SIZES] * 60, risk=0.05, seed=0)
    assert learned.forest is None
    assert learned.ruled.violating == 0.0


def test_a_small_fleet_gets_a_rule_whose_trouble_is_never_nothing():
    windows = fleet(LEAST_MACHINES - 1)
    learned = learn(windows, [SIZES] * len(windows), risk=0.05, seed=0)
    assert learned.forest is None
    (trouble,) = learned.trouble([np.full(336, 0.3)], [SIZES])
    assert learned.trouble([], []) == []
    assert trouble[-1] == (learned.ruled.violating * 39 + 1) / 41
    assert trouble[0] == 1.0


def test_the_tuned_rule_saves_most_among_those_at_the_stated_risk():
    windows = fleet(30)
    learned = learn(windows, [SIZES] * 30, risk=0.3, seed=0)
    needs = np.array([peak_need(one) for one in windows.future])
    tried = [outcome(needs, [SIZES] * 30, [place(SIZES, rule.need(p)) for p in windows.past]) for rule in RULES]
    allowed = [one.saving for one in tried if one.violating <= 0.3]
    assert learned.ruled.saving == max(allowed)


def test_the_same_seed_gives_the_same_answer():
    windows = fleet(50)
    one, two = (learn(windows, [SIZES] * 50, risk=0.05, seed=7).trouble(windows.past, [SIZES] * 50) for _ in range(2))
    assert np.array_equal(one, two)


def test_without_a_past_decision_nothing_is_learned():
    with pytest.raises(NotEnoughData, match="no past decision"):
        learn(Windows((), (), (), 24), [], risk=0.05, seed=0)


def test_features_know_a_flat_machine_and_a_gap():
    flat = features(np.full(336, 0.2), 24)
    holed = features(np.r_[np.full(24, np.nan), np.full(312, 0.2)], 24)
    assert np.isfinite(flat).all()
    assert np.allclose(flat[:20], holed[:20])


def test_earlier_decisions_lie_all_along_the_past_and_never_see_what_they_are_judged_by():
    demand = np.arange(40 * 24, dtype=float)
    windows, names = earlier({"a": demand}, history=14 * 24, horizon=14 * 24, per_day=24)
    assert len(windows) == len(names) == 8
    for past, future in zip(windows.past, windows.future, strict=True):
        assert past[-1] + 1 == future[0]
        assert past[0] == demand[0]
        assert len(past) >= 7 * 24
        assert len(future) == 14 * 24
    assert windows.future[0][-1] == demand[-1]
    starts = sorted(future[0] for future in windows.future)
    assert starts[0] == 7 * 24
    assert min(np.diff(starts)) >= 24


def test_decisions_whose_futures_overlap_count_as_the_fortnights_that_they_cover():
    demand = np.ones(28 * 24)
    windows, _ = earlier({"a": demand, "b": demand}, history=14 * 24, horizon=14 * 24, per_day=24)
    assert len(windows) == 16
    assert len(windows) / windows.overlap == pytest.approx(2 * 1.5)
    learned = learn(windows, [SIZES] * 16, risk=0.5, seed=0)
    assert learned.independent == pytest.approx(3.0)
    assert learned.trouble(windows.past[:1], [[10.0]])[0] == pytest.approx(1 / 5)


def test_a_machine_with_holes_or_without_two_fortnights_teaches_nothing():
    holes = np.where(np.arange(28 * 24) % 2, 1.0, np.nan)
    windows, names = earlier({"a": holes, "b": np.ones(27 * 24)}, history=14 * 24, horizon=14 * 24, per_day=24)
    assert (len(windows), names, windows.overlap) == (0, [], 1.0)


def test_a_rule_sees_the_last_fortnight_or_everything_and_says_which():
    past = np.r_[np.full(336, 0.8), np.full(336, 0.2)]
    assert Rule(1.0, 0.0).need(past, 336) == pytest.approx(0.2)
    assert Rule(1.0, 0.0, everything=True).need(past, 336) == pytest.approx(0.8)
    assert str(Rule(1.0, 0.1, everything=True)) == "maximum of everything known and 10% headroom"
    assert str(Rule(0.995, 0.1)) == "99.5% quantile and 10% headroom"


def test_the_best_rule_remembers_where_forgetting_is_punished():
    past = np.r_[np.full(336, 0.8), np.full(336, 0.2)]
    windows = Windows(tuple("abcd"), (past,) * 4, (np.full(336, 0.8),) * 4, 24, history=336)
    learned = learn(windows, [SIZES] * 4, risk=0.3, seed=0)
    assert learned.rule.everything
    assert learned.ruled.violating == 0.0
    assert learned.trouble([past], [SIZES])[0].tolist()[:2] == [1.0, 1.0]


def test_a_forest_remembers_a_peak_that_the_last_fortnight_does_not_show():
    """Every other machine has, in the fortnight ahead, twice the busy day that it had five weeks ago."""
    rng = np.random.default_rng(2)
    busy = np.arange(120) % 2 == 0
    past = [np.clip(0.1 + 0.01 * rng.standard_normal(42 * 24), 0, 1) for _ in busy]
    future = [np.full(336, 0.1) for _ in busy]
    for k in np.flatnonzero(busy):
        past[k][5 * 24 : 6 * 24] = 0.3
        future[k][:24] = 0.6
    windows = Windows(tuple(map(str, range(120))), tuple(past), tuple(future), 24, history=336)
    learned = learn(windows, [SIZES] * 120, risk=0.05, seed=0)
    assert learned.forest is not None
    said = np.array(learned.trouble(past, [[0.5]] * 120))[:, 0]
    assert said[busy].min() > 0.9
    assert said[~busy].max() < 0.1


def test_what_is_older_than_the_look_back_is_not_looked_at():
    windows = replace(fleet(80), history=336)
    learned = learn(windows, [SIZES] * 80, risk=0.1, seed=1)
    assert learned.forest is not None
    recent = np.tile(windows.past[0], LOOK_BACK)
    (alone,), (after,) = (learned.trouble([one], [SIZES]) for one in (recent, np.r_[np.full(336, 0.9), recent]))
    assert alone.tolist() == after.tolist()


def test_a_hole_costs_no_decision_where_others_can_be_had():
    demand = np.ones(70 * 24)
    demand[20 * 24 : 24 * 24] = np.nan
    windows, _ = earlier({"a": demand}, history=14 * 24, horizon=14 * 24, per_day=24)
    assert len(windows) == 8
    for future in windows.future:
        assert np.isfinite(future).mean() >= 0.9
    assert max(map(len, windows.past)) == LOOK_BACK * 14 * 24


def test_machines_that_no_size_holds_do_not_forbid_the_others_a_smaller_one():
    past = tuple(np.full(336, 1.5 if k < 10 else 0.2) for k in range(30))
    windows = Windows(tuple(map(str, range(30))), past, past, 24)
    learned = learn(windows, [SIZES[:3]] * 30, risk=0.05, seed=0)
    assert learned.ruled.violating == 0.0
    full, roomy = learned.trouble([past[0], past[-1]], [SIZES[:3]] * 2)
    assert full.tolist() == [1.0] * 3
    assert roomy[0] == pytest.approx(1 / 32)
