"""Several processes at once do a workspace no harm."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from aws_auto.pipeline.local.state import State
from aws_auto.pipeline.ports import Schedule
from aws_auto.results import Stage

HERE = Path(__file__).parent
ROUNDS = 12
RIVALS = ("a", "b", "c")


@pytest.fixture(scope="module")
def workload():
    spec = importlib.util.spec_from_file_location("workload", HERE / "workload.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def contested(workload, tmp_path_factory):
    """A workspace that three processes used at once, the jobs that each claimed, and what a reader saw meanwhile."""
    root = tmp_path_factory.mktemp("contested") / "w"
    ws = workload.start(root)
    ws.scheduler.put(Schedule(job="train", every="weekly", command=("ml",), next_run=workload.T0))
    command = [sys.executable, str(HERE / "rival.py"), str(root)]
    rivals = [
        subprocess.Popen([*command, name, str(ROUNDS)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for name in RIVALS
    ]
    seen = []
    while any(rival.poll() is None for rival in rivals):
        rows = ws.lake.scan("metrics").collect()
        seen.append((len(rows), set(rows["shared"]) if len(rows) else set()))
    answers = [rival.communicate() for rival in rivals]
    assert [rival.returncode for rival in rivals] == [0, 0, 0], answers
    return ws, [int(out) for out, _ in answers], seen


def test_no_column_of_any_process_is_lost(contested):
    ws, _, _ = contested
    rows = ws.lake.scan("metrics").collect()
    assert len(rows) == 36
    for name in RIVALS:
        assert rows[f"cpu_{name}"].to_list() == [float(ROUNDS - 1)] * 36


def test_a_reader_sees_each_batch_whole_over_all_its_days_or_not_at_all(contested):
    _, _, seen = contested
    whole = [values for rows, values in seen if rows]
    assert len(whole) > 3
    assert all(rows in (0, 36) for rows, _ in seen)
    assert all(len(values) == 1 for values in whole)


def test_every_version_has_its_own_number_and_intact_files(contested):
    ws, _, _ = contested
    versions = ws.registry.versions()
    assert sorted(v.version for v in versions) == list(range(1, len(RIVALS) * ROUNDS + 1))
    assert len({ws.registry.files(v)["model.ubj"] for v in versions}) == len(versions)


def test_there_is_one_champion_and_each_event_follows_on_the_one_before(contested, workload):
    ws, _, _ = contested
    history = ws.registry.history(workload.NAME)[::-1]
    assert [v.version for v in ws.registry.versions() if v.stage == Stage.CHAMPION] == [history[-1].version]
    assert [event.previous for event in history] == [None, *(event.version for event in history[:-1])]


def test_every_line_of_the_journal_is_there(contested):
    ws, _, _ = contested
    lines = {(e.detail["by"], e.detail["number"]) for e in ws.journal.entries("round")}
    assert lines == {(name, number) for name in RIVALS for number in range(ROUNDS)}


def test_a_job_that_is_due_is_claimed_once_over_all_processes(contested):
    _, claims, _ = contested
    assert sum(claims) == 1


OPENS = """
import os
import sys
from pathlib import Path
from aws_auto.errors import AwsAutoError
from aws_auto.pipeline.local.state import State
root, me, crowd = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
for n in range(100):
    (root / f"{n}.{me}").touch()
    while not all((root / f"{n}.{name}").exists() for name in crowd):
        os.sched_yield()
    try:
        State(root / f"{n}.db")
    except AwsAutoError as error:
        print(error)
"""


def test_a_workspace_that_processes_open_for_the_first_time_at_the_same_moment_is_whole(tmp_path):
    # SQLite refuses two switches to WAL at once, whatever its timeout: 2 % of openings failed before we waited.
    crowd = [
        subprocess.Popen(
            [sys.executable, "-c", OPENS, str(tmp_path), name, "abcd"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for name in "abcd"
    ]
    said = [one.communicate(timeout=60)[0] for one in crowd]
    assert said == [""] * 4
    for n in range(100):
        with State(tmp_path / f"{n}.db").read() as db:
            assert db.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
