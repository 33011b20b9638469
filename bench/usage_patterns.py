"""The usage classifier: right on made series that it was not taught, and consistent on real ones.

    python bench/usage_patterns.py [--seed 0] [--json FILE]

Made series (another seed than the teaching ones) have labels: accuracy beside a short list of thresholds, and the
confusion. Real traces have none: the same 250 virtual machines (Bitbrains, July and August 2013) are classified in
both months, each from its own data, and the agreement is counted beside chance (Cohen's kappa), for the hourly mean and
for the hourly maximum of CPU. A machine may well change from one month to the next, so agreement is a lower bound.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from aws_auto.ml.cost.usage_patterns import PATTERNS, UsageClassifier, by_rule, examples

FLEET = Path(__file__).resolve().parents[2] / "shared" / "data" / "fleet" / "vm_hourly.parquet"
MONTHS = ((7, 1, 29), (8, 1, 29))
HELD_BACK = 100


def made(model: UsageClassifier, seed: int) -> dict[str, Any]:
    known, labels = examples(HELD_BACK, seed=seed + 1000)
    said = model.probabilities(known).argmax(axis=1)
    confused = np.zeros((len(PATTERNS), len(PATTERNS)), dtype=int)
    np.add.at(confused, (labels, said), 1)
    share = model.probabilities(known).max(axis=1)
    return {
        "series": len(labels),
        "accuracy": float((said == labels).mean()),
        "accuracy of thresholds": float((by_rule(known) == labels).mean()),
        "mean stated probability": float(share.mean()),
        "confusion (rows: truth)": dict(zip(PATTERNS, confused.tolist(), strict=True)),
    }


def real(model: UsageClassifier, column: str) -> dict[str, Any]:
    rows = pl.read_parquet(FLEET).select(
        resource_id=pl.col("vm").cast(pl.String),
        timestamp=pl.col("ts").cast(pl.Datetime("us")).dt.replace_time_zone("UTC"),
        cpu_utilization=pl.col(column).cast(pl.Float64).clip(0.0, 100.0),
    )
    found = []
    for month, first, last in MONTHS:
        begin, end = datetime(2013, month, first, tzinfo=UTC), datetime(2013, month, last, tzinfo=UTC)
        part = rows.filter(pl.col("timestamp").is_between(begin, end, closed="left"))
        found.append({one.resource_id: one for one in model.analyze(part) if one.pattern})
    pairs = [(found[0][name], found[1][name]) for name in found[0] if name in found[1]]
    return {"all": _agreement(pairs), "not idle in July": _agreement([p for p in pairs if p[0].pattern != "idle"])}


def _agreement(pairs: list[Any]) -> dict[str, Any]:
    first, second = (Counter(pair[i].pattern for pair in pairs) for i in (0, 1))
    agreed = float(np.mean([a.pattern == b.pattern for a, b in pairs]))
    chance = sum(first[name] * second[name] for name in first) / len(pairs) ** 2
    sure = [a.pattern == b.pattern for a, b in pairs if min(a.probability, b.probability) >= 0.8]
    return {
        "machines": len(pairs),
        "agreement": agreed,
        "by chance": chance,
        "kappa": (agreed - chance) / (1.0 - chance),
        "agreement where both are sure (0.8)": [float(np.mean(sure)) if sure else None, len(sure)],
        "July": dict(first),
        "August": dict(second),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    began = time.process_time()
    model = UsageClassifier.fit(seed=asked.seed)
    figures: dict[str, Any] = {"fit CPU-s": round(time.process_time() - began, 2), "made": made(model, asked.seed)}
    if FLEET.is_file():
        figures |= {f"real, {column}": real(model, column) for column in ("cpu_pct", "cpu_pct_max")}
    else:
        print("no real traces: ../shared is not here")
    print(json.dumps(figures, indent=2))
    if asked.json:
        asked.json.write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
