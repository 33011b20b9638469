"""The 14-day cost forecast by rolling origin, beside the last value, last week's days and ETS.

    python bench/cost_forecast.py [--seed 0] [--json FILE]

What is forecast:

- ``bill``: October 2018, a real bill, by service, account, usage type and cost centre. It is one month: 14 days ahead
  can be judged from four days only (the 15th to the 18th), 7 days ahead from eleven.
- ``usage``: real daily sums of 40 series of requests, events, readings and machines (63 days at most), as the cost of
  what is billed by use. Weekly origins.
- ``sample``: three simulated accounts of 126 days, by service. Weekly origins.
- ``made``: six accounts of 120 days of twelve services, each the sum of up to eleven resources that come and go (lives
  are geometric, their mean is drawn between 20 and 1000 days for each account): constant ones, office machines, jobs on
  random days, and use that wanders. Weekly origins. A collapse of a service is common here.

A figure is the sum of absolute errors over all days ahead, origins and series, over the sum of the truth (WAPE, %).
The interval of the ratio to the better of last value and ETS is a bootstrap over series; of few series it says little.
ETS is AutoETS of statsforecast where that is installed, else three additive forms by grid and AICc (the output says).
"""

from __future__ import annotations

import argparse
import json
import time
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from aws_auto.ml.cost import cost_forecast_trial as trial

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"
AHEAD, FIRST = 14, 14
DRAWS = 1000


def bill() -> dict[str, np.ndarray]:
    from aws_auto.pipeline.local.sources import CurSource
    from aws_auto.pipeline.ports import Window

    october = Window(datetime(2018, 10, 1, tzinfo=UTC), datetime(2018, 11, 1, tzinfo=UTC))
    (batch,) = CurSource(str(SHARED / "billing" / "cur")).pull(october)
    used = batch.rows.filter(pl.col("charge_category") == "Usage")
    keys = {
        "service": ["sub_account_id", "service_name"],
        "account": ["sub_account_id"],
        "usage type": ["sub_account_id", "service_name", "usage_type"],
        "cost centre": ["tag_cost_center"],
    }
    return {f"bill by {name}": _daily(used, columns, 1.0) for name, columns in keys.items()}


def _daily(rows: pl.DataFrame, keys: list[str], least: float) -> np.ndarray:
    cost = pl.coalesce("effective_cost", "billed_cost").sum().alias("cost")
    table = rows.group_by(*keys, pl.col("timestamp").dt.date().alias("day")).agg(cost).sort(keys, nulls_last=True)
    wide = table.pivot(on="day", index=keys, values="cost", sort_columns=True).fill_null(0.0)
    costs = wide.select(pl.exclude(keys)).to_numpy().astype(float)
    return costs[costs.sum(axis=1) >= least]


def usage() -> dict[str, np.ndarray]:
    panel = pl.read_parquet(SHARED / "demand" / "hourly_panel.parquet")
    by_group: dict[str, list[np.ndarray]] = {}
    for (_,), rows in panel.group_by("unique_id", maintain_order=True):
        values = rows["y"].to_numpy().astype(float)
        days = len(values) // 24
        if days >= 35 and values.min() >= 0:
            daily = values[-days * 24 :].reshape(days, 24).sum(axis=1)
            by_group.setdefault(rows["group"][0], []).append(10.0 * daily / daily.mean())
    return {f"usage, {name}": _padded(rows) for name, rows in sorted(by_group.items())}


def _padded(rows: list[np.ndarray]) -> np.ndarray:
    longest = max(map(len, rows))
    return np.stack([np.concatenate([np.full(longest - len(one), np.nan), one]) for one in rows])


def sample() -> dict[str, np.ndarray]:
    from aws_auto.ml.simulate.account import simulate

    found = {}
    for seed in (7, 11, 12):
        start = datetime(2026, 3, 3, tzinfo=UTC)
        parts = [start + timedelta(days=14 * k) for k in range(10)]
        rows = pl.concat(simulate(a, b, seed=seed).billing for a, b in pairwise(parts))
        found[f"sample {seed}"] = _daily(rows.filter(pl.col("charge_category") == "Usage"), ["service_name"], 1.0)
    return found


