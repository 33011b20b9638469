"""The bill of the simulated account: one line item per resource, part and hour, in FOCUS words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from aws_auto.ml.cost.bill import conformed
from aws_auto.ml.simulate import inventory
from aws_auto.ml.simulate.timeline import SLOTS_PER_HOUR, times

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from aws_auto.ml.simulate.behaviour import Conduct, Part
    from aws_auto.ml.simulate.inventory import Thing
    from aws_auto.ml.simulate.noise import Floats

_SERVICE_NAMES = {
    "ec2": ("Amazon Elastic Compute Cloud", "Compute"),
    "asg": ("Amazon Elastic Compute Cloud", "Compute"),
    "rds": ("Amazon Relational Database Service", "Databases"),
    "elb": ("Elastic Load Balancing", "Networking"),
    "ecs": ("Amazon Elastic Container Service", "Compute"),
    "lambda": ("AWS Lambda", "Compute"),
    "service": ("Amazon Virtual Private Cloud", "Networking"),
    "volume": ("Amazon Elastic Block Store", "Storage"),
}
_RESERVATION = "arn:aws:ec2:us-east-1:111122223333:reserved-instances/simulated-cache"


def charges(conducts: Mapping[Thing, Conduct], slot: NDArray[np.int64]) -> pl.DataFrame:
    """Line items of the whole hours that ``slot`` covers; ``slot`` starts and ends on the hour.

    Quantities are means of the hour's twelve slots. Reserved usage is billed 0 and carries its fee as effective cost;
    the fee itself is billed once a month, when the first hour of the month is among the slots.
    """
    hours = times(slot[::SLOTS_PER_HOUR])
    items = [_items(thing, part, hours) for thing, conduct in conducts.items() for part in conduct.parts if len(hours)]
    items += [_orphan(volume, gigabytes, hours) for volume, gigabytes in inventory.ORPHAN_VOLUMES.items()]
    items.append(_fees(conducts, hours))
    rows = pl.concat(items, how="diagonal")
    rows = rows.with_columns(
        billing_period_start=pl.col("timestamp").dt.truncate("1mo"),
        provider_name=pl.lit("AWS"),
        billing_account_id=pl.lit(inventory.ACCOUNT),
        sub_account_id=pl.lit(inventory.ACCOUNT),
        region_id=pl.lit(inventory.REGION),
        billing_currency=pl.lit("USD"),
    )
    return conformed(rows)


def _items(thing: Thing, part: Part, hours: pl.Series) -> pl.DataFrame:
    reserved = thing.purchase_option == "reserved"
    quantity = _hourly(part.quantity)
    effective = _hourly(part.quantity * part.price)
    pricing = {"reserved": "Committed", "spot": "Dynamic"}.get(thing.purchase_option, "Standard")
    return _usage(thing.resource_id, thing.resource_type, part.usage_type, part.unit, hours).with_columns(
        instance_type=pl.lit(thing.instance_type, pl.String),
        availability_zone=pl.lit(thing.availability_zone if thing.instance_type else None, pl.String),
        pricing_category=pl.lit(pricing),
        commitment_discount_id=pl.lit(_RESERVATION if reserved else None, pl.String),
        commitment_discount_type=pl.lit("Reserved Instance" if reserved else None, pl.String),
        commitment_discount_status=pl.lit("Used" if reserved else None, pl.String),
        consumed_quantity=pl.Series(quantity),
        billed_cost=pl.Series(np.zeros_like(effective) if reserved else effective),
        effective_cost=pl.Series(effective),
        list_cost=pl.Series(quantity * part.list_price),
        contracted_cost=pl.Series(quantity * part.list_price),
        tag_team=pl.lit(thing.tags.get("team"), pl.String),
        tag_environment=pl.lit(thing.tags.get("environment"), pl.String),
    )


def _orphan(volume: str, gigabytes: float, hours: pl.Series) -> pl.DataFrame:
    quantity = gigabytes / inventory.HOURS_PER_MONTH
    cost = quantity * inventory.GP3_GB_MONTH
    return _usage(volume, "volume", "EBS:VolumeUsage.gp3", "GB-Mo", hours).with_columns(
        pricing_category=pl.lit("Standard"),
        tag_team=pl.lit(None, pl.String),
        tag_environment=pl.lit(None, pl.String),
        consumed_quantity=pl.lit(quantity),
        billed_cost=pl.lit(cost),
        effective_cost=pl.lit(cost),
        list_cost=pl.lit(cost),
        contracted_cost=pl.lit(cost),
    )


def _usage(resource_id: str, resource_type: str, usage_type: str, unit: str, hours: pl.Series) -> pl.DataFrame:
    service, category = _SERVICE_NAMES[resource_type]
    return pl.DataFrame({"timestamp": hours}).with_columns(
        charge_period_end=pl.col("timestamp") + pl.duration(hours=1),
        service_name=pl.lit(service),
        service_category=pl.lit(category),
        resource_id=pl.lit(resource_id),
        resource_type=pl.lit(resource_type),
        usage_type=pl.lit(usage_type),
        operation=pl.lit("RunInstances" if "Usage:" in usage_type and resource_type in ("ec2", "asg") else usage_type),
        charge_category=pl.lit("Usage"),
        charge_frequency=pl.lit("Usage-Based"),
        charge_description=pl.lit(f"{usage_type} in US East (N. Virginia)"),
        consumed_unit=pl.lit(unit),
    )


def _fees(conducts: Mapping[Thing, Conduct], hours: pl.Series) -> pl.DataFrame:
    """Once a month: the fee of the reservation, and a promotional credit."""
    months = hours.filter((hours.dt.day() == 1) & (hours.dt.hour() == 0))
    reserved = [thing for thing in conducts if thing.purchase_option == "reserved"]
    rate = sum(thing.price * inventory.RESERVED_SHARE for thing in reserved)
    length = (months.dt.offset_by("1mo") - months).dt.total_hours().cast(pl.Float64)
    month = pl.DataFrame({"timestamp": months}).with_columns(
        charge_period_end=pl.col("timestamp").dt.offset_by("1mo"),
        service_name=pl.lit("Amazon Elastic Compute Cloud"),
        service_category=pl.lit("Compute"),
        charge_frequency=pl.lit("Recurring"),
    )
    fee = month.with_columns(
        charge_category=pl.lit("Purchase"),
        charge_description=pl.lit(f"{len(reserved)} reserved instances, no upfront, monthly fee"),
        usage_type=pl.lit("HeavyUsage"),
        pricing_category=pl.lit("Standard"),
        commitment_discount_id=pl.lit(_RESERVATION),
        commitment_discount_type=pl.lit("Reserved Instance"),
        consumed_quantity=length * len(reserved),
        consumed_unit=pl.lit("Hrs"),
        billed_cost=length * rate,
        effective_cost=pl.lit(0.0),
        list_cost=length * rate,
        contracted_cost=length * rate,
    )
    credit = month.with_columns(
        charge_category=pl.lit("Credit"),
        charge_description=pl.lit("promotional credit"),
        usage_type=pl.lit("Credit"),
        billed_cost=pl.lit(-100.0),
        effective_cost=pl.lit(-100.0),
        list_cost=pl.lit(0.0),
        contracted_cost=pl.lit(0.0),
    )
    return pl.concat([fee, credit], how="diagonal")


def _hourly(values: Floats) -> Floats:
    return np.asarray(np.broadcast_to(values, values.shape).reshape(-1, SLOTS_PER_HOUR).mean(axis=1))
