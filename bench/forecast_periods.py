"""The demand forecaster on points farther apart than an hour, beside the simple rules, on real series.

    python bench/forecast_periods.py [--members straight,rules,theta] [--half tuned|kept] [--json FILE]

The hourly series of `bench/forecast.py` (`panel`), and of a cloud's monitoring over five months (`cloud`), are averaged
to 3, 6 and 12 hours and to days. What the recipe learns from all but the last weeks forecasts these weeks four steps
ahead, from every point of them. Figures are quantile losses (10, 50, 90 %) relative to those of the season before
(yesterday; for days the same day last week) with the quantiles of its own errors: geometric means over series, with an
interval over series. Nothing is measured without the data in `../shared`.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from aws_auto.ml.evaluation import metrics
from aws_auto.ml.forecast.asked import told_answers
from aws_auto.ml.forecast.demand import DemandPanel
from aws_auto.ml.forecast.ensemble import Blend
from aws_auto.ml.forecast.grid import DAY, WEEK, HourGrid
from aws_auto.ml.forecast.panel import LEVELS, Rule, recent_origins, usual
from aws_auto.ml.recipes.demand_settings import DemandSettings
from aws_auto.ml.recipes.panel_trial import is_young, run_trial
from aws_auto.protocols import silent
from forecast import half_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"
#: Hours in a step, and steps that are held back: two weeks, and six weeks of days where there are five months of them.
PERIODS = {3: 112, 6: 56, 12: 28, DAY: 14}
LONG = 42
DRAWS = 2000


def series_of(source: str) -> dict[str, pl.DataFrame]:
    """``ds`` and ``y`` by name, hourly."""
    if source == "panel":
        table = pl.read_parquet(SHARED / "demand" / "hourly_panel.parquet").select("unique_id", "ds", "y")
    else:
        table = pl.read_parquet(SHARED / "anomaly" / "mscm.parquet").select(
            unique_id="series", ds=pl.col("timestamp"), y="value"
        )
        if not table.schema["ds"].is_temporal():
            table = table.with_columns(pl.from_epoch("ds"))
        table = table.group_by("unique_id", pl.col("ds").dt.truncate("1h")).agg(pl.col("y").mean())
    parts = table.sort("unique_id", "ds").partition_by("unique_id", as_dict=True)
    return {str(name): part for (name,), part in parts.items() if len(part) >= 10 * DAY}


def grid_of(series: dict[str, pl.DataFrame], step: int) -> HourGrid:
    """One grid of series that lie years apart: each is moved by whole weeks, which keeps its calendar."""
    hours = {n: (s["ds"].dt.epoch("us") // 3_600_000_000).to_numpy() for n, s in series.items()}
    longest = max(int(h[-1] - h[0]) for h in hours.values()) // WEEK + 2
    values = np.full((len(series), longest * WEEK), np.nan)
    for row, (name, part) in enumerate(series.items()):
        h = hours[name]
        values[row, h - h[-1] + h[-1] % WEEK - WEEK] = part["y"].to_numpy()
    blocks = values.reshape(len(series), -1, step)
    seen = np.isfinite(blocks)
    mean = np.where(seen, blocks, 0.0).sum(axis=2) / np.maximum(seen.sum(axis=2), 1)
    return HourGrid(tuple(series), 3000 * WEEK // step, np.where(2 * seen.sum(axis=2) >= step, mean, np.nan), step)


def losses(grid: HourGrid, held_back: int, members: tuple[str, ...] | None) -> dict[str, Floats]:
    """Quantile loss of each series by contender, and coverage of the 80 % interval as ``inside``."""
    border = grid.hours - held_back
    past = DemandPanel(HourGrid(grid.resources, grid.first, grid.values[:, :border], grid.step))
    young = is_young(past.grid)
    blend = (
        Blend(("rules",)) if young else DemandSettings(hours=grid.step).blend() if members is None else Blend(members)
    )
    every = 1 if grid.step > 1 else 5
    trial = run_trial(
        past,
        metric="y",
        every=every,
        what="demand",
        seed=0,
        champion=None,
        rows=pl.DataFrame(),
        progress=silent,
        family=blend,
        young=young,
    )
    panel = DemandPanel(grid)
    origins = np.arange(border - 1, grid.hours - panel.reach, dtype=np.int64)
    test = panel.design(origins)
    floor = 0.0 if np.nanmin(past.grid.values) >= 0 else None
    said = {"ours": usual(told_answers(trial.learned, panel, origins, since=border), trial.learned.levels)}
    recent = past.design(recent_origins(past, border))
    said |= {name: Rule.fit(name, recent, floor=floor).quantiles(test) for name in test.rules}
    known = np.isfinite(test.truth) & np.all([np.isfinite(q).all(axis=-1) for q in said.values()], axis=0)
    truth = np.where(known, test.truth, np.nan)
    found = {
        name: np.nansum(metrics.pinball(truth, q, LEVELS), axis=(1, 2)) / np.maximum(known.sum(axis=(1, 2)), 1)
        for name, q in said.items()
    }
    inside = (truth >= said["ours"][..., 0]) & (truth <= said["ours"][..., -1])
    found["inside"] = inside.sum(axis=(1, 2)) / np.maximum(known.sum(axis=(1, 2)), 1)
    return found


def rows_of(label: str, step: int, found: dict[str, Floats]) -> list[dict[str, Any]]:
    """A row a contender: relative loss, its interval over series, their number, coverage."""
    rules = [name for name in found if name not in {"ours", "inside"}]
    base = found[rules[1]]
    there = base > 0
    rows = []
    for name in ("ours", *rules):
        ratio = np.log(np.maximum(found[name][there] / base[there], 1e-3))
        drawn = np.random.default_rng(0).choice(ratio, (DRAWS, len(ratio))).mean(axis=1)
        low, high = np.exp(np.quantile(drawn, [0.025, 0.975]))
        inside = float(found["inside"][there].mean()) if name == "ours" else None
        rows.append(
            {
                "series": label,
                "hours": step,
                "model": name,
                "rQL": float(np.exp(ratio.mean())),
                "low": float(low),
                "high": float(high),
                "n": int(there.sum()),
                "cov80": inside,
            }
        )
    return rows


def main() -> None:
    """Print the table, or say why there is none."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--members", help="groups of members, such as straight,rules,theta; default as the recipe does")
    parser.add_argument("--half", choices=("tuned", "kept"))
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    if not SHARED.is_dir():
        print("nothing measured: the series lie in ../shared, which is not here")
        return
    members = None if asked.members is None else tuple(asked.members.split(","))
    rows = []
    for label in ("panel", "cloud"):
        series = {n: s for n, s in series_of(label).items() if asked.half is None or half_of(n) == asked.half}
        for step, held_back in PERIODS.items():
            long = label == "cloud" and step == DAY
            rows += rows_of(label, step, losses(grid_of(series, step), LONG if long else held_back, members))
    with pl.Config(tbl_rows=-1, tbl_cols=-1, tbl_width_chars=160, float_precision=3):
        print(pl.DataFrame(rows))
    if asked.json:
        asked.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
