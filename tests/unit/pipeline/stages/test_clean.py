"""Clean: impossible values out, with their reason; everything else untouched."""

from datetime import UTC, datetime, time, timedelta

import polars as pl
import pytest

from aws_auto.errors import SchemaError
from aws_auto.pipeline.stages.clean import clean
from aws_auto.pipeline.stages.report import REJECTED, Level
from aws_auto.pipeline.stages.rules import Range, Rules

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
START = datetime(2026, 5, 1, tzinfo=UTC)


def hours(n, **columns):
    times = [START + timedelta(hours=h) for h in range(n)]
    return pl.DataFrame({"resource_id": ["i-1"] * n, "timestamp": times, **columns})


def codes(report):
    return [f.code for f in report.findings]


def test_good_rows_pass_untouched_and_nothing_is_reported():
    rows = hours(3, cpu_utilization=[1.0, 50.0, 100.0], instance_type=["m5.large"] * 3)
    kept, rejected, report = clean(rows, now=NOW)
    assert kept.equals(rows)
    assert rejected.is_empty()
    assert rejected.schema == REJECTED
    assert (report.status, report.findings) == (Level.OK, ())


def test_a_missing_key_column_is_named_beside_those_that_are_there():
    with pytest.raises(SchemaError, match=r"columns resource_id, timestamp missing; there: id, cpu"):
        clean(pl.DataFrame({"id": [1], "cpu": [2.0]}), now=NOW)


@pytest.mark.parametrize(("column", "dtype"), [([1_700_000_000], "Int64"), ([True], "Boolean"), ([time(12)], "Time")])
def test_what_is_neither_time_nor_text_is_refused_because_its_meaning_is_a_guess(column, dtype):
    with pytest.raises(SchemaError, match=f"timestamp: holds {dtype}, not times"):
        clean(pl.DataFrame({"resource_id": ["a"], "timestamp": column}), now=NOW)


def test_blanks_around_ids_and_types_are_removed_and_counted():
    rows = hours(3, cpu_utilization=[1.0, 2.0, 3.0], instance_type=["m5.large ", "m5.large", ""])
    rows = rows.with_columns(resource_id=pl.Series([" i-1", "i-1", "i-1\t"]))
    kept, _, report = clean(rows, now=NOW)
    assert kept["resource_id"].to_list() == ["i-1"] * 3
    assert kept["instance_type"].to_list() == ["m5.large", "m5.large", None]
    assert [(f.column, f.count) for f in report.findings] == [("resource_id", 2), ("instance_type", 1)]


@pytest.mark.parametrize("nobody", [None, "", "   "])
def test_a_row_without_a_resource_goes_to_the_rejected_whole(nobody):
    rows = hours(2, cpu_utilization=[1.0, 2.0]).with_columns(resource_id=pl.Series(["i-1", nobody]))
    kept, rejected, _ = clean(rows, now=NOW)
    assert len(kept) == 1
    entry = rejected.row(0, named=True)
    assert (entry["resource_id"], entry["column"]) == (None, "resource_id")
    assert '"cpu_utilization":2.0' in entry["value"]


@pytest.mark.parametrize(
    ("moment", "reason"),
    [
        (NOW + timedelta(hours=1, seconds=1), "the time lies in the future"),
        (datetime(1970, 1, 1, tzinfo=UTC), "the time lies before 1980"),
        (None, "the time is missing or not a time"),
    ],
)
def test_a_row_at_an_impossible_time_is_rejected_with_the_reason(moment, reason):
    rows = pl.DataFrame({"resource_id": ["a", "a"], "timestamp": [START, moment], "cpu_utilization": [1.0, 2.0]})
    kept, rejected, _ = clean(rows, now=NOW)
    assert kept["cpu_utilization"].to_list() == [1.0]
    assert rejected["reason"].to_list() == [reason]
    assert rejected["timestamp"].to_list() == [moment]


def test_a_clock_that_is_up_to_an_hour_ahead_is_accepted():
    rows = pl.DataFrame({"resource_id": ["a"], "timestamp": [NOW + timedelta(minutes=59)], "cpu_utilization": [1.0]})
    assert len(clean(rows, now=NOW).rows) == 1


