"""Conditions: parsed, never evaluated as code."""

import math

import pytest

from aws_auto.config.units import Condition, UnitError


def test_the_specifications_conditions_are_read():
    accuracy = Condition.parse("accuracy < 0.8")
    assert (accuracy.metric, accuracy.canonical, accuracy.op, accuracy.value) == (
        "accuracy",
        "prediction_accuracy",
        "<",
        0.8,
    )
    assert Condition.parse("drift_score > 0.5").canonical == "data_drift_score"


@pytest.mark.parametrize(
    ("text", "value", "holds"),
    [
        ("a < 1", 0.5, True),
        ("a < 1", 1, False),
        ("a <= 1", 1, True),
        ("a > 1", 1, False),
        ("a >= 1", 1, True),
        ("a == 1", 1, True),
        ("a != 1", 1, False),
        ("latency > 200ms", 0.25, True),
        ("error_rate>5%", 0.04, False),
        ("a > -1", 0, True),
        ("a < 1", math.nan, False),
        ("a != 1", math.nan, False),
    ],
)
def test_a_reading_holds_or_not(text, value, holds):
    assert Condition.parse(text).holds(value) is holds


def test_n_of_m_counts_the_newest_readings():
    rule = Condition.parse("a > 1 for 2 of 3")
    assert rule.judge({"a": [9, 9, 0, 0, 9]}) is False
    assert rule.judge({"a": [0, 0, 9, 0, 9]}) is True
    assert Condition.parse("a > 1 for 3").judge({"a": [2, 2, 2]}) is True


def test_missing_readings_leave_the_answer_open_only_while_they_could_decide_it():
    rule = Condition.parse("a > 1 for 2 of 3")
    assert rule.judge({}) is None
    assert rule.judge({"a": [9, None]}) is None
    assert rule.judge({"a": [9, 9]}) is True
    assert rule.judge({"a": [0, 0]}) is False
    assert rule.judge({"a": [0, math.nan, 0]}) is False


def test_and_binds_before_or_and_unknown_is_an_answer():
    rule = Condition.parse("a < 1 and b < 1 or c < 1")
    assert rule.metrics == ("a", "b", "c")
    assert rule.judge({"a": [0], "b": [0], "c": [5]}) is True
    assert rule.judge({"a": [0], "b": [5], "c": [5]}) is False
    assert rule.judge({"a": [0], "c": [5]}) is None
    assert rule.judge({"a": [5], "c": [5]}) is False
    assert rule.judge({"c": [0]}) is True


def test_a_compound_condition_has_no_single_metric():
    with pytest.raises(UnitError, match="several comparisons"):
        _ = Condition.parse("a < 1 or b < 1").metric


@pytest.mark.parametrize(
    "text", ["accuracy < 0.8", "a > 0.5 for 3 of 5 and latency > 200ms or error_rate >= 5%", "a == -1.5"]
)
def test_a_condition_writes_itself_as_it_was_written(text):
    assert str(Condition.parse(text)) == text


@pytest.mark.parametrize(
    ("value", "part"),
    [
        ("accuracy", "write a metric, an operator and a value: accuracy < 0.8"),
        ("accuracy = 0.8", "is no operator; write =="),
        ("accuracy << 0.8", "is no operator; write <, <=, >, >=, ==, !="),
        ("accuracy < high", "'high' is not a threshold"),
        ("0.8 > accuracy", "is not a comparison"),
        ("a < 1 and", "'' is not a comparison"),
        ("a < 1 for 3 of 2", "can never hold"),
        ("a < 1 for 0 of 2", "can never hold"),
        ("__import__('os').system('x') < 1", "has parentheses"),
        ("a < 1; b", "is not a duration"),
        ("a" * 600 + " < 1", "longer than 500"),
        ("", "is not a condition"),
        (0.8, "0.8 is not a condition"),
    ],
)
def test_what_is_no_condition_says_why(value, part):
    with pytest.raises(UnitError) as caught:
        Condition.parse(value)
    assert part in caught.value.message
