from __future__ import annotations

import pytest

from aws_auto.cli import training
from aws_auto.cli.demanding import Asked
from aws_auto.errors import SchemaError, UsageError


def events(tmp_path, text="start,end,name\n2026-11-27T06:00:00Z,2026-11-27T09:00:00Z,sale\n"):
    path = tmp_path / "events.csv"
    path.write_text(text)
    return str(path)


def test_flags_become_settings_of_the_recipe(tmp_path):
    settings = Asked(metric="orders", country="DE", events=events(tmp_path)).recipe().settings
    assert settings.metric == "orders"
    assert settings.ahead.country == "DE"
    assert [event.name for event in settings.ahead.events] == ["sale"]


def test_a_schedule_repeats_the_flags_of_its_own_model_only(tmp_path):
    asked = Asked(metric="orders", country="DE", events=events(tmp_path))
    request = training.Request(models=("demand-forecaster",), demand=asked)
    assert training.Request.of(request.argv("demand-forecaster")).demand == asked
    assert "--country" not in request.argv("cost-optimizer")


def test_no_flags_are_no_settings():
    assert Asked().argv() == ()
    assert training.names(training.Request(models=("cost-optimizer",))) == ("cost-optimizer",)


@pytest.mark.parametrize(
    ("asked", "error", "said"),
    [
        (Asked(country="XX"), UsageError, "no holidays are known for the country 'XX'"),
        (Asked(events="nowhere.csv"), SchemaError, "no such file"),
        (Asked(metric="orders"), UsageError, "is about demand-forecaster"),
    ],
)
def test_what_cannot_be_used_is_told_before_anything_is_pulled(asked, error, said):
    with pytest.raises(error, match=said):
        training.names(training.Request(models=("cost-optimizer",), demand=asked))
