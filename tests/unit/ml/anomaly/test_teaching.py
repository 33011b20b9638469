from dataclasses import replace

import numpy as np
import pytest

from aws_auto.ml.anomaly.detect.learned import observing
from aws_auto.ml.anomaly.detect.lessons import SILENT, excess, shares_of, together
from aws_auto.ml.anomaly.detect.profile import MEMBERS
from aws_auto.ml.anomaly.detector import FleetDetector
from aws_auto.ml.anomaly.ensemble import Ensemble
from aws_auto.ml.anomaly.grid import ResourceGrid
from aws_auto.ml.anomaly.labels import Labels
from aws_auto.ml.anomaly.rules import ROLLING_MAD
from aws_auto.ml.anomaly.settings import AnomalySettings
from aws_auto.ml.anomaly.teaching import Taught, by_profile, lesson_of, teach

HOUR, DAY = 3600, 86_400
DAYS, UNTIL = 24, 10 * DAY
SETTINGS = AnomalySettings()


def grid(name, *, seed=0, metrics=("latency",), days=DAYS, first=0):
    """Hours of a day's wave; every second day from the fourth on it stays two deviations above for six hours."""
    n = 24 * days
    rows, spans = [], []
    for m in range(len(metrics)):
        rng = np.random.default_rng((seed, m))
        rows.append(50 + 10 * np.sin(np.arange(n) / 24 * 2 * np.pi) + rng.normal(0, 1, n))
    for day in range(4 + seed % 2, days - 1, 2):
        at = 24 * day + 3 + seed
        rows[0][at : at + 6] += 2.5
        spans.append((first + at * HOUR, first + (at + 5) * HOUR))
    return ResourceGrid(name, HOUR, first, metrics, np.stack(rows), np.arange(n)), Labels(right=tuple(spans))


def taught(fleet, said, settings=SETTINGS):
    return teach(fleet, said, until=UNTIL, settings=settings, seed=0)


def test_without_incidents_nothing_is_said():
    one, _ = grid("a")
    for said in ({}, {"a": Labels(wrong=((0, HOUR),))}):
        none = taught({"a": one}, said)
        assert (none.mixes, none.notes, none.resources) == ({}, (), [])


def test_incidents_elsewhere_or_in_the_part_that_is_learned_from_are_counted_as_unused():
    one, _ = grid("a")
    said = {
        "a": Labels(right=((0, HOUR), (DAYS * DAY + 9, DAYS * DAY + 99))),
        "gone": Labels(right=((9 * DAY, 9 * DAY),)),
    }
    few = taught({"a": one}, said)
    assert (few.incidents, few.unused) == (0, 3)
    assert "0 labelled incidents, at least 5 are needed" in few.notes[0]
    assert few.notes[1].startswith("3 labels lie where")


def test_labelled_resources_are_looked_at_first_and_others_beside_them():
    pairs = {f"r{i:02d}": grid(f"r{i:02d}", seed=i % 7) for i in range(30)}
    fleet = {name: one for name, (one, _) in pairs.items()}
    some = taught(fleet, {"r29": pairs["r29"][1]})
    assert "r29" in some.resources
    assert len(some.resources) == 12
    assert some.incidents + some.unused == len(pairs["r29"][1].right)
    (learned,) = some.learned
    assert learned.incidents == some.incidents
    assert learned.usual.name == "hours"


def test_a_lesson_holds_no_column_that_its_members_learned_from():
    one, said = grid("a")
    ((profile, rows),) = by_profile(one, UNTIL)
    lesson = lesson_of(one, rows, observing(profile), UNTIL, said, said.right)
    assert lesson.times[0] == UNTIL // 2
    assert lesson.surprise.shape == (1, 9, len(lesson.times))
    assert not lesson.usual[lesson.times == said.right[3][0]].any()
    later = replace(one, values=np.where(one.times > 15 * DAY, 1e6, one.values))
    other = lesson_of(later, rows, observing(profile), UNTIL, said, said.right)
    before = lesson.times <= 15 * DAY
    np.testing.assert_array_equal(other.surprise[..., before], lesson.surprise[..., before])


def test_a_resource_that_appeared_late_is_taught_on_its_own_days():
    one, said = grid("young", days=10, first=14 * DAY)
    ((profile, rows),) = by_profile(one, UNTIL)
    assert lesson_of(one, rows, observing(profile), UNTIL, said, said.right).times[0] == one.first + 2.5 * DAY


def test_metrics_without_enough_points_are_left_out():
    one, said = grid("a", metrics=("latency", "errors"))
    bare = replace(one, values=np.stack([one.values[0], np.full(one.values.shape[1], np.nan)]))
    some = taught({"a": bare}, {"a": said})
    assert all(lesson.surprise.shape[0] == 1 for lessons in some.lessons.values() for lesson in lessons.values())
    nothing = replace(one, values=np.full(one.values.shape, np.nan))
    silent = taught({"a": nothing}, {"a": said})
    assert (silent.learned, silent.lessons) == ((), {})


