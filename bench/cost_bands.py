"""How often 80 % intervals of daily cost hold, by length of the history and by step, and what their width costs.

    python bench/cost_bands.py [--seed 9] [--json FILE]

Each series is forecast 14 days ahead from its last 14, 21, 28, 45, 60, 90 and 180 days. Of a month, where fewer days
follow than are asked for, the days that follow are judged. Beside ours: the last value with normal intervals from the
changes of a day, growing with the square root of time.

- ``bill``: October 2018 by service, account, usage type and cost centre (one month with one collapse).
- ``usage``: daily sums of 40 real series, as ``bench/cost_forecast.py`` reads them (63 days at most).
- ``machines``: mean CPU a day of 34 real machines (58 days), as the cost of what is billed by use.
- ``monitoring``: daily sums of real cloud monitoring, 15 series of 29 days and 6 of 46.
- ``long``: six real series of 214 days: an API's requests, taxi passengers, and electricity, sold and its price.
- ``made``: two accounts of 230 days as ``bench/cost_forecast.py`` makes them; resources come faster near the end.

The interval score (T. Gneiting and A. E. Raftery, 2007, JASA 102) is the width plus ten times what a day lies outside,
in units of the series' mean cost of the last fortnight and the days to come; less is better.

The share of the cost that a lasting change has (`_CHANGE`), for how many origins the other side counts (`_SIDES`), and
that intervals are not stretched before anything is known were chosen by this score on half of the series: kpi and vm of
``usage``, every other machine, and the short ``monitoring`` series; they are marked. The others were seen while the
ideas were tried, and had no say in these values.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

import cost_forecast as bench
from aws_auto.ml.cost import cost_forecast_trial as trial

AHEAD = 14
LENGTHS = (14, 21, 28, 45, 60, 90, 180)
MOST_ORIGINS = 6
STEPS = {"1": slice(0, 1), "2-3": slice(1, 3), "4-7": slice(3, 7), "8-14": slice(7, 14)}
Z80 = 1.2816


def machines() -> dict[str, np.ndarray]:
    rows = pl.read_parquet(bench.SHARED / "fleet" / "vm_hourly.parquet", columns=["ts", "vm", "cpu_mhz"])
    by_day = rows.group_by("vm", pl.col("ts").dt.date().alias("day")).agg(pl.col("cpu_mhz").mean())
    wide = by_day.pivot(on="day", index="vm", values="cpu_mhz", sort_columns=True).sort("vm")
    costs = wide.select(pl.exclude("vm")).to_numpy().astype(float)[:, 2:60]
    costs = costs[np.isfinite(costs).mean(axis=1) > 0.98][::6]
    costs /= np.nanmean(costs, axis=1, keepdims=True)
    return {"machines, even (chosen on)": costs[0::2], "machines, odd": costs[1::2]}


def monitoring() -> dict[str, np.ndarray]:
    rows = pl.read_parquet(bench.SHARED / "anomaly" / "mscm.parquet")
    by_day = rows.group_by("series", pl.col("timestamp").dt.date().alias("day")).agg(
        pl.col("value").sum(), pl.len().alias("hours")
    )
    hourly = by_day.filter(pl.col("hours").is_between(20, 30)).sort("series", "day")
    daily = [part["value"].to_numpy().astype(float) for _, part in hourly.group_by("series", maintain_order=True)]
    daily = [one / one.mean() for one in daily if len(one) >= 30]
    return {
        "monitoring, short (chosen on)": np.stack([one[-29:] for one in daily if len(one) < 46]),
        "monitoring, long": np.stack([one[-46:] for one in daily if len(one) >= 46]),
    }


def long() -> dict[str, np.ndarray]:
    monitored = pl.read_parquet(bench.SHARED / "anomaly" / "mscm.parquet")
    api = _by_day(monitored.filter(pl.col("series").str.contains("api-01")), "timestamp", "value")
    taxi = _by_day(pl.read_parquet(bench.SHARED / "demand" / "replay_nyc_taxi.parquet"), "ts", "load")
    market = pl.read_csv(bench.SHARED / "drift" / "elec2.csv")
    sold, price = (market[name].to_numpy().reshape(-1, 48).sum(axis=1) for name in ("nswdemand", "nswprice"))
    daily = [api[1:215], taxi[-215:-1], sold[100:314], sold[500:714], price[100:314], price[500:714]]
    return {"long": np.stack([one / one.mean() for one in daily])}


def _by_day(rows: pl.DataFrame, when: str, what: str) -> np.ndarray:
    days = rows.group_by(pl.col(when).dt.date().alias("day")).agg(pl.col(what).sum()).sort("day")
    return days[what].to_numpy().astype(float)


def made(seed: int) -> dict[str, np.ndarray]:
    accounts = [bench._account(np.random.default_rng([seed, i]), days=230) for i in range(2)]  # noqa: SLF001
    return {"made": np.concatenate(accounts)}


def origins(days: int, length: int) -> list[int]:
    """Days known at each forecast: of a month the next four days, of more every week, of much more every 28 days."""
    if days < 2 * length and days < 35:
        return list(range(length, min(length + 4, days - 6)))
    step = 7 if days < 100 else 28
    return list(range(length, days - AHEAD + 1, step))[:MOST_ORIGINS]


def measure(costs: np.ndarray, length: int, *, seed: int) -> dict[str, Any] | None:
    """Coverage and scores of ours and the plain band at that length; None where no series is that long."""
    ours, plain = [], []
    for origin in origins(costs.shape[1], length):
        past = costs[:, max(origin - length, 0) : origin] if costs.shape[1] >= 35 else costs[:, :origin]
        usable = np.isfinite(past).all(axis=1) & (past.sum(axis=1) > 0)
        past = past[usable]
        truth = np.full((len(past), AHEAD), np.nan)
        came = costs[usable, origin : origin + AHEAD]
        truth[:, : came.shape[1]] = came
        unit = (np.abs(past[:, -14:]).mean(axis=1) + np.nanmean(np.abs(truth), axis=1)) / 2
        alive = unit > 1e-3 * past.mean(axis=1)
        found = trial.run(past, ahead=AHEAD, seed=seed)
        spread = Z80 * np.diff(past, axis=1).std(axis=1)[:, None] * np.sqrt(np.arange(AHEAD) + 1.0)
        ours.append(_judged(found.low[alive], found.high[alive], truth[alive], unit[alive]))
        last = past[:, -1:]
        plain.append(_judged(*(one[alive] for one in (np.maximum(last - spread, 0.0), last + spread, truth, unit))))
        whole = truth.sum(axis=1)
        ours[-1]["sums"] = (whole >= found.sums[:, 1] - 1e-9) & (whole <= found.sums[:, 2] + 1e-9)
        ours[-1]["sums"] = ours[-1]["sums"][np.isfinite(whole) & alive]
    if not ours:
        return None
    held, seen = (np.concatenate([one[key] for one in ours]) for key in ("held", "seen"))
    sums = np.concatenate([one["sums"] for one in ours])
    return {
        "days": int(seen.sum()),
        "inside": round(float(held[seen].mean()), 3),
        **{f"step {name}": round(float(held[:, at][seen[:, at]].mean()), 2) for name, at in STEPS.items()},
        "sums inside": round(float(sums.mean()), 2) if len(sums) else None,
        "score": _score(ours),
        "plain inside": round(float(np.concatenate([one["held"][one["seen"]] for one in plain]).mean()), 3),
        "plain score": _score(plain),
    }


def _judged(low: np.ndarray, high: np.ndarray, truth: np.ndarray, unit: np.ndarray) -> dict[str, np.ndarray]:
    seen = np.isfinite(truth)
    came = np.nan_to_num(truth)
    outside = np.maximum(low - came, 0.0) + np.maximum(came - high, 0.0)
    # Bills round: a thousandth of a cent is inside.
    return {"seen": seen, "held": outside <= 1e-9, "score": (high - low + 10.0 * outside) / unit[:, None]}


def _score(judged: list[dict[str, np.ndarray]]) -> float:
    return round(float(np.concatenate([one["score"][one["seen"]] for one in judged]).mean()), 3)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=9, help="of the made accounts")
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    began = time.process_time()
    sets = made(asked.seed)
    if (bench.SHARED / "billing" / "cur").is_dir():
        mark = {"usage, kpi": " (chosen on)", "usage, vm": " (chosen on)"}
        used = {name + mark.get(name, ""): costs for name, costs in bench.usage().items()}
        sets = {**bench.bill(), **used, **machines(), **monitoring(), **long(), **sets}
    else:
        print("no real series: ../shared is not here")
    figures: dict[str, Any] = {}
    for length in LENGTHS:
        for name, costs in sets.items():
            one = measure(costs, length, seed=0) if costs.shape[1] >= length + 7 else None
            if one:
                figures[f"{length} days, {name}"] = one
                print(f"{length:4d} days {name:32s} {json.dumps(one)[1:-1]}", flush=True)
        rows = [one for name, one in figures.items() if name.startswith(f"{length} days, ")]
        if rows:
            inside = {key: round(float(np.mean([one[key] for one in rows])), 3) for key in ("inside", "plain inside")}
            ratio = float(np.exp(np.mean([np.log(one["score"] / one["plain score"]) for one in rows])))
            figures[f"{length} days"] = one = {**inside, "score over plain": round(ratio, 3)}
            print(f"{length:4d} days {'mean':32s} {json.dumps(one)[1:-1]}", flush=True)
    figures["CPU-s"] = round(time.process_time() - began, 1)
    print(f"{figures['CPU-s']} CPU-s")
    if asked.json:
        asked.json.write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
