"""Whether feature columns hold what their names promise, and whether they could have been known at the time."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import polars as pl

from aws_auto.frame import KEYS, TIMESTAMP, MetricFrame

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

_RANGES = {
    "hour_of_day": (0, 23),
    "day_of_week": (0, 6),
    "month": (1, 12),
    "month_of_year": (1, 12),
    "quarter": (1, 4),
    "week_of_year": (1, 53),
}
_RANGES_BY_SUFFIX = {
    "_sin": (-1, 1),
    "_cos": (-1, 1),
    "_share_24h": (0, 1),
    "_std_24h": (0, float("inf")),
    "_std_7d": (0, float("inf")),
}
_FLAGS = ("spot_vs_ondemand", "reserved_capacity")
_SUFFIXES_IN_ORDER = ("_min_24h", "_mean_24h", "_max_24h")


@dataclass(frozen=True, order=True)
class FeatureProblem:
    """One thing that is wrong with one column."""

    column: str
    message: str

    def __str__(self) -> str:
        return f"{self.column}: {self.message}"


@dataclass(frozen=True, kw_only=True)
class FeatureValidator:
    """Checks ranges, completeness and, given the way they are made, that features do not look ahead.

    Attributes:
        completeness: smallest share of known values in a column, the specification's ``completeness_threshold``.
    """

    completeness: float = 0.95

    def validate(self, features: pl.DataFrame) -> tuple[FeatureProblem, ...]:
        """Everything that is wrong, by column; empty when all is well."""
        found = []
        for name in features.columns:
            if name in KEYS:
                continue
            column = features[name]
            found += [FeatureProblem(name, said) for said in (self._incomplete(column), _outside(column)) if said]
            if said := _out_of_order(features, name):
                found.append(FeatureProblem(name, said))
        return tuple(sorted(found))

    def looks_ahead(
        self, frame: MetricFrame, compute: Callable[[MetricFrame], pl.DataFrame], *, at: datetime
    ) -> tuple[FeatureProblem, ...]:
        """The columns of ``compute`` that change at or before ``at`` when all rows after ``at`` are taken away.

        A feature that passes for many moments could have been known at the time; `aws_auto.ml.features.assemble.build`
        does. Values may differ by a billionth, which is rounding.

        Args:
            frame: the metrics, with rows on both sides of ``at``.
            compute: makes ``resource_id, timestamp`` and features of a frame.
            at: the last moment that is known.
        """
        past = MetricFrame(frame.data.filter(pl.col(TIMESTAMP) <= at), frame.report)
        with_future = compute(frame).filter(pl.col(TIMESTAMP) <= at).sort(KEYS)
        without = compute(past).sort(KEYS)
        if with_future.columns != without.columns:
            odd = sorted({*with_future.columns} ^ {*without.columns})
            return tuple(FeatureProblem(name, "is there only with, or only without, the future") for name in odd)
        changed = [name for name in without.columns if not _equal(with_future[name], without[name])]
        return tuple(
            FeatureProblem(name, f"changes when what came after {at:%Y-%m-%dT%H:%MZ} is taken away") for name in changed
        )

    def _incomplete(self, column: pl.Series) -> str | None:
        if column.is_empty():
            return "has no rows"
        known = 1 - column.null_count() / len(column)
        return None if known >= self.completeness else f"{known:.1%} is known, {self.completeness:.1%} is wanted"


def _outside(column: pl.Series) -> str | None:
    if not column.dtype.is_numeric():
        return None
    if column.dtype.is_float() and not column.drop_nulls().is_finite().all():
        return "holds values that are not finite"
    limits = _limits(column.name)
    if limits is None:
        return None
    outside = int((~column.is_between(*limits)).sum() or 0)
    return f"{outside} values lie outside {limits[0]} to {limits[1]}" if outside else None


def _limits(name: str) -> tuple[float, float] | None:
    if name.startswith("is_") or name in _FLAGS:
        return (0, 1)
    by_suffix = (limits for suffix, limits in _RANGES_BY_SUFFIX.items() if name.endswith(suffix))
    return _RANGES.get(name) or next(by_suffix, None)


def _out_of_order(features: pl.DataFrame, name: str) -> str | None:
    """Minimum, mean and maximum of one window in this order, up to rounding."""
    for low, high in pairwise(_SUFFIXES_IN_ORDER):
        upper = name.removesuffix(low) + high
        if not name.endswith(low) or upper not in features.columns:
            continue
        slack = 1e-9 * features[upper].abs() + 1e-9
        count = int((features[name] > features[upper] + slack).sum() or 0)
        if count:
            return f"is above {upper} in {count} rows"
    return None


def _equal(left: pl.Series, right: pl.Series) -> bool:
    if len(left) != len(right) or left.dtype != right.dtype or not left.is_null().equals(right.is_null()):
        return False
    if not left.dtype.is_float():
        return left.equals(right)
    near = (left - right).abs() <= 1e-9 * (left.abs() + right.abs()) / 2 + 1e-12
    return bool(near.all())
