"""Make the booster that forecasts series which have just been born: src/aws_auto/ml/forecast/cold_start.ubj.

    python tools/cold_start.py PANEL [--out FOLDER]

PANEL is a Parquet file with ``unique_id, ds, y`` (hourly). Only series whose name begins with one of `LICENSED` are
read: NAB (MIT), Microsoft cloud monitoring (MIT), Azure's public VM trace of 2017 (CC-BY-4.0), bike sharing (BSD-3).
As many series again are made up: daily and weekly shapes with noise, bursts and shifts of the level.
The same input and seed give the same bytes.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from aws_auto.ml.forecast.boosted import PART, Growth, QuantileBooster
from aws_auto.ml.forecast.cold import BOOSTER, HEAD, LEAST_HOURS, LEVELS, LOOK_BACK, Short
from aws_auto.ml.forecast.demand import HORIZON
from aws_auto.ml.forecast.grid import DAY, WEEK

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

LICENSED = (
    "vm/aws_",  # NAB, MIT
    "vm/azurevm_",  # AzurePublicDataset V1, CC-BY-4.0
    "web/Twitter_",  # NAB, MIT
    "web/elb_request_count",  # NAB, MIT
    "web/nyc_taxi",  # NAB, MIT
    "web/ms_",  # microsoft/cloud-monitoring-dataset, MIT
    "web/bike_sharing",  # skforecast-datasets, BSD-3
)
MADE_UP = 120
MADE_UP_HOURS = 30 * DAY
WINDOWS = 160
#: Truth farther away than this many units is drawn in.
WILD = 25.0
GROWTH = Growth(rounds=34, depth=4, eta=0.18, bins=64, least=60, least_share=0.0, most_rows=200_000)
SEED = 20261124
HERE = Path(__file__).resolve().parents[1] / "src" / "aws_auto" / "ml" / "forecast"


def made_up(rng: np.random.Generator, hours: int) -> Floats:
    """A series with the rhythms of a service and its own share of noise, wander, bursts and shifts."""
    t = np.arange(hours) + rng.integers(0, WEEK)
    day = sum(
        rng.normal(0, 1 / k) * np.sin(2 * np.pi * k * t / DAY) + rng.normal(0, 1 / k) * np.cos(2 * np.pi * k * t / DAY)
        for k in (1, 2, 3, 4)
    )
    weekend = 1 - rng.uniform(0, 0.8) * ((t // DAY) % 7 >= rng.choice([5, 7], p=[0.6, 0.4]))
    wander = np.zeros(hours)
    noise = rng.normal(0, 1, hours) * 10 ** rng.uniform(-2.5, -0.3)
    memory = rng.choice([0.0, rng.uniform(0.5, 0.98)])
    for i in range(1, hours):
        wander[i] = memory * wander[i - 1] + noise[i]
    load = np.exp(10 ** rng.uniform(-1.5, 0) * day * weekend + wander)
    load *= np.where(rng.random(hours) < rng.choice([0, 0.01]), rng.uniform(1, 4, hours), 1)
    if rng.random() < 0.3:
        load[rng.integers(0, hours) :] *= rng.uniform(0.5, 2)
    return np.asarray(load * 10 ** rng.uniform(-1, 5))


def windows_of(series: Floats, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Histories cut at random lengths, and what came after each."""
    padded = np.concatenate([np.full(LOOK_BACK, np.nan), series])
    last = rng.integers(LEAST_HOURS, len(series) - HORIZON, WINDOWS) + LOOK_BACK
    length = np.exp(rng.uniform(np.log(LEAST_HOURS), np.log(LOOK_BACK), WINDOWS)).astype(int)
    past = padded[last[:, None] - np.arange(LOOK_BACK, 0, -1)]
    past[np.arange(LOOK_BACK)[None] < LOOK_BACK - length[:, None]] = np.nan
    return past, padded[last[:, None] + np.arange(HORIZON)]


def trained(series: list[Floats], rng: np.random.Generator) -> QuantileBooster:
    """The booster of these series."""
    pairs = [windows_of(y, rng) for y in series]
    past, truth = (np.concatenate(tables) for tables in zip(*pairs, strict=True))
    short = Short.of(past)
    target = ((truth - short.center[:, None]) / short.scale[:, None]).clip(-WILD, WILD)
    rows = np.isfinite(target)
    return QuantileBooster.fit(short.base[rows], short.features[rows], target[rows], LEVELS, seed=SEED, growth=GROWTH)


def main() -> None:
    """Write booster and head."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("panel", type=Path)
    parser.add_argument("--out", type=Path, default=HERE)
    asked = parser.parse_args()
    table = pl.read_parquet(asked.panel).sort("unique_id", "ds")
    parts = table.partition_by("unique_id", as_dict=True)
    chosen = {name: rows["y"].to_numpy() for (name,), rows in parts.items() if str(name).startswith(LICENSED)}
    rng = np.random.default_rng(SEED)
    series = [*chosen.values(), *(made_up(rng, MADE_UP_HOURS) for _ in range(MADE_UP))]
    booster = trained(series, rng)
    body, files = booster.parts()
    (asked.out / BOOSTER).write_bytes(files[PART])
    head = {
        "body": {"booster": body},
        "sha256": hashlib.sha256(files[PART]).hexdigest(),
        "series": sorted(map(str, chosen)),
        "made_up": MADE_UP,
        "seed": SEED,
    }
    (asked.out / HEAD).write_text(json.dumps(head, indent=1) + "\n")
    print(f"{len(chosen)} series and {MADE_UP} made up: {len(files[PART])} bytes")


if __name__ == "__main__":
    main()
