"""From judged points to alarms: one per episode, so that a person is told once."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from aws_auto.frame import RESOURCE, TIMESTAMP
from aws_auto.ml.evaluation.metrics import Rhythm, episodes

if TYPE_CHECKING:
    from collections.abc import Mapping


#: Two alarms that close together are told both only when the second is worse by this much severity.
WORSE = 0.25


def alarms(
    answers: pl.DataFrame, periods: Mapping[str, float], *, cool_down: timedelta = timedelta(0)
) -> list[dict[str, Any]]:
    """One alarm per episode, oldest first, with the facts of its worst point.

    Args:
        answers: of an `AnomalyPredictor`.
        periods: seconds between points, by resource.
        cool_down: after the end of a resource's alarm, how long only one that is worse by a level is told.
    """
    found = []
    flagged = answers.filter(pl.col("is_anomaly")).sort(RESOURCE, TIMESTAMP)
    for part in flagged.partition_by(RESOURCE, maintain_order=True):
        found += _told(_episodes(part, Rhythm(periods.get(part[RESOURCE][0], 300.0))), cool_down)
    return sorted(found, key=lambda a: (a["start"], a[RESOURCE]))


def spans(scores: pl.DataFrame, periods: Mapping[str, float], threshold: float) -> list[dict[str, Any]]:
    """Episodes of scores over a threshold: ``resource_id, start, end, score`` (the highest), oldest first."""
    found = []
    for part in scores.filter(pl.col("score") >= threshold).partition_by(RESOURCE, maintain_order=True):
        name, seconds = part[RESOURCE][0], part[TIMESTAMP].dt.epoch("s").to_numpy().astype(float)
        for start, end in episodes(seconds, Rhythm(periods.get(name, 300.0))):
            inside = part.filter(pl.Series((seconds >= start) & (seconds <= end)))
            ends = {"start": inside[TIMESTAMP][0], "end": inside[TIMESTAMP][-1]}
            found.append({RESOURCE: name, **ends, "score": float(inside["score"].to_numpy().max())})
    return sorted(found, key=lambda a: (a["start"], a[RESOURCE]))


def _episodes(part: pl.DataFrame, rhythm: Rhythm) -> list[dict[str, Any]]:
    name, seconds, out = part[RESOURCE][0], part[TIMESTAMP].dt.epoch("s").to_numpy().astype(float), []
    for start, end in episodes(seconds, rhythm):
        inside = part.filter(pl.Series((seconds >= start) & (seconds <= end)))
        worst = inside.row(int(np.argmax(inside["score"].to_numpy())), named=True)
        out.append(
            {
                "anomaly_id": f"{name}@{inside[TIMESTAMP][0]:%Y-%m-%dT%H:%M:%SZ}",
                RESOURCE: name,
                "start": inside[TIMESTAMP][0],
                "end": inside[TIMESTAMP][-1],
                "peak": worst[TIMESTAMP],
                **{k: worst[k] for k in ("score", "severity", "metric", "value", "expected", "low", "high")},
            }
        )
    return out


def _told(found: list[dict[str, Any]], cool_down: timedelta) -> list[dict[str, Any]]:
    told: list[dict[str, Any]] = []
    for alarm in found:
        cooling = bool(told) and cool_down > timedelta(0) and alarm["start"] - told[-1]["end"] <= cool_down
        if not cooling or alarm["severity"] >= told[-1]["severity"] + WORSE:
            told.append(alarm)
    return told
