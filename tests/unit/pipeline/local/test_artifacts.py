from __future__ import annotations

import hashlib
import os

import pytest

from aws_auto.errors import ArtifactError
from aws_auto.pipeline.local.artifacts import Artifacts

WHAT = "anomaly-detector version 3: model.ubj"


@pytest.fixture
def artifacts(tmp_path):
    return Artifacts(tmp_path / "artifacts")


def path_of(artifacts, sha):
    return artifacts.root / sha[:2] / sha


def test_a_file_is_named_by_its_content(artifacts):
    sha = artifacts.put(b"weights")
    assert sha == hashlib.sha256(b"weights").hexdigest()
    assert path_of(artifacts, sha).read_bytes() == b"weights"
    assert artifacts.get(sha, what=WHAT) == b"weights"


def test_equal_content_is_stored_once_and_not_written_again(artifacts):
    sha = artifacts.put(b"weights")
    before = path_of(artifacts, sha).stat().st_ino
    assert artifacts.put(b"weights") == sha
    assert path_of(artifacts, sha).stat().st_ino == before


def test_a_changed_file_is_refused_with_whose_it_is_and_both_checksums(artifacts):
    sha = artifacts.put(b"weights")
    path_of(artifacts, sha).write_bytes(b"wEights")
    with pytest.raises(ArtifactError, match="was changed or damaged") as caught:
        artifacts.get(sha, what=WHAT)
    assert caught.value.where == WHAT
    assert f"expected SHA-256 {sha}" in caught.value.message
    assert f"found {hashlib.sha256(b'wEights').hexdigest()}" in caught.value.message
    assert caught.value.hint


def test_a_missing_file_is_refused(artifacts):
    sha = artifacts.put(b"weights")
    path_of(artifacts, sha).unlink()
    with pytest.raises(ArtifactError, match="is missing"):
        artifacts.get(sha, what=WHAT)


def test_what_is_no_checksum_opens_no_file(artifacts):
    with pytest.raises(ArtifactError, match="is not a SHA-256"):
        artifacts.get("../../etc/passwd", what=WHAT)


def test_storing_the_right_bytes_again_mends_a_changed_file(artifacts):
    sha = artifacts.put(b"weights")
    path_of(artifacts, sha).write_bytes(b"wEights")
    artifacts.put(b"weights")
    assert artifacts.get(sha, what=WHAT) == b"weights"


def test_what_killed_processes_left_is_deleted_after_an_hour_and_not_before(artifacts):
    artifacts.put(b"one")
    old, new = artifacts.root / "tmp" / "old", artifacts.root / "tmp" / "new"
    old.write_bytes(b"half")
    new.write_bytes(b"half")
    os.utime(old, (0, 0))
    artifacts.put(b"two")
    assert list((artifacts.root / "tmp").iterdir()) == [new]


def test_an_empty_file_is_a_file(artifacts):
    assert artifacts.get(artifacts.put(b""), what=WHAT) == b""
