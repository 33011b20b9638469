"""The four feature lists of the specification for one table: every feature computed, or said why it is unavailable."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aws_auto.frame import RESOURCE, TIMESTAMP, MetricFrame, to_polars
from aws_auto.ml.cost.bill import COLUMNS
from aws_auto.ml.features.assemble import build_cost_features
from aws_auto.ml.features.feature_set import FeatureSet, cost_features

if TYPE_CHECKING:
    from collections.abc import Iterator

    import polars as pl


@dataclass(frozen=True, eq=False)
class CostFeatures(Mapping[str, "pl.DataFrame"]):
    """``temporal_features``, ``usage_features``, ``cost_features`` and ``infrastructure_features`` as tables.

    Each table starts with ``resource_id`` and ``timestamp``. A feature that cannot be computed is no column of zeros:
    it is not there, and `unavailable` says why.

    Attributes:
        frame: the metrics that they are made of.
        bill: the bill beside them, in the words of `aws_auto.ml.cost.bill`; None without one.
        given: the table as the caller gave it, so that answers can be of the same kind.
        tables: by list.
        available: by list and feature, whether it is there.
        unavailable: by feature, why it is not.
    """

    frame: MetricFrame
    bill: pl.DataFrame | None
    given: Any
    tables: Mapping[str, pl.DataFrame]
    available: Mapping[str, Mapping[str, bool]]
    unavailable: Mapping[str, str]

    @classmethod
    def of(cls, data: Any, *, bill: Any = None) -> CostFeatures:  # noqa: ANN401 - pandas must not be imported to be named
        """Compute all four lists.

        Args:
            data: pandas or Polars, or a `MetricFrame`, with ``resource_id``, ``timestamp`` and metrics.
            bill: the bill of the same account, as exported or in our words; None without one.

        Raises:
            SchemaError: a key column is missing, or the bill is of no known format.
        """
        frame = MetricFrame.of(data)
        columns = frame.data.columns
        reasons = dict(FeatureSet().for_lists(tuple(cost_features)).unavailable(columns))
        tables = {}
        for name, wanted in cost_features.items():
            table = build_cost_features(frame, name)
            empty = [f for f in wanted if f in table.columns and not table[f].count()]
            reasons |= dict.fromkeys(empty, "has no value in these rows")
            tables[name] = table.drop(empty)
        available = {
            name: {feature: feature in tables[name].columns for feature in wanted}
            for name, wanted in cost_features.items()
        }
        return cls(frame, None if bill is None else bill_rows(bill), data, tables, available, reasons)

    def __getitem__(self, name: str) -> pl.DataFrame:
        """The table of that list."""
        return self.tables[name]

    def __iter__(self) -> Iterator[str]:
        """Names of the lists."""
        return iter(self.tables)

    def __len__(self) -> int:
        """Four."""
        return len(self.tables)

    def columns(self) -> tuple[str, ...]:
        """Every feature that is there."""
        return tuple(c for table in self.tables.values() for c in table.columns if c not in (RESOURCE, TIMESTAMP))


def bill_rows(bill: Any) -> pl.DataFrame:  # noqa: ANN401 - pandas must not be imported to be named
    """The bill in the words of `aws_auto.ml.cost.bill`, from any known format.

    Raises:
        SchemaError: the format is not known.
    """
    from aws_auto.ml.cost.normalise import normalise

    table = to_polars(bill)
    return table if set(COLUMNS) <= set(table.columns) else normalise(table).rows
