"""Every command has help and an example; every example runs; the written reference is fresh."""

from __future__ import annotations

import json
import os
import re
import shlex
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from aws_auto.cli.ml import app

ROOT = Path(__file__).parents[2]


def commands():
    """Every command by its words; a group that does something by itself is a command too."""
    found = {c.name or c.callback.__name__: c.callback for c in app.registered_commands}
    for group in (g.typer_instance for g in app.registered_groups):
        name = group.info.name
        if group.registered_callback and group.registered_callback.invoke_without_command is True:
            found[name] = group.registered_callback.callback
        found |= {f"{name} {c.name or c.callback.__name__}": c.callback for c in group.registered_commands}
    return found


COMMANDS = commands()

#: In the order in which a newcomer would run them: each leaves what the next one needs.
ORDER = (
    "template",
    "collect",
    "deploy-pipeline",
    "recipes",
    "train-models",
    "models",
    "rollback",
    "schedules",
    "monitor",
    "detect",
    "feedback",
    "recommend",
    "forecast-cost",
    "scale",
    "ledger",
    "ledger accept",
    "ledger applied",
    "ledger realised",
    "ledger reject",
    "prices",
    "prices refresh",
    "backtest cost",
    "simulate scaling",
    "validate",
    "serve",
    "truth",
)


def example(command):
    found = re.search(r"Example: aws-auto ml (.+)", COMMANDS[command].__doc__)
    assert found, f"{command} has no example"
    return shlex.split(found[1])


def start(home, words, **options):
    kept = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
    return subprocess.Popen(
        [sys.executable, "-m", "aws_auto", "ml", *words],
        cwd=home,
        env={**kept, "HOME": str(home), "AWS_EC2_METADATA_DISABLED": "true"},
        text=True,
        stdin=subprocess.DEVNULL,
        **options,
    )


