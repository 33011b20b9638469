from dataclasses import replace

import numpy as np
import pytest

from aws_auto.ml.anomaly.detect import Detector
from aws_auto.ml.anomaly.detect.learned import LEAST, LEAST_FOR_MIX, choose, gains, learn, mixes, observing
from aws_auto.ml.anomaly.detect.lessons import Lesson, together
from aws_auto.ml.anomaly.detect.profile import DENSE, FRESH, HOURS, MEMBERS
from aws_auto.ml.anomaly.detect.profile import choose as chosen

PERIOD, DAYS = 300.0, 20
WEIGHED = tuple(DENSE.weights)


def lesson(incidents, seed=0, *, seen_by="residual", height=6.0, noise=0.4):
    """One metric whose incidents only one member sees; every member has alarms of its own."""
    rng, points = np.random.default_rng(seed), 288 * DAYS
    surprise = rng.exponential(noise, (len(MEMBERS), points))
    times = PERIOD * np.arange(points)
    starts = (np.arange(incidents) + 0.5) * points // max(incidents, 1)
    spans = []
    for at in starts.astype(int):
        surprise[MEMBERS.index(seen_by), at : at + 6] = height
        spans.append((times[at], times[at + 5]))
    return Lesson(
        times=times,
        period=PERIOD,
        surprise=surprise[None],
        above=np.ones((1, points), dtype=bool),
        usual=np.ones(points, dtype=bool),
        incidents=tuple(spans),
    )


def taught(*lessons, profile=DENSE):
    return learn(profile, lessons, per_week=1.0, seed=0)


def test_incidents_that_only_one_member_sees_give_it_the_weight():
    found = taught(lesson(12))
    assert found.better
    assert max(found.profile.weights, key=found.profile.weights.get) == "residual"
    assert sum(found.profile.weights.values()) == pytest.approx(1)
    assert found.mix.ours > found.mix.usual + 0.1
    assert found.mix.gain.low > 0
    assert (found.profile.tail, found.profile.name) == (DENSE.tail, DENSE.name)
    assert "dense: weights are learned from labels" in found.notes[0]
    assert "12 held-back incidents" in found.notes[0]


def test_incidents_that_the_usual_mix_sees_leave_it():
    found = taught(lesson(12, seen_by="shape"))
    assert found.profile.weights == DENSE.weights
    assert found.mix.usual > 0.9
    assert "dense: the usual weights stay" in found.notes[0]


