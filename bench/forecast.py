"""The demand forecaster on 98 real hourly series by rolling origin, beside naive rules, theta and the documented LSTM.

    python bench/forecast.py [--origins 8] [--only NAME ...] [--cold 48] [--half tuned|kept] [--json FILE]

The protocol is the one of `../shared/score/forecast.py`, found by path at run time; without it nothing is measured.
Series are halved by a hash of their name: settings were chosen on one half (`tuned`), the other (`kept`) only looks.
The group `unseen` holds the series that the shipped booster was not trained on: where it takes part, they alone count.
`--cold H` gives the shipped booster and the rules H hours of history, against seasonal naive with all of it.
The theta of statsforecast is measured where it is installed (the extra `forecast`).
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

from aws_auto.ml.forecast import cold
from aws_auto.ml.forecast.cold import LOOK_BACK
from aws_auto.ml.forecast.demand import HORIZON, DemandPanel
from aws_auto.ml.forecast.ensemble import USUAL, Blend, Ensemble
from aws_auto.ml.forecast.grid import DAY, WEEK, HourGrid
from aws_auto.ml.forecast.group import DENSE
from aws_auto.ml.recipes.demand import EVERY
from aws_auto.ml.recipes.panel_trial import run_trial
from aws_auto.protocols import silent
from documented_lstm import Documented

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
    blend = Blend.usual()

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
            family=self.blend,
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
    """The same with weights and widths as they were when it was fitted: what a stored model said if nobody told it."""

    told = False


class Lean(Scored):
    """Without torch: what the core package alone forecasts."""

    blend = Blend(USUAL)


class Theta(Scored):
    """Theta alone."""

    blend = Blend(("theta",))


class Lstm(Scored):
    """The net alone."""

    blend = Blend(("lstm",))


def seasonal(lag: int) -> Any:  # noqa: ANN401 - a callable of the scorer's kind
    """The value ``lag`` hours before each target, with the quantiles of its errors of four weeks.

    A series without a day more than ``lag`` is answered from the day before.
    """

    def forecaster(history: pd.DataFrame, horizon: int, levels: np.ndarray) -> dict[str, np.ndarray]:
        out = {}
        for name, rows in history.groupby("unique_id"):
            y = rows.y.to_numpy(float)
            back = lag if len(y) >= lag + DAY else DAY
            errors = np.quantile((y[back:] - y[:-back])[-4 * WEEK :], levels)
            out[str(name)] = y[len(y) - back : len(y) - back + horizon, None] + errors
        return out

    return forecaster


def naive() -> Any:  # noqa: ANN401 - a callable of the scorer's kind
    """The last value, with the quantiles of its errors of four weeks at each step."""

    def forecaster(history: pd.DataFrame, horizon: int, levels: np.ndarray) -> dict[str, np.ndarray]:
        out = {}
        for name, rows in history.groupby("unique_id"):
            y = rows.y.to_numpy(float)
            errors = [np.quantile((y[step:] - y[:-step])[-4 * WEEK :], levels) for step in range(1, horizon + 1)]
            out[str(name)] = y[-1] + np.stack(errors)
        return out

    return forecaster


def theta() -> Any:  # noqa: ANN401 - a callable of the scorer's kind
    """Dynamic optimised theta of statsforecast on three weeks, with its own intervals."""
    from statsforecast.models import DynamicOptimizedTheta

    def forecaster(history: pd.DataFrame, horizon: int, levels: np.ndarray) -> dict[str, np.ndarray]:
        out = {}
        widths = [round(abs(2 * level - 1) * 100) for level in levels]
        for name, rows in history.groupby("unique_id"):
            model = DynamicOptimizedTheta(season_length=DAY)
            said = model.forecast(rows.y.to_numpy(float)[-3 * WEEK :], horizon, level=sorted({*widths} - {0}))
            keys = [f"{'hi' if x > 0.5 else 'lo'}-{w}" if w else "mean" for x, w in zip(levels, widths, strict=True)]
            out[str(name)] = np.stack([said[key] for key in keys], axis=1)
        return out

    return forecaster


def shipped() -> Any:  # noqa: ANN401 - a callable of the scorer's kind
    """The booster that ships, on whatever history there is."""

    def forecaster(history: pd.DataFrame, horizon: int, levels: np.ndarray) -> dict[str, np.ndarray]:
        assert horizon == HORIZON
        np.testing.assert_allclose(levels, DENSE)
        past = {str(name): rows.y.to_numpy(float)[-LOOK_BACK:] for name, rows in history.groupby("unique_id")}
        windows = np.stack([np.concatenate([np.full(LOOK_BACK - len(y), np.nan), y]) for y in past.values()])
        return dict(zip(past, cold.shipped().after(windows), strict=True))

    return forecaster


def contenders(only: list[str], *, young: bool) -> dict[str, Any]:
    """What is measured, by name, without what is not installed."""
    there: dict[str, Any] = {"naive": naive}
    if young:
        there |= {"seasonal naive 24, short": lambda: seasonal(DAY), "shipped booster": shipped}
    else:
        there |= {"seasonal naive 168": lambda: seasonal(WEEK)}
        there |= {"demand-forecaster": Scored, "not told since": Untold, "without torch": Lean}
        there |= {"theta alone": Theta}
        if importlib.util.find_spec("torch"):
            there |= {"LSTM alone": Lstm, "LSTM as documented": Documented}
        if importlib.util.find_spec("statsforecast"):
            there["theta of statsforecast"] = theta
        else:
            print("theta of statsforecast is not measured: it is not installed (the extra forecast)")
    return {name: make for name, make in there.items() if not only or name in only}


def rows_of(module: Any, asked: argparse.Namespace) -> pl.DataFrame:  # noqa: ANN401 - the scorer
    """One row a model and group; the half narrows what is forecast and judged, not the protocol."""
    series, groups = module.load()
    names = [name for name in series if asked.half is None or half_of(name) == asked.half]
    every = list(range(0, module.ORIGINS, module.ORIGINS // asked.origins))
    runs = {"seasonal_naive24": module.roll(module.seasonal_naive(), series, list(series), every)}
    for label, make in contenders(asked.only, young=asked.cold is not None).items():
        runs[label] = module.roll(make(), series, list(series), every, asked.cold or module.HISTORY)
    seen = json.loads((Path(cold.__file__).parent / cold.HEAD).read_text())["series"]
    of = {name: {"all", groups[name], *(() if name in seen else ("unseen",))} for name in series}
    scored = {label: module.metrics(run["P"], run["Y"], run["scale"]) for label, run in runs.items()}
    place = list(series)
    table = []
    for label, run in runs.items():
        for group in ("all", "unseen", *sorted(set(groups.values()))):
            keep = np.array([n in names and group in of[n] for n in place])
            row = module.row(label, group, scored[label], scored["seasonal_naive24"], keep, run, len(every))
            covered = scored[label]["cov95"][keep]
            row["cov95_worst_tenth"] = float(np.quantile(covered, 0.1))
            row["largest_MASE"] = float(scored[label]["MASE"][keep].max())
            table.append(
                {name: value.item() if isinstance(value, np.generic) else value for name, value in row.items()}
            )
    return pl.DataFrame(table)


def main() -> None:
    """Print the table, or say why there is none."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--origins", type=int, default=24, choices=(1, 2, 3, 4, 6, 8, 12, 24))
    parser.add_argument("--only", action="append", default=[], metavar="NAME")
    parser.add_argument("--cold", type=int, metavar="H")
    parser.add_argument("--half", choices=("tuned", "kept"))
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    module = scorer()
    if module is None:
        print("nothing measured: the panel and its scorer lie in ../shared, which is not here")
        return
    table = rows_of(module, asked)
    with pl.Config(tbl_rows=-1, tbl_cols=-1, tbl_width_chars=240, float_precision=3):
        print(table)
    if asked.json:
        asked.json.write_text(
            json.dumps(
                {"origins": asked.origins, "half": asked.half, "cold": asked.cold, "rows": table.to_dicts()}, indent=1
            )
        )


if __name__ == "__main__":
    main()
