"""Bring feature columns to one scale, with figures learnt from the past only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from aws_auto.errors import NotEnoughData
from aws_auto.frame import KEYS, MetricFrame

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class RobustScaling:
    """``(value - median) / (q75 - q25)`` by column, as learnt by `FeatureTransformer.fit`.

    Attributes:
        figures: column to (median, interquartile range); a range of 0 became 1, so that such a column is only centred.
    """

    figures: Mapping[str, tuple[float, float]]

    def transform(self, features: pl.DataFrame) -> pl.DataFrame:
        """The same table with the learnt columns scaled; other columns and nulls stay as they are.

        Raises:
            SchemaError: a learnt column is not there.
        """
        MetricFrame(features).require(self.figures)
        return features.with_columns((pl.col(name) - middle) / width for name, (middle, width) in self.figures.items())


@dataclass(frozen=True)
class FeatureTransformer:
    """Robust scaling of continuous columns: one outlier moves neither the median nor the quartiles.

    Integer columns (hours, weekdays, flags) and text are left alone: they are categories.
    """

    def fit(self, past: pl.DataFrame) -> RobustScaling:
        """Learn from past rows; apply the answer to those and to all later ones.

        Raises:
            NotEnoughData: there is no row.
        """
        if past.is_empty():
            raise NotEnoughData("there are no rows to learn a scale from")
        figures = {}
        for name, dtype in past.schema.items():
            values = past[name].drop_nulls()
            if name in KEYS or not dtype.is_float() or values.is_empty():
                continue
            low, middle, high = (values.quantile(q, "linear") or 0.0 for q in (0.25, 0.5, 0.75))
            figures[name] = (middle, high - low or 1.0)
        return RobustScaling(figures)
