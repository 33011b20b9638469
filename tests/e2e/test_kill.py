"""Killed at any moment, a workspace opens and holds either the old or the new state."""

from __future__ import annotations

import importlib.util
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from threading import Timer

import numpy as np
import pytest

from aws_auto.results import Stage

SCRIPT = Path(__file__).with_name("workload.py")
POINTS = 20


@pytest.fixture(scope="module")
def workload():
    spec = importlib.util.spec_from_file_location("workload", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def states(workload, tmp_path_factory):
    """What the workspace holds after each number of steps, when nobody is killed."""
    ws = workload.start(tmp_path_factory.mktemp("whole"))
    seen = [workload.observe(ws)]
    for step in workload.STEPS:
        step(ws)
        seen.append(workload.observe(ws))
    return seen


@pytest.fixture(scope="module")
def moments(tmp_path_factory):
    """How many moments there are to be killed at."""
    folder = tmp_path_factory.mktemp("counted")
    done = subprocess.run(command(folder, 0), capture_output=True, text=True, check=True)
    return int(done.stdout)


def command(folder, kill_at):
    return [sys.executable, str(SCRIPT), str(folder / "w"), str(folder / "progress"), str(kill_at)]


def steps_done(folder):
    path = folder / "progress"
    return len(path.read_text().splitlines()) if path.exists() else 0


def check(workload, states, folder):
    """The invariants, and that the work can be taken up where it was left."""
    done = steps_done(folder)
    ws = workload.start(folder / "w")
    with closing(sqlite3.connect(folder / "w" / "state.db")) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert db.execute("PRAGMA foreign_key_check").fetchall() == []
    found = workload.observe(ws)
    assert found in states[done : done + 2], f"after {done} steps: neither the old nor the new state"
    champions = [v for v in found["versions"] if v.stage == Stage.CHAMPION]
    assert len(champions) == (1 if found["history"] else 0)
    assert found["champion"] == (champions[0] if champions else None)

    for step in workload.STEPS[states.index(found) :]:
        step(ws)
    assert workload.observe(ws) == states[-1]


def litter(workload, folder):
    """Files of the lake that nobody needs, after each dataset was written to a day later."""
    later = workload.start(folder / "w", workload.FixedClock(workload.T0 + 31 * workload.DAY))
    for dataset, keys in (("metrics", ("resource_id", "timestamp")), ("billing", ())):
        later.lake.write(workload._batch(dataset, 20, 1, keys=keys))
    with closing(sqlite3.connect(folder / "w" / "state.db")) as db:
        live = {f"{number:09d}.parquet" for (number,) in db.execute("SELECT id FROM lake_files WHERE state = 'live'")}
    return {p.name for p in (folder / "w" / "lake").rglob("*") if p.is_file()} - live - {".lock"}


@pytest.mark.parametrize("point", range(POINTS))
def test_killed_at_a_critical_moment_it_holds_the_old_or_the_new_state(workload, states, moments, tmp_path, point):
    stretch = moments / POINTS
    kill_at = int(stretch * point + np.random.default_rng(point).uniform(0, stretch)) + 1
    done = subprocess.run(command(tmp_path, kill_at), capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    check(workload, states, tmp_path)
    assert litter(workload, tmp_path) == set()


@pytest.mark.parametrize("seed", range(4))
def test_killed_at_a_random_time_it_holds_the_old_or_the_new_state(workload, states, tmp_path, seed):
    process = subprocess.Popen(command(tmp_path, 0), stdout=subprocess.DEVNULL)
    while not steps_done(tmp_path) and process.poll() is None:
        pass
    timer = Timer(np.random.default_rng(seed).uniform(0.0, 0.15), process.kill)
    timer.start()
    process.wait()
    timer.join()
    check(workload, states, tmp_path)


def test_there_are_enough_moments_to_choose_from(moments):
    assert moments > 10 * POINTS
