"""The policy keeps its promise on loads of every kind, sees no future, and costs less than what everybody has."""

from __future__ import annotations

import numpy as np
import pytest

from aws_auto.errors import UsageError
from aws_auto.ml.scaling.policy import AwsLike, TargetTracking
from aws_auto.ml.scaling.policy_judge import TARGETS, ShortagePrice, Slo
from aws_auto.ml.scaling.policy_newsvendor import Newsvendor
from aws_auto.ml.scaling.policy_outlook import Memory, groups
from aws_auto.ml.scaling.policy_promise import PRICES
from aws_auto.ml.scaling.replay import Setting, play


def made(kind, days, *, per_hour=4, seed=0):
    """A load of one instance's capacity 1 with a peak of about forty instances."""
    rng = np.random.default_rng(seed)
    n = days * 24 * per_hour
    t = np.arange(n)
    daily = 20 + 12 * np.sin(2 * np.pi * t / (24 * per_hour))
    noise = rng.standard_normal(n)
    if kind == "daily":
        load = daily * (1 + 0.05 * noise)
    elif kind == "weekly":
        load = daily * np.where(t // (24 * per_hour) % 7 >= 5, 0.4, 1.0) * (1 + 0.04 * noise)
    elif kind == "growing":
        load = daily * (0.5 + 0.6 * t / n) * (1 + 0.04 * noise)
    elif kind == "level shifts":
        load = daily * np.repeat(rng.choice([0.6, 1.0, 1.2], days), 24 * per_hour) * (1 + 0.04 * noise)
    elif kind == "noise":
        load = 15 * np.exp(0.3 * noise)
    elif kind == "flat":
        load = np.full(n, 20.0)
    else:
        load = 5 + np.where(rng.random(n) < 0.01, 30.0, 0.0) + rng.random(n)
    return np.maximum(load, 0.0)


def played(kind, policy=None, *, days=18, test=4, per_hour=4, seed=0, **options):
    setting = Setting(capacity=1.0, boot=1, steps_per_hour=per_hour)
    load = made(kind, days, per_hour=per_hour, seed=seed)
    cut = len(load) - test * 24 * per_hour
    return play(load[cut:], load[:cut], setting, policy(setting) if policy else Newsvendor(setting, **options))


@pytest.mark.parametrize("kind", ["daily", "weekly", "growing", "flat"])
def test_the_promise_holds_at_less_cost_than_cautious_target_tracking(kind):
    ours = played(kind)
    rival = played(kind, lambda setting: TargetTracking(setting, target=0.5))
    assert ours.violated <= 0.01
    assert ours.hours < 0.8 * rival.hours


def test_one_setting_costs_half_of_what_emulated_prediction_costs_over_the_optimum():
    ours = played("daily")
    rival = played("daily", lambda setting: AwsLike(setting, target=0.7))
    assert rival.violated <= 0.01
    assert ours.over < 0.6 * rival.over


def test_sudden_changes_of_level_break_the_promise_on_few_steps_only():
    assert played("level shifts").violated <= 0.02


def test_noise_alone_is_covered_where_cautious_target_tracking_runs_short():
    ours = played("noise")
    rival = played("noise", lambda setting: TargetTracking(setting, target=0.5))
    assert ours.violated <= 0.01 < rival.violated
    assert ours.hours < 1.1 * rival.hours


def test_spikes_that_nobody_can_foresee_are_paid_for_until_the_promise_holds():
    assert np.mean([played("spikes", seed=seed).violated for seed in range(3)]) <= 0.01


def test_a_looser_promise_costs_less():
    strict, loose = (played("noise", goal=Slo(share=share)) for share in (0.005, 0.05))
    assert loose.hours < strict.hours
    assert loose.violated > strict.violated


def test_a_price_of_shortage_weighs_hours_against_what_is_short():
    cheap, dear = (played("noise", goal=ShortagePrice(price=price)) for price in (3.0, 100.0))
    assert cheap.hours < dear.hours
    assert cheap.short > dear.short
    for price, best in ((3.0, cheap), (100.0, dear)):
        other = dear if best is cheap else cheap
        assert best.hours + price * best.short < other.hours + price * other.short


def test_what_is_known_in_advance_is_prepared_for():
    setting = Setting(capacity=1.0, boot=1, steps_per_hour=4)
    load = made("daily", 35)
    events = np.zeros(len(load), bool)
    for start in np.random.default_rng(3).choice(len(load) // 8, 40, replace=False) * 8:
        events[start : start + 8] = True
    load = load + 15 * events
    cut = len(load) - 7 * 96
    told, untold = (
        play(load[cut:], load[:cut], setting, Newsvendor(setting, events=known)) for known in (events, None)
    )
    assert told.violated <= 0.01
    assert told.hours < untold.hours


def test_before_anything_is_learned_it_is_cautious_target_tracking():
    setting = Setting(capacity=1.0, boot=1, steps_per_hour=4)
    load = made("daily", 2)
    ours = play(load[96:], load[:96], setting, Newsvendor(setting))
    rival = play(load[96:], load[:96], setting, TargetTracking(setting, target=0.5))
    assert ours.billed.tolist() == rival.billed.tolist()


def test_nothing_but_zeros_needs_the_minimum():
    setting = Setting(capacity=1.0, boot=1, steps_per_hour=4)
    done = play(np.zeros(96), np.zeros(96 * 10), setting, Newsvendor(setting))
    assert done.billed.tolist() == [1] * 96


def test_a_history_of_no_steps_and_single_steps_is_learned_from_as_it_comes():
    setting = Setting(capacity=1.0, boot=0, steps_per_hour=1)
    load = made("daily", 20, per_hour=1)
    policy = Newsvendor(setting)
    done = play(load[1:], load[:1], setting, policy)
    assert done.violated < 0.05
    assert policy.knob in {*PRICES, *TARGETS}


def test_features_do_not_depend_on_what_comes_later_nor_on_how_the_past_came():
    load = made("daily", 10, seed=4)
    row = np.array([700])
    whole, short = (Memory(boot=2, day=96, per_hour=4) for _ in range(2))
    whole.extend(load)
    for value in load[:700]:
        short.extend(np.array([value]))
    for name in ("level_features", "width_features", "clock"):
        np.testing.assert_allclose(getattr(whole, name)(row), getattr(short, name)(row), rtol=1e-9)
    assert np.isnan(short.target(row, (0, 2))).all()
    assert whole.target(row, (0, 2))[0] == load[700:703].max()


def test_one_row_is_read_like_many():
    memory = Memory(boot=1, day=96, per_hour=4)
    memory.extend(made("noise", 9))
    rows = np.arange(0, 9 * 96)
    many = np.concatenate([memory.level_features(rows), memory.width_features(rows)], axis=1)
    for row in (0, 5, 96, 500, 863):
        one = [getattr(memory, name)(np.array([row])) for name in ("level_features", "width_features")]
        np.testing.assert_allclose(np.concatenate(one, axis=1)[0], many[row])


def test_the_steps_of_a_long_boot_fall_into_three_groups():
    assert groups(0) == ((0, 0),)
    assert groups(2) == ((0, 0), (1, 1), (2, 2))
    assert groups(11) == ((0, 3), (4, 7), (8, 11))


@pytest.mark.parametrize(
    ("boot", "goal", "said"),
    [
        (22, Slo(), "takes most of a day"),
        (1, Slo(share=0.0), "no share"),
        (1, Slo(share=1.5), "no share"),
        (1, ShortagePrice(price=0.5), "cheaper to serve nothing"),
    ],
)
def test_what_makes_no_sense_is_refused(boot, goal, said):
    with pytest.raises(UsageError, match=said):
        Newsvendor(Setting(capacity=1.0, boot=boot, steps_per_hour=1), goal=goal)
