"""The three documented command lines, word for word, as a user runs them; ``sample`` stands in where no AWS is."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys

import pytest

DEPLOY = (
    "deploy-pipeline --pipeline-type complete --ai-features cost-optimization,predictive-scaling,anomaly-detection"
    " --auto-scaling enabled --monitoring comprehensive"
)
TRAIN = "train-models --models cost-optimizer,anomaly-detector --data-source sample --training-schedule weekly"
MONITOR = "monitor --dashboard grafana --alerts slack --drift-detection enabled"


def run(home, line, *, code=0, **environ):
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "AWS"))}
    done = subprocess.run(
        [sys.executable, "-m", "aws_auto", "ml", *line.split()],
        capture_output=True,
        text=True,
        check=False,
        cwd=home,
        stdin=subprocess.DEVNULL,
        env={**kept, "HOME": str(home), "AWS_EC2_METADATA_DISABLED": "true", **environ},
    )
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return done


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder in which the quick start was done: deploy, train, and a second deploy."""
    folder = tmp_path_factory.mktemp("user")
    first = run(folder, DEPLOY)
    trained = run(folder, TRAIN)
    (folder / "first.txt").write_text(first.stdout + first.stderr)
    (folder / "trained.txt").write_text(trained.stdout + trained.stderr)
    return folder


def test_a_fresh_workspace_is_deployed_and_says_what_to_train(home):
    said = (home / "first.txt").read_text()
    assert "target: local (no AWS credentials were found)" in said
    assert re.search(r"plan \w{12}: \d+ to create, 0 to update, 0 to delete", said)
    assert "waiting for a champion: " in said
    assert "next: aws-auto ml train-models" in said


def test_a_second_deployment_has_nothing_to_do(home):
    assert "nothing to do" in run(home, DEPLOY).stderr


def test_training_shows_ours_beside_the_simple_rule_and_says_simulated(home):
    said = (home / "trained.txt").read_text()
    assert "best simple rule" in said
    for model in ("cost-optimizer v1", "anomaly-detector v1"):
        assert model in said
    assert "simulated" in said
    assert re.search(r"for cron: \*/5 \* \* \* \* .* --if-due --workspace ", said)


def test_training_writes_a_report_of_its_own(home):
    (path,) = (home / ".aws-auto" / "reports").glob("train-*.html")
    text = path.read_text()
    assert "anomaly-detector" in text
    assert "simulated" in text


def test_nothing_is_due_right_after_and_asking_every_minute_is_safe(home):
    assert "nothing is due" in run(home, "train-models --if-due").stderr


def test_schedules_are_listed_with_their_next_run(home):
    stored = json.loads(run(home, "schedules --json").stdout)
    assert {s["job"] for s in stored} == {"train:cost-optimizer", "train:anomaly-detector"}
    assert all(s["next_run"] for s in stored)


def test_monitoring_judges_the_champions_and_names_the_variables_that_are_not_set(home):
    done = run(home, MONITOR)
    assert "anomaly-detector v1" in done.stdout
    assert "AWS_AUTO_SLACK_WEBHOOK" in done.stderr
    assert "AWS_AUTO_GRAFANA_URL" in done.stderr
    dashboard = json.loads((home / ".aws-auto" / "dashboards" / "grafana.json").read_text())
    assert dashboard["panels"]


def test_monitoring_as_json_holds_every_reading(home):
    found = json.loads(run(home, "monitor --json").stdout)
    assert {m["model"] for m in found["models"]} == {"anomaly-detector", "cost-optimizer"}
    for model in found["models"]:
        assert set(model["readings"]) == {
            "data_drift_score",
            "model_latency",
            "prediction_accuracy",
            "prediction_drift_score",
        }
        assert model["status"] in ("healthy", "drift", "degraded", "not enough data")
        assert model["simulated"] is True


def test_the_same_frame_gives_the_same_figures_through_a_door_and_through_the_command_line(home):
    code = """
import json, sys
from datetime import datetime
from pathlib import Path
from aws_auto import AnomalyDetectionAI
from aws_auto.pipeline.ports import Window
from aws_auto.pipeline.process import process
from aws_auto.pipeline.workspace import open_workspace
from aws_auto.results import as_json

ws = open_workspace(Path(".aws-auto"), target="local")
(version,) = ws.registry.versions("anomaly-detector")
report = version.report
start, end = (datetime.fromisoformat(report["lineage"][k]) for k in ("start", "end"))
frame = process(ws, Window(start, end.replace(microsecond=999_999))).frame
mine = as_json(AnomalyDetectionAI().train(frame, seed=0))
theirs = {k: report[k] for k in ("decision", "backtests", "calibration")}
assert frame.fingerprint() == report["lineage"]["data_fingerprint"]
assert {k: mine[k] for k in theirs} == theirs, (mine, theirs)
"""
    subprocess.run([sys.executable, "-c", code], check=True, cwd=home)


@pytest.mark.parametrize(
    ("line", "code", "sentence"),
    [
        ("train-models --models anomly-detector", 4, "did you mean 'anomaly-detector'"),
        ("train-models --models anomly-detector --data-source cloudwatch", 4, "did you mean 'anomaly-detector'"),
        ("train-models --seed -1", 2, "greater than or equal to 0"),
        ("train-models --data-source moon", 2, "moon"),
        ("train-models --window fortnight --data-source sample", 2, "fortnight"),
        ("train-models --data-source file", 2, "add --path FILE"),
        ("train-models --data-source cloudwatch", 5, "credentials"),
        ("deploy-pipeline --pipeline-type everything", 2, "complete"),
        ("deploy-pipeline --ai-features magic", 2, "anomaly-detection"),
        ("deploy-pipeline --config missing.yaml", 2, "missing.yaml:1:1"),
        ("monitor --models demand-forecaster", 4, "train first"),
        ("monitor --alerts pigeons", 2, "slack"),
        ("rollback anomaly-detector", 4, "before"),
        ("collect --data-source sample --target mars", 2, "mars"),
    ],
)
def test_a_mistake_is_answered_with_a_sentence_a_next_step_and_a_code(home, line, code, sentence):
    done = run(home, line, code=code)
    assert sentence in done.stderr
    assert done.stdout == ""


def test_a_dry_run_stores_no_schedule(tmp_path):
    run(tmp_path, f"{TRAIN} --dry-run")
    assert json.loads(run(tmp_path, "schedules --json").stdout) == []


def test_real_data_is_refused_in_a_workspace_of_simulated_data(home):
    (home / "m.csv").write_text("resource_id,timestamp,cpu_utilization\ni-1,2026-01-01T00:00:00Z,3\n")
    done = run(home, "collect --data-source file --path m.csv", code=2)
    assert "this workspace holds simulated data" in done.stderr


def test_the_plan_for_aws_can_be_seen_and_applying_it_is_said_to_be_not_built(home):
    shown = run(home, f"{DEPLOY} --target aws --dry-run")
    assert "AWS::" in shown.stdout
    refused = run(home, f"{DEPLOY} --target aws --yes", code=9)
    assert "not built yet" in refused.stderr
