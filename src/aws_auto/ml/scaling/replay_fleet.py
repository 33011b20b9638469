"""The replay with several types and spot: a policy says how much, the optimiser of what, and chance takes pools.

In each step the policy's wish, in instances of the setting's capacity, becomes the cheapest counts of the offers that
carry it (`fleet.optimise`), given what runs, what a start costs, and the risk that a spot pool is gone. Then chance
takes spot pools, as a whole, at the probability that their offer states.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from aws_auto.ml.scaling.fleet import Offer, Terms, optimise
from aws_auto.ml.scaling.replay import ROUNDING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from aws_auto.ml.scaling.policy import ScalingPolicy
    from aws_auto.ml.scaling.replay import Setting

    Floats = NDArray[np.float64]
    Counts = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class MixPlayed:
    """What a mixed fleet did.

    Attributes:
        usd: for all that was billed.
        violated: share of steps with more load than was ready, 0 to 1.
        short: load x hours unserved.
        spot_share: share of the billed capacity that was on spot.
        reclaimed: instances that were taken.
        billed: ``(steps, offers)``, booting ones included.
    """

    usd: float
    violated: float
    short: float
    spot_share: float
    reclaimed: int
    billed: Counts = field(repr=False, compare=False)


@dataclass
class _Pool:
    """Instances of one offer: ready ones, and for each that boots the step in which it is ready."""

    ready: int = 0
    booting: list[int] = field(default_factory=list)

    @property
    def size(self) -> int:
        return self.ready + len(self.booting)

    def resize(self, size: int, ready_at: int) -> None:
        """Start, or stop booting instances first."""
        more = size - self.size
        self.booting += [ready_at] * max(more, 0)
        gone = max(-more, 0)
        unborn = min(gone, len(self.booting))
        del self.booting[len(self.booting) - unborn :]
        self.ready -= gone - unborn

    def settle(self, t: int) -> None:
        """What is ready by now."""
        self.ready += sum(at <= t for at in self.booting)
        self.booting = [at for at in self.booting if at > t]


def play_mix(
    load: Floats,
    before: Floats,
    setting: Setting,
    policy: ScalingPolicy,
    offers: Sequence[Offer],
    terms: Terms,
    *,
    seed: int = 0,
) -> MixPlayed:
    """One policy on one load with these offers; reclaims are drawn with ``seed``.

    Args:
        load: what is played.
        before: the load before it.
        setting: its capacity is what the policy counts in; boot and pace are those of every offer.
        policy: see `ScalingPolicy`; its ``ready`` is the capacity there is, in whole instances of the setting.
        offers: pools; ``reclaim`` is the probability in each step.
        terms: promise or price, bounds and share of spot; its step and boot are replaced by the setting's.
        seed: of the reclaims.

    Raises:
        UsageError: no fleet of these offers fulfils the terms.
    """
    rng, hours = np.random.default_rng(seed), 1 / setting.steps_per_hour
    terms = replace(terms, step_hours=hours, boot_hours=setting.boot * hours)
    capacity = np.array([offer.capacity for offer in offers])
    pools, known = [_Pool() for _ in offers], dict[tuple[int, ...], tuple[int, ...]]()
    seen = np.concatenate([before, np.full(len(load), np.nan)])
    shown = seen.view()
    shown.flags.writeable = False
    billed, lack = np.zeros((len(load), len(offers)), np.int64), np.zeros(len(load))
    reclaimed = 0
    for t in range(len(load)):
        for pool, offer, chance in zip(pools, offers, rng.random(len(offers)), strict=True):
            pool.settle(t)
            if t and chance < offer.reclaim:
                reclaimed += pool.size
                pool.ready, pool.booting = 0, []
        sizes = tuple(pool.size for pool in pools)
        history = shown[: len(before) + t]
        wish = setting.bounded(policy.want(t, history, int(np.array(sizes) @ capacity / setting.capacity)))
        key = (wish, *sizes)
        if key not in known:
            known[key] = _counts(wish * setting.capacity, offers, terms, sizes)
        for pool, size in zip(pools, known[key], strict=True):
            # The first fleet is there when the load begins, as in the replay of equal instances.
            pool.resize(size, t + (setting.boot if t else 0))
            pool.settle(t)
        billed[t] = [pool.size for pool in pools]
        seen[len(before) + t] = load[t]
        lack[t] = max(load[t] - float(np.array([pool.ready for pool in pools]) @ capacity), 0.0)
    carried = billed.sum(axis=0) * capacity
    spot = np.array([offer.purchase == "spot" for offer in offers])
    return MixPlayed(
        usd=float((billed @ np.array([offer.price for offer in offers])).sum() * hours),
        violated=float((lack > ROUNDING * np.maximum(load, 1.0)).mean()),
        short=float(lack.sum() * hours),
        spot_share=float(carried[spot].sum() / carried.sum()) if carried.sum() else 0.0,
        reclaimed=reclaimed,
        billed=billed,
    )


def _counts(wanted: float, offers: Sequence[Offer], terms: Terms, sizes: tuple[int, ...]) -> tuple[int, ...]:
    """The cheapest counts that carry what is wanted."""
    running: dict[tuple[str, str], int] = {
        (offer.name, offer.purchase): size for offer, size in zip(offers, sizes, strict=True)
    }
    plan = optimise(np.array([[wanted]]), (0.5,), offers, terms, running=running)
    return tuple(int(n) for n in plan.counts[0])