def test_excluded_spans_are_not_learned_from():
    from datetime import UTC, datetime

    one, said = grid("a")
    span = (datetime.fromtimestamp(UNTIL, UTC), datetime.fromtimestamp(UNTIL + 3 * DAY, UTC))
    some = taught({"a": one}, {"a": said}, AnomalySettings(excluded=(span,)))
    (lesson,) = some.lessons["hours"].values()
    assert not lesson.judged[(lesson.times >= UNTIL) & (lesson.times <= UNTIL + 3 * DAY)].any()


@pytest.fixture(scope="module")
def learned():
    """What five resources taught, and the fleet."""
    pairs = {f"r{i}": grid(f"r{i}", seed=i) for i in range(5)}
    fleet = {name: one for name, (one, _) in pairs.items()}
    said = {name: labels for name, (_, labels) in pairs.items()}
    return taught(fleet, said), fleet, said


def detector(fleet, kind=Ensemble.kind, mixes=None):
    return FleetDetector.fit(kind, fleet, until=UNTIL, settings=SETTINGS, mixes=mixes or {})


def test_what_was_taught_is_compared_with_another_detector_on_the_incidents_that_both_can_judge(learned):
    some, fleet, said = learned
    assert some.mixes
    better, why = some.beats(detector(fleet), fleet, SETTINGS)
    assert better
    late = together([[span for span in labels.right if span[1] >= UNTIL] for labels in said.values()])
    assert f"of {len(late)} incidents" in why
    assert not some.known_to(detector(fleet))


def test_a_detector_that_was_taught_the_same_is_known(learned):
    some, fleet, _ = learned
    assert some.known_to(detector(fleet, mixes=some.mixes))
    assert not some.known_to(detector(fleet, ROLLING_MAD))
    other = {name: replace(one, ease=one.ease + 0.5) for name, one in some.mixes.items()}
    assert not some.known_to(detector(fleet, mixes=other))


def test_a_rival_that_lacks_resources_and_metrics_finds_nothing_there(learned):
    some, fleet, _ = learned
    stranger = detector({"r9": replace(fleet["r0"], resource="r9")})
    better, why = some.beats(stranger, fleet, SETTINGS)
    assert better
    assert ", the other 0 of" in why
    renamed = detector({name: replace(one, metrics=("errors",)) for name, one in fleet.items()})
    assert ", the other 0 of" in some.beats(renamed, fleet, SETTINGS)[1]


def test_nothing_learned_is_no_better_than_anything():
    assert Taught().mixes == {}
    assert Taught().known_to(detector({"a": grid("a")[0]}))


def test_members_that_were_not_asked_are_silent():
    one, said = grid("a")
    ((profile, rows),) = by_profile(one, UNTIL)
    lesson = lesson_of(one, rows, profile, UNTIL, said, said.right)
    whole = lesson_of(one, rows, observing(profile), UNTIL, said, said.right)
    asked = [MEMBERS.index(name) for name in profile.weights]
    np.testing.assert_array_equal(lesson.surprise[:, asked], whole.surprise[:, asked])
    assert np.isin(np.delete(lesson.surprise, asked, axis=1), (SILENT,)).all()


def test_a_summary_says_in_a_few_words_what_was_taught(learned):
    some, fleet, said = learned
    assert some.summary == f"{some.incidents} labelled incidents taught weights and limit of hours series"
    assert some.notes[0].startswith("hours: weights are learned from labels")
    assert some.notes[1].startswith("hours: a lower limit finds")
    few = taught(fleet, {"r0": Labels(right=said["r0"].right[-4:])})
    assert "4 labelled incidents, at least 5" in few.summary
    assert few.notes == (few.summary,)
    calm = Labels(right=tuple((a + 12 * HOUR, a + 13 * HOUR) for a, _ in said["r0"].right[-7:]))
    assert taught(fleet, {"r0": calm}).summary == (
        "7 labelled incidents taught nothing better than the usual weights and limits"
    )


def test_a_lowered_limit_is_not_raised_again_for_the_alarms_that_it_lets_through():
    one, _ = grid("a", metrics=("latency", "errors", "requests"))
    restless = replace(one, values=one.values * np.where(np.arange(one.values.shape[1]) % 37 < 2, 1.2, 1.0))
    ((profile, _),) = by_profile(restless, UNTIL)
    limits = [
        np.log1p(detector({"a": restless}, mixes={"hours": replace(profile, ease=ease)}).limits("a", 1.0))
        for ease in (0.0, 0.3)
    ]
    np.testing.assert_allclose(limits[0] - limits[1], 0.3)


def test_a_lesson_of_several_metrics_reckons_with_how_often_they_alarm_together():
    one, _ = grid("a", metrics=("latency", "errors", "requests"))
    ((profile, rows),) = by_profile(one, UNTIL)
    whole = lesson_of(one, rows, profile, UNTIL, Labels(), ())
    loud = np.array(whole.surprise)
    loud[1, :, 5::37] = 4.0
    restless = replace(whole, surprise=loud)
    over = excess(restless, shares_of(profile), 1.0, per_week=1.0)
    alone = excess(
        replace(restless, surprise=loud[1:2], above=restless.above[1:2]), shares_of(profile), 1.0, per_week=1.0
    )
    assert over.max() < alone.max() - 0.5
