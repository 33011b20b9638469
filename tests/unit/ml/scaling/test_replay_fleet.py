"""A mixed fleet carries what is wanted, costs what its parts cost, and loses what is reclaimed."""

from __future__ import annotations

import numpy as np
import pytest

from aws_auto.ml.scaling.fleet import Offer, Terms
from aws_auto.ml.scaling.policy import TargetTracking
from aws_auto.ml.scaling.replay import Setting, play
from aws_auto.ml.scaling.replay_fleet import play_mix

SETTING = Setting(capacity=10.0, boot=1, steps_per_hour=4)
SMALL = Offer(name="small", capacity=10.0, price=1.0)
LARGE = Offer(name="large", capacity=25.0, price=2.0)
SPOT = Offer(name="small", capacity=10.0, price=0.4, purchase="spot", reclaim=0.02)
BEFORE = np.full(4, 40.0)


def load(n=96):
    return 60 + 40 * np.sin(2 * np.pi * np.arange(n) / 96)


def tracked():
    return TargetTracking(SETTING, target=0.8)


def test_one_type_on_demand_is_the_replay_of_equal_instances():
    mixed = play_mix(load(), BEFORE, SETTING, tracked(), [SMALL], Terms(slo=0.01))
    equal = play(load(), BEFORE, SETTING, tracked())
    assert mixed.billed[4:, 0].tolist() == equal.billed[4:].tolist()
    assert mixed.usd == pytest.approx(mixed.billed.sum() / 4)
    assert (mixed.spot_share, mixed.reclaimed) == (0.0, 0)


def test_a_second_type_costs_less_where_it_is_cheaper_for_what_it_carries():
    one = play_mix(load(), BEFORE, SETTING, tracked(), [SMALL], Terms(slo=0.01))
    two = play_mix(load(), BEFORE, SETTING, tracked(), [SMALL, LARGE], Terms(slo=0.01))
    assert two.usd < one.usd
    assert two.billed[:, 1].any()


def test_spot_costs_less_and_is_taken_now_and_then():
    plain = play_mix(load(400), BEFORE, SETTING, tracked(), [SMALL], Terms(slo=0.01))
    spot = play_mix(load(400), BEFORE, SETTING, tracked(), [SMALL, SPOT], Terms(slo=0.05), seed=3)
    assert spot.usd < 0.6 * plain.usd
    assert spot.spot_share > 0.9
    assert spot.reclaimed > 0
    assert spot.violated > plain.violated


def test_a_strict_promise_or_a_bound_keeps_spot_small():
    strict = play_mix(load(), BEFORE, SETTING, tracked(), [SMALL, SPOT], Terms(slo=0.01))
    bounded = play_mix(load(), BEFORE, SETTING, tracked(), [SMALL, SPOT], Terms(slo=0.05, spot_share=0.5))
    assert strict.spot_share == 0
    assert 0.3 < bounded.spot_share <= 0.5


def test_the_same_seed_gives_the_same_reclaims():
    done = [
        play_mix(load(200), BEFORE, SETTING, tracked(), [SMALL, SPOT], Terms(slo=0.05), seed=seed) for seed in (1, 1, 2)
    ]
    assert done[0] == done[1]
    assert done[0] != done[2]
