import numpy as np
import pytest

from aws_auto.errors import ArtifactError
from aws_auto.ml.anomaly.detect import Detector, Policy, alarms
from aws_auto.ml.anomaly.detect.profile import (
    DECADE,
    DENSE,
    FRESH,
    HOURS,
    MEMBERS,
    MOST_CROWDED,
    MOST_RAISED,
    ONE_A_WEEK,
    Profile,
    choose,
    limit,
    raised,
)

DAY = 86_400.0
EVERYTHING = Profile("everything", dict.fromkeys(MEMBERS, 1.0), HOURS.tail)


def daily(points, step=300.0, seed=0, noise=0.1):
    """A day's cycle with AR noise, from a Monday on."""
    rng = np.random.default_rng(seed)
    times = 1_770_595_200.0 + step * np.arange(points)
    wander = np.convolve(rng.normal(0, noise, points + 20), 0.7 ** np.arange(20), "valid")[:points]
    return times, 50 + 10 * np.sin(2 * np.pi * times / DAY) + 5 * wander


@pytest.fixture(scope="module")
def fitted():
    times, values = daily(4600)
    return Detector.fit(times[:4032], values[:4032]), times[4032:], values[4032:]


def test_the_profile_follows_history_and_period():
    assert choose(300.0, 4032) is DENSE
    assert choose(300.0, 600) is FRESH
    assert choose(3600.0, 400) is HOURS


def test_a_spike_a_dip_and_a_frozen_value_are_found_and_calm_points_are_not(fitted):
    detector, times, values = fitted
    strange = values.copy()
    strange[100] += 25
    strange[200:206] -= 15
    calm = detector.score(times, values).score
    found = detector.score(times, strange).score
    assert found[100] > calm.max() + 1
    assert found[200:206].max() > calm.max() + 1
    assert np.isfinite(calm).all()


def test_most_calm_points_lie_in_the_band_and_the_spike_does_not(fitted):
    detector, times, values = fitted
    values = values.copy()
    values[100] += 25
    s = detector.score(times, values)
    inside = (values >= s.low) & (values <= s.high)
    assert inside.mean() > 0.98
    assert not inside[100]
    assert abs(s.expected[100] - (values[100] - 25)) < 3


@pytest.mark.parametrize("profile", [None, EVERYTHING])
def test_point_by_point_and_in_one_batch_the_scores_are_the_same(profile):
    times, values = daily(1500)
    times, values = np.delete(times, [1200, 1201, 1202]), np.delete(values, [1200, 1201, 1202])
    values[1100] = np.nan
    detector = Detector.fit(times[:1000], values[:1000], profile=profile)
    whole = detector.score(times[1000:], values[1000:])
    one, moved = [], detector
    for t, v in zip(times[1000:], values[1000:], strict=True):
        s, moved = moved.advance([t], [v])
        one.append((s.score[0], s.expected[0], s.low[0], s.high[0], s.driver[0]))
    both = np.array([whole.score, whole.expected, whole.low, whole.high, whole.driver]).T
    assert np.array(one) == pytest.approx(both, abs=1e-9, nan_ok=True)


def test_a_detector_never_changes_when_it_is_advanced(fitted):
    detector, times, values = fitted
    before = detector.to_bytes()
    first, _ = detector.advance(times, values)
    assert detector.to_bytes() == before
    assert np.array_equal(detector.score(times, values).score, first.score)


@pytest.mark.parametrize("profile", [None, EVERYTHING])
def test_bytes_hold_everything(profile):
    times, values = daily(1500)
    detector = Detector.fit(times[:1000], values[:1000], profile=profile).advance(times[1000:1200], values[1000:1200])[
        1
    ]
    back = Detector.from_bytes(detector.to_bytes())
    ours, theirs = detector.score(times[1200:], values[1200:]), back.score(times[1200:], values[1200:])
    assert theirs.score == pytest.approx(ours.score, abs=1e-9)
    assert back.threshold(1) == detector.threshold(1)
    assert back.profile == detector.profile


def test_state_is_tens_of_kilobytes(fitted):
    assert len(fitted[0].to_bytes()) < 64_000


@pytest.mark.parametrize("content", [b"", b"nonsense", b"PK\x03\x04broken"])
def test_damaged_bytes_are_refused_with_a_sentence(content):
    with pytest.raises(ArtifactError, match="no anomaly detector"):
        Detector.from_bytes(content)


def test_late_points_are_not_judged_and_duplicates_get_the_first_score(fitted):
    detector, times, values = fitted
    order = [0, 1, 1, 0, 2]
    s = detector.score(times[order], values[order])
    assert np.isnan(s.score[3])
    assert s.driver[3] == -1
    assert s.score[2] == s.score[1]
    alone = detector.score(times[:3], values[:3])
    assert s.score[[0, 1, 4]] == pytest.approx(alone.score)


@pytest.mark.parametrize("value", [0.0, 7.0, -1e9, 1e12])
def test_a_constant_series_is_calm_until_it_moves(value):
    times = 300.0 * np.arange(1200)
    values = np.full(1200, value)
    values[1100] = value + max(abs(value), 1)
    s = Detector.fit(times[:1000], values[:1000]).score(times[1000:], values[1000:])
    assert s.score[:100].max() < 1
    assert s.score[100] > 3


@pytest.mark.parametrize(
    "values", [np.full(500, np.nan), np.full(500, np.inf), np.r_[np.full(490, np.nan), np.arange(10.0)], np.zeros(0)]
)
def test_too_few_values_judge_nothing_and_raise_nothing(values):
    times = 300.0 * np.arange(len(values))
    detector = Detector.fit(times, values)
    s, after = detector.advance(300.0 * np.arange(600, 700), np.arange(100.0))
    assert not detector.ready
    assert np.isnan(s.score).all()
    assert Detector.from_bytes(after.to_bytes()).ready is False


