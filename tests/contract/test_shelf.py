"""The duties of a shelf, kept on the disk and in an emulated bucket."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pytest

from aws_auto.errors import ConflictError, SchemaError
from aws_auto.pipeline.aws.calls import Caller
from aws_auto.pipeline.aws.s3 import S3Shelf
from aws_auto.pipeline.aws.session import Clients
from aws_auto.pipeline.local.clock import SystemClock
from aws_auto.pipeline.local.shelf import LocalShelf

if TYPE_CHECKING:
    from collections.abc import Callable

    from aws_auto.pipeline.shelf import Shelf


@dataclass
class Place:
    shelf: Shelf
    root: str
    put: Callable[[str, bytes], None]
    remove: Callable[[str], None]


@pytest.fixture
def disk(tmp_path):
    def put(name, content):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    return Place(LocalShelf(), str(tmp_path), put, lambda name: (tmp_path / name).unlink())


@pytest.fixture
def bucket(emulated_aws, request):
    clients = Clients(emulated_aws.environ())
    s3 = clients.client("s3")
    name = f"shelf-{abs(hash(request.node.name)) % 10**8}"
    s3.create_bucket(Bucket=name)
    return Place(
        S3Shelf(Caller(clients, SystemClock(), np.random.default_rng(7))),
        f"s3://{name}",
        lambda key, content: s3.put_object(Bucket=name, Key=key, Body=content),
        lambda key: s3.delete_object(Bucket=name, Key=key),
    )


@pytest.fixture(params=["disk", pytest.param("bucket", marks=pytest.mark.emulator)])
def place(request):
    return request.getfixturevalue(request.param)


def test_a_folder_is_all_that_lies_below_it_and_nothing_beside_it(place):
    for name in ("cur/a/1.csv", "cur/a/2.csv", "cur/b.csv", "cur-old/3.csv"):
        place.put(name, b"x")
    items = place.shelf.items(f"{place.root}/cur")
    assert [item.address.removeprefix(place.root) for item in items] == ["/cur/a/1.csv", "/cur/a/2.csv", "/cur/b.csv"]
    assert [item.size for item in items] == [1, 1, 1]


def test_a_file_is_itself(place):
    place.put("cur/a.csv", b"abc")
    (item,) = place.shelf.items(f"{place.root}/cur/a.csv")
    with place.shelf.open(item) as path:
        assert path.read_bytes() == b"abc"
        assert path.name == "a.csv"


def test_a_pattern_chooses(place):
    for name in ("cur/a.csv", "cur/b.parquet"):
        place.put(name, b"x")
    assert [item.name for item in place.shelf.items(f"{place.root}/cur/*.csv")] == ["a.csv"]


def test_nothing_is_an_error(place):
    place.put("other/a.csv", b"x")
    with pytest.raises(SchemaError):
        place.shelf.items(f"{place.root}/cur")


def test_new_content_is_a_new_version_and_the_old_one_is_not_opened(place):
    place.put("cur/a.csv", b"old")
    (before,) = place.shelf.items(f"{place.root}/cur/a.csv")
    place.put("cur/a.csv", b"newer")
    (after,) = place.shelf.items(f"{place.root}/cur/a.csv")
    assert before.version != after.version
    with pytest.raises(ConflictError), place.shelf.open(before):
        pass


def test_a_file_that_is_gone_is_said(place):
    place.put("cur/a.csv", b"x")
    (item,) = place.shelf.items(f"{place.root}/cur/a.csv")
    place.remove("cur/a.csv")
    with pytest.raises(SchemaError), place.shelf.open(item):
        pass


def test_a_price_is_known_before_anything_is_opened(place):
    place.put("cur/a.csv", b"x")
    estimate = place.shelf.price(place.shelf.items(f"{place.root}/cur"))
    assert estimate.lines
    assert estimate.price_usd < 0.001
