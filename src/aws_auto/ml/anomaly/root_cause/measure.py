"""Evidence of each metric: how unusual, since when, and how it moves with the symptom."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from aws_auto.ml.anomaly.root_cause.results import Evidence
from aws_auto.ml.anomaly.root_cause.trace import THIN, row_median

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from numpy.typing import NDArray

    from aws_auto.ml.anomaly.root_cause.axis import Axis, Floats
    from aws_auto.ml.anomaly.root_cause.trace import Trace

#: Deviations below the first are nothing, from the second on they are all alike.
_QUIET, _LOUD = 1.5, 1000.0
_CALM = 0.25
_MOST_LAG = 6
_FEWEST_PAIRS = 4
_LASTING = 3.0
_CLIP = 100.0
_JUST_BEFORE = 10


@dataclass(frozen=True)
class Symptom:
    """When the incident was felt, and how much.

    Attributes:
        profile: by slot of the incident, 0 (not felt) to 1.
        series: the symptom in units of its spread on the axis; all NaN when no single metric was named.
        onset: slot of the first lasting change, None when there is none.
        calm: by slot of the incident, whether it was absent.
    """

    profile: Floats
    series: Floats
    onset: int | None
    calm: NDArray[np.bool_]


def whole(axis: Axis) -> Symptom:
    """No single metric was named: the incident is felt alike in all of its slots."""
    return Symptom(np.ones(axis.length), np.full(axis.end, np.nan), None, np.zeros(axis.length, dtype=bool))


def first_look(values: Floats, axis: Axis) -> NDArray[np.bool_]:
    """Calm slots of the symptom's own row, before its expectation is known: those nearest to its past."""
    inside = values[axis.start :]
    past = values[: axis.start][np.isfinite(values[: axis.start])]
    if not np.isfinite(inside).any():
        return np.zeros(axis.length, dtype=bool)
    base = np.median(past[-THIN:]) if len(past) else inside[np.isfinite(inside)][0]
    distance = np.nan_to_num(np.abs(inside - base), nan=np.inf)
    largest = distance[np.isfinite(distance)].max()
    return np.asarray(distance < _CALM * largest) if largest > 0 else np.ones(axis.length, dtype=bool)


def symptom(traced: Trace, row: int, axis: Axis) -> Symptom:
    """The symptom as felt: the direction in which it went furthest, and how far at each slot."""
    series = np.clip((traced.residual[row] - traced.offset[row]) / traced.point[row], -_CLIP, _CLIP)
    inside = np.nan_to_num(series[axis.start :])
    side = 1.0 if inside.max() >= -inside.min() else -1.0
    felt = np.clip(side * inside - 1.0, 0.0, None)
    profile = felt / felt.max() if felt.max() > 0 else np.ones(axis.length)
    return Symptom(profile, series, onsets(traced, axis, np.array([side] * len(traced.metrics)))[row], profile < _CALM)


def evidence(traced: Trace, felt: Symptom, axis: Axis) -> list[Evidence]:
    """One for each row that was seen at least once during the incident."""
    inside = traced.values[:, axis.start :]
    seen = np.isfinite(inside)
    weight = np.where(seen, np.maximum(felt.profile, 1e-6), 0.0)
    total = np.maximum(weight.sum(axis=1), 1e-12)
    during, expected = (_mean(x[:, axis.start :], weight, total) for x in (traced.values, traced.expected))
    apart = during - expected
    slots = int(np.clip(round(felt.profile.sum() ** 2 / (felt.profile**2).sum()), 1, 24))
    level, change = traced.spreads(axis, slots)
    z_past, z_local = apart / level, (apart - traced.offset) / change
    begin = onsets(traced, axis, np.sign(z_local))
    correlation, lag = lagged(traced, felt, axis)
    trend, share = _trend(inside), _share(traced, axis)
    return [
        Evidence(
            resource=traced.resource,
            metric=metric,
            before=float(expected[i] + traced.offset[i]),
            during=float(during[i]),
            z_past=float(z_past[i]),
            z_local=float(z_local[i]),
            strength=_strength(float(z_past[i]), float(z_local[i])),
            share=float(share[i]),
            onset=_moment(axis, begin[i]),
            correlation=None if np.isnan(correlation[i]) else float(correlation[i]),
            lag=_span(axis, correlation[i], int(lag[i])),
            trend=float(trend[i]),
            points=(int(traced.observed[i]), int(seen[i].sum())),
        )
        for i, metric in enumerate(traced.metrics)
        if seen[i].any() and np.isfinite(z_past[i])
    ]


