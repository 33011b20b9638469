from __future__ import annotations

import pytest

from aws_auto.pipeline.serve.champion import Champion


@pytest.fixture
def champion(ws, recipe):
    return Champion(ws, "times", recipe=recipe)


def test_no_champion_yet_is_no_answer_and_a_reason(champion):
    assert champion.current() is None
    assert champion.trouble == "times has no champion yet; train it first"


def test_a_champion_is_loaded_once(ws, champion):
    ws.registry.crown("times", 2)
    assert champion.current().predictor.factor == 2
    assert champion.current().predictor.factor == 2
    assert ws.registry.loads == 1
    assert champion.trouble is None


def test_a_promotion_and_a_rollback_are_followed(ws, champion):
    factors = []
    for version in (2, 3, 2):
        ws.registry.crown("times", version)
        factors.append(champion.current().predictor.factor)
    assert factors == [2, 3, 2]


def test_a_damaged_successor_leaves_the_former_version_answering(ws, champion):
    ws.registry.crown("times", 2)
    champion.current()
    ws.registry.damaged.add(3)
    ws.registry.crown("times", 3)
    assert champion.current().version.version == 2
    assert champion.trouble == "version 3 cannot be loaded: factor was changed"


def test_a_damaged_champion_is_tried_again_later_not_with_every_request(ws, champion):
    ws.registry.damaged.add(2)
    ws.registry.crown("times", 2)
    assert [champion.current() for _ in range(5)] == [None] * 5
    assert ws.registry.loads == 1
    ws.registry.damaged.clear()
    ws.clock.sleep(31)
    assert champion.current().version.version == 2
    assert champion.trouble is None


def test_a_registry_that_cannot_be_read_leaves_the_loaded_version_answering(ws, champion):
    ws.registry.crown("times", 2)
    champion.current()
    ws.registry.locked = True
    assert champion.current().version.version == 2
    assert champion.trouble == "locked"
