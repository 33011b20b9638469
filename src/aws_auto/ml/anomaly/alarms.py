"""From judged points to alarms: one per episode, so that a person is told once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from aws_auto.frame import RESOURCE, TIMESTAMP
from aws_auto.ml.evaluation.metrics import Rhythm, episodes

if TYPE_CHECKING:
    from collections.abc import Mapping


def alarms(answers: pl.DataFrame, periods: Mapping[str, float]) -> list[dict[str, Any]]:
    """One alarm per episode, oldest first, with the facts of its worst point.

    Args:
        answers: of an `AnomalyPredictor`.
        periods: seconds between points, by resource.
    """
    found = []
    flagged = answers.filter(pl.col("is_anomaly")).sort(RESOURCE, TIMESTAMP)
    for part in flagged.partition_by(RESOURCE, maintain_order=True):
        name = part[RESOURCE][0]
        seconds = part[TIMESTAMP].dt.epoch("s").to_numpy().astype(float)
        for start, end in episodes(seconds, Rhythm(periods.get(name, 300.0))):
            inside = part.filter(pl.Series((seconds >= start) & (seconds <= end)))
            worst = inside.row(int(np.argmax(inside["score"].to_numpy())), named=True)
            found.append(
                {
                    "anomaly_id": f"{name}@{inside[TIMESTAMP][0]:%Y-%m-%dT%H:%M:%SZ}",
                    RESOURCE: name,
                    "start": inside[TIMESTAMP][0],
                    "end": inside[TIMESTAMP][-1],
                    "peak": worst[TIMESTAMP],
                    **{k: worst[k] for k in ("score", "metric", "value", "expected", "low", "high")},
                }
            )
    return sorted(found, key=lambda a: (a["start"], a[RESOURCE]))
