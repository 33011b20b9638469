"""Anomalies of realistic kinds, put into real data: truth for a back-test where nobody has labelled anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from aws_auto.ml.anomaly.grid import DAY

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from aws_auto.ml.anomaly.grid import ResourceGrid

    Floats = NDArray[np.float64]

KINDS = ("spike", "level shift", "slow ramp", "dropout")
#: Length in seconds and in points, whichever is longer.
LENGTHS = {"spike": (300, 1), "level shift": (4 * 3600, 4), "slow ramp": (5 * 3600, 5), "dropout": (1800, 2)}
LATEST_START = 17 * 3600


def inject(grid: ResourceGrid, size: Floats, rng: np.random.Generator) -> tuple[ResourceGrid, Floats, list[str]]:
    """One anomaly on every second day of the grid, in one metric of the resource each.

    Spike, shift and ramp are 0.5 to 1.5 times ``size`` (the usual range of the metric) up or down, a dropout falls
    to zero. Nothing is pushed below zero in a metric that never was.

    Args:
        grid: held-back data.
        size: by metric; those without a positive size are left alone.
        rng: seeded.

    Returns:
        The altered grid, first and last second of each anomaly ``(n, 2)``, and their kinds.
    """
    values = grid.values.copy()
    able = np.flatnonzero((size > 0) & (np.isfinite(values).mean(axis=1) > 0.5))
    times = grid.times
    events, kinds = [], []
    turn = int(rng.integers(len(KINDS)))
    for day in range(int(times[0] // DAY) + 1, int(times[-1] // DAY), 2) if len(able) else ():
        kind = KINDS[turn % len(KINDS)]
        metric = int(rng.choice(able))
        start = day * DAY + int(rng.integers(LATEST_START))
        factor = rng.uniform(0.5, 1.5) * (1 if rng.random() < 0.5 else -1)
        seconds, points = LENGTHS[kind]
        first = int(np.searchsorted(times, start))
        last = min(first + grid.points(seconds, points), len(times)) - 1
        if last < first:
            continue
        turn += 1
        values[metric, first : last + 1] = _altered(values[metric], first, last, kind, factor * size[metric])
        events.append((times[first], times[last]))
        kinds.append(kind)
    return grid.replaced(values), np.array(events, dtype=float).reshape(-1, 2), kinds


def _altered(row: Floats, first: int, last: int, kind: str, change: float) -> Floats:
    part = row[first : last + 1]
    if kind == "dropout":
        return np.where(np.isfinite(part), 0.0, np.nan)
    shape = np.linspace(1 / len(part), 1, len(part)) if kind == "slow ramp" else np.ones(len(part))
    with np.errstate(invalid="ignore"):
        floor = 0.0 if np.nanmin(row) >= 0 else -np.inf
        return np.asarray(np.where(np.isfinite(part), np.maximum(part + change * shape, floor), np.nan))


def usual_range(values: Floats) -> Floats:
    """From the 5 % to the 95 % quantile of each row, 0 without points: the size of anomalies that `inject` is given."""
    out = np.zeros(len(values))
    for i, row in enumerate(values):
        seen = row[np.isfinite(row)]
        if len(seen):
            low, high = np.quantile(seen, [0.05, 0.95])
            out[i] = high - low
    return out
