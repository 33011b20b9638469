from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from aws_auto.errors import NotEnoughData
from aws_auto.ml.cost.bill import conformed
from aws_auto.ml.cost.cost_anomaly import cost_anomalies
from aws_auto.ml.cost.cost_band import Rules, expected, least, spans


def base(make, days=42):
    """A steady 24 USD a day for a machine and 12 for a database."""
    make.usage("BoxUsage:m5.large", resource="i-1", cost=1.0, days=days)
    make.usage(
        "InstanceUsage:db.r5.large",
        resource="db-1",
        cost=0.5,
        days=days,
        service_name="Amazon Relational Database Service",
    )
    return make


def extra(make, usage_type, resource, cost, *, first, days, hours=range(24), **facts):
    start = datetime(2026, 3, 2, tzinfo=UTC) + timedelta(days=first)
    return make.usage(usage_type, resource=resource, cost=cost, start=start, days=days, hours=hours, **facts)


def test_a_steady_bill_has_no_events(make):
    assert cost_anomalies(base(make).bill).events == ()


def test_a_forgotten_machine_is_found_with_its_money_and_its_first_hour(make):
    extra(base(make), "BoxUsage:m5.large", "i-new", 1.5, first=20, days=6, hours=range(24))
    (event,) = cost_anomalies(make.bill).events
    assert event.kind == "rise"
    assert event.start == datetime(2026, 3, 22, tzinfo=UTC)
    assert event.end == datetime(2026, 3, 28, tzinfo=UTC)
    assert event.money == pytest.approx(6 * 36, rel=0.01)
    assert (event.cause.resource_id, event.cause.new) == ("i-new", True)
    assert event.ending.resource_id == "i-new"
    assert [step.dimension for step in event.cause.steps] == ["service", "account", "region", "usage type", "resource"]
    assert all(step.share == pytest.approx(1.0) for step in event.cause.steps)


def test_a_start_in_the_evening_is_dated_to_its_hour(make):
    # So little that the day itself is usual.
    extra(base(make), "BoxUsage:m5.large", "i-new", 0.05, first=19, days=1, hours=[23])
    extra(make, "BoxUsage:m5.large", "i-new", 1.5, first=20, days=6)
    (event,) = cost_anomalies(make.bill).events
    assert event.start == datetime(2026, 3, 21, 23, tzinfo=UTC)


def test_a_new_region_is_found_and_named(make):
    extra(base(make), "APS2-BoxUsage:c5.large", "i-far", 1.2, first=20, days=8, region_id="ap-southeast-2")
    (event,) = cost_anomalies(make.bill).events
    assert event.cause.region == "ap-southeast-2"


def test_slow_growth_is_found_though_no_day_stands_out(make):
    make.usage("BoxUsage:m5.large", resource="i-1", cost=lambda day: 1.0 + 0.02 * max(day - 20, 0), days=60)
    (event,) = cost_anomalies(make.bill).events
    assert event.kind == "growth"
    assert event.money > 100


def test_usage_that_falls_is_an_event_too(make):
    make.usage("BoxUsage:m5.large", resource="i-1", cost=lambda day: 1.0 if day < 25 else 0.2, days=32)
    (event,) = cost_anomalies(make.bill).events
    assert (event.kind, event.cause.resource_id) == ("fall", "i-1")
    assert event.money < 0


def test_the_return_from_a_new_level_is_its_end_and_no_second_alarm(make):
    make.usage("BoxUsage:m5.large", resource="i-1", cost=lambda day: 2.0 if 20 <= day < 44 else 1.0, days=60)
    (event,) = cost_anomalies(make.bill).events
    assert event.kind == "rise"
    assert event.end is not None
    assert event.ending.resource_id == "i-1"


def test_a_fleet_that_changes_its_type_is_no_event(make):
    make.usage("BoxUsage:m5.large", resource="i-1", cost=1.0, days=20)
    extra(make, "BoxUsage:m6i.large", "i-2", 1.0, first=20, days=20)
    assert cost_anomalies(make.bill).events == ()


def test_weekends_are_known_from_one_week(make):
    make.usage("BoxUsage:m5.large", resource="i-1", cost=1.0, days=42, weekdays=range(1, 6))
    make.usage("BoxUsage:c5.large", resource="i-2", cost=0.5, days=42)
    assert cost_anomalies(make.bill).events == ()


def purchase(make, day, category, amount, **facts):
    moment = datetime(2026, 3, 2, tzinfo=UTC) + timedelta(days=day)
    return make.line(
        timestamp=moment,
        charge_period_end=moment + timedelta(days=28),
        charge_category=category,
        charge_frequency=facts.pop("charge_frequency", "One-Time"),
        service_name="Amazon Elastic Compute Cloud",
        usage_type="x",
        billed_cost=amount,
        **facts,
    )


@pytest.mark.parametrize("category", ["Purchase", "Tax"])
def test_fees_and_taxes_are_listed_and_raise_no_alarm(make, category):
    found = cost_anomalies(purchase(base(make), 30, category, 500.0).bill)
    assert found.events == ()
    assert [(one.category, one.amount, one.unexpected) for one in found.bookings] == [(category, 500.0, False)]


def test_a_credit_on_the_first_of_the_month_is_a_habit(make):
    assert cost_anomalies(purchase(base(make), 30, "Credit", -100.0).bill).events == ()  # 1 April


def test_a_refund_is_an_event_of_its_own(make):
    bill = purchase(base(make), 25, "Adjustment", -200.0, charge_class="Correction", resource_id="i-1").bill
    (event,) = cost_anomalies(bill).events
    assert (event.kind, event.money, event.cause.resource_id) == ("refund", -200.0, "i-1")


