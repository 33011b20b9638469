from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from aws_auto.errors import SchemaError
from aws_auto.frame import TIME_DTYPE
from aws_auto.ml.anomaly.labels import Labels, by_resource, spans_of

START = datetime(2026, 1, 5, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def table(**columns):
    return pl.DataFrame({"resource_id": ["a"], "timestamp": [START], "end": [START + HOUR], **columns})


def test_an_incident_counts_whether_its_alarm_was_right_or_there_was_none():
    first, second = int(START.timestamp()), int((START + HOUR).timestamp())
    said = pl.concat([table(verdict=[word]) for word in ("true", "missed", "false", "ignore")])
    assert by_resource(said) == {"a": Labels(right=((first, second),), wrong=((first, second),))}


@pytest.mark.parametrize(
    "start",
    [
        START,
        START.replace(tzinfo=None),
        "2026-01-05T12:00:00Z",
        "2026-01-05 12:00",
        "2026-01-05T14:00+02:00",
    ],
)
def test_times_are_read_as_utc(start):
    read = spans_of(table().with_columns(timestamp=pl.Series([start])), where="labels")
    assert read["timestamp"].to_list() == [START]
    assert read.schema["timestamp"] == read.schema["end"] == TIME_DTYPE


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"timestamp": ["yesterday"]}, "yesterday"),
        ({"timestamp": [17]}, "no times"),
        ({"end": [START - HOUR]}, "before it starts"),
        ({"resource_id": pl.Series([None], dtype=pl.String)}, "resource_id is empty"),
    ],
)
def test_a_table_that_cannot_be_meant_is_refused_with_its_name(change, said):
    with pytest.raises(SchemaError, match=said) as caught:
        spans_of(
            table(**change) if "end" not in change else table().with_columns(end=pl.Series(change["end"])),
            where="my file",
        )
    assert caught.value.where.startswith("my file")


def test_a_missing_column_is_named_beside_those_that_are_there():
    with pytest.raises(SchemaError, match="has no end") as caught:
        spans_of(table().drop("end"), where="labels")
    assert "timestamp" in caught.value.hint
