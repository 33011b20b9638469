"""Files in S3: ``s3://bucket/prefix``. Fulfils `aws_auto.pipeline.shelf.Shelf`.

A file is downloaded to a temporary file, under the condition that it is still the version that was listed: between
listing and reading AWS may deliver a report again, and half of an old month with half of a new one is no month.

Prices: 0.005 USD per 1 000 lists, 0.0004 USD per 1 000 gets (S3 Standard, us-east-1, pricing page as of 2026-11-24, not
checked against a bill). Transfer out of AWS, which costs more than both, is free within the bucket's region.
"""

from __future__ import annotations

import fnmatch
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from aws_auto.errors import ConflictError, SchemaError, TargetError, UsageError
from aws_auto.pipeline.aws.calls import Tokens
from aws_auto.pipeline.ports import Estimate
from aws_auto.pipeline.shelf import Item

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aws_auto.errors import AwsAutoError
    from aws_auto.pipeline.aws.calls import Caller

#: What the calls of this file need: the first on the bucket, the second on its objects.
PERMISSIONS = ("s3:ListBucket", "s3:GetObject")

SCHEME = "s3://"
USD_PER_LIST = 0.005 / 1000
USD_PER_GET = 0.0004 / 1000
KEYS_PER_LIST = 1000
_CHUNK = 1 << 20
_GONE = frozenset({"404", "NoSuchKey", "NoSuchBucket"})
_CHANGED = frozenset({"412", "PreconditionFailed"})
_TOKENS = Tokens("ContinuationToken", "NextContinuationToken")


class S3Shelf:
    """Buckets, through one caller."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    def items(self, address: str) -> list[Item]:
        """The object, the objects below the prefix, or those that match the pattern (``*`` also matches ``/``).

        Raises:
            UsageError: the address is no S3 URI.
            SchemaError: there is nothing, or no such bucket.
            TargetError: AWS refused.
        """
        bucket, key = _split(address)
        pattern = any(sign in key for sign in "*?[")
        prefix = key[: min(key.index(sign) for sign in "*?[" if sign in key)] if pattern else key
        found = [
            Item(f"{SCHEME}{bucket}/{entry['Key']}", int(entry["Size"]), str(entry["ETag"]))
            for entry in self._listed(bucket, prefix)
            if not entry["Key"].endswith("/") and entry["Size"]
        ]
        if pattern:
            found = [item for item in found if fnmatch.fnmatchcase(item.address, address)]
        else:
            found = [item for item in found if _below(item.address, address)]
        if not found:
            raise SchemaError("no object is there", where=address, hint="list it with: aws s3 ls --recursive")
        return sorted(found)

    @contextmanager
    def open(self, item: Item) -> Iterator[Path]:
        """A temporary file with that version of the object.

        Raises:
            SchemaError: the object is gone.
            ConflictError: the object is another version by now.
            TargetError: AWS refused, or the download broke off.
        """
        bucket, key = _split(item.address)
        with tempfile.TemporaryDirectory(prefix="aws-auto-") as folder:
            path = Path(folder) / item.name
            self._download(bucket, key, item, path)
            yield path

    def price(self, items: list[Item]) -> Estimate:
        """Lists of a thousand keys, and a get for each file."""
        lists, size = -(-len(items) // KEYS_PER_LIST), sum(item.size for item in items)
        price = lists * USD_PER_LIST + len(items) * USD_PER_GET
        line = f"S3: {len(items)} gets, {size / 1e6:.1f} MB, {price:.4f} USD (transfer out of the region is extra)"
        return Estimate(calls=lists + len(items), price_usd=price, lines=(line,))

    def _listed(self, bucket: str, prefix: str) -> Iterator[dict[str, str]]:
        try:
            for page in self._caller.pages("s3", "ListObjectsV2", {"Bucket": bucket, "Prefix": prefix}, tokens=_TOKENS):
                yield from page.get("Contents", ())
        except TargetError as error:
            if _code(error) in _GONE:
                raise SchemaError("there is no such bucket", where=f"{SCHEME}{bucket}") from error
            raise

    def _download(self, bucket: str, key: str, item: Item, path: Path) -> None:
        from botocore.exceptions import BotoCoreError
        from urllib3.exceptions import HTTPError

        try:
            answer = self._caller.call("s3", "GetObject", {"Bucket": bucket, "Key": key, "IfMatch": item.version})
        except TargetError as error:
            if _code(error) in _CHANGED:
                raise ConflictError("the object was changed since it was listed", where=item.address) from error
            if _code(error) in _GONE:
                raise SchemaError("the object is gone", where=item.address) from error
            raise
        try:
            with path.open("wb") as file:
                for chunk in answer["Body"].iter_chunks(_CHUNK):
                    file.write(chunk)
        except (BotoCoreError, HTTPError, OSError) as error:
            raise TargetError(f"the download broke off: {error}", where=item.address, hint="run it again") from error
        if path.stat().st_size != item.size:
            raise TargetError(
                f"{path.stat().st_size} of {item.size} bytes arrived", where=item.address, hint="run it again"
            )


def _split(address: str) -> tuple[str, str]:
    bucket, _, key = address.removeprefix(SCHEME).partition("/")
    if not address.startswith(SCHEME) or not bucket:
        raise UsageError(f"{address!r} is no S3 address", hint="write s3://bucket/prefix")
    return bucket, key


def _below(found: str, address: str) -> bool:
    """The address itself, or below it as a folder: ``s3://b/cur`` does not mean ``s3://b/cur-old/x``."""
    return found == address or found.startswith(address if address.endswith("/") else address + "/")


def _code(error: AwsAutoError) -> str:
    from botocore.exceptions import ClientError

    cause = error.__cause__
    return str(cause.response.get("Error", {}).get("Code", "")) if isinstance(cause, ClientError) else ""
