from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from aws_auto.frame import MetricFrame
from aws_auto.ml.simulate.account import simulate
from aws_auto.ml.simulate.incidents import EVERY, SCRIPTS, incidents
from aws_auto.ml.simulate.inventory import HOURLY_USD, THINGS
from aws_auto.ml.simulate.timeline import SLOTS_PER_DAY, slot_of

START = datetime(2026, 10, 24, tzinfo=UTC)


@pytest.fixture(scope="module")
def month():
    return simulate(START, START + timedelta(days=30), seed=7)


@pytest.fixture(scope="module")
def frame(month):
    return MetricFrame.of(month.metrics)


def of(frame, resource_id):
    return frame.data.filter(pl.col("resource_id") == resource_id)


@pytest.mark.parametrize("table", ["metrics", "billing", "truth"])
def test_small_windows_give_the_rows_of_one_large_one(month, table):
    cuts = [
        START,
        START + timedelta(days=3, hours=7, minutes=13),
        START + timedelta(days=11),
        START + timedelta(days=30),
    ]
    parts = [getattr(simulate(a, b, seed=7), table) for a, b in pairwise(cuts)]
    whole = getattr(month, table)
    by = [c for c in ("resource_id", "timestamp", "usage_type", "charge_category") if c in whole.columns]
    together = pl.concat(parts, how="diagonal").select(whole.columns).sort(by, maintain_order=True)
    assert_frame_equal(together, whole.sort(by, maintain_order=True), check_exact=True)


def test_seeds_differ_and_a_seed_repeats(month):
    end = START + timedelta(days=1)
    assert_frame_equal(simulate(START, end, seed=7).metrics, simulate(START, end, seed=7).metrics)
    other = simulate(START, end, seed=8).metrics
    assert not other.equals(simulate(START, end, seed=7).metrics)


def test_every_resource_has_points_and_facts(month):
    assert set(month.metrics["resource_id"]) == {thing.resource_id for thing in THINGS}
    assert set(month.resources["resource_id"]) == {thing.resource_id for thing in THINGS}
    assert {"ec2", "asg", "elb", "rds", "lambda", "ecs"} <= set(month.resources["resource_type"])


def test_cleaning_has_work_but_not_too_much(month):
    frame = MetricFrame.of(month.metrics)
    assert 10 < frame.report.duplicates_merged < 500
    assert 10 < frame.report.nan_to_null < 1000
    points = len(THINGS) * 30 * SLOTS_PER_DAY
    assert 0.98 < len(frame) / points < 0.999
    assert frame.gaps().height > 100


def test_an_instance_costs_its_on_demand_price(frame):
    assert of(frame, "analytics-1")["hourly_cost"].unique().to_list() == [HOURLY_USD["m5.4xlarge"]]
    fleet = of(frame, "shop-web").drop_nulls("instance_count")
    np.testing.assert_allclose(fleet["hourly_cost"], fleet["instance_count"] * HOURLY_USD["m6i.large"], atol=1e-6)


def test_spot_and_reserved_cost_less_than_on_demand(frame, month):
    spot = of(frame, "api-web").drop_nulls("instance_count")
    assert (spot["hourly_cost"] < 0.7 * spot["instance_count"] * HOURLY_USD["c6i.large"]).all()
    usage = month.billing.filter((pl.col("resource_id") == "cache-1") & (pl.col("charge_category") == "Usage"))
    assert usage["billed_cost"].sum() == 0.0
    assert 0.5 < usage["effective_cost"].sum() / usage["list_cost"].sum() < 0.8


def test_percentiles_lie_between_mean_and_maximum(frame):
    cpu = frame.data.drop_nulls(["cpu_utilization", "cpu_utilization_p95"])
    assert (cpu["cpu_utilization"] <= cpu["cpu_utilization_p95"]).all()
    assert (cpu["cpu_utilization_p95"] <= cpu["cpu_utilization_max"]).all()
    assert cpu["cpu_utilization_max"].max() <= 100.0


def test_per_cents_stay_per_cents_and_nothing_is_negative(frame):
    for metric in frame.metrics:
        values = frame.data[metric.name].drop_nulls()
        assert values.min() >= 0.0, metric.name
        if metric.unit == "Percent":
            assert values.max() <= 100.0, metric.name


