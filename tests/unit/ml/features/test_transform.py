from __future__ import annotations

import polars as pl
import pytest

from aws_auto.errors import NotEnoughData, SchemaError
from aws_auto.ml.features.transform import FeatureTransformer


def test_scaling_uses_the_median_and_quartiles_of_the_past() -> None:
    past = pl.DataFrame({"x": [0.0, 1.0, 2.0, 3.0, 1000.0], "flat": [5.0] * 5, "hour": [1, 2, 3, 4, 5]})
    scaling = FeatureTransformer().fit(past)
    later = pl.DataFrame({"x": [4.0, None], "flat": [6.0, 5.0], "hour": [7, 8]})
    assert scaling.transform(later).to_dict(as_series=False) == {"x": [1.0, None], "flat": [1.0, 0.0], "hour": [7, 8]}


def test_an_empty_column_is_left_as_it_is() -> None:
    past = pl.DataFrame({"x": pl.Series([None, None], dtype=pl.Float64)})
    assert FeatureTransformer().fit(past).figures == {}


def test_a_scale_cannot_be_learnt_from_nothing() -> None:
    with pytest.raises(NotEnoughData):
        FeatureTransformer().fit(pl.DataFrame(schema={"x": pl.Float64}))


def test_a_learnt_column_that_is_missing_is_refused() -> None:
    scaling = FeatureTransformer().fit(pl.DataFrame({"x": [1.0, 2.0]}))
    with pytest.raises(SchemaError, match="x missing"):
        scaling.transform(pl.DataFrame({"y": [1.0]}))
