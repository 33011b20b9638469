from __future__ import annotations

import inspect
import re

import pytest

from aws_auto import errors
from aws_auto.errors import AwsAutoError, ConfigError, MissingExtra, Problem

CLASSES = [c for _, c in inspect.getmembers(errors, inspect.isclass) if issubclass(c, AwsAutoError)]

#: The exit codes of the design; a script may rely on them for ever.
CODES = {
    "AwsAutoError": 1,
    "UsageError": 2,
    "ConfigError": 2,
    "DataError": 3,
    "ModelError": 4,
    "TargetError": 5,
    "RolloutFailed": 6,
    "UnsafePlan": 7,
    "MissingExtra": 8,
    "NotYet": 9,
}


def test_every_class_has_the_exit_code_of_its_branch():
    for cls in CLASSES:
        branch = next(c for c in cls.__mro__ if c.__name__ in CODES)
        assert cls.exit_code == CODES[branch.__name__], cls


def test_no_exit_code_is_one_that_means_something_else():
    taken = {0, errors.EXIT_DRIFT, errors.EXIT_BUG, errors.EXIT_INTERRUPTED}
    assert not {c.exit_code for c in CLASSES} & taken


def test_the_tree_drawn_in_the_docstring_is_the_tree():
    drawn = set(re.findall(r"\b([A-Z]\w+)\b(?= |$)", "\n".join(errors.__doc__.split("::")[1].splitlines()[1:25])))
    assert {c.__name__ for c in CLASSES} <= drawn


@pytest.mark.parametrize("cls", CLASSES, ids=lambda c: c.__name__)
def test_every_class_says_what_it_is_for(cls):
    assert cls.__doc__
    assert cls.__doc__.strip().endswith(".")


def test_an_error_is_a_sentence_with_an_address_and_a_next_step():
    error = errors.SchemaError("column a missing", where="metrics.csv", hint="rename it")
    assert str(error) == "metrics.csv: column a missing"
    assert error.hint == "rename it"


def test_a_class_may_have_a_next_step_of_its_own_that_the_caller_can_replace():
    assert "train-models" in errors.NotFitted("not trained").hint
    assert errors.NotFitted("not trained", hint="do this").hint == "do this"


def test_all_problems_of_a_configuration_are_shown_sorted_by_place():
    late = Problem("b.yaml", 3, 1, "x", "late")
    early = Problem("a.yaml", 9, 9, "y", "early", "did you mean 'z'?")
    error = ConfigError([late, early])
    assert str(error) == "a.yaml:9:9: y: early (did you mean 'z'?)\nb.yaml:3:1: x: late"


def test_a_missing_extra_names_the_line_that_installs_it():
    error = MissingExtra("plotly", "report", purpose="an HTML report")
    assert "pip install 'aws-auto[report]'" in error.hint
