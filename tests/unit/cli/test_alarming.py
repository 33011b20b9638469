"""Flags about alarms: what they mean, and what is refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from aws_auto.cli import alarming
from aws_auto.cli.alarming import Asked
from aws_auto.errors import UsageError

ASKED = Asked(
    budget="2 per month",
    effect=("latency=50", "cpu_utilization=10", "latency=80"),
    exclude=("2026-01-31T22:00Z/2026-02-01", "2026-03-01/2026-03-02"),
    cool_down="1h",
)


def test_flags_become_settings():
    assert ASKED.settings() == {
        "budget_per_week": pytest.approx(24 / 52.18),
        "minimum_effect": {"latency": 80.0, "cpu_utilization": 10.0},
        "excluded": (
            (datetime(2026, 1, 31, 22, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)),
            (datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 2, tzinfo=UTC)),
        ),
        "cool_down": timedelta(hours=1),
    }


def test_nothing_asked_is_no_setting_and_no_word():
    assert Asked().settings() == {}
    assert Asked().argv() == ()


def test_a_schedule_gives_back_what_was_asked():
    words = ASKED.argv()
    pairs = list(zip(words[::2], words[1::2], strict=True))
    assert Asked.of([("--models", "x"), *pairs]) == ASKED


@pytest.mark.parametrize(
    ("text", "per_week"),
    [("1", 1), ("0.5", 0.5), ("1 per week", 1), ("3 a day", 21), ("2/Week", 2), (" 1 per year ", 1 / 52.18)],
)
def test_a_budget_is_a_number_and_a_span(text, per_week):
    assert alarming.budget(text) == pytest.approx(per_week)


@pytest.mark.parametrize("text", ["", "one", "1 per hour", "-1", "0", "0 per day", "nan", "inf"])
def test_what_is_no_budget_is_refused_with_its_flag(text):
    with pytest.raises(UsageError) as caught:
        alarming.budget(text)
    assert caught.value.where == "--alarm-budget"
    assert caught.value.hint


@pytest.mark.parametrize("text", ["latency", "=5", "latency=", "latency=fast", "latency=-1", "latency=nan"])
def test_what_is_no_effect_is_refused_with_its_flag(text):
    with pytest.raises(UsageError) as caught:
        alarming.effects([text])
    assert caught.value.where == "--minimum-effect"


def test_an_effect_of_a_metric_that_is_not_there_names_those_that_are():
    with pytest.raises(UsageError, match="latncy") as caught:
        Asked(effect=("latncy=5",)).recipe(["latency", "cpu_utilization"])
    assert caught.value.hint == "there are cpu_utilization, latency"


def test_a_span_is_refused_with_its_own_flag():
    with pytest.raises(UsageError) as caught:
        Asked(exclude=("2026-01-31",)).settings()
    assert caught.value.where == "--exclude"


def test_a_cool_down_is_a_duration_or_nothing():
    assert alarming.cool_down("90m") == timedelta(minutes=90)
    assert alarming.cool_down("0") == timedelta(0)
    with pytest.raises(UsageError) as caught:
        alarming.cool_down("a while")
    assert caught.value.where == "--cool-down"


def test_the_recipe_holds_the_settings():
    settings = ASKED.recipe(["latency", "cpu_utilization"]).settings
    assert settings.cool_down == timedelta(hours=1)
    assert settings.minimum_effect["latency"] == 80.0
