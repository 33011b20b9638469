"""Enrich: what is known is filled in, what is not stays null and is counted."""

from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest

from aws_auto.frame import MetricFrame
from aws_auto.ml.cost.prices import Price
from aws_auto.pipeline.stages.enrich import ASSUMED, BASIS, LIST_PRICE, MEASURED, enrich

START = datetime(2026, 5, 1, tzinfo=UTC)


def rows(n=2, resource="i-1", **columns):
    times = [START + timedelta(hours=k) for k in range(n)]
    spread = {name: value if isinstance(value, list) else [value] * n for name, value in columns.items()}
    return pl.DataFrame({"resource_id": [resource] * n, "timestamp": times, "cpu_utilization": [1.0] * n, **spread})


def m5(purchase="on-demand", **more):
    return rows(instance_type="m5.large", region="us-east-1", purchase_option=purchase, **more)


def test_an_on_demand_machine_costs_its_list_price_and_the_basis_says_so():
    out, _, report = enrich(m5())
    assert out["hourly_cost"].to_list() == [0.096, 0.096]
    assert out[BASIS].to_list() == [LIST_PRICE] * 2
    assert report.finding("priced").count == 2


def test_a_group_costs_its_price_times_its_machines_and_is_unknown_without_their_number():
    out, _, report = enrich(m5(resource_type="asg", instance_count=[3.0, None]))
    assert out["hourly_cost"].to_list() == [pytest.approx(0.288), None]
    assert "number of instances" in report.finding("cost-unknown").text


def test_an_unknown_purchase_option_is_priced_and_said_to_be_unknown():
    out, _, report = enrich(m5(purchase=None).with_columns(pl.col("purchase_option").cast(pl.String)))
    assert out[BASIS].to_list() == [ASSUMED] * 2
    assert "of 2 the purchase option is unknown" in report.finding("priced").text


@pytest.mark.parametrize(
    ("facts", "why"),
    [
        ({"purchase_option": "spot"}, "spot and reserved"),
        ({"purchase_option": "reserved"}, "spot and reserved"),
        ({"region": "eu-central-1"}, "no price for the type in that region"),
        ({"instance_type": "m99.huge"}, "no price for the type"),
        ({"resource_type": "rds"}, "no EC2 instance"),
    ],
)
def test_a_rate_that_is_not_known_stays_unknown_with_the_reason(facts, why):
    given = m5(resource_type="ec2").with_columns(pl.lit(value).alias(name) for name, value in facts.items())
    out, _, report = enrich(given)
    assert "hourly_cost" not in out.columns
    assert why in report.finding("cost-unknown").text


def test_a_measured_cost_is_never_replaced():
    out, _, _ = enrich(m5(hourly_cost=[0.05, None]))
    assert out["hourly_cost"].to_list() == [0.05, 0.096]
    assert out[BASIS].to_list() == [MEASURED, LIST_PRICE]


def test_a_measured_cost_without_a_type_is_marked_measured():
    assert enrich(rows(hourly_cost=1.0)).rows[BASIS].to_list() == [MEASURED] * 2


def test_another_price_list_can_be_used():
    def price(kind, region):
        return Price(instance_type=kind, region=region, usd_per_hour=2.0, as_of=date(2026, 1, 1), source="a contract")

    out = enrich(rows(instance_type="m5.large", region="eu-central-1"), price=price).rows
    assert out["hourly_cost"].to_list() == [2.0, 2.0]


def test_family_and_region_are_derived_where_they_are_absent():
    out = enrich(rows(instance_type="r6g.2xlarge", availability_zone="us-east-1c")).rows
    assert out["instance_family"].to_list() == ["r6g"] * 2
    assert out["region"].to_list() == ["us-east-1"] * 2
    assert out["hourly_cost"].to_list() == [0.4032] * 2


def test_a_local_zone_is_not_taken_for_its_region_because_its_prices_differ():
    out = enrich(rows(instance_type="m5.large", availability_zone="us-east-1-bos-1a")).rows
    assert out["region"].to_list() == [None, None]
    assert "hourly_cost" not in out.columns


def facts(*lines):
    schema = {
        "resource_id": pl.String,
        "timestamp": pl.Datetime("us", "UTC"),
        "instance_type": pl.String,
        "tag_team": pl.String,
    }
    return pl.DataFrame([(r, START + timedelta(hours=h), t, g) for r, h, t, g in lines], schema=schema, orient="row")


def test_facts_hold_as_of_the_time_of_the_row():
    known = facts(("i-1", 0, "m5.large", "web"), ("i-1", 2, "m5.xlarge", None))
    out = enrich(rows(4), resources=known).rows
    assert out["instance_type"].to_list() == ["m5.large", "m5.large", "m5.xlarge", "m5.xlarge"]
    assert out["tag_team"].to_list() == ["web"] * 4


def test_rows_before_the_first_discovery_take_the_first_facts_and_are_counted():
    out, _, report = enrich(rows(4), resources=facts(("i-1", 3, "m5.large", None)))
    assert out["instance_type"].to_list() == ["m5.large"] * 4
    assert report.finding("facts-from-later").count == 3


def test_a_fact_on_the_row_itself_wins_over_discovery():
    out = enrich(rows(instance_type=["c5.large", None]), resources=facts(("i-1", 0, "m5.large", None))).rows
    assert out["instance_type"].to_list() == ["c5.large", "m5.large"]


def test_resources_that_discovery_does_not_know_are_named():
    given = pl.concat([rows(), rows(resource="i-9")])
    _, _, report = enrich(given, resources=facts(("i-1", 0, "m5.large", None)))
    assert "i-9" in report.finding("unknown-resources").text


def test_untagged_resources_are_counted():
    given = pl.concat([rows(), rows(resource="i-9")])
    _, _, report = enrich(given, resources=facts(("i-1", 0, None, "web")))
    assert report.finding("untagged").text == "1 of 2 resources carry no tag_team"


def test_rows_keep_their_number_their_order_and_their_columns():
    given = pl.concat([rows(3, resource="b"), rows(3, resource="a")]).sort("resource_id", "timestamp")
    known = facts(("a", 0, "m5.large", "x"), ("a", 1, "m5.large", "y"), ("b", 1, "c5.large", None))
    out = enrich(given, resources=known).rows
    assert out.select(given.columns).equals(given)


def test_without_any_fact_nothing_is_added():
    out, _, report = enrich(rows())
    assert out.equals(rows())
    assert report.findings == ()


def test_the_calendar_of_a_named_country_and_zone_is_added_as_statics():
    times = [datetime(2026, 10, 3, 10, tzinfo=UTC), datetime(2026, 10, 5, 8, tzinfo=UTC)]  # a Saturday and holiday
    given = pl.DataFrame({"resource_id": "i-1", "timestamp": times, "cpu_utilization": [1.0, 2.0]}).with_columns(
        pl.col("timestamp").dt.cast_time_unit("us")
    )
    out = enrich(given, country="DE", tz="Europe/Berlin").rows
    assert out.select("is_weekend", "is_business_hour", "is_holiday").rows() == [
        (True, False, True),
        (False, True, False),
    ]
    assert [m.name for m in MetricFrame.of(out).metrics] == ["cpu_utilization"]


def test_without_a_country_there_is_no_calendar():
    assert "is_holiday" not in enrich(m5()).rows.columns
