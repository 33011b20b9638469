from datetime import UTC, datetime

import polars as pl
import pytest

from aws_auto.errors import SchemaError
from aws_auto.ml.cost.bill import COLUMNS
from aws_auto.ml.cost.normalise import needed, normalise

HOUR = ("2023-11-01T05:00:00Z", "2023-11-01T06:00:00Z")
ARN = "arn:aws:ec2:us-east-1:111122223333:reserved-instances/r-1"
PLAN = "arn:aws:savingsplans::111122223333:savingsplan/s-1"


def line(kind="Usage", cost=1.0, **more):
    return {
        "bill_billing_period_start_date": "2023-11-01T00:00:00Z",
        "line_item_usage_start_date": HOUR[0],
        "line_item_usage_end_date": HOUR[1],
        "line_item_line_item_type": kind,
        "line_item_unblended_cost": cost,
        "line_item_currency_code": "USD",
        "line_item_usage_type": "BoxUsage:m5.large",
        "line_item_product_code": "AmazonEC2",
        "pricing_public_on_demand_cost": cost,
        "reservation_effective_cost": 0.0,
        "reservation_unused_amortized_upfront_fee_for_billing_period": 0.0,
        "reservation_unused_recurring_fee": 0.0,
        "reservation_reservation_a_r_n": "",
        "savings_plan_savings_plan_a_r_n": "",
        "savings_plan_savings_plan_effective_cost": 0.0,
        "savings_plan_total_commitment_to_date": 0.0,
        "savings_plan_used_commitment": 0.0,
        **more,
    }


def cur(*lines):
    return normalise(pl.DataFrame(list(lines), infer_schema_length=None))


def only(bill):
    return bill.rows.row(0, named=True)


def focus(**more):
    return {
        "BilledCost": "1.25",
        "EffectiveCost": "1.00",
        "ListCost": "1.50",
        "BillingCurrency": "USD",
        "ChargeCategory": "Usage",
        "ChargePeriodStart": "2024-09-21 22:00:00",
        "BillingPeriodStart": "2024-09-01 00:00:00",
        **more,
    }


def test_every_format_gives_the_same_columns_and_types():
    explorer = pl.DataFrame({"start": ["2024-09-01"], "UnblendedCost": ["1.5"], "Currency": ["USD"]})
    for table in (pl.DataFrame([line()]), pl.DataFrame([focus()]), explorer):
        rows = normalise(table).rows
        assert dict(rows.schema) == dict(COLUMNS)


@pytest.mark.parametrize(
    ("header", "column"),
    [
        ("lineItem/UnblendedCost", "line_item_unblended_cost"),
        ("lineItem/LineItemType", "line_item_line_item_type"),
        ("savingsPlan/SavingsPlanARN", "savings_plan_savings_plan_a_r_n"),
        ("reservation/ReservationARN", "reservation_reservation_a_r_n"),
        ("pricing/publicOnDemandCost", "pricing_public_on_demand_cost"),
    ],
)
def test_slash_headers_are_the_names_of_athena(header, column):
    from aws_auto.ml.cost.cur import renames

    assert renames([header]) == {header: column}


def test_a_usage_line_costs_the_same_in_all_words():
    row = only(cur(line(cost=0.096, line_item_availability_zone="us-east-1a")))
    assert (row["billed_cost"], row["effective_cost"], row["list_cost"]) == (0.096, 0.096, 0.096)
    assert row["timestamp"] == datetime(2023, 11, 1, 5, tzinfo=UTC)
    assert (row["charge_category"], row["pricing_category"]) == ("Usage", "Standard")
    assert (row["instance_type"], row["region_id"], row["availability_zone"]) == ("m5.large", "us-east-1", "us-east-1a")
    assert (row["service_name"], row["service_category"]) == ("AmazonEC2", "Compute")


def test_a_reserved_hour_is_billed_nothing_and_costs_its_share():
    bill = cur(
        line(
            "DiscountedUsage",
            0.0,
            pricing_public_on_demand_cost=0.096,
            reservation_effective_cost=0.06,
            reservation_reservation_a_r_n=ARN,
        )
    )
    row = only(bill)
    assert (row["billed_cost"], row["effective_cost"], row["list_cost"]) == (0.0, 0.06, 0.096)
    assert (row["pricing_category"], row["commitment_discount_status"]) == ("Committed", "Used")
    assert (row["commitment_discount_type"], row["commitment_discount_id"]) == ("Reserved Instance", ARN)


