"""What every registry must do."""

from __future__ import annotations

import pytest

from aws_auto.errors import ModelNotFound
from aws_auto.results import Stage

NAME = "anomaly-detector"


@pytest.fixture
def registry(place):
    return place.registry()


@pytest.fixture
def three(registry, a_model, clock):
    """A registry with three versions, a minute apart."""
    for weights in (b"one", b"two", b"three"):
        registry.register(NAME, a_model(weights))
        clock.sleep(60)
    return registry


def champion(registry):
    found = registry.champion(NAME)
    return found and found.version


class TestRegistry:
    def test_a_version_is_registered_as_a_candidate_with_all_that_it_is(self, registry, a_model, clock):
        model = a_model(b"bytes")
        version = registry.register(NAME, model)
        assert (version.name, version.version, version.stage) == (NAME, 1, Stage.CANDIDATE)
        assert version.created_at == clock.now()
        assert version.recipe == "anomaly-detector"
        assert version.schema == model.schema
        assert version.report["decision"] == "promote"
        assert version.report["lineage"]["seed"] == 7

    def test_the_next_process_reads_the_same_versions_and_files(self, place, a_model):
        version = place.registry().register(NAME, a_model(b"bytes"))
        assert place.registry().versions(NAME) == [version]
        assert place.registry().files(version) == {"model.ubj": b"bytes", "meta.json": b"{}"}

    def test_versions_count_by_name_and_come_newest_first(self, three, a_model):
        three.register("cost-optimizer", a_model())
        assert [v.version for v in three.versions(NAME)] == [3, 2, 1]
        assert [(v.name, v.version) for v in three.versions()][:2] == [("cost-optimizer", 1), (NAME, 3)]
        assert three.versions("nobody") == []

    def test_the_same_model_twice_is_two_versions_of_the_same_files(self, registry, a_model):
        first, second = registry.register(NAME, a_model()), registry.register(NAME, a_model())
        assert (first.version, second.version) == (1, 2)
        assert first.files == second.files

    def test_there_is_no_champion_before_a_promotion(self, three):
        assert three.champion(NAME) is None
        assert three.champion("nobody") is None
        assert three.history(NAME) == []

    def test_a_promotion_archives_the_former_champion(self, three):
        three.promote(NAME, 1, reason="first")
        promoted = three.promote(NAME, 2, reason="better")
        assert promoted.stage == Stage.CHAMPION
        assert champion(three) == 2
        stages = {v.version: v.stage for v in three.versions(NAME)}
        assert stages == {1: Stage.ARCHIVED, 2: Stage.CHAMPION, 3: Stage.CANDIDATE}

    def test_an_archived_version_may_be_promoted_again(self, three):
        for version in (1, 2, 1):
            three.promote(NAME, version, reason="so")
        assert champion(three) == 1
        assert three.rollback(NAME, reason="no").version == 2

    def test_the_history_says_who_why_and_when_newest_first(self, three, clock):
        three.promote(NAME, 1, reason="first")
        clock.sleep(60)
        three.promote(NAME, 2, reason="better")
        three.rollback(NAME, reason="errors doubled")
        told = [(p.kind, p.version, p.previous, p.reason) for p in three.history(NAME)]
        assert told == [
            ("rollback", 1, 2, "errors doubled"),
            ("promote", 2, 1, "better"),
            ("promote", 1, None, "first"),
        ]
        assert three.history(NAME)[0].at == clock.now()

    def test_promoting_the_champion_again_is_no_event(self, three):
        three.promote(NAME, 1, reason="first")
        three.promote(NAME, 2, reason="second")
        assert three.promote(NAME, 2, reason="again").version == 2
        assert len(three.history(NAME)) == 2
        assert three.rollback(NAME, reason="no").version == 1

    def test_a_second_rollback_goes_further_back_and_not_forward_again(self, three):
        for version in (1, 2, 3):
            three.promote(NAME, version, reason="so")
        assert three.rollback(NAME, reason="no").version == 2
        assert three.rollback(NAME, reason="no").version == 1
        with pytest.raises(ModelNotFound, match="no champion before"):
            three.rollback(NAME, reason="no")
        assert champion(three) == 1

    def test_after_a_rollback_the_next_promotion_is_rolled_back_to_what_answered_before_it(self, three):
        three.promote(NAME, 1, reason="so")
        three.promote(NAME, 2, reason="so")
        three.rollback(NAME, reason="no")
        three.promote(NAME, 3, reason="so")
        assert three.rollback(NAME, reason="no").version == 1

    def test_a_rollback_without_any_champion_is_refused(self, three):
        with pytest.raises(ModelNotFound, match="never had a champion"):
            three.rollback(NAME, reason="no")

    def test_promoting_what_is_not_there_names_what_is(self, three):
        with pytest.raises(ModelNotFound, match="there is no version 9; there are 1, 2, 3"):
            three.promote(NAME, 9, reason="so")
        with pytest.raises(ModelNotFound, match="no version of it is registered"):
            three.promote("nobody", 1, reason="so")

    def test_who_was_champion_at_a_time_can_be_told(self, three, clock):
        start = clock.now()
        events = (
            lambda: three.promote(NAME, 1, reason="so"),
            lambda: three.promote(NAME, 3, reason="so"),
            lambda: three.rollback(NAME, reason="no"),
        )
        clock.sleep(1)
        times = []
        for event in events:
            times.append(clock.now())
            event()
            clock.sleep(3600)
        assert three.champion_at(NAME, start) is None
        assert [three.champion_at(NAME, t).version for t in times] == [1, 3, 1]
        assert three.champion_at(NAME, clock.now()).version == 1

    def test_models_do_not_touch_one_another(self, three, a_model):
        three.register("cost-optimizer", a_model())
        three.promote(NAME, 2, reason="so")
        three.promote("cost-optimizer", 1, reason="so")
        assert champion(three) == 2
        assert three.champion("cost-optimizer").version == 1
