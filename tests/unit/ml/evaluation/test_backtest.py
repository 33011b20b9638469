from __future__ import annotations

import numpy as np
import pytest

from aws_auto.errors import NotEnoughData
from aws_auto.ml.evaluation.backtest import (
    Contest,
    judge,
    paired_bootstrap,
    plain_loss,
    rolling_origins,
    split,
    typical_loss,
)
from aws_auto.results import Fresh


def parts(losses):
    """One point per unit and resource: ``(units, resources, 2)``."""
    losses = np.asarray(losses, float)
    return np.stack([losses, np.ones_like(losses)], axis=-1)


def test_the_parts_lie_one_after_the_other_in_whole_days():
    s = split(30 * 24, day=24, least_days=10, where="x")
    assert 0 < s.calibrate < s.test < s.end == 720
    assert (s.test - s.calibrate) % 24 == (s.end - s.test) % 24 == 0


def test_a_short_history_is_refused_with_its_length():
    with pytest.raises(NotEnoughData, match=r"x: 5\.0 days"):
        split(120, day=24, least_days=10, where="x")


def test_origins_include_both_ends():
    assert rolling_origins(3, 13, 5).tolist() == [3, 8, 13]


def test_a_clear_difference_lies_outside_zero_and_no_difference_does_not():
    rng = np.random.default_rng(0)
    base = rng.uniform(1, 2, (20, 3))
    better = paired_bootstrap(parts(base - 0.5), parts(base), plain_loss, seed=0)
    assert better.low == pytest.approx(-0.5)
    assert better.high == pytest.approx(-0.5)
    same = paired_bootstrap(parts(base + rng.normal(0, 0.1, base.shape)), parts(base), plain_loss, seed=0)
    assert same.low < 0 < same.high


def test_the_interval_covers_the_true_difference_about_as_often_as_it_says():
    rng = np.random.default_rng(1)
    inside = 0
    for trial in range(200):
        noise = rng.normal(0.3, 1, (7, 1))
        interval = paired_bootstrap(parts(noise + 5), parts(np.full((7, 1), 5.0)), plain_loss, seed=trial)
        inside += interval.low <= 0.3 <= interval.high
    assert 0.89 <= inside / 200 <= 0.99


def test_one_unit_says_nothing():
    interval = paired_bootstrap(parts([[1.0]]), parts([[2.0]]), plain_loss, seed=0)
    assert interval.low == -np.inf
    assert interval.high == np.inf


def test_blocks_of_neighbours_widen_the_interval_of_dependent_units():
    rng = np.random.default_rng(2)
    slow = np.repeat(rng.normal(0, 1, 10), 5)[:, None] + 5
    base = np.full_like(slow, 5)
    alone = paired_bootstrap(parts(slow), parts(base), plain_loss, seed=0)
    block = paired_bootstrap(parts(slow), parts(base), plain_loss, seed=0, block=5)
    assert block.high - block.low > 1.5 * (alone.high - alone.low)


def test_the_typical_loss_is_not_decided_by_one_resource():
    one_explodes = parts([[0.1, 0.1, 100.0]])
    assert typical_loss(one_explodes[0]) == pytest.approx(1.0)
    assert plain_loss(one_explodes[0]) == pytest.approx(33.4)


def test_resources_without_points_count_nowhere():
    table = parts([[0.2, 0.2]])[0]
    table[1] = 0
    assert typical_loss(table) == pytest.approx(0.2)


def test_ours_is_judged_against_the_rule_that_did_best():
    contest = Contest(
        metric="loss",
        unit="",
        unit_of_n="days",
        ours=parts(np.full((8, 1), 1.0)),
        baselines={"bad": parts(np.full((8, 1), 3.0)), "good": parts(np.full((8, 1), 2.0))},
        statistic=plain_loss,
    )
    test = judge(contest, seed=0)
    assert (test.ours, test.baseline, test.baseline_name, test.n) == (1.0, 2.0, "good", 8)
    assert test.beats_baseline


def test_the_champion_stands_beside_ours_and_the_best_rule_on_what_it_has_not_seen():
    def days(*values):
        return parts(np.array(values)[:, None])

    contest = Contest(
        metric="loss",
        unit="",
        unit_of_n="days",
        ours=days(1.0, 1.0, 4.0),
        baselines={"good": days(2.0, 3.0, 4.0), "bad": days(9.0, 9.0, 1.0)},
        statistic=plain_loss,
        fresh={"champion": days(3.5), "ours": days(4.0), "good": days(4.0), "bad": days(1.0)},
    )
    test = judge(contest, seed=0)
    assert test.baseline_name == "good"
    assert test.fresh == Fresh(champion=3.5, ours=4.0, baseline=4.0, n=1)
