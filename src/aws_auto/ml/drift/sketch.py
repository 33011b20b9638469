"""Histograms from which every distance between two samples is read at once.

A column of the reference becomes at most 100 bins (quantiles for numbers, categories for text, the rare ones lumped).
KS, Jensen-Shannon, PSI and Wasserstein then cost one count per sample instead of a sort each.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

BINS = 100
#: Below this share a category is lumped with the other rare ones: a hundred rare categories always "drift" otherwise.
RARE = 0.01
#: Floor of a share inside PSI's logarithm, as usual in the field.
PSI_FLOOR = 1e-4
#: PSI is read on ten bins, as its usual thresholds of 0.1 and 0.2 assume.
PSI_BINS = 10
#: Quantiles of more values than this are taken from an even sample of them.
SAMPLE = 50_000


@dataclass(frozen=True)
class NumberBins:
    """Quantile bins of a numeric column: ``edges`` part them, ``widths`` is the distance between neighbours' means."""

    edges: Floats
    widths: Floats

    @classmethod
    def of(cls, reference: Floats, current: Floats) -> NumberBins:
        """Bins of about equal counts of the reference, and one on either side for what lies outside its range."""
        some = reference[:: max(1, len(reference) // SAMPLE)]
        inner = np.quantile(some, np.linspace(0, 1, BINS + 1)[1:-1])
        low, high = np.nextafter(reference.min(), -np.inf), reference.max()
        edges = np.unique(np.concatenate([[low], inner[inner < high], [high]]))
        both = np.concatenate([reference, current])
        where = np.searchsorted(edges, both)
        size = np.bincount(where, minlength=len(edges) + 1)
        total = np.bincount(where, weights=both, minlength=len(edges) + 1)
        means = np.where(size > 0, total / np.maximum(size, 1), np.concatenate([edges, edges[-1:]]))
        return cls(edges, np.maximum(np.diff(means), 0.0))

    def index(self, values: Floats) -> Ints:
        """The bin of each value."""
        return np.searchsorted(self.edges, values).astype(np.int64)

    def __len__(self) -> int:
        return len(self.edges) + 1


@dataclass(frozen=True)
class TextBins:
    """The common categories of a text column, and one bin for all others."""

    common: tuple[str, ...]

    @classmethod
    def of(cls, values: pl.Series) -> TextBins:
        """Categories with a share of at least `RARE`, the commonest `BINS` - 1 of them."""
        counts = values.value_counts(sort=True).rename({values.name: "value"})
        kept = counts.filter(pl.col("count") >= RARE * len(values)).head(BINS - 1)
        return cls(tuple(kept["value"].to_list()))

    def index(self, values: pl.Series) -> Ints:
        """The bin of each value; unknown and rare ones share the last."""
        codes = {value: code for code, value in enumerate(self.common)}
        return values.replace_strict(codes, default=len(codes), return_dtype=pl.Int64).to_numpy().astype(np.int64)

    def __len__(self) -> int:
        return len(self.common) + 1


def wasserstein(p: Floats, q: Floats, widths: Floats) -> Floats:
    """Earth mover's distance between histograms (last axis: bins), in units of the column."""
    gap = np.abs(np.cumsum(p - q, axis=-1))[..., :-1]
    return np.asarray(gap @ widths, dtype=np.float64)


def jensen_shannon(p: Floats, q: Floats) -> Floats:
    """Square root of the Jensen-Shannon divergence in bits (Lin 1991): 0 for equal, 1 for disjoint histograms."""
    middle = (p + q) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        left = np.where(p > 0, p * np.log2(p / middle), 0.0).sum(axis=-1)
        right = np.where(q > 0, q * np.log2(q / middle), 0.0).sum(axis=-1)
    return np.asarray(np.sqrt(np.maximum((left + right) / 2, 0.0)))


def psi(p: Floats, q: Floats) -> float:
    """Population stability index between two histograms, neighbouring bins of `p` joined to ten of equal share."""
    group = np.minimum((np.cumsum(p) - p / 2) * PSI_BINS, PSI_BINS - 1).astype(np.int64)
    a, b = (np.maximum(np.bincount(group, weights=h, minlength=PSI_BINS), PSI_FLOOR) for h in (p, q))
    return float(((a - b) * np.log(a / b)).sum())


def kolmogorov_smirnov(p: Floats, q: Floats) -> float:
    """Largest distance between the two cumulative histograms."""
    return float(np.abs(np.cumsum(p - q)).max())
