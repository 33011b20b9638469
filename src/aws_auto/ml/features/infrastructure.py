"""What a resource is made of: its type, place and the way its capacity was bought."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from aws_auto.ml.features.feature import Feature

if TYPE_CHECKING:
    from collections.abc import Collection

_REGION_OF_ZONE = r"^([a-z]+(?:-[a-z]+)+?-\d+)"
_PURCHASES = ("on-demand", "spot", "reserved")


def features(columns: Collection[str]) -> list[Feature]:
    """Infrastructure features; text stays text. The region is read off the availability zone where it is not given."""
    place = "region" if "region" in columns else "availability_zone"
    instance, where = pl.col("instance_type").cast(pl.String), pl.col(place).cast(pl.String)
    region = where if place == "region" else where.str.extract(_REGION_OF_ZONE)
    bought = pl.col("purchase_option").cast(pl.String).str.to_lowercase().str.replace_all(r"[ _]", "-")
    bought = pl.when(bought.is_in(_PURCHASES)).then(bought)
    return [
        Feature("instance_type", ("instance_type",), instance),
        # m5.large, db.m5.large and cache.m5.large are all of the family m5.
        Feature("instance_family", ("instance_type",), instance.str.extract(r"([^.]+)\.[^.]+$")),
        Feature("availability_zone", ("availability_zone",), pl.col("availability_zone").cast(pl.String)),
        Feature("region", (place,), region),
        Feature("spot_vs_ondemand", ("purchase_option",), (bought == "spot").cast(pl.Int32)),
        Feature("reserved_capacity", ("purchase_option",), (bought == "reserved").cast(pl.Int32)),
    ]
