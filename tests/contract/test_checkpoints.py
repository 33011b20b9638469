"""What every store of checkpoints must do."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from aws_auto.pipeline.ports import Checkpoint

AT = datetime(2026, 6, 1, tzinfo=UTC)
ONE = Checkpoint(at=AT, states={"web-1": b"\x00one", "web-2": b""}, seen={"web-1": 12, "web-2": 3, "new": 5})


class TestCheckpoints:
    def test_there_is_none_at_first(self, place):
        assert place.checkpoints().get("detector", "1") is None

    def test_the_next_process_reads_what_was_put(self, place):
        place.checkpoints().put("detector", "1", ONE)
        assert place.checkpoints().get("detector", "1") == ONE

    def test_a_later_one_replaces_all_of_the_one_before(self, place):
        later = Checkpoint(at=AT + timedelta(hours=6), states={"web-1": b"two"}, seen={"web-1": 84})
        place.checkpoints().put("detector", "1", ONE)
        place.checkpoints().put("detector", "1", later)
        assert place.checkpoints().get("detector", "1") == later

    def test_other_versions_and_other_models_have_their_own(self, place):
        place.checkpoints().put("detector", "1", ONE)
        assert place.checkpoints().get("detector", "2") is None
        assert place.checkpoints().get("other", "1") is None

    def test_what_was_not_used_for_long_is_forgotten_and_other_models_are_not(self, place):
        store = place.checkpoints()
        store.put("other", "1", ONE)
        for version in range(9):
            store.put("detector", str(version), ONE)
        assert store.get("detector", "0") is None
        assert store.get("detector", "8") == ONE
        assert store.get("other", "1") == ONE
