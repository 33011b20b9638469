"""What is strange every day at the same hour is no anomaly: a nightly job, a daily deployment, the opening of a shop.

For each moment of the day the highest score of each of the last seven days is kept, apart for values above and below
what was expected. Where a score as high was the rule at this hour, on most days, only what exceeds it counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Bools = NDArray[np.bool_]

DAYS = 7
#: Half an hour each; the one before and the one after count as well, because jobs start late.
MOMENTS, NEAR = 48, 1
#: Scores up to here come up all the time.
ORDINARY = 1.5
#: No score yet; the lowest that there is.
NONE = -3.0


@dataclass
class Routine:
    """Highest scores of the last week by moment of the day; the first row above, the second below the expected.

    Attributes:
        length: slots a moment.
        moments: moments a day; 0 when a day has too few slots, and then nothing is routine.
        past: of the last whole moments.
        present: of the moment that is not yet whole.
    """

    length: int
    moments: int
    past: NDArray[np.float16]
    present: Floats

    @classmethod
    def of(cls, per_day: int) -> Routine:
        """Nothing seen."""
        length = max(1, per_day // MOMENTS)
        moments = per_day // length if per_day > NEAR + 1 else 0
        return cls(length, moments, np.full((2, DAYS * moments + NEAR + 1), NONE, np.float16), np.full(2, NONE))

    def copy(self) -> Routine:
        """An independent twin."""
        return Routine(self.length, self.moments, self.past, self.present)

    def advance(self, score: Floats, above: Bools, seen: Floats, first: int) -> Floats:
        """How much of each new slot's score is routine, by moments that were whole before it; then remember."""
        n = len(score)
        if not self.moments or not n:
            return np.zeros(n)
        moment = (first + np.arange(n)) // self.length
        row, side = moment - moment[0], np.where(above, 0, 1)
        highest = np.full((2, int(row[-1]) + 1), NONE)
        highest[:, 0] = self.present
        np.maximum.at(highest, (side, row), np.where(seen > 0, score, NONE))
        held = np.concatenate([self.past, highest.astype(np.float16)], axis=1).astype(float)
        # held[:, i] is moment `moment[0] - past + i`; those after the present moment are never looked at.
        near = sliding_window_view(held, 2 * NEAR + 1, axis=1).max(axis=2)
        at = self.past.shape[1] + np.arange(highest.shape[1]) - NEAR
        days = np.stack([near[:, at - day * self.moments] for day in range(1, DAYS + 1)])
        usual = np.median(days, axis=0)
        whole = (first + n) % self.length == 0
        self.present = np.full(2, NONE) if whole else highest[:, -1].copy()
        self.past = held[:, : held.shape[1] - (not whole)][:, -self.past.shape[1] :].astype(np.float16)
        return np.asarray(np.maximum(usual - ORDINARY, 0.0)[side, row])