def test_text_times_are_parsed_and_the_unreadable_one_keeps_its_text_in_the_rejected_row():
    rows = pl.DataFrame(
        {
            "resource_id": ["a"] * 3,
            "timestamp": ["2026-05-01T00:00:00Z", "2026-05-01T03:00:00+02:00", "yesterday"],
            "cpu_utilization": [1.0, 2.0, 3.0],
        }
    )
    kept, rejected, _ = clean(rows, now=NOW)
    assert kept["timestamp"].to_list() == [START, START + timedelta(hours=1)]
    assert '"timestamp":"yesterday"' in rejected["value"][0]


def test_a_time_without_a_zone_among_times_with_one_is_rejected_because_nobody_knows_its_clock():
    text = ["2026-05-01T00:00:00Z", "2026-05-01T01:00:00", "2026-05-01", "soon"]
    rows = pl.DataFrame({"resource_id": ["a"] * 4, "timestamp": text, "cpu_utilization": [1.0, 2.0, 3.0, 4.0]})
    kept, rejected, report = clean(rows, now=NOW)
    assert kept.rows() == [("a", START, 1.0)]
    unclear = "the time has no zone, and others have one"
    assert rejected["reason"].to_list() == [unclear, unclear, "the time is missing or not a time"]
    assert '"timestamp":"2026-05-01T01:00:00"' in rejected["value"][0]
    assert "_timestamp_unclear" not in rejected["value"][0]
    assert "naive-times" not in codes(report)


def test_naive_times_are_read_as_utc_and_said_so():
    rows = hours(2, cpu_utilization=[1.0, 2.0]).with_columns(pl.col("timestamp").dt.replace_time_zone(None))
    kept, _, report = clean(rows, now=NOW)
    assert kept["timestamp"][0] == START
    assert "naive-times" in codes(report)


def test_nan_becomes_null_and_infinity_and_text_are_rejected():
    rows = hours(3, cpu_utilization=["12", "n/a", " 7.5"], latency=[1.0, float("nan"), float("inf")])
    kept, rejected, report = clean(rows, now=NOW)
    assert kept.select("cpu_utilization", "latency").rows() == [(12.0, 1.0), (7.5, None)]
    assert rejected.select("column", "value", "reason").rows() == [
        ("cpu_utilization", "n/a", "not a number"),
        ("latency", "inf", "not finite"),
        ("*", rejected["value"][2], "no metric of the row has a value that can be used"),
    ]
    assert "nan" in codes(report)


def test_a_negative_count_is_taken_out_and_the_rest_of_its_row_stays():
    rows = hours(3, request_count=[5.0, -4.0, 6.0], cpu_utilization=[1.0, 2.0, 3.0])
    kept, rejected, report = clean(rows, now=NOW)
    assert kept["request_count"].to_list() == [5.0, None, 6.0]
    assert kept["cpu_utilization"].to_list() == [1.0, 2.0, 3.0]
    entry = rejected.row(0, named=True)
    assert (entry["timestamp"], entry["column"], entry["value"]) == (
        START + timedelta(hours=1),
        "request_count",
        "-4.0",
    )
    assert "a counter that was reset" in entry["reason"]
    assert report.rejected == 1
    assert report.status is Level.WARNING


def test_cpu_above_100_is_kept_and_said_because_load_above_nominal_is_real():
    kept, rejected, report = clean(hours(3, cpu_utilization=[50.0, 105.6, 130.0]), now=NOW)
    assert kept["cpu_utilization"].to_list() == [50.0, 105.6, 130.0]
    assert rejected.is_empty()
    finding = report.finding("above-capacity")
    assert (finding.count, finding.observed, finding.level) == (2, 130.0, Level.NOTE)


def test_cpu_of_ten_times_the_capacity_is_another_unit_and_rejected():
    kept, rejected, _ = clean(hours(2, cpu_utilization=[50.0, 1500.0]), now=NOW)
    assert kept["cpu_utilization"].to_list() == [50.0]
    assert "another unit" in rejected["reason"][0]


