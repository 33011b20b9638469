"""Boosted trees over the other members' forecasts and the shape of the last days, one model for all series.

Everything is in units of a series' mean day of four weeks. For the back-test the trees are fitted anew every fortnight,
each time on days that were over then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

NAME = "boosted trees"
_MONTH, _FORTNIGHT = 28, 14
#: Fewer days than this teach trees nothing that a level does not know.
LEAST_ROWS = 300
_TREES = 60
_MOST = 6.0


def forecasts(past: Floats, said: Floats, truth: Floats, origins: Ints, *, seed: int) -> Floats:
    """What the trees say at each origin, ``(origins, series, ahead)``; nan where there was too little to learn from.

    Args:
        past: cost by day, ``(series, days)``, without a gap.
        said: the other members, ``(origins, series, members, ahead)``.
        truth: what came, ``(origins, series, ahead)``, nan where unknown.
        origins: days known at each origin, ascending.
        seed: of the rows that each tree sees.
    """
    ahead = truth.shape[-1]
    unit = np.stack([np.abs(past[:, max(o - _MONTH, 0) : o]).mean(axis=1) for o in origins])
    unit = np.where(unit > 0, unit, np.nan)
    known = np.stack([_features(past[:, :o], said[i], unit[i]) for i, o in enumerate(origins)])
    target = np.clip(truth / unit[..., None], 0.0, _MOST)
    answers = np.full(truth.shape, np.nan)
    trees = None
    for i, origin in enumerate(origins):
        if (len(origins) - 1 - i) % _FORTNIGHT == 0 or i == 0:
            over = origins[:i, None] + np.arange(ahead)[None] < origin
            trees = _fitted(known[:i], np.where(over[:, None], target[:i], np.nan), seed)
        if trees is not None:
            answers[i] = _asked(trees, known[i]) * unit[i][:, None]
    return np.asarray(np.maximum(answers, 0.0))


def _features(past: Floats, said: Floats, unit: Floats) -> Floats:
    """``(series, ahead, features)``: how the last fortnight moved, what the members say, and how far ahead it is."""
    recent = past[:, -_FORTNIGHT:] / unit[:, None]
    recent = np.pad(recent, ((0, 0), (_FORTNIGHT - recent.shape[1], 0)), mode="edge")
    moves = np.abs(np.diff(recent, axis=1))
    shape = [
        recent[:, -2],
        recent[:, -3],
        recent[:, -7:].std(axis=1),
        recent.std(axis=1),
        recent.min(axis=1),
        recent.max(axis=1),
        moves.mean(axis=1),
    ]
    ahead = said.shape[-1]
    count = len(past)
    fixed = np.broadcast_to(np.stack(shape, axis=1)[:, None], (count, ahead, len(shape)))
    members = np.swapaxes(said, 1, 2) / unit[:, None, None]
    far = np.broadcast_to(np.arange(ahead, dtype=float)[None, :, None], (count, ahead, 1))
    return np.concatenate([fixed, members, far], axis=2)


def _fitted(known: Floats, target: Floats, seed: int) -> Any:  # noqa: ANN401 - an xgboost.Booster
    """Trees for the median; None where there is too little."""
    use = np.isfinite(target)
    if use.sum() < LEAST_ROWS:
        return None
    import xgboost

    settings = {
        "objective": "reg:absoluteerror",
        "max_depth": 4,
        "eta": 0.1,
        "subsample": 0.7,
        "min_child_weight": max(10, int(use.sum()) // 300),
        "nthread": 1,
        "seed": seed,
    }
    return xgboost.train(settings, xgboost.DMatrix(known[use], target[use]), _TREES)


def _asked(trees: Any, known: Floats) -> Floats:  # noqa: ANN401 - see `_fitted`
    import xgboost

    answers = trees.predict(xgboost.DMatrix(known.reshape(-1, known.shape[-1])))
    return np.asarray(answers, dtype=float).reshape(known.shape[:-1])
