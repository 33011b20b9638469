from __future__ import annotations

import subprocess
import sys

import pytest

import aws_auto


def test_the_public_names_are_sorted_and_each_has_a_home():
    assert aws_auto.__all__ == sorted(aws_auto.__all__)
    assert set(aws_auto.__all__) == set(aws_auto._HOMES)


@pytest.mark.parametrize("name", aws_auto.__all__)
def test_every_public_name_can_be_imported_and_says_what_it_is(name):
    assert getattr(aws_auto, name).__doc__


def test_a_name_that_is_not_there_is_answered_with_those_that_are():
    with pytest.raises(AttributeError, match="there: AdvancedFeatureEngineering, AnomalyDetectionAI"):
        aws_auto.Nothing  # noqa: B018 - the access is the test


def test_importing_the_package_loads_no_room():
    code = "import sys, aws_auto; print([m for m in sys.modules if m.startswith('aws_auto.')])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
