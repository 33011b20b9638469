from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from aws_auto.errors import SchemaError
from aws_auto.pipeline.local.sources import MetricsFileSource
from aws_auto.pipeline.ports import Source, Window

DAY = Window(datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC))
ROWS = """resource_id,timestamp,cpu_utilization,instance_type
i-1,2026-01-01T00:00:00Z,10,m5.large
i-1,2026-01-01T00:05:00Z,20,m5.large
i-2,2026-01-02T00:00:00Z,30,
"""


def write(path, text=ROWS):
    path.write_text(text)
    return str(path)


def test_points_of_the_window_come_with_the_facts_of_their_resources(tmp_path):
    port: Source = MetricsFileSource(write(tmp_path / "m.csv"))
    facts, metrics = port.pull(DAY)
    assert (facts.dataset, facts.final) == ("resources", False)
    assert facts.rows.rows() == [("i-1", datetime(2026, 1, 1, tzinfo=UTC), "m5.large")]
    assert (metrics.dataset, metrics.keys, metrics.final) == ("metrics", ("resource_id", "timestamp"), True)
    assert metrics.rows["cpu_utilization"].to_list() == [10.0, 20.0]


def test_a_parquet_file_gives_the_same_rows(tmp_path):
    csv = MetricsFileSource(write(tmp_path / "m.csv"))
    pl.read_csv(tmp_path / "m.csv", try_parse_dates=True).write_parquet(tmp_path / "m.parquet")
    parquet = MetricsFileSource(str(tmp_path / "m.parquet"))
    assert [b.rows.rows() for b in csv.pull(DAY)] == [b.rows.rows() for b in parquet.pull(DAY)]


def test_a_window_is_final_with_the_last_file(tmp_path):
    write(tmp_path / "a.csv")
    write(tmp_path / "b.csv", "resource_id,timestamp,latency\ni-1,2026-01-01T00:00:00Z,5\n")
    finals = [b.final for b in MetricsFileSource(str(tmp_path)).pull(DAY) if b.dataset == "metrics"]
    assert finals == [False, True]


def test_the_span_of_all_files_is_known(tmp_path):
    span = MetricsFileSource(write(tmp_path / "m.csv")).covers()
    assert span == Window(DAY.start, DAY.end + timedelta(microseconds=1))
    empty = MetricsFileSource(write(tmp_path / "e.csv", "resource_id,timestamp,latency\n"))
    assert empty.covers() is None


def test_repairs_are_said(tmp_path):
    text = "resource_id,timestamp,latency\ni-1,2026-01-01 00:00:00,5\ni-1,2026-01-01 00:00:00,7\n"
    source = MetricsFileSource(write(tmp_path / "m.csv", text))
    (batch,) = source.pull(DAY)
    assert batch.rows["latency"].to_list() == [6.0]
    assert "m.csv: 1 duplicate rows were averaged" in source.notes
    assert "m.csv: timestamps carry no time zone and were read as UTC" in source.notes


def test_a_file_without_a_point_in_the_window_says_where_its_points_are(tmp_path):
    source = MetricsFileSource(write(tmp_path / "m.csv"))
    (batch,) = source.pull(Window(DAY.start + timedelta(days=9), DAY.end + timedelta(days=9)))
    assert batch.rows.is_empty()
    (note,) = source.notes
    assert note.startswith("m.csv: nothing lies in the window from 2026-01-10 00:00Z to 2026-01-11 00:00Z;")
    assert note.endswith("; the file reaches from 2026-01-01 00:00Z to 2026-01-02 00:00Z")


def test_a_file_without_rows_says_so(tmp_path):
    source = MetricsFileSource(write(tmp_path / "m.csv", "resource_id,timestamp,latency\n"))
    list(source.pull(DAY))
    assert source.notes == ["m.csv: holds no rows"]


def test_a_time_zone_can_be_named(tmp_path):
    text = "resource_id,timestamp,latency\ni-1,2026-01-01 06:00:00,5\n"
    (batch,) = MetricsFileSource(write(tmp_path / "m.csv", text), tz="Asia/Tokyo").pull(
        Window(DAY.start - timedelta(days=1), DAY.end)
    )
    assert batch.rows["timestamp"][0] == datetime(2025, 12, 31, 21, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("resource_id,latency\ni-1,5\n", "m.csv: column timestamp missing; there: resource_id, latency"),
        ("resource_id,timestamp,latency\ni-1,soon,5\n", "m.csv: timestamp: 'soon' in row 1 is not a time"),
        ("resource_id,timestamp,latency\ni-1,2026-01-01,x\n", "m.csv: latency: 'x' in row 1 is not a number"),
    ],
)
def test_a_fault_names_file_column_and_row(tmp_path, text, message):
    with pytest.raises(SchemaError, match=message):
        list(MetricsFileSource(write(tmp_path / "m.csv", text)).pull(DAY))


def test_a_file_of_another_kind_is_refused(tmp_path):
    write(tmp_path / "m.xlsx")
    with pytest.raises(SchemaError, match=r"no table is there; found m\.xlsx"):
        list(MetricsFileSource(str(tmp_path)).pull(DAY))


def test_an_empty_folder_is_not_called_missing(tmp_path):
    with pytest.raises(SchemaError, match="no file is there"):
        list(MetricsFileSource(str(tmp_path)).pull(DAY))


def test_times_with_and_without_a_zone_in_one_file_are_refused_with_file_and_row(tmp_path):
    text = ROWS.replace("2026-01-01T00:05:00Z", "2026-01-01 00:05:00")
    with pytest.raises(SchemaError, match="'2026-01-01 00:05:00' in row 2 has no time zone") as caught:
        list(MetricsFileSource(write(tmp_path / "mixed.csv", text)).pull(DAY))
    assert "mixed.csv" in str(caught.value.where)
    assert "or none of them" in caught.value.hint
