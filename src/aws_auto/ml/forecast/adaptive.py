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
        own = np.where(self.loss.mean(axis=1, keepdims=True) > 0, _relative(self.loss), self.pooled)
        seen = self.seen[:, None]
        score = -SHARP * (seen * own + PRIOR * self.pooled) / (seen + PRIOR)
        raw = np.exp(score - score.max(axis=1, keepdims=True))
        return np.asarray(raw / raw.sum(axis=1, keepdims=True))

    def after(self, loss: Floats, missed: Floats) -> Trust:
        """One hour later.

        Args:
            loss: of each member for that hour, ``(R, M)``, NaN where the truth is not known.
            missed: share of what was said of it that lies outside of the inner and the outer interval, ``(R, 2)``.
        """
        known = np.asarray(np.isfinite(loss).all(axis=1) & np.isfinite(missed).all(axis=1))
        fade = 0.5 ** (1 / HALF_LIFE)
        seen = fade * self.seen + 1
        mean = self.loss + (np.nan_to_num(loss) - self.loss) / seen[:, None]
        nominal = np.array([1 - (INNER[1] - INNER[0]), 1 - (OUTER[1] - OUTER[0])])
        width = np.clip(self.width + RATE * (np.nan_to_num(missed) - nominal) / nominal**0.5, NARROWEST, WIDEST)
        return replace(
            self,
            loss=np.where(known[:, None], mean, self.loss),
            seen=np.where(known, seen, self.seen),
            width=np.where(known[:, None], width, self.width),
        )

    def judged(self, members: Floats, truth: Floats, scale: Floats, levels: Sequence[float]) -> Trust:
        """After an hour is over, by all that was said of it.

        Args:
            members: what each member had said, ``(M, R, S, levels)``.
            truth: of that hour, ``(R, S)``, NaN where unknown.
            scale: unit of each forecast, ``(R, S)``.
            levels: ascending.
        """
        tau = np.asarray(levels)
        error = truth[None, ..., None] - members
        loss = (np.maximum(tau * error, (tau - 1) * error).mean(axis=3) / scale).mean(axis=2)
        answer = mixed(members, self.weights(), self.width, levels)
        ends = [[list(levels).index(x) for x in pair] for pair in (INNER, OUTER)]
        missed = [_outside(truth, answer[..., low], answer[..., high]) for low, high in ends]
        return self.after(loss.T, np.stack(missed, axis=1))

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
    """Quantiles averaged by weight and stretched about the median, sorted.

    Args:
        members: ``(M, R, ..., levels)``.
        weights: ``(R, M)``.
        width: log factors, ``(R, 2)``.
        levels: ascending, with 0.5.
    """
    mean = np.einsum("rm,mr...->r...", weights, members)
    middle = list(levels).index(0.5)
    median = mean[..., middle : middle + 1]
    factor = np.exp(np.where(np.isin(levels, OUTER), width[:, 1:], width[:, :1]))
    factor = factor.reshape(len(width), *(1,) * (mean.ndim - 2), len(levels))
    return np.asarray(np.sort(median + (mean - median) * factor, axis=-1))


def played(
    trust: Trust, members: Floats, truth: Floats, scale: Floats, *, steps: Sequence[int], levels: Sequence[float]
) -> tuple[Floats, Trust]:
    """What is said at consecutive origins, each knowing the hours up to its own, and what is known after the last.

    At each origin the hour that has just ended is judged by all that was said of it, whichever origin said it. The
    first ``max(steps)`` origins are there for what they said of later hours: their own hours count as told before.

    Args:
        trust: before the first origin; its rows are the rows of the arrays.
        members: ``(M, R, O, S, levels)``; origins are an hour apart.
        truth: ``(R, O, S)``, NaN where unknown.
        scale: ``(R, O)``.
        steps: hours from an origin to each of its targets.
        levels: ascending.
    """
    answers = np.empty(members.shape[1:])
    back, step = np.asarray(steps), np.arange(len(steps))
    for o in range(truth.shape[1]):
        if o >= back.max():
            said = o - back
            trust = trust.judged(members[:, :, said, step], truth[:, said, step], scale[:, said], levels)
        answers[:, o] = mixed(members[:, :, o], trust.weights(), trust.width, levels)
    return answers, trust


def _outside(truth: Floats, low: Floats, high: Floats) -> Floats:
    out = ((truth < low) | (truth > high)).mean(axis=1)
    return np.where(np.isfinite(truth).all(axis=1) & np.isfinite(low).all(axis=1), out, np.nan)


def _relative(loss: Floats) -> Floats:
    mean = loss.mean(axis=1, keepdims=True)
    return np.asarray(loss / np.where(mean > 0, mean, 1.0))
