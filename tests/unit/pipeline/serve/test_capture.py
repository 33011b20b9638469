from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from aws_auto.errors import NotEnoughData, SchemaError
from aws_auto.pipeline.serve.capture import Capture, Captured, captured, ingest_truth

AT = datetime(2026, 1, 5, 9, tzinfo=UTC)


def answered(request_id, cpu=(40.0,), version=1, model="times", at=AT):
    n = len(cpu)
    keys = {"resource_id": ["i-1"] * n, "timestamp": pl.Series([at] * n, dtype=pl.Datetime("us", "UTC"))}
    features = pl.DataFrame({**keys, "cpu_utilization": list(cpu)})
    marks = pl.Series([["cpu_utilization"] if c > 80 else [] for c in cpu], dtype=pl.List(pl.String))
    predictions = pl.DataFrame({**keys, "answer": [2 * c for c in cpu], "cpu_utilization": 0.0, "extrapolated": marks})
    return Captured(
        at=at,
        model=model,
        version=version,
        request_id=request_id,
        features=features,
        predictions=predictions,
        latency_ms=1.5,
    )


def test_what_was_answered_comes_back_as_columns(ws):
    capture = Capture(ws.lake)
    capture.add(answered("a", cpu=(40.0, 95.0)))
    assert capture.flush() == 2
    rows = captured(ws.lake, "times")
    assert rows["answer"].to_list() == [80.0, 190.0]
    assert rows["cpu_utilization"].to_list() == [40.0, 95.0]
    assert rows["predicted_cpu_utilization"].to_list() == [0.0, 0.0]
    assert rows["extrapolated"].to_list() == [False, True]
    assert rows["row"].to_list() == [0, 1]
    assert rows["timestamp"].to_list() == [AT, AT]
    assert rows["answered_at"].to_list() == [AT, AT]


def test_many_answers_are_one_write(ws):
    capture = Capture(ws.lake)
    for n in range(50):
        capture.add(answered(str(n), version=1 + n % 2, at=AT + timedelta(seconds=n)))
    assert capture.flush() == 50
    assert ws.lake.writes == 1
    assert capture.flush() == 0
    assert len(captured(ws.lake, "times", version=2)) == 25


def test_another_model_s_answers_are_not_mixed_in(ws):
    capture = Capture(ws.lake)
    capture.add(answered("a", model="other"))
    capture.flush()
    assert captured(ws.lake, "times").is_empty()


def test_nothing_captured_is_an_empty_frame(ws):
    assert captured(ws.lake, "times").columns == []


def test_a_lake_that_refuses_loses_nothing_and_keeps_the_order(ws, caplog):
    capture = Capture(ws.lake)
    ws.lake.refusing = True
    capture.add(answered("a"))
    assert capture.flush() == 0
    assert "the disk is full" in caplog.text
    capture.add(answered("b"))
    ws.lake.refusing = False
    assert capture.flush() == 2
    assert captured(ws.lake, "times")["request_id"].to_list() == ["a", "b"]


def test_a_full_buffer_drops_the_oldest_and_counts_them(ws):
    capture = Capture(ws.lake, most=3)
    for name in "abcd":
        capture.add(answered(name))
    assert capture.dropped == 1
    assert capture.buffered == 3
    capture.flush()
    assert captured(ws.lake, "times")["request_id"].to_list() == ["b", "c", "d"]


def test_what_truly_happened_is_stored_beside_the_answer_it_judges(ws):
    capture = Capture(ws.lake)
    capture.add(answered("a", cpu=(40.0, 50.0), version=3))
    capture.flush()
    report = ingest_truth(ws, pl.DataFrame({"request_id": ["a", "zzz"], "row": [1, 0], "observed": [99, 1]}))
    assert (report.stored, report.unmatched) == (1, 1)
    row = ws.lake.tables["truth_labels"].row(0, named=True)
    assert row["observed"] == 99.0
    assert row["version"] == 3
    assert row["timestamp"] == AT


def test_a_corrected_observation_replaces_the_former(ws):
    capture = Capture(ws.lake)
    capture.add(answered("a"))
    capture.flush()
    for observed in (1.0, 2.0):
        ingest_truth(ws, pl.DataFrame({"request_id": ["a"], "observed": [observed]}))
    assert ws.lake.tables["truth_labels"]["observed"].to_list() == [2.0]


def test_truth_before_any_answer_is_counted_as_unmatched(ws):
    assert ingest_truth(ws, pl.DataFrame({"request_id": ["a"], "observed": [1.0]})).unmatched == 1


def test_truth_without_its_columns_or_rows_is_refused(ws):
    with pytest.raises(SchemaError, match="missing observed"):
        ingest_truth(ws, pl.DataFrame({"request_id": ["a"]}))
    with pytest.raises(SchemaError, match="must be numbers"):
        ingest_truth(ws, pl.DataFrame({"request_id": ["a"], "observed": ["high"]}))
    with pytest.raises(NotEnoughData):
        ingest_truth(ws, pl.DataFrame({"request_id": [], "observed": []}))
