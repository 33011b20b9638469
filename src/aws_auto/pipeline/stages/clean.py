"""Clean: take out what cannot be a measurement, and say what was taken out and why.

A value that is physically impossible is set to null and its original goes to the rejected table; a row without an
identity, a possible time or any value left goes there whole. Nothing is invented, interpolated or rescaled: a column
that looks like another unit is reported and left alone. Duplicates are merged later, by the door of `MetricFrame`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import polars as pl

from aws_auto.errors import SchemaError
from aws_auto.frame import KEYS, RESOURCE, TIME_DTYPE, TIMESTAMP, Metric, parsed_times, unzoned
from aws_auto.pipeline.stages.report import REJECTED, Finding, Level, Staged, StageReport, all_rejects, counted
from aws_auto.pipeline.stages.rules import Range, Rules
from aws_auto.pipeline.stages.suspect import suspicions

if TYPE_CHECKING:
    from datetime import datetime

STAGE = "clean"
_GIVEN, _UNCLEAR = "_timestamp_as_given", "_timestamp_unclear"


class _Step(NamedTuple):
    rows: pl.DataFrame
    rejected: tuple[pl.DataFrame, ...] = ()
    findings: tuple[Finding, ...] = ()


def clean(rows: pl.DataFrame, *, now: datetime, rules: Rules | None = None) -> Staged:
    """Rows that can be measurements, in the order given.

    Args:
        rows: ``resource_id``, ``timestamp`` and one column per metric; text is allowed where a number or time is meant.
        now: the present; later timestamps than ``now + rules.future`` are rejected.
        rules: ranges and limits.

    Raises:
        SchemaError: a key column is missing, or ``timestamp`` holds neither times nor text.
    """
    rules = rules or Rules()
    _check_keys(rows)
    steps = [_identified(rows)]
    steps.append(_timed(steps[-1].rows, now=now, rules=rules))
    steps.append(_numbered(steps[-1].rows))
    steps.append(_in_range(steps[-1].rows, rules=rules))
    steps.append(_with_values(steps[-1].rows))
    rejected = all_rejects(part for step in steps for part in step.rejected)
    kept = steps[-1].rows
    findings = (*(f for step in steps for f in step.findings), *suspicions(kept))
    report = StageReport(stage=STAGE, rows_in=len(rows), rows_out=len(kept), rejected=len(rejected), findings=findings)
    return Staged(kept, rejected, report)


def _check_keys(rows: pl.DataFrame) -> None:
    missing = [key for key in KEYS if key not in rows.columns]
    if missing:
        raise SchemaError(
            f"column{'s' if len(missing) > 1 else ''} {', '.join(missing)} missing; "
            f"there: {', '.join(rows.columns) or 'none'}",
            hint="rename your columns to resource_id and timestamp",
        )
    dtype = rows.schema[TIMESTAMP]
    if not isinstance(dtype, pl.Datetime) and dtype not in (pl.String, pl.Date, pl.Null):
        raise SchemaError(
            f"holds {dtype}, not times",
            where=TIMESTAMP,
            hint="write ISO 8601; of a number nobody knows whether it counts seconds or milliseconds",
        )


def _identified(rows: pl.DataFrame) -> _Step:
    """Ids and other text without blanks around them; rows without an id are rejected."""
    rows = rows.with_columns(pl.col(RESOURCE).cast(pl.String))
    text = [name for name, dtype in rows.schema.items() if dtype == pl.String and name != TIMESTAMP]
    stripped = rows.with_columns(pl.col(text).str.strip_chars().replace("", None))
    findings = []
    for name in text:
        count = int((rows[name].str.strip_chars() != rows[name]).sum())
        if count:
            findings.append(
                Finding(
                    code="trimmed",
                    level=Level.NOTE,
                    column=name,
                    count=count,
                    text=f"blanks around {counted(count, 'value')} of {name} were removed",
                )
            )
    return _without_rows(stripped, pl.col(RESOURCE).is_null(), RESOURCE, "the row names no resource", findings)


def _timed(rows: pl.DataFrame, *, now: datetime, rules: Rules) -> _Step:
    """Timestamps in UTC; rows without a possible time are rejected."""
    findings = []
    time = given = rows[TIMESTAMP]
    unclear = pl.Series([False]).new_from_index(0, len(rows))
    if time.dtype in (pl.String, pl.Null):
        text = time.cast(pl.String)
        time, unclear = parsed_times(text), unzoned(text)
    if time.dtype == pl.Date:
        time = time.cast(pl.Datetime("us"))
    assert isinstance(time.dtype, pl.Datetime)  # noqa: S101 - whatever else it can be was refused
    if time.dtype.time_zone is None:
        time = time.dt.replace_time_zone("UTC")
        findings.append(
            Finding(
                code="naive-times",
                level=Level.NOTE,
                column=TIMESTAMP,
                count=len(rows),
                text="timestamps carry no time zone and were read as UTC",
            )
        )
    rows = rows.with_columns(time.dt.convert_time_zone("UTC").cast(TIME_DTYPE).alias(TIMESTAMP))
    # The time as it came is kept for the quarantine: once parsed, a bad one is only a null.
    rows = rows.with_columns(given.alias(_GIVEN), unclear.alias(_UNCLEAR))
    late = pl.lit(now + rules.future).cast(TIME_DTYPE)
    early = pl.lit(rules.earliest).cast(TIME_DTYPE)
    steps = [
        step := _without_rows(rows, pl.col(_UNCLEAR), TIMESTAMP, "the time has no zone, and others have one"),
        step := _without_rows(step.rows, pl.col(TIMESTAMP).is_null(), TIMESTAMP, "the time is missing or not a time"),
        step := _without_rows(step.rows, pl.col(TIMESTAMP) > late, TIMESTAMP, "the time lies in the future"),
        step := _without_rows(
            step.rows, pl.col(TIMESTAMP) < early, TIMESTAMP, f"the time lies before {rules.earliest:%Y}"
        ),
    ]
    return _Step(
        step.rows.drop(_GIVEN, _UNCLEAR),
        tuple(part for s in steps for part in s.rejected),
        (*findings, *(f for s in steps for f in s.findings)),
    )


def _numbered(rows: pl.DataFrame) -> _Step:
    """Metrics as finite Float64; NaN becomes null, text and infinities are rejected."""
    step = _Step(rows)
    for name, dtype in rows.schema.items():
        if name in KEYS or not (dtype.is_numeric() or Metric.named(name).unit != "None"):
            continue
        if not dtype.is_numeric():
            number = pl.col(name).cast(pl.String).cast(pl.Float64, strict=False)
            step = _without_values(step, name, number.is_null(), "not a number")
            step = step._replace(rows=step.rows.with_columns(number))
        step = step._replace(rows=step.rows.with_columns(pl.col(name).cast(pl.Float64)))
        nans = int(step.rows[name].is_nan().sum())
        if nans:
            finding = Finding(
                code="nan",
                level=Level.NOTE,
                column=name,
                count=nans,
                text=f"{counted(nans, 'NaN value')} of {name} became null",
            )
            step = _Step(step.rows.with_columns(pl.col(name).fill_nan(None)), step.rejected, (*step.findings, finding))
        step = _without_values(step, name, pl.col(name).is_infinite(), "not finite")
    return step


def _in_range(rows: pl.DataFrame, *, rules: Rules) -> _Step:
    """Values that the metric can have: noise at a limit is set to the limit, what is far outside is rejected."""
    step = _Step(rows)
    for name, dtype in rows.schema.items():
        limits = rules.range_of(name) if name not in KEYS and dtype.is_numeric() else None
        if limits:
            step = _bounded(step, name, limits)
    return step


def _bounded(step: _Step, name: str, limits: Range) -> _Step:
    value, unit = pl.col(name), Metric.named(name).unit
    counter = unit in ("Count", "Bytes")
    low = f"below {limits.low:g}: {'a counter that was reset looks like this' if counter else 'impossible'}"
    step = _without_values(step, name, value < limits.low - limits.slack, low)
    if limits.high is None:
        return _clipped(step, name, limits)
    top = pl.lit(limits.high + limits.slack)
    if limits.ceiling is not None:
        kept = pl.lit(value=True)
        if limits.kept_for:
            known = "resource_type" in step.rows.columns
            kept = (
                pl.col("resource_type").is_in(limits.kept_for).fill_null(value=False) if known else pl.lit(value=False)
            )
        top = pl.when(kept).then(limits.ceiling).otherwise(top)
        step = _without_values(
            step, name, value > top, f"far above {limits.high:g} {unit}: impossible, or another unit"
        )
        return _flagged(_clipped(step, name, limits, unless=kept), name, limits)
    step = _without_values(step, name, value > top, f"above {limits.high:g} {unit}: impossible")
    return _clipped(step, name, limits)


def _clipped(step: _Step, name: str, limits: Range, unless: pl.Expr | None = None) -> _Step:
    """Rounding noise at a limit becomes the limit; with ``unless`` only the lower limit cuts where it is true."""
    value = pl.col(name)
    upper = value.clip(upper_bound=limits.high) if limits.high is not None else value
    if unless is not None:
        upper = pl.when(unless).then(value).otherwise(upper)
    fixed = step.rows.select(upper.clip(lower_bound=limits.low).alias(name)).to_series()
    count = int((fixed != step.rows[name]).sum())
    if not count:
        return step
    high = f" to {limits.high:g}" if limits.high is not None else ""
    finding = Finding(
        code="clipped",
        level=Level.NOTE,
        column=name,
        count=count,
        text=f"{counted(count, 'value')} of {name} just outside the range from {limits.low:g}{high} "
        f"(by at most {limits.slack:g}) became its nearest end",
    )
    return _Step(step.rows.with_columns(fixed), step.rejected, (*step.findings, finding))


def _flagged(step: _Step, name: str, limits: Range) -> _Step:
    values = step.rows[name].drop_nulls()
    above = values.filter(values > limits.high)
    if above.is_empty():
        return step
    top, share = float(above.max() or 0.0), len(above) / len(values)  # type: ignore[arg-type] # a float column
    finding = Finding(
        code="above-capacity",
        level=Level.NOTE,
        column=name,
        count=len(above),
        observed=top,
        threshold=limits.high,
        text=f"{counted(len(above), 'value')} of {name} ({share:.1%}) above {limits.high:g}, the highest {top:.1f}, "
        "kept: load above the nominal capacity is real",
    )
    return step._replace(findings=(*step.findings, finding))


def _with_values(rows: pl.DataFrame) -> _Step:
    """Rows that hold at least one value; a table without metric columns is left to `validate`."""
    metrics = [name for name, dtype in rows.schema.items() if name not in KEYS and dtype.is_numeric()]
    if not metrics:
        return _Step(rows)
    empty = pl.all_horizontal(pl.col(metrics).is_null())
    return _without_rows(rows, empty, "*", "no metric of the row has a value that can be used")


def _without_rows(
    rows: pl.DataFrame, bad: pl.Expr, column: str, reason: str, findings: list[Finding] | None = None
) -> _Step:
    """The rows that are not bad; the bad ones whole, as JSON."""
    said = list(findings or ())
    marked = rows.select(bad.fill_null(value=False).alias("bad")).to_series()
    if not marked.any():
        return _Step(rows, (), tuple(said))
    out = rows.filter(marked)
    given = out.with_columns(pl.col(_GIVEN).alias(TIMESTAMP)).drop(_GIVEN, _UNCLEAR) if _GIVEN in out.columns else out
    time = pl.col(TIMESTAMP) if out.schema[TIMESTAMP] == TIME_DTYPE else pl.lit(None)
    rejected = out.select(
        pl.col(RESOURCE),
        time.cast(TIME_DTYPE).alias(TIMESTAMP),
        column=pl.lit(column),
        value=_as_json(given),
        reason=pl.lit(reason),
        stage=pl.lit(STAGE),
    ).cast(REJECTED)
    said.append(_rejection(column, len(out), len(rows), "rows", reason))
    return _Step(rows.filter(~marked), (rejected,), tuple(said))


def _as_json(rows: pl.DataFrame) -> pl.Series:
    """Each row as JSON. Columns with values that JSON has no number for (NaN, infinity) are written as text."""
    odd = [c.name for c in rows if c.dtype.is_float() and not c.is_finite().all()]
    return rows.with_columns(pl.col(odd).cast(pl.String)).select(pl.struct(pl.all()).struct.json_encode()).to_series()


def _without_values(step: _Step, name: str, bad: pl.Expr, reason: str) -> _Step:
    """The rows with bad values of one column set to null; the bad ones with their keys."""
    rows = step.rows
    marked = rows.select((bad & pl.col(name).is_not_null()).fill_null(value=False).alias("bad")).to_series()
    if not marked.any():
        return step
    rejected = rows.filter(marked).select(
        *KEYS,
        column=pl.lit(name),
        value=pl.col(name).cast(pl.String),
        reason=pl.lit(reason),
        stage=pl.lit(STAGE),
    )
    kept = rows.with_columns(pl.when(marked).then(None).otherwise(pl.col(name)).alias(name))
    finding = _rejection(name, len(rejected), rows[name].count(), "values", reason)
    return _Step(kept, (*step.rejected, rejected.cast(REJECTED)), (*step.findings, finding))


def _rejection(column: str, count: int, of: int, what: str, reason: str) -> Finding:
    subject = f"{count} of {of} {what}" + (f" of {column}" if what == "values" else "")
    return Finding(
        code="rejected",
        level=Level.WARNING,
        column=column,
        count=count,
        text=f"{subject} went to the quarantine: {reason}",
    )
