"""The slow, obvious twin of `aws_auto.ml.features`: plain loops over plain lists, one row and one window at a time.

The data are made to be awkward: shuffled and duplicated rows, gaps of minutes and of days, nulls, NaN and infinities,
a counter at ten thousand million, the end of winter time inside, and more than one resource.
"""

from __future__ import annotations

import math
import statistics
from datetime import UTC, date, datetime, timedelta
from random import Random
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from aws_auto.frame import MetricFrame
from aws_auto.ml.features.assemble import build, build_batches
from aws_auto.ml.features.feature_set import FOLLOWED, FeatureSet

TZ = "Europe/Berlin"
START = datetime(2026, 3, 26, tzinfo=UTC)
EASTER = {date(2026, 4, 3), date(2026, 4, 6)}
METRICS = (
    "cpu_utilization",
    "memory_utilization",
    "network_io",
    "storage_io",
    "request_count",
    "error_rate",
    "hourly_cost",
    "active_users",
)
LEVELS = dict(zip(METRICS, (62, 60, 1e10, 1e6, 300, 1, 0.5, 40), strict=True))


def awkward_rows() -> list[dict]:
    rng = Random(20260329)  # noqa: S311 - test data
    rows = []
    for resource, minutes in (("i-b", 30), ("i-a", 60)):
        for step in range(int(9 * 24 * 60 / minutes)):
            moment = START + timedelta(minutes=minutes * step)
            if rng.random() < 0.08 or timedelta(days=1) < moment - START < timedelta(days=2, hours=7):
                continue
            row = {"resource_id": resource, "timestamp": moment}
            for metric, level in LEVELS.items():
                value = level * (1 + 0.3 * math.sin(step / 7) + 0.1 * rng.gauss(0, 1))
                row[metric] = rng.choice((None, math.nan, math.inf, 0.0)) if rng.random() < 0.06 else value
            rows.append(row)
            if rng.random() < 0.05:
                rows.append({**row, "cpu_utilization": level, "network_io": None})
    rng.shuffle(rows)
    return rows


def merged(rows: list[dict]) -> dict[str, list[dict]]:
    """Rows by resource, in time order, equal keys averaged, NaN unknown before and infinity after the averaging."""
    groups: dict[tuple, list[dict]] = {}
    for row in rows:
        groups.setdefault((row["resource_id"], row["timestamp"]), []).append(row)
    series: dict[str, list[dict]] = {}
    for resource, moment in sorted(groups):
        point = {"timestamp": moment}
        for metric in METRICS:
            known = [r[metric] for r in groups[resource, moment] if r[metric] is not None and not math.isnan(r[metric])]
            mean = sum(known) / len(known) if known else None
            point[metric] = mean if mean is not None and math.isfinite(mean) else None
        series.setdefault(resource, []).append(point)
    return series


def features_in_loops(series: list[dict], i: int) -> dict:
    """Every feature of point ``i`` of one resource."""
    return {
        **calendar(series[i]["timestamp"]),
        **usage(series, i),
        **cost(series, i),
        **utilization(series, i),
        **lags(series, i),
        **rolling(series, i),
    }


def calendar(moment: datetime) -> dict:
    local = moment.astimezone(ZoneInfo(TZ))
    found = {
        "hour_of_day": local.hour,
        "day_of_week": local.weekday(),
        "month": local.month,
        "quarter": (local.month + 2) // 3,
        "is_weekend": int(local.weekday() >= 5),
        "is_business_hour": int(9 <= local.hour <= 17 and local.weekday() < 5),
        "days_since_epoch": (local.date() - date(1970, 1, 1)).days,
        "week_of_year": local.isocalendar().week,
        "month_of_year": local.month,
        "is_holiday": int(local.date() in EASTER),
    }
    for name, period in (("hour_of_day", 24), ("day_of_week", 7), ("month", 12)):
        found[f"{name}_sin"] = math.sin(2 * math.pi * found[name] / period)
        found[f"{name}_cos"] = math.cos(2 * math.pi * found[name] / period)
    return found


