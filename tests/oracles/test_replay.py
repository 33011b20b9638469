"""The clairvoyant optimum and the fleet optimiser, each against trying everything."""

from __future__ import annotations

import functools
import itertools

import numpy as np
import pytest

from aws_auto.ml.scaling.fleet import Offer, Terms, optimise, weights
from aws_auto.ml.scaling.replay import Setting, least_cost, optimum


def cheapest_by_trying_every_course(need, boot):
    """Fewest instance-steps over every course of fleet sizes, begun with nothing ``boot`` steps before the load."""
    need, most = (0,) * boot + tuple(need), max(need)

    @functools.cache
    def least(t, ages):
        """``ages``: for each instance, steps until it is ready (0 is ready), ascending, before step t is decided."""
        if t == len(need):
            return 0
        best = np.inf
        for kept in range(len(ages) + 1):
            for new in range(most - kept + 1):
                now = (*ages[:kept], *[boot] * new)
                if now.count(0) >= need[t]:
                    best = min(best, len(now) + least(t + 1, tuple(max(age - 1, 0) for age in now)))
        return best

    return least(0, ())


@pytest.mark.parametrize("boot", [0, 1, 2])
def test_the_optimum_is_what_trying_every_course_finds(boot):
    rng = np.random.default_rng(boot)
    for _ in range(12):
        need = rng.integers(0, 4, size=6)
        setting = Setting(capacity=1.0, boot=boot, steps_per_hour=12, minimum=0)
        assert optimum(need.astype(float), setting) == cheapest_by_trying_every_course(need.tolist(), boot)


def least_cost_by_trying_every_course(need, setting, price):
    """As above, but what is not served costs ``price`` an instance and step."""
    need = np.concatenate([np.zeros(setting.boot), need])
    sizes = range(setting.minimum, int(np.ceil(need.max())) + 1)

    @functools.cache
    def least(t, ages):
        if t == len(need):
            return 0.0
        best = np.inf
        for size in sizes:
            for kept in range(min(len(ages), size) + 1):
                now = (*ages[:kept], *[setting.boot] * (size - kept))
                lack = max(need[t] - now.count(0), 0.0) * price
                best = min(best, size + lack + least(t + 1, tuple(max(age - 1, 0) for age in now)))
        return best

    return least(0, ())


@pytest.mark.parametrize(("boot", "price"), [(0, 1.5), (1, 3.0), (2, 8.0)])
def test_the_least_cost_with_priced_shortage_is_what_trying_every_course_finds(boot, price):
    rng = np.random.default_rng(boot)
    for minimum in (0, 0, 1):
        load = rng.uniform(0, 3, 6)
        setting = Setting(capacity=1.0, boot=boot, steps_per_hour=12, minimum=minimum)
        tried = least_cost_by_trying_every_course(load, setting, price)
        assert least_cost(load, setting, price) == pytest.approx(tried)


def cheapest_fleet_by_trying_all(demand, levels, offers, *, boot_hours, running, most, price=None, slo=None):
    share = weights(levels)
    spot = [i for i, o in enumerate(offers) if o.reclaim > 0]
    best = (np.inf, None)
    one_step = list(itertools.product(*[range(most + 1)] * len(offers)))
    for course in itertools.product(one_step, repeat=len(demand)):
        cost, before, allowed = 0.0, running, True
        for quantiles, counts in zip(demand, course, strict=True):
            lack = risk = 0.0
            for gone in itertools.product((0, 1), repeat=len(spot)):
                chance = np.prod(
                    [offers[i].reclaim if g else 1 - offers[i].reclaim for i, g in zip(spot, gone, strict=True)]
                )
                lost = {i for i, g in zip(spot, gone, strict=True) if g}
                carried = sum(
                    n * o.capacity for i, (n, o) in enumerate(zip(counts, offers, strict=True)) if i not in lost
                )
                lack += chance * (share * np.maximum(quantiles - carried, 0)).sum()
                risk += chance * share[quantiles > carried + 1e-6].sum()
            started = np.maximum(np.array(counts) - before, 0)
            cost += sum((n + s * boot_hours) * o.price for n, s, o in zip(counts, started, offers, strict=True))
            cost += lack * price if price is not None else 0.0
            allowed &= sum(counts) >= 1 and (slo is None or risk <= slo + 1e-6)
            before = np.array(counts)
        if allowed and cost < best[0] - 1e-9:
            best = (cost, course)
    return best


OFFERS = (
    Offer(name="large", capacity=10.0, price=1.0),
    Offer(name="large", capacity=10.0, price=0.35, purchase="spot", reclaim=0.1),
)
LEVELS = (0.1, 0.5, 0.9)


@pytest.mark.parametrize(("price", "slo"), [(0.4, None), (2.0, None), (None, 0.12), (None, 0.35)])
def test_the_fleet_is_what_trying_all_fleets_finds(price, slo):
    rng = np.random.default_rng(5)
    for _ in range(3):
        demand = np.sort(rng.uniform(5, 30, size=(2, 3)), axis=1)
        running = np.array([1, 1])
        plan = optimise(
            demand,
            LEVELS,
            OFFERS,
            Terms(shortage_price=price, slo=slo, boot_hours=0.3, most=8),
            running={("large", "on-demand"): 1, ("large", "spot"): 1},
        )
        tried = cheapest_fleet_by_trying_all(
            demand, LEVELS, OFFERS, boot_hours=0.3, running=running, most=4, price=price, slo=slo
        )
        ours = plan.cost + (plan.short * price if price is not None else 0.0)
        assert ours == pytest.approx(tried[0], abs=1e-6)
        assert plan.gap == 0
