import numpy as np

from aws_auto.ml.anomaly.detect.clock import Clock, is_counter

NAN = float("nan")


def clock_at(step=300.0, *, counter=False, points=100):
    times = 1e9 + step * np.arange(points)
    values = np.arange(points, dtype=float) if counter else np.sin(np.arange(points))
    clock = Clock.of(times, values)
    clock.arrive(times, values)
    return clock, times[-1]


def test_a_steady_series_gets_one_slot_a_point():
    clock, last = clock_at()
    slots = clock.arrive(last + 300 * np.arange(1, 4), np.array([1.0, 2.0, 3.0]))
    assert slots.values.tolist() == [1.0, 2.0, 3.0]
    assert slots.seen.all()
    assert slots.point.tolist() == [0, 1, 2]


def test_a_missing_slot_repeats_the_last_value_and_is_marked():
    clock, last = clock_at()
    slots = clock.arrive(last + np.array([300.0, 900.0]), np.array([5.0, 7.0]))
    assert slots.values.tolist() == [5.0, 5.0, 7.0]
    assert slots.seen.tolist() == [True, False, True]
    assert slots.point.tolist() == [0, 2]


def test_a_value_that_is_not_finite_is_missing():
    clock, last = clock_at()
    slots = clock.arrive(last + 300 * np.arange(1, 4), np.array([1.0, NAN, 3.0]))
    assert slots.seen.tolist() == [True, False, True]
    assert slots.point.tolist() == [0, -2, 2]


def test_a_late_point_is_not_judged_and_a_duplicate_shares_the_newest_slot():
    clock, last = clock_at()
    slots = clock.arrive(last + np.array([0.0, -600.0, 300.0, 300.0]), np.array([9.0, 8.0, 1.0, 2.0]))
    assert slots.point.tolist() == [-1, -2, 0, 0]
    assert slots.values.tolist() == [1.0]


def test_a_long_gap_is_shortened_by_whole_days():
    clock, last = clock_at()
    before = clock.next
    slots = clock.arrive(np.array([last + 30 * 86_400 + 300]), np.array([1.0]))
    assert len(slots.values) <= 3 * 288
    assert (clock.next - before) % 288 == 1
    after = clock.arrive(np.array([last + 30 * 86_400 + 600]), np.array([2.0]))
    assert len(after.values) == 1


def test_a_gap_is_shortened_equally_in_one_batch_and_point_by_point():
    times = np.array([300.0, 20 * 86_400.0, 20 * 86_400.0 + 300, 60 * 86_400.0])
    whole, last = clock_at()
    single, _ = clock_at()
    whole.arrive(last + times, np.arange(4.0))
    for t, v in zip(times, np.arange(4.0), strict=True):
        single.arrive(np.array([last + t]), np.array([v]))
    assert whole == single


def test_points_without_a_rhythm_count_one_slot_each():
    times = np.cumsum(np.r_[0, np.tile([1.0, 1.0, 1.0, 5000.0], 50)])
    clock = Clock.of(times, np.arange(len(times)) % 7.0)
    assert not clock.rhythmic
    assert len(clock.arrive(times, times).values) == len(times)


def test_a_counter_is_judged_by_its_growth_and_survives_a_reset():
    clock, last = clock_at(counter=True)
    assert clock.counter
    slots = clock.arrive(last + 300 * np.arange(1, 4), np.array([101.0, 3.0, 5.0]))
    assert slots.values.tolist() == [2.0, 3.0, 2.0]


def test_growth_of_a_counter_over_a_gap_is_growth_per_slot():
    clock, last = clock_at(counter=True)
    slots = clock.arrive(np.array([last + 1200.0]), np.array([107.0]))
    assert slots.values[-1] == 2.0


def test_a_gauge_that_falls_is_no_counter():
    assert not is_counter(np.sin(np.arange(200.0)) + 2)
    assert not is_counter(np.full(200, 3.0))


def test_nothing_arrives_without_harm():
    clock, _ = clock_at()
    slots = clock.arrive(np.zeros(0), np.zeros(0))
    assert len(slots.values) == 0
