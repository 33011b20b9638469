"""Another family keeps what the machine has, costs less, and needs no other image; Graviton is flagged as effort."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from aws_auto.ml.cost import prices
from aws_auto.ml.cost.commitments import Offer
from aws_auto.ml.cost.family import cheapest
from aws_auto.ml.cost.price_book import SHIPPED, Book, Rate
from aws_auto.ml.cost.recommend import recommend
from aws_auto.ml.cost.terms import Terms

NOW = datetime(2026, 8, 1, tzinfo=UTC)
START = NOW - timedelta(days=28)
MACHINE = "i-0123456789abcdef0"
TABLE = prices.table()


def ran(make, kind="m4.xlarge", *, cost=None, **facts):
    price = TABLE[kind].usd_per_hour if cost is None else cost
    facts = {"start": START, "instance_type": kind, **facts}
    return make.usage(f"BoxUsage:{kind}", resource=MACHINE, cost=price, **facts).bill


def moves(bill, **terms):
    found = recommend(bill, now=NOW, terms=Terms(**terms))
    return [one for one in found.items if one.kind in {"family", "graviton"}], found


def test_an_old_machine_gets_the_cheapest_family_with_as_much_of_everything(make):
    (one,), _ = moves(ran(make))
    to = cheapest(TABLE["m4.xlarge"], TABLE.values(), architecture="x86_64")
    assert one.kind == "family"
    assert f"make this m4.xlarge a {to.instance_type}" in one.what
    assert (to.vcpu, to.memory_gib, to.architecture) == (4, 16.0, "x86_64")
    assert one.saving.expected == pytest.approx((TABLE["m4.xlarge"].usd_per_hour - to.usd_per_hour) * 730)
    assert one.saving.low <= one.saving.expected <= one.saving.high
    assert one.trouble is None
    assert one.subject == "m4.xlarge"
    assert one.effort == "medium"
    assert "ENA" in one.risk
    assert "EnaSupport" in one.command.splitlines()[0]
    assert f"Value={to.instance_type}" in one.command
    assert "Value=m4.xlarge" in one.rollback


def test_graviton_is_told_beside_it_with_what_it_asks(make):
    (one,), _ = moves(ran(make))
    (said,) = one.alternatives
    assert "needs arm64 images" in said
    assert "m4.xlarge" not in said


def test_where_only_graviton_is_cheaper_it_is_a_matter_of_effort_not_of_a_command(make):
    rates = [_rate("m7i.large", 0.10, "x86_64"), _rate("m7g.large", 0.08, "arm64")]
    (one,), _ = moves(ran(make, "m7i.large", cost=0.10, region_id="eu-west-1"), book=Book(tuple(rates)))
    assert (one.kind, one.effort) == ("graviton", "high")
    assert "arm64" in one.risk
    assert "modify-instance-attribute" not in one.command
    assert one.saving.expected == pytest.approx(0.02 * 730)


def _rate(item, price, architecture="x86_64", *, as_of=date(2026, 7, 1)):
    facts = {"vcpu": 2, "memory_gib": 8.0, "gpus": 0}
    place = {"region": "eu-west-1", "unit": "Hrs", "currency": "USD"}
    return Rate(
        kind="on-demand", item=item, price=price, architecture=architecture, source="x", as_of=as_of, **place, **facts
    )


@pytest.mark.parametrize(
    ("now", "other", "fits"),
    [
        ("m5.large", "m6i.large", True),
        ("m5.large", "m6a.large", True),
        ("m5.large", "m4.large", False),
        ("m5.large", "c6i.large", False),
        ("m5.large", "m7i-flex.large", False),
        ("m5d.large", "m6i.large", False),
        ("m5d.large", "m6id.large", True),
        ("m5n.large", "m6i.large", False),
        ("m5.large", "m6idn.large", True),
        ("m5.large", "m6i.metal", False),
        ("m7i-flex.large", "m8i-flex.large", True),
        ("t2.large", "t3a.large", True),
        ("m5.large", "strange", False),
        ("strange", "m5.large", False),
    ],
)
def test_what_a_family_promises_is_kept(now, other, fits):
    book = Book((_rate(now, 0.10), _rate(other, 0.05)))
    types = book.types("eu-west-1")
    found = cheapest(types[now], types.values(), architecture="x86_64")
    assert (found is not None) is fits


def test_a_machine_does_not_get_less_memory_or_a_saving_of_nothing():
    types = Book((_rate("m5.large", 0.10), _rate("m6i.large", 0.096))).types("eu-west-1")
    assert cheapest(types["m5.large"], types.values(), architecture="x86_64") is None


@pytest.mark.parametrize(
    ("facts", "why"),
    [
        ({"cost": 0.3}, "another system, tenancy, contract or year"),
        ({"region_id": "eu-west-1"}, "no price of m4.xlarge in eu-west-1 is known"),
        ({"billing_currency": "EUR"}, "--dollars EUR=1.10"),
        ({"tag_aws_autoscaling_group_name": "web"}, "web decides its type"),
        ({"pricing_category": "Committed"}, "a commitment pays for part of it"),
        ({"start": datetime(2018, 10, 1, tzinfo=UTC)}, "more than a year after the bill"),
    ],
)
def test_why_there_is_none_is_said_with_what_it_costs(make, facts, why):
    found, whole = moves(ran(make, **facts))
    assert not found
    (said,) = [one for one in whole.abstained if one.what.startswith("another family")]
    assert why in said.reason
    assert said.monthly is not None


def test_a_machine_of_a_week_is_not_moved(make):
    make.usage("BoxUsage:m5.large", resource="i-1", cost=0.096, start=START, instance_type="m5.large")
    found, _ = moves(ran(make, start=NOW - timedelta(days=7), days=7))
    assert MACHINE not in {name for one in found for name in one.resources}


def test_a_move_of_cents_is_not_said(make):
    found, _ = moves(ran(make, "t2.nano", hours=range(2)))
    assert not found


def test_the_price_of_now_and_then_is_of_the_book_that_ships():
    assert SHIPPED.price("m4.xlarge", "us-east-1") is TABLE["m4.xlarge"]


def test_a_price_that_was_seen_long_ago_is_said_to_be_stale(make):
    _, fresh = moves(ran(make))
    assert not [note for note in fresh.notes if "stale" in note]
    rates = Book((_rate("m5.large", 0.096, as_of=date(2026, 1, 1)),))
    _, old = moves(ran(type(make)(), "m5.large", region_id="eu-west-1"), book=rates)
    assert [note for note in old.notes if "prices of eu-west-1 are of 2026-01-01, 212 days old: stale" in note]


def test_an_offer_that_was_seen_long_ago_is_said_to_be_stale(make):
    facts = {"discount": 0.2, "source": "x", "term": timedelta(days=365)}
    old, new = (
        Offer(name=name, as_of=at, **facts) for name, at in (("old", date(2026, 1, 1)), ("new", date(2026, 7, 1)))
    )
    _, found = moves(ran(make), offers=(old, new))
    assert [note for note in found.notes if "stale" in note] == [
        "the rate of old is of 2026-01-01: stale (over 180 days; aws-auto ml prices refresh)"
    ]