def made(seed: int) -> dict[str, np.ndarray]:
    return {f"made {i}": _account(np.random.default_rng([seed, i])) for i in range(6)}


def _account(rng: np.random.Generator, services: int = 12, days: int = 120) -> np.ndarray:
    ends = 10 ** rng.uniform(-3, -1.3)
    costs = np.zeros((services, days))
    for s in range(services):
        for _ in range(rng.integers(1, 12)):
            start = 0 if rng.random() < 0.6 else int(rng.integers(0, days))
            alive = slice(start, min(days, start + int(rng.geometric(ends))))
            costs[s, alive] += (rng.lognormal(0.5, 1.0) * _resource(rng, days))[alive]
    return costs


def _resource(rng: np.random.Generator, days: int) -> np.ndarray:
    day = np.arange(days)
    kind = rng.choice(["constant", "office", "job", "use"], p=[0.5, 0.15, 0.15, 0.2])
    if kind == "constant":
        return np.ones(days)
    if kind == "office":
        return np.where(day % 7 < 5, 1.0, rng.choice([0.0, 0.3]))
    if kind == "job":
        return (rng.random(days) < rng.uniform(0.1, 0.6)) * rng.lognormal(0, 0.6, days)
    wander = np.zeros(days)
    for i in range(1, days):
        wander[i] = 0.9 * wander[i - 1] + rng.normal(0, 0.1)
    growth, weekend = rng.normal(0, 0.004), rng.uniform(0.4, 1.1)
    return np.exp(wander + growth * day + rng.normal(0, 0.05, days)) * np.where(day % 7 < 5, 1.0, weekend)


@cache
def auto_ets() -> Any:  # noqa: ANN401 - a class of an optional library
    try:
        from statsforecast.models import AutoETS
    except ImportError:
        return None
    return AutoETS


def ets(past: np.ndarray, ahead: int) -> np.ndarray:
    """The forecast of ETS with weekly seasons, never below zero; the last value where it finds none."""
    if np.ptp(past) < 1e-9:
        return np.full(ahead, past[-1])
    model = auto_ets()
    found = model(season_length=7).forecast(past, ahead)["mean"] if model else _additive(past, ahead)
    return np.maximum(found, 0.0) if np.isfinite(found).all() else np.full(ahead, past[-1])


def _additive(past: np.ndarray, ahead: int) -> np.ndarray:
    """ETS(A,N,N), ETS(A,Ad,N) and ETS(A,N,A) over a grid of parameters, by AICc."""
    grid = np.array([0.02, 0.1, 0.2, 0.35, 0.5, 0.7, 0.9, 0.999])
    tried = [(a, 0.0, 0.0, 1.0, 2) for a in grid]
    tried += [(a, b, 0.0, phi, 5) for a in grid for b in (0.02, 0.1) for phi in (0.8, 0.95)]
    if len(past) >= 15:
        tried += [(a, 0.0, g, 1.0, 9) for a in grid for g in (0.02, 0.1, 0.3)]
    best, answer = np.inf, np.full(ahead, past[-1])
    for alpha, beta, gamma, phi, count in tried:
        error, forecast = _filtered(past, ahead, alpha, beta, gamma, phi, seasonal=count == 9)
        n = len(past)
        if n <= count + 1:
            continue
        score = n * np.log(max(error, 1e-12)) + 2 * count + 2 * count * (count + 1) / (n - count - 1)
        if score < best:
            best, answer = score, forecast
    return answer


def _filtered(
    past: np.ndarray, ahead: int, alpha: float, beta: float, gamma: float, phi: float, *, seasonal: bool
) -> tuple[float, np.ndarray]:
    level, slope = float(past[:7].mean()), 0.0
    season = list(past[:7] - past[:7].mean()) if seasonal else [0.0] * 7
    total = 0.0
    for i, value in enumerate(past):
        error = value - level - phi * slope - season[i % 7]
        level, slope = level + phi * slope + alpha * error, phi * slope + beta * error
        if seasonal:
            season[i % 7] += gamma * error
        total += error * error
    steps = np.arange(1, ahead + 1)
    drift = slope * np.cumsum(phi**steps) if beta else np.zeros(ahead)
    return total / len(past), level + drift + np.array([season[(len(past) + k) % 7] for k in range(ahead)])


