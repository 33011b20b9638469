from __future__ import annotations

import json
from datetime import UTC, datetime

import polars as pl
import pytest

from aws_auto.errors import ModelError, NotEnoughData, NotFitted
from aws_auto.pipeline.serve import predict
from aws_auto.pipeline.serve.predict import answer
from aws_auto.results import Field

SCHEMA = (
    Field(name="resource_id", kind="text"),
    Field(name="timestamp", kind="time"),
    Field(name="cpu_utilization", kind="number", unit="Percent", low=5.0, high=80.0),
    Field(name="region", kind="text", required=False),
)
ROW = {"resource_id": "i-1", "timestamp": "2026-01-05T09:00:00Z", "cpu_utilization": 40}


class Doubling:
    """Answers twice the CPU, and keeps what it was asked."""

    schema = SCHEMA

    def __init__(self, error: Exception | None = None):
        self.error = error
        self.rows = pl.DataFrame()

    def predict(self, rows):
        if self.error:
            raise self.error
        self.rows = rows
        return rows.select("resource_id", "timestamp", doubled=pl.col("cpu_utilization") * 2)

    def files(self):
        return {}


def ask(body, content_type="application/json", model=None):
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    given = answer(model or Doubling(), SCHEMA, raw, content_type)
    return given.status, json.loads(given.body)


def test_a_row_is_answered_in_the_words_of_the_model():
    status, body = ask({"instances": [ROW]})
    assert status == 200
    assert body["predictions"] == [
        {"resource_id": "i-1", "timestamp": "2026-01-05T09:00:00+00:00", "doubled": 80.0, "extrapolated": []}
    ]


def test_a_bare_list_is_answered_as_well():
    assert ask([ROW, ROW])[1]["predictions"][1]["doubled"] == 80.0


def test_the_model_sees_exactly_the_columns_of_its_schema_in_utc():
    model = Doubling()
    ask([{**ROW, "timestamp": "2026-01-05T11:00:00+02:00", "color": "red"}], model=model)
    assert model.rows.columns == [f.name for f in SCHEMA]
    assert model.rows["timestamp"][0] == datetime(2026, 1, 5, 9, tzinfo=UTC)
    assert model.rows["region"].to_list() == [None]


def test_csv_with_a_header_gives_the_same_answer_as_json():
    text = b"\xef\xbb\xbfresource_id,timestamp,cpu_utilization\r\n12345,2026-01-05T09:00:00Z,40\r\n"
    status, body = ask(text, "text/csv; charset=utf-8")
    assert status == 200
    assert body["predictions"][0]["resource_id"] == "12345"
    assert body["predictions"][0]["doubled"] == 80.0


def test_values_outside_the_training_range_are_answered_and_marked():
    rows = [ROW, {**ROW, "cpu_utilization": 95}, {**ROW, "cpu_utilization": 1}, {**ROW, "cpu_utilization": None}]
    marks = [p["extrapolated"] for p in ask(rows)[1]["predictions"]]
    assert marks == [[], ["cpu_utilization"], ["cpu_utilization"], []]


def test_the_edges_of_the_training_range_are_no_extrapolation():
    rows = [{**ROW, "cpu_utilization": 5.0}, {**ROW, "cpu_utilization": 80.0}]
    assert [p["extrapolated"] for p in ask(rows)[1]["predictions"]] == [[], []]


def test_a_missing_column_is_named_with_all_that_is_needed():
    status, body = ask([{"resource_id": "i-1", "timestamp": "2026-01-05T09:00:00Z"}])
    assert status == 400
    assert body["error"] == "columns are missing: cpu_utilization"
    assert "timestamp (an ISO 8601 time), cpu_utilization (a number)" in body["hint"]
    assert "region" not in body["hint"]


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        ({"cpu_utilization": "40"}, "row 2, column cpu_utilization: '40' is not a number"),
        ({"cpu_utilization": True}, "row 2, column cpu_utilization: True is not a number"),
        ({"cpu_utilization": [1]}, "row 2, column cpu_utilization: [1] is not a number"),
        ({"cpu_utilization": 10**400}, "row 2, column cpu_utilization: the number is infinite"),
        ({"timestamp": "yesterday"}, "row 2, column timestamp: 'yesterday' is not an ISO 8601 time"),
        ({"timestamp": 1767603600}, "row 2, column timestamp: 1767603600 is not an ISO 8601 time"),
        ({"timestamp": None}, "row 2, column timestamp: nothing is not an ISO 8601 time"),
        ({"timestamp": "0001-01-01T00:00:00+14:00"}, "row 2, column timestamp: '0001-01-01T00:00:00+14:00' is not an"),
        ({"resource_id": 7}, "row 2, column resource_id: 7 is not text"),
        ({"resource_id": None}, "row 2, column resource_id: nothing is not text"),
    ],
)
def test_a_mistyped_value_is_refused_with_row_and_column(fault, sentence):
    status, body = ask([ROW, {**ROW, **fault}])
    assert status == 400
    assert body["error"].startswith(sentence)


