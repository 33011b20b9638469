"""False alarms and power of the drift test beside KS at 5 % and PSI > 0.1, and the CPU of 1 M rows x 50 columns.

    python bench/drift.py [--repeats 100] [--json FILE]

Scenes are made (seeded), because only then is it known that nothing drifted. Figures are shares of repeats in which the
column was flagged, with the half-width of the 95 % interval.
"""

from __future__ import annotations

import argparse
import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from aws_auto.ml.drift.test import BlockDriftTest

if TYPE_CHECKING:
    from collections.abc import Callable

DAY = 288
Pair = tuple[np.ndarray, np.ndarray]


def ar(rng: np.random.Generator, n: int, phi: float) -> np.ndarray:
    """AR(1) with unit variance and a daily cycle of amplitude one."""
    from scipy.signal import lfilter

    noise = rng.normal(0, np.sqrt(1 - phi * phi), n + 500)
    return lfilter([1], [1, -phi], noise)[500:] + np.sin(2 * np.pi * np.arange(n) / DAY)


def split(x: np.ndarray, n: int, shift: float = 0.0) -> Pair:
    return x[:n], x[n:] + shift


SCENES: dict[str, tuple[str, Callable[[np.random.Generator], Pair]]] = {
    "iid 500/250": ("none", lambda g: (g.normal(size=500), g.normal(size=250))),
    "iid 5000/500": ("none", lambda g: (g.normal(size=5000), g.normal(size=500))),
    "lognormal 20000/2000": ("none", lambda g: (g.lognormal(0, 1.5, 20000), g.lognormal(0, 1.5, 2000))),
    "AR .9 + day, 28 d / 1 d": ("none", lambda g: split(ar(g, 29 * DAY, 0.9), 28 * DAY)),
    "AR .9 + day, 28 d / 7 d": ("none", lambda g: split(ar(g, 35 * DAY, 0.9), 28 * DAY)),
    "AR .99 + day, 28 d / 1 d": ("none", lambda g: split(ar(g, 29 * DAY, 0.99), 28 * DAY)),
    "AR .99 + day, 56 d / 7 d": ("none", lambda g: split(ar(g, 63 * DAY, 0.99), 56 * DAY)),
    "AR .9 + day, 28 d / 18 h": ("none", lambda g: split(ar(g, 28 * DAY + 216, 0.9), 28 * DAY)),
    "100 categories 5000/500": (
        "none",
        lambda g: (np.minimum(g.zipf(1.5, 5000), 100), np.minimum(g.zipf(1.5, 500), 100)),
    ),
    "iid +.2 sd 5000/500": ("drift", lambda g: (g.normal(size=5000), g.normal(0.2, 1, 500))),
    "iid +.3 sd 5000/500": ("drift", lambda g: (g.normal(size=5000), g.normal(0.3, 1, 500))),
    "iid sd x1.25 5000/500": ("drift", lambda g: (g.normal(size=5000), g.normal(0, 1.25, 500))),
    "AR .9 + day, 28 d / 1 d, +.5 sd": ("drift", lambda g: split(ar(g, 29 * DAY, 0.9), 28 * DAY, 0.5 * 1.22)),
    "AR .9 + day, 28 d / 1 d, +1 sd": ("drift", lambda g: split(ar(g, 29 * DAY, 0.9), 28 * DAY, 1.22)),
    "unit 1e-5, mean x1.5": ("drift", lambda g: (g.normal(1e-4, 1e-5, 5000), g.normal(1.5e-4, 1e-5, 500))),
}


def frame(values: np.ndarray, first: int, name: str) -> pl.DataFrame:
    start = int(datetime(2026, 1, 5, tzinfo=UTC).timestamp() * 1e6)
    times = start + (first + np.arange(len(values))) * 300_000_000
    column = pl.Series("x", values).cast(pl.String) if "categories" in name else pl.Series("x", values)
    return pl.DataFrame({"timestamp": pl.Series(times).cast(pl.Datetime("us", "UTC")), "x": column})


def flags(name: str, pair: Pair) -> dict[str, bool]:
    from scipy.stats import ks_2samp

    reference, current = pair
    report = BlockDriftTest().compare(frame(reference, 0, name), frame(current, len(reference), name))
    (column,) = report.columns
    return {
        "ours": column.drifted,
        "KS .05": bool(ks_2samp(reference, current, method="asymp").pvalue < 0.05),
        "PSI > .1": (column.psi or 0) > 0.1,
    }


def speed(rows: int = 500_000) -> dict[str, float]:
    rng = np.random.default_rng(0)
    names = [f"k{j}" for j in range(20)]

    def make(shift: float) -> pl.DataFrame:
        numbers = {f"n{i}": rng.normal(shift, 1, rows) for i in range(40)}
        return pl.DataFrame(numbers | {f"c{i}": rng.choice(names, rows) for i in range(10)})

    reference, current = make(0), make(0.05)
    begin = time.process_time()
    BlockDriftTest().compare(reference, current)
    return {"rows": 2 * rows, "columns": 50, "cpu_s": round(time.process_time() - begin, 2)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=100)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    rows = []
    for name, (kind, make) in SCENES.items():
        seen = [flags(name, make(np.random.default_rng(seed))) for seed in range(options.repeats)]
        shares = {method: sum(s[method] for s in seen) / len(seen) for method in seen[0]}
        rows.append({"scene": name, "truth": kind, "n": len(seen), **shares})
        half = {m: 1.96 * (v * (1 - v) / len(seen)) ** 0.5 for m, v in shares.items()}
        print(f"{kind:6} {name:34}", "  ".join(f"{m} {v:5.0%} ±{half[m]:.0%}" for m, v in shares.items()), flush=True)
    result = {"false_alarms_and_power": rows, "speed": speed()}
    print(result["speed"])
    if options.json:
        options.json.write_text(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
