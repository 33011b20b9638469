"""The lake against a dictionary that does the same in plain loops."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from aws_auto.pipeline.local.lake import LocalLake
from aws_auto.pipeline.local.state import State
from aws_auto.pipeline.ports import Batch, Window

T0 = datetime(2026, 2, 27, tzinfo=UTC)
HOUR = timedelta(hours=1)
SPAN = 96
METRICS = ("cpu", "latency", "cost")


class FixedClock:
    def now(self):
        return T0

    def sleep(self, seconds):
        raise AssertionError


class Dictionary:
    """Keyed rows by (resource, hour) with the last value per column that was not null; unkeyed rows in a list."""

    def __init__(self):
        self.keyed = {}
        self.listed = []

    def merge(self, rows):
        for resource, hour, values in rows:
            cell = self.keyed.setdefault((resource, hour), {})
            cell.update({name: value for name, value in values.items() if value is not None})

    def replace(self, rows, first, last):
        self.listed = [row for row in self.listed if not first <= row[1] < last] + rows


def some_rows(rng, first, last):
    columns = rng.choice(METRICS, size=rng.integers(1, 4), replace=False)
    return [
        (
            f"i-{rng.integers(3)}",
            int(rng.integers(first, last)),
            {str(c): None if rng.random() < 0.2 else float(rng.integers(100)) for c in columns},
        )
        for _ in range(rng.integers(0, 30))
    ]


def as_frame(rows):
    columns = sorted({name for _, _, values in rows for name in values})
    data = {
        "resource_id": [resource for resource, _, _ in rows],
        "timestamp": [T0 + hour * HOUR for _, hour, _ in rows],
        **{name: [values.get(name) for _, _, values in rows] for name in columns},
    }
    schema = {
        "resource_id": pl.String,
        "timestamp": pl.Datetime("us", "UTC"),
        **dict.fromkeys(columns, pl.Float64),
    }
    return pl.DataFrame(data, schema=schema)


def table(rows):
    """Rows as sorted tuples, whatever columns exist, absent and null alike."""
    return sorted(
        ((r, h, *(v.get(name) for name in METRICS)) for r, h, v in rows),
        key=lambda row: tuple((cell is not None, cell) for cell in row),
    )


def stored(lake, dataset, window=None):
    return table(
        (row["resource_id"], (row["timestamp"] - T0) // HOUR, row)
        for row in lake.scan(dataset, window).collect().iter_rows(named=True)
    )


@pytest.mark.parametrize("seed", range(12))
def test_any_sequence_of_writes_gives_what_plain_loops_give(tmp_path, seed):
    rng = np.random.default_rng(seed)
    lake, expected = LocalLake(tmp_path / "lake", State(tmp_path / "state.db"), FixedClock()), Dictionary()
    for _ in range(25):
        first, last = sorted(int(x) for x in rng.choice(SPAN, size=2, replace=False))
        rows, window = some_rows(rng, first, last), Window(T0 + first * HOUR, T0 + last * HOUR)
        if rng.random() < 0.5:
            lake.write(Batch(dataset="metrics", rows=as_frame(rows), window=window))
            expected.merge(rows)
        else:
            lake.write(Batch(dataset="billing", rows=as_frame(rows), window=window, keys=()))
            expected.replace(rows, first, last)
    keyed = [(resource, hour, values) for (resource, hour), values in expected.keyed.items()]
    assert stored(lake, "metrics") == table(keyed)
    assert stored(lake, "billing") == table(expected.listed)
    part = Window(T0 + 20 * HOUR, T0 + 50 * HOUR)
    assert stored(lake, "metrics", part) == table(row for row in keyed if 20 <= row[1] < 50)
    assert lake.datasets() == {"billing": len(expected.listed), "metrics": len(keyed)}
