"""What members see of new slots: normalised values with enough past in front, and what the season says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Bools = NDArray[np.bool_]

#: Slots of the past that members may look at.
PAST = 304
#: Robust deviations up to which a value counts as it is; beyond, its logarithm does.
KNEE = 10.0


@dataclass(frozen=True)
class View:
    """New slots with their past.

    Attributes:
        z: ``PAST`` old slots, then the new ones, in robust deviations from the training median.
        seen: 1.0 for new slots that hold a point.
        first: index of the first new slot.
        per_day: slots a day.
        season: usual value at this time of day (NaN while unknown), new slots only.
        yesterday: value at this time yesterday (NaN while unknown).
        last_week: the same seven days ago.
    """

    z: Floats
    seen: Floats
    first: int
    per_day: int
    season: Floats
    yesterday: Floats
    last_week: Floats

    @property
    def now(self) -> Floats:
        """The new slots."""
        return self.z[PAST:]

    @property
    def refit(self) -> int:
        """Slots between two refits of a member: a day, within 64 and 1440; they fall on multiples of it."""
        return max(64, min(self.per_day, 1440))

    def windows(self, length: int, clip: float) -> Floats:
        """The ``length`` values that end with each new slot, shape ``(new, length)``."""
        z = np.clip(self.z[PAST - length + 1 :], -clip, clip)
        return np.asarray(sliding_window_view(z, length))

    def before(self, length: int, every: int = 1) -> Floats:
        """Every ``every``-th of the ``length`` values before each new slot, newest first."""
        return np.asarray(sliding_window_view(self.z[PAST - length : -1], length)[:, ::-1][:, ::every])

    def blocks(self, every: int) -> list[tuple[int, int, bool]]:
        """New slots cut at multiples of ``every``: start, stop, and whether the stop is such a multiple."""
        n = len(self.now)
        cuts = [*range(every - self.first % every, n, every), n]
        starts = [0, *cuts[:-1]]
        return [(a, b, (self.first + b) % every == 0) for a, b in zip(starts, cuts, strict=True) if b > a]


def squash(z: Floats) -> Floats:
    """Extreme values drawn in, in order: one wild point must not rule a covariance, yet ten times wilder is wilder."""
    size = np.abs(z)
    return np.asarray(np.where(size <= KNEE, z, np.sign(z) * KNEE * (1 + np.log(np.maximum(size, KNEE) / KNEE))))


def unsquash(z: Floats) -> Floats:
    """Inverse of `squash`."""
    size = np.abs(z)
    return np.asarray(np.where(size <= KNEE, z, np.sign(z) * KNEE * np.exp(np.minimum(size / KNEE - 1, 600))))
