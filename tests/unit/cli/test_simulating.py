"""Flags become a fleet, a history is played, and what is wrong is said with its flag."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from aws_auto.cli import simulating
from aws_auto.cli.ml import app
from aws_auto.errors import SchemaError, UsageError

START = datetime(2026, 1, 5, tzinfo=UTC)


@pytest.fixture
def history(tmp_path):
    """Eight days of a quarter-hourly load."""
    t = np.arange(8 * 96)
    rng = np.random.default_rng(2)
    load = (200 + 100 * np.sin(2 * np.pi * t / 96)) * (1 + 0.03 * rng.standard_normal(len(t)))
    times = [START + timedelta(minutes=15) * int(k) for k in t]
    pl.DataFrame({"timestamp": times, "load": load}).write_parquet(tmp_path / "load.parquet")
    return tmp_path / "load.parquet"


def run(tmp_path, *words):
    line = ["simulate", "scaling", *map(str, words), "--workspace", str(tmp_path / "w"), "--target", "local"]
    return CliRunner().invoke(app, line)


def test_a_file_of_ones_own_is_played_and_every_policy_is_in_the_table(tmp_path, history):
    done = run(tmp_path, "--file", history, "--capacity", 20, "--price", 0.1, "--report", tmp_path / "page.html")
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    names = ("clairvoyant optimum", "target tracking", "AWS-like prediction", "aws-auto")
    assert [line.split("  ")[0] for line in lines[1:]] == list(names)
    assert "Demand and capacity" in (tmp_path / "page.html").read_text()
    assert "days are played, not 7.0 days" in done.stderr
    assert "next: " in done.stderr


def test_json_holds_the_figures_and_not_the_curves(tmp_path, history):
    done = run(
        tmp_path, "--file", history, "--instance-type", "m5.large", "--events", history.parent / "e.csv", "--json"
    )
    assert isinstance(done.exception, SchemaError)
    (history.parent / "e.csv").write_text("start,end\n2026-01-12T10:00Z,2026-01-12T12:00:00\n")
    done = run(
        tmp_path, "--file", history, "--instance-type", "m5.large", "--events", history.parent / "e.csv", "--json"
    )
    body = json.loads(done.stdout)
    assert body["price"] == 0.096
    assert body["simulated"] is False
    assert {"need", "curves"}.isdisjoint(body)
    assert [row["policy"] for row in body["rows"]][-1] == "aws-auto"


def test_simulated_data_is_called_so(tmp_path):
    done = run(tmp_path, "--data-source", "sample", "--window", "6d", "--resource", "shop-web", "--slo", "1%")
    assert done.exit_code == 0, done.output
    assert "simulated data: no figure of it is about your account" in done.stderr


def test_types_and_spot_are_a_second_table_and_json_names_their_pools(tmp_path, history):
    words = ("--file", history, "--capacity", 20, "--instance-type", "m5.large", "--types", "m5.xlarge", "--play", "1d")
    words += ("--spot-price", "m5.large=0.04", "--spot-share", "0.5", "--slo", "1%", "--reclaim", "0.01")
    done = run(tmp_path, *words)
    assert done.exit_code == 0, done.output
    assert "with the types and spot" in done.stdout
    assert "another type is taken to carry what its vCPUs say" in done.stderr
    body = json.loads(run(tmp_path, *words, "--json").stdout)
    assert [row["policy"] for row in body["mix"]] == ["target tracking", "aws-auto"]
    assert set(body["mix"][1]["pools"]) == {"m5.large on-demand", "m5.xlarge on-demand", "m5.large spot"}
    assert 0 < body["mix"][1]["spot_share"] <= 0.5
    assert body["mix"][1]["usd_month"] < body["rows"][-1]["usd_month"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--types", "m5.xlarge"), "the type that --capacity is said for is not known"),
        (("--instance-type", "m5.large", "--spot-price", "m5.large"), "is not NAME=VALUE"),
        (("--instance-type", "m5.large", "--types", "z9.huge"), "z9.huge beside m5.large is not known"),
        (("--reclaim", "0.1"), "nothing may be bought on spot"),
        (("--types", "m5.xlarge", "--spot-share", "0.5"), "nothing may be bought on spot"),
        (("--instance-type", "m5.large", "--spot-price", "m5.large=1", "--spot-share", "2"), "2 is no share"),
        (("--boot", "soon"), "--boot"),
        (("--play", "0m"), "--play"),
        (("--slo", "0%"), "--slo"),
        (("--slo", "many"), "--slo"),
        (("--price", "1", "--instance-type", "m5.large"), "a price was given already"),
        (("--instance-type", "z9.huge"), "price of z9.huge is not known"),
        (("--file", "x.csv", "--data-source", "sample"), "instead of a data source"),
    ],
)
def test_flags_that_make_no_sense_are_refused(tmp_path, words, said):
    done = run(tmp_path, *words)
    assert isinstance(done.exception, UsageError)
    assert said in str(done.exception)


def test_events_need_a_start_and_an_end(tmp_path):
    (tmp_path / "e.csv").write_text("start\n2026-01-12\n")
    with pytest.raises(SchemaError, match="column end missing"):
        simulating._events(tmp_path / "e.csv")
