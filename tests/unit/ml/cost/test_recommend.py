from dataclasses import FrozenInstanceError
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from aws_auto.errors import SchemaError
from aws_auto.frame import MetricFrame
from aws_auto.ml.cost.recommend import recommend
from aws_auto.ml.cost.running import Office
from aws_auto.ml.cost.terms import Terms

START = datetime(2026, 3, 2, tzinfo=UTC)
NOW = datetime(2026, 3, 31, tzinfo=UTC)
ENDPOINT = "arn:aws:glue:us-east-1:111122223333:devEndpoint/x"
MACHINE = "i-0123456789abcdef0"


def cpu(resource, busy_hours, *, high=60.0, low=2.0, days=28, weekdays=range(1, 6)):
    """CPU maximum by the hour: ``high`` in those hours of weekdays, else ``low``."""
    moments = [START + timedelta(hours=h) for h in range(days * 24)]
    works = [m.hour in busy_hours and m.isoweekday() in weekdays for m in moments]
    noise = np.random.default_rng(0).uniform(0.0, 1.0, len(moments))
    return MetricFrame.of(
        pl.DataFrame(
            {
                "resource_id": [resource] * len(moments),
                "timestamp": moments,
                "cpu_utilization_max": [(high if w else low) + float(n) for w, n in zip(works, noise, strict=True)],
            }
        )
    )


def test_under_a_fortnight_nothing_is_said_and_why(make):
    found = recommend(make.usage("USE1-DEVED-DPU-Hour", resource=ENDPOINT, cost=2.2, days=13).bill, now=NOW)
    assert found.items == ()
    assert [one.what for one in found.abstained] == ["the whole bill"]
    assert "13.0 days" in found.abstained[0].reason


def test_a_development_endpoint_gets_a_schedule_with_everything(make):
    (one,) = recommend(make.usage("USE1-DEVED-DPU-Hour", resource=ENDPOINT, cost=2.2).bill, now=NOW).items
    assert one.kind == "schedule"
    assert one.saving.low < one.saving.expected < one.saving.high
    assert one.saving.expected == pytest.approx(2.2 * 730 * 108 / 168)
    assert one.trouble is None
    assert "delete-dev-endpoint --region us-east-1 --endpoint-name x" in one.command
    assert "create-dev-endpoint" in one.rollback
    assert one.expires == datetime(2026, 4, 29, tzinfo=UTC)
    assert len(one.evidence.x) == 28


def test_it_is_a_plain_value_that_cannot_be_changed(make):
    (one,) = recommend(make.usage("USE1-DEVED-DPU-Hour", resource=ENDPOINT, cost=2.2).bill, now=NOW).items
    with pytest.raises(FrozenInstanceError):
        one.kind = "idle"


def test_what_is_idle_is_not_scheduled_as_well(make):
    make.usage("BoxUsage:m5.large", resource=MACHINE, cost=0.1, tag_environment="dev")
    found = recommend(make.bill, now=NOW, metrics=cpu(MACHINE, (), high=2.0))
    (one,) = found.items
    assert one.kind == "idle"
    assert not any(MACHINE in said.what for said in found.abstained)
    assert one.command == f"aws ec2 stop-instances --region us-east-1 --instance-ids {MACHINE}"
    assert found.totals["USD"].saving.expected == pytest.approx(73.0)


def test_without_metrics_no_machine_is_called_idle_and_it_is_said(make):
    found = recommend(make.usage("BoxUsage:m5.large", resource=MACHINE, cost=0.1).bill, now=NOW)
    assert found.items == ()
    assert any("cpu_utilization_max" in note for note in found.notes)
    assert "CPUUtilization Maximum" in found.abstained[0].collect


def test_working_hours_are_learned_from_the_machine_and_checked_on_later_weeks(make):
    make.usage("BoxUsage:m5.large", resource=MACHINE, cost=0.1)
    (one,) = recommend(make.bill, now=NOW, metrics=cpu(MACHINE, range(13, 22))).items
    assert "13:00 to 22:00" in one.what
    assert f"0 22 * * 1-5 aws ec2 stop-instances --region us-east-1 --instance-ids {MACHINE}" in one.command
    assert f"0 13 * * 1-5 aws ec2 start-instances --region us-east-1 --instance-ids {MACHINE}" in one.command
    assert 0.0 < one.trouble < 0.01
    assert one.saving.expected == pytest.approx(73.0 * (1 - 45 / 168), rel=0.01)


