"""What a user may say about alarms."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from aws_auto.errors import UsageError
from aws_auto.ml.anomaly.settings import AnomalySettings

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
SPAN = (NOON, NOON + timedelta(hours=2))


def test_settings_survive_json():
    some = AnomalySettings(
        budget_per_week=0.25,
        minimum_effect={"latency": 20.0},
        excluded=(SPAN,),
        maintenance=(SPAN, SPAN),
        cool_down=timedelta(hours=3),
    )
    assert AnomalySettings.restored(json.loads(json.dumps(some.to_json()))) == some
    assert AnomalySettings.restored(AnomalySettings().to_json()) == AnomalySettings()


@pytest.mark.parametrize(
    ("wrong", "where"),
    [
        ({"budget_per_week": 0.0}, "budget_per_week"),
        ({"budget_per_week": float("nan")}, "budget_per_week"),
        ({"minimum_effect": {"latency": -1.0}}, "minimum_effect of latency"),
        ({"cool_down": timedelta(hours=-1)}, "cool_down"),
        ({"excluded": (SPAN[::-1],)}, "excluded"),
        ({"maintenance": ((NOON.replace(tzinfo=None), NOON),)}, "maintenance"),
    ],
)
def test_a_setting_without_meaning_is_refused_with_its_name(wrong, where):
    with pytest.raises(UsageError) as caught:
        AnomalySettings(**wrong)
    assert caught.value.where == where
    assert caught.value.hint