def test_the_day_and_the_office_week_are_visible(frame):
    local = pl.col("timestamp").dt.convert_time_zone("America/New_York")
    dev = of(frame, "dev-1").with_columns(hour=local.dt.hour(), weekday=local.dt.weekday())
    office = dev.filter(pl.col("hour").is_between(10, 16) & (pl.col("weekday") == 3))["cpu_utilization"].mean()
    night = dev.filter(pl.col("hour").is_between(0, 5))["cpu_utilization"].mean()
    sunday = dev.filter(pl.col("weekday") == 7)["cpu_utilization"].mean()
    assert office > 8 * night
    assert office > 8 * sunday
    shop = of(frame, "shop-alb").with_columns(hour=local.dt.hour())
    by_hour = dict(shop.group_by("hour").agg(pl.col("request_count").mean()).iter_rows())
    assert by_hour[20] > 4 * by_hour[4]


def test_waste_is_there_to_be_found(frame):
    assert of(frame, "analytics-1")["cpu_utilization_max"].max() < 25.0
    assert of(frame, "poc-gpu")["cpu_utilization_max"].max() < 5.0


def test_eighteen_days_hold_each_kind_of_incident_once_and_no_two_at_a_time():
    found = incidents(7, slot_of(datetime(2026, 1, 1, tzinfo=UTC)), 60 * SLOTS_PER_DAY)
    for i in range(1, len(found) - len(SCRIPTS)):
        assert {one.kind for one in found[i : i + len(SCRIPTS)]} == {script.kind for script in SCRIPTS}
    assert all(a.end < b.first for a, b in pairwise(found))


@pytest.mark.parametrize(
    ("kind", "metric", "grows"),
    [
        ("memory_leak", "memory_utilization", 1.2),
        ("cpu_saturation", "cpu_utilization", 1.4),
        ("traffic_surge", "request_count", 1.4),  # one falls on Thanksgiving, when the API is quiet
        ("dependency_failure", "latency", 3.0),
        ("disk_filling", "disk_utilization", 1.2),
        ("cost_spike", "hourly_cost", 3.0),
    ],
)
def test_an_incident_is_felt_where_the_truth_says(kind, metric, grows):
    account = simulate(START, START + timedelta(days=40), seed=7)
    data = MetricFrame.of(account.metrics).data
    rows = account.truth.filter((pl.col("kind") == kind) & (pl.col("resource_id") == pl.col("root_cause")))
    assert len(rows) >= 2
    for row in rows.iter_rows(named=True):
        mine = data.filter(pl.col("resource_id") == row["resource_id"])
        during = mine.filter(pl.col("timestamp").is_between(row["timestamp"], row["end"]))[metric].mean()
        week = timedelta(days=7)
        usual = pl.concat(
            mine.filter(pl.col("timestamp").is_between(row["timestamp"] + k * week, row["end"] + k * week))
            for k in (-2, -1, 1, 2)
        )[metric].median()
        assert during > grows * usual, row


def test_truth_names_root_and_victims(month):
    assert set(month.truth.columns) >= {"resource_id", "timestamp", "end", "kind", "root_cause", "note"}
    assert (month.truth["end"] > month.truth["timestamp"]).all()
    assert set(month.truth["root_cause"]) <= set(month.truth["resource_id"])


def test_the_bill_agrees_with_the_hourly_cost_of_the_metrics(month):
    bill = month.billing.filter(pl.col("resource_id") == "analytics-1")
    assert len(bill) == 30 * 24
    assert bill["billed_cost"].sum() == pytest.approx(30 * 24 * HOURLY_USD["m5.4xlarge"])


def test_fee_and_credit_are_billed_once_a_month(month):
    once = month.billing.filter(pl.col("charge_category") != "Usage")
    assert once.sort("charge_category")["charge_category"].to_list() == ["Credit", "Purchase"]
    assert once["timestamp"].unique().to_list() == [datetime(2026, 11, 1, tzinfo=UTC)]


def test_an_empty_window_is_empty_and_typed():
    account = simulate(START, START, seed=7)
    assert account.metrics.is_empty()
    assert account.billing.is_empty()
    assert account.truth.is_empty()
    assert account.truth.schema["end"] == pl.Datetime("us", "UTC")


@pytest.fixture(scope="module")
def every():
    return simulate(START, START + timedelta(days=62), seed=7, scripts=EVERY)


def around(account, kind, resource_id, metric):
    """Mean of a metric in the two hours before each incident of that kind, and during it."""
    rows = account.truth.filter((pl.col("kind") == kind) & (pl.col("resource_id") == resource_id))
    data = of(MetricFrame.of(account.metrics), resource_id)
    assert len(rows)
    for row in rows.iter_rows(named=True):
        start, end = row["timestamp"], row["end"]
        before = data.filter(pl.col("timestamp").is_between(start - timedelta(hours=2), start, closed="left"))
        during = data.filter(pl.col("timestamp").is_between(start + timedelta(minutes=15), end, closed="left"))
        yield row, before[metric].mean(), during[metric].mean()