def run(home, words):
    process = start(home, words, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    out, err = process.communicate(timeout=300)
    return process.returncode, out, err


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("newcomer")
    (folder / "pipeline.yaml").write_text((ROOT / "templates" / "pipelines" / "complete.yaml").read_text())
    return folder


def test_the_order_names_every_command():
    assert sorted(ORDER) == sorted(COMMANDS)


#: These need what only a run can tell (an id, an observation), models of their own, or AWS.
ON_THEIR_OWN = (
    "scale",
    "serve",
    "truth",
    "rollback",
    "feedback",
    "prices refresh",
    "ledger accept",
    "ledger applied",
    "ledger reject",
)


@pytest.mark.parametrize("command", [c for c in ORDER if c not in ON_THEIR_OWN])
def test_the_example_of_every_command_runs(home, command):
    code, _, err = run(home, example(command))
    assert code in ((0, 10) if command == "monitor" else (0,)), err


def test_the_example_of_rollback_runs_once_there_is_a_former_champion(home):
    code, _, err = run(home, ["train-models", "--models", "demand-forecaster"])
    assert code == 0, err
    code, _, err = run(home, ["rollback", "demand-forecaster"])
    assert code in (0, 4), err
    assert example("rollback")[:2] == ["rollback", "anomaly-detector"]


def test_the_example_of_scale_runs_once_its_models_are_there(home):
    code, _, err = run(home, ["train-models", "--models", "capacity-planner,performance-predictor"])
    assert code == 0, err
    code, out, err = run(home, example("scale"))
    assert code == 0, err
    assert "AutoScaling::ScheduledAction" in out


def test_the_example_of_feedback_runs_with_an_alarm_that_was_found(home):
    code, out, err = run(home, ["detect", "--window", "4d", "--json"])
    assert code == 0, err
    words = example("feedback")
    alarm = json.loads(out)["incidents"][0]["anomaly_id"]
    code, _, err = run(home, [words[0], alarm, *words[2:]])
    assert code == 0, err
    code, out, _ = run(home, ["detect", "--window", "4d", "--json"])
    said = {i["anomaly_id"]: i["suppressed"] for i in json.loads(out)["incidents"]}
    assert said[alarm] == "called false"
    start, end = (datetime.fromisoformat(json.loads(out)["incidents"][0][word]) for word in ("start", "end"))
    span = f"{start - timedelta(hours=9):%Y-%m-%dT%H:%MZ}/{end - timedelta(hours=8):%Y-%m-%dT%H:%MZ}"
    code, _, err = run(home, ["feedback", alarm.partition("@")[0], "missed", "--span", span])
    assert code == 0, err
    assert "1 missed incident" in err


def test_the_examples_of_the_ledger_run_with_an_id_that_was_recommended(home):
    code, out, err = run(home, ["recommend", "--window", "60d", "--json"])
    assert code == 0, err
    first = json.loads(out)["recommendations"]["items"][0]["id"]
    for command in ("ledger accept", "ledger applied", "ledger reject"):
        words = example(command)
        assert words[:2] == command.split()
        code, _, err = run(home, [*words[:2], first, *words[3:]])
        assert code == 0, err
    code, out, err = run(home, ["ledger", "--json"])
    assert code == 0, err
    assert next(e["status"] for e in json.loads(out) if e["id"] == first) == "rejected"


def test_without_credentials_prices_are_not_refreshed_and_the_next_step_is_said(home):
    code, _, err = run(home, example("prices refresh"))
    assert code == 5
    assert "no AWS credentials" in err


def test_the_examples_of_serve_and_truth_run_one_after_the_other(home):
    words = example("serve")
    words[words.index("--port") + 1] = str(free_port())
    server = start(home, words, stderr=subprocess.PIPE)
    url = f"http://127.0.0.1:{words[words.index('--port') + 1]}"
    try:
        wait_for(f"{url}/ping", server)
        rows = [{"resource_id": "web", "timestamp": "2026-01-01T00:00:00Z"}]
        schema = json.loads(run(home, ["models", "--json"])[1])["versions"]
        fields = next(v["schema"] for v in schema if v["name"] == words[1])
        rows[0] |= {f["name"]: f["low"] or 0.0 for f in fields if f["kind"] == "number"}
        request = urllib.request.Request(
            f"{url}/invocations",
            data=json.dumps({"instances": rows}).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            body = json.load(answer)
    finally:
        server.terminate()
        server.communicate(timeout=30)
    assert len(body["predictions"]) == 1
    pl.DataFrame({"request_id": [body["request_id"]], "observed": [1.0]}).write_csv(home / "observed.csv")
    code, _, err = run(home, example("truth"))
    assert code == 0, err
    assert "stored 1 observations" in err


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(url, process):
    for _ in range(150):
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except (urllib.error.URLError, ConnectionError):
            assert process.poll() is None, process.stderr.read()
            time.sleep(0.2)
    raise AssertionError(f"{url} does not answer")


def test_the_written_reference_is_fresh():
    subprocess.run([sys.executable, str(ROOT / "tools" / "cli_reference.py"), "--check"], check=True)


def test_the_readme_shows_the_three_commands_of_the_specification():
    readme = re.sub(r"\\\n\s*", "", (ROOT / "README.md").read_text())
    deploy = (
        "aws-auto ml deploy-pipeline --pipeline-type complete"
        " --ai-features cost-optimization,predictive-scaling,anomaly-detection"
        " --auto-scaling enabled --monitoring comprehensive"
    )
    train = (
        "aws-auto ml train-models --models cost-optimizer,anomaly-detector"
        " --data-source cloudwatch --training-schedule weekly"
    )
    monitor = "aws-auto ml monitor --dashboard grafana --alerts slack --drift-detection enabled"
    for line in (deploy, train, monitor):
        assert line in readme


def test_the_python_of_the_readme_runs():
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), flags=re.DOTALL)
    assert blocks
    for block in blocks:
        subprocess.run([sys.executable, "-c", block], check=True)


def test_every_link_of_the_documents_leads_somewhere():
    for page in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"
