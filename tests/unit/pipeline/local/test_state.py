from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from datetime import UTC, datetime, timedelta, timezone

import pytest

from aws_auto.errors import TargetError, UsageError
from aws_auto.pipeline.local.state import MIGRATIONS, State, micros, moment

ADD = "INSERT INTO journal (at, kind, detail) VALUES (0, ?, '{}')"


def kinds(state):
    with state.read() as db:
        return [row["kind"] for row in db.execute("SELECT kind FROM journal ORDER BY id")]


@pytest.fixture
def state(tmp_path):
    return State(tmp_path / "state.db")


def test_a_new_database_is_in_wal_mode_and_at_the_newest_version(state):
    with state.read() as db:
        assert db.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
        assert db.execute("PRAGMA user_version").fetchone()[0] == len(MIGRATIONS)
        assert db.execute("PRAGMA foreign_keys").fetchone()[0] == 1


def test_a_transaction_that_fails_leaves_nothing(state):
    def half():
        with state.transaction() as db:
            db.execute(ADD, ("half",))
            raise KeyError

    with pytest.raises(KeyError):
        half()
    assert kinds(state) == []


def test_a_reader_sees_one_state_while_a_writer_commits(state):
    with state.read() as reader:
        assert reader.execute("SELECT COUNT(*) FROM journal").fetchone()[0] == 0
        with state.transaction() as writer:
            writer.execute(ADD, ("now",))
        assert reader.execute("SELECT COUNT(*) FROM journal").fetchone()[0] == 0
    assert kinds(state) == ["now"]


def test_threads_write_at_once_without_losing_a_line(state):
    def write(name):
        for _ in range(10):
            with state.transaction() as db:
                db.execute(ADD, (name,))

    threads = [threading.Thread(target=write, args=(str(n),)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(kinds(state)) == 40


def test_a_version_we_do_not_know_is_refused_and_left_alone(state):
    with closing(sqlite3.connect(state.path)) as db:
        db.execute("PRAGMA user_version = 99")
    with pytest.raises(TargetError, match="written by a newer aws-auto") as caught:
        State(state.path)
    assert "upgrade" in caught.value.hint
    with closing(sqlite3.connect(state.path)) as db:
        assert db.execute("PRAGMA user_version").fetchone()[0] == 99


def test_a_file_that_is_no_database_is_refused_with_its_place_and_a_next_step(tmp_path):
    path = tmp_path / "state.db"
    path.write_bytes(b"no database at all, but long enough to be taken for one" * 100)
    with pytest.raises(TargetError, match="state is damaged") as caught:
        State(path)
    assert caught.value.where == str(path)
    assert "backup" in caught.value.hint


def test_a_page_that_was_overwritten_is_said_when_it_is_met(state):
    with state.transaction() as db:
        db.executemany(ADD, [("x" * 2000,)] * 50)
    size = state.path.stat().st_size
    with state.path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (size - 4096))
    with pytest.raises(TargetError, match="state is damaged"):
        kinds(state)


def test_our_own_mistakes_are_not_dressed_up_as_damage(state):
    with pytest.raises(sqlite3.OperationalError, match="no such table"), state.read() as db:
        db.execute("SELECT * FROM nowhere")


def test_a_migration_that_fails_leaves_the_version_before(state):
    broken = (*MIGRATIONS, "CREATE TABLE extra (a); CREATE TABLE journal (b);")
    with pytest.raises(sqlite3.OperationalError, match="already exists"):
        State(state.path, migrations=broken)
    with state.read() as db:
        assert db.execute("PRAGMA user_version").fetchone()[0] == len(MIGRATIONS)
        assert not db.execute("SELECT 1 FROM sqlite_schema WHERE name = 'extra'").fetchall()


def test_an_older_database_is_brought_up_to_date_and_keeps_what_it_holds(state):
    with state.transaction() as db:
        db.execute(ADD, ("old",))
    newer = State(state.path, migrations=(*MIGRATIONS, "ALTER TABLE journal ADD COLUMN note TEXT"))
    assert kinds(newer) == ["old"]
    with newer.read() as db:
        assert db.execute("SELECT note FROM journal").fetchone()["note"] is None


def test_times_survive_to_the_microsecond_in_any_zone():
    for at in (
        datetime(2026, 3, 29, 1, 59, 59, 999999, tzinfo=UTC),
        datetime(1969, 12, 31, 23, 59, 59, 1, tzinfo=UTC),
        datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=-7))),
    ):
        assert moment(micros(at)) == at


def test_a_time_without_a_zone_is_refused():
    with pytest.raises(UsageError, match="no time zone"):
        micros(datetime(2026, 1, 1))  # noqa: DTZ001 - what is tested
