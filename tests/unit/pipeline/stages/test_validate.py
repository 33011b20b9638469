"""Validate: four checks, each with its figure, its threshold and a status."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from aws_auto.errors import DataError, NotEnoughData, SchemaError
from aws_auto.pipeline.stages.clean import clean
from aws_auto.pipeline.stages.report import Level
from aws_auto.pipeline.stages.rules import Rules
from aws_auto.pipeline.stages.validate import completeness, span, validate

START = datetime(2026, 5, 1, tzinfo=UTC)


def series(resource="i-1", n=10, *, minutes=60, skip=(), **columns):
    kept = [k for k in range(n) if k not in skip]
    times = [START + timedelta(minutes=minutes * k) for k in kept]
    columns = columns or {"cpu_utilization": [50.0] * n}
    picked = {name: [values[k] for k in kept] for name, values in columns.items()}
    return pl.DataFrame({"resource_id": [resource] * len(kept), "timestamp": times, **picked})


def now(n=10, *, minutes=60, later=timedelta(0)):
    return START + timedelta(minutes=minutes * n) + later


def check(rows, code, *, at=None, **rules):
    _, _, report = validate(rows, now=at or now(), rules=Rules(**rules))
    return report.finding(code)


def test_good_data_passes_every_check_and_comes_back_as_it_was():
    rows = series()
    out, rejected, report = validate(rows, now=now())
    assert out.equals(rows)
    assert rejected.is_empty()
    assert report.status is Level.OK
    assert [f.code for f in report.findings] == ["schema", "completeness", "freshness", "accuracy"]


def test_nothing_left_is_an_error_even_when_not_strict():
    with pytest.raises(NotEnoughData, match="no row with a metric"):
        validate(series().head(0), now=now())
    with pytest.raises(NotEnoughData, match="no metric column"):
        validate(series().drop("cpu_utilization"), now=now())


def test_a_required_column_that_is_missing_fails_the_schema_and_names_what_is_there():
    finding = check(series(), "schema", require=("cpu_utilization", "hourly_cost"))
    assert finding.level is Level.FAILED
    assert finding.text == ("required columns are missing: hourly_cost; there: resource_id, timestamp, cpu_utilization")


def test_a_metric_without_a_known_unit_is_noted_because_its_range_was_not_checked():
    assert "queue_depth" in check(series(queue_depth=[1.0] * 10), "unknown-unit").text


def test_completeness_counts_missing_points_against_the_series_own_pace():
    table = completeness(series(n=100, skip=range(40, 60)), ["cpu_utilization"])
    assert table.rows() == [("i-1", "cpu_utilization", 80, 100, 0.8)]


def test_an_hourly_metric_beside_five_minute_ones_is_complete():
    cost = [1.0 if k % 12 == 0 else None for k in range(120)]
    rows = series(n=120, minutes=5, cpu_utilization=[1.0] * 120, hourly_cost=cost)
    assert completeness(rows, ["cpu_utilization", "hourly_cost"])["share"].to_list() == [1.0, 1.0]


def test_a_metric_that_stops_early_is_incomplete():
    memory = [1.0] * 50 + [None] * 50
    rows = series(n=100, cpu_utilization=[1.0] * 100, memory_utilization=memory)
    assert completeness(rows, ["memory_utilization"])["share"].to_list() == [0.5]


def test_a_metric_that_a_resource_never_had_is_no_gap():
    rows = pl.concat([series("db", latency=[1.0] * 10), series("vm")], how="diagonal")
    assert completeness(rows, ["cpu_utilization", "latency"]).select("resource_id", "metric").rows() == [
        ("db", "latency"),
        ("vm", "cpu_utilization"),
    ]


def test_completeness_below_the_threshold_fails_and_names_the_worst_series():
    rows = pl.concat([series("good"), series("bad", skip=(2, 3, 5, 6))])
    finding = check(rows, "completeness")
    assert (finding.level, finding.count, finding.threshold) == (Level.FAILED, 1, 0.95)
    assert finding.observed == pytest.approx(16 / 20)
    assert "bad cpu_utilization 60%" in finding.text


def test_one_bad_series_among_many_good_ones_is_a_warning():
    rows = pl.concat([*(series(f"good-{k}", n=100) for k in range(9)), series("bad", n=100, skip=range(10, 30))])
    finding = check(rows, "completeness", at=now(100))
    assert (finding.level, finding.count) == (Level.WARNING, 1)


def test_completeness_of_two_points_is_unknown_and_said_so():
    assert check(series(n=2), "completeness", at=now(2)).text.startswith("completeness is unknown")


def test_a_point_is_as_old_as_the_end_of_its_period():
    finding = check(series(), "freshness", at=now(later=timedelta(minutes=30)))
    assert finding.observed == 1800.0
    assert finding.level is Level.OK


def test_data_older_than_an_hour_fails_by_default_and_passes_with_a_wider_threshold():
    late = now(later=timedelta(hours=3))
    assert check(series(), "freshness", at=late).level is Level.FAILED
    assert check(series(), "freshness", at=late, freshness=timedelta(hours=4)).level is Level.OK


def test_a_resource_that_went_silent_is_a_warning_with_its_name():
    rows = pl.concat([series("alive"), series("gone", n=3)])
    finding = check(rows, "freshness")
    assert (finding.level, finding.count) == (Level.WARNING, 1)
    assert "gone" in finding.text


@pytest.mark.parametrize(
    "columns",
    [
        {"cpu_utilization": [50.0] * 10, "cpu_utilization_max": [60.0] * 9 + [40.0]},
        {"cpu_utilization": [50.0] * 10, "cpu_utilization_min": [10.0] * 9 + [55.0]},
        {"latency_p50": [1.0] * 10, "latency_p95": [2.0] * 9 + [0.5]},
        {"latency_p95": [3.0] * 10, "latency_max": [4.0] * 9 + [2.0]},
        {"request_count": [10.0] * 10, "error_count": [1.0] * 9 + [11.0]},
        {"request_count": [100.0] * 10, "error_count": [5.0] * 10, "error_rate": [5.0] * 9 + [50.0]},
    ],
)
def test_a_row_that_contradicts_itself_lowers_the_accuracy(columns):
    finding = check(series(**columns), "accuracy")
    assert finding.observed == pytest.approx(0.9)
    assert finding.count == 1
    assert finding.level is Level.WARNING


def test_a_count_may_pass_its_own_maximum_because_it_is_a_sum():
    finding = check(series(request_count=[60.0] * 10, request_count_max=[1.0] * 10), "accuracy")
    assert finding.observed == 1.0


def test_what_clean_rejected_counts_as_wrong_once_per_row():
    rows = series(request_count=[-1.0, *[5.0] * 9], error_count=[-2.0, *[1.0] * 9], latency=[1.0] * 10)
    nameless = series("", n=1, request_count=[1.0], error_count=[1.0], latency=[1.0])
    cleaned = clean(pl.concat([rows, nameless]), now=now())
    _, _, report = validate(cleaned.rows, now=now(), rejected=cleaned.rejected)
    finding = report.finding("accuracy")
    assert finding.count == 2
    assert finding.observed == pytest.approx(9 / 11)
    assert finding.level is Level.FAILED


def test_strict_raises_with_every_failed_check_and_a_next_step():
    rules = Rules(strict=True)
    with pytest.raises(DataError, match=r"points are there.*newest point") as caught:
        validate(series(skip=(2, 3)), now=now(later=timedelta(hours=5)), rules=rules)
    assert "data_quality" in caught.value.hint


def test_strict_with_a_missing_column_is_a_schema_error():
    with pytest.raises(SchemaError, match="hourly_cost"):
        validate(series(), now=now(), rules=Rules(strict=True, require=("hourly_cost",)))


@pytest.mark.parametrize(("seconds", "text"), [(5, "5 s"), (90, "1.5 min"), (7200, "2 h"), (200_000, "2.31 days")])
def test_ages_are_written_for_people(seconds, text):
    assert span(seconds) == text
