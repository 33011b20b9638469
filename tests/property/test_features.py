"""Features never look ahead, and a resource's features do not depend on who else is in the frame."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from aws_auto.frame import MetricFrame
from aws_auto.ml.features.assemble import build, build_batches, kernel
from aws_auto.ml.features.feature_set import FeatureSet

START = datetime(2026, 3, 28, tzinfo=UTC)
METRICS = (
    "cpu_utilization",
    "memory_utilization",
    "disk_utilization",
    "network_io",
    "request_count",
    "hourly_cost",
    "active_users",
)
SCHEMA = {"resource_id": pl.String, "timestamp": pl.Datetime("us", "UTC"), **dict.fromkeys(METRICS, pl.Float64)}

minutes = st.one_of(st.integers(0, 12 * 24).map(lambda n: 60 * n), st.integers(0, 12 * 24 * 60))
levels = st.sampled_from((1.0, 100.0, 1e10))
values = st.one_of(st.none(), st.just(0.0), st.floats(-1, 1, width=32), st.sampled_from((float("nan"), float("inf"))))


@st.composite
def frames(draw: st.DrawFn) -> pl.DataFrame:
    level = draw(levels)
    row = st.tuples(st.sampled_from(("a", "b", "c")), minutes, *[values] * len(METRICS))
    rows = draw(st.lists(row, min_size=1, max_size=60))
    return pl.DataFrame(
        [
            (resource, START + timedelta(minutes=minute), *(None if v is None else level * (1 + v) for v in rest))
            for resource, minute, *rest in rows
        ],
        schema=SCHEMA,
        orient="row",
    )


@settings(max_examples=120, deadline=None)
@given(frames(), minutes)
def test_taking_the_future_away_changes_no_feature_of_the_past(rows: pl.DataFrame, minute: int) -> None:
    cut = START + timedelta(minutes=minute)
    past = pl.col("timestamp") <= cut
    with_future = build(MetricFrame.of(rows), tz="Europe/Berlin", country="DE").filter(past)
    without = build(MetricFrame.of(rows.filter(past)), tz="Europe/Berlin", country="DE")
    assert_frame_equal(with_future, without, check_exact=True)


@settings(max_examples=60, deadline=None)
@given(frames())
def test_each_resource_alone_gives_what_it_gives_among_others(rows: pl.DataFrame) -> None:
    frame = MetricFrame.of(rows)
    together = build(frame)
    alone = pl.concat([kernel(part) for part in frame.data.partition_by("resource_id")])
    assert_frame_equal(together, alone, check_exact=True)
    assert_frame_equal(pl.concat(build_batches(rows.lazy(), FeatureSet(), rows=7)), together, check_exact=True)


@settings(max_examples=60, deadline=None)
@given(frames())
def test_no_feature_is_ever_infinite_or_not_a_number(rows: pl.DataFrame) -> None:
    built = build(MetricFrame.of(rows))
    for name, dtype in built.schema.items():
        if dtype.is_float():
            assert built[name].drop_nulls().is_finite().all(), name
