"""One discount for what an account really runs, and none where the rates do not cover it."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from aws_auto.ml.cost import prices
from aws_auto.ml.cost.offers import from_rates
from aws_auto.ml.cost.price_book import Book, Rate

LARGE, SMALL = (prices.table()[kind].usd_per_hour for kind in ("m5.large", "c5.large"))


def rate(item="m5.large", price=0.7 * LARGE, *, kind="savings-plan", plan="Compute", payment="No Upfront", days=365):
    facts = {"unit": "Hrs", "currency": "USD", "as_of": date(2026, 3, 1), "source": "AWS", "region": "us-east-1"}
    return Rate(kind=kind, item=item, price=price, plan=plan, payment=payment, term_days=days, **facts)


def ran(make, **kinds):
    for k, (kind, hours) in enumerate(kinds.items()):
        name = kind.replace("_", ".")
        make.usage(f"BoxUsage:{name}", resource=f"i-{k}", cost=0.1, instance_type=name, hours=range(hours))
    return make.bill


def test_without_rates_there_is_no_offer(make):
    assert from_rates(Book(), ran(make, m5_large=24)) == ()


def test_the_discount_is_that_of_the_mix(make):
    bill = ran(make, m5_large=24, c5_large=12)
    book = Book((rate(), rate("c5.large", 0.5 * SMALL)))
    (offer,) = from_rates(book, bill)
    paid = 0.7 * LARGE * 24 + 0.5 * SMALL * 12
    assert offer.discount == pytest.approx(1 - paid / (LARGE * 24 + SMALL * 12))
    assert offer.name == "Compute Savings Plan, 1 year, no upfront"
    assert (offer.region, offer.family, offer.term, offer.as_of) == (None, None, timedelta(days=365), date(2026, 3, 1))


def test_a_plan_whose_rates_are_known_for_half_of_the_hours_is_no_offer(make):
    assert from_rates(Book((rate(),)), ran(make, m5_large=24, c5_large=24)) == ()


def test_a_plan_of_a_family_is_measured_on_that_family_alone(make):
    book = Book((rate(plan="EC2Instance", price=0.6 * LARGE),))
    (offer,) = from_rates(book, ran(make, m5_large=24, c5_large=24))
    assert (offer.region, offer.family) == ("us-east-1", "m5")
    assert offer.discount == pytest.approx(0.4)
    assert "for m5 in us-east-1" in offer.name


def test_of_the_payments_the_one_that_asks_least_at_once_is_taken(make):
    book = Book((rate(), rate(payment="All Upfront", price=0.65 * LARGE)))
    (offer,) = from_rates(book, ran(make, m5_large=24))
    assert offer.discount == pytest.approx(0.3)


def test_of_a_reservation_and_a_plan_with_the_same_reach_the_cheaper_is_taken_for_each_term(make):
    book = Book(
        (
            rate(plan="EC2Instance", price=0.7 * LARGE),
            rate(kind="reserved", plan="standard", price=0.6 * LARGE),
            rate(kind="reserved", plan="standard", price=0.4 * LARGE, days=1095),
        )
    )
    one, three = from_rates(book, ran(make, m5_large=24))
    assert one.name == "standard reservation for m5 in us-east-1, 1 year, no upfront"
    assert (one.discount, three.discount) == (pytest.approx(0.4), pytest.approx(0.6))
    assert "3 years" in three.name


def test_a_rate_above_the_list_price_is_no_offer(make):
    assert from_rates(Book((rate(price=1.1 * LARGE),)), ran(make, m5_large=24)) == ()


def test_hours_that_are_committed_or_spot_are_not_of_the_mix(make):
    make.usage("BoxUsage:c5.large", resource="i-8", cost=0.1, instance_type="c5.large", pricing_category="Committed")
    make.usage("SpotUsage:c5.large", resource="i-9", cost=0.1, instance_type="c5.large")
    (offer,) = from_rates(Book((rate(),)), ran(make, m5_large=24))
    assert offer.discount == pytest.approx(0.3)
