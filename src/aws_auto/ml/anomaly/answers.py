"""From what a detector found to a table: an answer to each row that was asked about, or why there is none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from aws_auto.ml.anomaly.settings import within

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from aws_auto.ml.anomaly.detector import Found
    from aws_auto.ml.anomaly.grid import ResourceGrid
    from aws_auto.ml.anomaly.settings import AnomalySettings

    #: By column of the answer, and ``seen``: where there is one.
    Columns = Mapping[str, NDArray[Any]]

#: A score of one half is the threshold.
THRESHOLD = 0.5
STRANGER = "this resource was not there in training"
SILENT = "no metric has a value here"
LATE = "this row came after a newer one of its resource was judged"
EXCLUDED = "this span is excluded"
UNJUDGED = "the model has learned from this row, or too little came before it"
NUMBERS = ("score", "severity", "value", "expected", "low", "high")


def columns(
    grid: ResourceGrid, metrics: Sequence[str], found: Found, settings: AnomalySettings, *, late: int | None = None
) -> Columns:
    """Answers to the rows of one resource, in the order of the grid's rows.

    Args:
        grid: of the rows.
        metrics: its row names.
        found: what the detector says of it.
        settings: what is excluded.
        late: unix seconds; a row before it without a score came too late for one.
    """
    at = np.maximum(grid.column, 0)
    metric, ratio = found.metric[at], found.ratio[at]
    expected, width = found.judged.expected[metric, at], found.width[metric, at]
    valued = np.isfinite(grid.values[:, at]).any(axis=0) & (grid.column >= 0)
    seen = valued & np.isfinite(found.judged.expected[:, at]).any(axis=0)
    why = np.where(grid.times[at] < (late or 0), LATE, UNJUDGED)
    why = np.where(within(grid, settings.excluded)[at], EXCLUDED, why)
    return {
        "seen": seen,
        "score": ratio / (1 + ratio),
        "is_anomaly": found.alarm[at],
        "severity": found.severity[at],
        "metric": np.array(metrics, dtype=object)[metric],
        "value": grid.values[metric, at],
        "expected": expected,
        "low": expected - width,
        "high": expected + width,
        "note": np.where(valued, why, SILENT),
    }


def nothing(rows: int) -> Columns:
    """No answer to the rows of a resource that the model does not know."""
    unknown = np.full(rows, np.nan)
    return {
        "seen": np.zeros(rows, dtype=bool),
        "is_anomaly": np.zeros(rows, dtype=bool),
        "metric": np.full(rows, "", dtype=object),
        "note": np.full(rows, STRANGER),
        **dict.fromkeys(NUMBERS, unknown),
    }


def table(keys: pl.DataFrame, parts: Sequence[Columns]) -> pl.DataFrame:
    """The answers of all resources behind their keys; null where there is none, and a note instead."""
    parts = parts or [nothing(0)]
    every = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    seen = pl.Series(every["seen"])
    answers = keys.with_columns(
        threshold=pl.lit(THRESHOLD),
        is_anomaly=pl.Series(every["is_anomaly"]),
        metric=pl.Series(every["metric"].tolist(), dtype=pl.String),
        note=pl.Series(every["note"].tolist(), dtype=pl.String),
        **{name: pl.Series(every[name], dtype=pl.Float64).fill_nan(None) for name in NUMBERS},
    )
    known = ("score", "threshold", "is_anomaly", "severity", "metric", "value", "expected", "low", "high")
    return answers.select(
        *keys.columns,
        *(pl.when(seen).then(pl.col(name)).alias(name) for name in known),
        pl.when(~seen).then(pl.col("note")).alias("note"),
    )
