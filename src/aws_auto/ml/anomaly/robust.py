"""Medians that outliers do not move, by row, and what a scorer says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

#: 1 / Phi^-1(3/4): the median absolute deviation of a normal sample times this is its standard deviation.
MAD = 1.4826


@dataclass(frozen=True)
class Judged:
    """What was expected and how wide is usual, ``(channels, metrics, columns)``; NaN where nothing can be said."""

    expected: Floats
    scale: Floats

    def deviation(self, values: Floats) -> Floats:
        """Distance from the expected in units of the scale, 0 where nothing can be said."""
        with np.errstate(all="ignore"):
            return np.nan_to_num(np.abs(values[None] - self.expected) / self.scale, nan=0.0, posinf=0.0)


def plain(values: Floats) -> Any:  # noqa: ANN401 - nested lists
    """Nested lists for JSON; what is not finite becomes null."""
    known: Any = np.isfinite(values)
    return np.where(known, values.astype(object), np.array(None, dtype=object)).tolist()


def array(said: Any) -> Floats:  # noqa: ANN401 - nested lists
    """The inverse of `plain`."""
    return np.asarray(said, dtype=float)


def medians(values: Floats) -> Floats:
    """Row medians, NaN for a row without points."""
    out = np.full(len(values), np.nan)
    for i, row in enumerate(values):
        seen = row[np.isfinite(row)]
        if len(seen):
            out[i] = np.median(seen)
    return out


def mads(values: Floats) -> Floats:
    """Spread of each row: its median absolute deviation in units of a normal sample's standard deviation."""
    return MAD * medians(np.abs(values - medians(values)[:, None]))


def floors(values: Floats) -> Floats:
    """The smallest spread that counts: a hundredth of the usual range, half a per cent of the usual level."""
    out = np.full(len(values), np.nan)
    for i, row in enumerate(values):
        seen = row[np.isfinite(row)]
        if len(seen):
            low, middle, high = np.quantile(seen, [0.05, 0.5, 0.95])
            out[i] = 0.01 * (high - low) + 0.005 * abs(middle) + 1e-9
    return out