def measure(costs: np.ndarray, *, ahead: int, seed: int) -> dict[str, Any]:
    """Errors by series of each forecaster, and how often the intervals held."""
    days = costs.shape[1]
    began = np.argmax(np.isfinite(costs), axis=1)
    names = ("ours", "last value", "last week's days", "ETS")
    wrong, size = np.zeros((len(names), len(costs))), np.zeros(len(costs))
    inside, moving, sums = [], [], []
    for origin in range(FIRST if days < 40 else 21, days - ahead + 1, 1 if days < 40 else 7):
        for first in np.unique(began[origin - began >= FIRST]):
            rows = np.flatnonzero(began == first)
            past, truth = costs[rows, first:origin], costs[rows, origin : origin + ahead]
            found = trial.run(past, ahead=ahead, seed=seed)
            said = (
                found.expected,
                np.repeat(past[:, -1:], ahead, axis=1),
                past[:, -7:][:, np.arange(ahead) % 7],
                np.stack([ets(one, ahead) for one in past]),
            )
            wrong[:, rows] += np.stack([np.abs(one - truth).sum(axis=1) for one in said])
            size[rows] += truth.sum(axis=1)
            held = (truth >= found.low - 1e-9) & (truth <= found.high + 1e-9)
            inside.append(held.ravel())
            moving.append(held[np.ptp(past, axis=1) > 1e-3 * past.max(axis=1)].ravel())
            whole = truth.sum(axis=1)
            sums.append((whole >= found.sums[:, 1] - 1e-9) & (whole <= found.sums[:, 2] + 1e-9))
    rivals = min(wrong[1].sum(), wrong[3].sum())
    best = wrong[1] if wrong[1].sum() == rivals else wrong[3]
    drawn = np.random.default_rng(seed).integers(0, len(costs), (DRAWS, len(costs)))
    ratios = wrong[0][drawn].sum(axis=1) / np.maximum(best[drawn].sum(axis=1), 1e-12)
    return {
        "series": len(costs),
        "origins x series": int(sum(len(one) for one in sums)),
        "WAPE %": {name: round(100 * float(w.sum() / size.sum()), 1) for name, w in zip(names, wrong, strict=True)},
        "ratio to the best of last value and ETS": round(float(wrong[0].sum() / rivals), 3),
        "ratio, 95 %": [round(float(q), 3) for q in np.quantile(ratios, [0.025, 0.975])],
        "inside 80 %, days": round(float(np.concatenate(inside).mean()), 3),
        "inside 80 %, days of series that move": round(float(np.concatenate(moving).mean()), 3),
        "inside 80 %, sums": round(float(np.concatenate(sums).mean()), 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    began = time.process_time()
    sets: dict[str, tuple[np.ndarray, int]] = {}
    if (SHARED / "billing" / "cur").is_dir():
        months = bill()
        sets |= {f"{name}, {ahead} days": (costs, ahead) for ahead in (7, 14) for name, costs in months.items()}
        sets |= {name: (costs, AHEAD) for name, costs in usage().items()}
    else:
        print("no real bill and no real usage: ../shared is not here")
    sets |= {name: (costs, AHEAD) for name, costs in {**sample(), **made(asked.seed)}.items()}
    figures: dict[str, Any] = {"ETS": "AutoETS of statsforecast" if auto_ets() else "additive forms by grid and AICc"}
    print(f"ETS: {figures['ETS']}")
    for name, (costs, ahead) in sets.items():
        figures[name] = one = measure(costs, ahead=ahead, seed=asked.seed)
        print(name.ljust(30), json.dumps(one)[1:-1])
    for group in ("bill", "usage", "sample", "made", ""):
        ratios = [
            one["ratio to the best of last value and ETS"]
            for name, one in figures.items()
            if name.startswith(group) and isinstance(one, dict)
        ]
        if ratios:
            mean, what = round(float(np.exp(np.mean(np.log(ratios)))), 3), group or "all"
            figures[f"mean ratio, {what}"] = mean
            print(f"geometric mean of the ratio, {what}: {mean}")
    figures["CPU-s"] = round(time.process_time() - began, 1)
    if asked.json:
        asked.json.write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
