from __future__ import annotations

from datetime import UTC, datetime

import pytest

from aws_auto.frame import MetricFrame
from aws_auto.ml.features.assemble import build


def built(**statics: str | None) -> dict:
    row = {"resource_id": "a", "timestamp": datetime(2026, 1, 1, tzinfo=UTC), "cpu_utilization": 1.0, **statics}
    frame = MetricFrame.of({name: [value] for name, value in row.items()})
    return build(frame, groups=("infrastructure",)).row(0, named=True)


@pytest.mark.parametrize(
    ("instance", "family"),
    [("m5.large", "m5"), ("db.r6g.2xlarge", "r6g"), ("cache.t4g.micro", "t4g"), ("ml.m5.large", "m5"), ("odd", None)],
)
def test_the_family_is_the_part_before_the_size(instance: str, family: str | None) -> None:
    assert built(instance_type=instance)["instance_family"] == family


@pytest.mark.parametrize(
    ("place", "region"),
    [
        ("eu-west-1a", "eu-west-1"),
        ("us-gov-west-1b", "us-gov-west-1"),
        ("us-west-2-lax-1a", "us-west-2"),
        ("use1-az1", None),
    ],
)
def test_a_missing_region_is_read_off_the_zone(place: str, region: str | None) -> None:
    assert built(availability_zone=place)["region"] == region


def test_a_given_region_is_kept() -> None:
    assert built(availability_zone="eu-west-1a", region="local")["region"] == "local"


@pytest.mark.parametrize(
    ("bought", "spot", "reserved"),
    [("spot", 1, 0), ("On_Demand", 0, 0), ("reserved", 0, 1), ("barter", None, None), (None, None, None)],
)
def test_the_way_of_buying_becomes_two_flags(bought: str | None, spot: int | None, reserved: int | None) -> None:
    features = built(purchase_option=bought)
    assert (features["spot_vs_ondemand"], features["reserved_capacity"]) == (spot, reserved)