def usage(series: list[dict], i: int) -> dict:
    found = {}
    for metric in ("cpu_utilization", "memory_utilization", "network_io"):
        known = [y for _, y in window(series, i, metric, 24)]
        mean, std = mean_of(known), std_of(known)
        found |= {
            f"{metric}_mean_24h": mean,
            f"{metric}_std_24h": std,
            f"{metric}_min_24h": min(known, default=None),
            f"{metric}_max_24h": max(known, default=None),
            f"{metric}_percentile_95_24h": quantile(known, 0.95),
            f"{metric}_trend_6h": slope(window(series, i, metric, 6)),
            f"{metric}_volatility_24h": divided(std, mean),
        }
    cpu, memory = series[i]["cpu_utilization"], series[i]["memory_utilization"]
    both = cpu is not None and memory is not None
    found["cpu_memory_ratio"] = cpu / (memory + 1e-6) if both else None
    found["resource_efficiency"] = (cpu + memory) / 2 if both else None
    return found


def cost(series: list[dict], i: int) -> dict:
    point = series[i]
    trend = slope(window(series, i, "hourly_cost", 7 * 24))
    paid = used = 0.0
    complete = False
    for p in within(series, i, 24):
        if None not in (p["hourly_cost"], p["cpu_utilization"], p["memory_utilization"]):
            complete = True
            paid += p["hourly_cost"]
            used += p["hourly_cost"] * (p["cpu_utilization"] + p["memory_utilization"]) / 200
    period = period_hours(series, i)
    spent = None if None in (period, point["hourly_cost"]) else point["hourly_cost"] * period
    return {
        "hourly_cost": point["hourly_cost"],
        "daily_cost_trend": None if trend is None else trend * 24 * 24,
        "cost_per_request": divided(spent, point["request_count"]),
        "cost_per_user": divided(point["hourly_cost"], point["active_users"]),
        "cost_efficiency_score": divided(used, paid) if complete else None,
    }


def period_hours(series: list[dict], i: int) -> float | None:
    """The shortest step that ended in the last 24 hours; where none did, what it was at the point before."""
    while i > 0:
        steps = []
        for k in range(1, i + 1):
            step = (series[k]["timestamp"] - series[k - 1]["timestamp"]) / timedelta(hours=1)
            if step <= 24 and series[k]["timestamp"] > series[i]["timestamp"] - timedelta(hours=24):
                steps.append(step)
        if steps:
            return min(steps)
        i -= 1
    return None


def utilization(series: list[dict], i: int) -> dict:
    point = series[i]
    found = {f"{m}_avg": point[m] for m in ("cpu_utilization", "memory_utilization", "network_io", "storage_io")}
    found |= {"request_count": point["request_count"], "error_rate": point["error_rate"]}
    for metric in ("cpu_utilization", "memory_utilization"):
        known = [y for _, y in window(series, i, metric, 24)]
        found[f"{metric}_headroom_24h"] = 100 - max(known) if known else None
        found[f"{metric}_idle_share_24h"] = mean_of([float(y < 5) for y in known])
        found[f"{metric}_busy_share_24h"] = mean_of([float(y > 80) for y in known])
    return found


def lags(series: list[dict], i: int) -> dict:
    found = {}
    for metric in FOLLOWED:
        for name, hours in (("1h", 1), ("24h", 24), ("7d", 168)):
            wanted = series[i]["timestamp"] - timedelta(hours=hours)
            found[f"{metric}_lag_{name}"] = next((p[metric] for p in series if p["timestamp"] == wanted), None)
    return found


