from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from aws_auto.errors import SchemaError
from aws_auto.ml.scaling.workload import workloads

START = datetime(2026, 1, 5, tzinfo=UTC)


def rows(name, *, service="shop", n=6, **columns):
    return pl.DataFrame(
        {
            "resource_id": name,
            "timestamp": [START + timedelta(minutes=5 * i) for i in range(n)],
            "service": service,
            **{k: pl.Series(v if isinstance(v, list) else [v] * n, dtype=pl.Float64) for k, v in columns.items()},
        }
    )


def table(*parts):
    return pl.concat(parts, how="diagonal")


BALANCER = rows("alb", request_count=3000.0, latency=80.0, latency_p95=200.0, error_rate=0.5)
FLEET = rows("web", request_count=3030.0, instance_count=4.0, cpu_utilization=50.0)


def test_a_fleet_gets_the_latency_and_the_errors_of_the_balancer_with_its_load():
    other = rows("tiny-alb", request_count=300.0, latency=5.0)
    found = workloads(table(BALANCER, FLEET, other))
    assert found.layout.fronts == {"web": "alb"}
    web = found.table.filter(pl.col("resource_id") == "web").row(0, named=True)
    assert (web["load"], web["instances"], web["latency_p95"], web["errors"]) == (3030 / 300, 4.0, 200.0, 0.5)
    assert set(found.table["resource_id"]) == {"web", "tiny-alb"}
    assert found.latencies == ("latency", "latency_p95")


def test_a_fleet_that_counts_no_requests_gets_those_of_the_only_balancer_of_its_service():
    silent = FLEET.drop("request_count")
    assert workloads(table(BALANCER, silent)).layout.fronts == {"web": "alb"}
    second = rows("alb-2", request_count=100.0, latency=5.0)
    with_two = workloads(table(BALANCER, second, silent))
    assert with_two.layout.fronts == {}
    assert "web" not in set(with_two.table["resource_id"])


def test_a_balancer_of_another_service_or_of_none_is_nobodys_front():
    for service in ("api", None):
        assert workloads(table(BALANCER.with_columns(service=pl.lit(service, pl.String)), FLEET)).layout.fronts == {}


def test_containers_and_functions_stand_for_themselves():
    box = rows("checkout", request_count=60.0, instance_count=2.0, latency=100.0)
    code = rows("thumbs", request_count=60.0, latency=100.0)
    found = workloads(table(box, code))
    assert found.layout.fronts == {}
    assert found.table.group_by("resource_id").agg(pl.col("instances").max()).sort("resource_id").rows() == [
        ("checkout", 2.0),
        ("thumbs", None),
    ]


def test_no_instances_are_unknown_instances():
    found = workloads(rows("web", request_count=3000.0, instance_count=[0.0, 2, 2, 2, 2, 2], latency=1.0))
    assert found.table["instances"].to_list() == [None, 2, 2, 2, 2, 2]


def test_data_without_any_workload_says_what_is_needed():
    for data in (rows("a", cpu_utilization=5.0), rows("a", request_count=5.0)):
        with pytest.raises(SchemaError) as caught:
            workloads(data)
        assert "instance" in caught.value.hint
