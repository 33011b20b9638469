"""One incident with many alarms is explained as one."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from aws_auto.frame import TIME_DTYPE
from aws_auto.pipeline.explain import IN_ALL, OF_ONE, Severity, Story, together
from aws_auto.pipeline.ports import Batch, Window
from fakes import FakeClock, memory_workspace

NOW = datetime(2026, 6, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


def alarm(number, start, end, score=0.9, resource=None):
    return {
        "anomaly_id": f"a{number}",
        "resource_id": resource or f"web-{number}",
        "metric": "cpu_utilization",
        "start": start,
        "end": end,
        "score": score,
        "severity": 0.6,
        "value": 95.0,
        "expected": 30.0,
        "low": 20.0,
        "high": 40.0,
    }


def test_alarms_that_touch_are_one_incident_named_after_the_most_severe():
    raised = [
        alarm(1, NOW + HOUR, NOW + 2 * HOUR),
        alarm(2, NOW, NOW + HOUR),
        alarm(3, NOW + 5 * HOUR, NOW + 6 * HOUR),
        alarm(4, NOW + 2 * HOUR + timedelta(minutes=10), NOW + 3 * HOUR),
    ]
    assert together(raised) == {"a1": "a1", "a2": "a1", "a4": "a1", "a3": "a3"}


def test_no_alarm_is_no_incident():
    assert together([]) == {}


@pytest.mark.parametrize("level", Severity)
def test_every_level_says_what_it_asks_for(level):
    assert level.meaning.endswith(("look when you are there anyway", "look today", "look now", "wake somebody"))


class Bare:
    """A target where nothing was deployed."""

    def observe(self):
        return {}


class Bands:
    """Counts how often it is asked for the band of a series."""

    def __init__(self):
        self.asked = []

    def band(self, rows, resource, metric):
        self.asked.append((resource, metric))
        times = rows.filter(pl.col("resource_id") == resource)["timestamp"]
        return pl.DataFrame({"timestamp": times, "expected": 30.0, "low": 20.0, "high": 40.0})


@pytest.fixture(scope="module")
def ws():
    n, start = 288 * 4, NOW - timedelta(days=4)
    times = [start + timedelta(minutes=5 * k) for k in range(n)]
    rng = np.random.default_rng(0)
    felt = np.arange(n) >= n - 12
    frames = [
        pl.DataFrame(
            {
                "resource_id": f"web-{r}",
                "timestamp": pl.Series(times, dtype=TIME_DTYPE),
                "cpu_utilization": np.where(felt, 95.0, 30.0) + rng.normal(0, 1, n),
                "latency": np.where(felt, 400.0, 100.0) + rng.normal(0, 5, n),
            }
        )
        for r in range(50)
    ]
    made = memory_workspace(FakeClock(NOW), target=Bare())
    made.lake.write(Batch(dataset="metrics", rows=pl.concat(frames), window=Window(start, NOW)))
    return made


def test_fifty_alarms_at_once_are_one_incident_and_stay_quick(ws):
    raised = [alarm(r, NOW - HOUR, NOW - timedelta(minutes=5), score=0.9 - r / 1000) for r in range(50)]
    bands = Bands()
    begin = time.process_time()
    story = Story.of(ws, bands, raised, NOW)
    assert time.process_time() - begin < 10
    assert set(story.incidents.values()) == {"a0"}
    assert list(story.causes) == [f"a{r}" for r in range(OF_ONE)]
    assert len(bands.asked) == OF_ONE
    last = story.found(raised[-1], suppressed="")
    assert last.cause is None
    assert last.incident == "a0"
    assert last.severity is Severity.MAJOR
    first = story.found(raised[0], suppressed="")
    assert first.picture["expected"].null_count() == 0
    assert first.curves


def test_a_series_that_alarms_again_and_again_is_judged_once_for_its_pictures_and_not_explained_without_end(ws):
    raised = [
        alarm(k, NOW - (k + 1) * HOUR, NOW - (k + 1) * HOUR + timedelta(minutes=10), resource="web-1")
        for k in range(IN_ALL + 5)
    ]
    bands = Bands()
    story = Story.of(ws, bands, raised, NOW)
    assert len(story.causes) == IN_ALL
    assert bands.asked == [("web-1", "cpu_utilization")]
