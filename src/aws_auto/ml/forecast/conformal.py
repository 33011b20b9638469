"""Intervals that hold what they promise: each half of an interval is stretched by what held-back data asked for.

Split conformal quantile regression (Romano, Patterson and Candes 2019) in its scaled form, the lower and the upper
half apart. The guarantee assumes exchangeable points; hours of one day are not, so coverage is always reported.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

#: A half width narrower than this share of the scale counts as this wide, so that a ratio stays finite.
THIN = 1e-6
LEAST = 20


def conformal_quantile(scores: Floats, level: float) -> float:
    """The ``ceil((n + 1) level)``-th smallest score; the largest when there are too few."""
    n = len(scores)
    rank = min(math.ceil((n + 1) * level), n)
    return float(np.partition(scores, rank - 1)[rank - 1])


def stretch(y: Floats, quantiles: Floats, levels: Sequence[float], scale: Floats) -> Floats:
    """Factor for the distance of each quantile from the median, learned from held-back rows.

    Args:
        y: truth, ``(rows,)``, NaN where unknown.
        quantiles: ``(rows, levels)``, sorted; one level is 0.5.
        levels: ascending.
        scale: size of the target in each row, positive.

    Returns:
        ``(levels,)``; 1 for the median, and for all when fewer than 20 rows are known.
    """
    middle = list(levels).index(0.5)
    factors = np.ones(len(levels))
    known = np.isfinite(y) & np.isfinite(quantiles).all(axis=1)
    if known.sum() < LEAST:
        return factors
    y, quantiles, scale = y[known], quantiles[known], scale[known]
    for i, level in enumerate(levels):
        if i == middle:
            continue
        side = 1.0 if level > 0.5 else -1.0
        width = np.maximum(side * (quantiles[:, i] - quantiles[:, middle]), THIN * scale)
        wanted = level if side > 0 else 1 - level
        factors[i] = max(conformal_quantile(side * (y - quantiles[:, middle]) / width, wanted), 0.0)
    return factors


def stretched(quantiles: Floats, factors: Floats, levels: Sequence[float], scale: Floats) -> Floats:
    """Quantiles with each distance from the median multiplied by its factor, sorted."""
    middle = list(levels).index(0.5)
    median = quantiles[..., middle : middle + 1]
    side = np.sign(np.asarray(levels) - 0.5)
    width = np.maximum(side * (quantiles - median), THIN * np.abs(side) * scale[..., None])
    return np.sort(median + side * width * factors, axis=-1)
