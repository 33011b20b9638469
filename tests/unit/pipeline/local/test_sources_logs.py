import gzip
import json
from datetime import UTC, datetime

import polars as pl
import pytest

from aws_auto.errors import SchemaError
from aws_auto.pipeline.local.sources import LogFileSource
from aws_auto.pipeline.ports import Source, Window

DAY = Window(datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC))
NOON = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)


def pull(path, window=DAY):
    return list(LogFileSource(str(path)).pull(window))


def rows(path):
    return [row for batch in pull(path) for row in batch.rows.rows(named=True)]


def one(tmp_path, line):
    (tmp_path / "app.log").write_text(line + "\n")
    (row,) = rows(tmp_path / "app.log")
    return row


@pytest.mark.parametrize(
    "line",
    [
        '{"timestamp": "2026-01-01T12:00:10Z", "level": "error", "latency_ms": 20}',
        '{"@timestamp": "2026-01-01T13:00:10+01:00", "severity": "ERROR", "duration_ms": "20"}',
        '{"ts": 1767268810, "lvl": "Error", "elapsed_ms": 20.0}',
        '{"time": 1767268810500, "levelname": "ERR", "response_time_ms": 20}',
        '{"datetime": "2026-01-01 12:00:10,123", "level": "ERROR", "latency_ms": 20}',
        "2026-01-01T12:00:10Z ERROR payment failed latency=20ms",
        "2026-01-01 12:00:10,123 [ERROR] took 20 ms",
        "[2026-01-01T12:00:10.5+0000] error: elapsed: 20.0 ms",
        '1.2.3.4 - - [01/Jan/2026:12:00:10 +0000] "GET / HTTP/1.1" 500 12 "-" "curl" 0.020',
        '1.2.3.4 - joe [01/Jan/2026:13:00:10 +0100] "GET / HTTP/1.1" 503 - 0.020',
    ],
)
def test_every_kind_of_line_says_when_how_bad_and_how_slow(tmp_path, line):
    row = one(tmp_path, line)
    assert (row["resource_id"], row["timestamp"], row["level"]) == ("app", NOON, "ERROR")
    assert (row["request_count"], row["error_count"], row["warning_count"]) == (1, 1, 0)
    assert row["latency_ms_mean"] == pytest.approx(20.0)


@pytest.mark.parametrize(
    ("line", "level"),
    [
        ('{"time": "2026-01-01T12:00:00Z", "message": "no level"}', "UNKNOWN"),
        ("2026-01-01T12:00:00Z warn low disk", "WARNING"),
        ('h - - [01/Jan/2026:12:00:00 +0000] "GET / HTTP/1.0" 404 9', "WARNING"),
        ('h - - [01/Jan/2026:12:00:00 +0000] "GET / HTTP/1.0" 200 9 "ref" "Mozilla/5.0 (X11) 1.5"', "INFO"),
    ],
)
def test_levels_have_one_spelling_and_no_latency_is_null(tmp_path, line, level):
    row = one(tmp_path, line)
    assert row["level"] == level
    assert row["latency_ms_mean"] is None


def test_a_minute_counts_its_lines_by_level_with_mean_and_percentile(tmp_path):
    lines = [f"2026-01-01T12:00:{s:02d}Z INFO ok latency={s}ms" for s in range(20)]
    lines += ["2026-01-01T12:00:30Z ERROR bad", "2026-01-01T12:01:00Z INFO ok"]
    (tmp_path / "app.log").write_text("\n".join(lines))
    found = rows(tmp_path / "app.log")
    assert [(r["timestamp"].minute, r["level"], r["request_count"]) for r in found] == [
        (0, "ERROR", 1),
        (0, "INFO", 20),
        (1, "INFO", 1),
    ]
    assert (found[1]["latency_ms_mean"], found[1]["latency_ms_p95"]) == (9.5, pytest.approx(18.05))


def test_stack_traces_and_blank_lines_belong_to_the_line_before(tmp_path):
    (tmp_path / "app.log").write_text("2026-01-01T12:00:00Z ERROR x\n  File a.py, line 1\n\n\tat b.java\n")
    source = LogFileSource(str(tmp_path / "app.log"))
    (batch,) = source.pull(DAY)
    assert batch.rows["request_count"].sum() == 1
    assert source.notes == []


def test_lines_that_are_not_understood_are_counted_and_said(tmp_path):
    (tmp_path / "app.log").write_text("2026-01-01T12:00:00Z INFO a\n2026-01-01T12:00:00Z INFO b\n\nwhat is this\n")
    source = LogFileSource(str(tmp_path / "app.log"))
    list(source.pull(DAY))
    assert source.notes == ["app.log: 1 of 3 lines were not understood, the first is line 4"]


def test_a_file_that_is_no_log_is_refused_with_its_first_line(tmp_path):
    (tmp_path / "app.log").write_text('{"broken": \nnothing here\n2026-01-01T12:00:00Z INFO a\n')
    with pytest.raises(SchemaError, match=r"app\.log: 2 of 3 lines are not understood, first line 1"):
        pull(tmp_path / "app.log")


def test_rotated_and_packed_files_are_one_log(tmp_path):
    line = json.dumps({"timestamp": "2026-01-01T12:00:00Z", "level": "INFO"}) + "\n"
    (tmp_path / "app.log").write_text(line)
    (tmp_path / "app.log.1").write_text(line)
    (tmp_path / "app.log.2.gz").write_bytes(gzip.compress(line.encode()))
    (tmp_path / "web.log").write_text(line)
    batches = pull(tmp_path)
    assert {b.rows["resource_id"][0]: b.rows["request_count"].sum() for b in batches} == {"app": 3, "web": 1}
    assert [b.final for b in batches] == [False, True]
    assert batches[0].keys == ("resource_id", "timestamp", "level")


def test_minutes_outside_the_window_stay_out(tmp_path):
    (tmp_path / "app.log").write_text("2025-12-31T23:59:59Z INFO a\n2026-01-02T00:00:00Z INFO b\n")
    assert rows(tmp_path / "app.log") == []


def test_an_empty_log_has_typed_and_empty_rows(tmp_path):
    (tmp_path / "app.log").write_text("")
    (batch,) = pull(tmp_path / "app.log")
    assert batch.rows.is_empty()
    assert batch.rows.schema["timestamp"] == pl.Datetime("us", "UTC")


def test_it_is_a_source(tmp_path):
    (tmp_path / "app.log").write_text("2026-01-01T12:00:00Z INFO a\n")
    port: Source = LogFileSource(str(tmp_path))
    assert (port.name, port.simulated) == ("application-logs", False)
    assert port.scope.startswith(f"application-logs:{tmp_path}@")
    assert port.estimate(DAY).calls == 0
