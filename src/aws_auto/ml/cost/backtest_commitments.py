"""What commitments would have saved on a user's own past: ours, maximum savings on the look-back, and clairvoyant.

A decision is made every week from what was known then, and held to the end of the history. Ours is what the advice says
(a level and a ladder that stops when usage falls, and plans that are returned when it falls within days), the look-back
is the level that would have saved most in the last thirty days, the clairvoyant level is the best one for the hours
that came.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from aws_auto.ml.cost.commitments import LOOK_BACK, best_level, cost, look_back_level
from aws_auto.ml.cost.commitments_followed import Follower, days_left, decide_with_returns, return_days
from aws_auto.results import Interval

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date, datetime

    from aws_auto.ml.cost.commitments import Array, Offer
    from aws_auto.ml.cost.findings import Commitment

#: Thirty days to decide from, thirty to judge by.
LEAST_DAYS = 2 * LOOK_BACK
OURS, LOOKING_BACK, CLAIRVOYANT = "ours", "maximum savings on the look-back", "clairvoyant"
_STEP = 7
_BOOTSTRAPS, _LEVEL = 1000, 0.95


@dataclass(frozen=True, kw_only=True)
class CommitmentReplay:
    """What one way of committing did under one offer.

    Attributes:
        saving: share of the on-demand cost saved, mean over the decisions; negative where it cost more.
        worst: the worst of them.
        monthly: saved in a month of 730 hours, mean over the decisions, in the currency of the bill.
        lost: share of the decisions that cost more than buying nothing.
    """

    offer: str
    discount: float
    method: str
    saving: float
    worst: float
    monthly: float
    lost: float


@dataclass(frozen=True, kw_only=True)
class CommitmentsReplayed:
    """All ways under each offer, and ours less the look-back with its interval; else ``why`` there is none.

    ``difference`` is in shares of the on-demand cost, by offer: neighbouring decisions share most of their hours, so
    that it is drawn in blocks of four weeks.
    """

    methods: tuple[CommitmentReplay, ...]
    difference: Mapping[str, Interval]
    decisions: int
    currency: str
    first: date | None = None
    why: str = ""


def replay_commitments(
    hourly: Mapping[str, Array], offers: Sequence[Offer], *, first: datetime, currency: str, seed: int
) -> CommitmentsReplayed:
    """Replay every week that has thirty days before it and thirty after.

    Args:
        hourly: on-demand cost an hour of what each offer would cover, by its name; whole days, newest last.
        offers: rates as they are known today.
        first: of the first hour.
        currency: of the bill.
        seed: of scenarios and bootstrap.
    """
    if not offers:
        return CommitmentsReplayed(methods=(), difference={}, decisions=0, currency=currency, why=NO_OFFERS)
    days = max(len(hours) for hours in hourly.values()) // 24
    if days < LEAST_DAYS:
        why = f"{days} days of on-demand hours are known; {LEAST_DAYS} are needed"
        return CommitmentsReplayed(methods=(), difference={}, decisions=0, currency=currency, why=why)
    moments = range(LOOK_BACK, days - LOOK_BACK + 1, _STEP)
    methods: list[CommitmentReplay] = []
    difference = {}
    for offer in offers:
        ends = [_month_ends(offer, first + timedelta(days=day), currency) for day in moments]
        shares, money = _ways(hourly[offer.name], offer, dict(zip(moments, ends, strict=True)), seed)
        methods += [
            CommitmentReplay(
                offer=offer.name,
                discount=offer.discount,
                method=way,
                saving=float(values.mean()),
                worst=float(values.min()),
                monthly=float(money[way].mean()),
                lost=float((values < 0.0).mean()),
            )
            for way, values in shares.items()
        ]
        difference[offer.name] = _interval(shares[OURS] - shares[LOOKING_BACK], seed)
    return CommitmentsReplayed(
        methods=tuple(methods), difference=difference, decisions=len(moments), currency=currency, first=first.date()
    )


NO_OFFERS = "no rates are known: aws-auto ml prices refresh asks for them, --offers FILE gives your own"


def _month_ends(offer: Offer, moment: datetime, currency: str) -> int:
    return days_left(moment) if return_days(offer, moment, currency) else 0


def _ways(
    hours: Array, offer: Offer, moments: Mapping[int, int], seed: int
) -> tuple[dict[str, Array], dict[str, Array]]:
    """Share saved, and money a month, of each way on each day, which are given with the days to their month's end."""
    shares: dict[str, list[float]] = {OURS: [], LOOKING_BACK: [], CLAIRVOYANT: []}
    money: dict[str, list[float]] = {way: [] for way in shares}
    for day, month_ends in moments.items():
        follower = Follower(decide=partial(_decided, offer=offer, seed=seed), month_ends=month_ends)
        past, ahead = hours[: day * 24], hours[day * 24 :]
        held: dict[str, Array | float] = {
            OURS: follower.held(past, ahead),
            LOOKING_BACK: look_back_level(past, offer.discount),
            CLAIRVOYANT: best_level(ahead, offer.discount),
        }
        for way, level in held.items():
            saved = float((ahead - cost(ahead, level, offer.discount)).sum())
            shares[way].append(saved / max(float(ahead.sum()), 1e-9))
            money[way].append(saved / len(ahead) * 730.0)
    return {way: np.array(one) for way, one in shares.items()}, {way: np.array(one) for way, one in money.items()}


def _decided(known: Array, returns: int, *, offer: Offer, seed: int) -> Commitment:
    return decide_with_returns(known, offer, seed=seed, returns=returns)


def _interval(differences: Array, seed: int) -> Interval:
    rng = np.random.default_rng(seed)
    block = min(4, len(differences))
    starts = rng.integers(0, len(differences) - block + 1, (_BOOTSTRAPS, -(-len(differences) // block)))
    drawn = differences[(starts[..., None] + np.arange(block)).reshape(_BOOTSTRAPS, -1)].mean(axis=1)
    low, high = np.quantile(drawn, [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2])
    return Interval(float(low), float(high), _LEVEL)