def test_a_reservation_fee_is_a_purchase_whose_effective_cost_is_what_went_unused():
    fee = {
        "reservation_unused_recurring_fee": 4.0,
        "reservation_unused_amortized_upfront_fee_for_billing_period": 1.0,
        "reservation_reservation_a_r_n": ARN,
    }
    row = only(cur(line("RIFee", 22.3, **fee)))
    assert (row["charge_category"], row["charge_frequency"]) == ("Purchase", "Recurring")
    assert (row["billed_cost"], row["effective_cost"], row["list_cost"]) == (22.3, 5.0, 0.0)
    assert row["commitment_discount_status"] == "Unused"


def test_savings_plans_amortise_to_what_was_committed():
    bill = cur(
        line(
            "SavingsPlanCoveredUsage",
            1.0,
            savings_plan_savings_plan_effective_cost=0.7,
            savings_plan_savings_plan_a_r_n=PLAN,
        ),
        line("SavingsPlanNegation", -1.0, savings_plan_savings_plan_a_r_n=PLAN),
        line(
            "SavingsPlanRecurringFee",
            1.0,
            savings_plan_total_commitment_to_date=1.0,
            savings_plan_used_commitment=0.7,
            savings_plan_savings_plan_a_r_n=PLAN,
        ),
    )
    rows = bill.rows
    assert rows["billed_cost"].to_list() == [1.0, -1.0, 1.0]
    assert rows["effective_cost"].to_list() == pytest.approx([0.7, 0.0, 0.3])
    assert rows["list_cost"].to_list() == [1.0, 0.0, 0.0]
    assert rows["commitment_discount_id"].unique().to_list() == [PLAN]


def test_an_upfront_fee_of_a_reservation_costs_nothing_more_and_a_support_fee_what_it_costs():
    rows = cur(line("Fee", 100.0, reservation_reservation_a_r_n=ARN), line("Fee", 29.0)).rows
    assert rows["effective_cost"].to_list() == [0.0, 29.0]
    assert rows["commitment_discount_type"].to_list() == ["Reserved Instance", None]


def test_taxes_credits_and_refunds_stay_apart():
    rows = cur(line("Tax", 8.0), line("Credit", -5.0), line("Refund", -3.0)).rows
    assert rows["charge_category"].to_list() == ["Tax", "Credit", "Adjustment"]
    assert rows["charge_class"].to_list() == [None, None, "Correction"]
    assert rows["effective_cost"].to_list() == [8.0, -5.0, -3.0]


def test_an_unknown_line_item_type_is_kept_and_counted():
    bill = cur(line(), line("MysteryCharge", 7.0))
    assert bill.report.unknown_types == {"MysteryCharge": 1}
    assert bill.rows["charge_category"].to_list() == ["Usage", "Adjustment"]
    assert bill.rows["line_item_type"].to_list() == ["Usage", "MysteryCharge"]
    assert bill.report.billed == {"USD": 8.0}
    assert any("MysteryCharge 1" in sentence for sentence in bill.report.sentences())


def test_mixed_currencies_are_said_and_never_one_sum():
    bill = cur(line(), line(cost=2.0, line_item_currency_code="CNY"))
    assert bill.report.billed == {"USD": 1.0, "CNY": 2.0}
    assert any("currencies (CNY 1, USD 1)" in sentence for sentence in bill.report.sentences())


def test_an_amortised_cost_without_its_column_is_unknown_and_said():
    table = pl.DataFrame([line("DiscountedUsage", 0.0)]).drop("reservation_effective_cost")
    bill = normalise(table)
    assert only(bill)["effective_cost"] is None
    assert "amortised cost of 1 of 1 rows is unknown" in " ".join(bill.report.sentences())


def test_a_public_cost_of_zero_beside_a_charge_means_not_stated():
    spot = line(cost=0.034, pricing_public_on_demand_cost=0.0, line_item_usage_type="SpotUsage:m5.large")
    row = only(cur(spot))
    assert row["list_cost"] is None
    assert (row["pricing_category"], row["effective_cost"]) == ("Dynamic", 0.034)
    assert only(cur(line(cost=0.0)))["list_cost"] == 0.0


def test_account_numbers_keep_their_leading_zeros():
    assert only(cur(line(line_item_usage_account_id=1122223333)))["sub_account_id"] == "001122223333"


