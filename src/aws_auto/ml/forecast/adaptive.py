"""Which forecaster to believe for which series, and how wide: both follow what came, at O(1) an hour.

Weights are exponential in past loss (the aggregating forecaster of Vovk 1990 with forgetting); widths follow misses
(adaptive conformal inference, Gibbs and Candes 2021, on the logarithm of the width).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

#: How sharply weight falls with loss in units of the members' mean loss.
SHARP = 30.0
#: An origin that lies this many origins back counts half.
HALF_LIFE = 36.0
#: A series of its own counts as much as all series together once so many origins were seen.
PRIOR = 5.0
#: Step of a log width after each origin, and how far it may go from 1.
RATE = 0.02
NARROWEST, WIDEST = -0.5, 1.0
#: Central intervals whose misses move the widths, and how strongly each quantile follows which of the two.
INNER, OUTER = (0.1, 0.9), (0.025, 0.975)


@dataclass(frozen=True)
class Trust:
    """What was learned about each series; rows are series.

    Attributes:
        resources: their names.
        loss: faded mean pinball loss of each member in units of the series, ``(R, M)``.
        seen: faded number of origins behind it, ``(R,)``.
        width: log factor of the inner and the outer interval, ``(R, 2)``.
        pooled: relative loss of each member over all series, ``(M,)``; it stands still between two calls of `settled`,
            so that no answer depends on which other series are asked about.
    """

    resources: tuple[str, ...]
    loss: Floats
    seen: Floats
    width: Floats
    pooled: Floats

    @classmethod
    def fresh(cls, resources: Sequence[str], members: int) -> Trust:
        """Nothing seen yet: all members count the same."""
        n = len(resources)
        return cls(tuple(resources), np.zeros((n, members)), np.zeros(n), np.zeros((n, 2)), np.ones(members))

    def rows(self, resources: Sequence[str]) -> Trust:
        """The rows of these series; one never seen gets the mean of all, and counts as unseen."""
        place = {name: i for i, name in enumerate(self.resources)}
        at = np.array([place.get(name, -1) for name in resources], dtype=np.int64)
        new = np.asarray(at < 0)
        width = np.where(new[:, None], self.width.mean(axis=0), self.width[at])
        return Trust(
            tuple(resources),
            np.where(new[:, None], 0.0, self.loss[at]),
            np.where(new, 0.0, self.seen[at]),
            width,
            self.pooled,
        )

    def settled(self) -> Trust:
        """With what all series together say about the members as it is now; unchanged while nothing was seen."""
        judged = (self.seen > 0) & (self.loss.mean(axis=1) > 0)
        if not judged.any():
            return self
        return replace(self, pooled=np.asarray(_relative(self.loss[judged]).mean(axis=0)))

    def weights(self) -> Floats:
        """Share of each member, ``(R, M)``, rows sum to 1."""
        return _shares(self.loss, self.seen, self.pooled)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        arrays = {name: getattr(self, name).tolist() for name in _ARRAYS}
        return {"resources": list(self.resources), **arrays}

    @classmethod
    def from_json(cls, said: Mapping[str, Any]) -> Trust:
        """The inverse of `to_json`."""
        loss, seen, width, pooled = (np.asarray(said[name], float) for name in _ARRAYS)
        return cls(tuple(said["resources"]), loss, seen, width, pooled)


_ARRAYS = ("loss", "seen", "width", "pooled")


def mixed(members: Floats, weights: Floats, width: Floats, levels: Sequence[float]) -> Floats:
    """Quantiles averaged by weight and stretched about the median, sorted, ``(R, O, S, levels)``.

    Args:
        members: ``(M, R, O, S, levels)``.
        weights: ``(R, M)``, or of each origin, ``(R, O, M)``.
        width: log factors, ``(R, 2)``, or of each origin, ``(R, O, 2)``.
        levels: ascending, with 0.5.
    """
    if weights.ndim == width.ndim == 2:
        weights, width = weights[:, None], width[:, None]
    mean = _mean(members, weights)
    middle = list(levels).index(0.5)
    median = mean[..., middle : middle + 1]
    outer = np.isin(levels, OUTER)
    factor = np.exp(np.where(outer, width[..., 1:], width[..., :1]))[:, :, None]
    return np.sort(median + (mean - median) * factor, axis=-1)


def played(
    trust: Trust,
    members: Floats,
    truth: Floats,
    scale: Floats,
    *,
    steps: Sequence[int],
    levels: Sequence[float],
) -> tuple[Floats, Trust]:
    """What is said at consecutive origins, each knowing the hours up to its own, and what is known after the last.

    At each origin the hour that has just ended is judged by all that was said of it, whichever origin said it. The
    first ``max(steps)`` origins are there for what they said of later hours: their own hours count as told before.

    Args:
        trust: before the first origin; its rows are the rows of the arrays.
        members: ``(M, R, O, S, levels)``, ascending in the last axis; origins are an hour apart.
        truth: ``(R, O, S)``, NaN where unknown.
        scale: unit of each forecast, ``(R, O)``.
        steps: hours from an origin to each of its targets.
        levels: ascending.
    """
    first, origins = max(steps), truth.shape[1]
    told = max(origins - first, 0)
    judged = [slice(first - back, first - back + told) for back in steps]
    lost = _lost(members, truth, scale, levels)
    lost = np.stack([lost[:, :, at, s] for s, at in enumerate(judged)]).mean(axis=0)
    known = np.isfinite(lost).all(axis=0)
    loss, seen = _followed(trust, np.nan_to_num(lost), known)
    shares = _shares(loss, seen, trust.pooled)
    stretch = [
        _needed(_mean(members[:, :, at, s : s + 1], shares[:, :told]), truth[:, at, s : s + 1], levels)
        for s, at in enumerate(judged)
    ]
    width = _walked(trust.width, np.concatenate(stretch, axis=2), known)
    now = np.maximum(np.arange(origins) - first + 1, 0)
    answers = mixed(members, shares[:, now], width[:, now], levels)
    return answers, replace(trust, loss=loss[:, -1], seen=seen[:, -1], width=width[:, -1])


def _lost(members: Floats, truth: Floats, scale: Floats, levels: Sequence[float]) -> Floats:
    """Mean pinball loss of each member and cell in units of the series, ``(M, R, O, S)``."""
    error = truth[None, ..., None] - members
    total = error @ np.asarray(levels) - np.minimum(error, 0).sum(axis=-1)
    return np.asarray(total / len(levels) / scale[None, ..., None])


def _followed(trust: Trust, lost: Floats, known: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Faded mean loss ``(R, H + 1, M)`` and number ``(R, H + 1)`` before each of the hours and after the last one.

    Args:
        trust: before the first hour.
        lost: in each hour, ``(M, R, H)``.
        known: hours that count, ``(R, H)``.
    """
    fade = 0.5 ** (1 / HALF_LIFE)
    hours = known.shape[1]
    loss = np.empty((known.shape[0], hours + 1, lost.shape[0]))
    seen = np.empty((known.shape[0], hours + 1))
    loss[:, 0], seen[:, 0] = trust.loss, trust.seen
    for hour in range(hours):
        there = known[:, hour]
        seen[:, hour + 1] = np.where(there, fade * seen[:, hour] + 1, seen[:, hour])
        share = there / np.maximum(seen[:, hour + 1], 1)
        loss[:, hour + 1] = loss[:, hour] + share[:, None] * (lost[:, :, hour].T - loss[:, hour])
    return loss, seen


