"""Every knob is rehearsed as it would have been played, and what each rule makes of an outlook and of the past."""

from __future__ import annotations

import numpy as np
import pytest

from aws_auto.ml.scaling.policy import TargetTracking
from aws_auto.ml.scaling.policy_judge import Outlook, Rehearsal, ShortagePrice, Slo, tracked
from aws_auto.ml.scaling.policy_priced import REACHES, STRETCHES, Priced
from aws_auto.ml.scaling.policy_promise import AIM, KEPT, PRICES, RATIOS, Promise, allowed, margins
from aws_auto.ml.scaling.replay import Setting, play

SETTING = Setting(capacity=10.0, boot=2, steps_per_hour=4)


class Banded:
    """Keeps its fleet between two courses."""

    def __init__(self, low, high):
        self.low, self.high = low, high

    def want(self, t, history, ready):
        return float(min(max(ready, self.low[t]), self.high[t]))


def outlook(mean, width=None, *, unit=20.0, recent=None):
    mean = np.atleast_2d(np.asarray(mean, float))
    width = np.full(mean.shape, 2.0) if width is None else np.atleast_2d(np.asarray(width, float))
    recent = np.zeros((len(mean), 1)) if recent is None else np.asarray(recent, float)
    return Outlook(mean=mean, width=width, unit=np.full(mean.shape[1], unit), recent=recent)


def rehearsed(setting, load, sizes, *, used=0, days=3):
    past = Rehearsal(setting, half_life_days=7.0)
    for _ in range(days):
        past.play(load, sizes, sizes, used=used)
    return past


@pytest.mark.parametrize("boot", [0, 1, 3])
@pytest.mark.parametrize("chunk", [1, 4, 96])
def test_a_rehearsal_is_the_replay_however_it_is_cut(boot, chunk):
    setting = Setting(capacity=1.0, boot=boot, steps_per_hour=4)
    rng = np.random.default_rng(boot)
    load = rng.uniform(0, 10, 192)
    low = rng.integers(1, 8, (192, 3)).astype(float)
    high = low + rng.integers(0, 4, (192, 3))
    load[0], low[0], high[0] = 3.0, 4.0, 4.0  # the replay begins with this fleet
    past = Rehearsal(setting, half_life_days=7.0)
    for start in range(0, 192, chunk):
        rows = slice(start, start + chunk)
        past.play(load[rows], low[rows], high[rows], used=1)
    weight = 0.5 ** (np.arange(192)[::-1] / (7 * 96))
    weight /= weight.sum()
    for knob in range(3):
        done = play(load, load[:1], setting, Banded(low[:, knob], high[:, knob]))
        assert past.size[knob] == pytest.approx(weight @ done.billed)
        assert past.short[knob] == pytest.approx(weight @ np.maximum(load - done.ready, 0.0))
        assert past.violated[knob] == pytest.approx(weight @ (load > done.ready))
        if knob == 1:
            assert past.spent == pytest.approx(done.violated)


def test_half_a_day_is_not_believed():
    flat = np.full((48, 1), 2.0)
    past = rehearsed(SETTING, np.full(48, 10.0), flat, days=1)
    assert not past.believed
    assert rehearsed(SETTING, np.full(96, 10.0), np.full((96, 1), 2.0), days=2).believed


def test_what_was_spent_is_of_the_knobs_in_use_and_of_a_week():
    setting = Setting(capacity=1.0, boot=0, steps_per_hour=1)
    past, sizes = Rehearsal(setting, half_life_days=7.0), np.tile([1.0, 3.0], (24, 1))
    past.play(np.full(24, 2.0), sizes, sizes, used=0)
    assert past.spent == 1.0
    for _ in range(7):
        past.play(np.full(24, 2.0), sizes, sizes, used=1)
    assert past.spent == 0.0


def test_target_tracking_as_a_band_is_target_tracking():
    load = 100 + 80 * np.sin(np.arange(200) / 9) + np.random.default_rng(0).uniform(0, 30, 200)
    before = np.full(3, 100.0)
    seen = np.concatenate([before, load])
    recent = np.stack([seen[2:-1], seen[1:-2], seen[:-3]], axis=1)
    setting = Setting(capacity=10.0, boot=1, steps_per_hour=12)
    low, high = tracked(outlook(np.zeros((200, 1)), recent=recent), np.array([0.7]), setting)
    ours = play(load, before, setting, Banded(low[:, 0], high[:, 0]))
    theirs = play(load, before, setting, TargetTracking(setting, target=0.7))
    assert ours.billed[3:].tolist() == theirs.billed[3:].tolist()


def test_a_dear_violation_is_kept_further_away_and_a_wide_error_less_far():
    errors = np.random.default_rng(0).standard_normal(5000)
    table = margins(errors)
    assert (np.diff(table) >= 0).all()
    best = table[40]
    share = (errors > best).mean()
    for other in np.linspace(0, 4, 50):
        assert best + RATIOS[40] * share <= other + RATIOS[40] * (errors > other).mean() + 1e-9


