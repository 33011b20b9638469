from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from aws_auto.pipeline.local.sample import SampleSource
from aws_auto.pipeline.ports import Source, Window

NOW = datetime(2026, 11, 24, 10, 3, tzinfo=UTC)


@dataclass
class Stopped:
    def now(self):
        return NOW

    def sleep(self, seconds):
        raise AssertionError("the sample source never waits")


@pytest.fixture
def source():
    return SampleSource(seed=7, clock=Stopped())


def test_it_is_a_source_that_says_it_is_simulated(source):
    port: Source = source
    assert (port.name, port.scope, port.simulated) == ("sample", "sample:7", True)


def test_a_pull_gives_four_datasets_with_times_inside_their_window(source):
    batches = list(source.pull(Window(NOW - timedelta(days=5), NOW)))
    assert [b.dataset for b in batches] == ["metrics", "resources", "billing", "truth"]
    for batch in batches:
        inside = batch.rows.filter(pl.col("timestamp").is_between(batch.window.start, batch.window.end, closed="left"))
        assert len(inside) == len(batch.rows) > 0, batch.dataset


def test_a_span_is_final_only_with_its_last_batch(source):
    batches = list(source.pull(Window(NOW - timedelta(days=20), NOW)))
    assert [batch.final for batch in batches] == [False, False, False, True] * 2


def test_the_future_is_not_told(source):
    batches = list(source.pull(Window(NOW - timedelta(hours=2), NOW + timedelta(days=2))))
    assert all(batch.window.end == NOW for batch in batches)
    assert batches[0].rows["timestamp"].max() < NOW
    assert list(source.pull(Window(NOW + timedelta(days=1), NOW + timedelta(days=2)))) == []


def test_a_long_window_comes_in_parts_that_touch(source):
    window = Window(NOW - timedelta(days=40), NOW)
    parts = [batch.window for batch in source.pull(window) if batch.dataset == "metrics"]
    assert len(parts) == 3
    assert window.without(parts) == []


def test_it_costs_nothing(source):
    estimate = source.estimate(Window(NOW - timedelta(days=30), NOW))
    assert (estimate.calls, estimate.price_usd) == (0, 0.0)
    assert "30.0 days" in estimate.lines[0]
