"""Answers are those of the API's own documentation and models: a Stubber checks requests and answers against them."""

from __future__ import annotations

import json
from datetime import date

import boto3
import numpy as np
import pytest
from botocore.stub import Stubber

from aws_auto.errors import AwsCallError
from aws_auto.pipeline.aws.prices import InRegion, PriceLists
from fakes import NOBODY, FakeClients, FakeClock

REGION = "eu-west-1"
LINUX = [
    {"Type": "TERM_MATCH", "Field": "operatingSystem", "Value": "Linux"},
    {"Type": "TERM_MATCH", "Field": "tenancy", "Value": "Shared"},
    {"Type": "TERM_MATCH", "Field": "preInstalledSw", "Value": "NA"},
    {"Type": "TERM_MATCH", "Field": "capacitystatus", "Value": "Used"},
    {"Type": "TERM_MATCH", "Field": "marketoption", "Value": "OnDemand"},
    {"Type": "TERM_MATCH", "Field": "regionCode", "Value": REGION},
]


class Places(FakeClients):
    """Remembers which region was asked."""

    asked: list

    def client(self, service, *, region=None):
        self.__dict__.setdefault("asked", []).append((service, region))
        return self.services[service]


@pytest.fixture(scope="module")
def clients():
    return {name: boto3.client(name, region_name="us-east-1", **NOBODY) for name in ("pricing", "savingsplans", "ec2")}


@pytest.fixture
def stubs(clients):
    made = {name: Stubber(client) for name, client in clients.items()}
    for one in made.values():
        one.activate()
    yield made
    for one in made.values():
        one.assert_no_pending_responses()
        one.deactivate()


@pytest.fixture
def places(clients):
    return Places(clients)


@pytest.fixture
def lists(places):
    return PriceLists(places, FakeClock(), np.random.default_rng(0))


def product(price="0.1070000000", *, unit="Hrs", begin="0", currency="USD", **attributes):
    """One entry of PriceList, in the shape of the price list's own files."""
    step = {"unit": unit, "beginRange": begin, "endRange": "Inf", "pricePerUnit": {currency: price}}
    terms = {"OnDemand": {"SKU.JRTCKXETXF": {"priceDimensions": {"SKU.JRTCKXETXF.6YS6EN2CT7": step}}}}
    return json.dumps({"product": {"attributes": attributes, "sku": "SKU"}, "terms": terms, "version": "2026"})


def asks(service, filters, **more):
    return {"ServiceCode": service, "Filters": filters, "FormatVersion": "aws_v1", "MaxResults": 100, **more}


M5 = {
    "instanceType": "m5.large",
    "vcpu": "2",
    "memory": "8 GiB",
    "physicalProcessor": "Intel Xeon Platinum 8175",
    "usagetype": "EU-BoxUsage:m5.large",
}


def test_on_demand_prices_are_read_page_by_page_with_what_the_type_is(lists, stubs, places):
    g5 = {
        **M5,
        "instanceType": "g5g.xlarge",
        "memory": "1,024 GiB",
        "physicalProcessor": "AWS Graviton2 Processor",
        "gpu": "1",
    }
    free = product("0.0000000000", **{**M5, "instanceType": "m5.free"})
    host = product(**{**M5, "instanceType": "m5"})
    upfront = product(unit="Quantity", **{**M5, "instanceType": "m5.upfront"})
    yuan = product(currency="CNY", **{**M5, "instanceType": "m5.yuan"})
    stubs["pricing"].add_response(
        "get_products", {"PriceList": [product(**M5), free, host], "NextToken": "more"}, asks("AmazonEC2", LINUX)
    )
    stubs["pricing"].add_response(
        "get_products",
        {"PriceList": [product("0.42", **g5), upfront, yuan]},
        asks("AmazonEC2", LINUX, NextToken="more"),
    )
    first, second = lists.machines(REGION)
    assert (first.item, first.price, first.unit, first.currency) == ("m5.large", 0.107, "Hrs", "USD")
    assert (first.region, first.as_of, first.vcpu, first.memory_gib) == (REGION, date(2026, 3, 2), 2, 8.0)
    assert (first.architecture, first.generation, first.gpus) == ("x86_64", 5, 0)
    assert (second.architecture, second.memory_gib, second.gpus) == ("arm64", 1024.0, 1)
    assert "pricing:GetProducts" in first.source
    assert lists.calls == 2
    assert places.asked == [("pricing", "us-east-1")] * 2


def test_storage_is_filed_under_its_usage_type_without_the_region_at_its_first_step(lists, stubs):
    def page(*entries):
        return {"PriceList": list(entries)}

    def wanted(family):
        return [
            {"Type": "TERM_MATCH", "Field": "productFamily", "Value": family},
            {"Type": "TERM_MATCH", "Field": "regionCode", "Value": REGION},
        ]

    gp3 = product("0.088", unit="GB-Mo", usagetype="EU-EBS:VolumeUsage.gp3")
    iops = product("0.0055", unit="IOPS-Mo", usagetype="EU-EBS:VolumeP-IOPS.gp3")
    other = product("1.0", unit="GB-Mo", usagetype="EU-Something")
    later = product("0.021", unit="GB-Mo", begin="51200", usagetype="EU-TimedStorage-ByteHrs")
    stubs["pricing"].add_response("get_products", page(gp3, other), asks("AmazonEC2", wanted("Storage")))
    stubs["pricing"].add_response("get_products", page(iops), asks("AmazonEC2", wanted("System Operation")))
    stubs["pricing"].add_response("get_products", page(), asks("AmazonEC2", wanted("Provisioned Throughput")))
    stubs["pricing"].add_response("get_products", page(later), asks("AmazonS3", wanted("Storage")))
    found = {one.item: (one.price, one.unit, one.kind) for one in lists.storage(REGION)}
    assert found == {
        "EBS:VolumeUsage.gp3": (0.088, "GB-Mo", "storage"),
        "EBS:VolumeP-IOPS.gp3": (0.0055, "IOPS-Mo", "storage"),
    }


