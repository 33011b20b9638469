"""Stages on any table: nothing is lost, nothing is changed twice, and sums stay what they were."""

import json
import math
from collections import defaultdict
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aws_auto.errors import NotEnoughData
from aws_auto.frame import MetricFrame
from aws_auto.pipeline.process import run_stages
from aws_auto.pipeline.stages.aggregate import aggregate
from aws_auto.pipeline.stages.clean import clean

NOW = datetime(2026, 5, 4, tzinfo=UTC)
START = datetime(2026, 5, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)

ids = st.sampled_from(["a", " a", "b", "", None])
moments = st.one_of(
    st.integers(0, 400).map(lambda m: START + timedelta(minutes=5 * m)),
    st.sampled_from([None, datetime(1970, 1, 1, tzinfo=UTC), datetime(2030, 1, 1, tzinfo=UTC)]),
)
values = st.one_of(st.none(), st.floats(-10, 2000), st.sampled_from([math.nan, math.inf, -math.inf]))
tables = st.lists(st.tuples(ids, moments, values, values), max_size=40).map(
    lambda rows: pl.DataFrame(
        rows,
        schema={
            "resource_id": pl.String,
            "timestamp": pl.Datetime("us", "UTC"),
            "cpu_utilization": pl.Float64,
            "request_count": pl.Float64,
        },
        orient="row",
    )
)


@given(tables)
@settings(max_examples=60, deadline=None)
def test_every_row_goes_on_or_is_rejected_whole_and_every_value_too(rows):
    kept, rejected, report = clean(rows, now=NOW)
    whole = rejected.filter(pl.col("column").is_in(["*", "resource_id", "timestamp"]))
    assert len(kept) + len(whole) == len(rows) == report.rows_in
    assert report.rejected == len(rejected)
    for name in ("cpu_utilization", "request_count"):
        numbers = rows[name].fill_nan(None).count()
        lost = len(rejected.filter(pl.col("column") == name))
        # Values of rows that were rejected whole are in the JSON of the row.
        inside = sum(json.loads(row)[name] not in (None, "NaN") for row in whole["value"].to_list())
        assert kept[name].count() + lost <= numbers
        assert kept[name].count() + lost + inside >= numbers


@given(tables)
@settings(max_examples=60, deadline=None)
def test_cleaning_twice_changes_nothing_more(rows):
    once = clean(rows, now=NOW).rows
    again = clean(once, now=NOW)
    assert again.rows.equals(once)
    assert again.rejected.is_empty()


@given(tables)
@settings(max_examples=60, deadline=None)
def test_any_table_gives_a_frame_or_says_that_there_is_not_enough(rows):
    try:
        done = run_stages(rows, now=NOW, period=HOUR)
    except NotEnoughData:
        return
    assert 0 < len(done.frame) <= len(rows)


@given(tables)
@settings(max_examples=60, deadline=None)
def test_hours_are_what_plain_loops_make_of_the_same_rows(rows):
    cleaned = clean(rows, now=NOW).rows
    data = MetricFrame.of(cleaned).data
    if data.is_empty():
        return
    sums, means = defaultdict(list), defaultdict(list)
    for resource, moment, cpu, requests in data.iter_rows():
        bucket = (resource, moment.replace(minute=0))
        means[bucket] += [cpu] if cpu is not None else []
        sums[bucket] += [requests] if requests is not None else []
    out = aggregate(data, period=HOUR).rows
    for row in out.iter_rows(named=True):
        bucket = (row["resource_id"], row["timestamp"])
        expected = sum(means[bucket]) / len(means[bucket]) if means[bucket] else None
        assert row["cpu_utilization"] == (None if expected is None else pytest.approx(expected))
        assert row["request_count"] == (pytest.approx(sum(sums[bucket])) if sums[bucket] else None)
    assert len(out) == len({(r, t.replace(minute=0)) for r, t, *_ in data.iter_rows()})
