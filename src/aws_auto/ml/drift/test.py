"""The drift test: block-calibrated, season-aware, with control over many columns.

Operations metrics are autocorrelated and seasonal, so tests made for independent rows cry wolf: on a healthy day of an
AR(0.9) metric with a daily cycle KS at 5 % alarms in 75 % and PSI > 0.1 in 65 % of cases (``bench/drift.py``). Here the
question is whether the current window differs from the reference by more than contiguous blocks of the same length,
taken from the reference itself, differ from the rest of it:

1. a resource's hour-of-week median (hour of day below two weeks) is taken from its values, and its own spread
   divides them, so that neither the time of day nor a large resource decides;
2. the distance (Wasserstein in standard deviations for numbers, Jensen-Shannon for text) of the current window is
   compared with those of all blocks: the p-value is that of a prediction from the log-distances (Student's t with the
   number of disjoint blocks);
3. Benjamini and Hochberg (1995) over the columns at 5 %, and a minimum effect of 0.1: a difference that is certain
   but small is no drift.

Where the reference is shorter than eight current windows there are too few blocks; then a Kolmogorov-Smirnov test on
the effective sample size (Geyer 1992) decides, and the note of the column says so.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from aws_auto.frame import KEYS, RESOURCE, TIMESTAMP
from aws_auto.ml.drift.sketch import (
    Floats,
    Ints,
    NumberBins,
    TextBins,
    jensen_shannon,
    kolmogorov_smirnov,
    psi,
    wasserstein,
)
from aws_auto.results import ColumnDrift, DriftReport

#: A block starts every eighth of its length.
STEPS = 8
#: Standardised values are cut here: a resource that was constant and moved counts as ten deviations, not as infinity.
FARTHEST = 10.0
#: Rows from which the autocorrelation time is read; more add cost, not truth.
STRETCH = 2**15


@dataclass(frozen=True, kw_only=True)
class BlockDriftTest:
    """The test of this module's docstring, as a `aws_auto.protocols.DriftTest`.

    Attributes:
        level: false-discovery rate over the columns.
        effect: least distance that counts (standard deviations; Jensen-Shannon for text).
        least: fewer current values than this are not judged.
        seasonal: take the hour-of-week median out first.
    """

    level: float = 0.05
    effect: float = 0.1
    least: int = 200
    seasonal: bool = True

    def compare(self, reference: pl.DataFrame, current: pl.DataFrame) -> DriftReport:
        """Judge every column that both frames have; ``resource_id`` and ``timestamp`` are used when there.

        Without timestamps the rows count as ordered in time.
        """
        spans = _Spans.of(reference, current)
        standard = _Standard.of(reference, current, seasonal=self.seasonal)
        judged, skipped = [], {}
        for name in reference.columns:
            if name in KEYS or name not in current.columns:
                continue
            try:
                judged.append(self._column(reference[name], current[name], spans, standard))
            except _NotJudged as reason:
                skipped[name] = str(reason)
        return DriftReport(columns=_discoveries(judged, self.level, self.effect), not_judged=skipped)

    def _column(self, past: pl.Series, now: pl.Series, spans: _Spans, standard: _Standard) -> ColumnDrift:
        present = past.is_not_null().to_numpy()
        n_r, n_c = int(present.sum()), len(now) - now.null_count()
        if n_c < self.least or n_r < self.least:
            raise _NotJudged(
                f"{n_c} current and {n_r} reference values, at least {self.least} of each are needed;"
                " a longer window holds more"
            )
        bins: NumberBins | TextBins
        if past.dtype.is_numeric():
            x, y = standard.free(past, now)
            y = y[~np.isnan(y)]
            if len(y) < self.least:
                raise _NotJudged("the reference does not know the current resources")
            bins = NumberBins.of(x, y)
            i_r, i_c = bins.index(x), bins.index(y)
        else:
            then, since = past.drop_nulls().cast(pl.String), now.drop_nulls().cast(pl.String)
            bins = TextBins.of(then)
            i_r, i_c = bins.index(then), bins.index(since)
        p = np.bincount(i_r, minlength=len(bins)) / len(i_r)
        q = np.bincount(i_c, minlength=len(bins)) / len(i_c)
        distance = float(_distance(p, q, bins))
        blocks = spans.blocks(i_r, present, len(bins))
        if blocks is not None:
            own = _distance(blocks.inside, blocks.outside, bins)
            p_value, threshold, note = (*_prediction(distance, own, blocks.disjoint, self.level), "")
        else:
            codes_r, codes_c = i_r.astype(np.float64), i_c.astype(np.float64)
            effective = 1 / (1 / _effective_size(codes_r) + 1 / _effective_size(codes_c))
            p_value = _kolmogorov(kolmogorov_smirnov(p, q) * np.sqrt(effective))
            threshold = self.effect
            note = "reference shorter than eight windows: Kolmogorov-Smirnov on the effective sample size"
        return ColumnDrift(
            column=past.name,
            distance=distance,
            threshold=max(threshold, self.effect),
            p_value=p_value,
            drifted=False,
            n_reference=len(i_r),
            n_current=len(i_c),
            note=note,
            psi=psi(p, q),
            js=float(jensen_shannon(p, q)),
            ks=kolmogorov_smirnov(p, q),
        )


class _NotJudged(Exception):
    """Why a column cannot be judged."""


@dataclass(frozen=True)
class _Blocks:
    inside: Floats
    outside: Floats
    disjoint: int


@dataclass(frozen=True)
class _Spans:
    """The slot in time of every reference row; `STEPS` slots are as long as the current window."""

    slots: Ints

    @classmethod
    def of(cls, reference: pl.DataFrame, current: pl.DataFrame) -> _Spans:
        if TIMESTAMP in reference.columns and TIMESTAMP in current.columns:
            times, now = (f[TIMESTAMP].to_physical().to_numpy().astype(np.int64) for f in (reference, current))
            step = _period(times, reference)
            length = (int(now.max() - now.min()) + step) if len(now) else step
            start = int(times.min()) if len(times) else 0
            return cls(((times - start) * STEPS) // max(length, STEPS))
        length = max(len(current), STEPS)
        return cls((np.arange(len(reference), dtype=np.int64) * STEPS) // length)

    def blocks(self, bins: Ints, present: np.typing.NDArray[np.bool_], width: int) -> _Blocks | None:
        """Histograms of every block and of what lies outside it, or None when there are fewer than eight windows."""
        slots = self.slots[present]
        if not len(slots) or slots.max() + 1 < STEPS * STEPS:
            return None
        n = int(slots.max()) + 1
        counts = np.bincount(slots * width + bins, minlength=n * width).reshape(n, width)
        upto = np.concatenate([np.zeros((1, width)), counts.cumsum(axis=0)])
        inside = upto[STEPS:] - upto[:-STEPS]
        size = inside.sum(axis=1)
        full = size >= 0.5 * np.median(size[size > 0])  # a block that is mostly gap says nothing
        inside, outside = inside[full], upto[-1] - inside[full]
        return _Blocks(
            inside / inside.sum(axis=1, keepdims=True),
            outside / outside.sum(axis=1, keepdims=True),
            max(int(full.sum()) // STEPS, 2),
        )


def _distance(p: Floats, q: Floats, bins: NumberBins | TextBins) -> Floats:
    return wasserstein(p, q, bins.widths) if isinstance(bins, NumberBins) else jensen_shannon(p, q)


def _prediction(distance: float, own: Floats, disjoint: int, level: float) -> tuple[float, float]:
    """P(a further block lies as far out), and the distance where that is ``level``, from the blocks' log-distances."""
    from scipy.special import stdtr, stdtrit

    logs = np.log(np.maximum(own, 1e-12))
    spread = max(float(logs.std(ddof=1)) * np.sqrt(1 + 1 / disjoint), 1e-6)
    score = (np.log(max(distance, 1e-12)) - logs.mean()) / spread
    freedom = disjoint - 1
    threshold = float(np.exp(logs.mean() + spread * stdtrit(freedom, 1 - level)))
    return float(1 - stdtr(freedom, score)), threshold