def lagged(traced: Trace, felt: Symptom, axis: Axis) -> tuple[Floats, NDArray[np.int64]]:
    """Pearson correlation with the symptom at the lag where it is largest; a positive lag means that the row leads.

    A small toll on each slot of lag keeps noise from choosing far ones. NaN with fewer than four common points.
    """
    start = max(axis.start - max(axis.length, 12), 0)
    scaled = (traced.residual - traced.offset[:, None]) / traced.point[:, None]
    rows, other = np.clip(scaled[:, start:], -_CLIP, _CLIP), felt.series[start:]
    best = np.full(len(rows), np.nan)
    lag = np.zeros(len(rows), dtype=np.int64)
    toll = np.full(len(rows), -np.inf)
    most = min(_MOST_LAG, len(other) // 6)
    for step in range(-most, most + 1):
        left = rows[:, : len(other) - step] if step >= 0 else rows[:, -step:]
        right = other[step:] if step >= 0 else other[: len(other) + step]
        found = pearson(left, right)
        worth = np.nan_to_num(np.abs(found), nan=-np.inf) - 0.02 * abs(step)
        better = worth > toll
        best, lag, toll = np.where(better, found, best), np.where(better, step, lag), np.where(better, worth, toll)
    return best, lag


def pearson(rows: Floats, other: Floats) -> Floats:
    """Correlation of each row with ``other`` over the points both have; 0 for a constant, NaN below four points."""
    both = np.isfinite(rows) & np.isfinite(other)
    count = both.sum(axis=1)
    size = np.maximum(count, 1)
    x, y = np.where(both, rows, 0.0), np.where(both, other, 0.0)
    x = np.where(both, x - (x.sum(axis=1) / size)[:, None], 0.0)
    y = np.where(both, y - (y.sum(axis=1) / size)[:, None], 0.0)
    norm = np.sqrt((x**2).sum(axis=1) * (y**2).sum(axis=1))
    found = np.divide((x * y).sum(axis=1), norm, out=np.zeros(len(rows)), where=norm > 1e-9)
    return np.where(count >= _FEWEST_PAIRS, np.clip(found, -1.0, 1.0), np.nan)


def onsets(traced: Trace, axis: Axis, side: Floats) -> list[int | None]:
    """By row, the first of two slots in a row that lie three spreads out on that side; looks back one length."""
    start = max(axis.start - min(max(axis.length, 6), 36), 0)
    apart = (traced.residual - traced.offset[:, None])[:, start:] * side[:, None]
    out = np.asarray(apart > _LASTING * traced.point[:, None], dtype=np.bool_)
    lasting = out.copy()
    lasting[:, :-1] &= out[:, 1:]
    chosen = np.where(np.any(lasting, axis=1, keepdims=True), lasting, out)
    return [start + int(row.argmax()) if row.any() else None for row in chosen]


def _strength(z_past: float, z_local: float) -> float:
    """Mean of both on a logarithmic scale; opposite signs leave half of the larger."""
    past, local = _loudness(z_past), _loudness(z_local)
    return 0.5 * (past + local) if z_past * z_local > 0 else 0.5 * max(past, local)


def _loudness(z: float) -> float:
    return float(np.clip(np.log(max(abs(z), _QUIET) / _QUIET) / np.log(_LOUD / _QUIET), 0.0, 1.0))


def _mean(values: Floats, weight: Floats, total: Floats) -> Floats:
    return np.asarray((np.where(weight > 0, values, 0.0) * weight).sum(axis=1) / total)


def _share(traced: Trace, axis: Axis) -> Floats:
    """Largest change from just before the incident, over the range of everything seen up to now."""
    recent = traced.values[:, max(axis.start - _JUST_BEFORE, 0) : axis.start]
    seen = np.isfinite(recent)
    level = np.where(seen, recent, 0.0).sum(axis=1) / np.maximum(seen.sum(axis=1), 1)
    level = np.where(seen.any(axis=1), level, traced.expected[:, -1])
    apart = np.abs(traced.values[:, axis.start :] - level[:, None])
    known = np.isfinite(traced.values)
    high = np.where(known, traced.values, -np.inf).max(axis=1)
    low = np.where(known, traced.values, np.inf).min(axis=1)
    largest = np.nan_to_num(apart).max(axis=1)
    share = np.divide(largest, high - low, out=np.zeros(len(largest)), where=high > low)
    return np.asarray(np.clip(share, 0.0, 1.0))


def _trend(inside: Floats) -> Floats:
    time = np.arange(inside.shape[1], dtype=np.float64)
    centred = inside - row_median(inside)[:, None]
    return np.nan_to_num(pearson(centred, time))


def _moment(axis: Axis, slot: int | None) -> datetime | None:
    return None if slot is None else axis.moment(slot)


def _span(axis: Axis, correlation: float, lag: int) -> timedelta | None:
    return None if np.isnan(correlation) else axis.span(lag)
