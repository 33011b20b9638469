import gzip
import json
import re
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from aws_auto.errors import ConflictError, SchemaError
from aws_auto.pipeline.local.shelf import LocalShelf
from aws_auto.pipeline.local.sources import CurSource, FocusSource
from aws_auto.pipeline.ports import Source, Window

ALL = Window(datetime(2018, 1, 1, tzinfo=UTC), datetime(2019, 1, 1, tzinfo=UTC))
OCTOBER = Window(datetime(2018, 10, 1, tzinfo=UTC), datetime(2018, 11, 1, tzinfo=UTC))
HEADER = (
    "bill/BillingPeriodStartDate,lineItem/UsageStartDate,lineItem/LineItemType,lineItem/UnblendedCost,"
    "lineItem/CurrencyCode,lineItem/UsageAccountId"
)


def lines(*costs, month="2018-10", start=None, kind="Usage"):
    start = start or f"{month}-05T01:00:00Z"
    return [f"{month}-01T00:00:00Z,{start},{kind},{cost},USD,001122223333" for cost in costs]


def write(path, *rows, header=HEADER):
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "\n".join([header, *rows]) + "\n"
    if path.name.endswith(".gz"):
        path.write_bytes(gzip.compress(text.encode()))
    elif path.name.endswith(".parquet"):
        pl.read_csv(text.encode(), infer_schema=False).write_parquet(path)
    else:
        path.write_text(text)
    return path


def pull(source, window=ALL):
    return {f"{batch.window.start:%Y-%m}": batch for batch in source.pull(window)}


def costs(batch):
    return sorted(batch.rows["billed_cost"].to_list())


@pytest.mark.parametrize("name", ["bill.csv", "bill.csv.gz", "bill.parquet"])
def test_a_file_of_any_kind_is_read_to_the_same_rows(tmp_path, name):
    port: Source = CurSource(str(write(tmp_path / name, *lines(1.5, "2.5E-1"))))
    batch = pull(port)["2018-10"]
    assert (batch.dataset, batch.keys, batch.window) == ("billing", (), OCTOBER)
    assert costs(batch) == [0.25, 1.5]
    assert batch.rows["sub_account_id"].unique().to_list() == ["001122223333"]


def test_a_bill_without_a_month_in_the_window_says_which_months_it_holds(tmp_path):
    source = CurSource(str(write(tmp_path / "bill.csv", *lines(1.0))))
    assert pull(source, Window(ALL.end, ALL.end + timedelta(days=30))) == {}
    (note,) = source.notes
    assert note.startswith("nothing lies in the window from 2019-01-01 00:00Z to 2019-01-31 00:00Z;")
    assert note.endswith("the bill reaches from 2018-10-01 00:00Z to 2018-11-01 00:00Z")


def test_two_months_in_one_file_are_two_batches_that_replace_their_month(tmp_path):
    path = write(tmp_path / "bill.csv", *lines(1.0), *lines(2.0, 3.0, month="2018-11"))
    batches = pull(CurSource(str(path)))
    assert {name: costs(batch) for name, batch in batches.items()} == {"2018-10": [1.0], "2018-11": [2.0, 3.0]}


def test_parts_of_a_month_are_one_batch(tmp_path):
    for number in (1, 2):
        write(tmp_path / "20181001-20181101" / f"cur-{number}.csv.gz", *lines(float(number)))
    assert costs(pull(CurSource(str(tmp_path)))["2018-10"]) == [1.0, 2.0]


def test_only_months_that_the_window_touches_are_pulled_and_they_come_whole(tmp_path):
    write(tmp_path / "BILLING_PERIOD=2018-10" / "a.csv", *lines(1.0))
    write(tmp_path / "BILLING_PERIOD=2018-11" / "a.csv", *lines(2.0, month="2018-11"))
    source = CurSource(str(tmp_path))
    batches = pull(source, Window(datetime(2018, 11, 20, tzinfo=UTC), datetime(2018, 11, 21, tzinfo=UTC)))
    assert list(batches) == ["2018-11"]
    assert costs(batches["2018-11"]) == [2.0]
    assert source.covers() == Window(OCTOBER.start, datetime(2018, 12, 1, tzinfo=UTC))


