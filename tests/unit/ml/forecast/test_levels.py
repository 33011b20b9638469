from __future__ import annotations

from statistics import NormalDist

import numpy as np
import pytest

from aws_auto.errors import UsageError
from aws_auto.ml.forecast.levels import at_levels

KNOWN = (0.1, 0.5, 0.9)


def normal(levels):
    return np.array([NormalDist(10, 2).inv_cdf(level) for level in levels])


def test_quantiles_of_a_normal_are_right_at_every_level():
    wanted = (0.001, 0.1, 0.3, 0.5, 0.77, 0.9, 0.999)
    np.testing.assert_allclose(at_levels(normal(KNOWN), KNOWN, wanted), normal(wanted))


def test_more_levels_never_cross_and_unknown_stays_unknown():
    table = np.stack([np.array([1.0, 1.0, 7.0]), np.full(3, np.nan)])
    out = at_levels(table, KNOWN, np.linspace(0.01, 0.99, 50))
    assert (np.diff(out[0]) >= 0).all()
    assert np.isnan(out[1]).all()


@pytest.mark.parametrize("level", [0, 1, 1.5])
def test_a_level_outside_of_its_range_is_refused(level):
    with pytest.raises(UsageError, match="no quantile level"):
        at_levels(normal(KNOWN), KNOWN, (level,))
