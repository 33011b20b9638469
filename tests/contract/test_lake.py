"""What every lake must do."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from aws_auto.errors import SchemaError, UsageError
from aws_auto.pipeline.ports import Batch, Window

T0 = datetime(2026, 1, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)
WINDOW = Window(T0, T0 + 96 * HOUR)


def rows(hours, resource="i-1", **metrics):
    return pl.DataFrame(
        {"resource_id": [resource] * len(hours), "timestamp": [T0 + h * HOUR for h in hours], **metrics}
    ).with_columns(pl.col("timestamp").dt.cast_time_unit("us").dt.convert_time_zone("UTC"))


def batch(frame, *, dataset="metrics", window=WINDOW, keys=("resource_id", "timestamp")):
    return Batch(dataset=dataset, rows=frame, window=window, keys=keys)


def read(lake, dataset="metrics", window=None):
    return lake.scan(dataset, window).sort("resource_id", "timestamp").collect()


class TestLake:
    def test_what_is_written_is_read_by_the_next_process(self, place):
        frame = rows([0, 30, 60], cpu=[1.0, 2.0, 3.0])
        assert place.lake().write(batch(frame)) == 3
        assert_frame_equal(read(place.lake()), frame)

    def test_an_unknown_dataset_is_an_empty_frame_without_columns(self, place):
        assert place.lake().scan("nothing").collect().shape == (0, 0)
        assert place.lake().scan("nothing", WINDOW).collect().shape == (0, 0)
        assert place.lake().datasets() == {}

    def test_a_window_is_half_open_and_prunes(self, place):
        lake = place.lake()
        lake.write(batch(rows(list(range(96)), cpu=[float(h) for h in range(96)])))
        found = read(lake, window=Window(T0 + 23 * HOUR, T0 + 49 * HOUR))
        assert found["cpu"].to_list() == [float(h) for h in range(23, 49)]

    def test_a_window_may_be_told_in_any_zone(self, place):
        lake, berlin = place.lake(), ZoneInfo("Europe/Berlin")
        lake.write(batch(rows([0, 1, 2], cost=[0.0, 1.0, 2.0]), dataset="billing", keys=()))
        part = Window((T0 + HOUR).astimezone(berlin), (T0 + 2 * HOUR).astimezone(berlin))
        assert read(lake, "billing", part)["cost"].to_list() == [1.0]
        lake.write(batch(rows([1], cost=[9.0]), dataset="billing", window=part, keys=()))
        assert read(lake, "billing")["cost"].to_list() == [0.0, 9.0, 2.0]

    def test_a_window_without_a_zone_is_refused(self, place):
        lake, naive = place.lake(), Window(T0.replace(tzinfo=None), (T0 + HOUR).replace(tzinfo=None))
        lake.write(batch(rows([0], cost=[0.0]), dataset="billing", keys=()))
        with pytest.raises(UsageError, match="no time zone"):
            lake.scan("billing", naive)
        with pytest.raises(UsageError, match="no time zone"):
            lake.write(batch(rows([0], cost=[0.0]), dataset="billing", window=naive, keys=()))

    def test_a_window_without_rows_keeps_the_columns(self, place):
        lake = place.lake()
        lake.write(batch(rows([0], cpu=[1.0])))
        for start in (T0 + 2 * HOUR, T0 + 500 * HOUR):
            found = lake.scan("metrics", Window(start, start + HOUR)).collect()
            assert found.columns == ["resource_id", "timestamp", "cpu"]
            assert found.is_empty()

    def test_rows_of_equal_keys_merge_column_by_column_and_new_values_win(self, place):
        lake = place.lake()
        lake.write(batch(rows([0, 1, 2], cpu=[1.0, 2.0, None], latency=[10.0, 20.0, 30.0])))
        lake.write(batch(rows([1, 2, 3], cpu=[None, 5.0, 6.0])))
        expected = rows([0, 1, 2, 3], cpu=[1.0, 2.0, 5.0, 6.0], latency=[10.0, 20.0, 30.0, None])
        assert_frame_equal(read(lake), expected)

    def test_within_one_batch_the_later_row_of_a_key_wins_where_it_has_values(self, place):
        lake = place.lake()
        assert lake.write(batch(rows([0, 0, 0], cpu=[1.0, 2.0, None], latency=[None, None, 3.0]))) == 1
        assert_frame_equal(read(lake), rows([0], cpu=[2.0], latency=[3.0]))

    def test_writing_the_same_batch_twice_changes_nothing(self, place):
        lake, again = place.lake(), batch(rows([0, 25, 50], cpu=[1.0, 2.0, 3.0]))
        lake.write(again)
        before = read(lake)
        lake.write(again)
        assert_frame_equal(read(lake), before)
        assert lake.datasets() == {"metrics": 3}

    def test_rows_without_keys_replace_their_window_and_nothing_else(self, place):
        lake = place.lake()
        lake.write(batch(rows([0, 1, 1, 26, 50], cost=[1.0, 2.0, 3.0, 4.0, 5.0]), dataset="billing", keys=()))
        part = Window(T0 + HOUR, T0 + 50 * HOUR)
        assert lake.write(batch(rows([30], cost=[9.0]), dataset="billing", window=part, keys=())) == 1
        assert_frame_equal(read(lake, "billing"), rows([0, 30, 50], cost=[1.0, 9.0, 5.0]))

    def test_no_rows_without_keys_empty_the_window(self, place):
        lake = place.lake()
        lake.write(batch(rows([0, 30], cost=[1.0, 2.0]), dataset="billing", keys=()))
        part = Window(T0, T0 + 24 * HOUR)
        assert lake.write(batch(pl.DataFrame(), dataset="billing", window=part, keys=())) == 0
        assert read(lake, "billing")["cost"].to_list() == [2.0]

    def test_equal_rows_without_keys_are_all_kept(self, place):
        lake = place.lake()
        lake.write(batch(rows([0, 0], cost=[1.0, 1.0]), dataset="billing", keys=()))
        assert lake.datasets() == {"billing": 2}

    def test_rows_outside_the_window_that_they_replace_are_refused(self, place):
        part = Window(T0, T0 + HOUR)
        with pytest.raises(SchemaError, match="1 rows lie outside the window"):
            place.lake().write(batch(rows([0, 1], cost=[1.0, 2.0]), dataset="billing", window=part, keys=()))

    def test_columns_may_come_at_any_time(self, place):
        lake = place.lake()
        lake.write(batch(rows([0], cpu=[1.0])))
        lake.write(batch(rows([30], region=["eu-west-1"])))
        expected = rows([0, 30], cpu=[1.0, None], region=[None, "eu-west-1"])
        assert_frame_equal(read(lake), expected)

    def test_a_column_of_another_type_is_refused_with_both_types_and_nothing_is_stored(self, place):
        lake = place.lake()
        lake.write(batch(rows([0], cpu=[1.0])))
        with pytest.raises(SchemaError, match=r"metrics: cpu: holds Float64 in the lake and String in the new rows"):
            lake.write(batch(rows([1, 60], cpu=["high", "low"])))
        assert_frame_equal(read(lake), rows([0], cpu=[1.0]))

    def test_whole_numbers_may_join_a_column_of_numbers(self, place):
        lake = place.lake()
        lake.write(batch(rows([0], cpu=[1.5])))
        lake.write(batch(rows([1], cpu=[2])))
        assert read(lake)["cpu"].to_list() == [1.5, 2.0]

    def test_a_column_that_is_all_null_takes_the_type_that_is_known_or_comes_later(self, place):
        lake = place.lake()
        lake.write(batch(rows([0], cpu=[1.0], note=[None])))
        lake.write(batch(rows([1], cpu=[None], note=["restarted"])))
        assert_frame_equal(read(lake), rows([0, 1], cpu=[1.0, None], note=[None, "restarted"]))

    def test_other_zones_and_units_are_stored_as_utc_microseconds(self, place):
        lake = place.lake()
        local = rows([0], cpu=[1.0]).with_columns(
            pl.col("timestamp").dt.convert_time_zone("Asia/Tokyo").dt.cast_time_unit("ms")
        )
        lake.write(batch(local))
        assert_frame_equal(read(lake), rows([0], cpu=[1.0]))

    def test_times_without_a_zone_are_refused(self, place):
        naive = rows([0], cpu=[1.0]).with_columns(pl.col("timestamp").dt.replace_time_zone(None))
        with pytest.raises(SchemaError, match="not times in UTC"):
            place.lake().write(batch(naive))

    def test_empty_times_are_refused_with_their_row(self, place):
        frame = pl.concat([rows([0], cpu=[1.0]), rows([1], cpu=[1.0]).with_columns(timestamp=None)])
        with pytest.raises(SchemaError, match="timestamp is empty in row 2"):
            place.lake().write(batch(frame))

    def test_missing_keys_are_refused_with_the_columns_that_are_there(self, place):
        with pytest.raises(SchemaError, match="no column resource_id; there are timestamp, cpu"):
            place.lake().write(batch(rows([0], cpu=[1.0]).drop("resource_id")))

    def test_keys_without_the_time_are_refused(self, place):
        with pytest.raises(SchemaError, match="do not hold timestamp"):
            place.lake().write(batch(rows([0], cpu=[1.0]), keys=("resource_id",)))

    def test_a_name_that_could_leave_the_folder_is_refused(self, place):
        with pytest.raises(SchemaError, match="cannot name a dataset"):
            place.lake().write(batch(rows([0], cpu=[1.0]), dataset="../elsewhere"))

    def test_many_small_batches_in_any_order_give_what_one_large_one_gives(self, place):
        lake = place.lake()
        order = [(7 * n) % 48 for n in range(48)]
        for hour in order:
            lake.write(batch(rows([hour, hour + 1], cpu=[float(hour), float(hour + 1)])))
        assert read(lake)["cpu"].to_list() == [float(h) for h in range(49)]
        assert lake.datasets() == {"metrics": 49}

    def test_a_reader_that_began_before_a_write_still_reads_what_it_began_with(self, place, clock):
        lake = place.lake()
        lake.write(batch(rows([0, 1], cpu=[1.0, 2.0])))
        before = lake.scan("metrics")
        clock.sleep(600)
        lake.write(batch(rows([0, 1], cpu=[8.0, 9.0])))
        clock.sleep(600)
        lake.write(batch(rows([0, 1], cpu=[10.0, 11.0])))
        assert before.sort("timestamp").collect()["cpu"].to_list() == [1.0, 2.0]

    def test_closed_windows_of_a_scope_merge_when_they_touch(self, place):
        lake = place.lake()
        for start, end in ((4, 6), (0, 2), (2, 3), (5, 9), (12, 13)):
            lake.close("aws/eu-west-1", Window(T0 + start * HOUR, T0 + end * HOUR))
        lake.close("other", Window(T0, T0 + HOUR))
        assert place.lake().closed("aws/eu-west-1") == [
            Window(T0, T0 + 3 * HOUR),
            Window(T0 + 4 * HOUR, T0 + 9 * HOUR),
            Window(T0 + 12 * HOUR, T0 + 13 * HOUR),
        ]
        assert place.lake().closed("never") == []

    def test_an_empty_window_closes_nothing(self, place):
        lake = place.lake()
        lake.close("a", Window(T0, T0))
        assert lake.closed("a") == []
