"""Which feature columns carry nothing that another does not carry already.

Unsupervised and by plain rules: no target is read, so the choice cannot leak one. Ranking by usefulness for a target
(mutual information, lasso, recursive elimination) is the business of the AutoML pipeline.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from aws_auto.frame import KEYS, MetricFrame

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray


@dataclass(frozen=True)
class Selection:
    """What was kept, and the reason for each column that was dropped."""

    kept: tuple[str, ...]
    dropped: Mapping[str, str] = field(default_factory=dict)

    def apply(self, features: pl.DataFrame) -> pl.DataFrame:
        """The key columns that are there, and the kept columns.

        Raises:
            SchemaError: a kept column is not there.
        """
        MetricFrame(features).require(self.kept)
        return features.select(*(k for k in KEYS if k in features.columns), *self.kept)


@dataclass(frozen=True, kw_only=True)
class AutoFeatureSelector:
    """Drops empty and constant columns, and of each pair that says the same the one with more nulls.

    Attributes:
        max_correlation: two columns whose absolute Pearson correlation is above this say the same.
        min_rows: pairs with fewer common values than this are left alone: too few to call them equal.
    """

    max_correlation: float = 0.999
    min_rows: int = 30

    def select(self, features: pl.DataFrame) -> Selection:
        """Judge the columns of past rows; apply the answer to those and to all later ones."""
        reasons = {name: reason for name in _names(features) if (reason := _says_nothing(features[name]))}
        numeric = [n for n in _names(features) if n not in reasons and features[n].dtype.is_numeric()]
        reasons |= self._repeated(features.select(numeric))
        kept = tuple(name for name in _names(features) if name not in reasons)
        return Selection(kept, {name: reasons[name] for name in _names(features) if name in reasons})

    def _repeated(self, numbers: pl.DataFrame) -> dict[str, str]:
        names = numbers.columns
        if len(names) < 2:
            return {}
        correlation = _pairwise_correlation(numbers.cast(pl.Float64).to_numpy(), self.min_rows)
        fullest_first = sorted(range(len(names)), key=lambda i: numbers[names[i]].null_count())
        kept: list[int] = []
        dropped: dict[str, str] = {}
        for i in fullest_first:
            twin = next((k for k in kept if abs(correlation[i, k]) > self.max_correlation), None)
            if twin is None:
                kept.append(i)
            else:
                dropped[names[i]] = f"says what {names[twin]} says (correlation {correlation[i, twin]:.4f})"
        return dropped


def _names(features: pl.DataFrame) -> list[str]:
    return [name for name in features.columns if name not in KEYS]


def _says_nothing(column: pl.Series) -> str | None:
    distinct = column.drop_nulls().n_unique()
    if distinct == 0:
        return "has no value"
    if distinct == 1 and not column.null_count():
        return "has the same value everywhere"
    return None


def _pairwise_correlation(values: NDArray[np.float64], min_rows: int) -> NDArray[np.float64]:
    """Pearson correlation of every pair over the rows where both are known; 0 where too few are."""
    known = np.isfinite(values)
    centre = np.nanmean(np.where(known, values, np.nan), axis=0)
    x = np.where(known, values - centre, 0.0)
    weight = known.astype(np.float64)
    n = weight.T @ weight
    total, squares, products = x.T @ weight, (x * x).T @ weight, x.T @ x
    covariance = n * products - total * total.T
    spread = n * squares - total**2
    scale = np.sqrt(np.maximum(spread * spread.T, 0.0))
    # A column that does not vary on the common rows has no correlation; its rounding noise must not look like one.
    usable = (n >= min_rows) & (np.minimum(spread, spread.T) > 1e-12 * np.maximum(n * squares, 1e-300))
    return np.where(usable & (scale > 0), covariance / np.where(scale > 0, scale, 1.0), 0.0)