def test_labels_without_meaning_leave_the_usual_mix_and_limit():
    for seed in range(5):
        noise = lesson(0, seed)
        rng = np.random.default_rng(seed)
        starts = np.sort(rng.choice(len(noise.times) // 50, 15, replace=False)) * 50 * PERIOD
        found = taught(replace(noise, incidents=tuple((at, at + 5 * PERIOD) for at in starts)))
        assert not found.better


def test_too_few_incidents_leave_the_profile_and_the_note_says_how_many_are_needed():
    found = taught(lesson(LEAST - 1))
    assert (found.profile, found.mix, found.stands) == (DENSE, None, None)
    assert found.notes == (
        f"the usual weights and limits stay: {LEAST - 1} labelled incidents, at least {LEAST} are needed to learn from",
    )
    assert "1 labelled incident, at least" in taught(lesson(1)).notes[0]


def test_a_few_incidents_say_how_low_the_limit_may_be_but_not_which_member_is_right():
    found = taught(lesson(LEAST_FOR_MIX - 1, seen_by="shape", height=1.9, noise=0.1))
    assert found.profile.weights == DENSE.weights
    assert found.profile.ease > 0
    assert found.stands.found > found.before.found
    assert found.stands.f1 > found.before.f1
    assert found.stands.alarms <= found.stands.weeks
    assert f"{LEAST_FOR_MIX - 1} labelled incidents, weights need at least {LEAST_FOR_MIX}" in found.notes[0]
    assert "a lower limit finds" in found.notes[1]


def test_a_limit_is_not_lowered_beyond_the_budget():
    one = lesson(LEAST_FOR_MIX - 1, seen_by="shape", height=1.9, noise=0.1)
    assert learn(DENSE, [one], per_week=1.0, seed=0).profile.ease > 0
    louder = np.array(one.surprise)
    louder[0, MEMBERS.index("shape"), 40::290] = 3.0
    noisy = taught(replace(one, surprise=louder))
    assert noisy.profile.ease == 0
    assert noisy.stands == noisy.before


def test_one_incident_alone_lowers_no_limit():
    seen, missed = lesson(5, seen_by="shape", noise=0.1), lesson(1, seed=1, seen_by="shape", height=1.9, noise=0.1)
    shifted = replace(
        missed,
        times=missed.times + DAYS * 86_400,
        incidents=tuple((a + DAYS * 86_400, b + DAYS * 86_400) for a, b in missed.incidents),
    )
    found = taught(seen, shifted)
    assert found.incidents == 6
    assert found.profile.ease == 0


def test_what_happens_on_several_resources_at_once_is_one_incident():
    twins = [lesson(4, seed) for seed in range(3)]
    assert [len(event) for event in together([one.incidents for one in twins])] == [3] * 4
    assert taught(*twins).incidents == 4


def test_the_metric_that_saw_the_incident_speaks_for_its_resource():
    one, other = lesson(12), lesson(0, seed=5)
    both = replace(
        one, surprise=np.concatenate([other.surprise, one.surprise]), above=np.concatenate([other.above, one.above])
    )
    assert taught(both).better


def test_points_that_were_not_judged_teach_nothing():
    one = lesson(12)
    holes = np.array(one.surprise)
    holes[..., 1000:1400] = np.nan
    wild = np.array(holes)
    assert taught(replace(one, surprise=holes)).better
    silent = replace(one, surprise=np.full_like(wild, np.nan))
    assert not taught(silent).better


def test_calm_points_reach_the_limits_as_often_with_every_mix():
    one = lesson(0)
    tried = mixes(DENSE)
    units = gains([one], tried)
    highest = [np.sort(unit * (mix @ one.known[0]))[-20] for mix, unit in zip(tried, units, strict=True)]
    assert units[0] == pytest.approx(1)
    assert max(highest) / min(highest) < 1.4
    unscaled = [np.sort(mix @ one.known[0])[-20] for mix in tried]
    assert max(unscaled) / min(unscaled) > 2


@pytest.mark.parametrize("profile", [DENSE, HOURS, FRESH])
def test_the_first_mix_is_the_profiles_own_and_all_are_shares(profile):
    tried = mixes(profile)
    weights = np.array([profile.weights.get(name, 0.0) for name in MEMBERS])
    np.testing.assert_allclose(tried[0], weights / weights.sum())
    np.testing.assert_allclose(tried.sum(axis=1), 1)
    assert tried.min() >= 0


def test_one_lucky_incident_is_no_reason_to_prefer_a_mix():
    worth = np.zeros((3, 12))
    worth[1, :6] = 0.5
    worth[2, 0] = 3.1
    assert worth[2].mean() > worth[1].mean()
    assert choose(worth) == 1
    assert choose(np.zeros((3, 12))) == 0


def test_a_learned_profile_replaces_the_usual_one_of_its_name():
    other = replace(DENSE, weights={"residual": 1.0}, gain=0.5)
    assert chosen(300, 5000, mixes={"dense": other}) is other
    assert chosen(3600, 500, mixes={"dense": other}) is HOURS


def test_a_detector_with_learned_weights_scores_by_them_before_and_after_it_was_stored():
    rng = np.random.default_rng(0)
    times = 300.0 * np.arange(4000)
    values = 50 + 10 * np.sin(times / 86_400 * 2 * np.pi) + rng.normal(0, 1, 4000)
    mix = replace(DENSE, weights={"residual": 0.5, "level": 0.5}, gain=0.5)
    one = Detector.fit(times[:3500], values[:3500], mixes={"dense": mix})
    scores = one.score(times[3500:], values[3500:])
    assert scores.members == ("residual", "level")
    loud = scores.surprise.mean(axis=0) / 2
    np.testing.assert_allclose(scores.score[loud > 0], loud[loud > 0], atol=0.5)
    again = Detector.from_bytes(one.to_bytes())
    assert again.profile == one.profile
    np.testing.assert_array_equal(again.score(times[3500:], values[3500:]).score, scores.score)


def test_all_members_are_observed_and_only_the_profiles_own_count():
    seen = observing(DENSE)
    assert tuple(seen.weights) == MEMBERS
    assert [name for name, weight in seen.weights.items() if weight] == list(WEIGHED)
