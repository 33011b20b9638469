"""Rates from AWS's own price lists: what is on demand, in storage, under Savings Plans and under reservations.

Nothing is worked out but the hourly share of what a reservation costs at once. What an answer does not hold is not
known: no region, type or term stands in for another.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aws_auto.errors import AwsCallError
from aws_auto.ml.cost.price_book import Rate
from aws_auto.ml.cost.usage_types import plain
from aws_auto.pipeline.aws.calls import NEXT_TOKEN, Caller, Tokens, address

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import date

    import numpy as np

    from aws_auto.pipeline.aws.calls import ClientMaker
    from aws_auto.pipeline.ports import Clock

#: What the calls of this file need.
PERMISSIONS = (
    "pricing:GetProducts",
    "savingsplans:DescribeSavingsPlansOfferingRates",
    "ec2:DescribeReservedInstancesOfferings",
)
#: The price list answers in few regions, and for all regions; Savings Plans have one endpoint.
HOME = "us-east-1"
PAGE = 100
_DAY_S = 86_400
#: Shared Linux machines without licences: what the on-demand table is of.
_LINUX = {
    "operatingSystem": "Linux",
    "tenancy": "Shared",
    "preInstalledSw": "NA",
    "capacitystatus": "Used",
    "marketoption": "OnDemand",
}
_STORAGE = {
    "AmazonEC2": ("Storage", "System Operation", "Provisioned Throughput"),
    "AmazonS3": ("Storage",),
}
_STORED = re.compile(r"^(?:EBS:Volume\S+|EBS:Snapshot\S+|TimedStorage-\S+)$")
_OFFERING_TYPES = ("No Upfront", "Partial Upfront", "All Upfront")


@dataclass(frozen=True)
class InRegion:
    """A `ClientMaker` whose clients are all of one region."""

    clients: ClientMaker
    region: str

    def client(self, service: str, *, region: str | None = None) -> Any:  # noqa: ANN401 - boto3 clients have no type
        """The client of that service there."""
        return self.clients.client(service, region=region or self.region)


class PriceLists:
    """Asks AWS for rates; ``today`` is the day that they are filed under."""

    def __init__(self, clients: ClientMaker, clock: Clock, rng: np.random.Generator) -> None:
        self._clients, self._clock, self._rng = clients, clock, rng
        self._home = Caller(InRegion(clients, HOME), clock, rng)
        self._today = clock.now().date()
        self.calls = 0

    def machines(self, region: str) -> list[Rate]:
        """On-demand prices of all instance types there (Linux, shared tenancy)."""
        found = []
        for product in self._products("AmazonEC2", {**_LINUX, "regionCode": region}):
            rate = _machine(product, region, self._today)
            if rate is not None:
                found.append(rate)
        return found

    def storage(self, region: str) -> list[Rate]:
        """Prices of EBS and S3 storage there, of the first step where a price falls with quantity."""
        found = []
        for service, families in _STORAGE.items():
            for family in families:
                for product in self._products(service, {"productFamily": family, "regionCode": region}):
                    rate = _stored(product, service, region, self._today)
                    if rate is not None:
                        found.append(rate)
        return found

    def plans(self, region: str, types: Sequence[str]) -> list[Rate]:
        """What an hour of these types costs there under each Savings Plan."""
        request = {
            "savingsPlanTypes": ["Compute", "EC2Instance"],
            "products": ["EC2"],
            "serviceCodes": ["AmazonEC2"],
            "operations": ["RunInstances"],
            "filters": [
                {"name": "region", "values": [region]},
                {"name": "instanceType", "values": list(types)},
                {"name": "productDescription", "values": ["Linux/UNIX"]},
                {"name": "tenancy", "values": ["shared"]},
            ],
            "maxResults": 1000,
        }
        if not types:
            return []
        tokens = Tokens("nextToken", "nextToken")
        pages = self._pages(self._home, "savingsplans", "DescribeSavingsPlansOfferingRates", request, tokens)
        return [rate for page in pages for one in page["searchResults"] if (rate := _plan(one, region, self._today))]

    def reservations(self, region: str, types: Sequence[str]) -> list[Rate]:
        """What an hour of these types costs there under each reservation of the whole region."""
        caller = Caller(InRegion(self._clients, region), self._clock, self._rng)
        found = []
        for kind in types:
            request = {
                "InstanceType": kind,
                "ProductDescription": "Linux/UNIX",
                "InstanceTenancy": "default",
                "IncludeMarketplace": False,
                "Filters": [{"Name": "scope", "Values": ["Region"]}],
            }
            for page in self._pages(caller, "ec2", "DescribeReservedInstancesOfferings", request):
                for one in page["ReservedInstancesOfferings"]:
                    rate = _reservation(one, region, self._today)
                    if rate is not None:
                        found.append(rate)
        return found

    def _products(self, service: str, wanted: Mapping[str, str]) -> Iterator[dict[str, Any]]:
        filters = [{"Type": "TERM_MATCH", "Field": name, "Value": value} for name, value in wanted.items()]
        request = {"ServiceCode": service, "Filters": filters, "FormatVersion": "aws_v1", "MaxResults": PAGE}
        for page in self._pages(self._home, "pricing", "GetProducts", request):
            for text in page.get("PriceList", ()):
                yield _parsed(text)

    def _pages(
        self, caller: Caller, service: str, operation: str, request: Mapping[str, Any], tokens: Tokens = NEXT_TOKEN
    ) -> Iterator[dict[str, Any]]:
        before = caller.made
        for page in caller.pages(service, operation, request, tokens=tokens):
            self.calls += caller.made - before
            before = caller.made
            yield page


def _parsed(text: str) -> dict[str, Any]:
    try:
        product = json.loads(text)
        return {"attributes": product["product"]["attributes"], "terms": product["terms"].get("OnDemand", {})}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise AwsCallError(
            "an entry of the price list is not in the shape that AWS documents",
            where=address("pricing", "GetProducts", HOME),
            hint="run the command again; if it happens again, upgrade aws-auto",
        ) from error


def _first_step(product: dict[str, Any]) -> tuple[float, str] | None:
    """Price and unit of the first step of the one on-demand term; None where there is none in USD, or it is free."""
    for term in product["terms"].values():
        for step in term.get("priceDimensions", {}).values():
            price = _number(step.get("pricePerUnit", {}).get("USD"))
            if step.get("beginRange", "0") == "0" and price:
                return price, str(step.get("unit", ""))
    return None


def _machine(product: dict[str, Any], region: str, today: date) -> Rate | None:
    facts, step = product["attributes"], _first_step(product)
    kind = facts.get("instanceType")
    if step is None or not kind or "." not in kind or step[1] != "Hrs":
        return None
    processor = str(facts.get("physicalProcessor", ""))
    generation = re.search(r"^[a-z]+(\d+)", kind)
    memory = _number(str(facts.get("memory", "")).removesuffix(" GiB").replace(",", ""))
    return Rate(
        kind="on-demand",
        region=region,
        item=kind,
        price=step[0],
        unit="Hrs",
        currency="USD",
        as_of=today,
        source="AWS Price List (pricing:GetProducts)",
        vcpu=int(_number(facts.get("vcpu")) or 0) or None,
        memory_gib=memory,
        architecture="arm64" if "Graviton" in processor else "x86_64" if processor else None,
        generation=int(generation.group(1)) if generation else None,
        gpus=int(_number(facts.get("gpu")) or 0),
    )


def _stored(product: dict[str, Any], service: str, region: str, today: date) -> Rate | None:
    step, usage_type = _first_step(product), plain(str(product["attributes"].get("usagetype", "")))
    if step is None or not _STORED.match(usage_type):
        return None
    return Rate(
        kind="storage",
        region=region,
        item=usage_type,
        price=step[0],
        unit=step[1],
        currency="USD",
        as_of=today,
        source=f"AWS Price List (pricing:GetProducts, {service})",
    )


def _plan(one: dict[str, Any], region: str, today: date) -> Rate | None:
    facts = {p["name"]: p["value"] for p in one.get("properties", ())}
    offering, price = one["savingsPlanOffering"], _number(one.get("rate"))
    kind = facts.get("instanceType")
    # The box itself; other usage types of the same instance are of reserved capacity or hosts.
    if not kind or not price or not plain(str(one.get("usageType", ""))).startswith("BoxUsage"):
        return None
    return Rate(
        kind="savings-plan",
        region=region,
        item=kind,
        price=price,
        unit=str(one.get("unit", "Hrs")),
        currency=str(offering.get("currency", "USD")),
        as_of=today,
        source="AWS (savingsplans:DescribeSavingsPlansOfferingRates)",
        plan=str(offering["planType"]),
        payment=str(offering["paymentOption"]),
        term_days=int(offering["durationSeconds"]) // _DAY_S,
    )


def _reservation(one: dict[str, Any], region: str, today: date) -> Rate | None:
    seconds = int(one.get("Duration", 0))
    if one.get("Marketplace") or not seconds or one.get("OfferingType") not in _OFFERING_TYPES:
        return None
    recurring = sum(float(c["Amount"]) for c in one.get("RecurringCharges", ()) if c.get("Frequency") == "Hourly")
    hourly = float(one.get("FixedPrice", 0.0)) / (seconds / 3600) + recurring + float(one.get("UsagePrice", 0.0))
    if hourly <= 0.0:
        return None
    return Rate(
        kind="reserved",
        region=region,
        item=str(one["InstanceType"]),
        price=hourly,
        unit="Hrs",
        currency=str(one.get("CurrencyCode", "USD")),
        as_of=today,
        source="AWS (ec2:DescribeReservedInstancesOfferings)",
        plan=str(one["OfferingClass"]),
        payment=str(one["OfferingType"]),
        term_days=seconds // _DAY_S,
    )


def _number(text: Any) -> float | None:  # noqa: ANN401 - text, or nothing
    try:
        return float(text)
    except (TypeError, ValueError):
        return None
