"""CPU, memory and correctness of reading a bill of a million line items (October 2018, nine times).

    python bench/bills.py [--copies 9] [--json FILE]

Needs the development data beside the checkout; reads Parquet and CSV through the `cur` source.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from aws_auto.pipeline.local.sources import CurSource
from aws_auto.pipeline.ports import Window

CUR = Path(__file__).parents[1] / ".." / "shared" / "data" / "billing" / "cur"
OCTOBER = Window(datetime(2018, 10, 1, tzinfo=UTC), datetime(2018, 11, 1, tzinfo=UTC))


def measure(path: str) -> dict[str, float | int]:
    """Pull that file; peak memory is the process's, so each file gets a process of its own."""
    began = time.process_time()
    (batch,) = CurSource(path).pull(OCTOBER)
    return {
        "rows": len(batch.rows),
        "billed_usd": round(batch.rows["billed_cost"].sum(), 2),
        "cpu_s": round(time.process_time() - began, 2),
        "peak_gib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2),
    }


def compare(copies: int) -> dict[str, dict[str, float | int]]:
    """The bill, ``copies`` times, as Parquet and as CSV."""
    (source,) = CUR.glob("*.parquet")
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        once = pl.read_parquet(source)
        big = pl.concat([once] * copies)
        expected = round(copies * once["line_item_unblended_cost"].sum(), 2)
        big.write_parquet(f"{folder}/bill.parquet")
        big.write_csv(f"{folder}/bill.csv")
        for name in ("bill.parquet", "bill.csv"):
            run = subprocess.run(
                [sys.executable, __file__, "--measure", f"{folder}/{name}"], check=True, capture_output=True, text=True
            )
            found[name] = json.loads(run.stdout)
            assert abs(found[name]["billed_usd"] - expected) < 0.02, (found[name], expected)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--copies", type=int, default=9)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(options.measure)))
        return
    if not CUR.is_dir():
        sys.exit("the development data is not beside the checkout")
    found = compare(options.copies)
    for name, figures in found.items():
        print(name.ljust(14), "  ".join(f"{key} {value:,}" for key, value in figures.items()))
    if options.json:
        options.json.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
