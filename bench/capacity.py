"""Instances that are planned from a forecast, hour by hour, against those that were needed: on simulated accounts.

    python bench/capacity.py [--seeds 2] [--json FILE]

No public trace holds requests, instances and utilisation of one fleet together, so these accounts are simulated and say
that the method works, not how well it works on yours. 30 days are learned from; in the eight that follow a plan for
four hours is made every five hours from nothing but what was known then, and judged by what its fleet's worst moment
needed. An hour is short when that was more than was planned; 5 % are allowed. `over` is instance-hours above the whole
instances that were needed. The second table is the recipes' own back-tests on the same accounts. Intervals (95 %) are
over blocks of a day, by fleet and account.
"""

from __future__ import annotations

import argparse
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from aws_auto.ml.recipes import catalog
from aws_auto.ml.scaling.capacity import hourly
from aws_auto.ml.scaling.requirements import forecast_demand, plan_capacity
from aws_auto.ml.scaling.timeline import LEVELS, Constraints
from aws_auto.ml.simulate.account import simulate
from aws_auto.pipeline.process import run_stages

if TYPE_CHECKING:
    from aws_auto.frame import MetricFrame

END = datetime(2026, 11, 24, tzinfo=UTC)
LEARNED, JUDGED = timedelta(days=30), timedelta(days=8)
EVERY = timedelta(hours=5)
DRAWS = 1000
#: Without guards, so that what is judged is the forecast and the planner.
FREE = Constraints(hold=timedelta(0), shrink=1.0)
NAMES = ("demand-forecaster", "capacity-planner", "performance-predictor")


def account(seed: int) -> MetricFrame:
    made = simulate(END - LEARNED - JUDGED, END, seed=seed)
    return run_stages(made.metrics, now=END, resources=made.resources).frame


def played(frame: MetricFrame, seed: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """A row for each planned hour, and a row for each back-test."""
    border = END - JUDGED
    trained = {name: catalog.get(name).fit(frame.between(end=border), seed=0, simulated=True) for name in NAMES}
    demand, planner = (catalog.get(name).load(trained[name].files) for name in NAMES[:2])
    needed = hourly(planner.table(frame.data), planner.known)
    truth = {(r, t): need for r, t, need in needed.select("resource_id", "timestamp", "need").iter_rows()}
    rows, now = [], border
    while now + timedelta(hours=4) <= END:
        known = frame.between(end=now).data
        plans = plan_capacity(planner, forecast_demand(demand, known, horizon=4), constraints=FREE)
        for plan in plans.plans:
            for step, need in zip(plan.steps, plan.need, strict=True):
                came = truth.get((plan.resource, step.start))
                if came is not None:
                    rows.append(
                        {
                            "block": f"{seed}/{plan.resource}/{step.start:%j}",
                            "planned": step.total,
                            "needed": max(int(np.ceil(came - 1e-9)), 1),
                            "short": float(came > step.total + 1e-9),
                            "said": step.short,
                            "below 90 %": float(came <= need[LEVELS.index(0.9)]),
                        }
                    )
        now += EVERY
    tests = [
        {
            "account": seed,
            "model": name,
            "measure": test.metric,
            "ours": test.ours,
            "rule": test.baseline,
            "which": test.baseline_name,
            "difference": f"{test.difference.low:+.4f} .. {test.difference.high:+.4f}",
            "n": f"{test.n} {test.unit_of_n}",
        }
        for name in NAMES[1:]
        for test in trained[name].report.backtests
    ]
    return rows, tests


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    table = pl.DataFrame(rows)
    sums = table.group_by("block", maintain_order=True).agg(
        n=pl.len(), **{k: pl.col(k).sum() for k in table.columns if k != "block"}
    )
    parts = sums.drop("block").to_numpy().astype(float)
    at = {name: i for i, name in enumerate(sums.drop("block").columns)}

    def figures(total: np.ndarray) -> dict[str, float]:
        shares = {k: float(total[at[k]] / total[at["n"]]) for k in ("short", "said", "below 90 %")}
        return {**shares, "over": float(total[at["planned"]] / total[at["needed"]] - 1)}

    rng = np.random.default_rng(0)
    drawn = [figures(parts[rng.integers(0, len(parts), len(parts))].sum(axis=0)) for _ in range(DRAWS)]
    return {
        name: {"value": value, "low": float(np.quantile(each, 0.025)), "high": float(np.quantile(each, 0.975))}
        for name, value in figures(parts.sum(axis=0)).items()
        for each in [[d[name] for d in drawn]]
    } | {"n": len(rows), "blocks": len(parts)}


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    rows, tests = [], []
    for seed in range(asked.seeds):
        more, reports = played(account(seed), seed)
        rows += more
        tests += reports
    found = summary(rows)
    for name in ("short", "said", "below 90 %", "over"):
        print(f"{name:12s} {found[name]['value']:.3f} ({found[name]['low']:.3f} .. {found[name]['high']:.3f})")
    print(f"{found['n']} planned hours, {found['blocks']} days of a fleet, simulated")
    with pl.Config(tbl_rows=-1, tbl_cols=-1, tbl_width_chars=240, float_precision=4, fmt_str_lengths=60):
        print(pl.DataFrame(tests))
    if asked.json:
        asked.json.write_text(json.dumps({"planned": found, "backtests": tests}, indent=1))


if __name__ == "__main__":
    main()
