from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import polars as pl
import pytest

from aws_auto.errors import DuplicateError, SchemaError, UsageError
from aws_auto.frame import Metric, MetricFrame, like, read_table, to_polars

START = datetime(2026, 3, 1, tzinfo=UTC)


def rows(n=4, resource="i-1", **columns):
    times = [START + timedelta(minutes=5 * k) for k in range(n)]
    return pl.DataFrame({"resource_id": [resource] * n, "timestamp": times, **columns})


def test_rows_come_out_sorted_and_in_utc_microseconds():
    frame = MetricFrame.of(rows(cpu_utilization=[1.0, 2, 3, 4]).reverse())
    assert frame.data["cpu_utilization"].to_list() == [1, 2, 3, 4]
    assert frame.data.schema["timestamp"] == pl.Datetime("us", "UTC")


def test_numbers_are_metrics_and_text_is_static():
    frame = MetricFrame.of(rows(cpu_utilization=[1, 2, 3, 4], instance_type=["m5.large"] * 4, spot=[True] * 4))
    assert [m.name for m in frame.metrics] == ["cpu_utilization"]
    assert frame.statics == ("instance_type", "spot")


@pytest.mark.parametrize(
    ("name", "unit", "statistic"),
    [
        ("cpu_utilization", "Percent", "Average"),
        ("cpu_utilization_max", "Percent", "Maximum"),
        ("latency_p95", "Milliseconds", "p95"),
        ("queue_depth", "None", "Average"),
        ("max", "None", "Average"),
    ],
)
def test_a_column_name_tells_unit_and_statistic(name, unit, statistic):
    assert Metric.named(name) == Metric(name, unit, statistic)


def test_a_missing_column_is_answered_with_what_is_there():
    with pytest.raises(SchemaError, match="timestamp missing; there: resource_id, cpu"):
        MetricFrame.of(pl.DataFrame({"resource_id": ["a"], "cpu": [1.0]}))


def test_a_required_metric_is_asked_for_by_name():
    with pytest.raises(SchemaError, match="columns memory_utilization, latency missing"):
        MetricFrame.of(rows(cpu_utilization=[1.0] * 4), require=["memory_utilization", "latency"])


def test_text_in_a_metric_is_refused_with_its_row():
    with pytest.raises(SchemaError, match=r"cpu_utilization: '12 %' in row 3 is not a number"):
        MetricFrame.of(rows(cpu_utilization=["1", "2", "12 %", None]))


def test_numbers_written_as_text_are_numbers():
    frame = MetricFrame.of(rows(cpu_utilization=["1", " 2.5", None, "4e1"]))
    assert frame.data["cpu_utilization"].to_list() == [1, 2.5, None, 40]


def test_duplicates_are_averaged_and_counted():
    twice = pl.concat([rows(2, cpu_utilization=[1.0, 3.0]), rows(1, cpu_utilization=[5.0])])
    frame = MetricFrame.of(twice)
    assert frame.data["cpu_utilization"].to_list() == [3.0, 3.0]
    assert frame.report.duplicates_merged == 1
    assert frame.report.sentences() == ("1 duplicate rows were averaged",)


def test_duplicates_can_be_refused():
    twice = pl.concat([rows(2, cpu_utilization=[1.0, 3.0]), rows(1, cpu_utilization=[5.0])])
    with pytest.raises(DuplicateError, match="1 rows repeat a resource and time, first i-1 at 2026-03-01T00:00Z"):
        MetricFrame.of(twice, duplicates="error")


def test_nan_becomes_null_and_is_counted():
    frame = MetricFrame.of(rows(cpu_utilization=[1.0, float("nan"), 3.0, 4.0]))
    assert frame.data["cpu_utilization"].to_list() == [1, None, 3, 4]
    assert frame.report.nan_to_null == 1


