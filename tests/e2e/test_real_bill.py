"""Proof on a real bill: October 2018 goes through the source and the lake, and its totals agree with pandas."""

import resource
import time
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from aws_auto.pipeline.local.lake import LocalLake
from aws_auto.pipeline.local.sources import CurSource, FocusSource
from aws_auto.pipeline.local.state import State
from aws_auto.pipeline.ports import Window

BILLING = Path(__file__).parents[2] / ".." / "shared" / "data" / "billing"
OCTOBER = Window(datetime(2018, 10, 1, tzinfo=UTC), datetime(2018, 11, 1, tzinfo=UTC))
ROWS = 119_307
CENT = 0.005

pytestmark = [
    pytest.mark.shared,
    pytest.mark.skipif(not BILLING.is_dir(), reason="the development data is not beside the checkout"),
]


class Stopped:
    def now(self):
        return datetime(2018, 12, 1, tzinfo=UTC)

    def sleep(self, seconds):
        raise AssertionError("nothing here waits")


@pytest.fixture
def lake(tmp_path):
    state = State(tmp_path / "state.db")
    return LocalLake(tmp_path / "lake", state, Stopped())


@pytest.fixture(scope="module")
def raw():
    import pandas as pd

    (path,) = (BILLING / "cur").glob("*.parquet")
    return pd.read_parquet(path)


def collect(source, lake):
    for batch in source.pull(OCTOBER):
        lake.write(batch)
    return lake.scan("billing", OCTOBER).collect()


def by(rows, key, cost):
    return dict(rows.group_by(key).agg(pl.col(cost).sum()).iter_rows())


def test_october_2018_agrees_to_the_cent_with_a_plain_pandas_sum(lake, raw):
    rows = collect(CurSource(str(BILLING / "cur")), lake)
    assert len(rows) == len(raw) == ROWS
    assert abs(rows["billed_cost"].sum() - raw["line_item_unblended_cost"].sum()) < CENT
    assert round(rows["billed_cost"].sum(), 2) == 4064.48


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("service_name", "product_product_name"),
        ("line_item_type", "line_item_line_item_type"),
        ("usage_type", "line_item_usage_type"),
        ("sub_account_id", "line_item_usage_account_id"),
        ("tag_department", "resource_tags_user_department"),
    ],
)
def test_every_breakdown_agrees_to_the_cent_too(lake, raw, ours, theirs):
    mine = by(collect(CurSource(str(BILLING / "cur")), lake), ours, "billed_cost")
    plain = raw.groupby(theirs)["line_item_unblended_cost"].sum().to_dict()
    assert {key or "" for key in mine} == set(plain)
    assert all(abs(cost - plain[key or ""]) < CENT for key, cost in mine.items())


def test_every_hour_agrees_to_the_cent(lake, raw):
    mine = by(collect(CurSource(str(BILLING / "cur")), lake), "timestamp", "billed_cost")
    plain = raw.groupby("line_item_usage_start_date")["line_item_unblended_cost"].sum()
    assert len(mine) == len(plain)
    assert all(abs(mine[hour.to_pydatetime().replace(tzinfo=UTC)] - cost) < CENT for hour, cost in plain.items())


def test_amortised_and_on_demand_costs_agree_with_their_definition(lake, raw):
    rows = collect(CurSource(str(BILLING / "cur")), lake)
    kind, unused = raw["line_item_line_item_type"], "reservation_unused_"
    amortised = (
        raw["line_item_unblended_cost"][kind == "Usage"].sum()
        + raw["reservation_effective_cost"][kind == "DiscountedUsage"].sum()
        + raw[f"{unused}amortized_upfront_fee_for_billing_period"][kind == "RIFee"].sum()
        + raw[f"{unused}recurring_fee"][kind == "RIFee"].sum()
    )
    assert abs(rows["effective_cost"].sum() - amortised) < CENT
    assert abs(rows["list_cost"].sum() - raw["pricing_public_on_demand_cost"].sum()) < CENT
    spot = rows.filter(pl.col("list_cost").is_null())
    assert spot["pricing_category"].unique().to_list() == ["Dynamic"]


def test_fees_of_reservations_are_purchases_and_no_usage(lake):
    rows = collect(CurSource(str(BILLING / "cur")), lake)
    fees = rows.filter(pl.col("charge_category") == "Purchase")
    assert len(fees) == 9
    assert round(fees["billed_cost"].sum(), 2) == 149.78
    assert set(fees["commitment_discount_type"]) == {"Reserved Instance"}


def test_a_second_pull_replaces_and_adds_nothing(lake):
    source = CurSource(str(BILLING / "cur"))
    once, twice = collect(source, lake), collect(source, lake)
    assert len(twice) == ROWS
    assert once["billed_cost"].sum() == twice["billed_cost"].sum()


def test_a_month_loads_in_seconds_and_in_little_memory(lake):
    began = time.process_time()
    collect(CurSource(str(BILLING / "cur")), lake)
    assert time.process_time() - began < 10.0
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < 2_000_000  # KiB; the whole test process


def test_the_samples_of_slash_headers_and_of_focus_agree_to_the_cent():
    always = Window(datetime(2020, 1, 1, tzinfo=UTC), datetime(2030, 1, 1, tzinfo=UTC))
    for source, column in (
        (CurSource(str(BILLING / "cur_v1_sample.csv")), "lineItem/UnblendedCost"),
        (FocusSource(str(BILLING / "focus_1_0_sample.csv")), "BilledCost"),
    ):
        plain = pl.read_csv(source.path, columns=[column], infer_schema=False)[column].cast(pl.Float64)
        rows = pl.concat([batch.rows for batch in source.pull(always)], how="diagonal")
        assert len(rows) == len(plain)
        assert abs(rows["billed_cost"].sum() - plain.sum()) < CENT