def rolling(series: list[dict], i: int) -> dict:
    found = {}
    for metric in FOLLOWED:
        hour = [y for _, y in window(series, i, metric, 1)]
        week = [y for _, y in window(series, i, metric, 168)]
        value, mean, std = series[i][metric], mean_of(week), std_of(week)
        found |= {
            f"{metric}_mean_1h": mean_of(hour),
            f"{metric}_max_1h": max(hour, default=None),
            f"{metric}_mean_7d": mean,
            f"{metric}_std_7d": std,
            f"{metric}_zscore_7d": None if value is None else divided(value - mean, std),
        }
    return found


def within(series: list[dict], i: int, hours: int) -> list[dict]:
    now = series[i]["timestamp"]
    return [p for p in series if now - timedelta(hours=hours) < p["timestamp"] <= now]


def window(series: list[dict], i: int, metric: str, hours: int) -> list[tuple[float, float]]:
    """(hours before now, value) of the known points of ``(t - hours, t]``."""
    now = series[i]["timestamp"]
    return [
        ((p["timestamp"] - now) / timedelta(hours=1), p[metric])
        for p in within(series, i, hours)
        if p[metric] is not None
    ]


def mean_of(values: list[float]) -> float | None:
    return statistics.fmean(values) if values else None


def std_of(values: list[float]) -> float | None:
    return statistics.stdev(values) if len(values) > 1 else None


def quantile(values: list[float], q: float) -> float | None:
    if not values:
        return None
    ordered = sorted(values)
    place = q * (len(ordered) - 1)
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (place - low) * (ordered[high] - ordered[low])


def slope(points: list[tuple[float, float]]) -> float | None:
    if len(points) < 2:
        return None
    middle_x, middle_y = statistics.fmean(x for x, _ in points), statistics.fmean(y for _, y in points)
    return sum((x - middle_x) * (y - middle_y) for x, y in points) / sum((x - middle_x) ** 2 for x, _ in points)


def divided(a: float | None, b: float | None) -> float | None:
    return None if a is None or b is None or b == 0 else a / b


@pytest.fixture(scope="module")
def rows() -> list[dict]:
    return awkward_rows()


@pytest.fixture(scope="module")
def truth(rows: list[dict]) -> pl.DataFrame:
    return pl.DataFrame(
        [
            {"resource_id": resource, "timestamp": series[i]["timestamp"], **features_in_loops(series, i)}
            for resource, series in merged(rows).items()
            for i in range(len(series))
        ],
        infer_schema_length=None,
    )


def assert_same(built: pl.DataFrame, truth: pl.DataFrame) -> None:
    assert sorted(built.columns) == sorted(truth.columns)
    for name in truth.columns:
        got, want = built[name], truth[name]
        if not want.dtype.is_float():
            assert got.to_list() == want.to_list(), name
            continue
        assert got.is_null().to_list() == want.is_null().to_list(), f"{name}: other points are unknown"
        scale = want.std() or 1.0
        assert (got - want).abs().max() <= 1e-9 * scale, name


def test_the_kernel_agrees_with_plain_loops_on_awkward_data(rows: list[dict], truth: pl.DataFrame) -> None:
    frame = MetricFrame.of(pl.DataFrame(rows, infer_schema_length=None))
    assert frame.report.duplicates_merged > 10
    assert len(frame.gaps()) > 30
    assert_same(build(frame, tz=TZ, country="DE"), truth)


def test_batches_of_one_resource_agree_with_plain_loops(rows: list[dict], truth: pl.DataFrame) -> None:
    scan = pl.LazyFrame(rows, infer_schema_length=None)
    batches = list(build_batches(scan, FeatureSet(tz=TZ, country="DE"), rows=1))
    assert len(batches) == 2
    assert_same(pl.concat(batches), truth)


def test_no_column_of_the_truth_is_empty_or_constant_by_accident(truth: pl.DataFrame) -> None:
    quiet = {name for name in truth.columns if truth[name].drop_nulls().n_unique() < 2}
    assert not quiet
    assert truth.filter(pl.col("timestamp").dt.date() == date(2026, 3, 29))[
        "hour_of_day"
    ].unique().sort().to_list() == [hour for hour in range(24) if hour != 2]
