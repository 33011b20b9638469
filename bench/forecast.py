"""The demand forecaster on 98 real hourly series by rolling origin, beside seasonal naive.

    python bench/forecast.py [--origins 8] [--half tuned|kept] [--json FILE]

The protocol is the one of `../shared/score/forecast.py`, found by path at run time; without it nothing is measured.
Series are halved by a hash of their name: settings were chosen on one half (`tuned`), the other (`kept`) only looks.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from aws_auto.ml.forecast.demand import HORIZON, DemandPanel
from aws_auto.ml.forecast.ensemble import Blend, Ensemble
from aws_auto.ml.forecast.grid import WEEK, HourGrid
from aws_auto.ml.recipes.demand import EVERY
from aws_auto.ml.recipes.panel_trial import run_trial
from aws_auto.protocols import silent

if TYPE_CHECKING:
    import pandas as pd


SHARED = Path(__file__).resolve().parents[2] / "shared"
SEED = 0


def half_of(name: str) -> str:
    """`tuned` or `kept`, by the name alone."""
    return ("tuned", "kept")[zlib.crc32(name.encode()) % 2]


def grid_of(history: pd.DataFrame) -> HourGrid:
    """One grid of series that lie decades apart: each is moved by whole weeks, which keeps its calendar."""
    parts = {}
    for name, rows in history.groupby("unique_id", sort=True):
        end = int(rows.ds.iloc[-1].value // 3_600_000_000_000)
        parts[name] = (end % WEEK, rows.y.to_numpy(float))
    first = min(end - len(y) for end, y in parts.values()) // WEEK * WEEK
    values = np.full((len(parts), WEEK - first), np.nan)
    for row, (end, y) in enumerate(parts.values()):
        values[row, end + 1 - len(y) - first : end + 1 - first] = y
    return HourGrid(tuple(map(str, parts)), first + 3000 * WEEK, values)


class Scored:
    """The recipe's forecaster as the scorer wants it: fitted once, then told only the hours that came since."""

    told = True

    model: Ensemble
    last: dict[str, pd.Timestamp]

    def fit(self, history: pd.DataFrame) -> None:
        """Everything the recipe does when it trains, its own back-test with it."""
        self.model = run_trial(
            DemandPanel(grid_of(history)),
            metric="y",
            every=EVERY,
            what="demand",
            seed=SEED,
            champion=None,
            rows=pl.DataFrame(),
            progress=silent,
            family=Blend(),
        ).learned
        self.last = {name: rows.ds.iloc[-1] for name, rows in history.groupby("unique_id")}

    def __call__(self, history: pd.DataFrame, horizon: int, levels: np.ndarray) -> dict[str, np.ndarray]:
        """Quantiles of the next hours of each series."""
        assert horizon == HORIZON
        np.testing.assert_allclose(levels, self.model.levels)
        grid = grid_of(history)
        now = grid.last_seen()
        newest = {name: rows.ds.iloc[-1] for name, rows in history.groupby("unique_id")}
        new = max(int((newest[n] - self.last[n]).total_seconds() // 3600) for n in grid.resources)
        self.last = newest
        panel = DemandPanel(grid)
        if self.told:
            back = np.arange(new + HORIZON - 1, -1, -1)
            answers, self.model = self.model.played(panel.design_at(now[:, None] - back))
        else:
            answers = self.model.quantiles(panel.design_at(now[:, None]))
        answers = answers[:, -1]
        return dict(zip(grid.resources, answers, strict=True))


def scorer() -> Any:  # noqa: ANN401 - a module
    """The scorer, or None where there is none."""
    path = SHARED / "score" / "forecast.py"
    if not path.is_file() or not (SHARED / "data" / "demand" / "hourly_panel.parquet").is_file():
        return None
    spec = importlib.util.spec_from_file_location("demand_scorer", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Untold(Scored):
    """The same with weights and widths as they were when it was fitted: what a stored model says until the next one."""

    told = False


def rows_of(module: Any, origins: int, half: str | None) -> pl.DataFrame:  # noqa: ANN401 - the scorer
    """One row a model and group; the half narrows what is forecast and judged, not the protocol."""
    series, groups = module.load()
    names = [name for name in series if half is None or half_of(name) == half]
    every = list(range(0, module.ORIGINS, module.ORIGINS // origins))
    runs = {"seasonal_naive24": module.roll(module.seasonal_naive(), series, list(series), every)}
    runs |= {label: module.roll(make(), series, list(series), every) for label, make in _OURS.items()}
    scored = {label: module.metrics(run["P"], run["Y"], run["scale"]) for label, run in runs.items()}
    place = list(series)
    table = []
    for label, run in runs.items():
        for group in ("all", *sorted(set(groups.values()))):
            keep = np.array([n in names and group in ("all", groups[n]) for n in place])
            row = module.row(label, group, scored[label], scored["seasonal_naive24"], keep, run, len(every))
            covered = scored[label]["cov95"][keep]
            row["cov95_worst_tenth"] = float(np.quantile(covered, 0.1))
            row["largest_MASE"] = float(scored[label]["MASE"][keep].max())
            table.append(
                {name: value.item() if isinstance(value, np.generic) else value for name, value in row.items()}
            )
    return pl.DataFrame(table)


_OURS = {"demand-forecaster": Scored, "not told since": Untold}


def main() -> None:
    """Print the table, or say why there is none."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--origins", type=int, default=24, choices=(1, 2, 3, 4, 6, 8, 12, 24))
    parser.add_argument("--half", choices=("tuned", "kept"))
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    module = scorer()
    if module is None:
        print("nothing measured: the panel and its scorer lie in ../shared, which is not here")
        return
    table = rows_of(module, asked.origins, asked.half)
    with pl.Config(tbl_rows=-1, tbl_cols=-1, tbl_width_chars=240, float_precision=3):
        print(table)
    if asked.json:
        asked.json.write_text(
            json.dumps({"origins": asked.origins, "half": asked.half, "rows": table.to_dicts()}, indent=1)
        )


if __name__ == "__main__":
    main()
