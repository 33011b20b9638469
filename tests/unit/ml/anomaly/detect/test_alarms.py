import dataclasses

import numpy as np
import pytest

from aws_auto.errors import UsageError
from aws_auto.ml.anomaly.detect.alarms import Policy, alarms, level, severity
from aws_auto.ml.anomaly.detect.detector import Scores

TIMES = 1e9 + 300.0 * np.arange(60)


def scores_of(high, values):
    score = np.zeros(60)
    for at, how in high.items():
        score[at] = how
    flat = np.full(60, 10.0)
    return Scores(
        score, flat, flat - 5, flat + 5, np.ones(60, np.int64), values, ("shape", "seasonal"), np.zeros((2, 60))
    )


def told(high, values=None, **policy):
    values = np.full(60, 20.0) if values is None else values
    return alarms(TIMES, values, scores_of(high, values), Policy(threshold=3.0, **policy))


def test_points_close_together_are_one_alarm_at_its_first_point():
    found = told({10: 3.5, 12: 5.2, 14: 4.0})
    assert [(a.start, a.end, a.peak, a.points) for a in found] == [(TIMES[10], TIMES[14], TIMES[12], 3)]
    assert (found[0].driver, found[0].value, found[0].expected) == ("seasonal", 20.0, 10.0)


def test_points_far_apart_are_two_alarms():
    assert len(told({5: 3.5, 40: 3.5})) == 2


def test_an_alarm_in_the_cool_down_is_told_only_when_worse():
    assert len(told({5: 3.5, 15: 3.5}, merge=600.0, cool_down=7200.0)) == 1
    assert [a.level for a in told({5: 3.5, 15: 6.5}, merge=600.0, cool_down=7200.0)] == ["notice", "critical"]


def test_a_tiny_deviation_is_no_alarm_however_rare():
    values = np.full(60, 10.01)
    assert told({10: 9.0}, values, least_effect=0.5) == []
    assert told({10: 9.0}, values, least_share=0.1) == []
    assert len(told({10: 9.0}, values)) == 1


def test_maintenance_windows_and_excluded_ranges_are_silent():
    assert told({10: 9.0}, quiet=[(TIMES[9], TIMES[11])]) == []
    assert told({10: 9.0}, ignore_above=15.0) == []
    assert told({10: 9.0}, ignore_below=25.0) == []


def test_a_single_point_can_be_too_short():
    assert told({10: 9.0}, least_points=2) == []
    assert len(told({10: 9.0, 11: 9.0}, least_points=2)) == 1


def test_points_that_were_not_judged_raise_nothing():
    s = scores_of({10: 9.0}, np.full(60, 20.0))
    s = dataclasses.replace(s, score=np.full(60, np.nan))
    assert alarms(TIMES, np.full(60, 20.0), s, Policy(threshold=3.0)) == []


def test_severity_is_rarity_beyond_the_threshold():
    assert [severity(x, 3.0) for x in (2.0, 3.0, 4.0, 5.0, 7.0, 12.0)] == [0.0, 0.0, 0.25, 0.5, 1.0, 1.0]
    assert severity(4.0, 3.0, decade=0.5) == 0.5
    assert [level(x) for x in (0.0, 0.25, 0.5, 0.75, 1.0)] == ["notice", "minor", "major", "critical", "critical"]


def test_a_policy_that_makes_no_sense_is_refused():
    with pytest.raises(UsageError, match="negative"):
        Policy(threshold=3.0, merge=-1.0)
    with pytest.raises(UsageError, match="not above 0"):
        Policy(threshold=3.0, decade=0.0)
    with pytest.raises(UsageError, match="empty"):
        Policy(threshold=3.0, quiet=[(5.0, 5.0)])
