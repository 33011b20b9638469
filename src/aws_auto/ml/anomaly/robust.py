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
    """What was expected and how wide is usual, ``(metrics, columns)``; NaN where nothing can be said.

    Attributes:
        expected: in the unit of the metric.
        scale: half the width of the usual range.
        surprise: how surprising a value was, on a logarithmic scale; None when the distance from the expected value
            alone says it.
    """

    expected: Floats
    scale: Floats
    surprise: Floats | None = None

    @property
    def known_surprise(self) -> Floats:
        """The surprise of a scorer that has one; NaN everywhere of another."""
        return np.full(self.expected.shape, np.nan) if self.surprise is None else self.surprise

    def deviation(self, values: Floats) -> Floats:
        """How unusual, on a ratio scale; 0 where nothing can be said.

        Distance from the expected in units of the scale; or e to the power of the surprise, less 1. A surprise is a
        mean of log distances, so that this is a distance again.
        """
        with np.errstate(all="ignore"):
            if self.surprise is None:
                said = np.abs(values - self.expected) / self.scale
            else:
                said = np.expm1(np.maximum(self.surprise, 0.0))
            return np.nan_to_num(said, nan=0.0, posinf=0.0)

    def width(self, values: Floats, limit: Floats) -> Floats:
        """Half the range around the expected that raises no alarm, where an alarm is a `deviation` of ``limit``.

        A surprise depends on the shape of what came before as well, so that no range of values follows from it: the
        usual range is shown, narrowed or widened until a value lies outside exactly when it raises an alarm.

        Args:
            values: ``(metrics, columns)``.
            limit: by metric.
        """
        if self.surprise is None:
            return np.asarray(limit[:, None] * self.scale)
        distance = np.abs(values - self.expected)
        ratio = self.deviation(values) / limit[:, None]
        with np.errstate(all="ignore"):
            return np.where(ratio >= 1, np.minimum(self.scale, distance / ratio), np.fmax(self.scale, distance))


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
