"""Speed and memory of the feature kernel beside pandas doing the same, and whether both give the same numbers.

    python bench/features.py [--rows 1e6,1e7] [--pandas-rows 1e6] [--json FILE]

Data: two metrics on a five-minute grid, 10 000 points per resource, 5 % of the points and 3 % of whole hours missing,
1 % of the values unknown, rows shuffled, the end of summer time inside. Every feature that two metrics allow is
made (calendar with holidays, usage, utilisation, lags, rolling: 56 columns), read from Parquet and written to Parquet.
Each run is a process of its own; its CPU seconds (user and system, start-up and imports included) and its peak memory
are what the operating system says. Rows per CPU-second therefore count everything.

pandas runs up to ``--pandas-rows``, because it holds the whole table: 8 GB at 10 M rows. Both results are compared, in
full up to 2 M rows, on three resources above (computed by pandas here where it did not run). The bench fails when a
value differs by more than a millionth of its column's deviation, or when another value is unknown.
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

if TYPE_CHECKING:
    import pandas as pd

METRICS = ("cpu_utilization", "memory_utilization")
TZ, COUNTRY = "Europe/Berlin", "DE"
POINTS = 10_000
KEPT = 0.95 * 0.97
RESOURCES_PER_FILE = 50
COMPARED_IN_FULL = 2_000_000
START_US = 1_792_281_600_000_000  # 2026-10-18T00:00Z, one week before the clocks go back
HOUR_US = 3_600_000_000
GOALS = {"rows_per_cpu_second": 200_000, "peak_gb_at_10m": 1.2}


def generate(rows: int, folder: Path) -> int:
    """Write Parquet files of together about ``rows`` rows; returns how many there are."""
    folder.mkdir(parents=True)
    resources, written = round(rows / (POINTS * KEPT)), 0
    for first in range(0, resources, RESOURCES_PER_FILE):
        table = _some_resources(first, min(first + RESOURCES_PER_FILE, resources))
        table.write_parquet(folder / f"part-{first:06d}.parquet")
        written += len(table)
    return written


def _some_resources(first: int, last: int) -> pl.DataFrame:
    rng = np.random.default_rng(first)
    shape = (last - first, POINTS)
    hours = np.arange(POINTS) / 12
    wave = np.sin(2 * np.pi * (hours + rng.uniform(0, 24, (shape[0], 1))) / 24)
    values = [rng.uniform(20, 60, (shape[0], 1)) + 12 * wave + rng.normal(0, 4, shape) for _ in METRICS]
    kept = rng.random(shape) > 0.05
    kept &= ~np.repeat(rng.random((shape[0], POINTS // 12 + 1)) < 0.03, 12, axis=1)[:, :POINTS]
    times = np.broadcast_to(START_US + 300_000_000 * np.arange(POINTS), shape)[kept]
    owners = np.broadcast_to(np.arange(first, last)[:, None], shape)[kept]
    columns = [np.where(rng.random(v.shape) < 0.01, np.nan, np.clip(v, 0, 100))[kept] for v in values]
    table = pl.DataFrame(
        {
            "resource_id": pl.Series(owners).cast(pl.String).str.zfill(6),
            "timestamp": pl.Series(times).cast(pl.Datetime("us", "UTC")),
            **dict(zip(METRICS, columns, strict=True)),
        }
    ).fill_nan(None)
    return table[rng.permutation(len(table))]


def run_ours(source: Path, target: Path) -> None:
    from aws_auto.ml.features.assemble import build_batches
    from aws_auto.ml.features.feature_set import FeatureSet

    target.mkdir()
    scan = pl.scan_parquet(source / "*.parquet")
    for i, batch in enumerate(build_batches(scan, FeatureSet(tz=TZ, country=COUNTRY))):
        batch.write_parquet(target / f"part-{i:06d}.parquet")


def run_pandas(source: Path, target: Path) -> None:
    import pandas as pd

    target.mkdir()
    with_pandas(pd.read_parquet(source)).to_parquet(target / "part-0.parquet")


def with_pandas(data: pd.DataFrame) -> pd.DataFrame:
    """The same features, written as a pandas user would: the second oracle."""
    data = data.sort_values(["resource_id", "timestamp"], ignore_index=True)
    for metric in METRICS:
        data[f"{metric}_idle"] = (data[metric] < 5).where(data[metric].notna())
        data[f"{metric}_busy"] = (data[metric] > 80).where(data[metric].notna())
    features = {
        **_pandas_calendar(data["timestamp"]),
        **_pandas_windows(data),
        **_pandas_slopes(data),
        **_pandas_lags(data),
    }
    cpu, memory = data["cpu_utilization"], data["memory_utilization"]
    features["cpu_memory_ratio"] = cpu / (memory + 1e-6)
    features["resource_efficiency"] = (cpu + memory) / 2
    return data[["resource_id", "timestamp"]].assign(**features)


def _pandas_calendar(times: pd.Series) -> dict[str, Any]:
    import holidays

    local = times.dt.tz_convert(TZ).dt.tz_localize(None)
    clock, day = local.dt, local.dt.normalize()
    hour, weekday, month = clock.hour, clock.day_of_week, clock.month
    free = holidays.country_holidays(COUNTRY, years=sorted(clock.year.unique()))
    found = {
        "hour_of_day": hour,
        "day_of_week": weekday,
        "month": month,
        "quarter": clock.quarter,
        "is_weekend": (weekday >= 5).astype(int),
        "is_business_hour": ((hour >= 9) & (hour <= 17) & (weekday < 5)).astype(int),
        "days_since_epoch": (day - np.datetime64("1970-01-01")).dt.days,
        "week_of_year": clock.isocalendar().week.astype(int),
        "month_of_year": month,
        "is_holiday": day.isin(np.array(sorted(free), dtype="datetime64[us]")).astype(int),
    }
    for name, period in (("hour_of_day", 24), ("day_of_week", 7), ("month", 12)):
        found[f"{name}_sin"] = np.sin(2 * np.pi * found[name] / period)
        found[f"{name}_cos"] = np.cos(2 * np.pi * found[name] / period)
    return found


def _pandas_windows(data: pd.DataFrame) -> dict[str, Any]:
    groups = data.groupby("resource_id", sort=False)
    hour, day, week = (groups.rolling(size, on="timestamp") for size in ("1h", "24h", "7D"))
    found: dict[str, Any] = {}
    for metric in METRICS:
        value = data[metric]
        mean, std, most = (getattr(day[metric], f)().to_numpy() for f in ("mean", "std", "max"))
        week_mean, week_std = week[metric].mean().to_numpy(), week[metric].std().to_numpy()
        found |= {
            f"{metric}_mean_24h": mean,
            f"{metric}_std_24h": std,
            f"{metric}_min_24h": day[metric].min().to_numpy(),
            f"{metric}_max_24h": most,
            f"{metric}_percentile_95_24h": day[metric].quantile(0.95).to_numpy(),
            f"{metric}_volatility_24h": std / np.where(mean == 0, np.nan, mean),
            f"{metric}_avg": value,
            f"{metric}_headroom_24h": 100 - most,
            f"{metric}_idle_share_24h": day[f"{metric}_idle"].mean().to_numpy(),
            f"{metric}_busy_share_24h": day[f"{metric}_busy"].mean().to_numpy(),
            f"{metric}_mean_1h": hour[metric].mean().to_numpy(),
            f"{metric}_max_1h": hour[metric].max().to_numpy(),
            f"{metric}_mean_7d": week_mean,
            f"{metric}_std_7d": week_std,
            f"{metric}_zscore_7d": (value - week_mean) / np.where(week_std == 0, np.nan, week_std),
        }
    return found


def _pandas_slopes(data: pd.DataFrame) -> dict[str, Any]:
    groups = data.groupby("resource_id", sort=False)
    hours = (data["timestamp"] - groups["timestamp"].transform("first")).dt.total_seconds() / 3600
    parts = data[["resource_id", "timestamp"]].copy()
    for metric in METRICS:
        y = data[metric] - groups[metric].transform("first")
        x = hours.where(y.notna())
        parts = parts.assign(**{f"{metric}_x": x, f"{metric}_y": y, f"{metric}_xy": x * y, f"{metric}_xx": x * x})
    windows = parts.groupby("resource_id", sort=False).rolling("6h", on="timestamp")
    found = {}
    for metric in METRICS:
        x, y, xy, xx = (windows[f"{metric}_{part}"].mean().to_numpy() for part in ("x", "y", "xy", "xx"))
        enough = windows[f"{metric}_y"].count().to_numpy() >= 2
        found[f"{metric}_trend_6h"] = np.divide(xy - x * y, xx - x * x, out=np.full(len(x), np.nan), where=enough)
    return found


def _pandas_lags(data: pd.DataFrame) -> dict[str, Any]:
    import pandas as pd

    keys, found = ["resource_id", "timestamp"], {}
    for name, hours in (("1h", 1), ("24h", 24), ("7d", 168)):
        before = data[[*keys, *METRICS]].assign(timestamp=data["timestamp"] + pd.Timedelta(hours=hours))
        matched = data[keys].merge(before, on=keys, how="left")
        found |= {f"{metric}_lag_{name}": matched[metric].to_numpy() for metric in METRICS}
    return found


def measured(engine: str, source: Path, target: Path, rows: int) -> dict[str, Any]:
    """Run one engine in a process of its own and say what it took."""
    command = [sys.executable, __file__, "--worker", engine, str(source), str(target)]
    answer = subprocess.run(command, check=True, capture_output=True, text=True)
    took = json.loads(answer.stdout)
    return {"engine": engine, "rows": rows, **took, "rows_per_cpu_second": round(rows / took["cpu_seconds"])}


def work(engine: str, source: Path, target: Path) -> None:
    {"ours": run_ours, "pandas": run_pandas}[engine](source, target)
    used = resource.getrusage(resource.RUSAGE_SELF)
    took = {"cpu_seconds": round(used.ru_utime + used.ru_stime, 2), "peak_gb": round(peak_bytes() / 1e9, 2)}
    print(json.dumps(took))


def peak_bytes() -> int:
    """Peak resident memory of this process.

    Linux hands ``ru_maxrss`` on from parent to child, so that a large parent would be counted; VmHWM begins anew.
    """
    status = Path("/proc/self/status")
    if status.exists():
        return 1024 * int(status.read_text().split("VmHWM:")[1].split()[0])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def largest_difference(ours: pl.DataFrame, theirs: pl.DataFrame) -> float:
    """The largest difference of any value in deviations of its column; refuses other columns and other nulls."""
    assert sorted(ours.columns) == sorted(theirs.columns)
    worst = 0.0
    keys = ("resource_id", "timestamp")
    for key in keys:
        assert ours[key].to_list() == theirs[key].to_list(), key
    for name in (n for n in ours.columns if n not in keys):
        left, right = (t[name].cast(pl.Float64).fill_nan(None) for t in (ours, theirs))
        assert left.is_null().equals(right.is_null(), check_names=False), f"{name}: other values are unknown"
        gap = (left - right).abs().max() or 0.0
        worst = max(worst, gap / (right.std() or 1.0))
    assert worst < 1e-6, worst
    return worst


def compared(source: Path, ours: Path, theirs: Path | None, rows: int) -> dict[str, Any]:
    keys = ("resource_id", "timestamp")
    mine = pl.scan_parquet(ours / "*.parquet")
    chosen = pl.lit(value=True)
    if rows > COMPARED_IN_FULL or theirs is None:
        ids = mine.select(pl.col("resource_id").unique().sort()).collect()["resource_id"]
        chosen = pl.col("resource_id").is_in([ids[0], ids[len(ids) // 2], ids[-1]])
    if theirs is None:
        data = pl.scan_parquet(source / "*.parquet").filter(chosen).collect()
        truth = pl.from_pandas(with_pandas(data.to_pandas()))
    else:
        truth = pl.scan_parquet(theirs / "*.parquet").filter(chosen).collect()
    pair = (table.sort(keys) for table in (mine.filter(chosen).collect(), truth))
    return {"compared_rows": len(truth), "largest_difference_sd": largest_difference(*pair)}


def bench(rows: int, pandas_rows: int, folder: Path) -> list[dict[str, Any]]:
    source, ours, theirs = folder / "data", folder / "ours", folder / "pandas"
    written = generate(rows, source)
    results = [measured("ours", source, ours, written)]
    if rows <= pandas_rows:
        results.append(measured("pandas", source, theirs, written))
    results[0] |= compared(source, ours, theirs if rows <= pandas_rows else None, rows)
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", default="1e6,1e7", help="sizes, separated by commas")
    parser.add_argument("--pandas-rows", type=float, default=1e6, help="largest size that pandas runs")
    parser.add_argument("--json", type=Path, help="write the figures here as well")
    parser.add_argument("--worker", nargs=3, metavar=("ENGINE", "SOURCE", "TARGET"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        work(options.worker[0], Path(options.worker[1]), Path(options.worker[2]))
        return
    results = []
    for size in options.rows.split(","):
        with tempfile.TemporaryDirectory() as folder:
            results += bench(int(float(size)), int(options.pandas_rows), Path(folder))
    with pl.Config(tbl_hide_dataframe_shape=True, tbl_hide_column_data_types=True, tbl_width_chars=120, tbl_cols=-1):
        print(pl.DataFrame(results, infer_schema_length=None))
    text = json.dumps({"goals": GOALS, "python": platform.python_version(), "polars": pl.__version__, "runs": results})
    print(text)
    if options.json:
        options.json.write_text(text + "\n")


if __name__ == "__main__":
    main()
