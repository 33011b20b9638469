"""The peak need and the probability of trouble against slow, obvious twins."""

from __future__ import annotations

import numpy as np

from aws_auto.ml.cost.rightsizing_model import MOST_ABOVE, exceedance, features, fit, peak_need


def test_the_peak_need_is_the_least_sample_that_demand_exceeds_rarely_enough():
    rng = np.random.default_rng(0)
    for _ in range(200):
        demand = np.round(rng.gamma(1.0, 0.2, rng.integers(1, 900)), 2)
        slow = next(c for c in np.sort(demand) if (demand > c).mean() <= MOST_ABOVE)
        assert peak_need(demand) == slow


def test_the_forest_of_exceedances_is_a_forest_of_empirical_distributions():
    """At a capacity of the grid its answer is the share, over leaves, of training machines whose peak was above."""
    rng = np.random.default_rng(1)
    past = [rng.gamma(2.0, 0.1, 48) for _ in range(60)]
    known = np.stack([features(one, 24) for one in past])
    needs = np.array([peak_need(one * rng.uniform(0.5, 2.0)) for one in past])
    forest = fit(known, needs, seed=3)
    said = exceedance(forest, known[:5], [[0.25, 0.5, 1.0]] * 5)
    slow = np.zeros((5, 3))
    for tree, sample in zip(forest.estimators_, forest.estimators_samples_, strict=True):
        leaf = tree.apply(known.astype(np.float32))
        for i in range(5):
            mine = needs[sample][leaf[sample] == leaf[i]]
            slow[i] += [(mine > c).mean() for c in (0.25, 0.5, 1.0)]
    assert np.allclose(said, slow / len(forest.estimators_))
