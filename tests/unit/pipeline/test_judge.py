"""A detection that comes back every few minutes says what one that starts afresh says, at the cost of what is new."""

from __future__ import annotations

import shutil
import sqlite3
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from aws_auto.errors import NotEnoughData
from aws_auto.ml.recipes.anomaly import AnomalyDetector
from aws_auto.pipeline.detect import detect
from aws_auto.pipeline.judge import LOOKBACK, MODEL, judged
from aws_auto.pipeline.ports import Batch, Window
from aws_auto.pipeline.process import process
from aws_auto.pipeline.train import train
from aws_auto.pipeline.workspace import open_workspace

TRAINED = datetime(2026, 6, 1, tzinfo=UTC)
START, END = TRAINED - timedelta(days=12), TRAINED + timedelta(days=3)
BREAK = TRAINED + timedelta(days=2, hours=3)
STEP = timedelta(minutes=5)


@dataclass
class HandClock:
    at: datetime

    def now(self):
        return self.at

    def sleep(self, seconds):
        raise AssertionError("nothing waits here")


def metrics():
    """Two resources; the CPU of the first is stuck at 95 for two hours."""
    n = (END - START) // STEP
    times = [START + k * STEP for k in range(n)]
    frames = []
    for number, name in enumerate(("web-1", "web-2")):
        rng = np.random.default_rng(number)
        cpu = 30 + 10 * np.sin(2 * np.pi * np.arange(n) / 288) + rng.normal(0, 1, n)
        if name == "web-1":
            cpu[(BREAK - START) // STEP : (BREAK + timedelta(hours=2) - START) // STEP] = 95
        frames.append(pl.DataFrame({"resource_id": name, "timestamp": times, "cpu_utilization": cpu}))
    return pl.concat(frames).with_columns(pl.col("timestamp").dt.cast_time_unit("us"))


ROWS = metrics()


def arrive(ws, rows):
    ws.lake.write(Batch(dataset="metrics", rows=rows, window=Window(START, END), final=False))


def between(start, end):
    return ROWS.filter(pl.col("timestamp").is_between(start, end, closed="left"))


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    root = tmp_path_factory.mktemp("trained") / "w"
    ws = open_workspace(root, target="local", environ={}, clock=HandClock(TRAINED))
    arrive(ws, between(START, TRAINED))
    train(ws, [MODEL], process(ws, Window(START, TRAINED)).frame)
    return root


@pytest.fixture
def workspace(trained, tmp_path):
    """Copies of a workspace with a champion; each is a machine of its own."""

    def made(name="w", at=END):
        shutil.copytree(trained, tmp_path / name, dirs_exist_ok=True)
        return open_workspace(tmp_path / name, target="local", environ={}, clock=HandClock(at))

    return made


def run(ws, at, hours=1):
    ws.clock.at = at
    return detect(ws, Window(at - timedelta(hours=hours), at))


def said(found):
    return [
        (i.anomaly_id, i.start, i.end, i.metric, i.severity, *np.round([i.score, i.value, i.low, i.high], 9))
        for i in found.incidents
    ]


def fresh(workspace, at, hours=1):
    ws = workspace("fresh")
    arrive(ws, between(TRAINED, at))
    return said(run(ws, at, hours))


def point(ws):
    return ws.checkpoints.get(MODEL, str(ws.registry.champion(MODEL).version))


def test_many_small_steps_raise_the_alarms_of_one_large_one(workspace):
    ws, seen = workspace(), {}
    step = timedelta(minutes=45)
    for k in range(1, int((END - TRAINED) / step) + 1):
        now = TRAINED + k * step
        arrive(ws, between(now - step, now))
        seen |= {i[0]: i for i in said(run(ws, now))}
    assert point(ws).at > BREAK, "the checkpoint has moved on, so most steps started from one"
    everything = fresh(workspace, END, hours=72)
    assert sorted(seen.values()) == sorted(everything)
    assert any(abs(i[1] - BREAK) <= 2 * STEP for i in everything)


class Counting:
    """A predictor that remembers how many rows it was given."""

    def __init__(self, predictor):
        self._predictor, self.trained_until, self.given = predictor, predictor.trained_until, []

    def stream(self, states, rows):
        self.given.append(len(rows))
        return self._predictor.stream(states, rows)


def champion(ws):
    version = ws.registry.champion(MODEL)
    return AnomalyDetector().load(ws.registry.files(version)), str(version.version)


def test_a_run_reads_only_what_came_since_the_checkpoint(workspace):
    ws = workspace()
    arrive(ws, between(TRAINED, END))
    predictor, version = champion(ws)
    counting = Counting(predictor)
    for _ in range(2):
        judged(ws, counting, version, Window(END - timedelta(hours=1), END))
    before, window = (END - TRAINED) / STEP, (timedelta(hours=1) + LOOKBACK) / STEP
    assert counting.given == [2 * (before - window), 2 * window, 2 * window]


def test_a_point_that_comes_late_is_judged_as_if_it_had_been_there(workspace):
    ws = workspace()
    hole = pl.col("timestamp").is_between(BREAK, BREAK + timedelta(minutes=30))
    kept, lost = between(TRAINED, END).filter(~hole), between(TRAINED, END).filter(hole)
    arrive(ws, kept)
    run(ws, END)
    assert point(ws).at > BREAK + LOOKBACK / 2
    arrive(ws, lost)
    window = Window(END - timedelta(hours=1), END)
    predictor, version = champion(ws)
    late, _ = judged(ws, predictor, version, window)
    other = workspace("other")
    arrive(other, between(TRAINED, END))
    whole, _ = judged(other, predictor, version, window)
    keys = ["resource_id", "timestamp"]
    both = late.filter(pl.col("timestamp") >= window.start).sort(keys)
    assert both["score"].to_numpy() == pytest.approx(
        whole.filter(pl.col("timestamp") >= window.start).sort(keys)["score"].to_numpy(), abs=1e-9
    )
    assert point(ws).seen == point(other).seen


def test_a_window_before_the_checkpoint_starts_from_the_end_of_training_and_leaves_the_checkpoint(workspace):
    ws = workspace()
    arrive(ws, between(TRAINED, END))
    run(ws, END)
    before = point(ws)
    assert said(run(ws, BREAK + timedelta(hours=1))) == fresh(workspace, BREAK + timedelta(hours=1))
    assert point(ws) == before


def test_a_damaged_checkpoint_is_left_aside_and_said(workspace):
    ws = workspace()
    arrive(ws, between(TRAINED, END))
    good = said(run(ws, END, hours=18))
    with sqlite3.connect(ws.root / "state.db") as db:
        db.execute("UPDATE checkpoint_states SET state = x'0102'")
    db.close()
    assert said(run(ws, END, hours=18)) == good
    assert ws.journal.entries("checkpoint unreadable")


def test_an_alarm_that_was_on_when_the_window_starts_keeps_its_name(workspace):
    ws = workspace()
    arrive(ws, between(TRAINED, END))
    (during,) = said(run(ws, BREAK + timedelta(minutes=20)))
    (after,) = said(run(ws, BREAK + timedelta(hours=2), hours=1))
    assert during[0] == after[0]
    assert after[1] < BREAK + timedelta(hours=1)


def test_another_version_starts_from_its_own_end_of_training(workspace):
    ws = workspace()
    arrive(ws, between(TRAINED, END))
    run(ws, END)
    (again,) = train(ws, [MODEL], process(ws, Window(START + timedelta(days=1), TRAINED)).frame)
    ws.registry.promote(MODEL, again.version.version, reason="test")
    assert point(ws) is None
    run(ws, END)
    assert point(ws) is not None


def test_nothing_to_judge_is_said(workspace):
    with pytest.raises(NotEnoughData, match="no metrics and no bill"):
        run(workspace(), END)