def test_a_pattern_chooses_files(tmp_path):
    write(tmp_path / "a.csv", *lines(1.0))
    write(tmp_path / "b.txt", "nothing")
    assert costs(pull(CurSource(str(tmp_path / "*.csv")))["2018-10"]) == [1.0]


def test_the_manifest_chooses_among_versions(tmp_path):
    month = tmp_path / "20181001-20181101"
    write(month / "old" / "cur-1.csv", *lines(1.0))
    write(month / "new" / "cur-1.csv", *lines(2.0))
    with pytest.raises(SchemaError, match="2018-10 lies there in 2 versions: new, old"):
        pull(CurSource(str(tmp_path)))
    (month / "cur-Manifest.json").write_text(json.dumps({"reportKeys": ["p/20181001-20181101/new/cur-1.csv"]}))
    assert costs(pull(CurSource(str(tmp_path)))["2018-10"]) == [2.0]


def test_the_manifest_of_a_data_export_chooses_too(tmp_path):
    month = tmp_path / "data" / "BILLING_PERIOD=2018-10"
    write(month / "run-1" / "x-1.csv", *lines(1.0))
    write(month / "run-2" / "x-1.csv", *lines(2.0))
    manifest = tmp_path / "metadata" / "BILLING_PERIOD=2018-10" / "x-Manifest.json"
    manifest.parent.mkdir(parents=True)
    manifest.write_text(json.dumps({"dataFiles": ["s3://b/x/data/BILLING_PERIOD=2018-10/run-2/x-1.csv"]}))
    assert costs(pull(CurSource(str(tmp_path)))["2018-10"]) == [2.0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"reportKeys": ["p/new/cur-1.csv", "p/new/cur-2.csv"]}', "names 2 files, of which 1 are there"),
        ("{", "this manifest cannot be read"),
        ('{"other": 1}', "this manifest cannot be read"),
    ],
)
def test_a_manifest_that_does_not_fit_is_refused(tmp_path, text, message):
    month = tmp_path / "20181001-20181101"
    write(month / "new" / "cur-1.csv", *lines(1.0))
    (month / "cur-Manifest.json").write_text(text)
    with pytest.raises(SchemaError, match=message):
        pull(CurSource(str(tmp_path)))


def test_lines_of_another_month_than_the_folder_says_are_refused_not_dropped(tmp_path):
    write(tmp_path / "20181001-20181101" / "a.csv", *lines(1.0), *lines(2.0, month="2018-11"))
    with pytest.raises(SchemaError, match="1 lines are of the billing period of 2018-11, but the folder says 2018-10"):
        pull(CurSource(str(tmp_path)))


def test_a_charge_that_begins_outside_its_month_is_filed_inside_and_keeps_its_own_time(tmp_path):
    rows = [*lines(5.0, start="2018-09-20T10:00:00Z", kind="Refund"), *lines(6.0, start="2018-11-01T00:00:00Z")]
    batch = pull(CurSource(str(write(tmp_path / "a.csv", *rows))))["2018-10"]
    assert batch.rows["timestamp"].to_list() == [OCTOBER.start, OCTOBER.end - timedelta(microseconds=1)]
    assert batch.rows["charge_period_start"].to_list()[0] == datetime(2018, 9, 20, 10, tzinfo=UTC)


def test_a_restated_file_is_another_scope_and_the_same_file_is_the_same(tmp_path):
    path = write(tmp_path / "a.csv", *lines(1.0))
    before = CurSource(str(path)).scope
    assert CurSource(str(path)).scope == before
    write(path, *lines(1.0, 2.0))
    assert CurSource(str(path)).scope != before


