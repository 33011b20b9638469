"""The price table: facts with source and date; what is not known stays unknown."""

import subprocess
import sys
from datetime import date
from importlib.resources import files
from pathlib import Path

import polars as pl
import pytest

from aws_auto.ml.cost import prices

ROOT = Path(__file__).parents[4]
SOURCES = ROOT / "../shared/data/prices"


def test_a_known_type_has_its_price_its_size_its_source_and_its_date():
    price = prices.lookup("m5.large", "us-east-1")
    assert (price.usd_per_hour, price.vcpu, price.memory_gib) == (0.096, 2, 8.0)
    assert (price.architecture, price.generation, price.gpus, price.family) == ("x86_64", 5, 0, "m5")
    assert price.as_of == date(2026, 7, 20)
    assert "karpenter-provider-aws" in price.source
    assert "Apache-2.0" in price.source


@pytest.mark.parametrize(
    ("kind", "region"),
    [
        ("m5.large", "eu-central-1"),
        ("m5.large", None),
        ("db.m5.large", "us-east-1"),
        ("ml.m5.large", "us-east-1"),
        ("", "us-east-1"),
    ],
)
def test_another_region_or_product_is_unknown_and_never_guessed(kind, region):
    assert prices.lookup(kind, region) is None


def test_every_row_of_the_table_is_plausible():
    table = prices.table()
    assert len(table) > 1000
    assert all(0.001 < p.usd_per_hour < 500 and p.source and p.region == "us-east-1" for p in table.values())
    assert all(p.architecture in ("x86_64", "arm64") for p in table.values() if p.vcpu)


def test_a_retired_type_has_a_price_and_says_that_its_size_is_unknown():
    price = prices.lookup("p3.2xlarge", "us-east-1")
    assert price.usd_per_hour == 3.06
    assert (price.vcpu, price.memory_gib) == (None, None)


def test_large_memories_are_written_out():
    assert prices.lookup("u7in-24tb.224xlarge", "us-east-1").memory_gib == 24576


@pytest.mark.parametrize(
    ("kind", "answer"), [("t3.micro", True), ("t4g.small", True), ("m5.large", False), ("trn1.2xlarge", False)]
)
def test_burstable_types_are_the_t_families(kind, answer):
    assert prices.lookup(kind, "us-east-1").burstable is answer


@pytest.mark.parametrize(
    ("kind", "family"),
    [
        ("m5.large", "m5"),
        ("db.r6g.2xlarge", "db.r6g"),
        ("ml.m5.large", "ml.m5"),
        ("u-3tb1.56xlarge", "u-3tb1"),
        ("m5.metal-24xl", "m5"),
    ],
)
def test_the_family_is_everything_before_the_size(kind, family):
    assert prices.family(kind) == family


def test_the_frame_holds_the_same_facts():
    row = prices.frame().row(by_predicate=pl.col("instance_type") == "m5.large", named=True)
    assert (row["usd_per_hour"], row["family"], row["vcpu"]) == (0.096, "m5", 2)
    assert len(prices.frame()) == len(prices.table())


def test_the_packaged_file_is_small_and_says_where_it_comes_from():
    data = files("aws_auto.ml.cost").joinpath("ec2_on_demand.csv").read_bytes()
    assert len(data) < 120_000
    assert data.startswith(b"# On-demand Linux prices")
    assert "karpenter" in (ROOT / "docs/data-sources.md").read_text(encoding="utf-8")


@pytest.mark.shared
def test_the_table_is_what_the_tool_makes_of_the_sources():
    if not SOURCES.is_dir():
        pytest.skip("the development data is not beside the checkout")
    command = [sys.executable, str(ROOT / "tools/price_table.py"), str(SOURCES), "--check"]
    assert subprocess.run(command, check=False).returncode == 0