def test_hours_across_midnight_switch_off_on_the_day_after(make):
    make.usage("BoxUsage:m5.large", resource=MACHINE, cost=0.1, tag_environment="dev")
    late = cpu(MACHINE, (20, 21, 22, 23, 0, 1), weekdays=range(1, 8))
    said = recommend(make.bill, now=NOW, metrics=late)
    # It works on weekend nights too: no schedule, and why.
    assert said.items == ()
    assert "works in" in said.abstained[0].reason


def test_development_that_works_at_all_hours_is_left_alone(make):
    make.usage("BoxUsage:m5.large", resource=MACHINE, cost=0.1, tag_environment="dev")
    found = recommend(make.bill, now=NOW, metrics=cpu(MACHINE, range(24), weekdays=range(1, 8)))
    assert found.items == ()
    assert any("at all hours" in one.reason for one in found.abstained)


def test_a_production_machine_is_never_scheduled_for_its_habit(make):
    make.usage("BoxUsage:m5.large", resource=MACHINE, cost=0.1, tag_environment="prod")
    assert recommend(make.bill, now=NOW, metrics=cpu(MACHINE, range(9, 18))).items == ()


def test_a_machine_of_an_auto_scaling_group_is_the_groups_business(make):
    tags = {"tag_environment": "dev", "tag_aws_autoscaling_group_name": "web"}
    found = recommend(make.usage("BoxUsage:m5.large", resource=MACHINE, cost=0.1, **tags).bill, now=NOW)
    assert found.items == ()
    assert any("web would replace it" in one.reason for one in found.abstained)


def test_a_machine_under_a_reservation_saves_nothing(make):
    make.usage(
        "BoxUsage:m5.large",
        resource=MACHINE,
        cost=0.0,
        effective_cost=0.06,
        pricing_category="Committed",
        tag_environment="dev",
    )
    (one,) = recommend(make.bill, now=NOW).items
    assert (one.saving.low, one.saving.expected, one.saving.high) == (0.0, 0.0, 0.0)


def test_what_is_gone_is_not_recommended(make):
    make.usage("USE1-DEVED-DPU-Hour", resource=ENDPOINT, cost=2.2, days=20)
    make.usage("BoxUsage:m5.large", resource="i-1", cost=0.1, tag_environment="prod")
    assert recommend(make.bill, now=NOW).items == ()


@pytest.mark.parametrize(
    ("bought", "fee", "said"),
    [
        (25, 1.0, "return-savings-plan --savings-plan-id 00000000-1111-2222-3333-444444444444"),
        (20, 1.0, "cannot be sold"),  # eight days ago
        (25, 200.0, "cannot be sold"),  # over 100 USD an hour
    ],
)
def test_an_unused_plan_of_this_week_is_returned_and_an_older_or_larger_one_is_not(make, bought, fee, said):
    make.usage("BoxUsage:m5.large", resource=MACHINE, cost=0.1, days=28)
    for hour in range(bought * 24, 28 * 24):
        make.line(
            timestamp=START + timedelta(hours=hour),
            charge_period_end=START + timedelta(hours=hour + 1),
            charge_category="Purchase",
            charge_frequency="Recurring",
            line_item_type="SavingsPlanRecurringFee",
            commitment_discount_id="arn:aws:savingsplans::1:savingsplan/00000000-1111-2222-3333-444444444444",
            commitment_discount_type="Savings Plan",
            commitment_discount_status="Unused",
            consumed_quantity=1.0,
            billed_cost=fee,
            effective_cost=fee,
        )
    one = next(one for one in recommend(make.bill, now=NOW).items if one.kind == "unused commitment")
    assert said in one.command
    assert ("return or use" in one.what) == ("return-savings" in said)


def test_an_unused_reservation_promises_nothing_but_names_the_most(make):
    make.usage("BoxUsage:m5.large", resource=MACHINE, cost=0.1, days=29)
    make.line(
        timestamp=START,
        charge_period_end=START + timedelta(days=29),
        charge_category="Purchase",
        charge_frequency="Recurring",
        line_item_type="RIFee",
        usage_type="HeavyUsage:c4.large",
        commitment_discount_id="arn:aws:ec2:us-east-1:111122223333:reserved-instances/00000000-1111-2222-3333-444444444444",
        commitment_discount_type="Reserved Instance",
        commitment_discount_status="Unused",
        consumed_quantity=29 * 24.0,
        billed_cost=20.88,
        effective_cost=20.88,
    )
    (one,) = recommend(make.bill, now=NOW).items
    assert one.kind == "unused commitment"
    assert (one.saving.low, one.saving.expected) == (0.0, 0.0)
    assert one.saving.high == pytest.approx(0.03 * 730)


