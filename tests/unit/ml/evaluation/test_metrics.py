from __future__ import annotations

import numpy as np
import pytest

from aws_auto.ml.evaluation import metrics
from aws_auto.ml.evaluation.metrics import Rhythm, episodes, event_counts

FIVE = Rhythm(300)


def test_pinball_of_the_median_alone_is_the_absolute_error():
    y, q = np.array([1.0, 5.0]), np.array([[3.0], [4.0]])
    assert metrics.pinball(y, q, [0.5]).tolist() == [2.0, 1.0]


def test_a_high_quantile_is_punished_more_when_the_truth_lies_above():
    above, below = metrics.pinball(np.array([1.0, -1.0]), np.zeros((2, 1)), [0.9])
    assert above == pytest.approx(1.8)
    assert below == pytest.approx(0.2)


def test_weighted_quantile_loss_of_nothing_but_zeros_is_unknown():
    assert np.isnan(metrics.weighted_quantile_loss(np.zeros(3), np.zeros((3, 1)), [0.5]))


def test_mase_is_one_for_the_seasonal_naive_error():
    history = np.arange(10.0)
    assert metrics.mase(np.array([5.0]), np.array([7.0]), history, season=2) == 1.0
    assert np.isnan(metrics.mase(np.array([5.0]), np.array([7.0]), np.ones(10), season=2))


def test_coverage_leaves_unknown_points_out():
    y = np.array([1.0, 5.0, np.nan])
    assert metrics.coverage(y, np.zeros(3), np.full(3, 2.0)) == (0.5, 2)
    assert metrics.share_at_or_below(y, np.full(3, 5.0)) == (1.0, 2)


def test_calibrated_probabilities_have_no_calibration_error():
    p = np.array([0.25] * 4 + [0.75] * 4)
    outcome = np.array([1, 0, 0, 0, 1, 1, 1, 0], float)
    assert metrics.expected_calibration_error(p, outcome) == pytest.approx(0)
    assert metrics.expected_calibration_error(p, 1 - outcome) == pytest.approx(0.5)


def test_alarms_within_an_hour_are_one_episode():
    assert episodes(np.array([0.0, 3600, 7300]), FIVE).tolist() == [[0, 3600], [7300, 7300]]


def test_an_alarm_that_never_ends_is_cut_every_six_hours():
    always = np.arange(0.0, 86_400, 300)
    assert len(episodes(always, FIVE)) == 4


def test_coarse_series_merge_over_three_points():
    assert len(episodes(np.array([0.0, 3 * 3600, 7 * 3600]), Rhythm(3600))) == 2


def test_an_event_is_found_until_seven_points_after_its_start():
    event = np.array([[10_000.0, 10_000.0]])
    assert event_counts(np.array([12_100.0]), event, FIVE).found == 1
    assert event_counts(np.array([12_101.0]), event, FIVE).found == 0


def test_an_alarm_far_from_every_event_is_false_and_one_nearby_is_not():
    event = np.array([[100_000.0, 103_000.0]])
    counts = event_counts(np.array([50_000.0, 106_000.0]), event, FIVE)
    assert (counts.found, counts.missed, counts.false) == (0, 1, 1)


def test_f1_of_nothing_is_zero():
    assert metrics.event_f1(np.array([[0, 0, 0], [2, 1, 1]], float)).tolist() == [0.0, 4 / 6]