@pytest.mark.parametrize(
    "tags",
    [
        pl.Series("resource_tags", ['{"user_team": "a", "aws_created_by": "x"}', '{"user_team": ""}']),
        pl.Series(
            "resource_tags", [{"user_team": "a", "aws_created_by": "x"}, {"user_team": None, "aws_created_by": None}]
        ),
        pl.Series(
            "resource_tags",
            [[{"key": "user_team", "value": "a"}, {"key": "aws_created_by", "value": "x"}], []],
            dtype=pl.List(pl.Struct({"key": pl.String, "value": pl.String})),
        ),
    ],
    ids=["json", "struct", "map"],
)
def test_cur_2_keeps_its_tags_in_any_kind_of_map(tags):
    bill = normalise(pl.DataFrame([line(), line()]).with_columns(tags))
    assert bill.format == "CUR 2.0"
    assert bill.rows["tag_team"].to_list() == ["a", None]
    assert bill.rows["tag_aws_created_by"].to_list() == ["x", None]


def test_cur_2_product_facts_are_found_in_their_map():
    product = pl.Series("product", ['{"product_name": "Amazon Elastic Compute Cloud", "region": "eu-west-1"}'])
    row = only(normalise(pl.DataFrame([line()]).with_columns(product)))
    assert (row["service_name"], row["region_id"]) == ("Amazon Elastic Compute Cloud", "eu-west-1")


def test_tags_of_slash_headers_and_of_athena_have_one_name():
    slash = pl.DataFrame(
        {
            "lineItem/UsageStartDate": [HOUR[0]],
            "lineItem/LineItemType": ["Usage"],
            "lineItem/UnblendedCost": ["1.3877E-6"],
            "resourceTags/user:CostCenter": ["c1"],
            "resourceTags/aws:createdBy": [""],
        }
    )
    bill = normalise(slash)
    assert bill.format == "CUR (legacy)"
    assert only(bill)["tag_cost_center"] == "c1"
    assert only(bill)["tag_aws_created_by"] is None
    assert only(bill)["billed_cost"] == 1.3877e-6
    athena = normalise(pl.DataFrame([line(resource_tags_user_cost_center="c1")]))
    assert only(athena)["tag_cost_center"] == "c1"


def test_two_tag_keys_that_differ_in_spelling_share_a_column():
    table = pl.DataFrame([line()]).with_columns(
        pl.Series("resource_tags_user_team", [""]), pl.Series("resourceTags/user:Team", ["b"])
    )
    assert only(normalise(table))["tag_team"] == "b"


def test_focus_is_read_with_its_null_words_and_its_tags():
    row = only(
        normalise(
            pl.DataFrame(
                [focus(CommitmentDiscountId="NULL", Tags='{"Environment": "prod"}', x_UsageType="BoxUsage:t3.large")]
            )
        )
    )
    assert (row["billed_cost"], row["effective_cost"], row["list_cost"]) == (1.25, 1.0, 1.5)
    assert row["commitment_discount_id"] is None
    assert (row["tag_environment"], row["instance_type"]) == ("prod", "t3.large")
    assert row["timestamp"] == datetime(2024, 9, 21, 22, tzinfo=UTC)


@pytest.mark.parametrize(
    ("column", "version"), [("ResourceType", "1.0"), ("SkuMeter", "1.1"), ("InvoiceId", "1.2"), ("x_Discounts", "1.0")]
)
def test_the_version_of_focus_is_the_lowest_with_these_columns(column, version):
    assert normalise(pl.DataFrame([focus(**{column: "x"})])).format == f"FOCUS {version}"


def test_focus_columns_in_small_letters_are_focus_too():
    table = pl.DataFrame([{name.lower(): value for name, value in focus().items()}])
    assert normalise(table).report.billed == {"USD": 1.25}


def test_rows_of_other_providers_are_kept_and_said():
    bill = normalise(pl.DataFrame([focus(ProviderName="AWS"), focus(ProviderName="Microsoft")]))
    assert bill.report.other_providers == {"Microsoft": 1}
    assert len(bill.rows) == 2


def test_effective_costs_that_were_rounded_are_not_trusted_in_silence():
    table = pl.DataFrame([focus(EffectiveCost="1", BilledCost=f"{0.6 + k / 100}") for k in range(30)])
    assert normalise(table).report.rounded_effective
    honest = pl.DataFrame([focus(EffectiveCost=f"{0.6 + k / 100}", BilledCost=f"{0.6 + k / 100}") for k in range(30)])
    assert not normalise(honest).report.rounded_effective