def test_an_entry_in_another_shape_is_an_error_not_a_price(lists, stubs):
    stubs["pricing"].add_response("get_products", {"PriceList": ['{"product": 1}']}, asks("AmazonEC2", LINUX))
    with pytest.raises(AwsCallError, match="not in the shape"):
        lists.machines(REGION)


def plan_rate(kind="m5.large", *, usage_type="EU-BoxUsage:m5.large", rate="0.078", plan="Compute"):
    properties = {"region": REGION, "instanceType": kind, "productDescription": "Linux/UNIX", "tenancy": "shared"}
    return {
        "savingsPlanOffering": {
            "offeringId": "0f5b6a0e-4a4b-4e2c-9a0e-1d2c3b4a5f60",
            "paymentOption": "No Upfront",
            "planType": plan,
            "durationSeconds": 31536000,
            "currency": "USD",
        },
        "rate": rate,
        "unit": "Hrs",
        "productType": "EC2",
        "serviceCode": "AmazonEC2",
        "usageType": usage_type,
        "operation": "RunInstances",
        "properties": [{"name": n, "value": v} for n, v in properties.items()],
    }


def plans_asked(**more):
    return {
        "savingsPlanTypes": ["Compute", "EC2Instance"],
        "products": ["EC2"],
        "serviceCodes": ["AmazonEC2"],
        "operations": ["RunInstances"],
        "filters": [
            {"name": "region", "values": [REGION]},
            {"name": "instanceType", "values": ["m5.large"]},
            {"name": "productDescription", "values": ["Linux/UNIX"]},
            {"name": "tenancy", "values": ["shared"]},
        ],
        "maxResults": 1000,
        **more,
    }


def test_rates_of_savings_plans_are_of_the_box_alone(lists, stubs, places):
    unused = plan_rate(usage_type="EU-UnusedBox:m5.large")
    stubs["savingsplans"].add_response(
        "describe_savings_plans_offering_rates",
        {"searchResults": [plan_rate(), unused], "nextToken": "more"},
        plans_asked(),
    )
    stubs["savingsplans"].add_response(
        "describe_savings_plans_offering_rates",
        {"searchResults": [plan_rate(plan="EC2Instance", rate="0.067")]},
        plans_asked(nextToken="more"),
    )
    found = [(one.plan, one.price, one.payment, one.term_days, one.item) for one in lists.plans(REGION, ["m5.large"])]
    assert found == [
        ("Compute", 0.078, "No Upfront", 365, "m5.large"),
        ("EC2Instance", 0.067, "No Upfront", 365, "m5.large"),
    ]
    assert places.asked[0] == ("savingsplans", "us-east-1")


def test_without_types_nothing_is_asked(lists):
    assert lists.plans(REGION, []) == []
    assert lists.reservations(REGION, []) == []
    assert lists.calls == 0


def offering(**facts):
    return {
        "ReservedInstancesOfferingId": "x",
        "InstanceType": "m5.large",
        "Duration": 31536000,
        "FixedPrice": 262.8,
        "UsagePrice": 0.0,
        "CurrencyCode": "USD",
        "OfferingClass": "standard",
        "OfferingType": "Partial Upfront",
        "RecurringCharges": [{"Amount": 0.03, "Frequency": "Hourly"}],
        "Marketplace": False,
        **facts,
    }


def test_a_reservation_costs_its_hourly_charge_and_its_share_of_what_is_paid_at_once(lists, stubs, places):
    nothing = offering(FixedPrice=0.0, RecurringCharges=[])
    old = offering(OfferingType="Heavy Utilization")
    stubs["ec2"].add_response(
        "describe_reserved_instances_offerings",
        {"ReservedInstancesOfferings": [offering(), offering(Marketplace=True), nothing, old]},
        {
            "InstanceType": "m5.large",
            "ProductDescription": "Linux/UNIX",
            "InstanceTenancy": "default",
            "IncludeMarketplace": False,
            "Filters": [{"Name": "scope", "Values": ["Region"]}],
        },
    )
    (found,) = lists.reservations(REGION, ["m5.large"])
    assert found.price == pytest.approx(0.06)
    assert (found.plan, found.payment, found.term_days, found.kind) == ("standard", "Partial Upfront", 365, "reserved")
    assert places.asked == [("ec2", REGION)]


def test_a_client_of_one_region_stays_in_it(places):
    InRegion(places, "us-east-1").client("pricing", region=None)
    assert places.asked == [("pricing", "us-east-1")]
