from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest

from aws_auto.errors import AwsCallError, UsageError
from aws_auto.ml.cost.bill import conformed
from aws_auto.ml.cost.price_book import MOST_AGE, Rate
from aws_auto.pipeline import prices
from aws_auto.pipeline.ports import Batch, Window
from aws_auto.pipeline.workspace import open_workspace
from fakes import FakeClock

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
RATE = Rate(
    kind="on-demand",
    region="eu-west-1",
    item="m5.large",
    price=0.107,
    unit="Hrs",
    currency="USD",
    as_of=NOW.date(),
    source="AWS",
    vcpu=2,
    memory_gib=8.0,
)
PLAN = replace(RATE, kind="savings-plan", price=0.078, plan="Compute", payment="No Upfront", term_days=365, vcpu=None)


class Lists:
    """A `PriceSource` that answers what it was given, and says no where it was told to."""

    def __init__(self, rates=(RATE, PLAN), refuse=()):
        self.calls, self.rates, self.refuse, self.asked = 0, rates, refuse, []

    def _answer(self, name, kind, region, types=()):
        self.calls += 1
        self.asked.append((name, region, tuple(types)))
        if name in self.refuse:
            raise AwsCallError("no", where=f"{name} in {region}")
        return [one for one in self.rates if one.kind == kind and one.region == region]

    def machines(self, region):
        return self._answer("machines", "on-demand", region)

    def storage(self, region):
        return self._answer("storage", "storage", region)

    def plans(self, region, types):
        return self._answer("plans", "savings-plan", region, types)

    def reservations(self, region, types):
        return self._answer("reservations", "reserved", region, types)


@pytest.fixture
def ws(tmp_path):
    return open_workspace(tmp_path / "w", target="local", environ={}, clock=FakeClock(NOW))


def bill(ws, *regions):
    at = NOW - timedelta(days=2)
    rows = pl.DataFrame(
        {
            "timestamp": [at] * len(regions),
            "region_id": list(regions),
            "usage_type": ["EU-BoxUsage:m5.large"] * len(regions),
            "instance_type": ["m5.large"] * len(regions),
            "billed_cost": [1.0] * len(regions),
        }
    )
    ws.lake.write(Batch(dataset="billing", rows=conformed(rows), window=Window(at, NOW), keys=()))


def test_what_is_asked_for_is_what_is_on_the_bill(ws):
    bill(ws, "eu-west-1", "global")
    source = Lists()
    found = prices.refresh(ws, source)
    assert (found.regions, found.types, found.rates, found.calls) == (("eu-west-1",), ("m5.large",), 2, 4)
    assert ("plans", "eu-west-1", ("m5.large",)) in source.asked


def test_what_was_stored_is_read_as_it_was_and_comes_before_what_ships(ws):
    shipped = prices.book(ws).price("m5.large", "us-east-1")
    own = replace(RATE, region="us-east-1", price=0.5)
    prices.refresh(ws, Lists((RATE, PLAN, own)), regions=["eu-west-1", "us-east-1"])
    book = prices.book(ws)
    assert set(book.rates) == {RATE, PLAN, own}
    assert book.price("m5.large", "us-east-1").usd_per_hour == 0.5 != shipped.usd_per_hour
    assert book.price("m5.xlarge", "us-east-1") is not None
    assert book.price("m5.large", "eu-west-1").usd_per_hour == 0.107
    assert book.price("m5.large", "eu-west-1").architecture == "x86_64"
    assert book.price("m5.large", "eu-north-1") is None
    assert book.commitments("eu-west-1") == (PLAN,)


def test_the_newest_rate_counts_and_a_second_refresh_on_a_day_replaces_the_first(ws):
    prices.refresh(ws, Lists((RATE, RATE)), regions=["eu-west-1"])
    prices.refresh(ws, Lists((replace(RATE, price=0.108),)), regions=["eu-west-1"])
    prices.refresh(ws, Lists((replace(RATE, price=0.2, as_of=date(2026, 10, 1)),)), regions=["eu-west-1"])
    assert [one.price for one in prices.book(ws).rates] == [0.108]


def test_a_list_that_is_refused_is_named_and_the_others_are_kept(ws):
    found = prices.refresh(ws, Lists(refuse=("plans",)), regions=["eu-west-1"])
    assert found.refused == ("Savings Plan rates in eu-west-1: plans in eu-west-1: no",)
    assert [one.kind for one in prices.book(ws).rates] == ["on-demand"]


def test_when_every_list_is_refused_that_is_the_error(ws):
    with pytest.raises(AwsCallError):
        prices.refresh(ws, Lists(refuse=("machines", "storage", "plans", "reservations")), regions=["eu-west-1"])
    assert prices.book(ws).rates == ()


def test_nothing_found_stores_nothing(ws):
    assert prices.refresh(ws, Lists(()), regions=["eu-west-1"]).rates == 0
    assert prices.book(ws).rates == ()


def test_without_a_bill_a_region_must_be_named(ws):
    with pytest.raises(UsageError, match="no bill that names a region"):
        prices.refresh(ws, Lists())


def test_what_is_known_says_how_old_it_is_and_what_is_stale(ws):
    old = replace(RATE, item="m5.xlarge", as_of=NOW.date() - MOST_AGE)
    prices.refresh(ws, Lists((RATE, old)), regions=["eu-west-1"])
    asked = next(one for one in prices.known(ws) if one.region == "eu-west-1")
    assert (asked.rates, asked.stale, asked.newest) == (2, 1, "2026-11-01")
    shipped = next(one for one in prices.known(ws) if one.region == "us-east-1")
    assert shipped.source.startswith("shipped: ")
    assert shipped.rates > 1000