def test_a_mistyped_csv_value_is_refused_with_row_and_column():
    text = b"resource_id,timestamp,cpu_utilization\ni-1,2026-01-05T09:00:00Z,40\ni-1,2026-01-05T10:00:00Z,high\n"
    assert ask(text, "text/csv")[1]["error"] == "row 2, column cpu_utilization: 'high' is not a number"


def test_nan_counts_as_missing_and_that_is_said():
    status, body = ask(json.dumps([{**ROW, "cpu_utilization": float("nan")}]).encode())
    assert status == 200
    assert body["predictions"][0]["doubled"] is None
    assert "cpu_utilization holds NaN, which counts as missing" in body["notes"]


@pytest.mark.parametrize("number", ["Infinity", "-Infinity", "1e999"])
def test_infinity_is_refused(number):
    raw = json.dumps([ROW]).replace("40", number).encode()
    assert ask(raw)[1]["error"] == "row 1, column cpu_utilization: the number is infinite"


def test_an_infinite_answer_of_the_model_is_null_in_json():
    class Exploding(Doubling):
        def predict(self, rows):
            return rows.select("resource_id", "timestamp", answer=pl.lit(float("inf")))

    assert ask([ROW], model=Exploding())[1]["predictions"][0]["answer"] is None


def test_naive_times_and_unread_columns_are_noted():
    body = ask([{**ROW, "timestamp": "2026-01-05T09:00:00", "color": "red"}])[1]
    assert body["notes"] == [
        "not sent, counts as missing: region",
        "the model does not read: color",
        "timestamp has no time zone and was read as UTC",
    ]


@pytest.mark.parametrize(
    ("raw", "sentence"),
    [
        (b"", "the body is not JSON"),
        (b"{", "the body is not JSON"),
        (b"\xff\xfe", "the body is not JSON"),
        (b"[" * 200_000, "the JSON is nested too deeply"),
        (b"7", "the JSON is neither a list of rows nor"),
        (b'{"rows": []}', "the JSON is neither a list of rows nor"),
        (b"[[1, 2]]", "row 1 is not an object"),
        (b"[]", "the request holds no rows"),
        (b"9" * 5000, "the body is not JSON"),
    ],
)
def test_a_body_that_is_no_table_is_refused_with_a_sentence(raw, sentence):
    status, body = ask(raw)
    assert status == 400
    assert body["error"].startswith(sentence)


@pytest.mark.parametrize(
    ("raw", "sentence"),
    [
        (b"", "the request holds no rows"),
        (b"resource_id,timestamp,cpu_utilization\n", "the request holds no rows"),
        (b"a,a\n1,2\n", "the first line names a more than once"),
        (b"a,b\n1\n", "row 1 has 1 fields where the first line names 2"),
        (b'a,b\n"1', "the body is not CSV"),
        (b"\xff\xfe", "the body is not UTF-8 text"),
        (b"i-1,2026-01-05T09:00:00Z,40\ni-1,2026-01-05T10:00:00Z,41\n", "columns are missing"),
    ],
)
def test_csv_that_is_no_table_is_refused_with_a_sentence(raw, sentence):
    status, body = ask(raw, "text/csv")
    assert status == 400
    assert body["error"].startswith(sentence)


def test_other_content_types_are_refused_and_curl_is_helped():
    status, body = ask([ROW], "application/x-www-form-urlencoded")
    assert status == 415
    assert "curl needs -H" in body["hint"]


def test_no_content_type_means_json():
    assert ask([ROW], "")[0] == 200


def test_too_many_rows_and_too_many_bytes_are_refused():
    assert ask(b"[" + b"{}," * predict.MOST_ROWS + b"{}]")[0] == 413
    assert ask(b" " * (predict.MOST_BYTES + 1))[0] == 413


@pytest.mark.parametrize(
    ("error", "status"),
    [(NotEnoughData("two hours are too little"), 400), (NotFitted("not fitted"), 503), (ModelError("broken"), 500)],
)
def test_a_refusal_of_the_model_becomes_a_status_and_its_sentence(error, status):
    got, body = ask([ROW], model=Doubling(error))
    assert got == status
    assert body["error"] == str(error)


def test_the_example_is_a_request_that_is_accepted():
    assert ask(predict.example(SCHEMA).encode())[0] == 200


def test_an_optional_time_and_an_optional_number_may_be_missing():
    schema = (
        *SCHEMA,
        Field(name="until", kind="time", required=False),
        Field(name="bytes", kind="number", required=False),
    )
    rows, _ = predict.read(schema, json.dumps([{**ROW, "until": None}]).encode(), "")
    assert rows["until"].to_list() == [None]
    assert rows["bytes"].to_list() == [None]


def test_the_example_lies_inside_the_training_range_where_one_is_known():
    schema = (*SCHEMA, Field(name="bytes", kind="number"))
    row = json.loads(predict.example(schema))["instances"][0]
    assert row["cpu_utilization"] == 42.5
    assert row["bytes"] == 1.0