def _needed(mean: Floats, truth: Floats, levels: Sequence[float]) -> Floats:
    """Log factors beyond which the truth lies inside, ``(R, H, S, 3)``: outer, inner, and the level next to the inner.

    Minus infinity where it lies on the other side of the median.
    """
    at = list(levels).index
    middle = at(0.5)
    away = truth - mean[..., middle]
    out = []
    for low, high in ((at(OUTER[0]), at(OUTER[1])), (at(INNER[0]), at(INNER[1])), (at(INNER[0]) + 1, at(INNER[1]) - 1)):
        end = np.where(away > 0, mean[..., high], mean[..., low]) - mean[..., middle]
        with np.errstate(divide="ignore", invalid="ignore"):
            out.append(np.where(away == 0, -np.inf, np.log(np.abs(away) / np.abs(end))))
    return np.stack(out, axis=-1)


def _walked(width: Floats, needed: Floats, known: NDArray[np.bool_]) -> Floats:
    """Log factors before each of the hours and after the last one, ``(R, H + 1, 2)``.

    Quantiles are sorted: where the inner one would be wider than the outer, they change places.
    """
    nominal = np.array([1 - (INNER[1] - INNER[0]), 1 - (OUTER[1] - OUTER[0])])
    gain = RATE / nominal**0.5 * known[..., None]
    out = np.empty((known.shape[0], known.shape[1] + 1, 2))
    out[:, 0] = width
    missed = np.empty((known.shape[0], needed.shape[2], 2))
    for hour in range(known.shape[1]):
        inner, outer = out[:, hour, :1], out[:, hour, 1:]
        need = needed[:, hour]
        over_outer, over_inner = need[..., 0] > outer, need[..., 1] > inner
        missed[..., 0] = (need[..., 2] > inner) & (over_outer | over_inner)
        missed[..., 1] = over_outer & over_inner
        step = gain[:, hour] * (missed.sum(axis=1) / missed.shape[1] - nominal)
        out[:, hour + 1] = np.minimum(np.maximum(out[:, hour] + step, NARROWEST), WIDEST)
    return out


def _shares(loss: Floats, seen: Floats, pooled: Floats) -> Floats:
    """Weights of members from their losses ``(..., M)`` and how many origins are behind them, ``(...)``."""
    own = np.where(loss.mean(axis=-1, keepdims=True) > 0, _relative(loss), pooled)
    seen = seen[..., None]
    score = -SHARP * (seen * own + PRIOR * pooled) / (seen + PRIOR)
    raw = np.exp(score - score.max(axis=-1, keepdims=True))
    return np.asarray(raw / raw.sum(axis=-1, keepdims=True))


def _mean(members: Floats, weights: Floats) -> Floats:
    """``(M, R, O, S, levels)`` by weights ``(R, O or 1, M)``, ``(R, O, S, levels)``."""
    total = np.zeros(members.shape[1:])
    for one, weight in zip(members, np.moveaxis(weights, -1, 0), strict=True):
        total += weight[..., None, None] * one
    return total


def _relative(loss: Floats) -> Floats:
    mean = loss.mean(axis=-1, keepdims=True)
    return np.asarray(loss / np.where(mean > 0, mean, 1.0))