def test_naive_times_are_read_as_utc_and_that_is_said():
    naive = rows(cpu_utilization=[1.0] * 4).with_columns(pl.col("timestamp").dt.replace_time_zone(None))
    frame = MetricFrame.of(naive)
    assert frame.data["timestamp"][0] == START
    assert frame.report.naive_times_read_as_utc


MIXED = ["2026-01-31T13:00:00Z", "2026-01-31T13:05:00", "2026-01-31T13:10:00+01:00"]


@pytest.mark.parametrize("tz", [None, "Europe/Berlin"])
def test_a_time_without_a_zone_among_times_with_one_is_refused_with_both_rows(tz):
    with pytest.raises(SchemaError, match=r"'2026-01-31T13:05:00' in row 2 has no time zone, .* in row 1 has"):
        MetricFrame.of({"resource_id": ["a"] * 3, "timestamp": MIXED, "latency": [1.0] * 3}, tz=tz)


def test_times_of_pandas_with_and_without_a_zone_are_not_made_alike_in_silence():
    pandas = pytest.importorskip("pandas")
    times = [datetime.fromisoformat(text) for text in MIXED]
    column = pandas.Series(times, dtype=object)
    with pytest.raises(SchemaError, match="in row 2 has no time zone"):
        MetricFrame.of(pandas.DataFrame({"resource_id": ["a"] * 3, "timestamp": column, "latency": [1.0] * 3}))
    zoned = pandas.DataFrame({"resource_id": ["a"] * 2, "timestamp": column[::2].to_list(), "latency": [1.0] * 2})
    zoned["timestamp"] = zoned["timestamp"].astype(object)
    assert MetricFrame.of(zoned).data["timestamp"].dt.hour().to_list() == [12, 13]


def test_naive_times_can_be_of_a_named_zone():
    naive = rows(1, cpu_utilization=[1.0]).with_columns(pl.col("timestamp").dt.replace_time_zone(None))
    frame = MetricFrame.of(naive, tz="Europe/Berlin")
    assert frame.data["timestamp"][0] == START - timedelta(hours=1)
    assert not frame.report.naive_times_read_as_utc


def test_an_unknown_time_zone_is_named():
    naive = rows(1, cpu_utilization=[1.0]).with_columns(pl.col("timestamp").dt.replace_time_zone(None))
    with pytest.raises(UsageError, match="'Mars/Olympus' is not a time zone"):
        MetricFrame.of(naive, tz="Mars/Olympus")


def test_a_time_that_does_not_exist_in_its_zone_is_refused():
    naive = pl.DataFrame({"resource_id": ["a"], "timestamp": [datetime(2026, 3, 29, 2, 30)], "latency": [1.0]})  # noqa: DTZ001
    with pytest.raises(SchemaError, match="2026-03-29 02:30 in row 1 does not exist in Europe/Berlin"):
        MetricFrame.of(naive, tz="Europe/Berlin")


@pytest.mark.parametrize(
    "text", ["2026-03-01T00:00:00Z", "2026-03-01T01:00:00+01:00", "2026-03-01 00:00:00", "2026-03-01T00:00:00.000Z"]
)
def test_iso_text_is_a_time(text):
    frame = MetricFrame.of({"resource_id": ["a"], "timestamp": [text], "latency": [1.0]})
    assert frame.data["timestamp"][0] == START


@pytest.mark.parametrize(
    "text", ["11/04/2026 21:00", "11/04/2026", "04.11.2026", "31-01-2026", "+10000-01-01T00:00:00Z"]
)
def test_a_date_that_can_be_read_in_two_ways_is_refused(text, tmp_path):
    table = {"resource_id": ["a"], "timestamp": [text], "latency": [1.0]}
    with pytest.raises(SchemaError, match="in row 1 is not a time") as refused:
        MetricFrame.of(table)
    assert "ISO 8601" in refused.value.hint
    pl.DataFrame(table).write_csv(tmp_path / "m.csv")
    with pytest.raises(SchemaError, match="in row 1 is not a time"):
        MetricFrame.read(tmp_path / "m.csv")