def test_idle_comes_before_commitments_and_schedules(make):
    make.usage("ElasticIP:IdleAddress", resource="eipalloc-0123456789abcdef0", cost=0.005)
    make.usage("USE1-DEVED-DPU-Hour", resource=ENDPOINT, cost=2.2)
    found = recommend(make.bill, now=NOW)
    assert [one.kind for one in found.items] == ["idle", "schedule"]
    assert "release-address --region us-east-1 --allocation-id eipalloc-0123456789abcdef0" in found.items[0].command
    assert found.totals["USD"].saving.expected == pytest.approx(sum(one.saving.expected for one in found.items))


def test_totals_are_kept_by_currency(make):
    for currency in ("USD", "EUR"):
        make.usage("USE1-DEVED-DPU-Hour", resource=f"{ENDPOINT}-{currency}", cost=2.2, billing_currency=currency)
    found = recommend(make.bill, now=NOW)
    assert {one.saving.currency for one in found.items} == {"USD", "EUR"}
    assert found.totals["USD"].monthly_cost == pytest.approx(2.2 * 730)
    assert found.totals["EUR"].share == pytest.approx(108 / 168)


def test_working_hours_may_be_said(make):
    bill = make.usage("USE1-DEVED-DPU-Hour", resource=ENDPOINT, cost=2.2).bill
    (one,) = recommend(bill, now=NOW, terms=Terms(office=Office(opens=7, closes=19, tz="Europe/Berlin"))).items
    assert "CRON_TZ=Europe/Berlin\n0 19 * * 1-5" in one.command


def test_an_old_bill_says_that_it_is_old(make):
    bill = make.usage("USE1-DEVED-DPU-Hour", resource=ENDPOINT, cost=2.2).bill
    assert "ends 365 days ago" in recommend(bill, now=NOW + timedelta(days=364)).notes[0]


def test_an_empty_bill_and_a_foreign_table_are_told_apart(make):
    bill = make.usage("BoxUsage:m5.large", resource=MACHINE, cost=0.1).bill
    assert recommend(bill.clear(), now=NOW).abstained[0].reason == "the bill holds no usage"
    with pytest.raises(SchemaError, match="usage_type"):
        recommend(bill.drop("usage_type"), now=NOW)


def test_a_bill_without_resource_ids_says_what_is_needed(make):
    found = recommend(make.usage("BoxUsage:m5.large", resource=None, cost=0.1).bill, now=NOW)
    assert found.items == ()
    assert "names no resources" in found.abstained[0].reason
    assert "resource ids" in found.abstained[0].collect


@pytest.mark.parametrize(
    ("ends", "said"),
    [
        (datetime(2026, 4, 20, tzinfo=UTC), "the Reserved Instance 1 x c5.large ends on 2026-04-20"),
        (datetime(2026, 3, 20, tzinfo=UTC), "the Reserved Instance 1 x c5.large ended on 2026-03-20"),
        (datetime(2026, 9, 1, tzinfo=UTC), None),
        (datetime(2026, 1, 1, tzinfo=UTC), None),
        (None, None),
    ],
)
def test_a_commitment_that_ends_is_told_with_what_its_usage_then_costs_more(make, ends, said):
    named = {"commitment_discount_id": "ri-1", "commitment_discount_type": "Reserved Instance"}
    make.usage(
        "BoxUsage:c5.large",
        resource=MACHINE,
        cost=0.0,
        instance_type="c5.large",
        effective_cost=0.05,
        list_cost=0.085,
        pricing_category="Committed",
        commitment_discount_status="Used",
        **named,
    )
    make.line(
        timestamp=START,
        charge_period_end=START + timedelta(days=28),
        charge_category="Purchase",
        charge_frequency="Recurring",
        line_item_type="RIFee",
        usage_type="HeavyUsage:c5.large",
        consumed_quantity=28 * 24.0,
        billed_cost=33.6,
        effective_cost=0.0,
        commitment_discount_end=ends,
        **named,
    )
    notes = [note for note in recommend(make.bill, now=NOW).notes if "Reserved Instance" in note]
    if said is None:
        assert notes == []
        return
    (note,) = notes
    assert note.startswith(said)
    assert f"costs {0.035 * 730:.2f} USD a month more" in note
