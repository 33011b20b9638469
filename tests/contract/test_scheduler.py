"""What every scheduler must do. The clock stands at Wednesday, 4 March 2026, 12:30 UTC."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest

from aws_auto.errors import UsageError
from aws_auto.pipeline.ports import Schedule

COMMAND = ("ml", "train-models", "--models", "anomaly-detector")


def schedule(every="hourly", job="train"):
    return Schedule(job=job, every=every, command=COMMAND)


class TestScheduler:
    @pytest.mark.parametrize(
        ("every", "upcoming"),
        [
            ("hourly", datetime(2026, 3, 4, 13, tzinfo=UTC)),
            ("daily", datetime(2026, 3, 5, tzinfo=UTC)),
            ("weekly", datetime(2026, 3, 8, tzinfo=UTC)),
            ("monthly", datetime(2026, 4, 1, tzinfo=UTC)),
            ("15 2 * * 1", datetime(2026, 3, 9, 2, 15, tzinfo=UTC)),
        ],
    )
    def test_a_schedule_gets_its_next_run(self, place, every, upcoming):
        stored = place.scheduler().put(schedule(every))
        assert stored.next_run == upcoming
        assert stored.last_run is None
        assert place.scheduler().all() == [stored]

    def test_schedules_come_by_job(self, place):
        scheduler = place.scheduler()
        for job in ("b", "c", "a"):
            scheduler.put(schedule(job=job))
        assert [s.job for s in scheduler.all()] == ["a", "b", "c"]
        assert scheduler.all()[0].command == COMMAND

    def test_what_is_no_schedule_is_refused_and_not_stored(self, place):
        with pytest.raises(UsageError, match="is not a schedule"):
            place.scheduler().put(schedule("now and then"))
        assert place.scheduler().all() == []

    def test_a_job_is_not_due_before_its_time_and_due_once_after_it(self, place, clock):
        scheduler = place.scheduler()
        scheduler.put(schedule())
        claims = []
        for _ in range(62):
            claims.append(scheduler.claim("train"))
            clock.sleep(60)
        assert claims == [False] * 30 + [True] + [False] * 31

    def test_a_claim_is_remembered(self, place, clock):
        scheduler = place.scheduler()
        scheduler.put(schedule())
        clock.sleep(40 * 60)
        assert scheduler.claim("train")
        (stored,) = place.scheduler().all()
        assert stored.last_run == clock.now()
        assert stored.next_run == datetime(2026, 3, 4, 14, tzinfo=UTC)

    def test_a_job_whose_machine_slept_for_a_week_runs_once(self, place, clock):
        scheduler = place.scheduler()
        scheduler.put(schedule())
        clock.sleep(7 * 86400)
        assert [scheduler.claim("train") for _ in range(5)] == [True, False, False, False, False]

    def test_of_many_callers_at_once_exactly_one_gets_the_job(self, place, clock):
        place.scheduler().put(schedule())
        clock.sleep(3600)
        with ThreadPoolExecutor(8) as pool:
            claims = list(pool.map(lambda _: place.scheduler().claim("train"), range(8)))
        assert sum(claims) == 1

    def test_a_job_without_a_schedule_is_never_due(self, place):
        assert not place.scheduler().claim("nobody")

    def test_putting_the_same_schedule_again_does_not_postpone_it(self, place, clock):
        scheduler = place.scheduler()
        scheduler.put(schedule())
        clock.sleep(3600)
        scheduler.put(schedule())
        assert scheduler.claim("train")
        scheduler.put(schedule())
        assert not scheduler.claim("train")

    def test_another_rhythm_replaces_the_old_one_and_keeps_the_last_run(self, place, clock):
        scheduler = place.scheduler()
        scheduler.put(schedule())
        clock.sleep(3600)
        scheduler.claim("train")
        stored = scheduler.put(schedule("weekly"))
        assert stored.next_run == datetime(2026, 3, 8, tzinfo=UTC)
        assert stored.last_run == clock.now()

    def test_a_removed_job_is_gone_and_removing_it_twice_is_no_error(self, place, clock):
        scheduler = place.scheduler()
        scheduler.put(schedule())
        scheduler.remove("train")
        scheduler.remove("train")
        clock.sleep(7200)
        assert scheduler.all() == []
        assert not scheduler.claim("train")