def test_a_series_that_turns_null_is_not_judged(fitted):
    detector, times, _ = fitted
    s = detector.score(times, np.full(len(times), np.nan))
    assert not s.judged.any()


def test_a_counter_reset_is_no_anomaly():
    rng = np.random.default_rng(3)
    growth = rng.poisson(100, 2500).astype(float)
    values = np.cumsum(growth)
    values[2200:] = np.cumsum(growth[2200:])
    times = 300.0 * np.arange(2500)
    s = Detector.fit(times[:2000], values[:2000]).score(times[2000:], values[2000:])
    assert s.score[200] < 3
    assert s.value[199:203] == pytest.approx(growth[2199:2203])
    assert (s.low[300:] < 100).all() & (s.high[300:] > 100).all()


def test_a_new_level_raises_alarms_at_first_and_becomes_normal():
    times, values = daily(20_000)
    values[6000:] += 60
    detector = Detector.fit(times[:4032], values[:4032])
    s = detector.score(times[4032:], values[4032:])
    shift = 6000 - 4032
    assert s.score[shift : shift + 10].max() > detector.threshold(1)
    assert (s.score[-2000:] > detector.threshold(1)).mean() < 0.01


def test_a_shift_of_the_local_hour_raises_no_storm():
    times, values = daily(12_000)
    later = 50 + 10 * np.sin(2 * np.pi * (times + 3600) / DAY)
    usual = 50 + 10 * np.sin(2 * np.pi * times / DAY)
    values = np.where(np.arange(12_000) >= 8000, values - usual + later, values)
    detector = Detector.fit(times[:4032], values[:4032])
    s = detector.score(times[4032:], values[4032:])
    told = alarms(times[4032:], values[4032:], s, Policy(threshold=detector.threshold(1)))
    week = [a for a in told if times[8000] <= a.start < times[8000] + 7 * DAY]
    assert len(week) <= 3


def test_a_gap_of_a_month_is_survived_and_the_next_points_are_judged(fitted):
    detector, times, values = fitted
    s = detector.score(times + 30 * DAY, values)
    assert np.isfinite(s.score).all()
    assert np.median(s.score) < 1.5


def test_the_threshold_keeps_the_budget_on_the_past_and_rises_with_it(fitted):
    detector, times, values = fitted
    assert detector.threshold(0.1) > detector.threshold(1) >= detector.threshold(20)
    told = alarms(times, values, detector.score(times, values), Policy(threshold=detector.threshold(1)))
    assert len(told) <= 2


def test_a_wild_point_is_more_severe_than_an_odd_one(fitted):
    detector, times, values = fitted
    values = values.copy()
    values[100] += 6
    values[300] += 200
    policy = Policy(threshold=detector.threshold(1), decade=detector.decade)
    told = alarms(times, values, detector.score(times, values), policy)
    odd, wild = (next(a for a in told if a.start <= times[at] <= a.end) for at in (100, 300))
    assert 0.1 <= detector.decade <= 1.0
    assert odd.severity < wild.severity
    assert wild.level == "critical"


def test_nothing_to_judge_gives_nothing(fitted):
    s, after = fitted[0].advance([], [])
    assert len(s.score) == 0
    assert after.to_bytes() == fitted[0].to_bytes()


def test_a_limit_is_higher_for_a_smaller_budget_and_for_a_series_that_is_often_mildly_strange():
    usual = np.full(30, 1.5)
    assert limit(1.0, usual, 1.0) == pytest.approx(ONE_A_WEEK)
    assert limit(0.1, usual, 1.0) == pytest.approx(ONE_A_WEEK + DECADE)
    assert limit(1.0, np.zeros(0), 8.0) < ONE_A_WEEK < limit(1.0, np.full(300, 1.5), 8.0 / 3)


def test_incidents_do_not_raise_a_limit_but_what_comes_twice_a_day_does():
    incidents = np.r_[np.full(6, 9.0), np.full(24, 1.5)]
    assert limit(1.0, incidents, 1.0) == pytest.approx(ONE_A_WEEK)
    assert limit(1.0, np.r_[np.full(15, 3.0), np.full(15, 1.5)], 1.0) == pytest.approx(3.0)
    assert limit(1.0, np.full(30, 9.0), 1.0) == pytest.approx(ONE_A_WEEK + MOST_CROWDED)


def test_a_measured_detector_forgets_what_it_was_flattered_by_and_adds_what_comes_later(fitted):
    detector, times, _ = fitted
    strange = np.where(np.arange(len(times)) % 50 == 0, 4.0, 0.0)
    once = detector.measured(times, strange)
    twice = once.measured(times, np.where(strange > 0, np.nan, 0.0), further=True)
    assert once.state.peaks.tolist() == [4.0] * int((strange > 0).sum())
    assert twice.state.weeks == pytest.approx(once.state.weeks * (2 - 1 / 50), rel=0.01)
    assert once.threshold(1) > twice.threshold(1)


def test_a_resource_is_raised_by_what_comes_up_too_often_and_not_by_a_few_incidents():
    incidents = np.full(4, 9.0)
    assert raised(1.0, incidents, 1.0) == 0
    assert raised(1.0, np.r_[incidents, -0.5], 1.0) == 0
    assert raised(5.0, np.full(5, 0.7), 1.0) == pytest.approx(0.7)
    assert raised(1.0, np.r_[incidents, 0.7], 1.0) == pytest.approx(0.7 + DECADE * np.log10(5))
    assert raised(1.0, np.full(30, 5.0), 1.0) == MOST_RAISED
