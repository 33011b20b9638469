from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from aws_auto.errors import SchemaError
from aws_auto.ml.features.selection import AutoFeatureSelector


@pytest.fixture
def features() -> pl.DataFrame:
    rng = np.random.default_rng(1)
    x, y = rng.normal(0, 1, 200), rng.normal(0, 1, 200)
    return pl.DataFrame(
        {
            "resource_id": ["a"] * 200,
            "thinner": [None if i % 9 == 0 else 1e9 + 2 * v for i, v in enumerate(x)],
            "x": x,
            "mirrored": -3 * x,
            "y": y,
            "empty": pl.Series([None] * 200, dtype=pl.Float64),
            "constant": [7.0] * 200,
            "known_or_not": [1.0 if i % 2 else None for i in range(200)],
            "kind": ["m5", "c5"] * 100,
            "region": ["eu"] * 200,
        }
    )


def test_columns_that_say_nothing_new_are_dropped_with_the_reason(features: pl.DataFrame) -> None:
    selection = AutoFeatureSelector().select(features)
    assert selection.kept == ("x", "y", "known_or_not", "kind")
    assert selection.dropped == {
        "thinner": "says what x says (correlation 1.0000)",
        "mirrored": "says what x says (correlation -1.0000)",
        "empty": "has no value",
        "constant": "has the same value everywhere",
        "region": "has the same value everywhere",
    }


def test_a_selection_learnt_on_the_past_is_applied_to_later_rows(features: pl.DataFrame) -> None:
    selection = AutoFeatureSelector().select(features[:150])
    assert selection.apply(features[150:]).columns == ["resource_id", *selection.kept]
    with pytest.raises(SchemaError, match="x missing"):
        selection.apply(features.drop("x"))


def test_too_few_common_rows_are_no_evidence_of_equality() -> None:
    data = pl.DataFrame({"x": [float(i) for i in range(20)], "twice": [2.0 * i for i in range(20)]})
    assert AutoFeatureSelector().select(data).kept == ("x", "twice")
    assert AutoFeatureSelector(min_rows=10).select(data).kept == ("x",)


def test_a_column_that_does_not_vary_where_another_is_known_is_not_its_twin() -> None:
    n = 100
    data = pl.DataFrame(
        {
            "steady_then_moving": [0.1] * n + [float(i) for i in range(n)],
            "first_half": [*map(float, range(n)), *[None] * n],
        }
    )
    assert AutoFeatureSelector().select(data).dropped == {}


def test_no_columns_are_no_problem() -> None:
    assert AutoFeatureSelector().select(pl.DataFrame({"resource_id": ["a"]})).kept == ()
