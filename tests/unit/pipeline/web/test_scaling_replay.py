"""The page of a replay: table, demand and capacity, violations, money, and how sure it is."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np

from aws_auto.pipeline.simulate import Row, ScalingReplay
from aws_auto.pipeline.simulate_mix import MixRow
from aws_auto.pipeline.web.scaling import MOST_POINTS, scaling_report

FIVE = timedelta(minutes=5)
START = datetime(2026, 3, 1, tzinfo=UTC)


def row(policy, **changes):
    values = {
        "policy": policy,
        "knob": 0.5,
        "instance_hours": 100.0,
        "over_optimum": 0.25,
        "usd_month": 42.0,
        "violated": 0.004,
        "unserved": 0.001,
        "actions": 7,
        "kept": True,
        "saving_low": None,
        "saving_high": None,
    }
    return Row(**{**values, **changes})


def replay(steps=576, **changes):
    need = np.full(steps, 3.0)
    need[100] = 9.0
    ready = np.full(steps, 4.0)
    values = {
        "trace": "web <b>",
        "simulated": False,
        "start": START,
        "end": START + FIVE * steps,
        "period": FIVE,
        "learned": timedelta(days=14),
        "capacity": 250.0,
        "boot": FIVE,
        "slo": 0.005,
        "price": 0.1,
        "optimum_hours": 80.0,
        "optimum_usd_month": 33.0,
        "rows": (row("target tracking"), row("aws-auto", saving_low=0.1, saving_high=0.2)),
        "notes": ("an assumption",),
        "need": need,
        "curves": {"target tracking": ready, "aws-auto": np.full(steps, 10.0)},
    }
    return ScalingReplay(**{**values, **changes})


def figures(page):
    return json.loads(re.search(r'<script[^>]*type="application/json"[^>]*>(.*?)</script>', page, re.DOTALL)[1])


def test_every_policy_and_the_optimum_are_in_the_table_and_assumptions_are_said():
    page = scaling_report(replay())
    for text in ("clairvoyant optimum", "target tracking", "25.0%", "an assumption", "0.40%", "10.0% to 20.0%"):
        assert text in page
    assert "web <b>" not in page
    assert "Simulated data" not in page


def test_simulated_loads_are_called_so():
    assert "Simulated data" in scaling_report(replay(simulated=True))


def test_curves_show_the_largest_need_and_the_fewest_ready_where_steps_share_a_point():
    drawn = figures(scaling_report(replay(steps=3000)))
    need, ready = drawn[0]["data"][:2]
    assert len(need["y"]) <= MOST_POINTS
    assert max(need["y"]) == 9.0
    assert set(ready["y"]) == {4.0}
    violated = drawn[1]["data"]
    assert [sum(bars["y"]) for bars in violated] == [1.0, 0.0]


def test_without_a_price_there_is_no_chart_of_money():
    found = replay()
    assert len(figures(scaling_report(found))) == 3
    free = replace(
        found, price=None, optimum_usd_month=None, rows=tuple(replace(r, usd_month=None) for r in found.rows)
    )
    assert len(figures(scaling_report(free))) == 2


def test_too_few_days_have_no_interval():
    assert "Too few days" in scaling_report(replay(rows=(row("target tracking"), row("aws-auto"))))


def test_a_fleet_of_several_pools_has_a_table_with_the_share_of_each():
    assert "With the types and spot" not in scaling_report(replay())
    mixed = MixRow(
        policy="aws-auto",
        usd_month=12.34,
        violated=0.003,
        kept=True,
        spot_share=0.25,
        reclaimed=7,
        pools={"m5.large on-demand": 0.625, "m5.large spot": 0.375},
    )
    page = scaling_report(replay(mix=(mixed,)))
    for text in ("With the types and spot", "m5.large spot", "62.5%", "37.5%", "25.0%", "0.30%"):
        assert text in page
