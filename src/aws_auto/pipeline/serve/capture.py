"""Remember what was asked and answered, so that drift and quality can be judged later.

Answers are buffered in memory and flushed to the lake's dataset ``predictions``, one row per instance::

    timestamp  model  version  request_id  row  features (JSON)  prediction (JSON)  latency_ms  extrapolated

A flush is atomic. A process killed outright loses at most the buffer: what was answered since the last flush. The
buffer is bounded; when the lake cannot take rows for so long that it overflows, the oldest go first and are counted.

What truly happened arrives later, by ``request_id`` and ``row``, and goes to the dataset ``truth_labels``::

    timestamp (of the answer)  model  version  request_id  row  observed  known_at
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import polars as pl

from aws_auto.errors import AwsAutoError, NotEnoughData, SchemaError
from aws_auto.frame import RESOURCE, TIME_DTYPE, TIMESTAMP
from aws_auto.pipeline.ports import Batch, Window
from aws_auto.pipeline.serve.predict import EXTRAPOLATED

if TYPE_CHECKING:
    from aws_auto.pipeline.ports import Lake, Workspace

DATASET = "predictions"
TRUTH = "truth_labels"
IDENTITY = ("request_id", "row")
_KEYS = (TIMESTAMP, *IDENTITY)
#: Rows held in memory at most.
MOST_BUFFERED = 100_000
FLUSH_EVERY_SECONDS = 5.0
#: Flushing may take this share of the time: on a slow disk it is done less often.
FLUSH_SHARE = 0.05

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Captured:
    """One answered request. ``features`` and ``predictions`` have one row per instance, in the same order."""

    at: datetime
    model: str
    version: int
    request_id: str
    features: pl.DataFrame
    predictions: pl.DataFrame
    latency_ms: float


@dataclass(frozen=True, kw_only=True)
class TruthReport:
    """What became of observed values: how many were stored, and how many fit no captured answer."""

    stored: int
    unmatched: int


class Capture:
    """The bounded buffer in front of the lake. Safe to call from many threads."""

    def __init__(self, lake: Lake, *, most: int = MOST_BUFFERED) -> None:
        self._lake = lake
        self._most = most
        self._held: deque[Captured] = deque()
        self._rows = 0
        self._lock = threading.Lock()
        self._flushing = threading.Lock()
        self.dropped = 0
        self.stored = 0

    @property
    def buffered(self) -> int:
        """Rows that a kill would lose now."""
        return self._rows

    def add(self, answered: Captured) -> None:
        """Remember one answer; when the buffer is full the oldest answers go."""
        with self._lock:
            self._held.append(answered)
            self._rows += len(answered.features)
            self._trim()

    def flush(self) -> int:
        """Write what is buffered to the lake in one step; returns the rows stored.

        When the lake refuses, nothing is lost and the reason is logged: answering goes on, the next flush tries again.
        """
        with self._flushing:
            with self._lock:
                batch, self._held, self._rows = list(self._held), deque(), 0
            if not batch:
                return 0
            try:
                stored = self._lake.write(_batch(batch))
            except (AwsAutoError, OSError) as error:
                _log.warning("%d captured requests wait in memory: %s", len(batch), error)
                self._put_back(batch)
                return 0
            self.stored += stored
            return stored

    def _put_back(self, batch: list[Captured]) -> None:
        with self._lock:
            self._held.extendleft(reversed(batch))
            self._rows += sum(len(one.features) for one in batch)
            self._trim()

    def _trim(self) -> None:
        while self._rows > self._most and self._held:
            gone = len(self._held.popleft().features)
            self._rows -= gone
            self.dropped += gone


def captured(lake: Lake, model: str, *, window: Window | None = None, version: int | None = None) -> pl.DataFrame:
    """Captured answers of one model with the features and the prediction as columns again.

    Args:
        lake: where they are.
        model: the registry's name.
        window: when they were answered; None means ever.
        version: only of this version.

    Returns:
        ``answered_at, version, request_id, row, latency_ms, extrapolated``, the model's input columns (``resource_id``
        and ``timestamp`` among them), and its output columns; an output that is named like an input is called
        ``predicted_<name>``. Empty without columns when nothing was captured.
    """
    scan = lake.scan(DATASET, window)
    if not scan.collect_schema():
        return pl.DataFrame()
    mine = pl.col("model") == model
    rows = scan.filter(mine if version is None else mine & (pl.col("version") == version)).collect()
    if rows.is_empty():
        return pl.DataFrame()
    head = rows.select(pl.col(TIMESTAMP).alias("answered_at"), "version", *IDENTITY, "latency_ms", EXTRAPOLATED)
    features = _unpacked(rows["features"])
    if TIMESTAMP in features.columns:
        features = features.with_columns(pl.col(TIMESTAMP).str.to_datetime(time_unit="us", time_zone="UTC"))
    outputs = _unpacked(rows["prediction"])
    outputs = outputs.drop(RESOURCE, TIMESTAMP, EXTRAPOLATED, strict=False)
    clash = {name: f"predicted_{name}" for name in outputs.columns if name in features.columns or name in head.columns}
    return pl.concat([head, features, outputs.rename(clash)], how="horizontal")


def ingest_truth(ws: Workspace, rows: pl.DataFrame) -> TruthReport:
    """Store what truly happened beside the captured answer that it judges, in the dataset ``truth_labels``.

    A value for an answer that is not in the lake (not flushed yet, or captured elsewhere) is counted and not stored; a
    value for the same answer sent again replaces the former one.

    Args:
        ws: the workspace.
        rows: ``request_id``, ``observed`` (the number that came true for the answer's expected value; where it expects
            several steps ahead, for the first) and, for requests of several rows, ``row`` (from 0; default 0).

    Raises:
        SchemaError: a column is missing or mistyped.
        NotEnoughData: there are no rows.
    """
    labels = _labels(rows)
    if labels.is_empty():
        raise NotEnoughData("there are no observed values to store", where=TRUTH)
    scan = ws.lake.scan(DATASET)
    if not scan.collect_schema():
        return TruthReport(stored=0, unmatched=len(labels))
    asked = pl.col("request_id").is_in(labels["request_id"].unique().to_list())
    answers = scan.filter(asked).select(TIMESTAMP, "model", "version", *IDENTITY).collect()
    known = answers.join(labels, on=IDENTITY).with_columns(pl.lit(ws.clock.now(), dtype=TIME_DTYPE).alias("known_at"))
    if known.is_empty():
        return TruthReport(stored=0, unmatched=len(labels))
    times = known[TIMESTAMP].sort()
    window = Window(times[0], times[-1] + timedelta(microseconds=1))
    stored = ws.lake.write(Batch(dataset=TRUTH, rows=known, window=window, keys=_KEYS, final=False))
    return TruthReport(stored=stored, unmatched=len(labels) - len(known))


def _labels(rows: pl.DataFrame) -> pl.DataFrame:
    if missing := [name for name in ("request_id", "observed") if name not in rows.columns]:
        raise SchemaError(
            f"missing {', '.join(missing)}; there are {', '.join(rows.columns)}",
            where=TRUTH,
            hint="give request_id (from the answer), observed, and row where a request had several",
        )
    row = pl.col("row") if "row" in rows.columns else pl.lit(0)
    try:
        typed = rows.select(
            pl.col("request_id").cast(pl.String), row.cast(pl.Int64).alias("row"), pl.col("observed").cast(pl.Float64)
        )
    except pl.exceptions.PolarsError as error:
        raise SchemaError(f"observed and row must be numbers: {str(error).splitlines()[0]}", where=TRUTH) from error
    return typed.unique(IDENTITY, keep="last", maintain_order=True)


def _batch(answers: list[Captured]) -> Batch:
    releases: dict[tuple[str, int], list[Captured]] = {}
    for one in answers:
        releases.setdefault((one.model, one.version), []).append(one)
    rows = pl.concat([_rows(release) for release in releases.values()])
    first, last = min(one.at for one in answers), max(one.at for one in answers)
    window = Window(first, last + timedelta(microseconds=1))
    return Batch(dataset=DATASET, rows=rows, window=window, keys=_KEYS, final=False)


def _rows(answers: list[Captured]) -> pl.DataFrame:
    """Rows of answers by one version, whose columns are therefore the same."""
    features = pl.concat([one.features for one in answers], rechunk=True)
    predictions = pl.concat([one.predictions for one in answers], rechunk=True)
    requests = pl.DataFrame(
        {
            TIMESTAMP: pl.Series([one.at for one in answers], dtype=TIME_DTYPE),
            "model": [one.model for one in answers],
            "version": [one.version for one in answers],
            "request_id": [one.request_id for one in answers],
            "row": [list(range(len(one.features))) for one in answers],
            "latency_ms": [one.latency_ms for one in answers],
        }
    )
    return requests.explode("row").with_columns(
        features=_packed(features),
        prediction=_packed(predictions.drop(EXTRAPOLATED)),
        **{EXTRAPOLATED: predictions[EXTRAPOLATED].list.len() > 0},
    )


def _packed(rows: pl.DataFrame) -> pl.Series:
    return rows.select(pl.struct(pl.all()).struct.json_encode()).to_series()


def _unpacked(texts: pl.Series) -> pl.DataFrame:
    return texts.str.json_decode(infer_schema_length=None).struct.unnest()
