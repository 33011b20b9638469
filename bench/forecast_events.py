"""Hours 5 to 24 of the demand forecaster with events and holidays known ahead, beside the same without them.

    python bench/forecast_events.py [--json FILE]

Made series (three, ten weeks, a sale of five hours every two to eight days at any hour, which adds or multiplies), and
real ones with their public holidays: taxi rides in New York (US) and electricity in New South Wales and Victoria (AU).
The first part is learned from, the rest is forecast from every hour of it by a model of at most four weeks' age.
Figures are quantile losses with over without, in marked hours (with an interval over their days) and in all hours. The
real series lie in `../shared`; without it only the made ones are measured. Members were chosen while looking at all but
Victoria.
"""

from __future__ import annotations

import argparse
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from aws_auto.ml.evaluation import metrics
from aws_auto.ml.forecast.ahead import Ahead, Event
from aws_auto.ml.forecast.asked import told_answers
from aws_auto.ml.forecast.demand import HORIZON
from aws_auto.ml.forecast.further import FurtherPanel, fit_further
from aws_auto.ml.forecast.grid import DAY, HourGrid

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"
START = datetime(2026, 3, 2, tzinfo=UTC)
DAYS, LENGTH = 70, 5
#: Hours after which the model is fitted again.
AGE = 4 * 7 * DAY
DRAWS = 2000


def made(*, multiplies: bool) -> tuple[HourGrid, Ahead]:
    """Three series with the rhythm of a day and a week, a wander, and sales."""
    rng = np.random.default_rng(0)
    hour = np.arange(DAY * DAYS)
    begins = [24 * 4]
    while begins[-1] < 24 * (DAYS - 8):
        begins.append(begins[-1] // 24 * 24 + 24 * int(rng.integers(2, 9)) + int(rng.integers(0, 24)))
    sale = np.isin(hour, [b + i for b in begins for i in range(LENGTH)])
    rows = []
    for size in (100.0, 200.0, 300.0):
        wander = np.zeros(len(hour))
        for h in hour[1:]:
            wander[h] = 0.9 * wander[h - 1] + rng.normal(0, 0.03)
        usual = size * np.exp(wander) * (1.5 + np.sin(2 * np.pi * hour / DAY)) * np.where(hour // DAY % 7 > 4, 0.7, 1)
        rows.append(np.where(sale, 2.5 * usual if multiplies else usual + 2 * size, usual))
    span = timedelta(hours=LENGTH)
    events = [Event(at, at + span, "sale") for at in (START + timedelta(hours=b) for b in begins)]
    return HourGrid(("a", "b", "c"), int(START.timestamp()) // 3600, np.stack(rows)), Ahead(events=tuple(events))


def real() -> dict[str, tuple[HourGrid, Ahead, int]]:
    """Series, what is known of them, and days to learn from; stamps are local, so days are those of UTC here."""

    def one(start: datetime, values: Floats) -> HourGrid:
        return HourGrid(("x",), int(start.timestamp()) // 3600, values[None])

    taxi = pl.read_parquet(SHARED / "demand" / "replay_nyc_taxi.parquet").sort("ts")
    by_hour = taxi.group_by(pl.col("ts").dt.truncate("1h"), maintain_order=True).agg(pl.col("load").mean())["load"]
    power = pl.read_csv(SHARED / "drift" / "elec2.csv")
    first, silent = datetime(1996, 5, 7, tzinfo=UTC), 363
    nsw, vic = (power[name].to_numpy().reshape(-1, 2).mean(axis=1) for name in ("nswdemand", "vicdemand"))
    return {
        "taxi, US": (one(datetime(2014, 7, 1, tzinfo=UTC), by_hour.to_numpy()), Ahead(country="US"), 60),
        "power, AU-NSW": (one(first, nsw), Ahead(country="AU", subdivision="NSW"), 365),
        "power, AU-VIC": (
            one(first + timedelta(days=silent), vic[DAY * silent :]),
            Ahead(country="AU", subdivision="VIC"),
            280,
        ),
    }


def measured(label: str, grid: HourGrid, ahead: Ahead, border: int) -> dict[str, Any]:
    """One row: losses with what is known over losses without."""
    origins = np.arange(border - 1, grid.hours - DAY, dtype=np.int64)
    losses = [
        np.concatenate([_losses(grid, known, some) for some in _by_age(origins)], axis=1) for known in (ahead, Ahead())
    ]
    target = np.broadcast_to(origins[:, None] + np.arange(HORIZON + 1, DAY + 1), losses[0].shape)
    signal = np.any(ahead.signals(grid), axis=0)
    marked = signal[np.arange(len(signal))[:, None, None], target]
    days = np.unique(target[marked] // DAY)
    with_, without = (np.array([x[marked & (target // DAY == day)].sum() for day in days]) for x in losses)
    at = np.random.default_rng(0).integers(0, len(days), (DRAWS, len(days)))
    low, high = np.quantile(with_[at].sum(axis=1) / without[at].sum(axis=1), [0.025, 0.975])
    return {
        "series": label,
        "marked": with_.sum() / without.sum(),
        "low": float(low),
        "high": float(high),
        "marked_days": len(days),
        "all": losses[0].sum() / losses[1].sum(),
        "days": len(np.unique(target // DAY)),
    }


def _by_age(origins: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Origins that one model answers."""
    return np.split(origins, np.arange(AGE, len(origins), AGE))


def _losses(grid: HourGrid, ahead: Ahead, origins: NDArray[np.int64]) -> Floats:
    """Quantile loss ``(R, O, S)`` of a model that was fitted at the first of these origins."""
    fitted = int(origins[0]) + 1
    past = HourGrid(grid.resources, grid.first, grid.values[:, :fitted])
    model = fit_further(FurtherPanel(past, ahead.signals(past)), floor=0.0)
    here = HourGrid(grid.resources, grid.first, grid.values[:, : origins[-1] + 1 + DAY])
    panel = FurtherPanel(here, ahead.signals(here))
    said = told_answers(model, panel, origins, since=fitted)
    return np.nan_to_num(metrics.pinball(panel.design(origins).truth, said, model.levels))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    rows = [
        measured(f"made, {word}", *made(multiplies=multiplies), border=DAY * 42)
        for word, multiplies in (("adds", False), ("multiplies", True))
    ]
    if SHARED.is_dir():
        rows += [measured(label, grid, ahead, DAY * days) for label, (grid, ahead, days) in real().items()]
    else:
        print("only made series are measured: the real ones lie in ../shared, which is not here")
    with pl.Config(tbl_rows=-1, tbl_cols=-1, tbl_width_chars=160, float_precision=3):
        print(pl.DataFrame(rows))
    if asked.json:
        asked.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
