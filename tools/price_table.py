"""Makes src/aws_auto/ml/cost/ec2_on_demand.csv: facts about EC2 instance types, each with its source and date.

    python tools/price_table.py ../shared/data/prices            # write the table
    python tools/price_table.py ../shared/data/prices --check    # exit 1 when the table is not what the sources say

Only facts are taken (type, vCPUs, memory, architecture, generation, GPUs, on-demand Linux price in us-east-1); the
format is ours. docs/data-sources.md attributes them.
"""

from __future__ import annotations

import argparse
import csv
import io
import sys
from pathlib import Path

TABLE = Path(__file__).parents[1] / "src/aws_auto/ml/cost/ec2_on_demand.csv"
PRICES = "ec2_ondemand_linux_karpenter.csv"
ATTRIBUTES = "ec2_instance_attributes_karpenter.csv"
REGION = "us-east-1"
ARCHITECTURES = {"amd64": "x86_64", "arm64": "arm64", "": ""}

HEAD = """\
# On-demand Linux prices of EC2 instance types in us-east-1, USD per hour, and what each type is.
# Made by tools/price_table.py.
# source k: karpenter-provider-aws 1d927085, Apache-2.0, Copyright Amazon.com, Inc. or its affiliates
"""
COLUMNS = ("instance_type", "vcpu", "memory_gib", "arch", "generation", "gpus", "usd_per_hour", "as_of", "source")


def table(folder: Path) -> str:
    """The table as text, sorted by type; an attribute that the sources do not give is empty."""
    attributes = {row["instance_type"]: row for row in _rows(folder / ATTRIBUTES)}
    out = io.StringIO()
    out.write(HEAD)
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for price in sorted(_rows(folder / PRICES), key=lambda row: row["instance_type"]):
        if price["region"] != REGION:
            continue
        known = attributes.get(price["instance_type"], {})
        memory = known.get("memory")
        writer.writerow(
            (
                price["instance_type"],
                known.get("cpu", ""),
                f"{round(int(memory) / 1024, 2):.10g}" if memory else "",
                ARCHITECTURES[known.get("arch", "")],
                known.get("generation", ""),
                (known.get("gpu-count") or "0") if known else "",
                price["usd_per_hour_or_local_currency"],
                price["generated"],
                "k",
            )
        )
    return out.getvalue()


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def main() -> int:
    """Write or check the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="folder with the price and attribute files")
    parser.add_argument("--check", action="store_true", help="compare only")
    options = parser.parse_args()
    text = table(options.folder)
    if options.check:
        return int(text != TABLE.read_text(encoding="utf-8"))
    TABLE.write_text(text, encoding="utf-8")
    sys.stdout.write(f"{TABLE}: {len(text.splitlines()) - 4} types, {len(text.encode())} bytes\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
