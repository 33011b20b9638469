from __future__ import annotations

import io
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np
import pytest
from botocore import exceptions as boto
from botocore.response import StreamingBody

from aws_auto.errors import AwsCallError, ConflictError, SchemaError, TargetError, UsageError
from aws_auto.pipeline.aws.calls import Caller
from aws_auto.pipeline.aws.s3 import S3Shelf
from aws_auto.pipeline.local.sources import CurSource
from aws_auto.pipeline.ports import Window
from fakes import FakeClients, FakeClock

if TYPE_CHECKING:
    from aws_auto.pipeline.shelf import Shelf

BILL = (
    b"bill/BillingPeriodStartDate,lineItem/UsageStartDate,lineItem/LineItemType,lineItem/UnblendedCost\n"
    b"2018-10-01T00:00:00Z,2018-10-05T00:00:00Z,Usage,1.5\n"
)


def refusal(code, operation="GetObject", status=400):
    answer = {"Error": {"Code": code, "Message": "no"}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return boto.ClientError(answer, operation)


class Bucket:
    """S3 with one bucket: pages of two keys, ETags, conditional gets."""

    def __init__(self, objects, cut=0):
        self.objects, self.cut, self.asked = objects, cut, []

    def list_objects_v2(self, *, Bucket, Prefix, ContinuationToken="0"):
        if Bucket != "bills":
            raise refusal("NoSuchBucket", "ListObjectsV2", 404)
        keys = sorted(key for key in self.objects if key.startswith(Prefix))
        start = int(ContinuationToken)
        page = {"Contents": [self._entry(key) for key in keys[start : start + 2]]}
        return {**page, "NextContinuationToken": str(start + 2)} if start + 2 < len(keys) else page

    def get_object(self, *, Bucket, Key, IfMatch):
        self.asked.append(Key)
        if Key not in self.objects:
            raise refusal("NoSuchKey", status=404)
        content, etag = self.objects[Key]
        if etag != IfMatch:
            raise refusal("PreconditionFailed", status=412)
        body = content[: len(content) - self.cut]
        return {"Body": StreamingBody(io.BytesIO(body), len(content) if self.cut < 0 else len(body))}

    def _entry(self, key):
        content, etag = self.objects[key]
        return {"Key": key, "Size": len(content), "ETag": etag}


def shelf(objects, **options):
    bucket = Bucket(objects, **options)
    return S3Shelf(Caller(FakeClients({"s3": bucket}), FakeClock(), np.random.default_rng(7))), bucket


FIVE = {f"cur/20181001-20181101/{n}.csv": (BILL, f'"{n}"') for n in range(5)} | {
    "cur-old/x.csv": (BILL, '"x"'),
    "cur/empty/": (b"", '"e"'),
}


def test_a_prefix_is_a_folder_and_pages_are_turned():
    port: Shelf
    port, _ = shelf(FIVE)
    assert [item.name for item in port.items("s3://bills/cur")] == [f"{n}.csv" for n in range(5)]
    assert port.items("s3://bills/cur") == port.items("s3://bills/cur/")
    assert [item.address for item in port.items("s3://bills/cur-old/x.csv")] == ["s3://bills/cur-old/x.csv"]


def test_a_pattern_chooses_objects():
    port, _ = shelf(FIVE)
    assert [item.name for item in port.items("s3://bills/*/[34].csv")] == ["3.csv", "4.csv"]


def test_nothing_there_is_said():
    port, _ = shelf(FIVE)
    with pytest.raises(SchemaError, match="no object is there"):
        port.items("s3://bills/focus")
    with pytest.raises(SchemaError, match="no such bucket"):
        port.items("s3://other/cur")
    with pytest.raises(UsageError, match="no S3 address"):
        port.items("bills/cur")


def test_an_object_is_a_file_for_as_long_as_it_is_read():
    port, _ = shelf(FIVE)
    item = port.items("s3://bills/cur")[0]
    with port.open(item) as path:
        assert path.name == "0.csv"
        assert path.read_bytes() == BILL
    assert not path.exists()


def test_another_version_than_was_listed_is_a_conflict():
    port, bucket = shelf(dict(FIVE))
    item = port.items("s3://bills/cur-old")[0]
    bucket.objects["cur-old/x.csv"] = (BILL, '"new"')
    with pytest.raises(ConflictError, match=r"cur-old/x\.csv: the object was changed"), port.open(item):
        pass
    del bucket.objects["cur-old/x.csv"]
    with pytest.raises(SchemaError, match="gone"), port.open(item):
        pass


def test_a_download_that_breaks_off_is_never_read_as_a_whole_file():
    port, _ = shelf(FIVE, cut=3)
    item = port.items("s3://bills/cur-old")[0]
    with pytest.raises(TargetError, match="bytes arrived"), port.open(item):
        pass


def test_a_refusal_says_which_permission_is_missing():
    class Closed(Bucket):
        def get_object(self, **_):
            raise refusal("AccessDenied", status=403)

    caller = Caller(FakeClients({"s3": Closed(FIVE)}), FakeClock(), np.random.default_rng(7))
    port = S3Shelf(caller)
    with pytest.raises(AwsCallError) as caught, port.open(port.items("s3://bills/cur-old")[0]):
        pass
    assert "s3:GetObject" in (caught.value.hint or "")


def test_a_bill_in_a_bucket_is_a_bill():
    port, bucket = shelf({"cur/20181001-20181101/1.csv": (BILL, '"1"')})
    source = CurSource("s3://bills/cur", port)
    (batch,) = source.pull(Window(datetime(2018, 10, 3, tzinfo=UTC), datetime(2018, 10, 4, tzinfo=UTC)))
    assert batch.rows["billed_cost"].to_list() == [1.5]
    assert bucket.asked == ["cur/20181001-20181101/1.csv"]
    before = source.scope
    bucket.objects["cur/20181001-20181101/1.csv"] = (BILL, '"2"')
    assert CurSource("s3://bills/cur", port).scope != before


def test_the_price_is_that_of_lists_and_gets():
    port, _ = shelf(FIVE)
    estimate = port.price(port.items("s3://bills/cur"))
    assert estimate.calls == 6
    assert estimate.price_usd == pytest.approx(0.005 / 1000 + 5 * 0.0004 / 1000)
