"""Robust lines for many series: one for all, and one for each that is drawn to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from aws_auto.ml.forecast.boosted import least_absolute

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

#: How strongly a series' own line is drawn to the line of all: it counts as much as so many rows.
TIE = 10.0
REWEIGHTINGS = 4
#: No error of a series counts for more than one over this share of its typical error does.
LIGHTEST = 0.1
NEGLIGIBLE = 1e-9


def line_of_all(base: Floats, target: Floats, chosen: NDArray[np.bool_]) -> Floats:
    """Least absolute error over the chosen cells, a line for each step, the constant last, ``(S, k + 1)``.

    Args:
        base: ``(R, O, S, k)``, finite where chosen.
        target: ``(R, O, S)``, finite where chosen.
        chosen: ``(R, O, S)``.
    """
    steps = range(target.shape[2])
    return np.stack(
        [least_absolute(with_one(base[:, :, s][chosen[:, :, s]]), target[:, :, s][chosen[:, :, s]]) for s in steps]
    )


def on_line(lines: Floats, base: Floats) -> Floats:
    """Lines ``(R, S, k + 1)`` on columns ``(R, O, S, k)``."""
    return np.asarray(np.matmul(base[..., None, :], lines[:, None, :, :-1, None])[..., 0, 0] + lines[:, None, :, -1])


def own_lines(lines: Floats, base: Floats, target: Floats) -> Floats:
    """Least absolute error for each series and step with a ridge towards the line of all, ``(R, S, k + 1)``."""
    out = np.empty((len(base), *lines.shape))
    for row in range(len(base)):
        for step, common in enumerate(lines):
            known = np.isfinite(target[row, :, step])
            out[row, step] = _drawn(common, with_one(base[row, known, step]), target[row, known, step])
    return out


def _drawn(common: Floats, columns: Floats, target: Floats) -> Floats:
    own = common
    if not len(target):
        return own
    for _ in range(REWEIGHTINGS):
        error = np.abs(target - columns @ own)
        typical = max(float(np.median(error)), NEGLIGIBLE)
        weight = typical / np.maximum(error, LIGHTEST * typical)
        weighted = columns * (weight / weight.mean())[:, None]
        ridge = TIE * np.eye(len(common))
        own = common + np.linalg.solve(weighted.T @ columns + ridge, weighted.T @ (target - columns @ common))
    return np.asarray(own)


def with_one(base: Floats) -> Floats:
    """Columns with a constant as the last one."""
    return np.concatenate([base, np.ones((len(base), 1))], axis=1)
