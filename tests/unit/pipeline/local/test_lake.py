"""What is particular to the lake on a disk; what every lake must do stands in tests/contract."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import polars as pl
import pytest

from aws_auto.errors import DataError
from aws_auto.pipeline.local.lake import LocalLake
from aws_auto.pipeline.local.manifest import Manifest
from aws_auto.pipeline.local.state import State
from aws_auto.pipeline.ports import Batch, Window

T0 = datetime(2026, 1, 30, tzinfo=UTC)
WINDOW = Window(T0, T0 + timedelta(days=7))


class HandClock:
    def __init__(self) -> None:
        self.time = T0

    def now(self):
        return self.time

    def sleep(self, seconds):
        self.time += timedelta(seconds=seconds)


@pytest.fixture
def clock():
    return HandClock()


@pytest.fixture
def lake(tmp_path, clock):
    return LocalLake(tmp_path / "lake", State(tmp_path / "state.db"), clock)


def batch(minutes, value=1.0, keys=("resource_id", "timestamp")):
    rows = pl.DataFrame(
        {
            "resource_id": ["i-1"] * len(minutes),
            "timestamp": [T0 + timedelta(minutes=m) for m in minutes],
            "cpu": [value] * len(minutes),
        }
    )
    return Batch(dataset="metrics", rows=rows, window=WINDOW, keys=keys)


def on_disk(tmp_path):
    return sorted(str(p.relative_to(tmp_path / "lake")) for p in (tmp_path / "lake").rglob("*.parquet"))


def test_files_lie_by_dataset_year_month_and_day(tmp_path, lake):
    lake.write(batch([0, 3 * 1440]))
    assert on_disk(tmp_path) == [
        "metrics/year=2026/month=01/day=30/000000001.parquet",
        "metrics/year=2026/month=02/day=02/000000002.parquet",
    ]


def test_files_are_compressed_with_zstd_and_readable_by_anyone(tmp_path, lake):
    lake.write(batch([0, 1]))
    (name,) = on_disk(tmp_path)
    import pyarrow.parquet as pq

    file = pq.ParquetFile(tmp_path / "lake" / name)
    assert file.metadata.row_group(0).column(0).compression == "ZSTD"
    assert file.schema_arrow.names == ["resource_id", "timestamp", "cpu"]


def test_a_replaced_file_is_deleted_by_the_first_write_after_the_hour(tmp_path, lake, clock):
    lake.write(batch([0]))
    lake.write(batch([0], 2.0))
    clock.sleep(3599)
    lake.write(batch([0], 3.0))
    assert len(on_disk(tmp_path)) == 3
    clock.sleep(2)
    lake.write(batch([1440]))
    assert [n[-17:] for n in on_disk(tmp_path)] == ["000000002.parquet", "000000003.parquet", "000000004.parquet"]
    assert lake.scan("metrics").collect()["cpu"].sum() == 4.0


def test_reading_never_deletes(tmp_path, lake, clock):
    lake.write(batch([0]))
    lake.write(batch([0], 2.0))
    clock.sleep(86400)
    lake.scan("metrics").collect()
    assert len(on_disk(tmp_path)) == 2


def test_what_a_killed_write_left_is_swept_and_never_read(tmp_path, lake, clock):
    lake.write(batch([0]))
    manifest = Manifest(State(tmp_path / "state.db"))
    (number,) = manifest.announce("metrics", ["2026-01-30"], clock.now())
    folder = tmp_path / "lake/metrics/year=2026/month=01/day=30"
    (folder / f"{number:09d}.parquet").write_bytes(b"half a file")
    (folder / f"{number + 1:09d}.tmp").write_bytes(b"of nobody we know")
    (folder / f"{number:09d}.tmp").write_bytes(b"half")
    assert len(lake.scan("metrics").collect()) == 1
    lake.write(batch([1440]))
    assert sorted(p.name for p in folder.iterdir()) == ["000000001.parquet", "000000003.tmp"]


def test_a_file_that_was_taken_away_is_named(tmp_path, lake):
    lake.write(batch([0, 1440]))
    gone = tmp_path / "lake" / on_disk(tmp_path)[1]
    gone.unlink()
    with pytest.raises(DataError, match="is gone") as caught:
        lake.scan("metrics")
    assert caught.value.where == str(gone)
    assert len(lake.scan("metrics", Window(T0, T0 + timedelta(hours=1))).collect()) == 1


def test_a_file_that_was_cut_short_is_named(tmp_path, lake):
    lake.write(batch([0]))
    path = tmp_path / "lake" / on_disk(tmp_path)[0]
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DataError, match=r"has \d+ bytes, not \d+"):
        lake.scan("metrics")


def test_a_write_that_must_merge_with_a_damaged_file_says_so_and_changes_nothing(tmp_path, lake):
    lake.write(batch([0]))
    path = tmp_path / "lake" / on_disk(tmp_path)[0]
    path.write_bytes(bytes(len(path.read_bytes())))
    with pytest.raises(DataError) as caught:
        lake.write(batch([0, 1440], 2.0))
    assert str(path) in caught.value.where
    assert lake.datasets() == {"metrics": 1}


def test_a_day_that_comes_in_many_appends_stays_a_few_files(tmp_path, lake):
    for minute in range(64):
        lake.write(batch([minute], float(minute)))
    live = Manifest(State(tmp_path / "state.db")).live("metrics")
    assert len(live) <= 6
    assert all(a.last < b.first for a, b in pairwise(live))
    assert [f.rows for f in live] == sorted((f.rows for f in live), reverse=True)
    assert lake.scan("metrics").sort("timestamp").collect()["cpu"].to_list() == [float(m) for m in range(64)]


def test_an_append_rewrites_no_larger_file(tmp_path, lake):
    lake.write(batch(list(range(100))))
    (first,) = Manifest(State(tmp_path / "state.db")).live("metrics")
    lake.write(batch([100]))
    assert first in Manifest(State(tmp_path / "state.db")).live("metrics")


def test_a_dataset_whose_rows_were_all_replaced_by_none_is_still_known(lake):
    lake.write(batch([0], keys=()))
    lake.write(Batch(dataset="metrics", rows=pl.DataFrame(), window=WINDOW, keys=()))
    assert lake.datasets() == {"metrics": 0}
    assert lake.scan("metrics").collect().columns == ["resource_id", "timestamp", "cpu"]


def test_narrow_types_are_stored_wide(lake):
    rows = batch([0]).rows.with_columns(
        cpu=pl.col("cpu").cast(pl.Float32),
        count=pl.lit(1, dtype=pl.Int8),
        zone=pl.lit("a").cast(pl.Categorical),
        seen=pl.col("timestamp").dt.cast_time_unit("ns"),
    )
    lake.write(Batch(dataset="metrics", rows=rows, window=WINDOW))
    schema = lake.scan("metrics").collect_schema()
    assert [schema[c] for c in ("cpu", "count", "zone", "seen")] == [
        pl.Float64,
        pl.Int64,
        pl.String,
        pl.Datetime("us", "UTC"),
    ]


def test_nested_columns_are_kept(lake):
    rows = batch([0]).rows.with_columns(tags=pl.Series([[{"key": "team", "value": "web"}]]))
    lake.write(Batch(dataset="metrics", rows=rows, window=WINDOW))
    assert lake.scan("metrics").collect()["tags"].to_list() == [[{"key": "team", "value": "web"}]]
