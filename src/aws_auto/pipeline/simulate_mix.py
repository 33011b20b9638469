"""Simulate a fleet of several types, on demand and on spot: the same load and policies, another fleet."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from aws_auto.errors import UsageError
from aws_auto.ml.cost.prices import REGION, lookup

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from aws_auto.ml.scaling.fleet import Offer
    from aws_auto.ml.scaling.replay import Setting
    from aws_auto.ml.scaling.replay_compare import Compared

    Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Mix:
    """What a fleet may consist of.

    Attributes:
        instance_type: the type that the load of one instance is said for; it may always be bought on demand.
        types: further types that may be bought on demand.
        spot_prices: USD an hour by type that may be bought on spot.
        reclaim: probability that a spot pool is gone within an hour.
        spot_share: share of the capacity that may be on spot, 0 to 1.
        region: whose on-demand prices hold.
    """

    instance_type: str
    types: Sequence[str] = ()
    spot_prices: Mapping[str, float] = field(default_factory=dict)
    reclaim: float = 0.05
    spot_share: float = 1.0
    region: str = REGION

    def offers(self) -> tuple[Offer, ...]:
        """The pools, in units of the capacity of one ``instance_type``.

        Raises:
            UsageError: a type is not known, or a share is none.
        """
        from aws_auto.ml.scaling.fleet import Offer
        from aws_auto.ml.scaling.requirements import offers_of

        for flag, share in (("--spot-share", self.spot_share), ("--reclaim", self.reclaim)):
            if not 0 <= share <= 1:
                raise UsageError(f"{share:g} is no share between 0 and 1", where=flag, hint="for example 0.5")
        known = lookup(self.instance_type, self.region)
        if known is None:
            raise UsageError(
                f"the price of {self.instance_type} is not known in {self.region}",
                where="--instance-type",
                hint="choose a type of the price table; prices of one fleet must be of one list",
            )
        present = Offer(name=self.instance_type, capacity=1.0, price=known.usd_per_hour)
        return offers_of(present, self.region, self.types, self.spot_prices, reclaim=self.reclaim)


@dataclass(frozen=True, kw_only=True)
class MixRow:
    """One policy with the whole choice: shares are 0 to 1, ``pools`` those of the billed instance-hours."""

    policy: str
    usd_month: float
    violated: float
    kept: bool
    spot_share: float
    reclaimed: int
    pools: dict[str, float]


def play_mixed(
    load: Floats,
    before: Floats,
    setting: Setting,
    done: Sequence[Compared],
    mix: Mix,
    *,
    slo: float,
    month: float,
    events: NDArray[np.bool_] | None = None,
) -> tuple[MixRow, ...]:
    """Tuned target tracking and ours, each with these offers; reclaims are drawn with the same seed.

    Args:
        load: what is played.
        before: the history before it.
        setting: the fleet of equal instances that was played before.
        done: what came of it; target tracking keeps its target.
        mix: what the fleet may consist of.
        slo: the promise.
        month: how often the played part fits into a month.
        events: what is known in advance, over ``before`` and ``load``.

    Raises:
        UsageError: a type is not known, a share is none, or no fleet fulfils the bounds.
    """
    from aws_auto.ml.scaling.fleet import Terms
    from aws_auto.ml.scaling.policy import ScalingPolicy, TargetTracking
    from aws_auto.ml.scaling.policy_judge import Slo
    from aws_auto.ml.scaling.policy_newsvendor import Newsvendor
    from aws_auto.ml.scaling.replay_fleet import play_mix

    offers = _offers(mix, setting)
    terms = Terms(slo=slo, least=0, spot_share=mix.spot_share)
    policies: dict[str, ScalingPolicy] = {
        done[0].policy: TargetTracking(setting, target=done[0].knob),
        done[-1].policy: Newsvendor(setting, goal=Slo(share=slo), events=events),
    }
    rows = []
    for name, policy in policies.items():
        played = play_mix(load, before, setting, policy, offers, terms)
        hours = played.billed.sum(axis=0)
        rows.append(
            MixRow(
                policy=name,
                usd_month=played.usd * month,
                violated=played.violated,
                kept=played.violated <= slo,
                spot_share=played.spot_share,
                reclaimed=played.reclaimed,
                pools={
                    f"{offer.name} {offer.purchase}": float(share)
                    for offer, share in zip(offers, hours / max(hours.sum(), 1), strict=True)
                },
            )
        )
    return tuple(rows)


def _offers(mix: Mix, setting: Setting) -> list[Offer]:
    """The pools, in the unit of the load and by the step."""
    step = 1 - (1 - mix.reclaim) ** (1 / setting.steps_per_hour)
    return [
        replace(one, capacity=one.capacity * setting.capacity, reclaim=step if one.purchase == "spot" else 0.0)
        for one in mix.offers()
    ]