def _discoveries(columns: list[ColumnDrift], level: float, effect: float) -> tuple[ColumnDrift, ...]:
    """Adjusted p-values (Benjamini and Hochberg) and the decision."""
    if not columns:
        return ()
    order = np.argsort([c.p_value for c in columns])
    n, adjusted, least = len(columns), [1.0] * len(columns), 1.0
    for rank in range(n - 1, -1, -1):
        k = int(order[rank])
        least = min(least, columns[k].p_value * n / (rank + 1))
        adjusted[k] = least
    return tuple(
        replace(c, p_value=p, drifted=p < level and c.distance >= effect)
        for c, p in zip(columns, adjusted, strict=True)
    )


@dataclass(frozen=True)
class _Standard:
    """Who and when each row is, so that a column can be freed of level, season and scale.

    A reference value is compared with the medians of the *other* weeks: compared with a median that it helped to make,
    the reference would look calmer than any future can be, and every healthy week would count as drift.
    """

    reference: pl.DataFrame
    current: pl.DataFrame
    seasonal: bool

    @classmethod
    def of(cls, reference: pl.DataFrame, current: pl.DataFrame, *, seasonal: bool) -> _Standard:
        timed = TIMESTAMP in reference.columns and TIMESTAMP in current.columns and len(reference) > 0
        days = _days(reference) if timed and seasonal else 0.0
        named = RESOURCE in reference.columns and RESOURCE in current.columns
        who = pl.col(RESOURCE) if named else pl.repeat("all", pl.len())
        hour, weekday = pl.col(TIMESTAMP).dt.hour().cast(pl.Int32), pl.col(TIMESTAMP).dt.weekday().cast(pl.Int32)
        start = reference[TIMESTAMP].min() if timed else None
        if days >= 14:
            cycle, season = 7 * 86_400, weekday * 24 + hour
        elif days >= 3:
            cycle, season = 86_400, hour
        else:
            return cls(reference.select(who=who), current.select(who=who), seasonal=False)
        turn = ((pl.col(TIMESTAMP) - pl.lit(start)).dt.total_seconds() // cycle).cast(pl.Int32)
        keys = {"who": who, "season": season, "turn": turn}
        return cls(reference.select(**keys), current.select(**keys), seasonal=True)

    def free(self, past: pl.Series, now: pl.Series) -> tuple[Floats, Floats]:
        """Both columns without nulls, standardised; NaN for current resources that the reference lacks."""
        x, y = (
            keys.with_columns(x=values.cast(pl.Float64)).filter(pl.col("x").is_not_null())
            for keys, values in ((self.reference, past), (self.current, now))
        )
        level = x.group_by("who").agg(level=pl.col("x").median())
        x, y = (f.join(level, on="who", how="left", maintain_order="left") for f in (x, y))
        if self.seasonal:
            x, y = self._without_season(x, y)
        x, y = (
            f.with_columns(x=pl.col("x") - pl.coalesce(*(c for c in ("usual", "level") if c in f.columns)))
            for f in (x, y)
        )
        spread = x.group_by("who").agg(spread=pl.col("x").std(), scale=pl.col("level").first().abs())
        least = 1e-9 * pl.max_horizontal("scale", pl.lit(1e-300))
        spread = spread.select("who", spread=pl.max_horizontal("spread", least))
        far = (
            f.join(spread, on="who", how="left", maintain_order="left").select(pl.col("x") / pl.col("spread"))["x"]
            for f in (x, y)
        )
        x_, y_ = (v.clip(-FARTHEST, FARTHEST).to_numpy().astype(np.float64) for v in far)
        return x_, y_

    def _without_season(self, x: pl.DataFrame, y: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
        turns = x.group_by("who", "season", "turn").agg(own=pl.col("x").median())
        others = (
            turns.select("who", "season", "turn")
            .join(turns, on=["who", "season"], suffix="_other")
            .filter(pl.col("turn") != pl.col("turn_other"))
            .group_by("who", "season", "turn")
            .agg(usual=pl.col("own").median())
        )
        usual = turns.group_by("who", "season").agg(usual=pl.col("own").median())
        return (
            x.join(others, on=["who", "season", "turn"], how="left", maintain_order="left"),
            y.join(usual, on=["who", "season"], how="left", maintain_order="left"),
        )


def _days(frame: pl.DataFrame) -> float:
    times = frame[TIMESTAMP].to_physical().to_numpy()
    return float(times.max() - times.min()) / 86_400e6


def _period(times: Ints, frame: pl.DataFrame) -> int:
    """Median step between distinct times, in microseconds."""
    distinct = frame[TIMESTAMP].unique().sort().to_physical().to_numpy().astype(np.int64)
    return int(np.median(np.diff(distinct))) if len(times) > 1 and len(distinct) > 1 else 1


def _effective_size(x: Floats) -> float:
    """N over the integrated autocorrelation time, by Geyer's initial positive sequence on a first stretch."""
    whole, x = len(x), x[:STRETCH]
    n = len(x)
    x = x - x.mean()
    spectrum = np.fft.rfft(x, 2 * n)
    covariance = np.fft.irfft(spectrum * np.conj(spectrum))[:n]
    if covariance[0] <= 0:
        return float(whole)
    rho = covariance / covariance[0]
    pairs = rho[1 : n - n % 2 : 2][: (n - 1) // 2] + rho[2::2][: (n - 1) // 2]
    stop = int(np.argmax(pairs <= 0)) if (pairs <= 0).any() else len(pairs)
    return max(2.0, whole / (1 + 2 * float(pairs[:stop].sum())))


def _kolmogorov(x: float) -> float:
    """Survival function of the Kolmogorov distribution."""
    from scipy.special import kolmogorov

    return float(kolmogorov(x))
