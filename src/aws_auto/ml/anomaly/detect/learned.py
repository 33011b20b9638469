"""Weights of the members learned from labels, where somebody has given some.

Logistic regression of "this point lies in an incident" on the members' surprises, with weights that are never negative
(a member that is surprised never speaks against an incident) and drawn to the profile's own weights: with few labels
the answer is the profile, with many it is the data.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from aws_auto.errors import NotEnoughData

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from aws_auto.ml.anomaly.detect.profile import Profile

    Floats = NDArray[np.float64]

ROUNDS = 2000
RATE = 0.02
#: Calm points that are looked at; more say nothing new.
CALM = 20_000
#: Strength of the profile's weights, in labelled incidents.
PRIOR = 1.0


def learn_weights(profile: Profile, surprises: Sequence[Floats], incidents: Sequence[Floats]) -> Profile:
    """The profile with weights that tell incidents from calm best.

    Every incident counts the same however long it is, and is represented by its most surprising point for each member
    (nobody needs every point of an incident found); calm points share the same total weight.

    Args:
        profile: where to start.
        surprises: per series, shape ``(members, points)``, rows in the order of ``profile.weights``
            (`Scores.surprise` of held-back points).
        incidents: per series, 1 where a point lies in an incident, 0 where calm, NaN where nobody knows.

    Raises:
        NotEnoughData: no incident, or no calm point.
    """
    found = [peak for s, label in zip(surprises, incidents, strict=True) for peak in _peaks(s, label)]
    calm = np.concatenate([s[:, label == 0].T for s, label in zip(surprises, incidents, strict=True)])
    if not found or not len(calm):
        raise NotEnoughData(
            f"{len(found)} incidents and {len(calm)} calm points", where="labels", hint="label at least one of each"
        )
    calm = calm[:: -(-len(calm) // CALM)]
    x = np.concatenate([np.stack(found), calm])
    y = np.r_[np.ones(len(found)), np.zeros(len(calm))]
    weight = np.r_[np.full(len(found), 1 / len(found)), np.full(len(calm), 1 / len(calm))]
    start = np.array(list(profile.weights.values()))
    start = start / start.sum()
    w = _fit(x, y, weight, start, strength=PRIOR / len(found))
    if not w.sum() > 0:
        return profile
    return replace(
        profile, name=f"{profile.name}, learned", weights=dict(zip(profile.weights, w / w.sum(), strict=True))
    )


def _fit(x: Floats, y: Floats, weight: Floats, start: Floats, *, strength: float) -> Floats:
    """Projected gradient descent; the sum of the weights is free, their mix is drawn to ``start``."""
    w, bias = start.copy(), -float(np.median(x @ start))
    for _ in range(ROUNDS):
        p = 1 / (1 + np.exp(-np.clip(x @ w + bias, -30, 30)))
        error = weight * (p - y)
        w = np.maximum(w - RATE * (x.T @ error + strength * (w - start * w.sum())), 0)
        bias -= RATE * float(error.sum())
    return w


def _peaks(surprise: Floats, label: Floats) -> list[Floats]:
    """Highest surprise of each member in each incident."""
    inside = np.r_[0, (label == 1).astype(int), 0]
    edges = np.flatnonzero(np.diff(inside))
    return [surprise[:, a:b].max(axis=1) for a, b in zip(edges[::2], edges[1::2], strict=True)]
