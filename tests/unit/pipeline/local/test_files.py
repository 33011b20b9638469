from __future__ import annotations

import errno
import os
import threading

import pytest

from aws_auto.errors import ConflictError, TargetError
from aws_auto.pipeline.local.files import make_folder, only_one, refusals, write_whole


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (errno.ENOSPC, "the disk is full"),
        (errno.EROFS, "read-only"),
        (errno.EACCES, "may not write"),
        (errno.ENOTDIR, "a file is in the way"),
    ],
)
def test_what_the_system_refuses_is_a_sentence_with_a_place_and_a_next_step(tmp_path, number, said):
    with pytest.raises(TargetError, match=said) as caught, refusals(tmp_path):
        raise OSError(number, os.strerror(number), str(tmp_path / "file"))
    assert caught.value.where == str(tmp_path / "file")
    assert caught.value.hint


def test_an_unusual_refusal_keeps_the_words_of_the_system(tmp_path):
    with pytest.raises(TargetError, match=os.strerror(errno.ELOOP)), refusals(tmp_path):
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))


def test_a_file_is_written_whole_and_its_temporary_name_is_gone(tmp_path):
    path = tmp_path / "a" / "b" / "file"
    write_whole(path, b"data", temporary=path.with_suffix(".tmp"))
    assert path.read_bytes() == b"data"
    assert list(path.parent.iterdir()) == [path]


def test_a_file_in_the_way_of_a_folder_is_named(tmp_path):
    (tmp_path / "a").write_bytes(b"")
    with pytest.raises(TargetError, match="a file is in the way"):
        write_whole(tmp_path / "a" / "file", b"data", temporary=tmp_path / "a" / "tmp")


def test_making_a_folder_that_is_there_is_no_error(tmp_path):
    make_folder(tmp_path / "a" / "b")
    make_folder(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").is_dir()


def test_only_one_thread_holds_the_lock(tmp_path):
    inside, most = [], []

    def work():
        with only_one(tmp_path / ".lock"):
            inside.append(1)
            most.append(len(inside))
            threading.Event().wait(0.01)
            inside.pop()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1, 1, 1, 1]


def test_who_waits_too_long_for_the_lock_is_told(tmp_path):
    with (
        only_one(tmp_path / ".lock"),
        pytest.raises(ConflictError, match="another process keeps it locked"),
        only_one(tmp_path / ".lock", patience_s=0.0),
    ):
        pass


def test_the_lock_leaves_nothing_but_an_empty_file(tmp_path):
    with only_one(tmp_path / ".lock"):
        pass
    assert [(p.name, p.stat().st_size) for p in tmp_path.iterdir()] == [(".lock", 0)]


def test_the_lock_is_free_again_after_an_error(tmp_path):
    with pytest.raises(KeyError), only_one(tmp_path / ".lock"):
        raise KeyError
    with only_one(tmp_path / ".lock", patience_s=0.0):
        pass


def test_a_lock_file_of_another_kind_is_refused(tmp_path):
    (tmp_path / ".lock").write_bytes(b"something else entirely, and rather long too" * 50)
    with pytest.raises(TargetError, match="is damaged"), only_one(tmp_path / ".lock"):
        pass
