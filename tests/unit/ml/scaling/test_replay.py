"""What is billed, what is ready, and what is short, step by step."""

from __future__ import annotations

import numpy as np
import pytest

from aws_auto.ml.scaling.policy import AwsLike, TargetTracking, hourly_profile
from aws_auto.ml.scaling.replay import Setting, optimum, play

SETTING = Setting(capacity=10.0, boot=2, steps_per_hour=12)
NOTHING = np.zeros(0)


class Course:
    """Wants what it was told to."""

    def __init__(self, *sizes):
        self.sizes = sizes

    def want(self, t, history, ready):
        return self.sizes[t]


def test_a_started_instance_is_billed_at_once_and_ready_after_its_boot():
    played = play(np.full(5, 9.0), NOTHING, SETTING, Course(3, 3, 3, 3, 3))
    assert played.ready.tolist() == [2, 2, 3, 3, 3]
    assert played.billed.tolist() == [3, 3, 3, 3, 3]
    assert played.hours == 15 / 12
    assert played.actions == 1


def test_booting_instances_are_stopped_first_and_stopping_is_immediate():
    played = play(np.full(4, 9.0), NOTHING, SETTING, Course(4, 3, 1, 1))
    assert played.ready.tolist() == [2, 2, 1, 1]
    assert played.billed.tolist() == [4, 3, 1, 1]


def test_a_step_is_violated_when_its_load_exceeds_what_is_ready():
    played = play(np.array([10.0, 25.0, 20.0, 30.0]), NOTHING, SETTING, Course(2, 2, 2, 2))
    assert played.violated == 0.5
    assert played.unserved == pytest.approx(15 / 85)
    assert played.short == pytest.approx(1.5 / 12)


def test_wishes_are_kept_within_the_bounds_and_the_optimum_is_too():
    bounded = Setting(capacity=10.0, boot=0, steps_per_hour=1, minimum=2, maximum=3)
    played = play(np.array([5.0, 95.0, 5.0]), NOTHING, bounded, Course(0, 99, 0))
    assert played.ready.tolist() == [2, 3, 2]
    assert optimum(np.array([5.0, 95.0, 5.0]), bounded) == 7
    assert played.over == 0


def test_the_future_is_not_in_the_memory_that_a_policy_sees():
    class Curious:
        def want(self, t, history, ready):
            assert len(history) == 3 + t
            assert np.isnan(history.base[3 + t :]).all()
            with pytest.raises(ValueError, match="read-only"):
                history[0] = 1.0
            return 1

    play(np.arange(1.0, 6.0), np.ones(3), SETTING, Curious())


def test_target_tracking_grows_at_once_and_shrinks_to_the_largest_wish_of_a_quarter_of_an_hour():
    policy, ready, sizes = TargetTracking(SETTING, target=0.5), 2, []
    for last in (10.0, 30.0, 10.0, 10.0, 10.0):
        ready = policy.want(0, np.array([last]), ready)
        sizes.append(ready)
    assert sizes == [2, 6, 6, 6, 2]


def test_the_emulated_prediction_repeats_a_daily_profile_before_it_comes():
    day = np.repeat(np.where(np.arange(24) >= 12, 50.0, 10.0), 12)
    history = np.tile(day, 8)
    assert hourly_profile(history, 12, 24).tolist() == [10.0] * 12 + [50.0] * 12
    played = play(day, history, SETTING, AwsLike(SETTING, target=1.0))
    assert played.violated == 0
    assert played.billed[130:134].tolist() == [1, 1, 5, 5]


def test_without_two_days_of_history_the_emulated_prediction_is_target_tracking():
    load, before = np.linspace(10, 100, 40), np.full(300, 10.0)
    aws, plain = (play(load, before, SETTING, make(SETTING, target=0.8)) for make in (AwsLike, TargetTracking))
    assert aws.billed.tolist() == plain.billed.tolist()


def test_a_load_of_nothing_costs_the_minimum():
    played = play(np.zeros(24), np.zeros(600), SETTING, AwsLike(SETTING, target=0.7))
    assert set(played.billed.tolist()) == {1}
    assert (played.violated, played.unserved) == (0, 0)