def test_what_was_found_is_said(tmp_path):
    source = CurSource(str(write(tmp_path / "a.csv", *lines(1.0), *lines(2.0, kind="Novelty"))))
    pull(source)
    assert "a.csv: line-item types without a known charge category: Novelty 1" in source.notes
    pull(source)
    assert len(source.notes) == len(set(source.notes))


@pytest.mark.parametrize(
    ("rows", "header", "message"),
    [
        (["1,2"], "date,amount", r"a\.csv: this is no bill of a known format"),
        (lines("x"), HEADER, r"a\.csv: line_item_unblended_cost: 'x' in row 1 is not a number"),
        (lines(1.0), HEADER.replace("lineItem/LineItemType", "other"), r"a\.csv: .*lineItem/LineItemType is missing"),
    ],
)
def test_a_fault_names_the_file_the_column_and_the_row(tmp_path, rows, header, message):
    path = write(tmp_path / "a.csv", *rows, header=header)
    with pytest.raises(SchemaError) as caught:
        pull(CurSource(str(path)))
    assert re.search(message, str(caught.value))


def test_a_row_number_counts_in_the_file_even_when_it_holds_two_months(tmp_path):
    path = write(tmp_path / "a.csv", *lines(1.0), *lines(1.0, "x", month="2018-11"))
    with pytest.raises(SchemaError, match="'x' in row 3"):
        pull(CurSource(str(path)))


def test_a_focus_file_is_not_taken_for_a_cur_nor_the_other_way_round(tmp_path):
    focus = write(
        tmp_path / "focus.csv",
        "1.0,USD,Usage,2018-10-05T00:00:00Z,2018-10-01T00:00:00Z",
        header="BilledCost,BillingCurrency,ChargeCategory,ChargePeriodStart,BillingPeriodStart",
    )
    assert costs(pull(FocusSource(str(focus)))["2018-10"]) == [1.0]
    with pytest.raises(SchemaError, match=r"this is FOCUS 1\.0, not CUR"):
        pull(CurSource(str(focus)))
    with pytest.raises(SchemaError, match=r"this is CUR \(legacy\), not FOCUS"):
        pull(FocusSource(str(write(tmp_path / "cur.csv", *lines(1.0)))))


def test_an_empty_folder_and_a_missing_file_are_said(tmp_path):
    with pytest.raises(SchemaError, match="no such file"):
        CurSource(str(tmp_path / "nowhere.csv")).scope  # noqa: B018 - asking is the test
    write(tmp_path / "cur.zip", "x")
    with pytest.raises(SchemaError, match=r"no bill is there; found cur\.zip"):
        pull(CurSource(str(tmp_path)))


def test_a_damaged_file_is_said(tmp_path):
    (tmp_path / "a.parquet").write_bytes(b"PAR1 not really")
    with pytest.raises(SchemaError, match=r"a\.parquet: cannot be read"):
        pull(CurSource(str(tmp_path)))


def test_reading_local_files_costs_nothing_and_says_how_much_there_is(tmp_path):
    write(tmp_path / "20181001-20181101" / "a.csv", *lines(1.0))
    write(tmp_path / "20181101-20181201" / "a.csv", *lines(1.0, month="2018-11"))
    estimate = CurSource(str(tmp_path)).estimate(OCTOBER)
    assert (estimate.calls, estimate.price_usd) == (0, 0.0)
    assert estimate.lines[0].startswith("1 local file, 0.0 MB")


def test_a_file_that_changes_while_it_is_read_is_a_conflict(tmp_path):
    path = write(tmp_path / "a.csv", *lines(1.0))
    shelf = LocalShelf()
    (item,) = shelf.items(str(path))
    write(path, *lines(1.0, 2.0))
    with pytest.raises(ConflictError), shelf.open(item):
        pass
    path.unlink()
    with pytest.raises(SchemaError, match="gone"), shelf.open(item):
        pass
