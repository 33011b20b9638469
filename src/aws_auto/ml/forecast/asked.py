"""What a stored forecaster says now: it is told the hours that came since it was fitted, and answers from there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from aws_auto.ml.forecast.panel import Forecaster, Panel

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]


def told_answers(forecaster: Forecaster, panel: Panel, origins: Ints, *, since: int) -> Floats:
    """Quantiles at these columns, ``(R, O, S, levels)``, each knowing what came before it and nothing after.

    Weights and widths follow the hours from ``since`` on that have a week (a long cycle of longer periods) before them
    in the grid; nothing is fitted. The cost is that of so many hours, and an answer does not depend on which other
    columns are asked about.

    Args:
        forecaster: as it was stored.
        panel: the problem in the rows at hand.
        origins: columns, ascending and distinct.
        since: column of the first hour that the forecaster was not told when it was stored.
    """
    first = max(since, panel.grid.long_cycle) - panel.reach
    told = origins >= first + panel.reach
    if not forecaster.every_hour or not told.any():
        return forecaster.quantiles(panel.design(origins))
    hours = np.arange(first, origins[-1] + 1, dtype=np.int64)
    answers, _ = forecaster.played(panel.design(hours))
    out = answers[:, np.clip(origins - first, 0, None)]
    if not told.all():
        out[:, ~told] = forecaster.quantiles(panel.design(origins[~told]))
    return out
