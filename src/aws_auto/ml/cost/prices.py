"""What an EC2 instance type is and costs: a table of facts, each with its source and date.

The table holds on-demand Linux prices of us-east-1 only. A rate that is not in it is unknown and stays unknown: no
region is scaled from another, no discount is assumed. docs/data-sources.md attributes the figures.
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from importlib.resources import files
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    import polars as pl

#: The one region whose prices are known here.
REGION = "us-east-1"

_SIZE = re.compile(r"\.[a-z0-9-]+$")
_COMMENT = "#"


@dataclass(frozen=True, kw_only=True)
class Price:
    """One instance type in one region.

    Attributes:
        instance_type: such as ``m5.large``.
        region: where the price holds.
        usd_per_hour: on-demand, Linux, shared tenancy.
        as_of: the day on which the source had this price.
        source: where it comes from, with licence.
        vcpu: virtual CPUs; None, like the other attributes, where the sources do not say (22 retired types).
        memory_gib: memory.
        architecture: ``x86_64`` or ``arm64``.
        generation: the number in the family name, 5 for m5.
        gpus: graphics processors, 0 for none.
    """

    instance_type: str
    region: str
    usd_per_hour: float
    as_of: date
    source: str
    vcpu: int | None = None
    memory_gib: float | None = None
    architecture: str | None = None
    generation: int | None = None
    gpus: int | None = None

    @property
    def family(self) -> str:
        """``m5`` for ``m5.large``."""
        return family(self.instance_type)

    @property
    def burstable(self) -> bool:
        """True for the t families, whose CPU is a share with credits."""
        return re.match(r"t\d", self.instance_type) is not None


def lookup(instance_type: str, region: str | None) -> Price | None:
    """The price of that type there, or None where it is not known.

    ``db.m5.large`` and ``ml.m5.large`` are other products with other prices; they are not known here.
    """
    return table().get(instance_type) if region == REGION else None


def family(instance_type: str) -> str:
    """Everything before the size: ``m5`` for ``m5.large``, ``db.m5`` for ``db.m5.large``."""
    return _SIZE.sub("", instance_type)


@lru_cache(maxsize=1)
def table() -> Mapping[str, Price]:
    """Every known price of us-east-1, by instance type, sorted."""
    text = files("aws_auto.ml.cost").joinpath("ec2_on_demand.csv").read_text(encoding="utf-8")
    lines = text.splitlines()
    sources = dict(_sources(lines))
    rows = csv.DictReader(line for line in lines if not line.startswith(_COMMENT))
    return MappingProxyType({row["instance_type"]: _price(row, sources) for row in rows})


def frame() -> pl.DataFrame:
    """The table as a frame, for joins: the fields of `Price` and ``family``."""
    import polars as pl

    prices = table().values()
    return pl.DataFrame(
        {
            "instance_type": [p.instance_type for p in prices],
            "family": [p.family for p in prices],
            "region": [p.region for p in prices],
            "vcpu": pl.Series([p.vcpu for p in prices], dtype=pl.Int64),
            "memory_gib": pl.Series([p.memory_gib for p in prices], dtype=pl.Float64),
            "architecture": [p.architecture for p in prices],
            "generation": pl.Series([p.generation for p in prices], dtype=pl.Int64),
            "gpus": pl.Series([p.gpus for p in prices], dtype=pl.Int64),
            "burstable": [p.burstable for p in prices],
            "usd_per_hour": [p.usd_per_hour for p in prices],
            "as_of": [p.as_of for p in prices],
            "source": [p.source for p in prices],
        }
    )


def _sources(lines: list[str]) -> list[tuple[str, str]]:
    """``# source k: karpenter ...`` as (key, text)."""
    marked = (re.match(r"# source (\w+): (.+)", line) for line in lines if line.startswith(_COMMENT))
    return [(m.group(1), m.group(2)) for m in marked if m]


def _price(row: Mapping[str, str], sources: Mapping[str, str]) -> Price:
    return Price(
        instance_type=row["instance_type"],
        region=REGION,
        usd_per_hour=float(row["usd_per_hour"]),
        as_of=date.fromisoformat(row["as_of"]),
        source=sources[row["source"]],
        vcpu=int(row["vcpu"]) if row["vcpu"] else None,
        memory_gib=float(row["memory_gib"]) if row["memory_gib"] else None,
        architecture=row["arch"] or None,
        generation=int(row["generation"]) if row["generation"] else None,
        gpus=int(row["gpus"]) if row["gpus"] else None,
    )
