"""What a user installs: the wheel holds the templates and the data files, and nothing of the tests."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from importlib.metadata import distributions
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_wheel_holds_package_templates_and_data(tmp_path):
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--wheel-dir", str(tmp_path), str(ROOT)], check=True
    )
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert "aws_auto/py.typed" in names
    assert "aws_auto/_templates/pipelines/complete.yaml" in names
    assert any(n.endswith("ec2_on_demand.csv") for n in names)
    assert not [n for n in names if n.startswith(("tests", "bench", "docs"))]


def test_the_shipped_templates_are_found_in_an_installed_wheel(tmp_path):
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(tmp_path), str(ROOT)], check=True
    )
    code = "from aws_auto.config import templates; import aws_auto; print(aws_auto.__file__); print(*templates.names())"
    run = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path)},
    )
    place, names = run.stdout.splitlines()
    assert place.startswith(str(tmp_path))
    assert "pipelines/complete" in names


def test_no_cuda_build_was_pulled_in():
    names = {d.metadata["Name"].lower() for d in distributions()}
    assert not {n for n in names if n.startswith("nvidia")}