def test_thirty_days_of_every_kind_hold_each_once(every):
    first = every.truth.filter(pl.col("incident") < every.truth["incident"].min() + len(EVERY))
    assert set(first["kind"]) == {script.kind for script in EVERY}


def test_the_sample_tells_no_facts_of_kinds_that_it_does_not_have(month):
    assert not {"cpu_steal", "throttle_count"} & set(month.metrics.columns)
    assert not {"version", "host"} & set(month.resources.columns)


def test_a_window_of_every_kind_does_not_depend_on_where_it_starts():
    begin, end = START + timedelta(days=20), START + timedelta(days=30)
    whole = simulate(START, end, seed=7, scripts=EVERY).metrics.filter(pl.col("timestamp") >= begin)
    part = simulate(begin, end, seed=7, scripts=EVERY).metrics
    keys = ["resource_id", "timestamp"]
    assert_frame_equal(whole.sort(keys, maintain_order=True), part.sort(keys, maintain_order=True), check_exact=True)


def test_a_bad_release_goes_live_as_the_trouble_starts_and_is_rolled_back_as_it_ends(every):
    rows = every.truth.filter((pl.col("kind") == "bad_release") & (pl.col("resource_id") == pl.col("root_cause")))
    assert len(rows)
    for row in rows.iter_rows(named=True):
        live = every.resources.filter(pl.col("resource_id") == row["root_cause"]).sort("timestamp")
        at = dict(live.select("timestamp", "version").iter_rows())
        before = live.filter(pl.col("timestamp") < row["timestamp"])["version"][-1]
        assert at[row["timestamp"]] != before
        assert at[row["end"]] == before


def test_most_releases_break_nothing(every):
    bad = every.truth.filter(pl.col("kind") == "bad_release")["incident"].n_unique()
    assert every.resources["version"].drop_nulls().n_unique() > 10 * bad


def test_a_throttled_function_serves_a_level_and_refuses_the_rest(every):
    for resource_id in ("thumbnails", "webhooks"):
        mine = every.truth.filter((pl.col("kind") == "throttling") & (pl.col("root_cause") == resource_id))
        for row in mine.filter(pl.col("resource_id") == resource_id).iter_rows(named=True):
            during = of(MetricFrame.of(every.metrics), resource_id).filter(
                pl.col("timestamp").is_between(row["timestamp"], row["end"], closed="left")
                & (pl.col("throttle_count") > 0)
            )
            assert during["request_count"].std() < 0.02 * during["request_count"].mean()
    quiet = of(MetricFrame.of(every.metrics), "order-events")
    assert quiet["throttle_count"].max() == 0


def test_a_noisy_neighbour_takes_cpu_from_the_machine_on_its_host(every):
    hosts = dict(every.resources.drop_nulls("host").select("resource_id", "host").iter_rows())
    rows = every.truth.filter(pl.col("kind") == "noisy_neighbour")
    for root in rows["root_cause"].unique():
        beside = next(r for r, host in hosts.items() if host == hosts[root] and r != root)
        data = MetricFrame.of(every.metrics)
        for row, before, during in around(every, "noisy_neighbour", root, "cpu_steal"):
            assert during > before + 10
            busy = of(data, beside).filter(pl.col("timestamp").is_between(row["timestamp"], row["end"], closed="left"))
            assert busy["cpu_utilization"].mean() > 60


def test_a_zone_that_is_cut_off_takes_its_machines_and_no_others(every):
    row = every.truth.filter(pl.col("kind") == "zone_failure").row(0, named=True)
    zones = dict(every.resources.drop_nulls("availability_zone").select("resource_id", "availability_zone").iter_rows())
    down = zones[row["root_cause"]]
    for resource_id in ("cache-1", "cache-2", "legacy-crm", "bastion-old"):
        data = of(MetricFrame.of(every.metrics), resource_id)
        before, during = (
            data.filter(pl.col("timestamp").is_between(a, b, closed="left"))["network_io"].mean()
            for a, b in (
                (row["timestamp"] - timedelta(hours=1), row["timestamp"]),
                (row["timestamp"] + timedelta(minutes=15), row["end"]),
            )
        )
        assert (during < 0.3 * before) == (zones[resource_id] == down)
    assert not {"shop-alb", "api-web", "checkout"} & set(zones)
