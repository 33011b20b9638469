"""``--help`` is asked for often, by people and by shells: it must not pay for what it does not use."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

HEAVY = ("boto3", "numpy", "pandas", "plotly", "polars", "pydantic", "rich", "sklearn", "torch", "xgboost", "yaml")

PROBE = """
import json, resource, sys
from aws_auto.cli import main
try:
    main(sys.argv[1:])
except SystemExit:
    pass
spent = resource.getrusage(resource.RUSAGE_SELF)
found = sorted(set({heavy}) & set(sys.modules))
print(json.dumps([len(sys.modules), found, spent.ru_utime + spent.ru_stime]), file=sys.stderr)
"""


def probe(*argv):
    # Coverage would measure the child as well, and count as modules of ours.
    environ = {k: v for k, v in os.environ.items() if not k.startswith("COVERAGE_")}
    run = subprocess.run(
        [sys.executable, "-c", PROBE.format(heavy=HEAVY), *argv],
        capture_output=True,
        text=True,
        check=True,
        env=environ,
    )
    return run.stdout, *json.loads(run.stderr.splitlines()[-1])


def test_help_imports_nothing_heavy():
    text, modules, heavy, _ = probe("--help")
    assert "ml" in text
    assert heavy == []
    assert modules < 200


@pytest.mark.parametrize("command", ["", "train-models", "deploy-pipeline", "monitor", "serve"])
def test_the_help_of_a_command_imports_no_data_library(command):
    _, modules, heavy, _ = probe("ml", *([command] if command else []), "--help")
    # typer itself reads options through pydantic once there are commands with options
    assert set(heavy) <= {"pydantic"}
    assert modules < 330