def test_a_promise_wants_at_least_what_the_last_load_needs_and_keeps_more_than_it_starts():
    rule = Promise(SETTING, Slo())
    rule.learn([np.random.default_rng(0).standard_normal(2000)] * 3)
    low, high = rule.band(
        outlook([[50.0] * 3, [5.0] * 3], [[20.0] * 3] * 2, recent=[[10.0], [200.0]]), np.arange(rule.knobs)
    )
    assert low.shape == (2, len(PRICES) * len(KEPT))
    assert low[1].min() == 20
    assert (high >= low).all()
    by_price = low[0].reshape(len(PRICES), len(KEPT))
    assert (np.diff(by_price, axis=0) >= 0).all()
    assert by_price[-1, 0] > by_price[0, 0]
    assert high[0, KEPT.index(8)] > low[0, KEPT.index(8)]
    assert high[0, KEPT.index(0)] == low[0, KEPT.index(0)]
    assert (rule.tell(0), rule.tell(rule.knobs - 1)) == (PRICES[0], PRICES[-1])


def test_the_knob_is_the_cheapest_that_kept_the_promise():
    setting = Setting(capacity=1.0, boot=0, steps_per_hour=1)
    load = np.tile([1.0, 1.0, 1.0, 3.0], 6)
    rule = Promise(setting, Slo(share=0.01))
    sizes = np.tile(np.repeat(np.arange(1.0, 34.0), len(KEPT)), (24, 1))
    assert rule.choose(Rehearsal(setting, half_life_days=7.0)) % len(KEPT) == 0
    assert rule.choose(rehearsed(setting, load, sizes, used=30)) == 2 * len(KEPT)
    assert Promise(setting, Slo(share=0.4)).choose(rehearsed(setting, load, sizes)) == 0
    assert rule.choose(rehearsed(setting, load * 99, sizes)) == rule.knobs - 1


def test_what_was_promised_and_not_used_may_be_used_later():
    goal = Slo(share=0.01)
    aim = 0.01 * AIM
    assert allowed(goal, 0.0) == pytest.approx(2 * aim)
    assert allowed(goal, aim) == pytest.approx(aim)
    assert allowed(goal, 0.5) == pytest.approx(aim / 2)


def counts(mean, *, price=10.0, setting=SETTING, groups=((0, 0), (1, 1), (2, 2)), width=None, reach=1.5):
    """Sizes to start and to keep, with the price as it is."""
    rule = Priced(setting, ShortagePrice(price=price), groups)
    rule.learn([np.random.default_rng(0).standard_normal(4000)] * len(groups))
    knob = int(np.argmin(np.abs(STRETCHES - 1))) * len(REACHES) + REACHES.index(reach)
    low, high = rule.band(outlook(mean, width), np.array([knob]))
    return low[0, 0], high[0, 0]


def test_without_a_boot_the_last_instance_is_the_one_that_pays_for_itself():
    free = Setting(capacity=10.0, boot=0, steps_per_hour=4)
    low, high = counts([200.0], setting=free, groups=((0, 0),), width=[30.0])
    assert low == high
    need = 20 + 3 * np.random.default_rng(0).standard_normal(200_000)
    worth = [10 * np.clip(need - rank, 0, 1).mean() for rank in range(40)]
    assert abs(low - sum(value > 1 for value in worth)) <= 1


def test_a_start_needs_more_reason_than_to_keep_what_is_there():
    low, high = counts([200.0, 200.0, 200.0], width=[30.0, 30.0, 30.0])
    assert low < high
    soon, _ = counts([200.0, 200.0, 200.0], width=[30.0, 30.0, 30.0], reach=4.0)
    assert soon >= low


def test_a_lull_shorter_than_a_boot_is_kept_through_and_what_is_not_needed_is_stopped():
    assert counts([200.0, 50.0, 200.0], width=[1.0] * 3)[1] == pytest.approx(20, abs=1)
    assert counts([50.0, 50.0, 50.0], width=[1.0] * 3) == pytest.approx((5, 5), abs=1)


def test_large_fleets_are_decided_on_in_blocks():
    small, _ = counts([200.0] * 3, width=[30.0] * 3)
    large, _ = counts([200_000.0] * 3, width=[30_000.0] * 3)
    assert large / 1000 == pytest.approx(small, rel=0.03)


def test_the_stretch_is_the_one_that_cost_least():
    setting = Setting(capacity=1.0, boot=0, steps_per_hour=1)
    rule = Priced(setting, ShortagePrice(price=10.0), ((0, 0),))
    assert rule.tell(rule.choose(Rehearsal(setting, half_life_days=7.0))) == pytest.approx(1.0, rel=0.15)
    sizes = np.tile(np.arange(1.0, 1.0 + rule.knobs), (24, 1))
    assert rule.choose(rehearsed(setting, np.full(24, 7.0), sizes)) == 6