def test_a_charge_for_a_month_is_spread_over_its_days(make):
    moment = datetime(2026, 3, 23, tzinfo=UTC)
    base(make, days=30).line(
        timestamp=moment,
        charge_period_end=moment + timedelta(days=30),
        charge_category="Usage",
        service_name="AWS Config",
        usage_type="ActiveConfigRules",
        billed_cost=30.0,
    )
    assert cost_anomalies(make.bill).events == ()


def test_each_currency_is_judged_by_itself(make):
    for currency in ("USD", "EUR"):
        make.usage("BoxUsage:m5.large", resource=f"i-{currency}", cost=1.0, days=42, billing_currency=currency)
    extra(make, "BoxUsage:m5.large", "i-new", 1.5, first=20, days=6, billing_currency="EUR")
    (event,) = cost_anomalies(make.bill).events
    assert event.currency == "EUR"


def test_what_is_said_of_a_day_does_not_change_when_later_days_arrive(make):
    bill = extra(base(make), "BoxUsage:m5.large", "i-new", 1.5, first=20, days=22).bill
    (early,) = cost_anomalies(bill.filter(pl.col("timestamp") < datetime(2026, 3, 25, tzinfo=UTC))).events
    (late,) = cost_anomalies(bill).events
    assert (early.start, early.noticed, early.cause.resource_id) == (late.start, late.noticed, late.cause.resource_id)


def test_a_week_is_too_little(make):
    with pytest.raises(NotEnoughData, match="7 whole days"):
        cost_anomalies(base(make, days=7).bill)


def test_a_day_that_is_not_over_is_not_judged(make):
    extra(base(make), "BoxUsage:m5.large", "i-1", 0.001, first=42, days=1, hours=range(6))
    assert cost_anomalies(make.bill).events == ()


def test_expected_lies_between_the_week_and_the_weekday_until_three_weeks_are_known():
    costs = np.array([10.0] * 5 + [2.0, 2.0] + [10.0] * 5)
    assert expected(costs, list(range(12)), 12) == (2.0, 10.0)
    full = np.tile([10.0] * 5 + [2.0, 2.0], 4)
    assert expected(full, list(range(26)), 26) == (2.0, 2.0)


def test_a_span_reads_no_day_ahead_of_itself():
    rng = np.random.default_rng(3)
    costs = 100 + rng.normal(0, 1, 80)
    costs[50:] += 60
    rules = Rules()
    whole = spans(costs, costs, least(costs, costs, rules), rules)
    cut = spans(costs[:55], costs[:55], least(costs[:55], costs[:55], rules), rules)
    assert (cut[0].first, cut[0].noticed) == (whole[0].first, whole[0].noticed)
    assert cut[0].excess == whole[0].excess[: len(cut[0].excess)]


def test_what_comes_on_top_of_a_new_level_is_an_event_of_its_own(make):
    def cost(day):
        return 1.0 if day < 20 else 9.0 if day == 27 else 2.0

    make.usage("BoxUsage:m5.large", resource="i-1", cost=cost, days=32)
    rise, spike = cost_anomalies(make.bill).events
    assert (rise.kind, spike.kind) == ("rise", "spike")
    assert spike.start.date() == date(2026, 3, 29)
    assert spike.money == pytest.approx(7 * 24, rel=0.05)


def test_two_services_that_rise_on_one_day_are_two_events(make):
    extra(base(make), "BoxUsage:m5.large", "i-new", 1.5, first=20, days=6)
    extra(
        make,
        "InstanceUsage:db.r5.large",
        "db-new",
        1.5,
        first=20,
        days=6,
        service_name="Amazon Relational Database Service",
    )
    found = cost_anomalies(make.bill).events
    assert {event.cause.resource_id for event in found} == {"i-new", "db-new"}


def test_a_new_region_is_one_event_whatever_runs_there(make):
    for service, usage_type, resource in (("A", "APS2-BoxUsage:x", "i-2"), ("B", "APS2-InstanceUsage:db.x", "db-2")):
        extra(make, usage_type, resource, 1.5, first=20, days=6, region_id="ap-southeast-2", service_name=service)
    (event,) = cost_anomalies(base(make).bill).events
    assert event.money == pytest.approx(2 * 6 * 36, rel=0.02)


def explorer(days, cost, step=1):
    """Rows of Cost Explorer without RECORD_TYPE: nothing says what is usage."""
    start = datetime(2026, 1, 1, tzinfo=UTC)
    rows = [
        {"timestamp": start + timedelta(days=d), "service_name": "EC2", "billed_cost": float(cost(d))}
        for d in range(0, days, step)
    ]
    return conformed(pl.DataFrame(rows).with_columns(billing_currency=pl.lit("USD")))


def test_cost_explorer_by_the_day_is_judged_and_says_that_fees_are_not_told_apart():
    found = cost_anomalies(explorer(60, lambda day: 30 if 40 <= day < 46 else 10))
    (event,) = found.events
    assert (event.start.date(), event.end.date()) == (date(2026, 2, 10), date(2026, 2, 16))
    assert event.money == pytest.approx(120)
    assert "60 lines do not say" in found.not_judged[0]


def test_the_last_day_of_a_bill_by_the_day_is_whole():
    (event,) = cost_anomalies(explorer(60, lambda day: 200 if day == 59 else 10)).events
    assert event.noticed == date(2026, 3, 1)


def test_a_bill_by_the_month_is_not_judged_by_the_day():
    with pytest.raises(NotEnoughData, match="by the month"):
        cost_anomalies(explorer(180, lambda day: 300, step=30))


def test_cents_are_no_event(make):
    make.usage("BoxUsage:m5.large", resource="i-1", cost=lambda day: 0.001 if day < 25 else 0.002, days=40)
    assert cost_anomalies(make.bill).events == ()