def test_a_share_that_cannot_pass_100_is_clipped_within_rounding_and_rejected_beyond():
    kept, rejected, report = clean(hours(4, disk_utilization=[100.4, 103.0, -0.5, 40.0], latency=[1.0] * 4), now=NOW)
    assert kept["disk_utilization"].to_list() == [100.0, None, 0.0, 40.0]
    assert rejected["value"].to_list() == ["103.0"]
    assert report.finding("clipped").count == 2


@pytest.mark.parametrize(("kind", "kept_value"), [("ecs", 140.0), ("ec2", None), (None, None)])
def test_memory_passes_100_only_for_ecs_which_measures_against_a_reservation(kind, kept_value):
    rows = hours(2, memory_utilization=[140.0, 10.0], latency=[1.0, 1.0], resource_type=[kind, kind])
    assert clean(rows, now=NOW).rows["memory_utilization"].to_list() == [kept_value, 10.0]


def test_the_sum_of_percentages_has_no_upper_end():
    kept, rejected, _ = clean(hours(1, cpu_utilization_sum=[5000.0]), now=NOW)
    assert kept["cpu_utilization_sum"].to_list() == [5000.0]
    assert rejected.is_empty()


def test_a_metric_of_unknown_unit_may_be_negative():
    assert clean(hours(2, balance=[-1.0, 3.0]), now=NOW).rows["balance"].to_list() == [-1.0, 3.0]


def test_own_ranges_replace_the_default_ones():
    rules = Rules(ranges={"balance": Range(low=0.0)})
    assert clean(hours(2, balance=[-1.0, 3.0]), now=NOW, rules=rules).rows["balance"].to_list() == [3.0]


def test_an_empty_table_stays_empty():
    rows = hours(1, cpu_utilization=[1.0]).head(0)
    assert clean(rows, now=NOW).rows.is_empty()


class TestSuspicions:
    def text(self, **columns):
        n = len(next(iter(columns.values())))
        _, _, report = clean(hours(n, **columns), now=NOW + timedelta(days=30))
        return [f.text for f in report.findings if f.code == "unit-suspected"]

    def test_percent_that_never_passes_1_looks_like_fractions_and_is_not_rescaled(self):
        values = [0.2 + 0.01 * h for h in range(48)]
        kept, _, _ = clean(hours(48, cpu_utilization=values), now=NOW)
        assert kept["cpu_utilization"].to_list() == values
        assert "fractions" in self.text(cpu_utilization=values)[0]

    def test_an_idle_machine_that_once_works_is_no_fraction(self):
        assert self.text(cpu_utilization=[0.3] * 47 + [4.0]) == []

    def test_few_values_say_nothing(self):
        assert self.text(cpu_utilization=[0.3] * 10) == []

    def test_a_small_error_rate_is_health_unless_its_counts_disagree(self):
        healthy = {"request_count": [1000.0] * 30, "error_count": [5.0] * 30, "error_rate": [0.5] * 30}
        assert self.text(**healthy) == []
        assert "fraction" in self.text(**{**healthy, "error_rate": [0.005] * 30})[0]

    @pytest.mark.parametrize(("value", "word"), [(0.2, "seconds"), (250_000.0, "microseconds")])
    def test_latency_in_another_unit_is_noticed(self, value, word):
        assert word in self.text(latency=[value] * 30)[0]

    def test_a_running_total_with_resets_is_noticed(self):
        total = [float(10 * h) for h in range(40)] + [float(10 * h) for h in range(40)]
        assert "with 1 reset:" in self.text(request_count=total)[0]

    def test_stolen_cpu_near_nothing_and_credits_that_fill_up_are_healthy(self):
        assert self.text(cpu_steal=[0.2] * 48, swap_utilization=[0.5] * 48) == []
        assert self.text(cpu_credit_balance=[float(6 * h) for h in range(48)]) == []

    def test_a_load_that_goes_up_and_down_is_no_running_total(self):
        assert self.text(request_count=[float(100 + 50 * (h % 7)) for h in range(60)]) == []
