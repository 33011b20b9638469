"""What every journal must do."""

from __future__ import annotations

from datetime import UTC, datetime


class TestJournal:
    def test_lines_are_read_newest_first_by_the_next_process(self, place, clock):
        place.journal().append("train", model="anomaly-detector", rows=10)
        clock.sleep(60)
        place.journal().append("promote", model="anomaly-detector", version=1)
        newest, oldest = place.journal().entries()
        assert (newest.kind, dict(newest.detail)) == ("promote", {"model": "anomaly-detector", "version": 1})
        assert newest.at == clock.now()
        assert oldest.kind == "train"

    def test_lines_can_be_asked_for_by_kind_and_number(self, place):
        journal = place.journal()
        for n in range(5):
            journal.append("even" if n % 2 == 0 else "odd", n=n)
        assert [e.detail["n"] for e in journal.entries("even")] == [4, 2, 0]
        assert [e.detail["n"] for e in journal.entries(limit=2)] == [4, 3]
        assert journal.entries("never") == []

    def test_values_that_are_no_json_are_kept_as_text(self, place):
        journal = place.journal()
        journal.append("odd", at=datetime(2026, 1, 1, tzinfo=UTC), share=float("nan"), where=("a", 1))
        assert journal.entries()[0].detail == {"at": "2026-01-01T00:00:00+00:00", "share": None, "where": ["a", 1]}
