"""What a feature is: a name, the columns it needs, and a Polars expression over sorted, whole resources."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Collection


@dataclass(frozen=True)
class Feature:
    """One column to be computed.

    Attributes:
        name: column name, the specification's word where it has one.
        needs: columns of the frame without which it cannot be computed.
        expr: yields the column, aligned with the rows.
        derived: True when ``expr`` reads other features, so that it is computed after them.

    A name made by `hidden` is an intermediate that other features read and nobody else sees.
    """

    name: str
    needs: tuple[str, ...]
    expr: pl.Expr
    derived: bool = False

    def missing(self, columns: Collection[str]) -> tuple[str, ...]:
        """The needed columns that are not there."""
        return tuple(name for name in self.needs if name not in columns)


def ratio(numerator: pl.Expr, denominator: pl.Expr) -> pl.Expr:
    """The quotient, null where the denominator is zero: unknown, not infinite."""
    return pl.when(denominator != 0).then(numerator / denominator)


def hidden(name: str) -> str:
    """The name of an intermediate column, left out of the result."""
    return f"__{name}"


def is_hidden(name: str) -> bool:
    """Whether the name was made by `hidden`."""
    return name.startswith("__")
