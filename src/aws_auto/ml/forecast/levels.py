"""Quantiles at any level from those at a few."""

from __future__ import annotations

from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

from aws_auto.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


def at_levels(quantiles: Floats, known: Sequence[float], wanted: Sequence[float]) -> Floats:
    """Quantiles at the wanted levels, ``(..., len(wanted))``.

    Straight between two known ones on the scale of normal scores, and beyond the last two on in the same direction: a
    normal tail that begins where the knowledge ends.

    Args:
        quantiles: at the known levels, ascending in the last axis; NaN stays NaN.
        known: ascending levels, two or more.
        wanted: levels in (0, 1), in any order.

    Raises:
        UsageError: a level that is none.
    """
    if bad := [level for level in wanted if not 0 < level < 1]:
        raise UsageError(f"{bad[0]} is no quantile level", hint="levels lie between 0 and 1, such as 0.5 or 0.95")
    score = np.array([NormalDist().inv_cdf(level) for level in known])
    out = []
    for level in wanted:
        z = NormalDist().inv_cdf(level)
        right = int(np.clip(np.searchsorted(score, z), 1, len(score) - 1))
        share = (z - score[right - 1]) / (score[right] - score[right - 1])
        out.append(quantiles[..., right - 1] + share * (quantiles[..., right] - quantiles[..., right - 1]))
    return np.stack(out, axis=-1)
