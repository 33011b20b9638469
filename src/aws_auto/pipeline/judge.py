"""Judge: the newest rows by a model of anomalies, from where the last run left off.

Every row after training is judged by a state that has seen all rows before it. A checkpoint keeps the states of a
moment before the window, so that a run reads and judges only what came since; without one that serves, the run starts
from the end of training, with the same answers. Rows that came late, inside of what a checkpoint has seen, are found by
counting: their series starts from the end of training again.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import polars as pl

from aws_auto.errors import ArtifactError, NotEnoughData
from aws_auto.frame import RESOURCE, TIMESTAMP, MetricFrame
from aws_auto.pipeline.ports import Checkpoint, Window
from aws_auto.pipeline.process import process

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from aws_auto.ml.recipes.anomaly_predictor import AnomalyPredictor
    from aws_auto.pipeline.ports import Workspace

MODEL = "anomaly-detector"
#: What training saw is judged by an earlier state of the model, which reads this much before the window.
HISTORY = timedelta(days=8)
#: An alarm that was on when the window starts began at most this long before, or is cut there.
LOOKBACK = timedelta(hours=12)
#: How far a checkpoint may lie behind before the next one is kept: states are large, points are cheap.
STRIDE = timedelta(hours=6)
_TICK = timedelta(microseconds=1)


def judged(
    ws: Workspace, predictor: AnomalyPredictor, variant: str, window: Window
) -> tuple[pl.DataFrame, Mapping[str, float]]:
    """Answers to the rows of the window and of some hours before it, and each resource's seconds between points.

    Args:
        ws: holds the rows and the checkpoint.
        predictor: the model.
        variant: names its version and settings.
        window: what to judge.

    Raises:
        NotEnoughData: the lake holds nothing there.
    """
    border = predictor.trained_until + _TICK
    parts = []
    if window.start < border:
        parts.append(_trained_on(ws, predictor, Window(window.start, min(border, window.end))))
    if window.end > border:
        parts.append(_since(ws, predictor, variant, Window(max(window.start - LOOKBACK, border), window.end)))
    answers = [part for part in parts if part is not None]
    if not answers:
        raise NotEnoughData(f"the lake holds no metrics and no bill between {window.start} and {window.end}")
    table = pl.concat(answers)
    return table, MetricFrame(table.select(RESOURCE, TIMESTAMP)).period()


def _trained_on(ws: Workspace, predictor: AnomalyPredictor, window: Window) -> pl.DataFrame | None:
    """Answers to rows that training has seen."""
    rows = _rows(ws, Window(window.start - HISTORY, window.end))
    return None if rows is None else _inside(predictor.predict(rows), window.start - LOOKBACK)


def _since(ws: Workspace, predictor: AnomalyPredictor, variant: str, window: Window) -> pl.DataFrame | None:
    """Answers to rows after training, from the checkpoint when there is one that serves."""
    kept = ws.checkpoints.get(MODEL, variant)
    if kept is not None and predictor.trained_until < kept.at <= window.start:
        try:
            return _from(ws, predictor, variant, window, kept)
        except ArtifactError as error:
            ws.journal.append("checkpoint unreadable", model=MODEL, variant=variant, error=str(error))
    start = Checkpoint(at=predictor.trained_until + _TICK, states={}, seen={})
    return _from(ws, predictor, variant, window, start, keep=kept is None or kept.at < window.start)


def _from(
    ws: Workspace, predictor: AnomalyPredictor, variant: str, window: Window, kept: Checkpoint, *, keep: bool = True
) -> pl.DataFrame | None:
    """Answers from a checkpoint on; a new one is kept at the start of the window when the old one lies far behind."""
    border = predictor.trained_until + _TICK
    late = _late(ws, Window(border, kept.at), kept)
    states = {name: state for name, state in kept.states.items() if name not in late}
    again = _rows(ws, Window(border, kept.at)) if late else None
    rows = _rows(ws, Window(kept.at, window.end))
    if again is not None:
        again = again.filter(pl.col(RESOURCE).is_in(list(late)))
        rows = again if rows is None else pl.concat([again, rows], how="diagonal_relaxed").sort(RESOURCE, TIMESTAMP)
    if rows is None:
        return None
    if not late and (not keep or window.start - kept.at < STRIDE):
        return _inside(predictor.stream(states, rows)[0], window.start)
    _, states = predictor.stream(states, rows.filter(pl.col(TIMESTAMP) < window.start))
    seen = _counted(ws, Window(border, window.start))
    ws.checkpoints.put(MODEL, variant, Checkpoint(at=window.start, states=states, seen=seen))
    return predictor.stream(states, rows.filter(pl.col(TIMESTAMP) >= window.start))[0]


def _late(ws: Workspace, window: Window, kept: Checkpoint) -> set[str]:
    """Resources of which the lake holds more or fewer values by now than when the checkpoint was made."""
    if not kept.seen:
        return set()
    now = _counted(ws, window)
    return {name for name in now.keys() | kept.seen.keys() if now.get(name, 0) != kept.seen.get(name, 0)}


def _counted(ws: Workspace, window: Window) -> dict[str, int]:
    """Values by resource, as they lie in the lake."""
    scan = ws.lake.scan("metrics", window)
    columns = [name for name, dtype in scan.collect_schema().items() if dtype.is_numeric()]
    if not columns:
        return {}
    counts = scan.group_by(RESOURCE).agg(pl.sum_horizontal(pl.col(columns).count()).alias("values"))
    return {str(name): int(count) for name, count in counts.collect().iter_rows()}


def _rows(ws: Workspace, window: Window) -> pl.DataFrame | None:
    """The processed rows of a window, None when there are none."""
    try:
        return process(ws, window).frame.data if window.start < window.end else None
    except NotEnoughData:
        return None


def _inside(answers: pl.DataFrame, start: datetime) -> pl.DataFrame:
    return answers.filter(pl.col(TIMESTAMP) >= start)
