"""Process: the stages in a row, on a real lake, with a quarantine that loses and doubles nothing."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import polars as pl
import pytest

from aws_auto.errors import DataError, NotEnoughData, SchemaError
from aws_auto.frame import MetricFrame
from aws_auto.pipeline.local.lake import LocalLake
from aws_auto.pipeline.local.state import State
from aws_auto.pipeline.local.target import LocalTarget
from aws_auto.pipeline.plan import Create, Resource
from aws_auto.pipeline.ports import Batch, Window
from aws_auto.pipeline.process import hourly_costs, process, run_stages
from aws_auto.pipeline.stages.report import Level
from aws_auto.pipeline.stages.rules import Rules

SHARED = Path(__file__).parents[3] / "../shared/data"
START = datetime(2026, 5, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
NOW = START + 24 * HOUR


def day(resource="i-1", **columns):
    times = [START + k * HOUR for k in range(24)]
    spread = {n: v if isinstance(v, list) else [v] * 24 for n, v in ({"cpu_utilization": 50.0} | columns).items()}
    return pl.DataFrame({"resource_id": [resource] * 24, "timestamp": times, **spread})


@pytest.fixture
def ws(tmp_path):
    clock = SimpleNamespace(now=lambda: NOW)
    state = State(tmp_path / "state.db")
    lake = LocalLake(tmp_path / "lake", state, clock)
    return SimpleNamespace(lake=lake, clock=clock, target=LocalTarget(state, clock))


def fill(ws, rows, dataset="metrics"):
    window = Window(rows["timestamp"].min(), rows["timestamp"].max() + HOUR)
    ws.lake.write(Batch(dataset=dataset, rows=rows, window=window))


def test_good_data_comes_through_with_a_report_of_every_stage(ws):
    fill(ws, day())
    done = process(ws)
    assert [r.stage for r in done.reports] == ["clean", "validate", "enrich"]
    assert len(done.frame) == 24
    assert (done.status, done.quarantined) == (Level.OK, 0)
    assert "quarantine" not in ws.lake.datasets()


def test_an_empty_lake_is_not_enough_data_and_says_what_to_do(ws):
    with pytest.raises(NotEnoughData, match="holds no metrics"):
        process(ws)


def test_only_the_window_is_processed_and_freshness_is_measured_at_its_end(ws):
    fill(ws, day())
    done = process(ws, Window(START, START + 12 * HOUR))
    assert len(done.frame) == 12
    assert done.report("validate").finding("freshness").observed == 0.0


def test_the_limits_that_are_deployed_are_the_ones_that_are_checked(ws):
    fill(ws, day(request_count=[None, None, *[10.0] * 22]))
    assert process(ws).report("validate").finding("completeness").threshold == 0.95
    limits = {"completeness_threshold": 0.8, "freshness_threshold": "2h", "schema_validation": True}
    ws.target.apply(Create(Resource(kind="checks", name="data-quality", properties=limits, monthly_usd=0.0)))
    assert process(ws).report("validate").finding("completeness").threshold == 0.8
    assert process(ws, rules=Rules(completeness=0.5)).report("validate").finding("completeness").threshold == 0.5


def test_rejected_values_go_to_the_quarantine_once_however_often_they_are_met(ws):
    fill(ws, day(request_count=[-5.0, *[10.0] * 22, -7.0]))
    first, second = process(ws), process(ws)
    assert (first.quarantined, second.quarantined) == (2, 2)
    stored = ws.lake.scan("quarantine").collect()
    assert stored.select("resource_id", "timestamp", "column", "value", "stage").rows() == [
        ("i-1", START, "request_count", "-5.0", "clean"),
        ("i-1", START + 23 * HOUR, "request_count", "-7.0", "clean"),
    ]
    assert first.frame.data["request_count"].null_count() == 2


def test_what_is_rejected_is_filed_even_when_nothing_is_left(ws):
    fill(ws, day(cpu_utilization=-5.0))
    with pytest.raises(NotEnoughData):
        process(ws)
    assert ws.lake.datasets()["quarantine"] == 48


def test_what_is_rejected_is_filed_even_when_strict_refuses(ws):
    fill(ws, day(latency=[*[-1.0] * 12, *[1.0] * 12]))
    with pytest.raises(DataError, match="passed every range"):
        process(ws, rules=Rules(strict=True))
    assert ws.lake.datasets()["quarantine"] == 12


def test_a_time_far_outside_the_calendar_is_filed_all_the_same(ws):
    far = day().head(1).with_columns(timestamp=pl.lit(datetime(9999, 12, 31, 23, tzinfo=UTC)))
    ws.lake.write(Batch(dataset="metrics", rows=pl.concat([day(), far]), window=Window(START, NOW)))
    assert process(ws).quarantined == 1
    assert "9999-12-31" in ws.lake.scan("quarantine").collect()["value"][0]


def test_static_facts_of_the_lake_are_joined_and_priced(ws):
    fill(ws, day())
    facts = {"instance_type": "m5.large", "region": "us-east-1", "purchase_option": "on-demand"}
    fill(
        ws,
        pl.DataFrame({"resource_id": ["i-1"], "timestamp": [START]}).with_columns(
            pl.lit(v).alias(k) for k, v in facts.items()
        ),
        "resources",
    )
    done = process(ws, period=timedelta(hours=6))
    assert done.frame.data["hourly_cost"].to_list() == [0.096] * 4
    assert done.frame.data["instance_family"].to_list() == ["m5"] * 4
    assert done.reports[-1].stage == "aggregate"


def test_duplicates_are_merged_by_the_door_and_counted_in_the_report_of_clean():
    done = run_stages(pl.concat([day(), day().head(3)]), now=NOW)
    assert len(done.frame) == 24
    assert done.report("clean").finding("duplicates").count == 3
    assert done.report("clean").rows_out == 24


def test_pandas_polars_and_a_metric_frame_give_the_same_table():
    frames = [day(), pd.DataFrame({c.name: c.to_list() for c in day()}), MetricFrame.of(day())]
    prints = {run_stages(frame, now=NOW).frame.fingerprint() for frame in frames}
    assert len(prints) == 1


def test_a_table_without_keys_is_a_schema_error():
    with pytest.raises(SchemaError, match="resource_id, timestamp missing"):
        run_stages(pl.DataFrame({"id": [1], "when": ["x"]}), now=NOW)


def test_nothing_but_open_buckets_is_not_enough_data():
    with pytest.raises(NotEnoughData, match="no bucket of 1 day"):
        run_stages(day(), now=NOW - HOUR, period=timedelta(days=1))


def test_sentences_name_their_stage_and_put_the_worst_first():
    done = run_stages(day(request_count=[-5.0, *[10.0] * 23]), now=NOW + 5 * HOUR)
    assert done.status is Level.FAILED
    validate = [s for s in done.sentences() if s.startswith("validate:")]
    assert validate[0].startswith("validate: the newest point is 5 h old")


@pytest.mark.shared
def test_the_bitbrains_vms_keep_their_2_8_percent_of_hours_above_100():
    path = SHARED / "fleet/vm_hourly.parquet"
    if not path.is_file():
        pytest.skip("the development data is not beside the checkout")
    rows = pl.read_parquet(path).select(
        resource_id=pl.col("vm").cast(pl.String),
        timestamp="ts",
        cpu_utilization="cpu_pct",
        cpu_utilization_max="cpu_pct_max",
    )
    done = run_stages(rows, now=datetime(2013, 9, 1, tzinfo=UTC))
    finding = done.report("clean").finding("above-capacity")
    assert finding.count / len(rows) == pytest.approx(0.028, abs=0.001)
    assert done.quarantined == 0
    assert done.report("clean").finding("unit-suspected") is None


def bill(**changed):
    hour = datetime(2026, 3, 1, tzinfo=UTC)
    rows = {
        "resource_id": ["i-1", "i-1", "i-1", None, "i-1"],
        "timestamp": [hour, hour, hour + timedelta(hours=1), hour, hour],
        "charge_category": ["Usage", "Usage", "Usage", "Usage", "Credit"],
        "billed_cost": [1.0, 0.5, 2.0, 9.0, -1.0],
        "effective_cost": [0.8, 0.4, None, 9.0, None],
        "billing_currency": ["USD"] * 5,
        "region_id": ["eu-west-1"] * 5,
    }
    return pl.DataFrame(rows | changed).with_columns(pl.col("timestamp").dt.cast_time_unit("us"))


def test_a_bill_alone_is_hourly_cost_by_resource():
    costs = hourly_costs(bill())
    assert costs["hourly_cost"].to_list() == pytest.approx([1.2, 2.0])
    assert costs["resource_id"].to_list() == ["i-1", "i-1"]
    assert costs["region"].to_list() == ["eu-west-1"] * 2


def test_currencies_of_a_bill_are_never_added():
    costs = hourly_costs(bill(billing_currency=["USD", "EUR", "USD", "USD", "USD"]))
    assert costs["hourly_cost"].to_list() == pytest.approx([0.8, 2.0])


@pytest.mark.parametrize(
    "empty", [pl.DataFrame(), bill().head(0), bill(resource_id=pl.Series([None] * 5, dtype=pl.String))]
)
def test_a_bill_that_names_no_resource_is_no_cost_of_one(empty):
    assert hourly_costs(empty).is_empty()
