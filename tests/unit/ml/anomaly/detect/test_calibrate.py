from dataclasses import replace

import numpy as np
import pytest

from aws_auto.ml.anomaly.detect.calibrate import BINS, Calibrator, Tail, histogram, quantiles

TAIL = Tail(low=0.9, high=0.99, prior=0.8, weight=0, least=0.05)


def fitted(raw, memory=1e9, tail=TAIL):
    return Calibrator.fit(raw[None], np.ones(len(raw)), tail=tail, memory=memory, block=16)


def test_quantiles_of_a_histogram_are_close_to_those_of_the_values():
    log = np.random.default_rng(0).normal(0, 1, 20_000)
    total = np.cumsum(histogram(log[None], np.ones((1, len(log)))), axis=1)
    shares = (0.5, 0.9, 0.99)
    assert quantiles(total, shares)[:, 0] == pytest.approx(np.quantile(log, shares), abs=0.06)


def test_a_histogram_keeps_all_weight_even_outside_its_range():
    assert histogram(np.array([[-99.0, 99.0, 0.0]]), np.ones((1, 3))).sum() == pytest.approx(3)
    assert histogram(np.zeros((2, 3)), np.ones((2, 3))).shape == (2, BINS)


def test_surprise_of_a_pareto_tail_is_its_probability():
    rng = np.random.default_rng(1)
    calibrator = fitted(rng.pareto(2.0, 50_000) + 1)
    for tail_probability in (1e-2, 1e-3, 1e-4):
        raw = tail_probability ** (-1 / 2.0)
        assert calibrator.judge(np.array([[raw]]))[0, 0] == pytest.approx(-np.log10(tail_probability), abs=0.35)


def test_a_scale_of_its_own_makes_series_comparable():
    raw = np.random.default_rng(2).exponential(1, 5000)
    small, large = fitted(raw), fitted(raw * 20)
    assert small.judge(np.array([[10.0]]))[0, 0] == pytest.approx(large.judge(np.array([[200.0]]))[0, 0], abs=0.15)


def test_frequent_incidents_do_not_hide_the_next():
    rng = np.random.default_rng(3)
    calm = rng.exponential(1, 6000)
    troubled = calm.copy()
    troubled[::300] = 60
    assert fitted(troubled).judge(np.array([[60.0]]))[0, 0] > 3


def test_an_incident_in_a_short_past_does_not_hide_the_next():
    raw = np.random.default_rng(7).exponential(1, 100)
    raw[40:60] = 60
    near = replace(TAIL, furthest=0.8)
    again = np.array([[60.0]])
    assert fitted(raw).judge(again)[0, 0] < 2
    assert fitted(raw, tail=near).judge(again)[0, 0] > 4
    calm = np.delete(raw, np.arange(40, 60))
    assert np.mean(fitted(raw, tail=near).judge(calm[None]) > 2) < 0.05


def test_bursts_of_what_is_mostly_at_rest_are_usual_however_far_out():
    raw = np.full(100, 0.01)
    raw[::6] = np.random.default_rng(8).uniform(3, 5, len(raw[::6]))
    near = fitted(raw, tail=replace(TAIL, furthest=0.8))
    assert near.judge(np.array([[4.0]])) == pytest.approx(fitted(raw).judge(np.array([[4.0]])))
    assert near.judge(np.array([[4.0]]))[0, 0] < 2


def test_a_member_that_sees_nothing_has_the_lowest_surprise_of_its_tail():
    raw = np.random.default_rng(9).exponential(1, 1000)
    quiet = fitted(raw, tail=replace(TAIL, floor=0.5))
    nothing = np.zeros((1, 3))
    assert (quiet.judge(nothing) == 0.5).all()
    assert (quiet.advance(nothing, np.ones(3), 1000)[0] == 0.5).all()


def test_a_new_normal_is_learned():
    rng = np.random.default_rng(4)
    calibrator = fitted(rng.exponential(1, 4000), memory=1000)
    first, _ = calibrator.advance(rng.exponential(1, (1, 5000)) * 20, np.ones(5000), 4000)
    assert np.median(first[0, :200]) > 1.5
    assert np.median(first[0, -200:]) < 1


def test_raw_at_is_the_inverse_of_judge():
    calibrator = fitted(np.random.default_rng(5).exponential(1, 3000))
    raw = calibrator.raw_at(0, 3.0)
    assert calibrator.judge(np.array([[raw]]))[0, 0] == pytest.approx(3.0)


def test_blocks_are_the_same_however_slots_arrive():
    rng = np.random.default_rng(6)
    raw, new = rng.exponential(1, 1000), rng.exponential(1, (1, 200))
    whole, _ = fitted(raw).advance(new, np.ones(200), 1000)
    single = fitted(raw)
    parts = [single.advance(new[:, i : i + 1], np.ones(1), 1000 + i)[0] for i in range(200)]
    assert np.concatenate(parts, axis=1) == pytest.approx(whole, abs=1e-12)
