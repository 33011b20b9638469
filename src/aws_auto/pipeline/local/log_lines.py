r"""Lines of log files as minutes: how many of each level, and how slow.

Three kinds of line are understood, also mixed in one file:

- JSON objects with a time (``timestamp``, ``time``, ``@timestamp``, ``ts``, ``datetime``: ISO 8601, or seconds or
  milliseconds since 1970), a level (``level``, ``severity``, ``levelname``, ``lvl``), and a latency in milliseconds
  (``latency_ms``, ``duration_ms``, ``response_time_ms``, ``elapsed_ms``);
- access logs, common or combined, with nginx's ``$request_time`` (seconds, with a point) at the end where it is there;
  status 5xx counts as ``ERROR``, 4xx as ``WARNING``, the rest as ``INFO``;
- ``TIMESTAMP LEVEL message``, with ``latency=12.5ms`` (or duration, took, elapsed) anywhere in the message.

Lines that begin with white space continue the line before (a stack trace); blank lines are nothing. Times without a
zone are read as UTC.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from aws_auto.errors import SchemaError
from aws_auto.frame import RESOURCE, TIME_DTYPE, TIMESTAMP

if TYPE_CHECKING:
    from pathlib import Path

ERROR_LEVELS = ("ERROR", "CRITICAL", "FATAL", "ALERT", "EMERGENCY", "SEVERE")
KEYS = (RESOURCE, TIMESTAMP, "level")
SCHEMA = {
    RESOURCE: pl.String(),
    TIMESTAMP: TIME_DTYPE,
    "level": pl.String(),
    "request_count": pl.Int64(),
    "error_count": pl.Int64(),
    "warning_count": pl.Int64(),
    "latency_ms_mean": pl.Float64(),
    "latency_ms_p95": pl.Float64(),
}

_TIMES = ("timestamp", "time", "@timestamp", "ts", "datetime")
_LEVELS = ("level", "severity", "levelname", "lvl")
_LATENCIES = ("latency_ms", "duration_ms", "response_time_ms", "elapsed_ms")
_ACCESS = r'^\S+ \S+ \S+ \[([^\]]+)\] "[^"]*" (\d{3}) (?:\d+|-)(?: "[^"]*" "[^"]*")?(?:.*?\s(\d+\.\d+))?\s*$'
_PLAIN = (
    r"^\[?(\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}:\d{2}(?:[.,]\d+)?(?:Z|[+-]\d{2}:?\d{2})?)\]?"
    r"\s+\[?(?i:(TRACE|DEBUG|INFO|NOTICE|WARN|WARNING|ERROR|CRITICAL|FATAL|ALERT|EMERGENCY|SEVERE))\]?(?:[\s:]|$)"
)
_TOOK = r"(?i)\b(?:latency|duration|took|elapsed)[=: ]+(\d+(?:\.\d+)?) ?ms\b"
_LEAST_PARSED = 0.5


@dataclass(frozen=True)
class Parsed:
    """The lines of a log file that were understood, and how many were not.

    Attributes:
        rows: ``timestamp``, ``level``, ``latency_ms`` (null where a line has none).
        lines: lines that should be understood: neither blank nor continuing.
        rejected: of those, how many are not.
        first_rejected: number of the first of them, from 1; None when there is none.
    """

    rows: pl.DataFrame
    lines: int
    rejected: int
    first_rejected: int | None


def parse(path: Path) -> Parsed:
    """Read a log file, plain or gzip.

    Raises:
        SchemaError: the file cannot be read, or most of its lines are not understood.
    """
    lines = _lines(path)
    parsed = lines.select("number", "line", **_parsed())
    bad = parsed.filter(pl.col(TIMESTAMP).is_null())
    if len(bad) > (1.0 - _LEAST_PARSED) * len(parsed):
        raise SchemaError(
            f"{len(bad)} of {len(parsed)} lines are not understood, first line {bad['number'][0]}:"
            f" {bad['line'][0][:60]!r}",
            hint="lines are JSON objects, access logs (common, combined), or 'TIMESTAMP LEVEL message'",
        )
    good = parsed.filter(pl.col(TIMESTAMP).is_not_null()).drop("number", "line")
    return Parsed(good, len(parsed), len(bad), int(bad["number"][0]) if len(bad) else None)


def minutes(lines: pl.DataFrame, resource_id: str) -> pl.DataFrame:
    """Parsed lines as minutes: columns of `SCHEMA`, a row per minute and level."""
    latency = pl.col("latency_ms")
    counted = (
        lines.with_columns(pl.col(TIMESTAMP).dt.truncate("1m"), pl.lit(resource_id).alias(RESOURCE))
        .group_by(KEYS)
        .agg(
            request_count=pl.len(),
            error_count=pl.col("level").is_in(ERROR_LEVELS).sum(),
            warning_count=(pl.col("level") == "WARNING").sum(),
            latency_ms_mean=latency.mean(),
            latency_ms_p95=latency.quantile(0.95, interpolation="linear"),
        )
    )
    return counted.select(pl.col(name).cast(dtype) for name, dtype in SCHEMA.items()).sort(KEYS)


def _lines(path: Path) -> pl.DataFrame:
    """Every line that stands for itself, with its number."""
    try:
        read = pl.read_csv(
            path,
            has_header=False,
            new_columns=["line"],
            separator="\x1f",  # A sign that logs do not hold, so that each line is one cell.
            quote_char=None,
            infer_schema=False,
            truncate_ragged_lines=True,
            encoding="utf8-lossy",
            row_index_name="number",
            row_index_offset=1,
            raise_if_empty=False,
        )
    except (pl.exceptions.PolarsError, OSError) as error:
        raise SchemaError(f"cannot be read: {str(error).splitlines()[0]}", hint="is it a text file?") from error
    if "line" not in read.columns:
        return pl.DataFrame(schema={"number": pl.UInt32, "line": pl.String})
    return read.select("number", pl.col("line").str.strip_chars_end()).filter(
        (pl.col("line") != "") & ~pl.col("line").str.contains(r"^\s")
    )


def _parsed() -> dict[str, pl.Expr]:
    """``timestamp``, ``level`` and ``latency_ms`` of a line; all null where it is of no known kind."""
    line = pl.col("line")
    json = pl.when(line.str.starts_with("{")).then(line)
    access = line.str.extract_groups(_ACCESS).struct
    plain = line.str.extract_groups(_PLAIN).struct
    status = access.field("2").str.slice(0, 1)
    by_status = (
        pl.when(status == "5")
        .then(pl.lit("ERROR"))
        .when(status == "4")
        .then(pl.lit("WARNING"))
        .otherwise(pl.lit("INFO"))
    )
    level = pl.coalesce(_first(json, _LEVELS), plain.field("2"), pl.when(status.is_not_null()).then(by_status))
    took = pl.coalesce(_first(json, _LATENCIES), line.str.extract(_TOOK)).cast(pl.Float64, strict=False)
    return {
        TIMESTAMP: pl.coalesce(
            _json_time(_first(json, _TIMES)), _access_time(access.field("1")), _iso(plain.field("1"))
        ),
        "level": _spelled(level),
        "latency_ms": pl.coalesce(took, access.field("3").cast(pl.Float64, strict=False) * 1000.0),
    }


def _first(json: pl.Expr, names: tuple[str, ...]) -> pl.Expr:
    return pl.coalesce(json.str.json_path_match(f"$['{name}']") for name in names)


def _spelled(level: pl.Expr) -> pl.Expr:
    """One spelling: ``WARN`` is ``WARNING``, ``EMERG`` is ``EMERGENCY``; a line without a level is ``UNKNOWN``."""
    upper = level.str.to_uppercase()
    return upper.replace({"WARN": "WARNING", "EMERG": "EMERGENCY", "ERR": "ERROR"}).fill_null("UNKNOWN")


def _json_time(text: pl.Expr) -> pl.Expr:
    number = text.cast(pl.Float64, strict=False)
    seconds = pl.when(number > 1e11).then(number / 1000.0).otherwise(number)
    return pl.coalesce((seconds * 1e6).round().cast(pl.Int64).cast(TIME_DTYPE), _iso(text))


def _iso(text: pl.Expr) -> pl.Expr:
    """ISO 8601 with a zone, or without one as UTC; null for anything else."""
    whole = text.str.replace(",", ".", literal=True).str.replace(" ", "T", literal=True)
    zoned = whole.str.replace(r"Z$", "+00:00").str.replace(r"([+-]\d{2})(\d{2})$", "$1:$2")
    full = pl.when(zoned.str.contains(r"[+-]\d{2}:\d{2}$")).then(zoned).otherwise(zoned + "+00:00")
    return full.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f%:z", time_unit="us", time_zone="UTC", strict=False)


def _access_time(text: pl.Expr) -> pl.Expr:
    return text.str.to_datetime("%d/%b/%Y:%H:%M:%S %z", time_unit="us", time_zone="UTC", strict=False)
