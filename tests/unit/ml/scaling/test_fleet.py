"""Types, counts and spot share: what is cheapest, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from aws_auto.errors import UsageError
from aws_auto.ml.scaling.fleet import Offer, Terms, optimise, weights

SMALL = Offer(name="small", capacity=10.0, price=1.0)
LARGE = Offer(name="large", capacity=25.0, price=2.0)
SPOT = Offer(name="small", capacity=10.0, price=0.3, purchase="spot", reclaim=0.05)
LEVELS = (0.1, 0.5, 0.9)


def steady(value, steps=1):
    return np.full((steps, len(LEVELS)), float(value))


def counts(plan):
    return plan.counts.tolist()


def test_a_mix_of_types_carries_what_neither_carries_as_cheaply():
    assert counts(optimise(steady(35), LEVELS, [SMALL, LARGE], Terms(slo=0.01))) == [[1, 1]]


def test_every_quantile_stands_for_the_share_around_it():
    assert weights(LEVELS).tolist() == pytest.approx([0.3, 0.4, 0.3])


def test_without_a_second_pool_a_promise_keeps_spot_off_what_must_not_be_short():
    strict = optimise(steady(40), LEVELS, [SMALL, SPOT], Terms(slo=0.01))
    loose = optimise(steady(40), LEVELS, [SMALL, SPOT], Terms(slo=0.06))
    assert counts(strict) == [[4, 0]]
    assert counts(loose) == [[0, 4]]
    assert (strict.spot_share, loose.spot_share) == (0.0, 1.0)
    assert loose.risk == pytest.approx((0.05,))


def test_spot_pools_back_each_other():
    other = Offer(name="other", capacity=10.0, price=0.3, purchase="spot", reclaim=0.05)
    plan = optimise(steady(40), LEVELS, [SMALL, SPOT, other], Terms(slo=0.01))
    assert counts(plan) == [[0, 4, 4]]
    assert plan.risk == pytest.approx((0.0025,))


def test_a_share_of_spot_may_be_bounded():
    plan = optimise(steady(40), LEVELS, [SMALL, SPOT], Terms(slo=0.06, spot_share=0.5))
    assert counts(plan) == [[2, 2]]


def test_cheap_shortage_is_taken_and_dear_shortage_is_not():
    demand = np.array([[10.0, 20.0, 40.0]])
    cheap = optimise(demand, LEVELS, [SMALL], Terms(shortage_price=0.11))
    dear = optimise(demand, LEVELS, [SMALL], Terms(shortage_price=1.0))
    assert counts(cheap) == [[1]]
    assert counts(dear) == [[4]]
    assert cheap.short == pytest.approx(0.4 * 10 + 0.3 * 30)


def test_a_short_dip_does_not_stop_what_would_have_to_boot_again():
    demand = np.vstack([steady(40), steady(20), steady(40)])
    slow = optimise(demand, LEVELS, [SMALL], Terms(slo=0.01, boot_hours=2.0))
    quick = optimise(demand, LEVELS, [SMALL], Terms(slo=0.01, boot_hours=0.1))
    assert counts(slow) == [[4], [4], [4]]
    assert counts(quick) == [[4], [2], [4]]
    assert quick.cost == pytest.approx(10 + 0.1 * 6)


def test_what_runs_already_need_not_boot():
    terms = Terms(slo=0.01, boot_hours=1.0)
    running = optimise(steady(40), LEVELS, [SMALL, LARGE], terms, running={("small", "on-demand"): 4})
    fresh = optimise(steady(40), LEVELS, [SMALL, LARGE], terms)
    assert counts(running) == [[4, 0]]
    assert running.cost == 4
    assert counts(fresh) == [[0, 2]]


def test_bounds_hold():
    plan = optimise(steady(5), LEVELS, [SMALL], Terms(slo=0.01, least=3))
    assert counts(plan) == [[3]]
    most = optimise(steady(100), LEVELS, [SMALL, LARGE], Terms(shortage_price=9.0, most=2))
    assert counts(most) == [[0, 2]]
    few = Offer(name="large", capacity=25.0, price=2.0, most=1)
    assert counts(optimise(steady(50), LEVELS, [SMALL, few], Terms(slo=0.01))) == [[3, 1]]


def test_what_no_fleet_fulfils_is_said():
    with pytest.raises(UsageError, match="no fleet of these offers"):
        optimise(steady(100), LEVELS, [SMALL], Terms(slo=0.01, most=2))


@pytest.mark.parametrize(
    ("demand", "levels", "offers", "terms", "said"),
    [
        (steady(1), LEVELS, [SMALL], Terms(), "one of the two"),
        (steady(1), LEVELS, [SMALL], Terms(slo=0.1, shortage_price=1.0), "one of the two"),
        (steady(1), LEVELS, [], Terms(slo=0.1), "nothing to choose from"),
        (steady(-1), LEVELS, [SMALL], Terms(slo=0.1), "not negative"),
        (steady(1), (0.5, 0.1, 0.9), [SMALL], Terms(slo=0.1), "levels must ascend"),
        (steady(1), LEVELS, [Offer(name="x", capacity=0.0, price=1.0)], Terms(slo=0.1), "capacity must be positive"),
        (steady(1), LEVELS, [SPOT] * 5, Terms(slo=0.1), "more than 4 pools"),
    ],
)
def test_arguments_that_contradict_are_refused(demand, levels, offers, terms, said):
    with pytest.raises(UsageError, match=said):
        optimise(demand, levels, offers, terms)


def test_a_fleet_of_nothing_has_no_spot_share():
    plan = optimise(steady(0), LEVELS, [SMALL, SPOT], Terms(slo=0.1, least=0))
    assert plan.spot_share == 0
