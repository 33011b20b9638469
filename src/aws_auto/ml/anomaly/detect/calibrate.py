"""One scale for all detectors and all series: how far a score lies in the tail of its own past.

A member's raw score is only comparable with its own history. Log scores are kept in a decaying histogram (soft
bins, so that quantiles move smoothly); from two of its quantiles follows a Pareto tail, and a new score becomes

    surprise = -log10 P(score as high or higher) = -log10(1 - low) + slope * (log score - q_low) / (q_high - q_low)

which is 3 for "once in a thousand points", if the tail goes on as between the two quantiles. Points above `TRIM`
count a tenth: an episode must not hide the next one, and a new normal must still be learned.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

#: Log scores from exp(-7) to exp(7) in bins of 0.1; raw scores are in robust deviations of the series.
LOWEST, HIGHEST, BINS = -7.0, 7.0, 141
PER_BIN = (HIGHEST - LOWEST) / (BINS - 1)
#: Deviations below this are as good as none, in robust deviations of the series.
NOTHING = 0.02
TRIM, TRIMMED_WEIGHT = 3.5, 0.1
FLOOR, CEILING = -3.0, 12.0
#: Three points of four lie under this share of the scores; where it is under `REST`, in robust deviations, a member is
#: mostly at rest, and its bursts are what its tail is.
QUARTILE, REST = 0.75, 0.15


@dataclass(frozen=True)
class Tail:
    """Which quantiles stand for the tail, and how little its width may be.

    Attributes:
        low: lower quantile.
        high: upper quantile.
        prior: width (difference of log scores) that a short history is drawn to.
        weight: how many points the prior counts.
        least: smallest width.
        furthest: log distance that the lower quantile lies from the upper quartile at most: an incident of some hours
            is more than a tenth of a short past, and must not be what is usual.
        floor: lowest surprise. Where members of different kinds are asked, the one that sees nothing has no veto.
    """

    low: float
    high: float
    prior: float
    weight: float
    least: float
    furthest: float = HIGHEST - LOWEST
    floor: float = FLOOR

    @property
    def base(self) -> float:
        """Surprise at the lower quantile."""
        return -float(np.log10(1 - self.low))

    @property
    def slope(self) -> float:
        """Surprise from the lower to the upper quantile."""
        return float(np.log10((1 - self.low) / (1 - self.high)))


#: The tail of a member that is silent for nine points of ten (a value that rarely moves) lies further out. It rests on
#: a handful of points, so a step in it counts half.
FLAT = Tail(low=0.9, high=0.999, prior=0.8, weight=300, least=0.3)
FLAT_UNIT = 2.0


@dataclass
class Calibrator:
    """Decaying histograms of the log scores of several members.

    Attributes:
        tail: the quantiles.
        memory: points after which a score's weight has fallen to 1/e.
        block: slots between two refreshes of the quantiles; they fall on multiples of it.
        past: histograms of whole blocks, shape ``(members, BINS)``.
        present: histogram of the block that is not yet whole.
        start: log score without surprise, shape ``(members,)``.
        unit: log distance to a ten times rarer score, shape ``(members,)``.
    """

    tail: Tail
    memory: float
    block: int
    past: NDArray[np.float32]
    present: Floats
    start: Floats
    unit: Floats

    @classmethod
    def fit(cls, raw: Floats, seen: Floats, *, tail: Tail, memory: float, block: int) -> Calibrator:
        """Learn from the raw scores of a training part, shape ``(members, slots)``; ``seen`` weighs the slots."""
        members, n = raw.shape
        empty = np.zeros((members, BINS))
        self = cls(tail, memory, block, empty.astype(np.float32), empty, np.zeros(members), np.ones(members))
        log = np.log(raw + NOTHING)
        age = np.exp(-(n - 1 - np.arange(n)) / memory) * seen
        self.past = histogram(log, np.broadcast_to(age, log.shape)).astype(np.float32)
        self._refresh()
        for _ in range(2):
            odd = self._surprise(log) > TRIM
            self.past = histogram(log, age * np.where(odd, TRIMMED_WEIGHT, 1.0)).astype(np.float32)
            self._refresh()
        return self

    def copy(self) -> Calibrator:
        """An independent twin."""
        return Calibrator(
            self.tail, self.memory, self.block, self.past.copy(), self.present.copy(), self.start, self.unit
        )

    def judge(self, raw: Floats) -> Floats:
        """Surprise of raw scores by what is known now, without learning from them."""
        return np.clip(self._surprise(np.log(raw + NOTHING)), self.tail.floor, CEILING)

    def raw_at(self, member: int, surprise: float) -> float:
        """The raw score of a member that would be this surprising now."""
        log = self.start[member] + surprise * self.unit[member]
        return max(float(np.exp(log)) - NOTHING, 0.0)

    def advance(self, raw: Floats, seen: Floats, first: int) -> tuple[Floats, Floats]:
        """Surprise of new slots, each by the past before its block; then learn from them.

        Args:
            raw: shape ``(members, slots)``.
            seen: 1 where a slot holds a point, else 0.
            first: index of the first slot.

        Returns:
            Surprise, and ``(2, members, slots)``: start and unit that judged each slot.
        """
        log = np.log(raw + NOTHING)
        n = log.shape[1]
        out = np.empty_like(log)
        known = np.empty((2, *log.shape))
        at = 0
        while at < n:
            end = min(n, at + self.block - (first + at) % self.block)
            now = self._surprise(log[:, at:end])
            out[:, at:end] = now
            known[0, :, at:end], known[1, :, at:end] = self.start[:, None], self.unit[:, None]
            weight = np.where(now > TRIM, TRIMMED_WEIGHT, 1.0) * seen[at:end]
            self.present += histogram(log[:, at:end], weight)
            if (first + end) % self.block == 0:
                kept = self.past.astype(np.float64) * np.exp(-self.block / self.memory)
                self.past = (kept + self.present).astype(np.float32)
                self.present = np.zeros_like(self.present)
                self._refresh()
            at = end
        return np.clip(out, self.tail.floor, CEILING), known

    def _surprise(self, log: Floats) -> Floats:
        return np.asarray((log - self.start[:, None]) / self.unit[:, None])

    def _refresh(self) -> None:
        total = np.cumsum(self.past, axis=1, dtype=np.float64)
        shares = (self.tail.low, self.tail.high, FLAT.low, FLAT.high, QUARTILE)
        low, high, flat_low, flat_high, quartile = quantiles(total, shares)
        # What lies further out than it may is moved in, and the tail that begins there with it.
        beyond = np.where(quartile > np.log(REST), np.maximum(low - quartile - self.tail.furthest, 0), 0)
        low, high = low - beyond, high - beyond
        count = total[:, -1]
        self.start, self.unit = read(low, high, count, self.tail)
        start, unit = read(flat_low, flat_high, count, FLAT)
        flat = flat_low < np.log(3 * NOTHING)
        self.start = np.where(flat, start, self.start)
        self.unit = np.where(flat, np.maximum(FLAT_UNIT * unit, self.unit), self.unit)


def read(low: Floats, high: Floats, count: Floats, tail: Tail) -> tuple[Floats, Floats]:
    """Where surprise is 0, and the log distance to a ten times rarer score, by two quantiles of so many scores."""
    width = np.maximum((count * (high - low) + tail.weight * tail.prior) / (count + tail.weight), tail.least)
    unit = width / tail.slope
    return low - tail.base * unit, unit


def histogram(log: Floats, weight: Floats) -> Floats:
    """Weighted histogram of each row, each value shared between its two nearest bins."""
    rows = len(log)
    place = np.clip((log - LOWEST) / PER_BIN, 0, BINS - 1.001)
    bin_ = place.astype(np.int64)
    share = place - bin_
    flat = (bin_ + (np.arange(rows) * BINS)[:, None]).ravel()
    upper = (weight * share).ravel()
    size = rows * BINS
    total = np.bincount(flat, (weight * np.ones_like(share)).ravel() - upper, size)
    return np.asarray(total + np.bincount(flat + 1, upper, size)[:size]).reshape(rows, BINS)


def quantiles(total: Floats, shares: Sequence[float]) -> Floats:
    """Values at these shares, shape ``(shares, rows)``, of cumulative histograms of shape ``(rows, BINS)``."""
    wanted = np.outer(shares, total[:, -1])
    k = np.minimum((total < wanted[:, :, None]).sum(axis=2), BINS - 1)
    row = np.arange(len(total))
    below = np.where(k > 0, total[row, np.maximum(k - 1, 0)], 0.0)
    share = (wanted - below) / np.maximum(total[row, k] - below, 1e-12)
    return np.asarray((k - 1 + share) * PER_BIN + LOWEST)