def test_cost_explorer_rows_know_billed_and_amortised_cost():
    table = pl.DataFrame(
        {
            "start": ["2024-09-01", "2024-09-01"],
            "end": ["2024-10-01", "2024-10-01"],
            "SERVICE": ["AWS Lambda", "Amazon EC2"],
            "RECORD_TYPE": ["Usage", "Savings Plan Recurring Fee"],
            "RESOURCE_ID": ["No resource id", "i-1"],
            "UnblendedCost": ["10.5", "3"],
            "AmortizedCost": ["9.5", "0"],
            "Currency": ["USD", "USD"],
        }
    )
    bill = normalise(table)
    assert bill.format == "Cost Explorer"
    assert bill.rows["charge_category"].to_list() == ["Usage", "Purchase"]
    assert bill.rows["effective_cost"].to_list() == [9.5, 0.0]
    assert bill.rows["resource_id"].to_list() == [None, "i-1"]
    assert bill.rows["list_cost"].null_count() == 2
    assert bill.report.unknown_types == {}


def test_a_file_of_another_shape_is_refused_with_what_is_there_and_what_is_known():
    with pytest.raises(SchemaError, match="its columns are date, amount") as caught:
        normalise(pl.DataFrame({"date": [1], "amount": [2]}))
    assert "FOCUS 1.0 to 1.2" in (caught.value.hint or "")
    assert "CUR 2.0" in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("table", "missing"),
    [
        (pl.DataFrame([line()]).drop("line_item_unblended_cost"), "line_item_unblended_cost is missing"),
        (pl.DataFrame({"lineItem/UsageStartDate": [""], "lineItem/LineItemType": [""]}), "lineItem/UnblendedCost is"),
        (pl.DataFrame([focus()]).drop("BillingCurrency"), "FOCUS 1.0, but BillingCurrency is missing"),
        (pl.DataFrame({"start": ["2024-09-01"], "UnblendedCost": [1.0]}), "Cost Explorer, but Currency is missing"),
    ],
)
def test_a_missing_column_is_named(table, missing):
    with pytest.raises(SchemaError, match=missing):
        normalise(table)


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ({"line_item_unblended_cost": "twelve"}, "'twelve' in row 2 is not a number"),
        ({"line_item_usage_start_date": "yesterday"}, "'yesterday' in row 2 is not a time"),
        ({"line_item_usage_start_date": ""}, "line_item_usage_start_date is empty in row 2"),
        ({"line_item_unblended_cost": "nan"}, "'nan' in row 2 is not a number"),
    ],
)
def test_a_bad_cell_is_refused_with_its_row(cell, message):
    with pytest.raises(SchemaError, match=message):
        cur(line(cost="1"), line(cost="1", **cell) if "line_item_unblended_cost" not in cell else {**line(), **cell})


def test_tags_that_are_no_json_are_refused_with_their_row():
    with pytest.raises(SchemaError, match="row 2 is no JSON object"):
        normalise(pl.DataFrame([focus(Tags="{}"), focus(Tags="[1]")]))


def test_a_row_without_a_cost_is_counted():
    bill = cur(line(cost=1.0), line(cost=None))
    assert bill.report.empty_costs == 1
    assert "1 rows have no billed cost" in bill.report.sentences()


def test_only_the_columns_that_matter_need_to_be_read():
    columns = [*line(), "identity_line_item_id", "product_clock_speed", "resource_tags_user_team"]
    assert set(needed(columns)) == {*line(), "resource_tags_user_team"}


def test_times_with_and_without_zones_are_utc():
    naive = pl.Series("line_item_usage_start_date", ["2018-10-01T00:00", "2018-10-01T01:00"]).str.to_datetime()
    table = pl.DataFrame([line(), line()]).with_columns(naive.cast(pl.Datetime("ms")))
    assert normalise(table).rows["timestamp"].to_list()[0] == datetime(2018, 10, 1, tzinfo=UTC)
    offset = only(cur(line(line_item_usage_start_date="2023-11-01T06:00:00+01:00")))
    assert offset["timestamp"] == datetime(2023, 11, 1, 5, tzinfo=UTC)


def test_when_a_reservation_ends_is_read_and_other_words_in_its_place_mean_nothing():
    table = pl.DataFrame(
        {
            "lineItem/UsageStartDate": ["2018-10-01T00:00:00Z"] * 3,
            "lineItem/LineItemType": ["RIFee", "RIFee", "Usage"],
            "lineItem/UnblendedCost": ["1", "1", "1"],
            "reservation/EndTime": ["2019-04-24T00:34:00.000Z", "Unknown", ""],
        }
    )
    ends = normalise(table).rows["commitment_discount_end"].to_list()
    assert ends == [datetime(2019, 4, 24, 0, 34, tzinfo=UTC), None, None]
