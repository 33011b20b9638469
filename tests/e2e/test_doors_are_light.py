"""A door costs nothing until it works: torch, sklearn, xgboost and scipy come in when something is computed."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

import aws_auto

HEAVY = ("boto3", "fastapi", "plotly", "rich", "scipy", "sklearn", "torch", "typer", "xgboost")


@pytest.mark.parametrize("name", aws_auto.__all__)
def test_importing_a_public_name_loads_no_heavy_library(name):
    code = f"import json, sys; from aws_auto import {name}; print(json.dumps(sorted(set({HEAVY}) & set(sys.modules))))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(run.stdout) == []
