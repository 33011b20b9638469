"""Rivals are tuned on the past before they are compared."""

from __future__ import annotations

import numpy as np
import pytest

from aws_auto.ml.scaling.policy import TargetTracking
from aws_auto.ml.scaling.policy_judge import ShortagePrice, Slo
from aws_auto.ml.scaling.replay import Setting, play
from aws_auto.ml.scaling.replay_compare import AWS, OURS, REACTIVE, TARGETS, compare, saved, tuned

SETTING = Setting(capacity=10.0, boot=1, steps_per_hour=2)


def load(days, seed=0):
    t = np.arange(days * 48)
    noise = np.random.default_rng(seed).standard_normal(len(t))
    return (200 + 120 * np.sin(2 * np.pi * t / 48)) * (1 + 0.05 * noise)


def test_a_rival_has_the_cheapest_target_that_kept_the_promise_on_the_past():
    history = load(20)
    cut = len(history) // 3
    kept = {}
    for target in TARGETS:
        done = play(history[cut:], history[:cut], SETTING, TargetTracking(SETTING, target=target))
        if done.violated <= 0.01:
            kept[target] = done.hours
    assert tuned(TargetTracking, history, SETTING, Slo(share=0.01)) == min(kept, key=kept.get)


def test_a_promise_that_no_target_keeps_leaves_the_most_cautious():
    spiky = np.where(np.arange(20 * 48) % 7 == 0, 1000.0, 1.0)
    assert tuned(TargetTracking, spiky, SETTING, Slo(share=0.001)) == TARGETS[0]


def test_a_price_of_shortage_tunes_for_money():
    cheap, dear = (tuned(TargetTracking, load(20), SETTING, ShortagePrice(price=price)) for price in (2.0, 200.0))
    assert cheap > dear


def test_three_ways_are_compared_on_the_same_load():
    whole = load(24)
    done = compare(whole[-240:], whole[:-240], SETTING, goal=Slo(share=0.01))
    assert [one.policy for one in done] == [REACTIVE, AWS, OURS]
    assert done[0].saving is None
    assert {one.played.optimum for one in done} == {done[0].played.optimum}
    interval = done[2].saving
    assert interval.low <= 1 - done[2].played.hours / done[0].played.hours <= interval.high


def test_the_interval_of_a_constant_saving_is_that_saving():
    whole = load(8)
    base, other = (
        play(whole[-144:], whole[:-144], SETTING, TargetTracking(SETTING, target=target)) for target in (0.4, 0.4)
    )
    interval = saved(base, other, SETTING, seed=0)
    assert (interval.low, interval.high) == pytest.approx((0.0, 0.0))
    short = play(whole[-48:], whole[:-48], SETTING, TargetTracking(SETTING, target=0.4))
    assert saved(short, short, SETTING, seed=0) is None