def test_an_empty_table_says_nothing_about_time_zones():
    assert not MetricFrame.of({"resource_id": [], "timestamp": [], "latency": []}).report.sentences()


def test_a_header_that_names_a_column_twice_is_refused(tmp_path):
    (tmp_path / "m.csv").write_text("resource_id,timestamp,latency,latency\na,2026-03-01T00:00:00Z,1,2\n")
    with pytest.raises(SchemaError, match="the header names latency more than once"):
        read_table(tmp_path / "m.csv")


def test_text_that_is_no_time_is_refused_with_its_row():
    with pytest.raises(SchemaError, match="'yesterday' in row 2 is not a time"):
        MetricFrame.of({"resource_id": ["a", "a"], "timestamp": ["2026-03-01T00:00:00Z", "yesterday"], "x": [1, 2]})


def test_gaps_are_reported_and_not_filled():
    frame = MetricFrame.of(rows(10, cpu_utilization=[1.0] * 10).filter(~pl.int_range(pl.len()).is_in([4, 5])))
    assert len(frame) == 8
    assert frame.gaps().rows() == [("i-1", START + timedelta(minutes=15), START + timedelta(minutes=30), 2)]
    assert frame.period() == {"i-1": 300.0}


def test_the_fingerprint_depends_on_content_and_not_on_order():
    a = rows(cpu_utilization=[1.0, 2, 3, None], instance_type=["m5.large"] * 4)
    same = MetricFrame.of(a.reverse())
    assert MetricFrame.of(a).fingerprint() == same.fingerprint()
    changed = MetricFrame.of(a.with_columns(cpu_utilization=pl.Series([1.0, 2, 3, 0.0])))
    assert changed.fingerprint() != same.fingerprint()


def test_pandas_goes_in_and_comes_out_without_loss():
    pandas = pd.DataFrame(
        {
            "resource_id": ["a", "b"],
            "timestamp": pd.to_datetime(["2026-03-01", "2026-03-02"], utc=True),
            "latency": [1.5, np.nan],
            "instance_type": ["m5.large", None],
        }
    )
    back = like(pandas, to_polars(pandas))
    pd.testing.assert_frame_equal(back, pandas, check_dtype=False)


@pytest.mark.parametrize("dtype", ["Int64", "float32", "Float64", "bool"])
def test_pandas_extension_types_are_understood(dtype):
    series = pd.Series([1, 0], dtype=dtype)
    assert to_polars(pd.DataFrame({"x": series}))["x"].cast(pl.Float64).to_list() == [1.0, 0.0]


def test_something_that_is_no_table_is_refused():
    with pytest.raises(SchemaError, match="got int"):
        MetricFrame.of(3)


def test_between_is_half_open():
    frame = MetricFrame.of(rows(cpu_utilization=[1.0, 2, 3, 4]))
    some = frame.between(START, START + timedelta(minutes=10))
    assert some.data["cpu_utilization"].to_list() == [1, 2]


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_files_are_read_by_their_ending(tmp_path, ending):
    path = tmp_path / f"m{ending}"
    table = rows(cpu_utilization=[1.0, 2, 3, 4])
    table.write_csv(path) if ending == ".csv" else table.write_parquet(path)
    assert MetricFrame.read(path).data["cpu_utilization"].sum() == 10


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [("none.csv", None, "no such file"), ("a.txt", b"x", "unknown file type"), ("a.parquet", b"no", "cannot be read")],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path, name, content, message):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SchemaError, match=message) as caught:
        read_table(path)
    assert caught.value.where == str(path)


def test_an_empty_table_is_a_frame_without_a_span():
    frame = MetricFrame.of(rows(0, cpu_utilization=pl.Series([], dtype=pl.Float64)))
    assert frame.span is None
    assert frame.gaps().is_empty()
    assert frame.resources == ()
