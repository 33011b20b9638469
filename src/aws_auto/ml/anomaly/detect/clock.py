"""From points as they arrive to slots of equal length: missing, duplicated, late points and counters are settled here.

Rules, in the order in which they apply to a point:

- A value that is not finite is missing. It is not judged and teaches nothing.
- A point in a slot that has passed is late: it is not judged. A second point in the newest slot is a duplicate: it
  gets the score of the first.
- Slots without a point repeat the last value so that windows stay whole, but teach nothing. A gap longer than two
  days is shortened by whole days, so that the time of day stays right.
- A counter (never falls in training but for resets to less than half) is judged by its growth per slot; a fall is a
  reset, and the value after it is the growth, as Prometheus counts it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]
    Bools = NDArray[np.bool_]

DAY = 86_400.0
#: Below this share of filled slots the series has no rhythm, and points count one slot each.
SPARSEST = 1 / 3
WHOLE_DAYS_KEPT = 2


@dataclass(frozen=True)
class Slots:
    """New slots in order, and where each arriving point went (``-1`` newest old slot, ``-2`` not judged)."""

    values: Floats
    seen: Bools
    point: Ints


@dataclass
class Clock:
    """Where a series stands: the slot of its newest point, and that point's value.

    Attributes:
        origin: unix seconds of slot 0, moved when a gap is shortened.
        step: seconds from slot to slot.
        rhythmic: False when points count one slot each whatever their time.
        counter: whether values are growth of a counter.
        next: index of the slot after the newest.
        last: value that the newest slot holds (after counter conversion).
        raw: newest raw value, and how many slots ago it came is ``next - 1 - raw_slot``.
    """

    origin: float
    step: float
    rhythmic: bool
    counter: bool
    next: int = 0
    last: float = 0.0
    raw: float = float("nan")
    raw_slot: int = -1

    @property
    def per_day(self) -> int:
        """Slots a day, at least 1."""
        return max(1, round(DAY / self.step))

    @classmethod
    def of(cls, times: Floats, values: Floats) -> Clock:
        """The clock of a training part; times in unix seconds, ascending but for late points."""
        good = np.isfinite(values) & np.isfinite(times)
        t = np.maximum.accumulate(times[good])
        gaps = np.diff(t)
        gaps = gaps[gaps > 0]
        step = float(np.median(gaps)) if len(gaps) else 300.0
        slots = (t[-1] - t[0]) / step + 1 if len(t) else 1
        return cls(
            origin=float(t[0]) if len(t) else 0.0,
            step=step,
            rhythmic=bool(len(t) >= SPARSEST * slots),
            counter=is_counter(values[good]),
        )

    def arrive(self, times: Floats, values: Floats) -> Slots:
        """Place points, in the order given, into slots from ``next`` on. Moves the clock."""
        index, shifts = self._slots_of(times, values)
        first = self.next
        newest = np.maximum.accumulate(np.r_[first - 1, index])
        fresh = np.flatnonzero(index > newest[:-1])
        count = int(newest[-1]) - first + 1
        raw = np.full(count, np.nan)
        raw[index[fresh] - first] = values[fresh]
        self.origin -= shifts
        filled = self._fill(raw)
        where = np.where(index == newest[1:], index - first, -2)
        where = np.where(where >= -1, where, -2)
        self.next = first + count
        return Slots(filled, np.isfinite(raw), where)

    def _slots_of(self, times: Floats, values: Floats) -> tuple[Ints, float]:
        """Slot of every point (-2 - something small for points without a value), and seconds cut out of gaps."""
        good = np.isfinite(values) & np.isfinite(times)
        index = np.full(len(times), -2, dtype=np.int64)
        if not self.rhythmic:
            index[good] = self.next + np.arange(int(good.sum()))
            return index, 0.0
        exact = np.rint((times[good] - self.origin) / self.step).astype(np.int64)
        before = np.maximum.accumulate(np.r_[self.next - 1, exact])[:-1] if len(exact) else exact
        gap = exact - before - 1
        days = np.where(self.next > 0, np.maximum(gap // self.per_day - WHOLE_DAYS_KEPT, 0), 0)
        cut = np.cumsum(days) * self.per_day
        index[good] = exact - cut
        return index, -float(cut[-1] * self.step) if len(cut) else 0.0

    def _fill(self, raw: Floats) -> Floats:
        seen = np.isfinite(raw)
        at = np.flatnonzero(seen)
        values = raw.copy()
        if self.counter and len(at):
            previous = np.r_[self.raw, raw[at][:-1]]
            slots = np.diff(np.r_[self.raw_slot, self.next + at])
            growth = np.where(raw[at] >= previous, raw[at] - previous, raw[at])
            values[at] = np.where(np.isfinite(previous), growth / np.maximum(slots, 1), self.last)
        if len(at):
            self.raw, self.raw_slot = float(raw[at[-1]]), int(self.next + at[-1])
        held = np.r_[self.last, values]
        source = np.maximum.accumulate(np.where(np.r_[True, seen], np.arange(len(held)), 0))
        filled = held[source][1:]
        if len(filled):
            self.last = float(filled[-1])
        return np.asarray(filled)


def is_counter(values: Floats) -> bool:
    """Whether values only grow, but for rare falls to less than half, and grow in at least a fifth of the steps."""
    if len(values) < 20 or values.min() < 0:
        return False
    change = np.diff(values)
    falls = np.flatnonzero(change < 0)
    resets = values[falls + 1] < 0.5 * values[falls]
    return bool((change > 0).mean() > 0.2 and len(falls) <= 0.02 * len(change) and resets.all())
