"""Schedules in ``state.db``: who asks first when a job is due gets it, over all processes of the machine."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

from aws_auto.pipeline.local.state import micros, moment
from aws_auto.pipeline.ports import Schedule

if TYPE_CHECKING:
    import sqlite3
    from datetime import datetime

    from aws_auto.pipeline.local.state import State
    from aws_auto.pipeline.ports import Clock


class LocalScheduler:
    """`Scheduler` for one machine; something (cron) has to ask `claim` now and then."""

    def __init__(self, state: State, clock: Clock) -> None:
        self._state = state
        self._clock = clock

    def put(self, schedule: Schedule) -> Schedule:
        """Store or replace the schedule of that job; returns it with ``next_run`` set.

        ``next_run`` is the next moment that ``every`` names. Putting the same schedule again changes neither
        ``last_run`` nor ``next_run``, so that a job which is put before each run does come due.

        Raises:
            UsageError: ``every`` is no schedule.
        """
        upcoming = _next(schedule.every, self._clock.now())
        with self._state.transaction() as db:
            row = db.execute("SELECT * FROM schedules WHERE job = ?", (schedule.job,)).fetchone()
            old = None if row is None else _as_schedule(row)
            if old is not None:
                schedule = replace(schedule, last_run=schedule.last_run or old.last_run)
                if old.every == schedule.every and old.next_run is not None:
                    upcoming = old.next_run
            schedule = replace(schedule, next_run=schedule.next_run or upcoming)
            db.execute("INSERT OR REPLACE INTO schedules VALUES (?, ?, ?, ?, ?)", _as_row(schedule))
        return schedule

    def all(self) -> list[Schedule]:
        """Every schedule, by job."""
        with self._state.read() as db:
            return [_as_schedule(row) for row in db.execute("SELECT * FROM schedules ORDER BY job")]

    def claim(self, job: str) -> bool:
        """True for exactly one caller when the job is due now; moves ``next_run`` on. Safe to call every minute.

        A job that came due several times while the machine slept is due once. A job without a schedule is never due.
        """
        now = self._clock.now()
        with self._state.transaction() as db:
            row = db.execute("SELECT every, next_run FROM schedules WHERE job = ?", (job,)).fetchone()
            if row is None or micros(now) < row["next_run"]:
                return False
            upcoming = _next(row["every"], now)
            db.execute(
                "UPDATE schedules SET last_run = ?, next_run = ? WHERE job = ?", (micros(now), micros(upcoming), job)
            )
        return True

    def remove(self, job: str) -> None:
        """Forget it; nothing happens when it is not there."""
        with self._state.transaction() as db:
            db.execute("DELETE FROM schedules WHERE job = ?", (job,))


def _next(every: str, now: datetime) -> datetime:
    from aws_auto.config.units import Schedule as Timing

    return Timing.parse(every).next_after(now)


def _as_row(schedule: Schedule) -> tuple[str | int | None, ...]:
    times = (None if t is None else micros(t) for t in (schedule.last_run, schedule.next_run))
    return (schedule.job, schedule.every, json.dumps(schedule.command), *times)


def _as_schedule(row: sqlite3.Row) -> Schedule:
    return Schedule(
        job=row["job"],
        every=row["every"],
        command=tuple(json.loads(row["command"])),
        last_run=None if row["last_run"] is None else moment(row["last_run"]),
        next_run=moment(row["next_run"]),
    )
